"""Offers of several agents and roles accepted at once, which masters take one by one (Z31)."""

from __future__ import annotations

import pytest

from messor import aio
from messor.errors import InvalidRequest
from messor.model.resource_text import parse_resources
from messor.protos import v0
from messor.simulation import Cluster, SimulatedScheduler

Operation = v0.Offer.Operation


def offer(number: int, agent_id: str, role: str, resources: str, executors: tuple[str, ...] = ()) -> v0.Offer:
    """Make an offer."""
    result = v0.Offer(hostname="h")
    result.id.value, result.framework_id.value, result.slave_id.value = f"O{number}", "f", agent_id
    result.allocation_info.role = role
    result.resources.extend(parse_resources(resources).allocated_to(role).messages())
    result.executor_ids.extend(v0.ExecutorID(value=name) for name in executors)
    return result


def task(name: str, resources: str, agent_id: str | None = None, executor: str = "", role: str = "") -> v0.TaskInfo:
    """Make a task; without an agent it may run anywhere."""
    result = v0.TaskInfo(name=name)
    result.task_id.value = name
    if agent_id is not None:
        result.slave_id.value = agent_id
    bag = parse_resources(resources)
    result.resources.extend((bag.allocated_to(role) if role else bag).messages())
    if executor:
        result.executor.executor_id.value = executor
        result.executor.resources.extend(parse_resources("cpus:1").messages())
    else:
        result.command.value = "sleep 1000"
    return result


def launch(*tasks: v0.TaskInfo) -> v0.Offer.Operation:
    """Make a LAUNCH."""
    operation = Operation(type=Operation.LAUNCH)
    operation.launch.task_infos.extend(tasks)
    return operation


def launch_group(*tasks: v0.TaskInfo) -> v0.Offer.Operation:
    """Make a LAUNCH_GROUP whose executor needs one CPU."""
    operation = Operation(type=Operation.LAUNCH_GROUP)
    operation.launch_group.executor.executor_id.value = "pod"
    operation.launch_group.executor.resources.extend(parse_resources("cpus:1").messages())
    operation.launch_group.task_group.tasks.extend(tasks)
    return operation


def reserve(resources: str, role: str) -> v0.Offer.Operation:
    """Make a RESERVE."""
    operation = Operation(type=Operation.RESERVE)
    for one in parse_resources(resources).allocated_to(role).messages():
        one.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=role)
        operation.reserve.resources.append(one)
    return operation


def told(parts: list[aio.Part]) -> dict[tuple[str, ...], list[str]]:
    """Tell by offers what each part launches or does."""
    return {
        tuple(one.id.value for one in part.offers): [
            "+".join(task.task_id.value for task in one.launch.task_infos) or Operation.Type.Name(one.type)
            for one in part.operations
        ]
        for part in parts
    }


def test_tasks_go_where_they_name_their_agent_or_fit_first() -> None:
    """Offers of one agent and role are added up; those that nothing is run on come back with the others."""
    offers = [offer(1, "a", "x", "cpus:1"), offer(2, "b", "x", "cpus:2"), offer(3, "a", "x", "cpus:1")]
    offers.append(offer(4, "c", "x", "cpus:9"))
    anywhere = [task("t1", "cpus:2"), task("t2", "cpus:1"), task("t3", "cpus:1")]
    parts = aio.share_out(offers, [launch(*anywhere), launch(task("t4", "cpus:1", "c"))])
    assert told(parts) == {("O1", "O3"): ["t1"], ("O2",): ["t2+t3"], ("O4",): ["t4"]}
    assert [one.slave_id.value for one in parts[1].operations[0].launch.task_infos] == ["b", "b"]


def test_roles_are_kept_apart() -> None:
    """A task that says whose it is goes there, others where there is room."""
    offers = [offer(1, "a", "x", "cpus:1"), offer(2, "a", "y", "cpus:2")]
    tasks = [task("t1", "cpus:1", role="y"), task("t2", "cpus:1"), task("t3", "cpus:1")]
    assert told(aio.share_out(offers, [launch(*tasks)])) == {("O1",): ["t2"], ("O2",): ["t1+t3"]}


