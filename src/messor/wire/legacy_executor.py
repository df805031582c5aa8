"""Executors connected by pid and by HTTP: their messages and Calls as one, and what the agent says to them as Events.

Inbound, the libprocess messages of an executor become the ``mesos.executor.Call`` that means the same. Outbound, the
rich internal messages become v1 Events, by splicing where numbers agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from messor.protos import internal, v0, v0_executor, v1_executor
from messor.wire.json_codec import to_json
from messor.wire.media_types import JSON, PROTOBUF
from messor.wire.splicing import nested
from messor.wire.versions import evolve

Call = v0_executor.Call
Event = v1_executor.Event

HEARTBEAT_INTERVAL = 30 * 60.0
"""Seconds between two heartbeats of an executor's stream; the first one comes after as long (trap: minutes here)."""


# --- messages to calls -------------------------------------------------------------------------------------------


def to_call(message: Message) -> v0_executor.Call:
    """Turn a message of an executor connected by pid into a Call; raises KeyError for any other kind of message."""
    return _CALLS[type(message)](message)


def _registered(message: Any) -> v0_executor.Call:
    """RegisterExecutorMessage: subscribe with nothing left over."""
    call = _call(Call.SUBSCRIBE, message)
    call.subscribe.SetInParent()
    return call


def _reregistered(message: Any) -> v0_executor.Call:
    """ReregisterExecutorMessage: subscribe with the tasks and updates nobody acknowledged."""
    call = _call(Call.SUBSCRIBE, message)
    call.subscribe.SetInParent()
    call.subscribe.unacknowledged_tasks.extend(message.tasks)
    for update in message.updates:
        call.subscribe.unacknowledged_updates.add().status.CopyFrom(status_of(update))
    return call


def _updated(message: Any) -> v0_executor.Call:
    """StatusUpdateMessage: update."""
    update = message.update
    call = _call(Call.UPDATE, update)
    call.update.status.CopyFrom(status_of(update))
    return call


def _said(message: Any) -> v0_executor.Call:
    """ExecutorToFrameworkMessage: message."""
    call = _call(Call.MESSAGE, message)
    call.message.data = message.data
    return call


def status_of(update: internal.StatusUpdate) -> v0.TaskStatus:
    """Give the status inside an update with uuid, timestamp, agent and executor filled in from the update around it."""
    status = v0.TaskStatus()
    status.CopyFrom(update.status)
    status.timestamp = update.timestamp
    if update.uuid:
        status.uuid = update.uuid
    if update.HasField("slave_id"):
        status.slave_id.CopyFrom(update.slave_id)
    if update.HasField("executor_id"):
        status.executor_id.CopyFrom(update.executor_id)
    return status


def _call(kind: v0_executor.Call.Type, source: Any) -> v0_executor.Call:
    """Begin a Call of the executor that a message names."""
    return Call(type=kind, executor_id=source.executor_id, framework_id=source.framework_id)


_CALLS: dict[type[Message], Callable[[Any], v0_executor.Call]] = {
    internal.RegisterExecutorMessage: _registered,
    internal.ReregisterExecutorMessage: _reregistered,
    internal.StatusUpdateMessage: _updated,
    internal.ExecutorToFrameworkMessage: _said,
}

LEGACY_MESSAGES = tuple(_CALLS)
"""The messages of executors that ``to_call`` understands."""


def update_of(call: v0_executor.Call, slave_id: v0.SlaveID, now: float) -> internal.StatusUpdate:
    """Give the StatusUpdate for an UPDATE call or one of SUBSCRIBE's unacknowledged updates put into such a call.

    now stands in for a missing timestamp (seconds since the epoch).
    """
    status = call.update.status
    update = internal.StatusUpdate(
        framework_id=call.framework_id,
        executor_id=call.executor_id,
        slave_id=slave_id,
        status=status,
        timestamp=status.timestamp if status.HasField("timestamp") else now,
        uuid=status.uuid,
    )
    update.status.slave_id.CopyFrom(slave_id)
    update.status.timestamp = update.timestamp
    return update


# --- messages to events ------------------------------------------------------------------------------------------


