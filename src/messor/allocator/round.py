"""One allocation round: what is free on the candidate agents, handed out in fair order.

For each agent, in random order: roles in the order of their shares; in each role its frameworks in the order of theirs.
The first framework that can take what is left gets all of it. Orders are a snapshot per agent: what it hands out counts
from the next agent on (performance matters less here than that everybody expects exactly this order).

Quotas will be a stage before (guarantees first) and a cut in ``_offerable`` (limits, headroom).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from messor.allocator.agents import Agent, Whole
from messor.allocator.frameworks import Framework
from messor.allocator.interfaces import Offers
from messor.model.quantities import Quantities
from messor.model.resources import EMPTY, Resources

if TYPE_CHECKING:
    from messor.allocator.hierarchical import HierarchicalAllocator


_MADE_LIMIT = 4096
"""How many offers of everything are kept for agents that have the same: most clusters have few sizes of machines."""


class Round:
    """The state of one round."""

    def __init__(self, books: HierarchicalAllocator) -> None:
        """Work on these books."""
        self.books = books
        self.offers: dict[str, Offers] = {}
        self.offered_shared: dict[str, Resources] = {}
        """Shared volumes are offered once per round and agent, though they stay available."""

    def run(self, agents: Iterable[Agent]) -> dict[str, Offers]:
        """Hand out and book; gives offers by framework id."""
        books = self.books
        if not books.role_sorter.count_active():
            return self.offers
        generation = books.generation
        whitelist = books.whitelist
        candidates = [
            agent
            for agent in agents
            if agent.available
            and agent.active
            and agent.refused_by_all != generation
            and (whitelist is None or agent.info.hostname in whitelist)
        ]
        books.chance.shuffle(candidates)
        quick = books.options.sorter == "drf"
        for agent in candidates:
            if not (quick and agent.is_plain and self._give_to_first(agent)):
                self.share_out(agent)
        return self.offers

    def _give_to_first(self, agent: Agent) -> bool:
        """Give everything to the very first framework; False when it cannot take it, and the others must be asked.

        What nearly every agent comes to; the same as ``share_out`` without walking through the orders.
        """
        books = self.books
        role_leaf = books.role_sorter.first()
        if role_leaf is None:
            return False
        role = role_leaf.client
        sorter = books.sorters[role]  # type: ignore[index]
        leaf = sorter.first()
        if leaf is None:
            return False
        framework_id = leaf.client
        framework = books.frameworks[framework_id]  # type: ignore[index]
        whole = agent.offer
        if whole is None or whole.available is not agent.available or whole.role != role:
            whole = self._whole(agent, role)  # type: ignore[arg-type]
        if not whole.enough or framework.min_allocatable or agent.is_choosy or agent.id in books.refusals.by_agent:
            return False
        out = agent.out
        if out:
            agent.take(framework_id, whole.plain, whole.marked, everything=True)  # type: ignore[arg-type]
        else:
            out[framework_id] = whole.marked  # type: ignore[index]
            agent.out_total = whole.plain
            agent.available = EMPTY
        books.role_sorter.allocated_first(role_leaf, whole.scalars)
        sorter.allocated_first(leaf, whole.scalars)
        try:
            self.offers[framework_id][role][agent.id] = whole.marked  # type: ignore[index]
        except KeyError:
            self.offers.setdefault(framework_id, {}).setdefault(role, {})[agent.id] = whole.marked  # type: ignore[arg-type]
        return True

    def share_out(self, agent: Agent) -> None:
        """Hand out one agent's free resources."""
        books = self.books
        sorters = books.sorters
        frameworks = books.frameworks
        was_available = agent.available
        roles = books.role_sorter.walk()
        for role in roles:
            clients = sorters[role].walk()
            for framework_id in clients:
                if not self._try(agent, role, frameworks[framework_id]):
                    break
            clients.close()
            if not agent.available:
                break
        roles.close()
        if agent.available is was_available and agent.id not in self.offered_shared:
            agent.refused_by_all = books.generation

    def _try(self, agent: Agent, role: str, framework: Framework) -> bool:
        """Offer what a framework can take; False when nothing is left for this role's other frameworks."""
        marked: Resources | None = None
        if agent.is_plain:
            whole = self._whole(agent, role)
            plain, marked, enough = whole.plain, whole.marked, whole.enough
        else:
            part = self._part(agent, role, framework)
            if part is None:
                return False
            plain, enough = part
        if not plain or (agent.is_choosy and not self._suits(agent, role, framework)):
            return True
        minimum = framework.min_allocatable.get(role) if framework.min_allocatable else None
        if not (enough if minimum is None else _is_enough(plain, minimum)):
            return True
        if agent.id in self.books.refusals.by_agent and self.books.refusals.blocks(
            agent.id, (framework.id, role), plain
        ):
            return True
        self._commit(agent, role, framework, plain, marked or plain.allocated_to(role))
        return bool(agent.available)

    def _whole(self, agent: Agent, role: str) -> Whole:
        """Make an offer of all there is: nothing is reserved, revocable or shared. Kept for later rounds."""
        available = agent.available
        whole = agent.offer
        if whole is None or whole.available is not available or whole.role != role:
            made = self.books.made
            key = (available, role)
            whole = made.get(key)
            if whole is None:
                if len(made) >= _MADE_LIMIT:
                    made.clear()
                enough = _is_enough(available, self.books.options.min_allocatable)
                whole = made[key] = Whole(available, role, enough=enough)
            agent.offer = whole
        return whole

    def _part(self, agent: Agent, role: str, framework: Framework) -> tuple[Resources, bool] | None:
        """Make an offer of what the role may have and the framework copes with; None when the role may have nothing."""
        available = agent.available.allocatable_to(role) - self.offered_shared.get(agent.id, EMPTY)
        if not available:
            return None
        if not framework.is_tolerant:
            able = framework.capabilities
            available = available.filter(
                lambda kind: (
                    (able.shared_resources or not kind.is_shared)
                    and (able.revocable_resources or not kind.is_revocable)
                    and (able.reservation_refinement or not kind.is_refined)
                )
            )
        plain = available.nonscalars_first()
        return plain, _is_enough(plain, self.books.options.min_allocatable)

    def _suits(self, agent: Agent, role: str, framework: Framework) -> bool:
        """Whether a framework can cope with an agent at all, and the agent with the framework and the role (A5)."""
        able, options = framework.capabilities, self.books.options
        if agent.has_gpus and options.filter_gpu_resources and not able.gpu_resources:
            return False
        if agent.region != options.region and None not in {agent.region, options.region} and not able.region_aware:
            return False
        if able.multi_role and not agent.capabilities.multi_role:
            return False
        return agent.capabilities.hierarchical_role or "/" not in role

    def _commit(self, agent: Agent, role: str, framework: Framework, plain: Resources, marked: Resources) -> None:
        books = self.books
        agent.take(framework.id, plain, marked, everything=agent.is_plain)
        books.role_sorter.allocated(role, agent.id, plain)
        books.sorters[role].allocated(framework.id, agent.id, plain)
        by_agent = self.offers.setdefault(framework.id, {}).setdefault(role, {})
        if agent.id in by_agent:
            marked = by_agent[agent.id] + marked
        by_agent[agent.id] = marked
        if plain.has_shared:
            self.offered_shared[agent.id] = self.offered_shared.get(agent.id, EMPTY) + plain.shared()


def _is_enough(resources: Resources, minimum: tuple[Quantities, ...]) -> bool:
    """Whether it is worth offering: at least one of the minimums, if there are any."""
    if not minimum:
        return True
    return any(resources.covers(quantities) for quantities in minimum)
