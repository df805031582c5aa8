"""The master's metrics: every name Mesos has, and numbers that are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from messor.master.flags import MasterFlags
from messor.master.master import Master
from messor.master.metrics import MasterMetrics
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState, FrameworkState
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.model.resources import Resources
from messor.protos import v0
from messor.runtime.metrics import Metrics
from messor.simulation.world import World
from messor.storage.in_memory import InMemoryStorage
from messor.wire.upid import Upid
from support import builders

RECORDED = (Path(__file__).parent / "recorded_metrics.txt").read_text().split()


class StoppedClock:
    """A clock that says ten."""

    def now(self) -> float:
        """Say it."""
        return 10.0


def figures(state: MasterState) -> dict[str, float]:
    """Take a snapshot of a state."""
    metrics = Metrics()
    MasterMetrics(metrics, state, StoppedClock())  # type: ignore[arg-type]
    return metrics.snapshot()


class DurableStorage(InMemoryStorage):
    """Claims to be on disk, as the default store is."""

    is_durable = True


def test_every_metric_of_mesos_is_there_from_the_start() -> None:
    """Dashboards show zeros, not gaps, before anything happens."""
    world = World(0)
    host = world.start("master", "10.0.0.1", 5050)
    host.spawn(Master(host, MasterFlags(), DurableStorage()))
    world.settle()
    assert sorted(set(RECORDED) - set(host.metrics.snapshot())) == []
    world.close()


def test_resources_are_added_up_over_agents() -> None:
    """Totals, what tasks use, and the part of it; oversubscribed ones apart."""
    state = MasterState(v0.MasterInfo(id="M"))
    state.started_at = 4.0
    more = builders.resources("cpus:0.5")
    more[0].revocable.SetInParent()
    for number in range(2):
        agent = AgentRecord(
            builders.agent_info(agent_id=f"S{number}"),
            Upid("slave(1)", f"10.0.0.{number}", 5051),
            "1.11.0",
            Resources.of([*builders.resources("cpus:0.3;mem:100"), *more]),
        )
        agent.become(AgentState.ACTIVE)
        agent.is_connected = number == 0
        state.add_agent(agent)
    framework = FrameworkRecord("F", builders.framework_info(framework_id="F"), max_completed=1, max_unreachable=1)
    framework.become(FrameworkState.ACTIVE)
    state.add_framework(framework)
    task = TaskRecord("t", "F", "S0", "", Resources.of(builders.resources("cpus:0.1;mem:50")).allocated_to("*"), b"")
    task.state = v0.TASK_RUNNING
    state.add_task(task)
    now = figures(state)
    expected = {
        "cpus_total": 0.6,
        "cpus_used": 0.1,
        "cpus_revocable_total": 1.0,
        "cpus_revocable_used": 0.0,
        "mem_percent": 0.25,
        "gpus_percent": 0.0,
        "uptime_secs": 6.0,
        "slaves_connected": 1.0,
        "slaves_disconnected": 1.0,
        "slaves_active": 1.0,
        "slaves_inactive": 1.0,
        "frameworks_active": 1.0,
        "tasks_running": 1.0,
        "tasks_staging": 0.0,
    }
    assert {name: now[f"master/{name}"] for name in expected} == pytest.approx(expected)


def test_ended_tasks_are_counted_by_source_and_reason() -> None:
    """Unreachable is not an end, but has a reason too."""
    metrics = Metrics()
    counted = MasterMetrics(metrics, MasterState(v0.MasterInfo(id="M")), StoppedClock())  # type: ignore[arg-type]
    counted.task_ended(v0.TASK_FAILED, v0.TaskStatus.SOURCE_EXECUTOR, None)
    counted.task_ended(v0.TASK_LOST, v0.TaskStatus.SOURCE_MASTER, v0.TaskStatus.REASON_SLAVE_REMOVED)
    counted.task_ended(v0.TASK_LOST, v0.TaskStatus.SOURCE_MASTER, v0.TaskStatus.REASON_SLAVE_REMOVED)
    counted.task_ended(v0.TASK_UNREACHABLE, v0.TaskStatus.SOURCE_MASTER, v0.TaskStatus.REASON_SLAVE_REMOVED)
    now = metrics.snapshot()
    assert (now["master/tasks_failed"], now["master/tasks_lost"]) == (1.0, 2.0)
    assert now["master/task_lost/source_master/reason_slave_removed"] == 2.0
    assert now["master/task_unreachable/source_master/reason_slave_removed"] == 1.0
