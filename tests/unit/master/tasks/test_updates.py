"""Status updates and their acknowledgements: forwarded bytes, changed records, freed resources."""

from __future__ import annotations

import pytest

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.protos import internal, v0, v0_scheduler
from support.builders import task as make_task
from support.master_desk import SCHEDULER, Desk


def running(desk: Desk, *names: str) -> tuple[FrameworkRecord, AgentRecord]:
    """Launch command tasks of a framework connected by pid."""
    framework = desk.subscribe_pid()
    agent = desk.agent()
    call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
    call.framework_id.value = framework.id
    call.accept.offer_ids.add().value = desk.offer(framework, agent)
    operation = call.accept.operations.add(type=v0.Offer.Operation.LAUNCH)
    operation.launch.task_infos.extend(make_task(name, agent_id=agent.id) for name in names)
    desk.messages.call(SCHEDULER, call)
    assert set(framework.tasks) == set(names)
    desk.allocator.calls.clear()
    return framework, agent


def acknowledge(desk: Desk, framework: FrameworkRecord, agent_id: str, task_id: str, uuid: bytes) -> None:
    """Acknowledge an update."""
    call = v0_scheduler.Call(type=v0_scheduler.Call.ACKNOWLEDGE)
    call.framework_id.value = framework.id
    call.acknowledge.slave_id.value = agent_id
    call.acknowledge.task_id.value = task_id
    call.acknowledge.uuid = uuid
    desk.messages.call(SCHEDULER, call)


def test_an_update_is_forwarded_as_it_came() -> None:
    """A driver gets the agent's bytes; the record keeps the status without its data."""
    desk = Desk()
    framework, _ = running(desk, "t")
    sent = desk.update("t", v0.TASK_RUNNING, data=b"big", message="now")
    assert desk.received(SCHEDULER, internal.StatusUpdateMessage) == [sent]
    record = framework.tasks["t"]
    assert record.state == record.status_update_state == v0.TASK_RUNNING
    assert record.status_update_uuid == b"5" * 16
    status = record.message().statuses[0]
    assert (status.message, status.HasField("data")) == ("now", False)


def test_a_repeated_state_replaces_the_last_status() -> None:
    """Only changes of state add to a task's statuses."""
    desk = Desk()
    framework, _ = running(desk, "t")
    for uuid, message in ((b"1" * 16, "a"), (b"2" * 16, "b")):
        desk.update("t", v0.TASK_RUNNING, uuid, message=message)
    assert [status.message for status in framework.tasks["t"].message().statuses] == ["b"]
    desk.update("t", v0.TASK_FINISHED, b"3" * 16)
    assert len(framework.tasks["t"].statuses) == 2


def test_resources_are_free_as_soon_as_the_latest_state_is_terminal() -> None:
    """The latest state frees resources although an earlier update is the one forwarded (M14, trap 12)."""
    desk = Desk()
    framework, agent = running(desk, "t")
    message = desk.update("t", v0.TASK_RUNNING)
    message.update.latest_state = v0.TASK_FINISHED
    message.update.uuid = message.update.status.uuid = b"2" * 16
    desk.updates.received(agent.pid, message, message.SerializeToString())
    record = framework.tasks["t"]
    assert (record.state, record.status_update_state) == (v0.TASK_FINISHED, v0.TASK_RUNNING)
    assert desk.allocator.named("recover_resources") == [(framework.id, agent.id, record.resources, None)]
    assert not framework.used
    assert not agent.used
    desk.update("t", v0.TASK_FINISHED, b"3" * 16)
    assert len(desk.allocator.named("recover_resources")) == 1


def test_a_terminal_state_is_final() -> None:
    """A later non-terminal update does not bring a task back."""
    desk = Desk()
    framework, _ = running(desk, "t")
    desk.update("t", v0.TASK_FAILED, b"1" * 16)
    desk.update("t", v0.TASK_RUNNING, b"2" * 16)
    assert framework.tasks["t"].state == v0.TASK_FAILED


def test_a_task_leaves_when_its_terminal_update_is_acknowledged() -> None:
    """The acknowledgement goes to the agent; the record moves to the completed ones only for the terminal update."""
    desk = Desk()
    framework, agent = running(desk, "t")
    desk.update("t", v0.TASK_RUNNING, b"1" * 16)
    acknowledge(desk, framework, agent.id, "t", b"1" * 16)
    desk.update("t", v0.TASK_FINISHED, b"2" * 16)
    acknowledge(desk, framework, agent.id, "t", b"9" * 16)
    assert "t" in framework.tasks
    acknowledge(desk, framework, agent.id, "t", b"2" * 16)
    assert not framework.tasks
    assert not agent.tasks
    assert [task.id for task in framework.completed_tasks] == ["t"]
    acknowledgements = desk.received(agent.pid, internal.StatusUpdateAcknowledgementMessage)
    assert [item.uuid for item in acknowledgements] == [b"1" * 16, b"9" * 16, b"2" * 16]
    assert acknowledgements[0] == internal.StatusUpdateAcknowledgementMessage(
        slave_id=v0.SlaveID(value=agent.id), framework_id=v0.FrameworkID(value=framework.id),
        task_id=v0.TaskID(value="t"), uuid=b"1" * 16,
    )  # fmt: skip


