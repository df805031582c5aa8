"""What is remembered of rounds so that somebody can ask about them: a few numbers, whatever the size of the cluster.

Everything else that ``explanation`` tells is worked out from the books when it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from messor.allocator.interfaces import Offers


class RoundHistory:
    """The last round, and when each framework was last offered anything; times are those of the monotonic clock."""

    __slots__ = ("agents", "at", "frameworks", "full_at", "last_offered", "number", "offers", "seconds")

    def __init__(self) -> None:
        """Start before the first round."""
        self.number = 0
        self.at: float | None = None
        self.full_at: float | None = None
        """When the last round over all agents began."""
        self.seconds = 0.0
        self.agents: int | None = 0
        """How many agents the last round was about; None: all."""
        self.frameworks = 0
        """How many frameworks it offered anything."""
        self.offers = 0
        self.last_offered: dict[str, float] = {}
        """By framework id."""

    def note(
        self, began: float, ended: float, candidates: Collection[str] | None, offers: Mapping[str, Offers]
    ) -> None:
        """Remember a round over these agents (None: all) and what it gave."""
        self.number += 1
        self.at = began
        self.seconds = ended - began
        if candidates is None:
            self.agents = None
            self.full_at = began
        else:
            self.agents = len(candidates)
        self.frameworks = len(offers)
        count = 0
        for framework_id, by_role in offers.items():
            self.last_offered[framework_id] = began
            for by_agent in by_role.values():
                count += len(by_agent)
        self.offers = count

    def forget(self, framework_id: str) -> None:
        """Drop a framework that is gone."""
        self.last_offered.pop(framework_id, None)
