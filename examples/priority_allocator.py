"""An allocator of your own: strict priorities with preemption.

Roles are served in the order of their weights, heaviest first, and within a role all frameworks by fair shares. When a
role wants resources and nothing is free, offers that lighter roles sit on are rescinded for it. Tasks are never killed.

    PYTHONPATH=examples messor master --allocator=priority_allocator:PriorityAllocator --weights=prod=10,batch=1 ...
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from typing import Any

from messor.allocator.interfaces import AllocatorOptions, OnOffers
from messor.allocator.plain_sorter import PlainSorter
from messor.allocator.service import AllocatorService
from messor.allocator.sorter import Pool
from messor.runtime.host import Host


class PrioritySorter(PlainSorter):
    """Heavier clients come first, whatever they hold."""

    def __init__(self, pool: Pool, chance: random.Random) -> None:
        """Need no chance."""
        del chance
        super().__init__(pool)

    def key(self, client: str) -> tuple[float, float]:
        """Sort by weight, then by who has less."""
        return -self.weight(client), self.share(client)


class PriorityAllocator(AllocatorService):
    """The usual allocator with another order of roles, which takes offers back for the heavier ones."""

    def __init__(self, host: Host, options: AllocatorOptions, on_offers: OnOffers, **calls: Any) -> None:
        """Sort roles by weight and look for hungry ones after every round."""
        options = dataclasses.replace(options, role_sorter=PrioritySorter, framework_sorter="drf")
        super().__init__(host, options, on_offers, on_round=self._preempt, **calls)

    def _preempt(self) -> None:
        """Rescind offers of lighter roles if a heavier one wants offers and has none."""
        hungry = next((role for role in self.books.role_sorter.sort() if self._is_hungry(role)), None)
        if hungry is None:
            return
        victims = self._lighter_offers(self._weight(hungry))
        for framework_id, agent_ids in victims.items():
            self.rescind(framework_id, agent_ids)
        if victims:
            self._ask()  # another round, in which the hungry role comes first

    def _weight(self, role: str) -> float:
        sorter = self.books.role_sorter
        assert isinstance(sorter, PrioritySorter)
        return sorter.weight(role)

    def _is_hungry(self, role: str) -> bool:
        """Whether some framework of a role wants offers, has refused nothing, and neither has nor gets any."""
        sorter = self.books.sorters[role]
        if self.books.refusals.count(role) or not sorter.count_active():
            return False
        return not any(role == held for agent in self.books.agents.values() for _, held in _offered(agent))

    def _lighter_offers(self, weight: float) -> dict[str, set[str]]:
        """Find offers of roles that weigh less: agents by framework."""
        found: dict[str, set[str]] = {}
        for agent in self.books.agents.values():
            for framework_id, role in _offered(agent):
                if self._weight(role) < weight:
                    found.setdefault(framework_id, set()).add(agent.id)
        return found


def _offered(agent: Any) -> Iterable[tuple[str, str]]:
    """List frameworks and roles that hold something of an agent which no task uses."""
    for framework_id, held in agent.out.items():
        for role, part in held.allocations().items():
            if not agent.allocated.contains(part):
                yield framework_id, role
