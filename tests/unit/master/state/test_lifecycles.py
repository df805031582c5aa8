"""Legal lifecycle changes, and the books' own checks."""

from __future__ import annotations

import pytest

from messor.errors import Broken
from messor.master.state import invariants
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import ExecutorRecord, FrameworkRecord
from messor.master.state.lifecycles import (
    AGENT_CHANGES,
    FRAMEWORK_CHANGES,
    AgentState,
    FrameworkState,
    changed_agent_state,
    changed_framework_state,
)
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.model.resources import Resources
from messor.protos import v0
from messor.wire.upid import Upid
from support import builders

CPUS = Resources.of(builders.resources("cpus:1")).allocated_to("*")


def test_every_state_has_its_row() -> None:
    """A state without a row could never be left, and asking would fail."""
    assert set(AGENT_CHANGES) == set(AgentState)
    assert set(FRAMEWORK_CHANGES) == set(FrameworkState)


def test_every_state_can_be_reached() -> None:
    """A state nobody leads to is dead; agents begin by joining or from the registry, frameworks recovered."""
    assert set().union(*AGENT_CHANGES.values()) | {AgentState.RECOVERED} == set(AgentState)
    assert set().union(*FRAMEWORK_CHANGES.values()) | {FrameworkState.RECOVERED} == set(FrameworkState)


def test_an_illegal_change_is_a_bug() -> None:
    """It must not pass silently."""
    with pytest.raises(Broken):
        changed_agent_state(AgentState.GONE, AgentState.ACTIVE, "S1")
    with pytest.raises(Broken):
        changed_framework_state(FrameworkState.COMPLETED, FrameworkState.ACTIVE, "F")


def test_staying_is_always_legal() -> None:
    """Saying it twice changes nothing."""
    assert changed_agent_state(AgentState.GONE, AgentState.GONE, "S1") is AgentState.GONE


class Books:
    """A state with one agent and one framework."""

    def __init__(self) -> None:
        """Build it, balanced."""
        self.state = MasterState(v0.MasterInfo(id="M"))
        total = Resources.of(builders.resources("cpus:4;mem:1024"))
        self.agent = AgentRecord(
            builders.agent_info(agent_id="S1"), Upid("slave(1)", "10.0.0.1", 5051), "1.11.0", total
        )
        self.agent.become(AgentState.ACTIVE)
        self.state.add_agent(self.agent)
        info = builders.framework_info(framework_id="F")
        self.framework = FrameworkRecord("F", info, max_completed=10, max_unreachable=10)
        self.state.add_framework(self.framework)
        self.state.connect_pid(self.framework, Upid("scheduler-1", "10.0.0.2", 9000))
        self.framework.become(FrameworkState.ACTIVE)
        self.task = TaskRecord("t", "F", "S1", "", CPUS, b"")
        self.state.add_task(self.task)
        executor = ExecutorRecord("S1", "F", builders.executor_info("e"), CPUS)
        self.state.add_executor(executor)
        self.executor = executor
        self.batch = self.state.make_offers(self.framework, "*", {"S1": CPUS}, [self.agent], 0.0)
        self.offer = self.state.offers["M-O0"]

    def problems(self) -> list[str]:
        """Check."""
        return invariants.check(self.state)


def test_balanced_books_have_no_problems() -> None:
    """Otherwise the check would be useless."""
    assert Books().problems() == []


def test_taking_everything_off_leaves_balanced_books() -> None:
    """What was added can be removed without a trace."""
    books = Books()
    books.state.remove_offer(books.offer)
    books.state.remove_executor(books.executor)
    books.state.remove_task(books.task, counted=True)
    assert books.problems() == []
    assert (books.agent.used, books.framework.used, books.agent.offered) == ({}, {}, Resources())
    books.state.remove_agent(books.agent, 0.0)
    assert books.problems() == []
    assert list(books.state.removed_agents) == ["S1"]


def test_each_kind_of_slip_is_found() -> None:
    """One sentence at least for each way the books can go wrong."""
    slips = {
        "task missing in its framework": lambda b: b.framework.tasks.clear(),
        "task missing on its agent": lambda b: b.agent.tasks.clear(),
        "executor missing in its framework": lambda b: b.framework.executors.clear(),
        "executor missing on its agent": lambda b: b.agent.executors.clear(),
        "use not counted": lambda b: b.agent.used.clear(),
        "terminal task still counted": lambda b: setattr(b.task, "state", v0.TASK_FINISHED),
        "offer unknown to its agent": lambda b: setattr(b.agent, "batches", ()),
        "offer unknown to its framework": lambda b: b.framework.offers.discard(b.batch),
        "offer over": lambda b: b.state.offers.discard(b.batch),
        "offered more than there is": lambda b: setattr(b.agent, "total", CPUS.unallocated()),
        "agent not found by pid": lambda b: b.state.agents_by_pid.clear(),
        "framework not found by pid": lambda b: b.state.frameworks_by_pid.clear(),
        "framework gone": lambda b: b.state.frameworks.clear(),
        "agent gone": lambda b: b.state.agents.clear(),
        "agent registered and unreachable": lambda b: b.state.unreachable_agents.update({"S1": v0.TimeInfo()}),
    }
    for slip, make in slips.items():
        books = Books()
        make(books)
        assert books.problems(), slip


def test_a_task_keeps_its_statuses_and_encodes_as_a_whole_task() -> None:
    """What is kept apart in memory is one message for everybody else."""
    base = v0.Task(name="n", task_id=v0.TaskID(value="t"), framework_id=v0.FrameworkID(value="F"))
    base.slave_id.value = "S1"
    record = TaskRecord("t", "F", "S1", "", CPUS, base.SerializePartialToString())
    record.state = v0.TASK_RUNNING
    record.status_update_state = v0.TASK_STAGING
    record.status_update_uuid = b"u" * 16
    record.statuses.append(builders.status("t", v0.TASK_RUNNING).SerializeToString())
    message = record.message()
    assert (message.name, message.state, message.status_update_state) == ("n", v0.TASK_RUNNING, v0.TASK_STAGING)
    assert message.statuses[0].state == v0.TASK_RUNNING


def test_the_oldest_removed_agents_are_forgotten() -> None:
    """A hundred thousand are remembered (Y1)."""
    state = MasterState(v0.MasterInfo(id="M"))
    for number in range(100_001):
        state.removed_agents[f"S{number}"] = 0.0
    books = Books()
    state.add_agent(books.agent)
    state.remove_agent(books.agent, 1.0)
    assert len(state.removed_agents) == 100_000
    assert "S0" not in state.removed_agents
    assert "S1" in state.removed_agents
