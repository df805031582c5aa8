"""Table 2: the properties of a fair policy, each as a number: by what part of the cluster it is broken, 0 if it holds.

A policy gives tasks by user; users count by their dominant shares, and of what somebody holds only whole tasks count.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from paper import Shape
from policies import Users, dominant_share, useful

Policy = Callable[[Shape, Users], dict[str, float]]

LIES = (0.5, 1.0, 2.0)
"""By how much somebody who lies asks for less or more of each resource."""


class Economy(NamedTuple):
    """What there is and who wants what."""

    total: Shape
    users: dict[str, Shape]


OPPOSITES = Economy({"cpus": 60, "mem": 60}, {"user 1": {"cpus": 8, "mem": 4}, "user 2": {"cpus": 4, "mem": 8}})
"""Two users who get on: until there is twice of a resource."""


def economies(count: int, seed: int = 1) -> Iterator[Economy]:
    """Give opposites, then make up economies of two to four users."""
    yield OPPOSITES
    chance = random.Random(seed)
    for _ in range(count):
        total: Shape = {"cpus": chance.randint(60, 140), "mem": chance.randint(60, 140)}
        users: dict[str, Shape] = {
            f"user {number + 1}": {"cpus": chance.randint(4, 12), "mem": chance.randint(4, 12)}
            for number in range(chance.randint(2, 4))
        }
        yield Economy(total, users)


def shares(policy: Policy, economy: Economy) -> dict[str, float]:
    """Give the dominant shares of a policy's outcome."""
    tasks = policy(*economy)
    return {name: dominant_share(economy.total, shape, tasks[name]) for name, shape in economy.users.items()}


def sharing_incentive(policy: Policy, economy: Economy) -> float:
    """Nobody is worse off than with an equal part of everything."""
    return max(1 / len(economy.users) - share for share in shares(policy, economy).values())


def strategy_proofness(policy: Policy, economy: Economy) -> float:
    """The first user gains nothing by any of these lies."""
    total, users = economy
    name, shape = next(iter(users.items()))
    honest = shares(policy, economy)[name]
    worst = 0.0
    for cpus in LIES:
        for mem in LIES:
            lie = {"cpus": shape["cpus"] * cpus, "mem": shape["mem"] * mem}
            tasks = policy(total, {**users, name: lie})[name]
            held = {one: tasks * amount for one, amount in lie.items()}
            worst = max(worst, dominant_share(total, shape, useful(shape, held)) - honest)
    return worst


def envy_freeness(policy: Policy, economy: Economy) -> float:
    """Nobody would run more tasks with what somebody else has."""
    total, users = economy
    tasks, own = policy(total, users), shares(policy, economy)
    worst = 0.0
    for name, shape in users.items():
        for other, theirs in users.items():
            held = {one: tasks[other] * amount for one, amount in theirs.items()}
            worst = max(worst, dominant_share(total, shape, useful(shape, held)) - own[name])
    return worst


def pareto_efficiency(policy: Policy, economy: Economy) -> float:
    """Nobody can have more unless somebody has less: nothing that is left is of use."""
    total, users = economy
    tasks = policy(total, users)
    left = {one: total[one] - sum(tasks[name] * users[name][one] for name in users) for one in total}
    return max(dominant_share(total, shape, max(0.0, useful(shape, left))) for shape in users.values())


def single_resource_fairness(policy: Policy, economy: Economy) -> float:
    """Where only one resource is asked for everybody gets the same of it."""
    users = {name: {"cpus": shape["cpus"], "mem": 0.0} for name, shape in economy.users.items()}
    found = shares(policy, Economy(economy.total, users)).values()
    return max(found) - min(found)


def bottleneck_fairness(policy: Policy, economy: Economy) -> float:
    """Where everybody needs most of the same resource everybody gets the same of it."""
    total, users = economy
    most = {name: max(amount / total[one] for one, amount in shape.items()) for name, shape in users.items()}
    users = {name: {**shape, "cpus": most[name] * total["cpus"]} for name, shape in users.items()}
    found = shares(policy, Economy(total, users)).values()
    return max(found) - min(found)


def population_monotonicity(policy: Policy, economy: Economy) -> float:
    """When somebody leaves nobody else has less than before."""
    total, users = economy
    before = shares(policy, economy)
    worst = 0.0
    for leaving in users:
        after = shares(policy, Economy(total, {name: shape for name, shape in users.items() if name != leaving}))
        worst = max(worst, *(before[name] - after[name] for name in after))
    return worst


def resource_monotonicity(policy: Policy, economy: Economy) -> float:
    """When there is twice of a resource nobody has less than before."""
    total, users = economy
    before = policy(total, users)
    worst = 0.0
    for one in total:
        after = policy({**total, one: 2 * total[one]}, users)
        worst = max(worst, *(dominant_share(total, users[name], before[name] - after[name]) for name in users))
    return worst


PROPERTIES: dict[str, Callable[[Policy, Economy], float]] = {
    "sharing incentive": sharing_incentive,
    "strategy-proofness": strategy_proofness,
    "envy-freeness": envy_freeness,
    "Pareto efficiency": pareto_efficiency,
    "single resource fairness": single_resource_fairness,
    "bottleneck fairness": bottleneck_fairness,
    "population monotonicity": population_monotonicity,
    "resource monotonicity": resource_monotonicity,
}
