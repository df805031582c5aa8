"""Reconciliation answers what the master knows (M16, M17)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support.clusters import AWARE, running, told

UNKNOWN = "Reconciliation: Task is unknown"


@pytest.fixture(params=[False, True], ids=["v0", "v1"])
def framework(cluster: Cluster, request: pytest.FixtureRequest) -> SimulatedScheduler:
    """Give a partition-aware framework, on either API."""
    return cluster.framework(http=request.param, checkpoint=True, capabilities=AWARE)


def answers(cluster: Cluster, framework: SimulatedScheduler, *asked: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Reconcile and give the answers."""
    framework.statuses.clear()
    framework.reconcile(*asked)
    cluster.settle()
    assert all(not status.uuid for status in framework.statuses)
    return [told(status) for status in framework.statuses]


def test_a_known_task_is_answered_with_its_latest_state(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """Asked for, with or without its agent, and implicitly."""
    task = running(cluster, framework)
    latest = [("RUNNING", "RECONCILIATION", "Reconciliation: Latest task state")]
    assert answers(cluster, framework, (task, cluster.agents[0].id)) == latest
    assert answers(cluster, framework, (task, "")) == latest
    assert answers(cluster, framework) == latest


def test_an_unknown_task_on_a_registered_agent_is_gone(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """The agent would have told us."""
    agent = cluster.agents[0].id
    expected = [("GONE", "RECONCILIATION", "Reconciliation: Task is unknown to the agent")]
    assert answers(cluster, framework, ("nothing", agent)) == expected


def test_an_unknown_task_on_an_unknown_agent_is_unknown(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """Also without any agent."""
    assert answers(cluster, framework, ("nothing", "no-agent")) == [("UNKNOWN", "RECONCILIATION", UNKNOWN)]
    assert answers(cluster, framework, ("nothing", "")) == [("UNKNOWN", "RECONCILIATION", UNKNOWN)]


def test_a_framework_that_is_not_partition_aware_hears_lost(cluster: Cluster) -> None:
    """It knows no other word for all of these."""
    framework = cluster.framework()
    agent = cluster.agents[0].id
    assert answers(cluster, framework, ("nothing", agent))[0][0] == "LOST"
    assert answers(cluster, framework, ("nothing", "no-agent"))[0][0] == "LOST"


def test_nothing_is_said_of_agents_that_may_still_come_back(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """After a master's restart, until its agents have registered again or ten minutes have passed."""
    task = running(cluster, framework)
    agent = cluster.agents[0].id
    cluster.agents[0].kill(silent=True)
    cluster.master.restart()
    cluster.run_until(lambda: cluster.master.state.is_recovered)
    cluster.run_until(lambda: framework.is_connected and len(framework.subscriptions) == 2, within=60)
    assert answers(cluster, framework, (task, agent)) == []
    assert answers(cluster, framework, (task, "")) == []
    assert answers(cluster, framework) == []
    cluster.advance(660)
    assert answers(cluster, framework, (task, agent)) == [
        ("UNREACHABLE", "RECONCILIATION", "Reconciliation: Task is unreachable")
    ]


def test_several_questions_are_answered_in_order(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """One answer each."""
    tasks = [running(cluster, framework, cpus=0.5) for _ in range(3)]
    framework.statuses.clear()
    framework.reconcile(*[(task, "") for task in reversed(tasks)])
    cluster.settle()
    assert [status.task_id.value for status in framework.statuses] == list(reversed(tasks))


def test_an_ended_task_is_answered_with_what_its_scheduler_has_not_acknowledged(
    make_cluster: Callable[..., Cluster],
) -> None:
    """The state of the update that is on its way, not the latest one."""
    cluster = make_cluster()
    framework = cluster.framework(acknowledges=False, capabilities=AWARE)
    task = framework.launch("sleep 1", executor="v0-executor")
    cluster.advance(5)
    assert framework.states(task) == ["RUNNING"]
    assert answers(cluster, framework) == [("RUNNING", "RECONCILIATION", "Reconciliation: Latest task state")]


def test_an_acknowledged_end_is_forgotten(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """The task is among the completed ones, which nobody is told of."""
    task = framework.launch("sleep 1")
    cluster.run_until(lambda: "FINISHED" in framework.states(task))
    cluster.settle()
    assert answers(cluster, framework) == []
    assert answers(cluster, framework, (task, cluster.agents[0].id))[0][0] == "GONE"
