"""Executors that do not come up, or end too early (G7)."""

from __future__ import annotations

import pytest

from messor.errors import ConnectionLost
from messor.runtime.http import Request
from messor.simulation.cluster import Cluster
from messor.simulation.http import ClientConnection
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


@pytest.mark.parametrize("executor", ["", "v1-executor", "v1-driver"])
def test_an_update_made_while_an_executor_subscribes_again_is_heard(cluster: Cluster, executor: str) -> None:
    """It is in no SUBSCRIBE, and nobody would ask for it."""
    framework = cluster.framework(checkpoint=True, failover_timeout=1e6)
    task = running(cluster, framework, "sleep 30", executor=executor)
    agent = cluster.agents[0]
    agent.kill()
    agent.start()
    agent.freeze()  # SUBSCRIBE waits in its socket
    cluster.advance(40)
    agent.thaw()
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=100)


@pytest.mark.parametrize("executor", ["", "v1-executor", "v1-driver"])
def test_an_update_that_is_lost_with_its_connection_is_sent_again(cluster: Cluster, executor: str) -> None:
    """Although the event stream holds, so that the executor does not subscribe again."""
    framework = cluster.framework(checkpoint=True)
    task = running(cluster, framework, "sleep 30", executor=executor)
    (host,) = [host for name, host in cluster.hosts.items() if name.startswith("executor-")]

    def lose_update(connection: ClientConnection, request: Request) -> None:
        if connection.host is host and b"exited with status 0" in request.body:
            cluster.network.requesters.remove(lose_update)
            connection.close()
            raise ConnectionLost("broken on the way")

    cluster.network.requesters.append(lose_update)
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=60)
    assert lose_update not in cluster.network.requesters
