"""One allocation round: what is free on the candidate agents, handed out in fair order.

For each agent, in random order: roles in the order of their shares; in each role its frameworks in the order of theirs.
The first framework that can take what is left gets all of it that its role may have. Orders are a snapshot per agent:
what it hands out counts from the next agent on.

Where there are quotas, a stage before serves roles whose guarantees are not met (``guarantees``), and both stages cut
what they offer to what limits and headroom allow (``round_quota``).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

from messor.allocator.agents import Agent, Bundle, Whole
from messor.allocator.drf_sorter import DrfSorter, Node
from messor.allocator.frameworks import Framework
from messor.allocator.guarantees import serve_guarantees
from messor.allocator.interfaces import Offers
from messor.allocator.round_quota import RoundQuota, charge, top_level
from messor.model.quantities import Quantities
from messor.model.resources import EMPTY, Resources
from messor.model.roles import is_subrole

if TYPE_CHECKING:
    from messor.allocator.hierarchical import HierarchicalAllocator


class Round:
    """The state of one round."""

    def __init__(self, books: HierarchicalAllocator) -> None:
        """Work on these books."""
        self.books = books
        self.offers: dict[str, Offers] = {}
        self.offered_shared: dict[str, Resources] = {}
        """Shared volumes are offered once per round and agent, though they stay available."""
        self.quota = RoundQuota(books) if books.quotas else None
        self._hopeful: set[str] | None = None
        """Roles whose limits leave something worth offering; None: nobody asked yet."""
        self._takers: dict[str, bool] = {}
        """Whether a role or one below it has frameworks that want offers, by role, as far as anybody asked."""

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
            if agent.available is not EMPTY
            and agent.active
            and agent.refused_by_all != generation
            and (whitelist is None or agent.info.hostname in whitelist)
        ]
        candidates = books.arrange(candidates)
        if self.quota is not None and self.quota.unsatisfied:
            serve_guarantees(self, self.quota, candidates)
            # Anew, or the agents in front would always serve guarantees and those at the end everybody else.
            candidates = books.arrange(candidates)
        if books.is_drf and (self.quota is None or not self.quota.required):
            self._hand_out(candidates)
        else:
            for agent in candidates:
                self.share_out(agent)
        return self.offers

    def _hand_out(self, agents: Iterable[Agent]) -> None:
        """Give everything on each agent to the very first framework; where it cannot take it, ask the others too.

        The first takes nearly always: this is ``share_out`` without walking through the orders, in one loop because
        rounds spend their time here.
        """
        books = self.books
        role_sorter, sorters = books.role_sorter, books.sorters
        refused, pool = books.refusals.by_agent, books.pool
        picky = {framework.id for framework in books.frameworks.values() if framework.is_picky}
        heed = bool(picky or books.quotas)
        alone = role_sorter.alone()
        role: str = role_sorter.first().client  # type: ignore[assignment]  # leaves are clients
        unbooked: list[Bundle] = []
        touched: list[tuple[Node, str]] = []
        for agent in agents:
            whole = agent.offer
            bundle = None
            if agent.is_simple and not (refused and agent.id in refused) and not (heed and not self._may_have(picky)):
                bundle = whole.bundle if whole and whole.available is agent.available else self._bundle(agent)
            if bundle is None or not bundle.enough:
                if unbooked:
                    _book(role_sorter, alone, unbooked)
                self.share_out(agent)
                continue
            if bundle.version != pool.version:
                bundle.renumber(pool)
            if alone is None:
                role = role_sorter.give(bundle.vector, bundle.even).client  # type: ignore[assignment]
            else:  # there is no order to keep
                if not bundle.given:
                    unbooked.append(bundle)
                bundle.given += 1
            leaf = sorters[role].give(bundle.vector, bundle.even)
            if whole is None or whole.role != role or whole.bundle is not bundle:
                whole = agent.offer = bundle.by_role.get(role) or self._whole(agent, role)
            if agent.ledger is None:
                agent.holder = leaf.client
                agent.handed = whole.marked
                agent.out_total = whole.available
                agent.available = EMPTY
            else:
                agent.take(leaf.client, whole.available, whole.marked, everything=True)  # type: ignore[arg-type]
            if leaf.pending is None:
                leaf.pending = {}
                touched.append((leaf, role))
            leaf.pending[agent.id] = whole.marked
        _book(role_sorter, alone, unbooked)
        self._collect(touched)

    def _may_have(self, picky: set[str]) -> bool:
        """Whether the very first framework takes any agent, and its role has no quota."""
        books = self.books
        role: str = books.role_sorter.first().client  # type: ignore[assignment]
        return top_level(role) not in books.quotas and books.sorters[role].first().client not in picky

    def _collect(self, touched: list[tuple[Node, str]]) -> None:
        """Gather what the leaves of frameworks in these roles were given."""
        for leaf, role in touched:
            by_role = self.offers.setdefault(leaf.client or "", {})
            pending, leaf.pending = leaf.pending or {}, None
            if role in by_role:  # what came through ``share_out`` is of other agents
                pending.update(by_role[role])
            by_role[role] = pending

    def share_out(self, agent: Agent) -> None:
        """Hand out one agent's free resources."""
        books = self.books
        was_out = agent.out_total
        if not agent.available:
            return
        roles = self._roles(agent)
        owners = _owners(agent.available)
        for role in roles:
            if owners is not None and not any(self._has_takers(owner) for owner in owners):
                break
            if owners is None or any(is_subrole(role, owner) for owner in owners):
                self._share_in_role(agent, role)
                if not agent.available:
                    break
                owners = _owners(agent.available)
        roles.close()
        # With quotas, who gets what may change with what happens on other agents.
        if agent.out_total is was_out and agent.id not in self.offered_shared and self.quota is None:
            agent.refused_by_all = books.generation

    def _roles(self, agent: Agent) -> Generator[str, None, None]:
        """Iterate over roles in order, leaving out those whose limits leave nothing worth offering."""
        sorter, quota = self.books.role_sorter, self.quota
        if quota is None or not agent.is_plain:
            yield from sorter.walk()
            return
        if quota.is_everyone_hopeless():
            return
        if self._hopeful is None or quota.hopes_fell:
            among = sorter.sort() if self._hopeful is None else self._hopeful
            self._hopeful = {role for role in among if not quota.is_hopeless(role)}
            quota.hopes_fell = False
        hopeful = self._hopeful
        if self.books.is_drf and len(hopeful) * 8 < sorter.count_active():
            yield from sorter.in_order_among(hopeful)
            return
        roles = sorter.walk()
        try:
            yield from (role for role in roles if role in hopeful)
        finally:
            roles.close()

    def _share_in_role(self, agent: Agent, role: str) -> None:
        """Offer to the frameworks of one role, in order."""
        sorter = self.books.sorters[role]
        frameworks = self.books.frameworks
        patience = self._patience(agent, role, sorter)
        if patience > 0:
            clients = sorter.walk()
            for framework_id in clients:
                if patience == 0 or not self._try(agent, role, frameworks[framework_id]):
                    break
                patience -= 1
            clients.close()
        if patience == 0 and agent.available:
            self._search(agent, role, sorter)

    def _has_takers(self, owner: str) -> bool:
        """Whether anybody may want what is reserved for a role."""
        known = self._takers.get(owner)
        if known is None:
            sorters = self.books.sorters
            known = any(is_subrole(role, owner) and sorters[role].count_active() for role in sorters)
            self._takers[owner] = known
        return known

    def _patience(self, agent: Agent, role: str, sorter: DrfSorter) -> int:
        """Tell how many frameworks to ask in order before searching for those that did not refuse the agent.

        Asking costs much more than telling that somebody refused, but there is only one who takes it.
        """
        is_free = agent.is_plain and (self.quota is None or not self.quota.binds(role))
        refused = self.books.refusals.count_frameworks(agent.id, role) if is_free else 0
        active = sorter.count_active()
        if refused < 4 or not self.books.is_drf:
            return active + 1
        if refused * 50 >= active * 49:
            return 0
        return 4 + active // 32

    def _search(self, agent: Agent, role: str, sorter: DrfSorter) -> None:
        """Offer everything to the first framework of a role that did not refuse it."""
        whole = self._whole(agent, role)
        blocked = self.books.refusals.blocked(agent.id, role, whole.available)
        if sorter.active <= blocked:
            return
        for framework_id in sorter.in_order(blocked):
            if not self._try(agent, role, self.books.frameworks[framework_id]):
                break

    def _try(self, agent: Agent, role: str, framework: Framework) -> bool:
        """Offer what a framework can take; False when nothing is left for this role's other frameworks."""
        marked: Resources | None = None
        binding = self.quota is not None and self.quota.binds(role)
        if agent.is_plain and not binding:
            whole = self._whole(agent, role)
            plain, marked, enough = whole.available, whole.marked, whole.bundle.enough
        else:
            part = self.part(agent, role, framework)
            if part is None:
                return False
            plain = part if self.quota is None else self.quota.cut(part, role)
            enough = _is_enough(plain, self.books.options.min_allocatable)
        if not plain or (agent.is_choosy and not self._suits(agent, role, framework)):
            return True
        if framework.constraints and not framework.constraints.allow(role, agent.info):
            return True
        minimum = framework.min_allocatable.get(role) if framework.min_allocatable else None
        if not (enough if minimum is None else _is_enough(plain, minimum)):
            return True
        if agent.id in self.books.refusals.by_agent and self.books.refusals.blocks(
            agent.id, (framework.id, role), plain
        ):
            return True
        self.commit(agent, role, framework, plain, marked or plain.allocated_to(role))
        return bool(agent.available)

    def can_take(self, agent: Agent, role: str, framework: Framework, plain: Resources) -> bool:
        """Whether an offer of these may be made: it suits, is enough and not refused."""
        if not plain or (agent.is_choosy and not self._suits(agent, role, framework)):
            return False
        if framework.constraints and not framework.constraints.allow(role, agent.info):
            return False
        minimum = self.books.options.min_allocatable
        if framework.min_allocatable:
            minimum = framework.min_allocatable.get(role, minimum)
        return _is_enough(plain, minimum) and not self.books.refusals.blocks(agent.id, (framework.id, role), plain)

    def _whole(self, agent: Agent, role: str) -> Whole:
        """Make an offer of all there is: nothing is reserved, revocable or shared. Kept for later rounds."""
        whole = agent.offer
        if whole is None or whole.available is not agent.available or whole.role != role:
            bundle = self._bundle(agent)
            whole = bundle.by_role.get(role)
            if whole is None:
                self.books.make_room()
                whole = bundle.by_role[role] = Whole(bundle, role)
            agent.offer = whole
        return whole

    def _bundle(self, agent: Agent) -> Bundle:
        """Find what offers of all there is share."""
        available = agent.available
        bundle = self.books.made.get(available)
        if bundle is None:
            enough = _is_enough(available, self.books.options.min_allocatable)
            bundle = self.books.made[available] = Bundle(available, enough=enough)
        # Agents with equal resources share one bag: less memory, and recognised by address from now on.
        if agent.total is available:
            agent.total = bundle.available
        agent.available = bundle.available
        return bundle

    def part(self, agent: Agent, role: str, framework: Framework) -> Resources | None:
        """Make an offer of what the role may have and the framework copes with; None when the role may have nothing."""
        if agent.is_plain:
            return agent.available
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
        return available.nonscalars_first()

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

    def commit(self, agent: Agent, role: str, framework: Framework, plain: Resources, marked: Resources) -> None:
        """Book an offer."""
        books = self.books
        agent.take(framework.id, plain, marked, everything=plain is agent.available)
        if self.quota is not None:
            self.quota.took(role, plain)
            held = books.held.get(top_level(role))
            if held is not None:
                charge(held, plain, 1)
        books.role_sorter.allocated(role, agent.id, plain)
        books.sorters[role].allocated(framework.id, agent.id, plain)
        by_agent = self.offers.setdefault(framework.id, {}).setdefault(role, {})
        if agent.id in by_agent:
            marked = by_agent[agent.id] + marked
        by_agent[agent.id] = marked
        if plain.has_shared:
            self.offered_shared[agent.id] = self.offered_shared.get(agent.id, EMPTY) + plain.shared()


def _book(sorter: DrfSorter, leaf: Node | None, given: list[Bundle]) -> None:
    """Book what was given to the only role."""
    for bundle in given:
        assert leaf is not None
        sorter.give_to(leaf, bundle.vector, bundle.given)
        bundle.given = 0
    given.clear()


def _owners(resources: Resources) -> set[str] | None:
    """Name the roles that resources are reserved for, None when anybody may have some: most roles need no asking."""
    if resources.is_plain:
        return None
    owners: set[str] = set()
    for kind in resources.kinds():
        if kind.reservation_role is None:
            return None
        owners.add(kind.reservation_role)
    return owners


def _is_enough(resources: Resources, minimum: tuple[Quantities, ...]) -> bool:
    """Whether it is worth offering: at least one of the minimums, if there are any."""
    if not minimum:
        return True
    return any(resources.covers(quantities) for quantities in minimum)