def event_bytes(message: Message, body: bytes) -> bytes:
    """Encode the v1 Event for a message of the agent to an executor; body is the message's own encoding.

    Raises KeyError for messages that are not for executors.
    """
    return _EVENTS[type(message)](message, body)


def event_json(message: Message, body: bytes) -> bytes:
    """Write the v1 Event for a message of the agent to an executor as JSON; raises KeyError as event_bytes does."""
    return to_json(Event.FromString(_EVENTS[type(message)](message, body)))


EVENT_ENCODERS: dict[str, Callable[[Message, bytes], bytes]] = {JSON: event_json, PROTOBUF: event_bytes}
"""The encoder for each media type an executor may have asked for."""


def encode_event(event: v1_executor.Event, media_type: str) -> bytes:
    """Encode an Event made by one of the builders below."""
    return to_json(event) if media_type == JSON else event.SerializeToString()


def subscribed(
    message: internal.ExecutorRegisteredMessage, container_id: v0.ContainerID | None = None
) -> v1_executor.Event:
    """Build the event every stream begins with; container_id tells the default executor which container it is."""
    event = Event(type=Event.SUBSCRIBED)
    event.subscribed.executor_info.CopyFrom(evolve(message.executor_info))
    event.subscribed.framework_info.CopyFrom(evolve(message.framework_info))
    event.subscribed.agent_info.CopyFrom(evolve(message.slave_info))
    if container_id is not None:
        event.subscribed.container_id.CopyFrom(evolve(container_id))
    return event


def error(text: str) -> v1_executor.Event:
    """Build the event after which a stream ends."""
    return Event(type=Event.ERROR, error=Event.Error(message=text))


def shutdown() -> v1_executor.Event:
    """Build the event that tells an executor to end its tasks and itself."""
    return Event(type=Event.SHUTDOWN)


HEARTBEATS = {JSON: b'{"type":"HEARTBEAT"}', PROTOBUF: Event(type=Event.HEARTBEAT).SerializeToString()}
"""The encoded heartbeat in each media type."""

_SHUTDOWN = shutdown().SerializeToString()
_ACKNOWLEDGED = Event(type=Event.ACKNOWLEDGED).SerializeToString()
_LAUNCH = Event(type=Event.LAUNCH).SerializeToString()
_LAUNCH_GROUP = Event(type=Event.LAUNCH_GROUP).SerializeToString()
_KILL = Event(type=Event.KILL).SerializeToString()
_MESSAGE = Event(type=Event.MESSAGE).SerializeToString()


def _registration(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """ExecutorRegisteredMessage: subscribed, when no container id is to be told."""
    return subscribed(message).SerializeToString()


def _run(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """RunTaskMessage: launch."""
    return _LAUNCH + nested(4, nested(1, message.task.SerializePartialToString()))


def _run_group(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """RunTaskGroupMessage: launch group."""
    return _LAUNCH_GROUP + nested(8, nested(1, message.task_group.SerializePartialToString()))


def _kill(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """KillTaskMessage: kill."""
    content = nested(1, message.task_id.SerializePartialToString())
    if message.HasField("kill_policy"):
        content += nested(2, message.kill_policy.SerializePartialToString())
    return _KILL + nested(5, content)


def _acknowledge(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """StatusUpdateAcknowledgementMessage: acknowledged."""
    content = nested(1, message.task_id.SerializePartialToString()) + nested(2, message.uuid)
    return _ACKNOWLEDGED + nested(3, content)


def _say(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """FrameworkToExecutorMessage: message."""
    return _MESSAGE + nested(6, nested(1, message.data))


_EVENTS: dict[type[Message], Callable[[Any, bytes], bytes]] = {
    internal.ExecutorRegisteredMessage: _registration,
    internal.RunTaskMessage: _run,
    internal.RunTaskGroupMessage: _run_group,
    internal.KillTaskMessage: _kill,
    internal.StatusUpdateAcknowledgementMessage: _acknowledge,
    internal.FrameworkToExecutorMessage: _say,
    internal.ShutdownExecutorMessage: lambda *_: _SHUTDOWN,
}
