"""Operations with feedback: what their framework hears, whoever dies meanwhile (M18, G6)."""

from __future__ import annotations

from typing import Any

import pytest

from messor.protos import internal, v0
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support import builders
from support.operations import create, destroy, launch, reserve, unreserve, volume

CAPABILITIES = ("reservation_refinement", "shared_resources", "partition_aware")


def subscribe(cluster: Cluster, **options: Any) -> SimulatedScheduler:
    """Start a framework of role ``web`` and wait for its first offer."""
    options = {"failover_timeout": 1e6, "checkpoint": True, **options}
    framework = cluster.framework(http=True, roles=["web"], capabilities=CAPABILITIES, **options)
    cluster.run_until(lambda: framework.offers)
    return framework


def states(framework: SimulatedScheduler) -> list[tuple[str, str]]:
    """Give what the framework heard, as (operation id, state)."""
    return [(one.operation_id.value, v0.OperationState.Name(one.state)[10:]) for one in framework.operations]


def pending(cluster: Cluster) -> tuple[int, int]:
    """Count the operations that master and agent still know."""
    agent = cluster.agents[0]
    return len(cluster.master.state.agents[agent.id].operations), len(agent.actor.tables.operations)


def reserved(cluster: Cluster) -> str:
    """Say what master and agent believe to be reserved; they must agree."""
    agent = cluster.agents[0]
    of_master = cluster.master.state.agents[agent.id].checkpointed
    assert agent.actor.tables.total.filter(lambda kind: kind.is_dynamic) == of_master
    assert cluster.master.actor.allocator.books.agents[agent.id].total == cluster.master.state.agents[agent.id].total
    return str(of_master)


WEB = "cpus(reservations: [(DYNAMIC,web)]):1"


def test_an_operation_is_told_once_and_forgotten_when_acknowledged(cluster: Cluster) -> None:
    """By master and agent alike."""
    framework = subscribe(cluster)
    framework.perform(list(framework.offers), [reserve("cpus:1", "web", "one")])
    cluster.run_until(lambda: framework.operations)
    cluster.advance(100)
    assert states(framework) == [("one", "FINISHED")]
    assert pending(cluster) == (0, 0)
    assert reserved(cluster) == WEB


def test_an_operation_without_id_is_acknowledged_by_the_master(cluster: Cluster) -> None:
    """Its framework hears nothing; the agent does not tell it for ever."""
    framework = subscribe(cluster)
    told = cluster.network.expect(internal.UpdateOperationStatusMessage)
    framework.perform(list(framework.offers), [reserve("cpus:1", "web")])
    cluster.run_until(lambda: told)
    cluster.advance(100)
    assert (states(framework), pending(cluster), len(told.messages)) == ([], (0, 0), 1)


def test_what_is_not_acknowledged_is_told_again(cluster: Cluster) -> None:
    """After ten seconds, then twenty; also by an agent that restarted, and to a master that did."""
    framework = subscribe(cluster, acknowledges=False)
    framework.perform(list(framework.offers), [reserve("cpus:1", "web", "one")])
    cluster.run_until(lambda: len(framework.operations) == 3, within=31)
    cluster.agents[0].restart()
    cluster.run_until(lambda: len(framework.operations) == 4, within=9)
    cluster.master.restart()
    cluster.run_until(lambda: len(framework.operations) == 5, within=200)
    assert len({one.uuid.value for one in framework.operations}) == 1
    assert pending(cluster) == (1, 1)
    framework.acknowledge_operation(framework.operations[-1])
    cluster.settle()
    assert pending(cluster) == (0, 0)
    assert reserved(cluster) == WEB


def test_an_operation_that_got_lost_is_dropped(cluster: Cluster) -> None:
    """When its agent returns the master asks; what was converted in the master's books is converted back."""
    framework = subscribe(cluster)
    cluster.network.drop(internal.ApplyOperationMessage, times=1)
    framework.perform(list(framework.offers), [reserve("cpus:1", "web", "one")])
    cluster.settle()
    assert pending(cluster) == (1, 0)
    cluster.network.reset(cluster.agents[0].host, cluster.master.host)
    cluster.run_until(lambda: framework.operations)
    assert states(framework) == [("one", "DROPPED")]
    assert pending(cluster) == (0, 0)
    assert reserved(cluster) == "{}"


