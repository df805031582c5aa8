"""What schedulers said before there were Calls, and what the master says to schedulers that want Events.

Inbound, each pre-1.0 message becomes the ``mesos.scheduler.Call`` that means the same, so that the master has one
handler per call. Outbound, the rich internal messages (they go as they are to schedulers connected by pid) become v1
Events: as protobuf by splicing, since v0 and v1 share the encoding of everything inside, or as JSON.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from messor.errors import InvalidRequest
from messor.protos import internal, v0, v0_scheduler, v1_scheduler
from messor.wire.json_codec import to_json
from messor.wire.media_types import JSON, PROTOBUF
from messor.wire.splicing import nested
from messor.wire.versions import evolve

Call = v0_scheduler.Call
Event = v1_scheduler.Event

HEARTBEAT_INTERVAL = 15.0
"""Seconds between two heartbeats of a scheduler's stream."""

NO_PIDS = ("", "@0.0.0.0:0")
"""How a StatusUpdateMessage says that nobody waits for its acknowledgement."""


# --- pre-1.0 messages to calls -----------------------------------------------------------------------------------


def to_call(message: Message) -> v0_scheduler.Call:
    """Turn a pre-1.0 scheduler message into a Call.

    Raises InvalidRequest, whose text belongs into a FrameworkErrorMessage, when a registration has an id it must not
    have or lacks one; KeyError for any other kind of message.
    """
    return _CALLS[type(message)](message)


def _registered(message: Any) -> v0_scheduler.Call:
    """RegisterFrameworkMessage: subscribe as a new framework."""
    if message.framework.id.value:
        raise InvalidRequest("Registering with 'id' already set")
    call = Call(type=Call.SUBSCRIBE)
    call.subscribe.framework_info.CopyFrom(message.framework)
    call.subscribe.framework_info.ClearField("id")
    return call


def _reregistered(message: Any) -> v0_scheduler.Call:
    """ReregisterFrameworkMessage: subscribe with the id of an earlier time, by force when it is a failover."""
    if not message.framework.id.value:
        raise InvalidRequest("Re-registering without an 'id'")
    call = Call(type=Call.SUBSCRIBE, framework_id=message.framework.id)
    call.subscribe.framework_info.CopyFrom(message.framework)
    call.subscribe.force = message.failover
    return call


def _unregistered(message: Any) -> v0_scheduler.Call:
    """UnregisterFrameworkMessage: tear down."""
    return Call(type=Call.TEARDOWN, framework_id=message.framework_id)


def _requested(message: Any) -> v0_scheduler.Call:
    """ResourceRequestMessage: request."""
    call = Call(type=Call.REQUEST, framework_id=message.framework_id)
    call.request.SetInParent()
    call.request.requests.extend(message.requests)
    return call


def _launched(message: Any) -> v0_scheduler.Call:
    """LaunchTasksMessage: accept with one LAUNCH, or decline when there is nothing to launch."""
    if not message.tasks:
        call = Call(type=Call.DECLINE, framework_id=message.framework_id)
        call.decline.offer_ids.extend(message.offer_ids)
        call.decline.filters.CopyFrom(message.filters)
        return call
    call = Call(type=Call.ACCEPT, framework_id=message.framework_id)
    call.accept.offer_ids.extend(message.offer_ids)
    call.accept.filters.CopyFrom(message.filters)
    operation = call.accept.operations.add(type=v0.Offer.Operation.LAUNCH)
    operation.launch.task_infos.extend(message.tasks)
    return call


def _revived(message: Any) -> v0_scheduler.Call:
    """ReviveOffersMessage: revive."""
    call = Call(type=Call.REVIVE, framework_id=message.framework_id)
    call.revive.SetInParent()
    call.revive.roles.extend(message.roles)
    return call


def _killed(message: Any) -> v0_scheduler.Call:
    """KillTaskMessage: kill; which agent runs the task is the master's to know."""
    call = Call(type=Call.KILL, framework_id=message.framework_id)
    call.kill.task_id.CopyFrom(message.task_id)
    if message.HasField("kill_policy"):
        call.kill.kill_policy.CopyFrom(message.kill_policy)
    return call


def _acknowledged(message: Any) -> v0_scheduler.Call:
    """StatusUpdateAcknowledgementMessage: acknowledge."""
    acknowledge = Call.Acknowledge(slave_id=message.slave_id, task_id=message.task_id, uuid=message.uuid)
    return Call(type=Call.ACKNOWLEDGE, framework_id=message.framework_id, acknowledge=acknowledge)


