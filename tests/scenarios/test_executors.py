"""Executors that do not come up, or end too early (G7)."""

from __future__ import annotations

from messor.simulation.cluster import Cluster
from support.clusters import AWARE, running, told


def test_an_executor_that_never_registers_is_given_up_after_a_minute(cluster: Cluster) -> None:
    """Its container is destroyed and its task failed, with the reason."""
    framework = cluster.framework()
    task = framework.launch(executor="sleep 100000")
    began = cluster.time
    cluster.run_until(lambda: framework.updates(task), within=120)
    assert 59 <= cluster.time - began <= 65
    assert told(framework.last(task))[:2] == ("FAILED", "EXECUTOR_REGISTRATION_TIMEOUT")
    cluster.settle()
    assert all(program.termination for program in cluster.agents[0].runtime.programs.values())


def test_an_executor_that_ends_before_it_registers_fails_its_task(cluster: Cluster) -> None:
    """At once, not after a minute."""
    framework = cluster.framework()
    task = framework.launch(executor="exit 1")
    cluster.run_until(lambda: framework.updates(task), within=10)
    assert framework.states(task) == ["FAILED"]
    cluster.settle()
    assert framework.lost_executors == [("exit 1", 256)]


def test_resources_of_a_failed_executor_come_back(cluster: Cluster) -> None:
    """Those of the executor too."""
    framework = cluster.framework()
    task = framework.launch(executor="exit 1", cpus=3)
    cluster.run_until(lambda: framework.updates(task))
    cluster.run_until(lambda: framework.offers)
    assert running(cluster, framework, cpus=4)


def test_an_idle_custom_executor_keeps_its_resources(cluster: Cluster) -> None:
    """Until it is shut down."""
    framework = cluster.framework()
    task = framework.launch("sleep 1", executor="v0-executor")
    cluster.run_until(lambda: "FINISHED" in framework.states(task))
    cluster.advance(60)
    record = cluster.master.state.agents[cluster.agents[0].id]
    assert record.total_used().cpus == 0.1
    framework.shut_down_executor("v0-executor", record.id)
    cluster.advance(10)
    assert record.total_used().cpus == 0


def test_an_ended_command_executor_leaves_nothing_behind(cluster: Cluster) -> None:
    """Neither at the agent nor at the master."""
    framework = cluster.framework(capabilities=AWARE)
    for _ in range(5):
        task = framework.launch("exit 0")
        cluster.run_until(lambda task=task: "FINISHED" in framework.states(task))
    cluster.advance(5)
    assert cluster.master.state.agents[cluster.agents[0].id].total_used().cpus == 0
    assert [one for _, one in cluster.agents[0].actor.tables.executors()] == []
    assert framework.lost_executors == []