def test_operations_of_an_unreachable_agent_are_unreachable(cluster: Cluster) -> None:
    """And what they were when it returns."""
    framework = subscribe(cluster, acknowledges=False)
    framework.perform(list(framework.offers), [reserve("cpus:1", "web", "one")])
    cluster.run_until(lambda: framework.operations)
    agent = cluster.agents[0]
    agent_id = agent.id
    cluster.network.partition([agent.host], [cluster.master.host])
    cluster.run_until(lambda: states(framework)[-1] == ("one", "UNREACHABLE"), within=120)
    assert framework.operations[-1].message == "Agent was marked unreachable"
    framework.reconcile_operations(("one", agent_id))
    cluster.settle()
    assert framework.operations[-1].message == "Reconciliation: Agent is unreachable"
    cluster.network.heal()
    cluster.run_until(lambda: states(framework)[-1] == ("one", "FINISHED"), within=120)
    assert reserved(cluster) == WEB


def test_operations_of_a_framework_that_ended_are_acknowledged(cluster: Cluster) -> None:
    """Nobody else will."""
    framework = subscribe(cluster, acknowledges=False)
    framework.perform(list(framework.offers), [reserve("cpus:1", "web", "one")])
    cluster.run_until(lambda: framework.operations)
    framework.teardown()
    cluster.run_until(lambda: pending(cluster) == (0, 0), within=30)
    assert reserved(cluster) == WEB


def test_orphans_wait_ten_minutes_for_their_framework(cluster: Cluster) -> None:
    """After a failover the master knows operations of frameworks it has not heard of; then it gives them up."""
    framework = subscribe(cluster, acknowledges=False)
    framework.perform(list(framework.offers), [reserve("cpus:1", "web", "one")])
    cluster.run_until(lambda: framework.operations)
    framework.resubscribes = False
    cluster.master.restart()
    cluster.run_until(cluster.is_complete, within=120)
    cluster.advance(500)
    assert pending(cluster) == (1, 1)
    cluster.run_until(lambda: pending(cluster) == (0, 0), within=800)


def test_questions_about_operations_are_answered(cluster: Cluster) -> None:
    """With the latest status, which nobody need acknowledge, or why there is none."""
    framework = subscribe(cluster, acknowledges=False)
    agent_id = cluster.agents[0].id
    framework.perform(list(framework.offers), [reserve("cpus:1", "web", "one")])
    cluster.run_until(lambda: framework.operations)
    framework.operations.clear()
    framework.reconcile_operations()
    cluster.settle()
    framework.reconcile_operations(("one", agent_id), ("two", agent_id), ("three", "S9"), ("four", ""))
    cluster.settle()
    assert [*states(framework)] == [
        ("one", "FINISHED"), ("one", "FINISHED"), ("two", "UNKNOWN"), ("three", "UNKNOWN"), ("four", "UNKNOWN"),
    ]  # fmt: skip
    assert [one.message.removeprefix("Reconciliation: ") for one in framework.operations] == [
        "",
        "",
        "Operation is unknown",
        "Both operation and agent are unknown",
        "Operation is unknown and no 'agent_id' was provided",
    ]
    assert not any(one.HasField("uuid") for one in framework.operations)


