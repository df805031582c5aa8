"""The drivers' sessions against a whole cluster: schedulers and executors as framework authors write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.drivers.backoff import Backoff
from messor.simulation.cluster import Cluster
from support.clusters import AWARE, running

BOTH = pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])
EXECUTORS = pytest.mark.parametrize("executor", ["v0-driver", "v1-driver"])


@BOTH
@EXECUTORS
def test_a_task_runs_to_its_end(cluster: Cluster, executor: str, *, http: bool) -> None:
    """Through four codecs: scheduler to master, agent to executor, and back."""
    framework = cluster.framework(driver=True, http=http)
    task = framework.launch("sleep 5", executor=executor)
    cluster.run_until(lambda: "FINISHED" in framework.states(task))
    cluster.advance(60)
    assert framework.states(task) == ["RUNNING", "FINISHED"]
    assert cluster.master.state.frameworks[framework.framework_id].tasks == {}


@BOTH
@EXECUTORS
def test_messages_travel_both_ways(cluster: Cluster, executor: str, *, http: bool) -> None:
    """A v0 driver sends them straight to the agent (S33)."""
    framework = cluster.framework(driver=True, http=http)
    running(cluster, framework, executor=executor)
    framework.say(executor, cluster.agents[0].id, b"\x00\xff")
    cluster.run_until(lambda: framework.messages)
    assert framework.messages == [b"echo: \x00\xff"]


@BOTH
@EXECUTORS
def test_a_restarted_agent_is_not_noticed(cluster: Cluster, executor: str, *, http: bool) -> None:
    """The executor's driver waits for it and tells what it had not got acknowledged (S51, S57)."""
    framework = cluster.framework(driver=True, http=http, checkpoint=True, failover_timeout=600)
    task = running(cluster, framework, "sleep 20; exit 0", executor=executor)
    cluster.agents[0].kill()
    cluster.advance(30)
    cluster.agents[0].start()
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=60)
    assert framework.states(task) == ["RUNNING", "FINISHED"]
    assert cluster.ledger.unheard() == []


@BOTH
def test_a_restarted_master_is_subscribed_to_again(cluster: Cluster, *, http: bool) -> None:
    """``reregistered``, as it is the same driver (S2); the task runs on."""
    framework = cluster.framework(driver=True, http=http, checkpoint=True, failover_timeout=600, capabilities=AWARE)
    task = running(cluster, framework, "sleep 120; exit 0", executor="v1-driver")
    cluster.master.restart()
    cluster.run_until(lambda: len(framework.subscriptions) == 2, within=120)
    assert framework.subscriptions == ["registered", "reregistered"]
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=300)
    assert framework.errors == []


@BOTH
def test_each_failed_attempt_to_subscribe_draws_one_delay(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, *, http: bool
) -> None:
    """Or the bound on delays would grow faster than it doubles, and a short outage cost a minute (S42)."""
    framework = cluster.framework(driver=True, http=http, failover_timeout=600)
    cluster.run_until(lambda: framework.is_connected)
    draws: list[float] = []
    draw = Backoff.next
    monkeypatch.setattr(Backoff, "next", lambda backoff: draws.append(draw(backoff)) or draws[-1])
    begun = cluster.time
    cluster.master.kill()
    while cluster.time < begun + 40:
        cluster.advance(1)
    assert len(draws) >= 3
    assert sum(draws[:-1]) <= 40 <= sum(draws) + 5
    cluster.master.start()
    cluster.run_until(lambda: framework.is_connected, within=120)


@BOTH
def test_a_second_driver_takes_over(cluster: Cluster, *, http: bool) -> None:
    """With the framework's id it is ``registered`` (S1), and the first one's error is final (S10)."""
    first = cluster.framework(driver=True, http=http, failover_timeout=600)
    task = running(cluster, first, executor="v0-driver")
    second = cluster.framework(driver=True, http=http, failover_timeout=600, framework_id=first.framework_id)
    cluster.settle()
    assert first.errors == ["Framework failed over"]
    assert second.subscriptions == ["registered"]
    second.kill(task)
    cluster.run_until(lambda: "KILLED" in second.states(task))
    assert first.states(task) == ["RUNNING"]


@BOTH
def test_a_driver_that_stops_tears_its_framework_down(cluster: Cluster, *, http: bool) -> None:
    """Without failover (S17)."""
    framework = cluster.framework(driver=True, http=http, failover_timeout=600)
    running(cluster, framework, executor="v0-driver")
    framework.teardown()
    cluster.advance(20)
    assert cluster.master.state.frameworks == {}
    assert all(program.termination for program in cluster.agents[0].runtime.programs.values())


@BOTH
def test_launches_while_disconnected_are_lost_at_once(cluster: Cluster, *, http: bool) -> None:
    """The driver itself says so (S15)."""
    framework = cluster.framework(driver=True, http=http, checkpoint=True, failover_timeout=600)
    cluster.run_until(lambda: framework.offers)
    offers = list(framework.offers.values())
    cluster.master.kill()
    cluster.settle()
    assert not framework.is_connected
    framework.launch(task_id="late")
    info = framework.wanted.pop()
    info.slave_id.CopyFrom(offers[0].slave_id)
    framework.accept([offers[0].id.value], [info])
    assert framework.states("late") == ["LOST"]
    assert framework.last("late").message == "Master disconnected"
    cluster.master.start()
    cluster.run_until(lambda: framework.is_connected, within=120)


def test_drivers_find_their_way_through_a_bad_network(make_cluster: Callable[..., Cluster]) -> None:
    """Resets and a restart of everything."""
    cluster = make_cluster(seed=5, agents=2)
    frameworks = [
        cluster.framework(driver=True, http=http, checkpoint=True, failover_timeout=1e5) for http in (False, True)
    ]
    tasks = [
        (framework, running(cluster, framework, "sleep 300; exit 0", cpus=0.5, executor=executor))
        for framework in frameworks
        for executor in ("v0-driver", "v1-driver")
    ]
    for agent in cluster.agents:
        cluster.network.reset("master", agent.name)
        cluster.advance(20)
        agent.restart()
        cluster.advance(20)
    cluster.master.restart()
    cluster.run_until(lambda: all("FINISHED" in framework.states(task) for framework, task in tasks), within=1500)
    cluster.advance(5)
    assert cluster.ledger.unheard() == []