def test_acknowledgements_nobody_waits_for_are_dropped() -> None:
    """Unknown agents, bad UUIDs, and updates this master did not forward are refused and counted (M15, trap 6)."""
    desk = Desk()
    framework, agent = running(desk, "t")
    acknowledge(desk, framework, "nowhere", "t", b"1" * 16)
    acknowledge(desk, framework, agent.id, "t", b"1" * 16)
    acknowledge(desk, framework, agent.id, "t", b"short")
    agent.is_connected = False
    acknowledge(desk, framework, agent.id, "t", b"1" * 16)
    assert desk.received(agent.pid, internal.StatusUpdateAcknowledgementMessage) == []
    assert desk.metrics.counter("invalid_status_update_acknowledgements").value == 4


def test_an_update_for_a_disconnected_framework_changes_the_task_only() -> None:
    """Nobody hears of it now; the agent will send it again."""
    desk = Desk()
    framework, _ = running(desk, "t")
    framework.info.failover_timeout = 60.0
    desk.disconnection.framework_disconnected(framework)
    desk.host.network.messages.clear()
    desk.update("t", v0.TASK_RUNNING)
    record = framework.tasks["t"]
    assert (record.state, record.status_update_state) == (v0.TASK_RUNNING, None)
    assert desk.host.network.messages == []
    assert desk.metrics.counter("invalid_status_updates").value == 1


@pytest.mark.parametrize("uuid", [b"", b"short"])
def test_an_update_without_a_proper_uuid_is_ignored(uuid: bytes) -> None:
    """Agents always send 16 bytes; anything else is a bug of the sender."""
    desk = Desk()
    framework, _ = running(desk, "t")
    desk.update("t", v0.TASK_RUNNING, uuid)
    assert framework.tasks["t"].state == v0.TASK_STAGING
    assert desk.received(SCHEDULER, internal.StatusUpdateMessage) == []


def test_an_unknown_task_is_still_forwarded() -> None:
    """An update of a task the master does not know reaches the framework, which must acknowledge it."""
    desk = Desk()
    framework, agent = running(desk, "t")
    message = desk.update("t", v0.TASK_RUNNING)
    message.update.status.task_id.value = "other"
    desk.updates.received(agent.pid, message, message.SerializeToString())
    assert desk.received(SCHEDULER, internal.StatusUpdateMessage)[-1].update.status.task_id.value == "other"
    acknowledge(desk, framework, agent.id, "other", b"5" * 16)
    assert desk.received(agent.pid, internal.StatusUpdateAcknowledgementMessage)[-1].task_id.value == "other"


def test_updates_of_the_master_ask_for_no_acknowledgement() -> None:
    """They have no uuid and an empty pid, in v1 no uuid (trap 6)."""
    desk = Desk()
    framework, _ = running(desk, "t")
    reason = v0.TaskStatus.REASON_SLAVE_REMOVED
    desk.updates.made_by_master(framework.tasks["t"], v0.TASK_LOST, reason, "health check timed out")
    (message,) = desk.received(SCHEDULER, internal.StatusUpdateMessage)
    assert message.pid == "@0.0.0.0:0"
    assert not message.update.HasField("uuid")
    status = message.update.status
    assert not status.HasField("uuid")
    assert (status.state, status.source, status.reason) == (v0.TASK_LOST, v0.TaskStatus.SOURCE_MASTER, reason)
    assert framework.tasks["t"].status_update_state is None
    assert desk.metrics.counter("tasks_lost").value == 1
    assert desk.metrics.counter("task_lost/source_master/reason_slave_removed").value == 1


def test_the_end_of_an_unknown_executor_is_ignored() -> None:
    """A framework hears only of executors the master knew, which leaves out those of command tasks."""
    desk = Desk()
    framework, agent = running(desk, "t")
    message = internal.ExitedExecutorMessage(status=256)
    message.slave_id.value = agent.id
    message.framework_id.value = framework.id
    message.executor_id.value = "unknown"
    desk.executors.exited(agent.pid, message, message.SerializeToString())
    assert desk.received(SCHEDULER, internal.ExitedExecutorMessage) == []
