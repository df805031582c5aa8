"""Scheduler calls: ``/api/v1/scheduler`` and the dispatch shared with ``mesos.scheduler.Call`` messages.

The order of checks is part of the API (protocols c.2, c.3). Whatever is found wrong with a SUBSCRIBE after its shape
was checked comes inside a 200 stream; whatever becomes of any other call comes as events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from google.protobuf.message import DecodeError

from messor.errors import InvalidRequest, MethodNotAllowed, NotAuthorized
from messor.master.frameworks.remove import FrameworkRemoval
from messor.master.frameworks.subscribe import Subscriptions
from messor.master.frameworks.update import FrameworkUpdates
from messor.master.metrics import MasterMetrics
from messor.master.offers.accept import Accepts
from messor.master.offers.decline import Demand
from messor.master.offers.inverse import InverseOffers
from messor.master.operations.reconcile import OperationReconciliation
from messor.master.operations.updates import OperationUpdates
from messor.master.state.framework import FrameworkRecord, HttpStream
from messor.master.state.tables import MasterState
from messor.master.tasks.acknowledge import Acknowledgements
from messor.master.tasks.executors import Executors
from messor.master.tasks.kill import Kills
from messor.master.tasks.reconcile import Reconciliation
from messor.master.validation.scheduler_calls import validate_call
from messor.protos import v0_scheduler, v1_scheduler
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.host import Host
from messor.runtime.http import Pipe, Request, Response, text_response
from messor.wire.json_codec import from_json
from messor.wire.media_types import JSON, request_type, response_type
from messor.wire.texts import bad_text
from messor.wire.versions import devolve

log = logging.getLogger(__name__)

Call = v0_scheduler.Call

STREAM_ID = "mesos-stream-id"

INVALID: dict[int, str] = {
    Call.ACKNOWLEDGE: "invalid_status_update_acknowledgements",
    Call.ACKNOWLEDGE_OPERATION_STATUS: "invalid_operation_status_update_acknowledgements",
    Call.MESSAGE: "invalid_framework_to_executor_messages",
}
"""Counters of calls that are not well formed, by type."""


class Gate(Protocol):
    """Says whether this master serves."""

    def check(self, request: Request) -> None:
        """Raise NotLeading or NotNow when it does not."""
        ...


class SchedulerCalls(Component):
    """Serves schedulers over HTTP and dispatches their calls, however they came."""

    def __init__(
        self,
        *,
        state: MasterState,
        host: Host,
        metrics: MasterMetrics,
        leadership: Gate,
        subscriptions: Subscriptions,
        framework_updates: FrameworkUpdates,
        removal: FrameworkRemoval,
        accepts: Accepts,
        demand: Demand,
        inverse_offers: InverseOffers,
        acknowledgements: Acknowledgements,
        kills: Kills,
        reconciliation: Reconciliation,
        executors: Executors,
        operation_updates: OperationUpdates,
        operation_reconciliation: OperationReconciliation,
    ) -> None:
        """Collaborators."""
        self.state = state
        self.chance = host.chance
        self.metrics = metrics
        self.leadership = leadership
        self.subscriptions = subscriptions
        self.framework_updates = framework_updates
        self._handlers: dict[int, tuple[str | None, Callable[..., None]]] = {
            Call.TEARDOWN: (None, removal.tear_down),
            Call.ACCEPT: ("accept", accepts.accept),
            Call.DECLINE: ("decline", demand.decline),
            Call.REVIVE: ("revive", demand.revive),
            Call.SUPPRESS: ("suppress", demand.suppress),
            Call.REQUEST: ("request", demand.request),
            Call.KILL: ("kill", kills.kill),
            Call.SHUTDOWN: ("shutdown", executors.shut_down),
            Call.ACKNOWLEDGE: ("acknowledge", acknowledgements.acknowledge),
            Call.RECONCILE: ("reconcile", reconciliation.reconcile),
            Call.RECONCILE_OPERATIONS: ("reconcile_operations", operation_reconciliation.reconcile),
            Call.MESSAGE: ("message", executors.message),
            Call.ACCEPT_INVERSE_OFFERS: ("accept_inverse_offers", inverse_offers.accepted),
            Call.DECLINE_INVERSE_OFFERS: ("decline_inverse_offers", inverse_offers.declined),
            Call.ACKNOWLEDGE_OPERATION_STATUS: ("acknowledge_operation_status", operation_updates.acknowledge),
        }

    @endpoint("/api/v1/scheduler", realm="scheduler")
    def serve(self, request: Request) -> Response:
        """Take one call of an HTTP scheduler; SUBSCRIBE is answered with a stream of events."""
        self.leadership.check(request)
        if request.method != "POST":
            raise MethodNotAllowed(("POST",), request.method)
        call = read_call(request)
        try:
            validate_call(call, request.principal)
        except InvalidRequest as error:
            self.count_invalid(call)
            raise InvalidRequest(f"Failed to validate scheduler::Call: {error}") from None
        kind = call.type
        if kind == Call.SUBSCRIBE:
            return self._subscribe(request, call)
        if kind == Call.RECONCILE_OPERATIONS:
            response_type(request.headers)
        framework = self._caller(request, call.framework_id.value, kind)
        if kind == Call.UPDATE_FRAMEWORK:
            self.framework_updates.update(framework, call.update_framework)
            return Response(200)
        if kind not in self._handlers:
            return text_response(501)
        self.dispatch(framework, call)
        return Response(202)

    def count_invalid(self, call: v0_scheduler.Call) -> None:
        """Count a call that is not well formed, where there is a metric for it."""
        name = INVALID.get(call.type)
        if name is not None:
            self.metrics.counter(name).increment()

    def dispatch(self, framework: FrameworkRecord, call: v0_scheduler.Call) -> None:
        """Hand a checked call of a connected framework to the component that handles it."""
        part, handle = self._handlers[call.type]
        if part is None:
            handle(framework)
        else:
            handle(framework, getattr(call, part))

    def _subscribe(self, request: Request, call: v0_scheduler.Call) -> Response:
        media_type = response_type(request.headers)
        if STREAM_ID in request.headers:
            raise InvalidRequest("Subscribe calls should not include the 'Mesos-Stream-Id' header")
        info = call.subscribe.framework_info
        if request.principal is not None and not info.HasField("principal"):
            log.warning("Setting 'principal' of framework '%s' to the authenticated '%s'", info.name, request.principal)
            info.principal = request.principal
        stream = HttpStream(Pipe(), self.chance.uuid(), media_type)
        self.subscriptions.subscribe_stream(stream, call.subscribe)
        return Response(200, stream.pipe, headers={"Mesos-Stream-Id": stream.id, "Content-Type": media_type})

    def _caller(self, request: Request, framework_id: str, kind: int) -> FrameworkRecord:
        """Find out which framework calls, and that it is the one with the stream."""
        framework = self.state.frameworks.get(framework_id)
        if framework is None:
            raise InvalidRequest("Framework cannot be found")
        framework.counts.calls[kind] += 1
        if request.principal is not None and request.principal != framework.info.principal:
            raise InvalidRequest(
                f"Authenticated principal '{request.principal}' does not match principal"
                f" '{framework.info.principal}' set in `FrameworkInfo`"
            )
        if not framework.is_connected:
            raise NotAuthorized("Framework is not subscribed")
        stream = framework.stream
        if stream is None:
            raise NotAuthorized("Framework is not connected via HTTP")
        stream_id = request.headers.get(STREAM_ID)
        if stream_id is None:
            raise InvalidRequest("All non-subscribe calls should include the 'Mesos-Stream-Id' header")
        if stream_id != stream.id:
            raise InvalidRequest(
                f"The stream ID '{stream_id}' included in this request didn't match the stream ID currently associated"
                f" with framework ID {framework.id}"
            )
        return framework

    # --- calls about what this master never makes --------------------------------------------------------------------


def read_call(request: Request) -> v0_scheduler.Call:
    """Read the call in a request's body, in v0's words.

    Raises InvalidRequest (400) or UnsupportedMedia (415). v0 and v1 share field numbers everywhere but inside
    SUBSCRIBE, so that other protobuf calls are read as v0 at once.
    """
    body = request.body
    if request_type(request.headers) == JSON:
        call: v0_scheduler.Call = devolve(from_json(body, v1_scheduler.Call))
        return call
    try:
        call = v0_scheduler.Call.FromString(body)
        if call.HasField("subscribe"):
            call = devolve(v1_scheduler.Call.FromString(body))
    except DecodeError:
        raise InvalidRequest("Failed to parse body into Call protobuf") from None
    if not call.IsInitialized() or not (body.isascii() or bad_text(call) is None):
        raise InvalidRequest("Failed to parse body into Call protobuf")
    return call
