"""An allocator of your own: fill agents before opening others, so that idle ones can be switched off.

Agents are offered fullest first. Idle ones are offered when those in use have nothing left or were refused, and only as
many at a time as ``SPARE`` says. Fair shares decide as usual who is offered an agent.

    PYTHONPATH=examples messor master --allocator=bin_packing_allocator:BinPackingAllocator ...
"""

from __future__ import annotations

from messor.allocator.agents import Agent
from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.service import AllocatorService

SPARE = 1
"""How many idle agents may be out in offers at a time."""


class BinPackingBooks(HierarchicalAllocator):
    """The usual books with another order of agents."""

    def arrange(self, agents: list[Agent]) -> list[Agent]:
        """Put agents with tasks first, the fullest before all, then a few idle ones."""
        used = [agent for agent in agents if agent.allocated]
        used.sort(key=lambda agent: (-_fullness(agent), agent.id))
        if any(agent.available and agent.id not in self.refusals.by_agent for agent in used):
            return used
        idle = sorted((agent for agent in agents if not agent.allocated), key=lambda agent: agent.id)
        out = sum(1 for agent in self.agents.values() if agent.out and not agent.allocated)
        return used + idle[: max(0, SPARE - out)]


class BinPackingAllocator(AllocatorService):
    """The usual allocator with these books."""

    books_class = BinPackingBooks


def _fullness(agent: Agent) -> float:
    """Tell the largest part of anything that tasks use."""
    total = agent.total.scalars()
    return max((milli / total[name] for name, milli in agent.allocated.scalars().items() if total.get(name)), default=0)
