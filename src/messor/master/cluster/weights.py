"""Weights of roles for operators (A10, O9, U10)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.authorization import Authorization
from messor.master.cluster.edits import update_weights, weights_of
from messor.master.cluster.parsing import parse_body
from messor.master.doors.endpoints import reply
from messor.master.leadership import Leadership
from messor.master.offers.rescind import Rescinder
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.state.tables import MasterState
from messor.model.roles import is_subrole, validate_role
from messor.protos import v0, v0_master, v1, v1_master
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response
from messor.security.authorizer import Action, Object
from messor.wire.json_codec import dumps, message_from, number

log = logging.getLogger(__name__)

Call = v0_master.Call
Answer = v1_master.Response

UPDATE = "Failed to validate update weights request JSON"


class Weights(Component):
    """What shares of roles are divided by."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: Allocator,
        registrar: Registrar,
        leadership: Leadership,
        rescinder: Rescinder,
        authorization: Authorization,
        given: Mapping[str, float],
        whitelisted: frozenset[str] | None = None,
    ) -> None:
        """given: those of ``--weights``, which count until the registry has some.

        whitelisted: the only roles there may be, None when there may be any (``--roles``).
        """
        self.authorization = authorization
        self.state = state
        self.allocator = allocator
        self.registrar = registrar
        self.leadership = leadership
        self.rescinder = rescinder
        self.given = dict(given)
        self.whitelisted = whitelisted
        self.answers: dict[int, Callable[[Any, Request], v1_master.Response]] = {Call.GET_WEIGHTS: self._shown}
        self.deeds: dict[int, Callable[[Any, Request], Awaitable[Response]]] = {Call.UPDATE_WEIGHTS: self._called}

    def recover(self, contents: Contents) -> None:
        """Take over what the registry knows; if it knows nothing, store what the flag says."""
        weights = weights_of(contents)
        if weights and self.given:
            log.warning("Ignoring --weights flag '%s': weights are already in the registry", self.given)
        if not weights and self.given:
            weights = self.given
            self.registrar.apply(update_weights(weights))
        self.state.weights = dict(weights)
        if weights:
            self.allocator.update_weights(weights)

    def _seen(self, principal: str | None) -> list[tuple[str, float]]:
        """List the weights of the roles a principal may see."""
        may, weights = self.authorization.may, self.state.weights
        return [
            (role, weight)
            for role, weight in weights.items()
            if may(principal, Action.VIEW_ROLE, Object(value=role, weight_info=v0.WeightInfo(role=role, weight=weight)))
        ]

    def _shown(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_WEIGHTS)
        infos = [v1.WeightInfo(role=role, weight=weight) for role, weight in self._seen(request.principal)]
        if infos:  # without weights there is no get_weights either
            answer.get_weights.weight_infos.extend(infos)
        return answer

    async def _called(self, call: v0_master.Call, request: Request) -> Response:
        await self._update(call.update_weights.weight_infos, request.principal)
        return Response(200)

    @endpoint("/weights", methods=("GET", "PUT"), realm="readwrite")
    async def weights(self, request: Request) -> Response:
        """Show the weights of roles, or change some: a JSON list of role and weight."""
        self.leadership.check_leading(request)
        if request.method == "GET":
            shown = [{"role": role, "weight": number(weight)} for role, weight in self._seen(request.principal)]
            return reply([dumps(shown)], request)
        found = parse_body(request.body, list, "Failed to parse update weights request JSON '{body}': {why}")
        try:
            infos = [message_from(item, v0.WeightInfo) for item in found]
        except InvalidRequest as error:
            text = request.body.decode("utf-8", "replace")
            raise InvalidRequest(f"Failed to convert weights JSON array to protobuf '{text}': {error}") from None
        await self._update(infos, request.principal)
        return Response(200)

    async def _update(self, infos: Iterable[v0.WeightInfo], principal: str | None) -> None:
        """Check, store, tell the allocator, and rescind all offers if any of these roles has frameworks."""
        weights: dict[str, float] = {}
        for info in infos:
            role = info.role.strip()
            try:
                validate_role(role)
            except InvalidRequest as error:
                raise InvalidRequest(f"{UPDATE}: Invalid role '{role}': {error}") from None
            if self.whitelisted is not None and role not in self.whitelisted:
                raise InvalidRequest(f"{UPDATE}: Unknown role '{role}'")
            if not 0 < info.weight < float("inf"):  # also refuses NaN
                text = f"{info.weight:.15g}"
                raise InvalidRequest(f"{UPDATE} for role '{role}': Invalid weight '{text}': Weights must be positive")
            weights[role] = info.weight
        self.authorization.check_roles(Action.UPDATE_WEIGHT, weights, principal)
        await self.registrar.apply(update_weights(weights))
        self.state.weights.update(weights)
        self.allocator.update_weights(weights)
        log.info("Updated weights: %s", weights)
        roles = {role for framework in self.state.frameworks.values() for role in framework.roles}
        if any(is_subrole(role, changed) for role in roles for changed in weights):
            for agent in self.state.agents.values():
                self.rescinder.rescind_agent(agent)
