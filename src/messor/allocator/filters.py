"""Refusals: which framework does not want which agent's resources, for which role, until when (A2).

A refusal holds while what would be offered lies within what was refused: more resources defeat it. It lives for the
time the framework asked for, but at least one allocation interval, so that the next round still sees it.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush

from messor.model.resources import Resources
from messor.protos import v0

DEFAULT_REFUSE_SECONDS = 5.0
LONGEST_REFUSAL = 365 * 24 * 3600.0

Key = tuple[str, str]
"""Framework id and role."""

_EARLY = 1e-6
"""A refusal ends after the round that falls on its very end."""


class Refusal:
    """One decline."""

    __slots__ = ("expires", "resources")

    def __init__(self, resources: Resources, expires: float) -> None:
        """Refuse these (without allocation marks) until then."""
        self.resources = resources
        self.expires = expires


def refuse_seconds(filters: v0.Filters) -> float:
    """Read how long a framework refuses: 5 s when negative or no number, at most 365 days, 0 for not at all."""
    seconds = filters.refuse_seconds
    if math.isnan(seconds) or seconds < 0:
        return DEFAULT_REFUSE_SECONDS
    return min(seconds, LONGEST_REFUSAL)


class Refusals:
    """All refusals that are in force."""

    __slots__ = ("_ends", "_sequence", "by_agent", "by_key")

    def __init__(self) -> None:
        """Start without any."""
        self.by_agent: dict[str, dict[Key, list[Refusal]]] = {}
        self.by_key: dict[Key, set[str]] = {}
        self._ends: list[tuple[float, int, str, Key, Refusal]] = []
        self._sequence = 0

    def add(self, agent_id: str, key: Key, resources: Resources, expires: float) -> None:
        """Remember a decline; one that another in force covers and outlives changes nothing but the count."""
        refusal = Refusal(resources, expires)
        self.by_agent.setdefault(agent_id, {}).setdefault(key, []).append(refusal)
        self.by_key.setdefault(key, set()).add(agent_id)
        self._sequence += 1
        heappush(self._ends, (expires, self._sequence, agent_id, key, refusal))

    def blocks(self, agent_id: str, key: Key, resources: Resources) -> bool:
        """Whether an offer of these (without allocation marks) was refused."""
        mine = self.by_agent.get(agent_id)
        if mine is None:
            return False
        refusals = mine.get(key)
        if refusals is None:
            return False
        return any(refusal.resources.contains(resources) for refusal in refusals)

    def expire(self, now: float) -> set[str]:
        """Drop refusals that have ended; gives the agents concerned."""
        agents: set[str] = set()
        ends = self._ends
        while ends and now - ends[0][0] > _EARLY:
            _, _, agent_id, key, refusal = heappop(ends)
            refusals = self.by_agent.get(agent_id, {}).get(key)
            if refusals is not None and refusal in refusals:
                refusals.remove(refusal)
                if not refusals:
                    self._drop(agent_id, key)
                agents.add(agent_id)
        return agents

    def drop_agent(self, agent_id: str) -> None:
        """Forget all about an agent: it is gone or not what it was."""
        for key in list(self.by_agent.get(agent_id, ())):
            self._drop(agent_id, key)

    def drop(self, framework_id: str, role: str) -> None:
        """Forget what a framework refused for a role."""
        key = (framework_id, role)
        for agent_id in list(self.by_key.get(key, ())):
            self._drop(agent_id, key)

    def _drop(self, agent_id: str, key: Key) -> None:
        mine = self.by_agent[agent_id]
        del mine[key]
        if not mine:
            del self.by_agent[agent_id]
        agents = self.by_key[key]
        agents.discard(agent_id)
        if not agents:
            del self.by_key[key]

    def count(self, role: str) -> int:
        """Count the refusals in force for a role."""
        return sum(
            len(self.by_agent[agent_id][key])
            for key, agents in self.by_key.items()
            if key[1] == role
            for agent_id in agents
        )
