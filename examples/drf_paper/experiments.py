"""The paper's examples and experiments, run on our allocator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import paper
from fairness import PROPERTIES, economies
from paper import Shape
from policies import POLICIES, Users
from room import Room, Task, User, bag, fill

PARTS = 20
"""Tasks of section 6 can be split: into so many parts here."""

ROUNDING = 0.02
"""What a few parts of the largest tasks of made-up economies are of a cluster."""

TASK_SECONDS = {"small": 13.0, "large": 16.0}
"""The paper does not say how long tasks run; from its columns for DRF and three slots, about this."""
THRASHING = 12.0
"""How many times longer a task takes that has none of its memory."""
DISK = 0.3
"""By how much a gigabyte that is swapped slows down tasks whose memory is all there."""
JITTER = 0.25


class Step(NamedTuple):
    """One decision of table 1."""

    user: str
    share: float
    cpus: float
    mem: float


def table_1() -> list[Step]:
    """Run section 4.1; B is named so that the first tie goes to it, as in the paper."""
    names = {"1-B": "B", "2-A": "A"}
    users = {name: paper.TABLE_1_USERS[letter] for name, letter in names.items()}
    _, steps = fill(paper.TABLE_1_TOTAL, users)
    sums = {"cpus": 0.0, "mem": 0.0}
    table = []
    for name, share in steps:
        for resource, amount in users[name].items():
            sums[resource] += amount
        part = {resource: sums[resource] / paper.TABLE_1_TOTAL[resource] for resource in sums}
        table.append(Step(names[name], share, part["cpus"], part["mem"]))
    return table


def tasks_of(total: Shape, users: Users, parts: int = PARTS) -> dict[str, float]:
    """Share one machine out and count the tasks each user has; a task is served in parts."""
    room, _ = fill({name: amount * parts for name, amount in total.items()}, users)
    return {name: room.users[name].running / parts for name in users}


def table_2(count: int = 10, exact: int = 200) -> dict[str, dict[str, float]]:
    """Tell by what part of a cluster each property is broken at worst, by property and policy, in made-up economies.

    count: how many for our allocator; exact: how many for policies that are worked out.
    """
    worked_out = {name: (policy, list(economies(exact))) for name, policy in POLICIES.items() if name != "DRF"}
    all_policies = {**worked_out, "DRF": (tasks_of, list(economies(count)))}
    return {
        title: {name: max(broken(policy, one) for one in found) for name, (policy, found) in all_policies.items()}
        for title, broken in PROPERTIES.items()
    }


def holds(policy: str, broken: float) -> bool:
    """Tell whether a property holds but for rounding, which for our allocator is that of some parts of tasks."""
    return broken <= (ROUNDING if policy == "DRF" else 1e-6)


@dataclass
class Series:
    """Shares over time, by job and resource."""

    times: list[float] = field(default_factory=list)
    shares: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    dominant: dict[str, list[float]] = field(default_factory=dict)


def section_7_1(*, phase_seconds: int = paper.SECTION_7_1_SECONDS, task_seconds: float = 4.0) -> Series:
    """Two jobs on 48 machines whose tasks change shape twice; virtual time, seconds in milliseconds."""
    room = Room([paper.SECTION_7_1_NODE] * paper.SECTION_7_1_NODES)
    series = Series()
    jobs = ("job 1", "job 2")
    for number, shapes in enumerate(paper.SECTION_7_1_PHASES):
        for job, shape in zip(jobs, shapes, strict=True):
            (room.add if number == 0 else room.change)(job, User(shape))
        for _ in range(phase_seconds):
            room.share_out(lambda _: task_seconds * room.chance.uniform(1 - JITTER, 1 + JITTER))
            series.times.append(room.now)
            for job in jobs:
                shares = room.shares(job)
                for resource, share in shares.items():
                    series.shares.setdefault(job, {}).setdefault(resource, []).append(share)
                series.dominant.setdefault(job, []).append(max(shares.values()))
            room.run(1.0)
    return series


class Result(NamedTuple):
    """What one policy achieved in section 7.2."""

    jobs: dict[str, int]
    response: dict[str, float]


def section_7_2(policy: str, *, seconds: int = paper.SECTION_7_2_SECONDS) -> Result:
    """Eight users run one job after the other on 48 machines, under DRF, slots or fairness of CPUs only.

    Slots and CPU fairness do not look at memory: a machine whose tasks use more than it has swaps.
    """
    machine = dict(paper.SECTION_7_2_NODE)
    asks: dict[str, Shape] = dict(paper.SECTION_7_2_TASKS)
    if policy.endswith("slots"):
        machine = {"slots": float(policy.split(maxsplit=1)[0])}
        asks = {kind: {"slots": 1.0} for kind in asks}
    elif policy == "CPU fair":
        machine = {"cpus": machine["cpus"]}
        asks = {kind: {"cpus": shape["cpus"]} for kind, shape in asks.items()}
    room = Room([machine] * paper.SECTION_7_2_NODES)
    kinds = {f"{kind} {number}": kind for kind in paper.SECTION_7_2_TASKS for number in range(paper.SECTION_7_2_USERS)}
    left: dict[str, int] = {}
    begun: dict[str, float] = {}
    responses: dict[str, list[float]] = {kind: [] for kind in paper.SECTION_7_2_TASKS}
    for name, kind in kinds.items():
        user = User(paper.SECTION_7_2_TASKS[kind], paper.SECTION_7_2_TASKS_PER_JOB, bag(asks[kind]))
        room.add(name, user)
        left[name], begun[name] = paper.SECTION_7_2_TASKS_PER_JOB, 0.0
    for _ in range(seconds):
        room.share_out(lambda name: TASK_SECONDS[kinds[name]] * room.chance.uniform(1 - JITTER, 1 + JITTER))
        for task in room.run(1.0, swapping):
            left[task.user] -= 1
            if left[task.user]:
                continue
            responses[kinds[task.user]].append(room.now - begun[task.user])
            left[task.user], begun[task.user] = paper.SECTION_7_2_TASKS_PER_JOB, room.now
            room.users[task.user].wanted = paper.SECTION_7_2_TASKS_PER_JOB
            room.books.revive(task.user, ["users"])
    return Result(
        {kind: len(times) for kind, times in responses.items()},
        {kind: sum(times) / len(times) if times else float("nan") for kind, times in responses.items()},
    )


def swapping(task: Task, used: Shape) -> float:
    """Tell how fast a task is on a machine whose tasks use that much.

    CPUs are shared evenly. Memory is too: half a gigabyte stays resident where two do not, so the large tasks swap, and
    the small ones feel only the busy disk. A model of our own, where the paper measured real machines.
    """
    node, large = paper.SECTION_7_2_NODE, paper.SECTION_7_2_TASKS["large"]
    small = paper.SECTION_7_2_TASKS["small"]
    speed = min(1.0, node["cpus"] / used["cpus"])
    lacking = used["mem"] - node["mem"]
    if lacking > 0:
        per_cpu = small["mem"] / small["cpus"]
        of_large = (used["mem"] - used["cpus"] * per_cpu) / (large["mem"] - large["cpus"] * per_cpu) * large["mem"]
        speed /= 1 + (THRASHING * lacking / of_large if task.shape == large else DISK * lacking)
    return speed
