"""What the allocator knows of a framework."""

from __future__ import annotations

from messor.allocator.constraints import NONE
from messor.model.capabilities import FrameworkCapabilities
from messor.model.quantities import Quantities
from messor.model.roles import roles_of
from messor.model.scalars import to_milli
from messor.protos import v0


class Framework:
    """One framework: its roles, which of them it suppressed, and what it can cope with."""

    __slots__ = ("active", "capabilities", "constraints", "id", "is_tolerant", "min_allocatable", "roles", "suppressed")

    def __init__(self, framework_id: str, info: v0.FrameworkInfo, suppressed: frozenset[str], *, active: bool) -> None:
        """Read what matters to allocation."""
        self.id = framework_id
        self.active = active
        self.suppressed = set(suppressed)
        self.constraints = NONE
        self.update(info)

    def update(self, info: v0.FrameworkInfo) -> None:
        """Take over a changed FrameworkInfo; suppression is not part of it."""
        self.roles = roles_of(info)
        self.capabilities = FrameworkCapabilities.of(info.capabilities)
        self.min_allocatable = {
            role: _quantities(filters)
            for role, filters in info.offer_filters.items()
            if filters.HasField("min_allocatable_resources")
        }
        """Per role: offer only what holds at least one of these; an empty tuple takes anything."""
        able = self.capabilities
        self.is_tolerant = able.shared_resources and able.revocable_resources and able.reservation_refinement
        """Whether nothing needs to be kept from it."""

    @property
    def is_picky(self) -> bool:
        """Whether it does not take just any agent with the usual minimum."""
        return bool(self.min_allocatable or self.constraints)


def _quantities(filters: v0.OfferFilters) -> tuple[Quantities, ...]:
    return tuple(
        Quantities({name: to_milli(scalar.value) for name, scalar in item.quantities.items()})
        for item in filters.min_allocatable_resources.quantities
    )
