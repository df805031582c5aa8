"""Weighted random order: every walk shuffles anew, so that nobody can starve behind small shares (A7)."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING

from messor.allocator.drf_sorter import DrfSorter, Node
from messor.allocator.holdings import Holdings
from messor.allocator.sorter import Pool

if TYPE_CHECKING:
    import random


class RandomSorter(DrfSorter):
    """See ``Sorter``; siblings come in random order, heavier ones earlier on average."""

    def __init__(
        self,
        pool: Pool,
        chance: random.Random,
        weights: Mapping[str, float] | None = None,
        *,
        holdings: Holdings | None = None,
    ) -> None:
        """Draw from this source of randomness."""
        super().__init__(pool, weights, holdings=holdings)
        self._chance = chance

    def walk(self) -> Generator[str, None, None]:
        """Iterate over a fresh weighted shuffle."""
        return self._shuffled(self._root)

    def in_order_among(self, clients: Iterable[str]) -> list[str]:
        """List these in a fresh weighted shuffle."""
        wanted = set(clients)
        return [client for client in self.sort() if client in wanted]

    def _shuffled(self, above: Node) -> Generator[str, None, None]:
        # Exponential keys with rate = weight, sorted, are a weighted shuffle without replacement.
        nodes = [
            node for node in above.children.values() if node.is_sorted and (node.client is not None or _busy(node))
        ]
        nodes.sort(key=lambda node: self._chance.expovariate(node.weight))
        for node in nodes:
            if node.client is not None:
                yield node.client
            else:
                yield from self._shuffled(node)


def _busy(node: Node) -> bool:
    """Whether an active client is below; idle inner nodes must not take part in the draw."""
    return any(child.active or _busy(child) for child in node.children.values())
