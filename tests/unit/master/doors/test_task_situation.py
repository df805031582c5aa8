"""Where a task stands and why it does not run: every situation, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from messor.master.doors.task_situation import agent_trouble, describe_task, find_tasks, unknown_task
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState, FrameworkState
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import v0
from messor.wire.upid import Upid

NOW = 1000.0


class Place:
    """A master with one framework, one agent and one task."""

    def __init__(self) -> None:
        """The task was launched 20 s ago."""
        self.state = MasterState(v0.MasterInfo(id="m", ip=1, port=5050))
        info = v0.FrameworkInfo(user="u", name="shop", id=v0.FrameworkID(value="f"))
        self.framework = FrameworkRecord("f", info, max_completed=5, max_unreachable=5)
        self.framework.state = FrameworkState.ACTIVE
        self.state.add_framework(self.framework)
        agent_info = v0.SlaveInfo(hostname="host", id=v0.SlaveID(value="S1"))
        self.agent = AgentRecord(agent_info, Upid("slave(1)", "10.0.0.2", 5051), "1.11.0", parse_resources("cpus:4"))
        self.agent.state = AgentState.ACTIVE
        self.state.add_agent(self.agent)
        self.task = TaskRecord("t", "f", "S1", "", Resources(), b"")
        self.task.created_at = NOW - 20
        self.state.add_task(self.task)

    def status(self, state: int, reason: int, message: str = "") -> None:
        """Let a status come, 5 s ago."""
        status = v0.TaskStatus(task_id=v0.TaskID(value="t"), state=state, timestamp=NOW - 5, message=message)  # type: ignore[arg-type]
        status.reason, status.source = reason, v0.TaskStatus.SOURCE_SLAVE  # type: ignore[assignment]
        self.task.state = state
        self.task.add_status(state, status.SerializeToString())

    def describe(self) -> tuple[dict[str, Any], str]:
        """Describe the task; gives that and its sentences."""
        (found,) = find_tasks(self.state, "t")
        described = describe_task(self.state, found, NOW)
        return described, "\n".join(described["texts"])


def staging(place: Place) -> None:
    """Nothing was heard of it."""


def starting(place: Place) -> None:
    """Its executor has it."""
    place.status(v0.TASK_STARTING, v0.TaskStatus.REASON_RECONCILIATION)


def cut_off(place: Place) -> None:
    """The agent's link broke."""
    place.agent.is_connected = False


def killed_meanwhile(place: Place) -> None:
    """A kill waits for the agent."""
    place.agent.is_connected = False
    place.agent.killed_tasks["f"] = {"t"}


def failed(place: Place) -> None:
    """And not acknowledged."""
    place.status(v0.TASK_FAILED, v0.TaskStatus.REASON_COMMAND_EXECUTOR_FAILED, "Command exited with status 3")


def brought_along(place: Place) -> None:
    """By an agent after a failover."""
    place.task.created_at = 0.0


def unreachable(place: Place) -> None:
    """With its agent."""
    place.state.remove_task(place.task, counted=True)
    place.state.remove_agent(place.agent, NOW)
    place.state.unreachable_agents["S1"] = v0.TimeInfo(nanoseconds=1)
    place.task.state = v0.TASK_UNREACHABLE
    place.framework.remember_unreachable(place.task)


@pytest.mark.parametrize(
    ("happens", "where", "sentence"),
    [
        (staging, "live", "Agent S1 (host) was told to launch it and has not reported that it started"),
        (starting, "live", "Its executor on agent S1 (host) has it and has not reported that it runs"),
        (cut_off, "live", "Its agent S1 (host) may know more: it is disconnected from the master"),
        (killed_meanwhile, "live", "Its framework asked to kill it; the agent is told as soon as it is back"),
        (failed, "live", "REASON_COMMAND_EXECUTOR_FAILED: Command exited with status 3"),
        (failed, "live", "its framework has not acknowledged the last status update yet"),
        (brought_along, "live", "its agent brought it along when it registered with this master"),
        (unreachable, "unreachable", "Its agent S1 is unreachable; the task may still run there"),
    ],
)
def test_each_situation_is_told(happens: Callable[[Place], None], where: str, sentence: str) -> None:
    """And where the master keeps the task."""
    place = Place()
    happens(place)
    described, text = place.describe()
    assert described["where"] == where
    assert sentence in text


def test_times_and_the_last_status_are_told() -> None:
    """Since when, and how long ago."""
    place = Place()
    assert "is TASK_STAGING; it was launched 20.0 s ago" in place.describe()[1]
    place.status(v0.TASK_LOST, v0.TaskStatus.REASON_SLAVE_DISCONNECTED)
    described, text = place.describe()
    assert "Last status: TASK_LOST, 5.0 s ago, SOURCE_SLAVE, REASON_SLAVE_DISCONNECTED" in text
    assert described["status"]["reason"] == "REASON_SLAVE_DISCONNECTED"


def test_a_launch_that_is_being_authorised_is_told() -> None:
    """Nothing reached the agent."""
    place = Place()
    place.framework.pending_tasks["p"] = v0.TaskInfo()
    (found,) = find_tasks(place.state, "p")
    assert "is being authorised" in describe_task(place.state, found, NOW)["texts"][0]


def test_tasks_of_one_id_are_found_in_all_frameworks_live_ones_first() -> None:
    """An id is unique in its framework only."""
    place = Place()
    other = FrameworkRecord("e", v0.FrameworkInfo(user="u", name="e"), max_completed=5, max_unreachable=5)
    other.completed_tasks.append(TaskRecord("t", "e", "S1", "", Resources(), b""))
    place.state.frameworks = {"e": other, **place.state.frameworks}
    assert [(one[0].id, one[2]) for one in find_tasks(place.state, "t")] == [("f", "live"), ("e", "completed")]
    assert [one[0].id for one in find_tasks(place.state, "t", "e")] == ["e"]
    assert unknown_task("x")["where"] == "unknown"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, None),
        ({"is_connected": False}, "it is disconnected from the master"),
        ({"is_deactivated": True}, "an operator deactivated it"),
        ({"drain": v0.DrainInfo(state=v0.DRAINING)}, "an operator is draining it"),
        ({"drain": v0.DrainInfo(state=v0.DRAINED)}, "an operator drained it, until REACTIVATE_AGENT"),
        ({"state": AgentState.LEAVING}, "it is leaving"),
    ],
)
def test_what_is_wrong_with_an_agent_is_told(change: dict[str, Any], text: str | None) -> None:
    """In words that follow "nothing of it is offered"."""
    place = Place()
    for name, value in change.items():
        setattr(place.agent, name, value)
    assert agent_trouble(place.agent) == text