def _sent_to_executor(message: Any) -> v0_scheduler.Call:
    """FrameworkToExecutorMessage: message."""
    body = Call.Message(slave_id=message.slave_id, executor_id=message.executor_id, data=message.data)
    return Call(type=Call.MESSAGE, framework_id=message.framework_id, message=body)


def _reconciled(message: Any) -> v0_scheduler.Call:
    """ReconcileTasksMessage: reconcile; only who and where of each status counts."""
    call = Call(type=Call.RECONCILE, framework_id=message.framework_id)
    call.reconcile.SetInParent()
    for status in message.statuses:
        task = call.reconcile.tasks.add(task_id=status.task_id)
        if status.HasField("slave_id"):
            task.slave_id.CopyFrom(status.slave_id)
    return call


_CALLS: dict[type[Message], Callable[[Any], v0_scheduler.Call]] = {
    internal.RegisterFrameworkMessage: _registered,
    internal.ReregisterFrameworkMessage: _reregistered,
    internal.UnregisterFrameworkMessage: _unregistered,
    internal.ResourceRequestMessage: _requested,
    internal.LaunchTasksMessage: _launched,
    internal.ReviveOffersMessage: _revived,
    internal.KillTaskMessage: _killed,
    internal.StatusUpdateAcknowledgementMessage: _acknowledged,
    internal.FrameworkToExecutorMessage: _sent_to_executor,
    internal.ReconcileTasksMessage: _reconciled,
}

LEGACY_MESSAGES = tuple(_CALLS)
"""The pre-1.0 messages that ``to_call`` understands; DeactivateFrameworkMessage has no call and stays a message."""


# --- rich messages to events -------------------------------------------------------------------------------------


def event_bytes(message: Message, body: bytes) -> bytes:
    """Encode the v1 Event for a message of the master to a scheduler; body is the message's own encoding.

    Raises KeyError for messages that are not for schedulers.
    """
    return _EVENTS[type(message)](message, body)


def event_json(message: Message, body: bytes) -> bytes:
    """Write the v1 Event for a message of the master to a scheduler as JSON; raises KeyError as event_bytes does."""
    return to_json(Event.FromString(_EVENTS[type(message)](message, body)))


EVENT_ENCODERS: dict[str, Callable[[Message, bytes], bytes]] = {JSON: event_json, PROTOBUF: event_bytes}
"""The encoder for each media type a scheduler may have asked for."""


def encode_event(event: v1_scheduler.Event, media_type: str) -> bytes:
    """Encode an Event made by one of the builders below."""
    return to_json(event) if media_type == JSON else event.SerializeToString()


def subscribed(
    framework_id: v0.FrameworkID, master_info: v0.MasterInfo, heartbeat_seconds: float = HEARTBEAT_INTERVAL
) -> v1_scheduler.Event:
    """Build the event every stream begins with."""
    body = Event.Subscribed(heartbeat_interval_seconds=heartbeat_seconds)
    body.framework_id.value = framework_id.value
    body.master_info.CopyFrom(evolve(master_info))
    return Event(type=Event.SUBSCRIBED, subscribed=body)


def error(text: str) -> v1_scheduler.Event:
    """Build the event after which a stream ends."""
    return Event(type=Event.ERROR, error=Event.Error(message=text))


def failure(agent_id: str, executor_id: str | None = None, status: int | None = None) -> v1_scheduler.Event:
    """Build the event for a lost agent, or with executor_id and its wait status for an exited executor."""
    event = Event(type=Event.FAILURE)
    event.failure.agent_id.value = agent_id
    if executor_id is not None:
        event.failure.executor_id.value = executor_id
    if status is not None:
        event.failure.status = status
    return event


def heartbeat(media_type: str) -> bytes:
    """Give the encoded heartbeat."""
    return HEARTBEATS[media_type]


HEARTBEATS = {JSON: b'{"type":"HEARTBEAT"}', PROTOBUF: Event(type=Event.HEARTBEAT).SerializeToString()}


def _event(kind: int, field: int) -> Callable[[bytes], bytes]:
    """Prepare an Event of a kind around the encoded content of one field."""
    head = Event(type=kind).SerializeToString()  # type: ignore[arg-type]  # enum values are plain ints at run time
    return lambda content: head + nested(field, content)


