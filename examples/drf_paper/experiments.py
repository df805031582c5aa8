"""The paper's examples and experiments, run on our allocator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import paper
from paper import Shape
from room import Room, Task, User, bag, fill

TASK_SECONDS = 16.0
"""The paper does not say how long tasks run; from its DRF column, about this."""
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


def tasks_of(total: Shape, users: dict[str, Shape]) -> dict[str, int]:
    """Count the tasks each user has when one machine is shared out."""
    room, _ = fill(total, users)
    return {name: room.users[name].running for name in users}


def dominant_shares(total: Shape, users: dict[str, Shape], tasks: dict[str, int]) -> dict[str, float]:
    """Compute each user's largest part of any resource."""
    return {
        name: max(tasks[name] * amount / total[resource] for resource, amount in shape.items())
        for name, shape in users.items()
    }


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
            room.share_out(lambda: task_seconds * room.chance.uniform(1 - JITTER, 1 + JITTER))
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
        room.share_out(lambda: TASK_SECONDS * room.chance.uniform(1 - JITTER, 1 + JITTER))
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

    A model of our own with one constant, where the paper measured real machines: what it gets right is who wins, not by
    how much, and its small tasks suffer more from swapping under fairness of CPUs than the paper's did.

    CPUs are shared evenly. Memory beyond what there is makes tasks swap, the larger ones worse: half a gigabyte stays
    resident where two do not.
    """
    speed = min(1.0, paper.SECTION_7_2_NODE["cpus"] / used["cpus"])
    over = used["mem"] / paper.SECTION_7_2_NODE["mem"] - 1
    if over > 0:
        speed /= 1 + over * 4 * task.shape["mem"]
    return speed