def test_volumes_and_their_data_survive_all_but_destroy(cluster: Cluster) -> None:
    """The agent's restart, its host's, and a new id of the agent (V5)."""
    framework = subscribe(cluster)
    agent = cluster.agents[0]
    operations = [reserve("disk:100", "web"), create(volume("web"), "made")]
    framework.perform(list(framework.offers), operations)
    cluster.run_until(lambda: framework.operations)
    folder = "/var/lib/mesos/volumes/roles/web/vol"
    agent.host.disk.write(f"{folder}/file", b"precious")
    agent.restart()
    cluster.run_until(cluster.is_complete, within=60)
    agent.power_off()
    cluster.settle()
    agent.start()
    cluster.run_until(cluster.is_complete, within=200)
    assert agent.host.disk.read(f"{folder}/file") == b"precious"
    old = agent.id
    agent.host.disk.remove("/var/lib/mesos/meta/slaves/latest")
    agent.restart()
    cluster.run_until(lambda: cluster.is_complete() and agent.id != old, within=200)
    assert agent.host.disk.read(f"{folder}/file") == b"precious"

    def has_volume(offer: v0.Offer) -> bool:
        return any(one.disk.HasField("persistence") for one in offer.resources)

    cluster.run_until(lambda: any(map(has_volume, framework.offers.values())), within=60)
    (offer_id,) = [key for key, offer in framework.offers.items() if has_volume(offer)]
    framework.perform([offer_id], [destroy(volume("web"), "gone"), unreserve("disk:100", "web", "free")])
    cluster.run_until(lambda: len(framework.operations) == 3)
    assert states(framework)[1:] == [("gone", "FINISHED"), ("free", "FINISHED")]
    assert not agent.host.disk.exists(folder)
    assert reserved(cluster) == "{}"


@pytest.mark.parametrize("same_call", [True, False])
def test_a_shared_volume_is_used_by_several_tasks(cluster: Cluster, *, same_call: bool) -> None:
    """It is offered while used, counted once, and destroyed only when nobody uses it (V10)."""
    framework = subscribe(cluster)
    agent = cluster.agents[0]
    common = volume("web", shared=True)
    needs = [*builders.resources("cpus:0.1;mem:32"), common]
    first = [reserve("disk:100", "web", "one"), create(common, "two")]
    tasks = [("t1", needs), ("t2", needs)]
    if same_call:
        framework.perform(list(framework.offers), [*first, launch(agent.id, *tasks)])
    else:
        framework.perform(list(framework.offers), [*first, launch(agent.id, tasks[0])])
        cluster.run_until(lambda: "RUNNING" in framework.states("t1"))
        cluster.run_until(lambda: framework.offers)
        framework.perform(list(framework.offers), [launch(agent.id, tasks[1])])
    cluster.run_until(lambda: all("RUNNING" in framework.states(task) for task, _ in tasks))
    cluster.run_until(lambda: framework.offers)
    assert cluster.master.state.agents[agent.id].total.disk == 10000
    framework.perform(list(framework.offers), [destroy(common, "three")])
    cluster.run_until(lambda: len(framework.operations) == 3)
    assert "Persistent volumes in use" in framework.operations[-1].message
    for task, _ in tasks:
        framework.kill(task)
    cluster.run_until(lambda: all("KILLED" in framework.states(task) for task, _ in tasks), within=60)
    cluster.advance(5)
    framework.perform(list(framework.offers), [destroy(common, "four")])
    cluster.run_until(lambda: len(framework.operations) == 4)
    assert states(framework)[-1] == ("four", "FINISHED")
    assert not agent.host.disk.exists("/var/lib/mesos/volumes/roles/web/vol")


def test_reservations_are_refined_by_their_owners_only(cluster: Cluster) -> None:
    """A child role reserves from what its parent has; both formats stay out of each other's way (V3)."""
    parent = subscribe(cluster)
    parent.perform(list(parent.offers), [reserve("cpus:2", "web", "one")])
    cluster.run_until(lambda: parent.operations)
    parent.decline(refuse_seconds=1e6)
    cluster.settle()
    child = cluster.framework(http=True, roles=["web/team"], capabilities=CAPABILITIES)
    cluster.run_until(lambda: child.offers)
    refined = reserve("cpus:2", "web", "two")
    refined.reserve.resources[0].reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="web/team")
    child.perform(list(child.offers), [refined])
    cluster.run_until(lambda: child.operations)
    assert states(child) == [("two", "FINISHED")]
    assert reserved(cluster) == "cpus(reservations: [(DYNAMIC,web),(DYNAMIC,web/team)]):2"
    cluster.agents[0].restart()
    cluster.run_until(cluster.is_complete, within=60)
    assert reserved(cluster) == "cpus(reservations: [(DYNAMIC,web),(DYNAMIC,web/team)]):2"