_OFFERS = _event(Event.OFFERS, 3)
_INVERSE_OFFERS = _event(Event.INVERSE_OFFERS, 9)
_RESCIND = _event(Event.RESCIND, 4)
_RESCIND_INVERSE = _event(Event.RESCIND_INVERSE_OFFER, 10)
_UPDATE = _event(Event.UPDATE, 5)
_OPERATION = _event(Event.UPDATE_OPERATION_STATUS, 11)
_FAILURE = _event(Event.FAILURE, 7)


def _offers(message: Any, body: bytes) -> bytes:
    """ResourceOffersMessage: offers have number 1 in both, the agents' pids behind them are cut off."""
    return _OFFERS(_without_pids(message, body, "offers"))


def _inverse_offers(message: Any, body: bytes) -> bytes:
    """InverseOffersMessage: as offers."""
    return _INVERSE_OFFERS(_without_pids(message, body, "inverse_offers"))


def _without_pids(message: Any, body: bytes, field: str) -> bytes:
    """Give the encoded offers of a message without its pids (number 2), which every known sender writes last."""
    tail = b"".join(nested(2, pid.encode()) for pid in message.pids)
    if body.endswith(tail):
        return body[: len(body) - len(tail)]
    return b"".join(nested(1, offer.SerializePartialToString()) for offer in getattr(message, field))


def _update(message: Any, body: bytes) -> bytes:  # noqa: ARG001  (the status alone is needed)
    """StatusUpdateMessage: the status, with where, when and uuid taken from the update around it.

    The uuid stays only when the update has one and somebody's pid to acknowledge to: in v1 its presence alone asks
    for an acknowledgement. A later field wins over an earlier one of its number, so corrections are appended.
    """
    update = message.update
    status = update.status
    uuid = update.uuid if message.pid not in NO_PIDS else b""
    if not uuid and status.HasField("uuid"):
        status = v0.TaskStatus.FromString(status.SerializePartialToString())
        status.ClearField("uuid")
    data = status.SerializePartialToString()
    if uuid and status.uuid != uuid:
        data += nested(11, uuid)
    if update.HasField("slave_id") and status.slave_id.value != update.slave_id.value:
        data += nested(5, update.slave_id.SerializePartialToString())
    if update.HasField("executor_id") and status.executor_id.value != update.executor_id.value:
        data += nested(7, update.executor_id.SerializePartialToString())
    if status.timestamp != update.timestamp or not status.HasField("timestamp"):
        data += b"\x31" + struct.pack("<d", update.timestamp)
    return _UPDATE(nested(1, data))


def _executor_exited(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """ExitedExecutorMessage: a failure of that executor."""
    return failure(message.slave_id.value, message.executor_id.value, message.status).SerializeToString()


def _executor_said(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """ExecutorToFrameworkMessage: a message."""
    event = Event(type=Event.MESSAGE)
    event.message.agent_id.value = message.slave_id.value
    event.message.executor_id.value = message.executor_id.value
    event.message.data = message.data
    return event.SerializeToString()


def _registration(message: Any, body: bytes) -> bytes:  # noqa: ARG001
    """Framework(Re)RegisteredMessage: subscribed."""
    return subscribed(message.framework_id, message.master_info).SerializeToString()


_EVENTS: dict[type[Message], Callable[[Any, bytes], bytes]] = {
    internal.FrameworkRegisteredMessage: _registration,
    internal.FrameworkReregisteredMessage: _registration,
    internal.ResourceOffersMessage: _offers,
    internal.InverseOffersMessage: _inverse_offers,
    internal.RescindResourceOfferMessage: lambda _, body: _RESCIND(body),
    internal.RescindInverseOfferMessage: lambda _, body: _RESCIND_INVERSE(body),
    internal.StatusUpdateMessage: _update,
    internal.UpdateOperationStatusMessage: lambda message, _: _OPERATION(
        nested(1, message.status.SerializePartialToString())
    ),
    internal.LostSlaveMessage: lambda _, body: _FAILURE(body),
    internal.ExitedExecutorMessage: _executor_exited,
    internal.ExecutorToFrameworkMessage: _executor_said,
    internal.FrameworkErrorMessage: lambda message, _: error(message.message).SerializeToString(),
}
