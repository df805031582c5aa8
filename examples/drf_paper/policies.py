"""What the paper compares DRF with, worked out for tasks that can be split; each gives tasks by user."""

from __future__ import annotations

from collections.abc import Mapping

from paper import Shape

Users = Mapping[str, Shape]

HALVINGS = 100
"""Enough for all digits of a float."""


def drf(total: Shape, users: Users) -> dict[str, float]:
    """Raise all dominant shares alike; who needs something that is used up stops."""
    tasks = dict.fromkeys(users, 0.0)
    left, growing = dict(total), set(users)
    while growing:
        speeds = {name: 1 / dominant_share(total, users[name]) for name in growing}
        used = {one: sum(speeds[name] * users[name].get(one, 0.0) for name in growing) for one in total}
        step = min(left[one] / used[one] for one in total if used[one] > 0)
        for name in growing:
            tasks[name] += step * speeds[name]
        left = {one: left[one] - step * used[one] for one in total}
        full = {one for one in total if left[one] <= 1e-9 * total[one]}
        growing = {name for name in growing if not any(users[name].get(one) for one in full)}
    return tasks


def asset_fairness(total: Shape, users: Users) -> dict[str, float]:
    """Give everybody the same sum of parts of all resources, as much as there is."""
    tasks = {name: 1 / sum(amount / total[one] for one, amount in shape.items()) for name, shape in users.items()}
    used = {one: sum(tasks[name] * users[name][one] for name in users) for one in total}
    most = min(total[one] / used[one] for one in total if used[one])
    return {name: count * most for name, count in tasks.items()}


def ceei(total: Shape, users: Users) -> dict[str, float]:
    """Competitive equilibrium from equal incomes, for two resources: the largest product of all tasks.

    Everybody may spend 1. The price of the first resource is halved in until as much of both is bought as there is;
    what is not scarce costs nothing.
    """
    first, second = total

    def bought(price: float) -> dict[str, float]:
        other = (len(users) - price * total[first]) / total[second]
        return {name: 1 / (price * shape[first] + other * shape[second]) for name, shape in users.items()}

    low, high = 0.0, len(users) / total[first]
    for _ in range(HALVINGS):
        price = (low + high) / 2
        tasks = bought(price)
        if sum(tasks[name] * users[name][first] for name in users) > total[first]:
            low = price
        else:
            high = price
    return bought(high)


POLICIES = {"DRF": drf, "asset fairness": asset_fairness, "CEEI": ceei}


def dominant_share(total: Shape, shape: Shape, tasks: float = 1.0) -> float:
    """Give the largest part of any resource that so many tasks use."""
    return max(tasks * amount / total[one] for one, amount in shape.items())


def useful(shape: Shape, amounts: Shape) -> float:
    """Tell how many tasks of a shape fit in amounts."""
    return min(amounts.get(one, 0.0) / amount for one, amount in shape.items() if amount > 0)
