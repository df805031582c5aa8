"""Whose turn it is: shares and positions of roles and frameworks, read without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from messor.allocator.hierarchical import HierarchicalAllocator


class Place(NamedTuple):
    """Where a client stands; position counts from 1, None when it takes no part or the order is drawn at random."""

    share: float
    position: int | None
    of: int


class Orders:
    """The orders of the books at one moment; each is sorted once, when asked for."""

    def __init__(self, books: HierarchicalAllocator) -> None:
        """Look at these books."""
        self.books = books
        self._positions: dict[str | None, dict[str, int]] = {}

    @property
    def is_random(self) -> bool:
        """Whether every round draws the order anew."""
        return not self.books.is_drf

    def role(self, role: str) -> Place:
        """Place a role among the roles that take part."""
        sorter = self.books.role_sorter
        share = sorter.share(role) if sorter.contains(role) else 0.0
        order = self._order(None)
        return Place(share, order.get(role), len(order))

    def framework(self, framework_id: str, role: str) -> Place:
        """Place a framework among those of a role that take part."""
        sorter = self.books.sorters.get(role)
        share = sorter.share(framework_id) if sorter is not None and sorter.contains(framework_id) else 0.0
        order = self._order(role)
        return Place(share, order.get(framework_id), len(order))

    def _order(self, role: str | None) -> dict[str, int]:
        known = self._positions.get(role)
        if known is None:
            sorter = self.books.role_sorter if role is None else self.books.sorters.get(role)
            # A random order is drawn per walk: asking would change what chance gives next.
            clients = [] if sorter is None or self.is_random else sorter.sort()
            known = self._positions[role] = {client: number for number, client in enumerate(clients, 1)}
        return known


def place_text(place: Place, noun: str) -> str:
    """Write a place; noun: of what, in the plural."""
    share = f"has a share of {place.share:.3f}"
    if place.position is None:
        return f"{share} and takes no part in the order"
    return f"{share} and comes at position {place.position} of {place.of} {noun}"
