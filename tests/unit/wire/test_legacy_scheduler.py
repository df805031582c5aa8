"""Pre-1.0 scheduler messages as Calls, and the master's messages as Events."""

from __future__ import annotations

from typing import Any

import pytest

from messor.errors import InvalidRequest
from messor.protos import internal, v0, v0_scheduler, v1, v1_scheduler
from messor.wire import legacy_scheduler
from messor.wire.json_codec import to_json
from messor.wire.legacy_scheduler import HEARTBEATS, event_bytes, event_json, to_call
from messor.wire.media_types import JSON, PROTOBUF

Call = v0_scheduler.Call
Event = v1_scheduler.Event
FRAMEWORK = v0.FrameworkID(value="f")
AGENT = v0.SlaveID(value="s")
TASK = v0.TaskID(value="t")
EXECUTOR = v0.ExecutorID(value="e")
INFO = v0.FrameworkInfo(user="u", name="n")


def event_of(message: Any) -> Any:
    """Project a message and parse the result, in both encodings."""
    body = message.SerializeToString()
    event = Event.FromString(event_bytes(message, body))
    assert event.IsInitialized()
    assert event_json(message, body) == to_json(event)
    return event


def status_update(uuid: bytes = b"u" * 16, pid: str = "slave(1)@127.0.0.1:5051") -> Any:
    """Make the update of a running task."""
    status = v0.TaskStatus(task_id=TASK, state=v0.TASK_RUNNING, slave_id=AGENT, executor_id=EXECUTOR, timestamp=7.5)
    update = internal.StatusUpdate(framework_id=FRAMEWORK, executor_id=EXECUTOR, slave_id=AGENT, timestamp=7.5)
    if uuid:
        status.uuid = update.uuid = uuid
    update.status.CopyFrom(status)
    return internal.StatusUpdateMessage(update=update, pid=pid)


def test_registration_is_a_subscribe_without_id() -> None:
    """And one that brings an id is refused."""
    call = to_call(internal.RegisterFrameworkMessage(framework=INFO))
    assert call.type == Call.SUBSCRIBE
    assert not call.HasField("framework_id")
    named = v0.FrameworkInfo(user="u", name="n", id=FRAMEWORK)
    with pytest.raises(InvalidRequest, match="already set"):
        to_call(internal.RegisterFrameworkMessage(framework=named))


def test_reregistration_is_a_subscribe_with_the_id_by_force_on_failover() -> None:
    """And one without id is refused."""
    named = v0.FrameworkInfo(user="u", name="n", id=FRAMEWORK)
    call = to_call(internal.ReregisterFrameworkMessage(framework=named, failover=True))
    assert call.framework_id == FRAMEWORK
    assert call.subscribe.framework_info == named
    assert call.subscribe.force
    with pytest.raises(InvalidRequest, match="without an 'id'"):
        to_call(internal.ReregisterFrameworkMessage(framework=INFO, failover=False))


