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

    __slots__ = ("_ends", "_places", "_sequence", "_summaries", "by_agent")

    def __init__(self) -> None:
        """Start without any."""
        self.by_agent: dict[str, dict[str, dict[str, list[Refusal]]]] = {}
        """By agent, role and framework."""
        self._places: dict[Key, set[str]] = {}
        """Agents by framework and role."""
        self._ends: list[tuple[float, int, str, Key, Refusal]] = []
        self._sequence = 0
        self._summaries: dict[tuple[str, str], tuple[Resources, set[str]]] = {}
        """What ``blocked`` found last by agent and role: kept up while agents offer and get back the same bag."""

    def add(self, agent_id: str, key: Key, resources: Resources, expires: float) -> None:
        """Remember a decline of resources (without allocation marks)."""
        framework_id, role = key
        refusal = Refusal(resources, expires)
        roles = self.by_agent.get(agent_id)
        if roles is None:  # the usual case; dictionaries that are not needed would cost more than all else here
            self.by_agent[agent_id] = {role: {framework_id: [refusal]}}
        else:
            roles.setdefault(role, {}).setdefault(framework_id, []).append(refusal)
        agents = self._places.get(key)
        if agents is None:
            agents = self._places[key] = set()
        agents.add(agent_id)
        summary = self._summaries.get((agent_id, role))
        if summary is not None and (summary[0] is resources or resources.contains(summary[0])):
            summary[1].add(framework_id)
        self._sequence += 1
        heappush(self._ends, (expires, self._sequence, agent_id, key, refusal))

    def blocks(self, agent_id: str, key: Key, resources: Resources) -> bool:
        """Whether an offer of these (without allocation marks) was refused."""
        roles = self.by_agent.get(agent_id)
        frameworks = roles.get(key[1]) if roles is not None else None
        refusals = frameworks.get(key[0]) if frameworks is not None else None
        return refusals is not None and _cover(refusals, resources)

    def blocked(self, agent_id: str, role: str, resources: Resources) -> set[str]:
        """Name the frameworks that refused an offer of these (without allocation marks) for a role."""
        summary = self._summaries.get((agent_id, role))
        if summary is not None and summary[0] is resources:
            return summary[1]
        frameworks = self.by_agent.get(agent_id, {}).get(role, {})
        names = {name for name, refusals in frameworks.items() if _cover(refusals, resources)}
        self._summaries[agent_id, role] = (resources, names)
        return names

    def count_frameworks(self, agent_id: str, role: str) -> int:
        """Count the frameworks that refused anything of an agent for a role."""
        return len(self.by_agent.get(agent_id, {}).get(role, ()))

    def expire(self, now: float) -> set[str]:
        """Drop refusals that have ended; gives the agents concerned."""
        agents: set[str] = set()
        ends = self._ends
        while ends and now - ends[0][0] > _EARLY:
            _, _, agent_id, key, refusal = heappop(ends)
            refusals = self.by_agent.get(agent_id, {}).get(key[1], {}).get(key[0])
            if refusals is not None and refusal in refusals:
                refusals.remove(refusal)
                self._summaries.pop((agent_id, key[1]), None)
                if not refusals:
                    self._drop(agent_id, key)
                agents.add(agent_id)
        return agents

    def drop_agent(self, agent_id: str) -> None:
        """Forget all about an agent: it is gone or not what it was."""
        for role, frameworks in list(self.by_agent.get(agent_id, {}).items()):
            for framework_id in list(frameworks):
                self._drop(agent_id, (framework_id, role))

    def drop(self, framework_id: str, role: str) -> None:
        """Forget what a framework refused for a role."""
        key = (framework_id, role)
        for agent_id in list(self._places.get(key, ())):
            self._drop(agent_id, key)

    def _drop(self, agent_id: str, key: Key) -> None:
        framework_id, role = key
        self._summaries.pop((agent_id, role), None)
        roles = self.by_agent[agent_id]
        del roles[role][framework_id]
        if not roles[role]:
            del roles[role]
            if not roles:
                del self.by_agent[agent_id]
        agents = self._places[key]
        agents.discard(agent_id)
        if not agents:
            del self._places[key]

    def count(self, role: str) -> int:
        """Count the refusals in force for a role."""
        return sum(
            len(self.by_agent[agent_id][role][key[0]])
            for key, agents in self._places.items()
            if key[1] == role
            for agent_id in agents
        )


def _cover(refusals: list[Refusal], resources: Resources) -> bool:
    """Whether one of them covers an offer; mostly it is the very bag that was refused."""
    return any(refusal.resources is resources or refusal.resources.contains(resources) for refusal in refusals)
