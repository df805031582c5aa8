"""A master starts again on its registry and everybody comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.protos import internal
from messor.simulation.cluster import Cluster
from support.clusters import AWARE, running

BOTH = pytest.mark.parametrize("http", [False, True])


def back(cluster: Cluster, frameworks: int = 1) -> Callable[[], bool]:
    """Tell when all agents and that many frameworks are connected again."""
    return lambda: (
        cluster.is_complete()
        and sum(framework.is_connected for framework in cluster.master.state.frameworks.values()) == frameworks
    )


@BOTH
def test_agents_tasks_and_frameworks_are_readmitted(make_cluster: Callable[..., Cluster], *, http: bool) -> None:
    """With the ids they had; running tasks run on (H2, H8)."""
    cluster = make_cluster(agents=2)
    framework = cluster.framework(http=http, checkpoint=True, failover_timeout=600, capabilities=AWARE)
    tasks = [running(cluster, framework, "sleep 300; exit 0", cpus=3, executor=name) for name in ("", "v0-executor")]
    ids = [agent.id for agent in cluster.agents]
    before = {task: list(framework.states(task)) for task in tasks}
    cluster.master.restart()
    cluster.run_until(back(cluster), within=120)
    cluster.settle()
    assert [agent.id for agent in cluster.agents] == ids
    record = cluster.master.state.frameworks[framework.framework_id]
    assert sorted(record.tasks) == sorted(tasks)
    assert {task: framework.states(task) for task in tasks} == before
    cluster.run_until(lambda: all("FINISHED" in framework.states(task) for task in tasks), within=400)
    assert all(framework.states(task) == [*before[task], "FINISHED"] for task in tasks)


@BOTH
def test_a_master_that_was_away_for_long_finds_everything(make_cluster: Callable[..., Cluster], *, http: bool) -> None:
    """Tasks that ended meanwhile are reported when it is back."""
    cluster = make_cluster()
    framework = cluster.framework(http=http, checkpoint=True, failover_timeout=600)
    task = running(cluster, framework, "sleep 20; exit 0")
    cluster.master.kill()
    cluster.advance(300)
    cluster.master.start()
    cluster.run_until(back(cluster), within=200)
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=700)


def test_a_new_master_has_a_new_id_and_old_agents_keep_theirs(cluster: Cluster) -> None:
    """Ids made by the new one cannot clash with the old ones (protocols g)."""
    old = cluster.master.state.info.id
    cluster.master.restart()
    cluster.run_until(cluster.is_complete, within=120)
    assert cluster.master.state.info.id != old
    assert cluster.agents[0].id == f"{old}-S0"
    framework = cluster.framework()
    assert framework.framework_id == f"{cluster.master.state.info.id}-0000"


def test_an_agent_that_does_not_come_back_is_unreachable_after_ten_minutes(
    make_cluster: Callable[..., Cluster],
) -> None:
    """The registry remembers it as such (H8)."""
    cluster = make_cluster(agents=2)
    lost = cluster.agents[1].id
    cluster.agents[1].kill()
    cluster.master.restart()
    cluster.run_until(lambda: cluster.agents[0].is_registered, within=120)
    cluster.advance(500)
    assert list(cluster.master.state.recovered_agents) == [lost]
    cluster.advance(150)
    assert list(cluster.master.state.unreachable_agents) == [lost]
    cluster.master.restart()
    cluster.run_until(lambda: cluster.agents[0].is_registered, within=120)
    assert list(cluster.master.state.unreachable_agents) == [lost]
    cluster.agents[1].start()
    cluster.run_until(cluster.is_complete, within=120)
    assert cluster.agents[1].id == lost
    assert list(cluster.master.state.unreachable_agents) == []


def test_a_master_that_dies_before_it_answered_an_agent_knows_it_afterwards(
    make_cluster: Callable[..., Cluster],
) -> None:
    """It is in the registry before it is answered; asking again, it is a new agent and the old one lapses."""
    cluster = make_cluster(start=False)
    cluster.master.start()
    cluster.network.drop(internal.SlaveRegisteredMessage, times=None)
    cluster.agents[0].start()
    cluster.run_until(lambda: cluster.master.state.agents)
    cluster.master.kill()
    cluster.network.deliver_all()
    cluster.master.start()
    cluster.run_until(lambda: cluster.agents[0].id and cluster.is_complete(), within=120)
    cluster.advance(660)
    assert cluster.is_complete()
    assert len(cluster.master.state.agents) == 1


def test_a_framework_that_stays_away_is_known_from_its_agents(make_cluster: Callable[..., Cluster]) -> None:
    """Recovered: neither connected nor active, its task runs on (M24)."""
    cluster = make_cluster()
    framework = cluster.framework(checkpoint=True, failover_timeout=60)
    task = running(cluster, framework)
    cluster.hosts["framework-1"].kill()
    cluster.settle()
    cluster.master.restart()
    cluster.run_until(cluster.is_complete, within=120)
    record = cluster.master.state.frameworks[framework.framework_id]
    assert record.is_recovered
    assert list(record.tasks) == [task]
    second = cluster.framework(checkpoint=True, failover_timeout=60, framework_id=framework.framework_id)
    assert second.subscriptions == ["registered"]
    second.kill(task)
    cluster.run_until(lambda: "KILLED" in second.states(task))


def test_master_and_agent_restarting_together_lose_nothing(make_cluster: Callable[..., Cluster]) -> None:
    """Both come back from disk."""
    cluster = make_cluster()
    framework = cluster.framework(checkpoint=True, failover_timeout=600)
    task = running(cluster, framework, "sleep 60; exit 0", executor="v0-executor")
    cluster.master.kill()
    cluster.agents[0].kill()
    cluster.advance(5)
    cluster.agents[0].start()
    cluster.advance(5)
    cluster.master.start()
    cluster.run_until(back(cluster), within=200)
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=120)
    assert framework.states(task) == ["RUNNING", "FINISHED"]
