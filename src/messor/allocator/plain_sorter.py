"""A sorter to derive your own from: it keeps the books plainly, you say the order."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from messor.allocator.holdings import OwnHoldings
from messor.allocator.sorter import DEFAULT_WEIGHT, Pool
from messor.model.resource import Kind
from messor.model.resources import Resources
from messor.model.scalars import to_float


class PlainSorter:
    """See ``Sorter``. Clients come by name unless a subclass overrides ``key``; paths have no special meaning."""

    def __init__(self, pool: Pool) -> None:
        """Take shares of this pool."""
        self.pool = pool
        self.weights: dict[str, float] = {}
        self.held: dict[str, dict[str, int]] = {}
        """What each client holds, by name in thousandths."""
        self._copies: dict[str, dict[tuple[str, Kind], int]] = {}
        self._active: set[str] = set()
        self.holdings = OwnHoldings()

    def key(self, client: str) -> tuple[object, ...]:
        """Give what clients are sorted by, lowest first; the name breaks ties."""
        del client
        return ()

    # --- clients -----------------------------------------------------------------------------------------------------

    def add(self, client: str) -> None:
        """Add an inactive client."""
        self.held[client] = {}
        self._copies[client] = {}

    def remove(self, client: str) -> None:
        """Forget a client and what it holds."""
        del self.held[client], self._copies[client]
        self.holdings.forget(client)
        self._active.discard(client)

    def activate(self, client: str) -> None:
        """Let it take part in the order."""
        self._active.add(client)

    def deactivate(self, client: str) -> None:
        """Leave it out of the order."""
        self._active.discard(client)

    def contains(self, client: str) -> bool:
        """Whether there is such a client."""
        return client in self.held

    def count(self) -> int:
        """Count the clients."""
        return len(self.held)

    def count_active(self) -> int:
        """Count the active clients."""
        return len(self._active)

    def update_weight(self, path: str, weight: float) -> None:
        """Change a weight, now and for clients to come."""
        self.weights[path] = weight

    def weight(self, client: str) -> float:
        """Tell the weight of a client."""
        return self.weights.get(client, DEFAULT_WEIGHT)

    # --- books -------------------------------------------------------------------------------------------------------

    def allocated(self, client: str, agent_id: str, resources: Resources) -> None:
        """Book what a client got; a shared volume counts once however many copies it got."""
        copies = self._copies[client]
        seen = {kind for kind, _ in resources.shared().items() if copies.get((agent_id, kind))}
        self._book(client, resources.filter(lambda kind: kind not in seen), 1)
        for kind, amount in resources.shared().items():
            copies[agent_id, kind] = copies.get((agent_id, kind), 0) + int(amount)  # type: ignore[arg-type]
        self.holdings.add(client, agent_id, resources)

    def unallocated(self, client: str, agent_id: str, resources: Resources) -> None:
        """Book what a client gave back."""
        copies = self._copies[client]
        for kind, amount in resources.shared().items():
            copies[agent_id, kind] = copies.get((agent_id, kind), 0) - int(amount)  # type: ignore[arg-type]
        left = {kind for (where, kind), count in copies.items() if where == agent_id and count > 0}
        self._book(client, resources.filter(lambda kind: kind not in left), -1)
        self.holdings.subtract(client, agent_id, resources)

    def update(self, client: str, agent_id: str, old: Resources, new: Resources) -> None:
        """Book that part of what a client holds was converted."""
        self.unallocated(client, agent_id, old)
        self.allocated(client, agent_id, new)

    def _book(self, client: str, resources: Resources, sign: int) -> None:
        held = self.held[client]
        for name, milli in resources.scalars().items():
            held[name] = max(0, held.get(name, 0) + sign * milli)

    def allocation(self, client: str) -> Mapping[str, int]:
        """Tell what a client holds in all."""
        return {name: milli for name, milli in self.held[client].items() if milli}

    def total_allocation(self) -> Mapping[str, int]:
        """Tell what all clients hold."""
        sums: dict[str, int] = {}
        for held in self.held.values():
            for name, milli in held.items():
                sums[name] = sums.get(name, 0) + milli
        return {name: milli for name, milli in sums.items() if milli}

    def allocation_by_agent(self, client: str) -> Mapping[str, Resources]:
        """Tell what a client holds, by agent."""
        return self.holdings.by_agent(client)

    def allocation_by_client(self, agent_id: str) -> Mapping[str, Resources]:
        """Tell what is held of an agent, by client."""
        return self.holdings.by_client(agent_id)

    def allocation_on(self, client: str, agent_id: str) -> Resources:
        """Tell what a client holds of an agent."""
        return self.holdings.cell(client, agent_id)

    def share(self, client: str) -> float:
        """Tell the weighted dominant share of a client."""
        totals, excluded = self.pool.totals, self.pool.excluded
        parts = [
            to_float(milli) / to_float(totals[name])
            for name, milli in self.held[client].items()
            if totals.get(name, 0) > 0 and name not in excluded
        ]
        return max([0.0, *parts]) / self.weight(client)

    # --- order -------------------------------------------------------------------------------------------------------

    def sort(self) -> list[str]:
        """List all active clients in order."""
        return sorted(self._active, key=lambda client: (self.key(client), client))

    def walk(self) -> Generator[str, None, None]:
        """Iterate over the order as it is now."""
        yield from self.sort()
