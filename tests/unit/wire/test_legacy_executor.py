"""Executors by pid and by HTTP as one."""

from __future__ import annotations

from typing import Any

import pytest

from messor.protos import internal, v0, v0_executor, v1_executor
from messor.wire import legacy_executor
from messor.wire.json_codec import to_json
from messor.wire.legacy_executor import event_bytes, event_json, to_call, update_of

Call = v0_executor.Call
Event = v1_executor.Event
FRAMEWORK = v0.FrameworkID(value="f")
AGENT = v0.SlaveID(value="s")
TASK = v0.TaskID(value="t")
EXECUTOR = v0.ExecutorID(value="e")


def event_of(message: Any) -> Any:
    """Project a message and parse the result, in both encodings."""
    body = message.SerializeToString()
    event = Event.FromString(event_bytes(message, body))
    assert event.IsInitialized()
    assert event_json(message, body) == to_json(event)
    return event


def update() -> internal.StatusUpdate:
    """Make an update whose status lacks what stands around it."""
    status = v0.TaskStatus(task_id=TASK, state=v0.TASK_RUNNING)
    return internal.StatusUpdate(
        framework_id=FRAMEWORK, executor_id=EXECUTOR, slave_id=AGENT, status=status, timestamp=7.5, uuid=b"u" * 16
    )


def test_registration_is_a_subscribe_and_reregistration_one_with_leftovers() -> None:
    """Unacknowledged tasks and updates come along."""
    call = to_call(internal.RegisterExecutorMessage(framework_id=FRAMEWORK, executor_id=EXECUTOR))
    assert call == Call(type=Call.SUBSCRIBE, framework_id=FRAMEWORK, executor_id=EXECUTOR, subscribe=Call.Subscribe())
    task = v0.TaskInfo(name="x", task_id=TASK, slave_id=AGENT)
    message = internal.ReregisterExecutorMessage(
        framework_id=FRAMEWORK, executor_id=EXECUTOR, tasks=[task], updates=[update()]
    )
    call = to_call(message)
    assert list(call.subscribe.unacknowledged_tasks) == [task]
    assert call.subscribe.unacknowledged_updates[0].status.uuid == b"u" * 16


def test_an_update_goes_both_ways() -> None:
    """Message to call and back."""
    call = to_call(internal.StatusUpdateMessage(update=update(), pid="executor(1)@127.0.0.1:1"))
    assert call.type == Call.UPDATE
    assert (call.update.status.timestamp, call.update.status.slave_id) == (7.5, AGENT)
    back = update_of(call, AGENT, now=9.0)
    assert back.timestamp == 7.5
    assert back.uuid == b"u" * 16
    assert back.status == call.update.status


def test_an_update_without_a_time_gets_the_present_one() -> None:
    """Python executors leave it out."""
    status = v0.TaskStatus(task_id=TASK, state=v0.TASK_RUNNING, uuid=b"u")
    call = Call(type=Call.UPDATE, framework_id=FRAMEWORK, executor_id=EXECUTOR, update=Call.Update(status=status))
    found = update_of(call, AGENT, now=9.0)
    assert found.timestamp == 9.0
    assert found.status.timestamp == 9.0
    assert found.status.slave_id == AGENT


def test_a_framework_message_is_a_message_call() -> None:
    """With the data alone."""
    call = to_call(
        internal.ExecutorToFrameworkMessage(framework_id=FRAMEWORK, executor_id=EXECUTOR, slave_id=AGENT, data=b"d")
    )
    assert (call.type, call.message.data) == (Call.MESSAGE, b"d")


def test_what_the_agent_says_becomes_events() -> None:
    """One for each message."""
    info = v0.FrameworkInfo(user="u", name="n")
    task = v0.TaskInfo(name="x", task_id=TASK, slave_id=AGENT)
    event = event_of(internal.RunTaskMessage(framework=info, task=task, pid="p"))
    assert (event.type, event.launch.task.agent_id.value) == (Event.LAUNCH, "s")
    group = internal.RunTaskGroupMessage(framework=info, executor=v0.ExecutorInfo(executor_id=EXECUTOR))
    group.task_group.tasks.append(task)
    event = event_of(group)
    assert (event.type, len(event.launch_group.task_group.tasks)) == (Event.LAUNCH_GROUP, 1)
    kill = internal.KillTaskMessage(framework_id=FRAMEWORK, task_id=TASK)
    assert not event_of(kill).kill.HasField("kill_policy")
    kill.kill_policy.grace_period.nanoseconds = 5
    assert event_of(kill).kill.kill_policy.grace_period.nanoseconds == 5
    event = event_of(
        internal.StatusUpdateAcknowledgementMessage(slave_id=AGENT, framework_id=FRAMEWORK, task_id=TASK, uuid=b"u")
    )
    assert (event.type, event.acknowledged.task_id.value, event.acknowledged.uuid) == (Event.ACKNOWLEDGED, "t", b"u")
    event = event_of(
        internal.FrameworkToExecutorMessage(slave_id=AGENT, framework_id=FRAMEWORK, executor_id=EXECUTOR, data=b"d")
    )
    assert (event.type, event.message.data) == (Event.MESSAGE, b"d")
    assert event_of(internal.ShutdownExecutorMessage()).type == Event.SHUTDOWN


def test_subscribed_names_executor_framework_and_agent() -> None:
    """And the container when it is told."""
    message = internal.ExecutorRegisteredMessage(
        executor_info=v0.ExecutorInfo(executor_id=EXECUTOR, framework_id=FRAMEWORK),
        framework_id=FRAMEWORK,
        framework_info=v0.FrameworkInfo(user="u", name="n"),
        slave_id=AGENT,
        slave_info=v0.SlaveInfo(hostname="h"),
    )
    event = event_of(message)
    assert event.subscribed.agent_info.hostname == "h"
    assert not event.subscribed.HasField("container_id")
    assert legacy_executor.subscribed(message, v0.ContainerID(value="c")).subscribed.container_id.value == "c"


def test_the_agents_other_messages_are_not_for_executors() -> None:
    """They have no event."""
    with pytest.raises(KeyError):
        event_bytes(internal.PongSlaveMessage(), b"")
