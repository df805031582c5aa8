"""Killing, reconciling, and messages between frameworks and executors."""

from __future__ import annotations

from typing import Any

import pytest

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import ExecutorRecord, FrameworkRecord
from messor.model.resource_text import parse_resources
from messor.protos import internal, v0
from support.master_desk import Desk, Stream

CPUS = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}}


def arrange(*capabilities: str) -> tuple[Desk, FrameworkRecord, Stream, AgentRecord]:
    """Run task "t" of an HTTP framework."""
    desk = Desk()
    framework, stream = desk.subscribe(capabilities)
    agent = desk.agent()
    task = {
        "name": "t", "task_id": {"value": "t"}, "agent_id": {"value": agent.id}, "resources": [CPUS],
        "command": {"value": "true"},
    }  # fmt: skip
    offers = [{"value": desk.offer(framework, agent)}]
    launch = {"type": "LAUNCH", "launch": {"task_infos": [task]}}
    desk.call(framework, stream, "ACCEPT", accept={"offer_ids": offers, "operations": [launch]})
    stream.forget()
    return desk, framework, stream, agent


def reconcile(desk: Desk, framework: FrameworkRecord, stream: Stream, *tasks: tuple[str, str | None]) -> Any:
    """Reconcile explicitly, or implicitly without tasks; gives the statuses that answer."""
    stream.forget()
    listed = [
        {"task_id": {"value": task}, **({"agent_id": {"value": agent}} if agent else {})} for task, agent in tasks
    ]
    assert desk.call(framework, stream, "RECONCILE", reconcile={"tasks": listed}).status == 202
    return stream.statuses()


def test_a_known_task_is_answered_with_its_forwarded_state() -> None:
    """State of the last forwarded update, health and container of the last status; no uuid, no data (S34, M17)."""
    desk, framework, stream, _ = arrange()
    container = v0.ContainerStatus(executor_pid=7)
    desk.update("t", v0.TASK_RUNNING, healthy=True, container_status=container, data=b"d")
    for asked in ((), (("t", None),)):
        (status,) = reconcile(desk, framework, stream, *asked)
        assert status == {
            "task_id": {"value": "t"},
            "state": "TASK_RUNNING",
            "message": "Reconciliation: Latest task state",
            "source": "SOURCE_MASTER",
            "reason": "REASON_RECONCILIATION",
            "agent_id": {"value": "M-S0"},
            "timestamp": status["timestamp"],
            "healthy": True,
            "container_status": {"executor_pid": 7},
        }


def test_a_terminal_task_that_waits_for_its_acknowledgement_is_answered() -> None:
    """Its forwarded state counts, not its latest."""
    desk, framework, stream, _ = arrange()
    desk.update("t", v0.TASK_RUNNING)
    framework.tasks["t"].state = v0.TASK_FINISHED
    assert reconcile(desk, framework, stream)[0]["state"] == "TASK_RUNNING"


CASES = [
    ("registered", "TASK_GONE", "Reconciliation: Task is unknown to the agent"),
    ("unreachable", "TASK_UNREACHABLE", "Reconciliation: Task is unreachable"),
    ("gone", "TASK_GONE_BY_OPERATOR", "Reconciliation: Task is gone"),
    ("unheard", "TASK_UNKNOWN", "Reconciliation: Task is unknown"),
    (None, "TASK_UNKNOWN", "Reconciliation: Task is unknown"),
]


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize(("where", "state", "message"), CASES)
def test_an_unknown_task_depends_on_its_agent(where: str | None, state: str, message: str, aware: bool) -> None:
    """Five of the six cases; without PARTITION_AWARE they are all TASK_LOST (M16, trap 11)."""
    desk, framework, stream, agent = arrange(*["PARTITION_AWARE"] * aware)
    desk.state.unreachable_agents["unreachable"] = v0.TimeInfo(nanoseconds=5)
    desk.state.gone_agents["gone"] = v0.TimeInfo(nanoseconds=6)
    (status,) = reconcile(desk, framework, stream, ("nope", agent.id if where == "registered" else where))
    assert (status["state"], status["message"]) == (state if aware else "TASK_LOST", message)
    assert ("unreachable_time" in status) == (where == "unreachable")
    assert ("agent_id" in status) == (where is not None)


def test_nothing_is_answered_while_agents_recover() -> None:
    """The sixth case: the agent, or without one any agent, has not come back yet."""
    desk, framework, stream, agent = arrange()
    desk.state.recovered_agents["recovering"] = v0.SlaveInfo(hostname="r")
    assert reconcile(desk, framework, stream, ("nope", "recovering"), ("nope", None)) == []
    assert len(reconcile(desk, framework, stream, ("nope", agent.id), ("t", None))) == 2


def test_operations_are_answered_although_none_exists() -> None:
    """RECONCILE_OPERATIONS gets an event per operation asked about, in the original's words."""
    desk, framework, stream, agent = arrange()
    asked = [
        {"operation_id": {"value": "a"}},
        {"operation_id": {"value": "b"}, "agent_id": {"value": agent.id}},
    ]
    response = desk.call(framework, stream, "RECONCILE_OPERATIONS", reconcile_operations={"operations": asked})
    assert response.status == 202
    statuses = [event["update_operation_status"]["status"] for event in stream.events("UPDATE_OPERATION_STATUS")]
    assert statuses == [
        {
            "operation_id": {"value": "a"},
            "state": "OPERATION_UNKNOWN",
            "message": "Reconciliation: Operation is unknown and no 'agent_id' was provided",
        },
        {
            "operation_id": {"value": "b"},
            "state": "OPERATION_UNKNOWN",
            "message": "Reconciliation: Operation is unknown",
            "agent_id": {"value": agent.id},
        },
    ]


