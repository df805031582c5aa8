"""``/api/v1/executor``: executors that speak HTTP (G8, c.4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from messor.agent.outbox import ExecutorStream
from messor.agent.state.lifecycles import AgentState, ExecutorState
from messor.agent.updates.receive import is_uuid
from messor.errors import InvalidRequest, NotAuthorized, NotNow
from messor.protos import internal, v0, v0_executor, v1_executor
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.http import Pipe, Request, Response
from messor.wire.json_codec import from_json
from messor.wire.legacy_executor import update_of
from messor.wire.media_types import JSON, request_type, response_type
from messor.wire.versions import devolve

if TYPE_CHECKING:
    from messor.agent.executors.messages import ExecutorMessages
    from messor.agent.executors.subscribe import Subscriptions
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.runtime.host import Host

log = logging.getLogger(__name__)

Call = v0_executor.Call
_NEEDED = {Call.SUBSCRIBE: "subscribe", Call.UPDATE: "update", Call.MESSAGE: "message"}


class ExecutorCalls(Component):
    """Parses and checks calls; the order of the checks is what clients see."""

    def __init__(
        self,
        host: Host,
        tables: Tables,
        updates: Updates,
        subscriptions: Subscriptions,
        messages: ExecutorMessages,
    ) -> None:
        """Take what the calls are for."""
        self._host = host
        self._tables = tables
        self._updates = updates
        self._subscriptions = subscriptions
        self._messages = messages

    @endpoint("/api/v1/executor", methods=("POST",), realm="executor")
    def called(self, request: Request) -> Response:
        """Endpoint for the Executor HTTP API."""
        if self._tables.state is AgentState.RECOVERING and not self._tables.is_reconnecting:
            raise NotNow("Agent has not finished recovery")
        call = _parse(request)
        _validate(call)
        if call.type == Call.SUBSCRIBE:
            return self._subscribe(call, response_type(request.headers))
        if call.type == Call.HEARTBEAT:
            return Response(202)
        self._check_subscribed(call)
        if call.type == Call.UPDATE:
            update = update_of(call, self._tables.info.id, self._host.clock.now())
            self._updates.from_executor(update, None)
        elif call.type == Call.MESSAGE:
            message = internal.ExecutorToFrameworkMessage(
                slave_id=self._tables.info.id,
                framework_id=call.framework_id,
                executor_id=call.executor_id,
                data=call.message.data,
            )
            self._messages.to_framework(message, f"executor '{call.executor_id.value}'")
        return Response(202)

    def _check_subscribed(self, call: v0_executor.Call) -> None:
        """Refuse executors that never subscribed; those whose stream closed may still report (errata c.4)."""
        framework = self._tables.frameworks.get(call.framework_id.value)
        if framework is None:
            raise InvalidRequest("Framework cannot be found")
        executor = framework.executors.get(call.executor_id.value)
        if executor is None:
            raise InvalidRequest("Executor cannot be found")
        if executor.state is ExecutorState.REGISTERING:
            raise NotAuthorized("Executor is not subscribed")

    def _subscribe(self, call: v0_executor.Call, media_type: str) -> Response:
        pipe = Pipe()
        stream = ExecutorStream(pipe, media_type)
        self._subscriptions.subscribed(call, stream)
        if pipe.is_open:
            stream.beat(self._host.clock)
        return Response(200, pipe, media_type)


def _parse(request: Request) -> v0_executor.Call:
    if request_type(request.headers) == JSON:
        call: v0_executor.Call = devolve(from_json(request.body, v1_executor.Call))
        return call
    try:
        # v0 and v1 calls have one encoding.
        call = Call.FromString(request.body)
    except DecodeError:
        raise InvalidRequest("Failed to parse body into Call protobuf") from None
    if not call.IsInitialized():
        raise InvalidRequest("Failed to parse body into Call protobuf")
    return call


def _validate(call: v0_executor.Call) -> None:
    problem = _problem(call)
    if problem is not None:
        raise InvalidRequest(f"Failed to validate Executor::Call: {problem}")


def _problem(call: v0_executor.Call) -> str | None:
    if not call.HasField("type") or call.type == Call.UNKNOWN:
        return "Expecting 'type' to be present"
    needed = _NEEDED.get(call.type)
    if needed is not None and not call.HasField(needed):
        return f"Expecting '{needed}' to be present"
    return _update_problem(call) if call.type == Call.UPDATE else None


def _update_problem(call: v0_executor.Call) -> str | None:
    status = call.update.status
    executor_id, framework_id = call.executor_id.value, call.framework_id.value
    if not status.HasField("uuid"):
        return "Expecting 'uuid' to be present"
    if not is_uuid(status.uuid):
        return "Not a valid UUID"
    if status.HasField("executor_id") and status.executor_id.value != executor_id:
        return f"ExecutorID in Call: {executor_id} does not match ExecutorID in TaskStatus: {status.executor_id.value}"
    if status.source != v0.TaskStatus.SOURCE_EXECUTOR:
        return (
            f"Received Call from executor {executor_id} of framework {framework_id} "
            "with invalid source, expecting 'SOURCE_EXECUTOR'"
        )
    if status.state == v0.TASK_STAGING:
        return f"Received TASK_STAGING from executor {executor_id} of framework {framework_id} which is not allowed"
    return None
