"""Operators reserve resources and make volumes: calls of ``/api/v1`` and the endpoints from before it (O12, O13, U8).

Operations use what nobody holds; offers are rescinded, one after the other, until there is enough. 409 when there is
not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.errors import Conflict, InvalidRequest
from messor.master.doors.endpoints import form
from messor.master.leadership import Leadership
from messor.master.offers.rescind import Rescinder
from messor.master.operations.perform import Performer
from messor.master.state.agent import AgentRecord
from messor.master.state.tables import MasterState
from messor.master.validation.operations import (
    operation_name,
    read_operation,
    validate_create,
    validate_destroy,
    validate_grow,
    validate_reserve,
    validate_shrink,
    validate_unreserve,
)
from messor.model.conversions import Conversion, apply_all, conversions_of
from messor.model.resources import EMPTY, Resources
from messor.protos import v0, v0_master
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response
from messor.wire.json_codec import message_from, parse_json

log = logging.getLogger(__name__)

Call = v0_master.Call
Operation = v0.Offer.Operation

ApproveOperator = Callable[[v0.Offer.Operation, str | None], None]
"""(operation, principal): raises NotAuthorized when an operator may not do it."""


class OperationCalls(Component):
    """Applies operations for operators."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: Allocator,
        leadership: Leadership,
        rescinder: Rescinder,
        performer: Performer,
        approve: ApproveOperator | None = None,
    ) -> None:
        """approve: asked before an operation is applied, None when everybody may do everything."""
        self.state = state
        self.allocator = allocator
        self.leadership = leadership
        self.rescinder = rescinder
        self.performer = performer
        self.approve = approve
        self.deeds: dict[int, Callable[[Any, Request], Response]] = dict.fromkeys(_BODIES, self._called)
        """What ``/api/v1`` hands to us, by type of call."""

    # --- doors -------------------------------------------------------------------------------------------------------

    def _called(self, call: v0_master.Call, request: Request) -> Response:
        body = getattr(call, Call.Type.Name(call.type).lower())
        self.operate(body.slave_id.value, _BODIES[call.type](body), request.principal)
        return Response(202)

    @endpoint("/reserve", methods=("POST",), realm="readwrite")
    def reserve(self, request: Request) -> Response:
        """Reserve: ``slaveId`` and ``resources`` (JSON) in a form."""
        return self._posted(request, "resources", lambda found: _reserve(found, ()))

    @endpoint("/unreserve", methods=("POST",), realm="readwrite")
    def unreserve(self, request: Request) -> Response:
        """Undo reservations: ``slaveId`` and ``resources`` (JSON) in a form."""
        return self._posted(request, "resources", _unreserve)

    @endpoint("/create-volumes", methods=("POST",), realm="readwrite")
    def create_volumes(self, request: Request) -> Response:
        """Make persistent volumes: ``slaveId`` and ``volumes`` (JSON) in a form."""
        return self._posted(request, "volumes", _create)

    @endpoint("/destroy-volumes", methods=("POST",), realm="readwrite")
    def destroy_volumes(self, request: Request) -> Response:
        """Destroy persistent volumes and what is in them: ``slaveId`` and ``volumes`` (JSON) in a form."""
        return self._posted(request, "volumes", _destroy)

    def _posted(
        self, request: Request, key: str, make: Callable[[Iterable[v0.Resource]], v0.Offer.Operation]
    ) -> Response:
        self.leadership.check_leading(request)
        fields = form(request.body)
        for needed in ("slaveId", key):
            if needed not in fields:
                raise InvalidRequest(f"Missing '{needed}' query parameter in the request body")
        try:
            found = parse_json(fields[key].encode())
            if not isinstance(found, list):
                raise InvalidRequest("Unexpected JSON type parsed")
            resources = [message_from(item, v0.Resource) for item in found]
        except InvalidRequest as error:
            why = str(error).removeprefix("Failed to parse body into JSON: ")
            raise InvalidRequest(f"Error parsing '{key}' query parameter in the request body: {why}") from None
        self.operate(fields["slaveId"], make(resources), request.principal)
        return Response(202)

    # --- doing -------------------------------------------------------------------------------------------------------

    def operate(self, agent_id: str, operation: v0.Offer.Operation, principal: str | None) -> None:
        """Apply an operation to what nobody holds of an agent.

        Raises InvalidRequest when it makes no sense, Conflict when the resources are not there or in use.
        """
        agent = self.state.agents.get(agent_id)
        if agent is None:
            raise InvalidRequest("No agent found with specified ID")
        read_operation(operation, None)
        try:
            _validate(operation, agent, principal)
        except InvalidRequest as error:
            where = "" if operation.type == Operation.DESTROY else f" on agent {agent}"
            raise InvalidRequest(f"Invalid {operation_name(operation)} operation{where}: {error}") from None
        if self.approve is not None:
            self.approve(operation, principal)
        steps = conversions_of(operation)
        self._make_room(agent, steps)
        try:
            self.allocator.update_available(agent.id, steps)
        except InvalidRequest as error:
            raise Conflict(str(error)) from None
        self.performer.perform(agent, None, operation, steps)

    def _make_room(self, agent: AgentRecord, steps: list[Conversion]) -> None:
        """Rescind offers that hold what is needed, until the operation could be applied to what came back.

        What the allocator has in hand is not counted: it may be about to offer it. The frameworks' filter of five
        seconds keeps what came back from being offered to them again at once.
        """
        required = EMPTY
        for step in steps:
            required += step.consumed
        recovered = EMPTY
        for offer in list(agent.offers.values()):
            offered = offer.resources.unallocated()
            if required - offered == required:
                continue
            recovered += offered
            required -= offered
            self.rescinder.rescind(offer, v0.Filters())
            if _fits(recovered, steps):
                return


