"""The first stage of a round: roles whose guarantees are not met, before everybody else.

For each agent, roles in the order of their shares, but only those that miss something. Most rounds find few of them, so
they are kept in a heap of their own instead of being looked for among all roles.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from messor.allocator.agents import Agent
from messor.allocator.round_quota import RoundQuota, top_level

if TYPE_CHECKING:
    from messor.allocator.round import Round


def serve_guarantees(current: Round, quota: RoundQuota, agents: Iterable[Agent]) -> None:
    """Offer agents to roles whose guarantees are not met."""
    queue = _Queue(current, quota)
    for agent in agents:
        if not quota.unsatisfied:
            break
        if agent.available and _helps(agent, quota):
            roles = queue.walk()
            for role in roles:
                _serve(current, quota, agent, role)
                if not agent.available or not _helps(agent, quota):
                    break
            roles.close()


def _helps(agent: Agent, quota: RoundQuota) -> bool:
    """Whether anything free on an agent is missing to any guarantee."""
    required = quota.required
    return any(name in required for name in agent.available.scalars())


def _serve(current: Round, quota: RoundQuota, agent: Agent, role: str) -> None:
    """Offer an agent to the frameworks of a role until its guarantees are met."""
    top = top_level(role)
    books = current.books
    clients = books.sorters[role].walk()
    for framework_id in clients:
        if top not in quota.unsatisfied:
            break
        framework = books.frameworks[framework_id]
        part = current.part(agent, role, framework)
        if part is None:
            break
        offer = quota.cut_for_guarantees(part, top)
        if offer and current.can_take(agent, role, framework, offer):
            current.commit(agent, role, framework, offer, offer.allocated_to(role))
            if not agent.available:
                break
    clients.close()


class _Queue:
    """The roles that miss something, in order."""

    def __init__(self, current: Round, quota: RoundQuota) -> None:
        self._sorter = current.books.role_sorter
        self._quota = quota
        self._heap: list[tuple[tuple[float, int, str], str]] = []
        # Shares of nested roles depend on each other, and random orders are drawn anew for every agent.
        self._is_simple = False
        if current.books.is_drf:
            names = [name for name in self._sorter.active if top_level(name) in quota.unsatisfied]
            self._is_simple = not any("/" in name for name in names)
            self._heap = [(self._sorter.order_key(name), name) for name in names]
            heapify(self._heap)

    def walk(self) -> Generator[str, None, None]:
        """Iterate over a snapshot of the order; close or exhaust it before the next."""
        if not self._is_simple:
            names = [name for name in self._sorter.sort() if top_level(name) in self._quota.unsatisfied]
            yield from (name for name in names if top_level(name) in self._quota.unsatisfied)
            return
        taken: list[str] = []
        try:
            while self._heap:
                name = heappop(self._heap)[1]
                taken.append(name)
                yield name
        finally:
            for name in taken:
                if name in self._quota.unsatisfied:
                    heappush(self._heap, (self._sorter.order_key(name), name))