def test_every_kill_is_forwarded_with_its_policy() -> None:
    """Kills are repeated to the agent, and remembered for its return (S27, M19)."""
    desk, framework, stream, agent = arrange()
    policy = {"grace_period": {"nanoseconds": 5}}
    desk.call(framework, stream, "KILL", kill={"task_id": {"value": "t"}, "kill_policy": policy})
    desk.call(framework, stream, "KILL", kill={"task_id": {"value": "t"}, "agent_id": {"value": agent.id}})
    first, second = desk.received(agent.pid, internal.KillTaskMessage)
    assert first.kill_policy.grace_period.nanoseconds == 5
    assert not second.HasField("kill_policy")
    assert agent.killed_tasks == {framework.id: {"t"}}
    agent.is_connected = False
    desk.call(framework, stream, "KILL", kill={"task_id": {"value": "t"}})
    assert len(desk.received(agent.pid, internal.KillTaskMessage)) == 2


def test_a_kill_for_the_wrong_agent_is_dropped() -> None:
    """Nothing happens when the task is elsewhere."""
    desk, framework, stream, agent = arrange()
    desk.call(framework, stream, "KILL", kill={"task_id": {"value": "t"}, "agent_id": {"value": "other"}})
    assert desk.received(agent.pid, internal.KillTaskMessage) == []
    assert stream.statuses() == []


def test_killing_an_unknown_task_reconciles_it() -> None:
    """The framework learns that there is no such task."""
    desk, framework, stream, agent = arrange("PARTITION_AWARE")
    desk.call(framework, stream, "KILL", kill={"task_id": {"value": "x"}})
    desk.call(framework, stream, "KILL", kill={"task_id": {"value": "x"}, "agent_id": {"value": agent.id}})
    assert [status["state"] for status in stream.statuses()] == ["TASK_UNKNOWN", "TASK_GONE"]


def test_messages_go_both_ways() -> None:
    """MESSAGE reaches the agent, what an executor says becomes a MESSAGE event (M21)."""
    desk, framework, stream, agent = arrange()
    named = {"agent_id": {"value": agent.id}, "executor_id": {"value": "e"}}
    desk.call(framework, stream, "MESSAGE", message={**named, "data": "aGk="})
    (down,) = desk.received(agent.pid, internal.FrameworkToExecutorMessage)
    assert (down.framework_id.value, down.executor_id.value, down.data) == (framework.id, "e", b"hi")
    up = internal.ExecutorToFrameworkMessage(data=b"yo")
    up.slave_id.value, up.framework_id.value, up.executor_id.value = agent.id, framework.id, "e"
    desk.executors.said(agent.pid, up, up.SerializeToString())
    assert stream.events("MESSAGE") == [{"type": "MESSAGE", "message": {**named, "data": "eW8="}}]
    assert desk.metrics.counter("valid_framework_to_executor_messages").value == 1
    assert desk.metrics.counter("valid_executor_to_framework_messages").value == 1


def test_messages_to_nowhere_are_counted() -> None:
    """An unknown agent or framework drops a message."""
    desk, framework, stream, agent = arrange()
    desk.call(
        framework, stream, "MESSAGE",
        message={"agent_id": {"value": "x"}, "executor_id": {"value": "e"}, "data": "aGk="},
    )  # fmt: skip
    up = internal.ExecutorToFrameworkMessage(data=b"yo")
    up.slave_id.value, up.framework_id.value, up.executor_id.value = agent.id, "nobody", "e"
    desk.executors.said(agent.pid, up, up.SerializeToString())
    assert desk.metrics.counter("invalid_framework_to_executor_messages").value == 1
    assert desk.metrics.counter("invalid_executor_to_framework_messages").value == 1


def test_an_executor_is_shut_down_and_its_end_told() -> None:
    """SHUTDOWN reaches the agent; the exit frees the executor's resources and becomes a FAILURE (M20)."""
    desk, framework, stream, agent = arrange()
    info = v0.ExecutorInfo()
    info.executor_id.value = "e"
    resources = parse_resources("cpus:1").allocated_to("*")
    desk.state.add_executor(ExecutorRecord(agent.id, framework.id, info, resources))
    desk.allocator.calls.clear()
    named = {"agent_id": {"value": agent.id}, "executor_id": {"value": "e"}}
    desk.call(framework, stream, "SHUTDOWN", shutdown=named)
    (shutdown,) = desk.received(agent.pid, internal.ShutdownExecutorMessage)
    assert (shutdown.framework_id.value, shutdown.executor_id.value) == (framework.id, "e")
    exited = internal.ExitedExecutorMessage(status=256)
    exited.slave_id.value, exited.framework_id.value, exited.executor_id.value = agent.id, framework.id, "e"
    desk.executors.exited(agent.pid, exited, exited.SerializeToString())
    desk.executors.exited(agent.pid, exited, exited.SerializeToString())
    assert stream.events("FAILURE") == [{"type": "FAILURE", "failure": {**named, "status": 256}}]
    assert desk.allocator.named("recover_resources") == [(framework.id, agent.id, resources, None)]
    assert framework.executors == agent.executors == {}
