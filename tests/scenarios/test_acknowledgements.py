"""Updates are delivered until they are acknowledged, in order, once each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from messor.protos import internal, v0, v0_scheduler
from messor.simulation.cluster import Cluster
from support.clusters import running


def sent_by_agent(cluster: Cluster, state: int) -> list[float]:
    """Give the times at which the agent's updates of a state reached the master."""
    times = []
    for entry in cluster.trace.messages("mesos.internal.StatusUpdateMessage"):
        if entry.receiver.startswith("master@"):
            update = internal.StatusUpdateMessage.FromString(entry.body).update
            if update.status.state == state:
                times.append(entry.time)
    return times


@pytest.mark.parametrize("http", [False, True])
def test_an_update_is_resent_until_it_is_acknowledged(cluster: Cluster, *, http: bool) -> None:
    """After ten seconds, then twenty, doubling up to ten minutes (G5)."""
    framework = cluster.framework(http=http, acknowledges=False)
    framework.launch("sleep 100000", executor="v0-executor")
    cluster.run_until(lambda: framework.statuses)
    cluster.advance(3600)
    times = sent_by_agent(cluster, v0.TASK_RUNNING)
    gaps = [round(later - earlier) for earlier, later in pairwise(times)]
    assert gaps == [10, 20, 40, 80, 160, 320, 600, 600, 600, 600]
    assert len({status.uuid for status in framework.statuses}) == 1


def test_a_lost_acknowledgement_is_made_up_for(cluster: Cluster) -> None:
    """The update comes again ten seconds later, and its second acknowledgement is enough."""
    framework = cluster.framework()
    cluster.network.drop(internal.StatusUpdateAcknowledgementMessage, times=1, to=cluster.agents[0].actor.upid)
    task = framework.launch(executor="v0-executor")
    cluster.run_until(lambda: len(framework.updates(task)) == 2, within=30)
    cluster.advance(100)
    assert framework.states(task) == ["RUNNING", "RUNNING"]


def test_only_the_first_unacknowledged_update_is_on_its_way(cluster: Cluster) -> None:
    """FINISHED waits until RUNNING was acknowledged."""
    framework = cluster.framework(acknowledges=False)
    task = framework.launch("sleep 1", executor="v0-executor")
    cluster.advance(5)
    assert framework.states(task) == ["RUNNING"]
    framework.acknowledge(framework.last(task))
    cluster.settle()
    assert framework.states(task) == ["RUNNING", "FINISHED"]
    framework.acknowledge(framework.last(task))
    cluster.advance(100)
    assert framework.states(task) == ["RUNNING", "FINISHED"]


def test_resources_are_free_before_the_scheduler_has_caught_up(cluster: Cluster) -> None:
    """The update carries the latest state, and that one frees them (M14)."""
    framework = cluster.framework(acknowledges=False)
    task = framework.launch("sleep 1", cpus=4, executor="")
    cluster.advance(20)
    record = cluster.master.state.frameworks[framework.framework_id].tasks[task]
    assert framework.states(task)[0] == "STARTING"
    assert record.is_terminal
    assert cluster.master.state.agents[cluster.agents[0].id].total_used().cpus == 0
    assert framework.offers


def test_an_acknowledgement_of_another_uuid_counts_for_nothing(cluster: Cluster) -> None:
    """The update is sent again as if nothing had come (M15)."""
    framework = cluster.framework(acknowledges=False)
    task = framework.launch(executor="v0-executor")
    cluster.run_until(lambda: framework.updates(task))
    wrong = v0.TaskStatus()
    wrong.CopyFrom(framework.last(task))
    wrong.uuid = b"x" * 16
    framework.acknowledge(wrong)
    cluster.advance(12)
    assert len(framework.updates(task)) == 2


def test_updates_and_acknowledgements_that_come_twice_count_once(cluster: Cluster) -> None:
    """Each way, on every leg: what is heard is in order and the books balance."""
    for message in (internal.StatusUpdateMessage, internal.StatusUpdateAcknowledgementMessage):
        cluster.network.duplicate(message, times=None)
    framework = cluster.framework()
    tasks = [framework.launch("sleep 1", cpus=0.1, executor="v0-executor") for _ in range(10)]
    cluster.run_until(lambda: all("FINISHED" in framework.states(task) for task in tasks))
    cluster.advance(100)
    for task in tasks:
        assert list(dict.fromkeys(framework.states(task))) == ["RUNNING", "FINISHED"]
    assert cluster.master.state.frameworks[framework.framework_id].tasks == {}


def test_reconciliation_does_not_overtake_a_launch(cluster: Cluster) -> None:
    """The scheduler asks right behind its ACCEPT, and the task is known (W4)."""
    framework = cluster.framework()
    cluster.run_until(lambda: framework.offers)
    task = framework.launch()
    framework.reconcile((task, ""))
    cluster.settle()
    assert framework.states(task)[0] == "STAGING"


def test_updates_survive_a_bad_network(make_cluster: Callable[..., Cluster]) -> None:
    """A tenth of all messages is lost for a while; every update arrives in the end."""
    cluster = make_cluster(seed=11)
    framework = cluster.framework()
    tasks = [running(cluster, framework, "sleep 3", cpus=0.1, executor="v0-executor") for _ in range(10)]
    cluster.network.drop(internal.StatusUpdateMessage, times=7, sender=cluster.agents[0].actor.upid)
    cluster.network.drop(v0_scheduler.Call, times=5)
    cluster.run_until(lambda: all("FINISHED" in framework.states(task) for task in tasks), within=600)
    cluster.advance(1500)
    assert cluster.ledger.unheard() == []
    assert cluster.master.state.frameworks[framework.framework_id].tasks == {}
