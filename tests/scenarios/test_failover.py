"""Schedulers go away: for a moment, for ever, or for another one to take over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support.clusters import running

BOTH = pytest.mark.parametrize("http", [False, True])


def process_of(cluster: Cluster, framework: SimulatedScheduler) -> str:
    """Name the process a scheduler runs in."""
    return f"framework-{cluster.frameworks.index(framework) + 1}"


@BOTH
def test_a_new_scheduler_takes_over_the_tasks(cluster: Cluster, *, http: bool) -> None:
    """It subscribes with the framework's id and finds everything as it was (M4)."""
    first = cluster.framework(http=http, failover_timeout=600)
    task = running(cluster, first, "sleep 60; exit 0")
    cluster.hosts[process_of(cluster, first)].kill()
    cluster.advance(30)
    second = cluster.framework(http=http, failover_timeout=600, framework_id=first.framework_id)
    assert second.subscriptions == ["registered"]
    second.reconcile()
    cluster.settle()
    assert second.states(task) == ["RUNNING"]
    cluster.run_until(lambda: "FINISHED" in second.states(task), within=120)
    assert list(cluster.master.state.frameworks) == [first.framework_id]


@BOTH
def test_a_scheduler_that_is_replaced_while_it_lives_is_told_so(cluster: Cluster, *, http: bool) -> None:
    """``Framework failed over``, and its offers count for nothing (M4)."""
    first = cluster.framework(http=http, failover_timeout=600)
    cluster.run_until(lambda: first.offers)
    second = cluster.framework(http=http, failover_timeout=600, framework_id=first.framework_id)
    cluster.settle()
    assert first.errors == ["Framework failed over"]
    assert second.errors == []
    cluster.run_until(lambda: second.offers)


def test_a_second_scheduler_without_force_is_refused(cluster: Cluster) -> None:
    """Two that believe to be the same framework do not take turns (M4)."""
    first = cluster.framework(failover_timeout=600)
    second = cluster.framework(failover_timeout=600, framework_id=first.framework_id, subscribe=False)
    second.force = False
    second.subscribe()
    cluster.run_until(lambda: second.errors or first.errors)
    cluster.settle()
    assert (first.errors, second.errors) in ((["Framework failed over"], []), ([], ["Framework failed over"]))


@BOTH
def test_a_framework_is_removed_when_its_timeout_runs_out(cluster: Cluster, *, http: bool) -> None:
    """Its tasks are killed, its id is never accepted again (M5, M6)."""
    first = cluster.framework(http=http, failover_timeout=60, checkpoint=True)
    running(cluster, first)
    cluster.hosts[process_of(cluster, first)].kill()
    cluster.advance(55)
    assert first.framework_id in cluster.master.state.frameworks
    cluster.advance(15)
    assert first.framework_id not in cluster.master.state.frameworks
    (completed,) = cluster.master.state.completed_frameworks.values()
    assert [v0.TaskState.Name(task.state) for task in completed.completed_tasks] == ["TASK_KILLED"]
    cluster.run_until(lambda: all(p.termination for p in cluster.agents[0].runtime.programs.values()))
    second = cluster.framework(http=http, framework_id=first.framework_id)
    assert second.errors == ["Framework has been removed"]


@BOTH
def test_without_a_timeout_a_framework_ends_with_its_connection(cluster: Cluster, *, http: bool) -> None:
    """The default is zero (M5)."""
    framework = cluster.framework(http=http)
    running(cluster, framework)
    cluster.hosts[process_of(cluster, framework)].kill()
    cluster.settle()
    cluster.advance(1)
    assert cluster.master.state.frameworks == {}


@BOTH
def test_a_scheduler_that_reconnects_in_time_keeps_its_framework(cluster: Cluster, *, http: bool) -> None:
    """A reset connection is made good within a second."""
    framework = cluster.framework(http=http, failover_timeout=60)
    task = running(cluster, framework, "sleep 20; exit 0")
    cluster.network.reset("master", process_of(cluster, framework))
    cluster.settle()
    if framework.errors:  # libprocess drivers that are alive are told that they were taken for dead, and abort
        assert framework.errors == ["Framework disconnected"]
        framework.resubscribes = True
        framework.subscribe()
    cluster.run_until(lambda: framework.is_connected and len(framework.subscriptions) == 2, within=30)
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=60)
    cluster.advance(120)
    assert framework.framework_id in cluster.master.state.frameworks


@BOTH
def test_a_teardown_ends_everything_without_a_word_to_the_scheduler(cluster: Cluster, *, http: bool) -> None:
    """Executors are shut down, no update is sent (M6)."""
    framework = cluster.framework(http=http, checkpoint=True)
    task = running(cluster, framework, executor="v0-executor")
    heard = list(framework.states(task))
    framework.teardown()
    cluster.advance(20)
    assert framework.states(task) == heard
    assert cluster.master.state.frameworks == {}
    assert all(program.termination for program in cluster.agents[0].runtime.programs.values())
    other = cluster.framework()
    assert running(cluster, other, cpus=4)


def test_offers_of_a_scheduler_that_left_go_to_the_others(make_cluster: Callable[..., Cluster]) -> None:
    """At the next allocation."""
    cluster = make_cluster()
    first = cluster.framework(failover_timeout=1000)
    cluster.run_until(lambda: first.offers)
    second = cluster.framework()
    cluster.advance(5)
    assert second.offers == {}
    cluster.hosts[process_of(cluster, first)].kill()
    cluster.run_until(lambda: second.offers, within=5)
