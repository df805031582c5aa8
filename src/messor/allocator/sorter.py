"""The order in which clients (roles, or frameworks within a role) get their turn."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from typing import Protocol

from messor.model.resources import Resources
from messor.model.scalars import to_float

DEFAULT_WEIGHT = 1.0
"""What a client's share is divided by unless an operator said otherwise."""


_EXACT = 2.0**43
"""Up to here a number of thousandths is a float exactly."""

Vector = tuple[tuple[int, int, float], ...]
"""Scalars ready to be booked: index of the name, thousandths, and how much of it the cluster has (as a float)."""


class Pool:
    """The scalars of the whole cluster, in thousandths: what shares are parts of. Shared by all sorters.

    Names are numbered, so that clients can hold their sums in lists.
    """

    __slots__ = ("_agents", "_index", "_names", "excluded", "sizes", "totals", "version")

    def __init__(self, excluded: Iterable[str] = ()) -> None:
        """Leave these resource names out of shares (``--fair_sharing_excluded_resource_names``)."""
        self.excluded = frozenset(excluded)
        self.totals: dict[str, int] = {}
        self.version = 0
        self.sizes: list[float] = []
        """By index: what shares are quotients of; infinite for what does not count.

        Floats, as in the original: ties are common, and quotients of anything else would break them differently.
        """
        self._names: list[str] = []
        self._index: dict[str, int] = {}
        self._agents: dict[str, Mapping[str, int]] = {}

    # --- by agent ----------------------------------------------------------------------------------------------------

    def add_agent(self, agent_id: str, scalars: Mapping[str, int]) -> None:
        """Count an agent in, with its scalars in thousandths; it must not be there yet (ValueError)."""
        if agent_id in self._agents:
            raise ValueError(f"Agent {agent_id} is in the pool already")
        self._agents[agent_id] = scalars
        self.add(scalars)

    def remove_agent(self, agent_id: str) -> None:
        """Count an agent out with all it has; it must be there (KeyError)."""
        self.remove(self._agents.pop(agent_id))

    def update_agent(self, agent_id: str, resources: Resources) -> None:
        """Replace what an agent has in all; only scalars count."""
        self.remove(self._agents.get(agent_id, {}))
        self._agents[agent_id] = resources.scalars()
        self.add(resources.scalars())

    def add_resources(self, agent_id: str, resources: Resources) -> None:
        """Count in what an agent has, or has besides."""
        self._agents[agent_id] = _sums(self._agents.get(agent_id, {}), resources.scalars(), 1)
        self.add(resources.scalars())

    def remove_resources(self, agent_id: str, resources: Resources) -> None:
        """Count out part or all of what an agent has; it must have it (ValueError)."""
        have = self._agents.get(agent_id, {})
        if any(milli > have.get(name, 0) for name, milli in resources.scalars().items()):
            raise ValueError(f"Agent {agent_id} does not have {resources}")
        left = _sums(have, resources.scalars(), -1)
        if left:
            self._agents[agent_id] = left
        else:
            self._agents.pop(agent_id, None)
        self.remove(resources.scalars())

    # --- sums --------------------------------------------------------------------------------------------------------

    def add(self, scalars: Mapping[str, int]) -> None:
        """Count an agent in."""
        for name, milli in scalars.items():
            self._set(name, self.totals.get(name, 0) + milli)

    def remove(self, scalars: Mapping[str, int]) -> None:
        """Count an agent out."""
        for name, milli in scalars.items():
            self._set(name, self.totals.get(name, 0) - milli)

    def _set(self, name: str, milli: int) -> None:
        index = self.index(name)
        counts = milli > 0 and name not in self.excluded
        self.sizes[index] = to_float(milli) if counts else math.inf
        if milli:
            self.totals[name] = milli
        else:
            self.totals.pop(name, None)
        self.version += 1

    def index(self, name: str) -> int:
        """Give a name's number, a new one when it has none."""
        index = self._index.get(name)
        if index is None:
            index = self._index[name] = len(self._names)
            self._names.append(name)
            self.sizes.append(math.inf)
            self.version += 1  # whoever keeps lists must make room
        return index

    def vector(self, scalars: Mapping[str, int]) -> Vector:
        """Prepare scalars for booking; valid while the version stays the same."""
        indexes, sizes = self._index, self.sizes
        try:
            return tuple([(indexes[name], milli, sizes[indexes[name]]) for name, milli in scalars.items()])
        except KeyError:
            return tuple([(self.index(name), milli, sizes[self.index(name)]) for name, milli in scalars.items()])

    def even_vector(self, scalars: Mapping[str, int]) -> Vector | None:
        """Prepare scalars whose shares need no rounding, None when they do: nothing has thousandths, here or in all.

        Sizes are in thousandths then, and a quotient of thousandths is the very float that one of whole units is.
        """
        even = []
        for index, milli, size in self.vector(scalars):
            if milli % 1000 or (size != math.inf and (size > _EXACT or not size.is_integer())):
                return None
            even.append((index, milli, size * 1000.0))
        return tuple(even)

    def named(self, sums: Iterable[int]) -> dict[str, int]:
        """Turn a list of sums into a mapping, leaving out zeros."""
        return {name: milli for name, milli in zip(self._names, sums, strict=False) if milli}


