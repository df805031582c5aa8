"""Maintenance as frameworks hear of it: who was asked to leave which agent, and what they said (N3).

A framework that holds anything of an agent with a planned window gets one inverse offer at a time. Its answer may come
with a refusal for some time, as with offers; a changed window voids answers and refusals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from messor.allocator.filters import refuse_seconds
from messor.protos import v0, v0_allocator

if TYPE_CHECKING:
    from messor.allocator.hierarchical import HierarchicalAllocator

InverseOffers = dict[str, v0.Unavailability]
"""What one framework is asked to leave in a round: windows by agent id."""


class Window:
    """One agent's planned unavailability."""

    __slots__ = ("asked", "refused", "statuses", "unavailability")

    def __init__(self, unavailability: v0.Unavailability) -> None:
        """Begin without anybody asked."""
        self.unavailability = unavailability
        self.asked: set[str] = set()
        """Frameworks with an inverse offer they have not answered."""
        self.statuses: dict[str, v0_allocator.InverseOfferStatus] = {}
        """Their latest answers."""
        self.refused: dict[str, float] = {}
        """Until when frameworks do not want to hear of it."""


class Windows:
    """All of them, by agent id."""

    def __init__(self) -> None:
        """Start without any."""
        self.by_agent: dict[str, Window] = {}

    def plan(self, agent_id: str, unavailability: v0.Unavailability | None) -> None:
        """Change an agent's window; None: there is none any more."""
        if unavailability is None:
            self.by_agent.pop(agent_id, None)
        else:
            self.by_agent[agent_id] = Window(unavailability)

    def answered(
        self,
        agent_id: str,
        framework_id: str,
        status: v0_allocator.InverseOfferStatus | None,
        refused_until: float | None,
    ) -> None:
        """Note that an inverse offer is over, with an answer or (status None) without."""
        window = self.by_agent.get(agent_id)
        if window is None:
            return
        window.asked.discard(framework_id)
        if status is not None:
            window.statuses[framework_id] = status
        if refused_until is not None:
            window.refused[framework_id] = refused_until

    def forget_refusals(self, framework_id: str) -> None:
        """Ask a framework again, once it is active."""
        for window in self.by_agent.values():
            window.asked.discard(framework_id)
            window.refused.pop(framework_id, None)

    def forget_framework(self, framework_id: str) -> None:
        """Forget all about a framework."""
        for window in self.by_agent.values():
            window.asked.discard(framework_id)
            window.statuses.pop(framework_id, None)
            window.refused.pop(framework_id, None)

    def due(
        self, books: HierarchicalAllocator, candidates: Iterable[str] | None, now: float
    ) -> dict[str, InverseOffers]:
        """Tell whom to ask now, and note that they are asked."""
        result: dict[str, InverseOffers] = {}
        for agent_id in self.by_agent if candidates is None else sorted(candidates):
            window, agent = self.by_agent.get(agent_id), books.agents.get(agent_id)
            if window is None or agent is None:
                continue
            for framework_id in agent.out:
                framework = books.frameworks.get(framework_id)
                if framework is None or not framework.active or framework_id in window.asked:
                    continue
                if window.refused.get(framework_id, now) > now:
                    continue
                window.asked.add(framework_id)
                result.setdefault(framework_id, {})[agent_id] = window.unavailability
        return result


def refusal_end(filters: v0.Filters | None, now: float, interval: float) -> float | None:
    """Tell until when a framework does not want to hear, None when it did not say so."""
    if filters is None:
        return None
    seconds = refuse_seconds(filters)
    return now + max(interval, seconds) if seconds > 0 else None