def test_launching_tasks_accepts_and_launching_none_declines() -> None:
    """Old drivers decline by launching nothing."""
    message = internal.LaunchTasksMessage(framework_id=FRAMEWORK, offer_ids=[v0.OfferID(value="o")])
    message.filters.refuse_seconds = 3
    call = to_call(message)
    assert call.type == Call.DECLINE
    assert [each.value for each in call.decline.offer_ids] == ["o"]
    assert call.decline.filters.refuse_seconds == 3
    message.tasks.add(name="x", task_id=TASK, slave_id=AGENT)
    call = to_call(message)
    assert call.type == Call.ACCEPT
    assert call.accept.filters.refuse_seconds == 3
    assert call.accept.operations[0].type == v0.Offer.Operation.LAUNCH
    assert call.accept.operations[0].launch.task_infos[0].task_id == TASK


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (internal.UnregisterFrameworkMessage(framework_id=FRAMEWORK), Call(type=Call.TEARDOWN)),
        (
            internal.ReviveOffersMessage(framework_id=FRAMEWORK, roles=["r"]),
            Call(type=Call.REVIVE, revive=Call.Revive(roles=["r"])),
        ),
        (
            internal.KillTaskMessage(framework_id=FRAMEWORK, task_id=TASK),
            Call(type=Call.KILL, kill=Call.Kill(task_id=TASK)),
        ),
        (
            internal.StatusUpdateAcknowledgementMessage(
                framework_id=FRAMEWORK, slave_id=AGENT, task_id=TASK, uuid=b"u"
            ),
            Call(type=Call.ACKNOWLEDGE, acknowledge=Call.Acknowledge(slave_id=AGENT, task_id=TASK, uuid=b"u")),
        ),
        (
            internal.FrameworkToExecutorMessage(
                framework_id=FRAMEWORK, slave_id=AGENT, executor_id=EXECUTOR, data=b"d"
            ),
            Call(type=Call.MESSAGE, message=Call.Message(slave_id=AGENT, executor_id=EXECUTOR, data=b"d")),
        ),
        (
            internal.ResourceRequestMessage(framework_id=FRAMEWORK, requests=[v0.Request(slave_id=AGENT)]),
            Call(type=Call.REQUEST, request=Call.Request(requests=[v0.Request(slave_id=AGENT)])),
        ),
        (
            internal.ReconcileTasksMessage(
                framework_id=FRAMEWORK,
                statuses=[
                    v0.TaskStatus(task_id=TASK, state=v0.TASK_RUNNING, slave_id=AGENT),
                    v0.TaskStatus(task_id=TASK, state=v0.TASK_RUNNING),
                ],
            ),
            Call(
                type=Call.RECONCILE,
                reconcile=Call.Reconcile(
                    tasks=[Call.Reconcile.Task(task_id=TASK, slave_id=AGENT), Call.Reconcile.Task(task_id=TASK)]
                ),
            ),
        ),
        (
            internal.ReconcileTasksMessage(framework_id=FRAMEWORK),
            Call(type=Call.RECONCILE, reconcile=Call.Reconcile()),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_legacy_message_is_the_call_that_means_the_same(message: Any, expected: Any) -> None:
    """Each of the old messages has one."""
    expected.framework_id.CopyFrom(FRAMEWORK)
    assert to_call(message) == expected


def test_a_deactivation_stays_a_message() -> None:
    """There is no call for it."""
    with pytest.raises(KeyError):
        to_call(internal.DeactivateFrameworkMessage(framework_id=FRAMEWORK))


def test_an_update_keeps_its_uuid_when_somebody_waits_for_the_acknowledgement() -> None:
    """The status goes out with what the update around it says."""
    message = status_update()
    message.update.status.ClearField("uuid")
    message.update.status.ClearField("slave_id")
    message.update.status.ClearField("executor_id")
    message.update.status.ClearField("timestamp")
    status = event_of(message).update.status
    assert status.uuid == b"u" * 16
    assert status.agent_id.value == "s"
    assert status.executor_id.value == "e"
    assert status.timestamp == 7.5


@pytest.mark.parametrize("message", [status_update(uuid=b""), status_update(pid=""), status_update(pid="@0.0.0.0:0")])
def test_an_update_nobody_waits_for_has_no_uuid(message: Any) -> None:
    """Its presence would ask for an acknowledgement."""
    event = event_of(message)
    assert not event.update.status.HasField("uuid")
    assert event.update.status.state == v1.TASK_RUNNING


def test_the_update_wins_over_the_status_inside_of_it() -> None:
    """Where they differ."""
    message = status_update()
    message.update.status.uuid = b"other"
    message.update.status.timestamp = 1.0
    message.update.status.slave_id.value = "other"
    status = event_of(message).update.status
    assert (status.uuid, status.timestamp, status.agent_id.value) == (b"u" * 16, 7.5, "s")


def test_offers_lose_the_pids_of_their_agents() -> None:
    """Those are for drivers that message executors directly."""
    offer = v0.Offer(id=v0.OfferID(value="o"), framework_id=FRAMEWORK, slave_id=AGENT, hostname="h")
    message = internal.ResourceOffersMessage(offers=[offer, offer], pids=["slave(1)@127.0.0.1:5051", "x@1.2.3.4:5"])
    event = event_of(message)
    assert event.type == Event.OFFERS
    assert [each.id.value for each in event.offers.offers] == ["o", "o"]
    backwards = message.SerializeToString()
    pid_first = b"\x12\x01x" + internal.ResourceOffersMessage(offers=[offer]).SerializeToString()
    message = internal.ResourceOffersMessage.FromString(pid_first)
    assert len(Event.FromString(event_bytes(message, pid_first)).offers.offers) == 1
    assert backwards


def test_the_other_messages_become_their_events() -> None:
    """Rescind, failure, message, error, operation, inverse offers."""
    offer_id = v0.OfferID(value="o")
    event = event_of(internal.RescindResourceOfferMessage(offer_id=offer_id))
    assert (event.type, event.rescind.offer_id.value) == (Event.RESCIND, "o")
    event = event_of(internal.RescindInverseOfferMessage(inverse_offer_id=offer_id))
    assert (event.type, event.rescind_inverse_offer.inverse_offer_id.value) == (Event.RESCIND_INVERSE_OFFER, "o")
    event = event_of(internal.LostSlaveMessage(slave_id=AGENT))
    assert (event.type, event.failure.agent_id.value) == (Event.FAILURE, "s")
    assert not event.failure.HasField("executor_id")
    event = event_of(
        internal.ExitedExecutorMessage(slave_id=AGENT, framework_id=FRAMEWORK, executor_id=EXECUTOR, status=256)
    )
    assert (event.failure.executor_id.value, event.failure.status) == ("e", 256)
    event = event_of(
        internal.ExecutorToFrameworkMessage(slave_id=AGENT, framework_id=FRAMEWORK, executor_id=EXECUTOR, data=b"\x00")
    )
    assert (event.type, event.message.data, event.message.agent_id.value) == (Event.MESSAGE, b"\x00", "s")
    event = event_of(internal.FrameworkErrorMessage(message="Framework failed over"))
    assert (event.type, event.error.message) == (Event.ERROR, "Framework failed over")
    operation = internal.UpdateOperationStatusMessage()
    operation.status.state = v0.OPERATION_FINISHED
    event = event_of(operation)
    assert event.update_operation_status.status.state == v1.OPERATION_FINISHED
    inverse = v0.InverseOffer(id=offer_id, framework_id=FRAMEWORK)
    inverse.unavailability.start.nanoseconds = 1
    event = event_of(internal.InverseOffersMessage(inverse_offers=[inverse], pids=["p"]))
    assert event.inverse_offers.inverse_offers[0].id.value == "o"


def test_a_stream_begins_with_subscribed_and_its_heartbeats_are_fixed() -> None:
    """In both media types."""
    master = v0.MasterInfo(id="m", ip=16777343, port=5050, hostname="h")
    event = event_of(internal.FrameworkRegisteredMessage(framework_id=FRAMEWORK, master_info=master))
    assert event == legacy_scheduler.subscribed(FRAMEWORK, master)
    assert event.subscribed.heartbeat_interval_seconds == 15.0
    assert event.subscribed.master_info.hostname == "h"
    assert HEARTBEATS[JSON] == b'{"type":"HEARTBEAT"}'
    assert HEARTBEATS[PROTOBUF] == b"\x08\x08"
    assert legacy_scheduler.encode_event(legacy_scheduler.error("x"), JSON) == (
        b'{"type":"ERROR","error":{"message":"x"}}'
    )
