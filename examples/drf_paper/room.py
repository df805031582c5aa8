"""Machines, users and Messor's own allocator in virtual time; users take one task's worth of each offer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from paper import Shape

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import v0

ROLE = "users"
CAPABLE = (1, 2, 3)
"""What agents of today announce: MULTI_ROLE, HIERARCHICAL_ROLE, RESERVATION_REFINEMENT."""
NEVER = 1e6
INTERVAL = 0.5


def bag(shape: Shape) -> Resources:
    """Make resources of a shape."""
    return parse_resources(";".join(f"{name}:{amount:.3f}" for name, amount in shape.items() if amount))


@dataclass
class Task:
    """Something that runs."""

    user: str
    agent: str
    resources: Resources
    shape: Shape
    """What it really uses, whatever it was accounted as."""
    left: float
    """Seconds of work at full speed."""


@dataclass
class User:
    """A framework that wants to run tasks of one shape."""

    shape: Shape
    wanted: float = NEVER
    asks: Resources | None = None
    """What is taken of an offer per task; None: the shape itself."""
    running: int = 0
    needs: Resources = field(init=False)

    def __post_init__(self) -> None:
        """Make the bag once."""
        self.needs = (self.asks or bag(self.shape)).allocated_to(ROLE)


class Room:
    """The machines and who runs what on them."""

    def __init__(self, machines: list[Shape], seed: int = 1, excluded: tuple[str, ...] = ()) -> None:
        """excluded: resources that do not count for shares."""
        self.chance = random.Random(seed)
        options = AllocatorOptions(
            allocation_interval=INTERVAL, min_allocatable=(), fair_sharing_excluded=excluded, sorter="drf"
        )
        self.books = HierarchicalAllocator(options, self.chance)
        self.now = 0.0
        self.users: dict[str, User] = {}
        self.tasks: list[Task] = []
        self.order: list[str] = []
        """Who launched, in order."""
        self.launched: Callable[[str], None] = lambda _: None
        for number, machine in enumerate(machines):
            info = v0.SlaveInfo(hostname=f"node{number}")
            self.books.add_agent(f"node{number}", info, CAPABLE, bag(machine), {})
        self.total = {name: sum(machine[name] for machine in machines) for name in machines[0]}

    def add(self, name: str, user: User) -> None:
        """Let a user take part."""
        info = v0.FrameworkInfo(user="u", name=name, roles=[ROLE])
        info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
        self.users[name] = user
        self.books.add_framework(name, info, {}, frozenset(), active=True)

    def change(self, name: str, user: User) -> None:
        """Give a user tasks of another shape from now on; those that run end as they are."""
        user.running = self.users[name].running
        self.users[name] = user
        self.books.revive(name, [ROLE])

    def share_out(self, work: Callable[[str], float] = lambda _: NEVER) -> None:
        """Hold rounds until nobody takes anything more.

        Who cannot use an offer refuses it for good: that ends by itself as soon as a machine has more to offer.
        """
        while offers := self.books.allocate(None, self.now):
            for name, by_role in offers.items():
                for agent, offered in by_role[ROLE].items():
                    self._answer(name, agent, offered, work)

    def _answer(self, name: str, agent: str, offered: Resources, work: Callable[[str], float]) -> None:
        user = self.users[name]
        rest, filters = offered, v0.Filters(refuse_seconds=NEVER)
        if user.wanted > 0 and offered.contains(user.needs):
            rest, filters = offered - user.needs, v0.Filters(refuse_seconds=0)
            user.wanted -= 1
            user.running += 1
            self.tasks.append(Task(name, agent, user.needs, user.shape, work(name)))
            self.order.append(name)
            self.launched(name)
        self.books.recover_resources(name, agent, rest, filters, self.now, is_allocated=False)

    def run(self, seconds: float, speed: Callable[[Task, Shape], float] = lambda _task, _used: 1.0) -> list[Task]:
        """Let tasks work; gives those that ended. speed: how fast one is, given what all tasks of its machine use."""
        self.now += seconds
        used: dict[str, Shape] = {}
        for task in self.tasks:
            sums = used.setdefault(task.agent, dict.fromkeys(task.shape, 0.0))
            for name, amount in task.shape.items():
                sums[name] += amount
        for task in self.tasks:
            task.left -= seconds * speed(task, used[task.agent])
        ended = [task for task in self.tasks if task.left <= 0]
        self.tasks = [task for task in self.tasks if task.left > 0]
        for task in ended:
            self.users[task.user].running -= 1
            self.books.recover_resources(task.user, task.agent, task.resources, None, self.now, is_allocated=False)
        return ended

    def shares(self, name: str) -> dict[str, float]:
        """Tell what part of each resource a user's tasks really use."""
        sums = dict.fromkeys(self.total, 0.0)
        for task in self.tasks:
            if task.user == name:
                for resource, amount in task.shape.items():
                    sums[resource] += amount
        return {resource: amount / self.total[resource] for resource, amount in sums.items()}

    def dominant(self, name: str) -> float:
        """Tell a user's dominant share, as our sorter computes it."""
        return self.books.sorters[ROLE].share(name)


def fill(total: Shape, users: Mapping[str, Shape]) -> tuple[Room, list[tuple[str, float]]]:
    """Share one machine out until nobody's task fits; gives who was served when, and that user's dominant share then.

    Ties go to the name that comes first.
    """
    room = Room([total])
    steps: list[tuple[str, float]] = []
    for name, shape in users.items():
        room.add(name, User(shape))

    def note(name: str) -> None:
        taken = room.shares(name)
        steps.append((name, max(taken.values())))

    room.launched = note
    room.share_out()
    return room, steps