def _fits(resources: Resources, steps: list[Conversion]) -> bool:
    try:
        apply_all(resources, steps)
    except InvalidRequest:
        return False
    return True


def _validate(operation: v0.Offer.Operation, agent: AgentRecord, principal: str | None) -> None:
    match operation.type:
        case Operation.RESERVE:
            validate_reserve(operation.reserve, agent, principal, None)
        case Operation.UNRESERVE:
            validate_unreserve(operation.unreserve)
        case Operation.CREATE:
            validate_create(operation.create, agent, principal, None)
        case Operation.DESTROY:
            validate_destroy(operation.destroy, agent.checkpointed, agent.used)
        case Operation.GROW_VOLUME:
            validate_grow(operation.grow_volume, agent)
        case _:
            validate_shrink(operation.shrink_volume, agent)


# --- bodies of calls to operations -----------------------------------------------------------------------------------


def _reserve(resources: Iterable[v0.Resource], source: Iterable[v0.Resource]) -> v0.Offer.Operation:
    operation = Operation(type=Operation.RESERVE)
    operation.reserve.SetInParent()
    operation.reserve.resources.extend(resources)
    operation.reserve.source.extend(source)
    return operation


def _unreserve(resources: Iterable[v0.Resource]) -> v0.Offer.Operation:
    operation = Operation(type=Operation.UNRESERVE)
    operation.unreserve.SetInParent()
    operation.unreserve.resources.extend(resources)
    return operation


def _create(volumes: Iterable[v0.Resource]) -> v0.Offer.Operation:
    operation = Operation(type=Operation.CREATE)
    operation.create.SetInParent()
    operation.create.volumes.extend(volumes)
    return operation


def _destroy(volumes: Iterable[v0.Resource]) -> v0.Offer.Operation:
    operation = Operation(type=Operation.DESTROY)
    operation.destroy.SetInParent()
    operation.destroy.volumes.extend(volumes)
    return operation


def _grow(body: v0_master.Call.GrowVolume) -> v0.Offer.Operation:
    grow = Operation.GrowVolume(volume=body.volume, addition=body.addition)
    return Operation(type=Operation.GROW_VOLUME, grow_volume=grow)


def _shrink(body: v0_master.Call.ShrinkVolume) -> v0.Offer.Operation:
    shrink = Operation.ShrinkVolume(volume=body.volume, subtract=body.subtract)
    return Operation(type=Operation.SHRINK_VOLUME, shrink_volume=shrink)


_BODIES: dict[int, Callable[[Any], v0.Offer.Operation]] = {
    Call.RESERVE_RESOURCES: lambda body: _reserve(body.resources, body.source),
    Call.UNRESERVE_RESOURCES: lambda body: _unreserve(body.resources),
    Call.CREATE_VOLUMES: lambda body: _create(body.volumes),
    Call.DESTROY_VOLUMES: lambda body: _destroy(body.volumes),
    Call.GROW_VOLUME: _grow,
    Call.SHRINK_VOLUME: _shrink,
}
"""The operation that each call asks for."""