def test_an_executor_counts_once_per_agent() -> None:
    """With its first task, or not at all where it runs already."""
    offers = [offer(1, "a", "x", "cpus:3"), offer(2, "b", "x", "cpus:1", executors=("e",))]
    tasks = [task(f"t{number}", "cpus:1", executor="e") for number in range(3)]
    assert told(aio.share_out(offers, [launch(*tasks)])) == {("O1",): ["t0+t1"], ("O2",): ["t2"]}


def test_a_group_stays_together() -> None:
    """On the first agent that has room for all of it."""
    offers = [offer(1, "a", "x", "cpus:2"), offer(2, "b", "x", "cpus:3")]
    parts = aio.share_out(offers, [launch_group(task("t1", "cpus:1"), task("t2", "cpus:1"))])
    assert told(parts) == {("O1",): [], ("O2",): ["LAUNCH_GROUP"]}
    assert {one.slave_id.value for one in parts[1].operations[0].launch_group.task_group.tasks} == {"b"}


def test_what_is_reserved_is_found_by_what_comes_behind() -> None:
    """Operations are applied in their order, as the master will."""
    offers = [offer(1, "a", "y", "cpus:8"), offer(2, "b", "x", "cpus:2")]
    reserved = task("t", "cpus(x):2")
    for one in reserved.resources:
        one.ClearField("reservations")
        one.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="x")
    parts = aio.share_out(offers, [reserve("cpus:2", "x"), launch(reserved)])
    assert told(parts) == {("O1",): [], ("O2",): ["RESERVE", "t"]}


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (launch(task("big", "cpus:3")), "Task 'big' fits in no offer: it needs cpus:3"),
        (launch(task("t", "cpus:1", "z")), "Task 't' fits in no offer on agent z"),
        (launch_group(task("t", "cpus:1", "a"), task("u", "cpus:1", "b")), "names several agents"),
        (reserve("cpus:3", "x"), "RESERVE fits in no offer"),
        (Operation(type=Operation.CREATE_DISK), "CREATE_DISK cannot be shared out"),
    ],
)
def test_what_fits_nowhere_is_told_before_anything_is_sent(operation: v0.Offer.Operation, problem: str) -> None:
    """By name and need."""
    with pytest.raises(InvalidRequest, match=problem):
        aio.share_out([offer(1, "a", "x", "cpus:2"), offer(2, "b", "x", "cpus:2")], [operation])


@pytest.mark.parametrize("transport", ["http", "libprocess"])
def test_tasks_run_on_offers_of_two_agents_and_roles(transport: str) -> None:
    """As many ACCEPTs as it takes."""
    cluster = Cluster(seed=3, agents=2)
    info = v0.FrameworkInfo(user="root", name="own", roles=["x", "y"])
    info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
    scheduler = SimulatedScheduler(info, cluster, transport=transport)

    async def main() -> tuple[set[tuple[str, str]], int]:
        offers: list[v0.Offer] = []
        running: set[str] = set()
        async with scheduler:
            async for event in scheduler:
                if isinstance(event, aio.Offers):
                    offers += event.offers
                    if len(offers) == 2:
                        tasks = [task(one.slave_id.value, "cpus:4", role=one.allocation_info.role) for one in offers]
                        outcomes = await aio.accept_across(scheduler, offers, [launch(*tasks)])
                        assert all(outcomes)
                elif isinstance(event, aio.Update) and event.status.state == v0.TASK_RUNNING:
                    running.add(event.status.task_id.value)
                    if len(running) == 2:
                        break
            tasks_known = cluster.master.state.frameworks[scheduler.framework_id].tasks.values()
            where = {(one.id, one.agent_id) for one in tasks_known}
        return where, len({one.allocation_info.role for one in offers})

    placed, roles = cluster.run(main())
    assert placed == {(agent.id, agent.id) for agent in cluster.agents}
    assert roles == 2
    cluster.close()
