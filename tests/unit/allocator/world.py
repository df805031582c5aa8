"""An allocator with short ways to fill and ask it."""

from __future__ import annotations

import random
from typing import Any

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.model.resource_text import parse_resources
from messor.model.resources import EMPTY, Resources
from messor.protos import v0

CAPABLE = [1, 2, 3]
"""What every agent of today can do: MULTI_ROLE, HIERARCHICAL_ROLE, RESERVATION_REFINEMENT."""


class InOrder(random.Random):
    """Keeps agents in the order they were added."""

    def shuffle(self, x: Any) -> None:
        """Leave it."""


def framework_info(*roles: str, able: tuple[str, ...] = (), **fields: Any) -> v0.FrameworkInfo:
    """Make a MULTI_ROLE framework with these roles and capabilities besides."""
    info = v0.FrameworkInfo(user="u", name="n", roles=roles, **fields)
    for name in ("MULTI_ROLE", *able):
        info.capabilities.add(type=v0.FrameworkInfo.Capability.Type.Value(name))
    return info


class World:
    """Books, and the time."""

    def __init__(self, **options: Any) -> None:
        """Start empty at time 0."""
        self.books = HierarchicalAllocator(AllocatorOptions(**options), InOrder())
        self.now = 0.0

    def framework(self, name: str, *roles: str, able: tuple[str, ...] = (), **fields: Any) -> None:
        """Add an active framework."""
        info = framework_info(*(roles or ("*",)), able=able, **fields)
        self.books.add_framework(name, info, {}, frozenset(), active=True)

    def agent(self, name: str, text: str | Resources, *, able: list[int] = CAPABLE, **fields: Any) -> None:
        """Add an agent."""
        total = parse_resources(text) if isinstance(text, str) else text
        self.books.add_agent(name, v0.SlaveInfo(hostname=f"{name}.host", **fields), able, total, {})

    def round(self, seconds: float = 1.0) -> dict[tuple[str, str, str], str]:
        """Let time pass and allocate; gives the text of what (framework, role, agent) got."""
        self.now += seconds
        offers = self.books.allocate(None, self.now)
        return {
            (framework, role, agent): str(resources.unallocated())
            for framework, by_role in offers.items()
            for role, by_agent in by_role.items()
            for agent, resources in by_agent.items()
        }

    def takers(self, seconds: float = 1.0) -> dict[str, str]:
        """Let time pass and allocate; gives which framework got each agent."""
        return {agent: framework for framework, _, agent in self.round(seconds)}

    def decline(self, framework: str, agent: str, seconds: float | None = None) -> None:
        """Give back all a framework holds of an agent, refused for some seconds or not at all."""
        filters = None if seconds is None else v0.Filters(refuse_seconds=seconds)
        for part in self.books.agents[agent].out.get(framework, EMPTY).allocations().values():
            self.books.recover_resources(framework, agent, part, filters, self.now, is_allocated=False)

    def decline_all(self, seconds: float | None = None) -> None:
        """Give back everything."""
        for agent in self.books.agents.values():
            for framework in list(agent.out):
                self.decline(framework, agent.id, seconds)