def _sums(have: Mapping[str, int], change: Mapping[str, int], sign: int) -> dict[str, int]:
    sums = dict(have)
    for name, milli in change.items():
        sums[name] = sums.get(name, 0) + sign * milli
    return {name: milli for name, milli in sums.items() if milli}


class Sorter(Protocol):
    """Clients by path: ``a/b`` is a client below ``a``; shares of a subtree add up.

    A client starts inactive: out of the order but with its books kept. What shares are parts of is the ``Pool`` that it
    is made with: agents are added there, once for all sorters of an allocator.
    """

    def add(self, client: str) -> None:
        """Add a client; it must not be there yet."""
        ...

    def remove(self, client: str) -> None:
        """Forget a client and what it holds."""
        ...

    def activate(self, client: str) -> None:
        """Let it take part in the order; fine if it does."""
        ...

    def deactivate(self, client: str) -> None:
        """Leave it out of the order, keeping what it holds; fine if it is."""
        ...

    def contains(self, client: str) -> bool:
        """Whether there is such a client, active or not."""
        ...

    def count(self) -> int:
        """Count the clients, active or not."""
        ...

    def count_active(self) -> int:
        """Count the clients that take part in the order."""
        ...

    def update_weight(self, path: str, weight: float) -> None:
        """Divide shares of this path by a weight, now and for clients to come."""
        ...

    def allocated(self, client: str, agent_id: str, resources: Resources) -> None:
        """Book what a client got on an agent; a shared volume counts once however many copies it got."""
        ...

    def unallocated(self, client: str, agent_id: str, resources: Resources) -> None:
        """Book what a client gave back."""
        ...

    def update(self, client: str, agent_id: str, old: Resources, new: Resources) -> None:
        """Book that part of what a client holds was converted; this does not count as one more allocation."""
        ...

    def allocation(self, client: str) -> Mapping[str, int]:
        """Tell what a client holds in all, by name in thousandths."""
        ...

    def total_allocation(self) -> Mapping[str, int]:
        """Tell what all clients hold together, by name in thousandths."""
        ...

    def allocation_by_agent(self, client: str) -> Mapping[str, Resources]:
        """Tell what a client holds, by agent, without allocation marks."""
        ...

    def allocation_by_client(self, agent_id: str) -> Mapping[str, Resources]:
        """Tell what is held of an agent, by client, without allocation marks."""
        ...

    def allocation_on(self, client: str, agent_id: str) -> Resources:
        """Tell what a client holds of an agent: one cell, empty where there is nothing."""
        ...

    def share(self, client: str) -> float:
        """Tell the weighted dominant share of a client."""
        ...

    def sort(self) -> list[str]:
        """List all active clients in order."""
        ...

    def walk(self) -> Generator[str, None, None]:
        """Iterate over active clients in the order as it is now, lazily.

        What is booked meanwhile takes effect when the walk ends (is exhausted or closed). During a walk, allocations
        may be booked for the client given last and for no other; there is at most one walk at a time.
        """
        ...
