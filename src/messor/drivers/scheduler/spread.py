"""Offers of several agents and roles accepted at once (Z31).

A master takes one agent and one role per ACCEPT. So operations are shared out among as many ACCEPTs here, before
anything is sent: each task goes where it names its agent or, without one, where it fits first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from messor.drivers.own import own
from messor.errors import InvalidRequest
from messor.model.conversions import apply_all, conversions_of
from messor.model.resource_formats import upgraded
from messor.model.resources import EMPTY, Resources
from messor.protos import v0

if TYPE_CHECKING:
    from messor.drivers.outcomes import Outcome
    from messor.drivers.scheduler.aio import Scheduler

Operation = v0.Offer.Operation

CHANGED = {
    Operation.RESERVE: ("reserve", "resources"),
    Operation.UNRESERVE: ("unreserve", "resources"),
    Operation.CREATE: ("create", "volumes"),
    Operation.DESTROY: ("destroy", "volumes"),
    Operation.GROW_VOLUME: ("grow_volume", "volume"),
    Operation.SHRINK_VOLUME: ("shrink_volume", "volume"),
}
"""Where operations name what they change."""


class Part(NamedTuple):
    """What one ACCEPT may hold: offers of one agent and role, and the operations for them in their order."""

    offers: list[v0.Offer]
    operations: list[v0.Offer.Operation]


async def accept_across(
    scheduler: Scheduler,
    offers: Iterable[v0.Offer],
    operations: Iterable[v0.Offer.Operation],
    *,
    refuse_seconds: float | None = None,
) -> list[Outcome]:
    """Run operations on offers of any agents and roles; gives what became of each ACCEPT.

    All offers are used up: what is left over is refused for so long (5 s if None). They are several calls, so one may
    be lost and another not. Raises InvalidRequest before anything is sent when an operation fits nowhere.
    """
    parts = share_out(offers, operations)
    calls = [scheduler.accept(part.offers, part.operations, refuse_seconds=refuse_seconds) for part in parts]
    return [await call for call in calls]


def share_out(offers: Iterable[v0.Offer], operations: Iterable[v0.Offer.Operation]) -> list[Part]:
    """Share operations out among offers, in the order of both; gives one part per agent and role.

    Tasks of a LAUNCH may go to different agents, those of a LAUNCH_GROUP stay together; tasks without an agent get the
    one they are placed on. Raises InvalidRequest, naming what fits nowhere.
    """
    groups: dict[tuple[str, str], _Group] = {}
    for offer in offers:
        key = (offer.slave_id.value, offer.allocation_info.role)
        groups.setdefault(key, _Group(*key)).add(offer)
    for given in operations:
        operation = own(Operation, given, partial=True)  # tasks may lack their agents
        if operation.type == Operation.LAUNCH:
            _launch(list(groups.values()), operation)
        elif operation.type == Operation.LAUNCH_GROUP:
            _launch_group(list(groups.values()), operation)
        else:
            _change(list(groups.values()), operation)
    return [Part(group.offers, group.operations) for group in groups.values()]


class _Group:
    """Offers of one agent and role, and what is left of them."""

    def __init__(self, agent_id: str, role: str) -> None:
        self.agent_id = agent_id
        self.role = role
        self.offers: list[v0.Offer] = []
        self.operations: list[v0.Offer.Operation] = []
        self.left: Resources = EMPTY
        self.executors: set[str] = set()
        """Those that are accounted for already."""

    def add(self, offer: v0.Offer) -> None:
        self.offers.append(offer)
        self.left = self.left + _plain(offer.resources)
        self.executors.update(one.value for one in offer.executor_ids)

    def serves(self, agent_id: str, roles: set[str]) -> bool:
        """Whether what names an agent (or none) and roles (or none) may be here."""
        return agent_id in ("", self.agent_id) and roles <= {self.role}

    def needs(self, tasks: Iterable[v0.TaskInfo], executor: v0.ExecutorInfo | None) -> Resources:
        """Add up what tasks and an executor that does not run yet need."""
        total = EMPTY
        for task in tasks:
            total = total + _plain(task.resources)
        if executor is not None and executor.executor_id.value not in self.executors:
            total = total + _plain(executor.resources)
        return total


def _plain(resources: Iterable[v0.Resource]) -> Resources:
    return Resources.of(upgraded(resources)).unallocated()


def _roles(resources: Iterable[v0.Resource]) -> set[str]:
    return {one.allocation_info.role for one in resources if one.HasField("allocation_info")}


def _launch(groups: Sequence[_Group], operation: v0.Offer.Operation) -> None:
    placed: dict[int, v0.Offer.Operation] = {}
    for task in operation.launch.task_infos:
        executor = task.executor if task.HasField("executor") else None
        group = _place(groups, [task], executor, f"Task '{task.task_id.value}'")
        launch = placed.get(id(group))
        if launch is None:
            launch = placed[id(group)] = Operation(type=Operation.LAUNCH)
            group.operations.append(launch)
        launch.launch.task_infos.append(task)


def _launch_group(groups: Sequence[_Group], operation: v0.Offer.Operation) -> None:
    launch = operation.launch_group
    tasks = launch.task_group.tasks
    names = ", ".join(task.task_id.value for task in tasks)
    _place(groups, tasks, launch.executor, f"Task group '{names}'").operations.append(operation)


def _place(
    groups: Sequence[_Group], tasks: Sequence[v0.TaskInfo], executor: v0.ExecutorInfo | None, what: str
) -> _Group:
    """Choose where tasks run together and take what they need; raises InvalidRequest."""
    agents = {task.slave_id.value for task in tasks} - {""}
    agent_id = agents.pop() if agents else ""
    if agents:
        raise InvalidRequest(f"{what} names several agents")
    roles = set().union(*(_roles(task.resources) for task in tasks))
    needs = EMPTY
    for group in groups:
        needs = group.needs(tasks, executor)
        if group.serves(agent_id, roles) and group.left.contains(needs):
            group.left = group.left - needs
            if executor is not None:
                group.executors.add(executor.executor_id.value)
            for task in tasks:
                task.slave_id.value = group.agent_id
            return group
    where = f" on agent {agent_id}" if agent_id else ""
    raise InvalidRequest(f"{what} fits in no offer{where}: it needs {needs}")


def _change(groups: Sequence[_Group], operation: v0.Offer.Operation) -> None:
    """Choose where resources are converted and convert them, so that what comes behind finds them."""
    name, field = CHANGED.get(operation.type, ("", ""))
    if not name:
        raise InvalidRequest(f"{Operation.Type.Name(operation.type)} cannot be shared out: accept it on its own")
    body = getattr(operation, name)
    roles = _roles(getattr(body, field) if field.endswith("s") else [getattr(body, field)])
    for group in groups:
        if not group.serves("", roles):
            continue
        try:
            group.left = apply_all(group.left, [one.unallocated() for one in conversions_of(_upgraded(operation))])
        except InvalidRequest:
            continue
        group.operations.append(operation)
        return
    raise InvalidRequest(f"{Operation.Type.Name(operation.type)} fits in no offer")


def _upgraded(operation: v0.Offer.Operation) -> v0.Offer.Operation:
    """Copy an operation with its resources in the form that is converted."""
    copy = Operation.FromString(operation.SerializeToString())
    name, field = CHANGED[operation.type]
    body = getattr(copy, name)
    if field.endswith("s"):
        changed = upgraded(getattr(body, field))
        body.ClearField(field)
        getattr(body, field).extend(changed)
    else:
        getattr(body, field).CopyFrom(upgraded([getattr(body, field)])[0])
    return copy
