"""Offer operations and task groups, and what of them survives a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support import builders

BOTH = pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])
Operation = v0.Offer.Operation
REFINED = ("reservation_refinement",)


def dynamic(text: str, role: str) -> list[v0.Resource]:
    """Make dynamically reserved resources, in the refined format."""
    made = builders.resources(text)
    for resource in made:
        resource.ClearField("role")
        resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=role)
    return made


def reserve(text: str, role: str) -> Operation:
    """Make RESERVE."""
    operation = Operation(type=Operation.RESERVE)
    operation.reserve.resources.extend(dynamic(text, role))
    return operation


def volume(role: str, persistence_id: str = "vol") -> v0.Resource:
    """Make a persistent volume of 100 MB."""
    (made,) = dynamic("disk:100", role)
    made.disk.persistence.id = persistence_id
    made.disk.volume.container_path = "data"
    made.disk.volume.mode = v0.Volume.RW
    return made


def create(role: str) -> Operation:
    """Make CREATE."""
    operation = Operation(type=Operation.CREATE)
    operation.create.volumes.append(volume(role))
    return operation


def launch(agent_id: str, resources: list[v0.Resource]) -> Operation:
    """Make LAUNCH of one task."""
    task = builders.task("t", agent_id=agent_id)
    del task.resources[:]
    task.resources.extend(resources)
    operation = Operation(type=Operation.LAUNCH)
    operation.launch.task_infos.append(task)
    return operation


def offered(framework: SimulatedScheduler, name: str) -> list[v0.Resource]:
    """Give the resources of a name in all offers in hand."""
    return [one for offer in framework.offers.values() for one in offer.resources if one.name == name]


def reserved_cpus(framework: SimulatedScheduler) -> float:
    """Add up the reserved cpus in all offers in hand."""
    return sum(one.scalar.value for one in offered(framework, "cpus") if one.reservations)


@BOTH
def test_reserve_create_and_launch_work_in_one_call(cluster: Cluster, *, http: bool) -> None:
    """Each sees the result of those before it (M11)."""
    framework = cluster.framework(http=http, roles=["web"], capabilities=REFINED, checkpoint=True)
    cluster.run_until(lambda: framework.offers)
    agent = cluster.agents[0].id
    operations = [
        reserve("cpus:1;mem:64;disk:100", "web"),
        create("web"),
        launch(agent, [*dynamic("cpus:1;mem:64", "web"), volume("web")]),
    ]
    framework.perform(list(framework.offers), operations)
    cluster.run_until(lambda: framework.updates("t"))
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    assert framework.states("t") == ["STARTING", "RUNNING"]


@BOTH
def test_a_reservation_survives_agent_and_master(cluster: Cluster, *, http: bool) -> None:
    """The agent has it on disk, the master learns it from the agent."""
    framework = cluster.framework(http=http, roles=["web"], capabilities=REFINED, failover_timeout=1e5)
    cluster.run_until(lambda: framework.offers)
    framework.perform(list(framework.offers), [reserve("cpus:2", "web")])
    cluster.run_until(lambda: reserved_cpus(framework) == 2)
    framework.decline(refuse_seconds=0)
    cluster.agents[0].restart()
    cluster.settle()
    cluster.run_until(cluster.is_complete, within=60)
    cluster.run_until(lambda: reserved_cpus(framework) == 2, within=30)
    cluster.master.restart()
    cluster.run_until(lambda: cluster.is_complete() and framework.is_connected, within=120)
    cluster.run_until(lambda: reserved_cpus(framework) == 2, within=30)


def test_reserved_resources_go_to_their_role_only(make_cluster: Callable[..., Cluster]) -> None:
    """Another role is offered the rest."""
    cluster = make_cluster()
    owner = cluster.framework(roles=["web"], capabilities=REFINED)
    cluster.run_until(lambda: owner.offers)
    owner.perform(list(owner.offers), [reserve("cpus:3", "web")], refuse_seconds=1000)
    cluster.settle()
    owner.suppress()
    other = cluster.framework(roles=["batch"], capabilities=REFINED)
    cluster.advance(5)
    owner.decline(refuse_seconds=1000)
    cluster.run_until(lambda: other.offers, within=10)
    assert sum(one.scalar.value for one in offered(other, "cpus")) == 1


def test_an_operation_on_more_than_was_offered_is_dropped(cluster: Cluster) -> None:
    """Those around it are carried out."""
    framework = cluster.framework(roles=["web"], capabilities=REFINED)
    cluster.run_until(lambda: framework.offers)
    operations = [
        reserve("cpus:100", "web"),
        launch(cluster.agents[0].id, builders.resources("cpus:1;mem:64")),
    ]
    framework.perform(list(framework.offers), operations)
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    cluster.run_until(lambda: framework.offers)
    assert reserved_cpus(framework) == 0


@BOTH
@pytest.mark.parametrize("executor", ["v1-executor"])
def test_a_task_group_is_launched_and_ends_as_a_whole(cluster: Cluster, executor: str, *, http: bool) -> None:
    """Both tasks reach the executor in one LAUNCH_GROUP (G16)."""
    framework = cluster.framework(http=http)
    cluster.run_until(lambda: framework.offers)
    agent = cluster.agents[0].id
    info = builders.executor_info("pod", executor, text="cpus:0.1;mem:32;disk:16")
    info.type = v0.ExecutorInfo.CUSTOM
    info.framework_id.value = framework.framework_id
    operation = Operation(type=Operation.LAUNCH_GROUP)
    operation.launch_group.executor.CopyFrom(info)
    for name in ("a", "b"):
        operation.launch_group.task_group.tasks.append(builders.task(name, agent_id=agent, value="sleep 5; exit 0"))
    framework.perform(list(framework.offers), [operation])
    cluster.run_until(lambda: all("FINISHED" in framework.states(name) for name in ("a", "b")), within=30)
    assert [framework.states(name) for name in ("a", "b")] == [["RUNNING", "FINISHED"]] * 2
