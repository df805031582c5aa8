"""The allocator's books: agents, frameworks, roles, refusals, and every operation on them.

Pure: time and randomness are arguments. ``allocate`` hands out what is free on the candidate agents and books it;
``service`` decides when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from messor.allocator.agents import Agent, Bundle, Whole
from messor.allocator.constraints import Constraints
from messor.allocator.drf_sorter import DrfSorter
from messor.allocator.filters import Refusals, refuse_seconds
from messor.allocator.frameworks import Framework
from messor.allocator.holdings import FrameworkHoldings, Holdings, RoleHoldings
from messor.allocator.interfaces import AllocatorOptions, Offers, SorterFactory
from messor.allocator.random_sorter import RandomSorter
from messor.allocator.role_tree import RoleTree
from messor.allocator.round import Round
from messor.allocator.round_quota import charge, top_level
from messor.allocator.sorter import Pool
from messor.allocator.windows import Windows
from messor.model.attributes import same_attributes
from messor.model.capabilities import AgentCapabilities
from messor.model.conversions import Conversion, apply_all
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resources import EMPTY, Resources
from messor.protos import v0

if TYPE_CHECKING:
    import random


_MADE_LIMIT = 8192


class HierarchicalAllocator:
    """All that is known, and who gets what of it."""

    def __init__(self, options: AllocatorOptions, chance: random.Random) -> None:
        """Start empty; chance is drawn from for the order of agents (and of clients, if sorted at random)."""
        self.options = options
        self.chance = chance
        self.agents: dict[str, Agent] = {}
        self.frameworks: dict[str, Framework] = {}
        self.strangers: set[str] = set()
        """Frameworks that are not known yet but use resources of agents."""
        self.roles = RoleTree()
        self.quotas: dict[str, Quota] = {}
        """Of the top-level roles that have one."""
        self.held: dict[str, dict[str, int]] = {}
        """What each of these roles and those below hold (offers count) of what is subject to quota, by name."""
        self.refusals = Refusals()
        self.whitelist: frozenset[str] | None = None
        self.pool = Pool(options.fair_sharing_excluded)
        self.windows = Windows()
        self._role_sorter_kind = options.role_sorter or options.sorter
        self._framework_sorter_kind = options.framework_sorter or options.sorter
        self.is_drf = self._role_sorter_kind == "drf" and self._framework_sorter_kind == "drf"
        """Whether all orders are those of dominant shares: some short cuts rest on that."""
        self.role_sorter = self._new_sorter(self._role_sorter_kind, RoleHoldings(self.agents))
        self.sorters: dict[str, DrfSorter] = {}
        """By role: the order of its frameworks."""
        self.made: dict[Resources, Bundle] = {}
        """What offers of everything an agent has are made of, by what that is."""
        self._made_count = 0
        self.generation = 0
        """Grows whenever a framework may want what it did not want before."""

    def _new_sorter(self, kind: str | SorterFactory, holdings: Holdings) -> DrfSorter:
        if kind == "drf":
            return DrfSorter(self.pool, holdings=holdings)
        if kind == "random":
            return RandomSorter(self.pool, self.chance, holdings=holdings)
        assert not isinstance(kind, str), kind
        # What only our own sorters have is asked for only where ``is_drf``.
        return kind(self.pool, self.chance)  # type: ignore[return-value]

    def arrange(self, agents: list[Agent]) -> list[Agent]:
        """Put the agents of a round in the order they are offered in: at random, so that no agent is always last.

        A hook for allocators of your own: leave out what should not be offered now.
        """
        self.chance.shuffle(agents)
        return agents

    def allocate(self, candidates: Iterable[str] | None, now: float) -> dict[str, Offers]:
        """Hand out what is free on these agents (None: all) and book it; gives the offers by framework id."""
        for agent_id in self.refusals.expire(now):
            agent = self.agents.get(agent_id)
            if agent is not None:
                agent.refused_by_all = -1
        agents = self.agents
        if candidates is None:
            known = list(agents.values())
        else:
            # Ordered by id first: a set's own order would differ from run to run, and the shuffle with it.
            known = [agents[agent_id] for agent_id in sorted(candidates) if agent_id in agents]
        return Round(self).run(known)

    def make_room(self) -> None:
        """Forget what offers were made of when there are too many: most clusters have few sizes of machines."""
        self._made_count += 1
        if self._made_count > _MADE_LIMIT:
            for bundle in self.made.values():
                bundle.by_role.clear()
            self.made.clear()
            self._made_count = 1

    # --- frameworks --------------------------------------------------------------------------------------------------

    def add_framework(
        self,
        framework_id: str,
        info: v0.FrameworkInfo,
        used: Mapping[str, Resources],
        suppressed: frozenset[str],
        *,
        active: bool,
    ) -> None:
        """Add a framework; what agents came with and said it uses is booked for it now."""
        framework = Framework(framework_id, info, suppressed, active=active)
        self.frameworks[framework_id] = framework
        for role in sorted(framework.roles):  # the random sorter draws in the order clients were added
            self._track(framework, role)
            if active and role not in framework.suppressed:
                self._set_active(framework_id, role, active=True)
        for agent_id, resources in used.items():
            agent = self.agents.get(agent_id)
            if agent is not None and not agent.held_by(framework_id):
                agent.take(framework_id, resources.unallocated(), resources)
                self.charge_held(resources, 1)
                self._use(agent, resources)
                self.strangers.add(framework_id)
        if framework_id in self.strangers:
            self.strangers.discard(framework_id)
            for agent in self.agents.values():
                self._book(agent, framework, agent.held_by(framework_id))
        self.generation += 1

    def remove_framework(self, framework_id: str) -> None:
        """Forget a framework and free what it holds."""
        framework = self.frameworks[framework_id]
        for agent in self.agents.values():
            held = agent.held_by(framework_id)
            if held:
                self._unbook(agent, framework, held)
                agent.give_back(framework_id, held)
                self.charge_held(held, -1)
        for role in [role for role, tracked in self.roles.frameworks.items() if framework_id in tracked]:
            self.refusals.drop(framework_id, role)
            self._untrack(framework_id, role)
        self.windows.forget_framework(framework_id)
        del self.frameworks[framework_id]

    def activate_framework(self, framework_id: str) -> None:
        """Let a framework take part, except for roles it suppressed."""
        framework = self.frameworks[framework_id]
        framework.active = True
        for role in framework.roles:
            if role not in framework.suppressed:
                self._set_active(framework_id, role, active=True)
        self.generation += 1

    def deactivate_framework(self, framework_id: str) -> None:
        """Leave a framework out; its refusals are forgotten (S93)."""
        framework = self.frameworks[framework_id]
        framework.active = False
        self.windows.forget_refusals(framework_id)
        for role in framework.roles:
            self._set_active(framework_id, role, active=False)
            self.refusals.drop(framework_id, role)

    def update_framework(self, framework_id: str, info: v0.FrameworkInfo, suppressed: frozenset[str]) -> None:
        """Take over changed roles, capabilities and suppression; roles no longer suppressed forget their refusals."""
        framework = self.frameworks[framework_id]
        old_roles, old_suppressed = framework.roles, frozenset(framework.suppressed)
        framework.update(info)
        for role in sorted(framework.roles - old_roles):
            self._track(framework, role)
            if framework.active:
                self._set_active(framework_id, role, active=True)
        for role in old_roles - framework.roles:
            self._set_active(framework_id, role, active=False)
            self.refusals.drop(framework_id, role)
            framework.suppressed.discard(role)
            self._untrack_if_idle(framework, role)
        self.suppress(framework_id, suppressed - old_suppressed)
        self.revive(framework_id, (old_suppressed - suppressed) & framework.roles)
        framework.suppressed = set(suppressed)
        self.generation += 1

    def suppress(self, framework_id: str, roles: Iterable[str]) -> None:
        """Leave a framework out for these roles."""
        framework = self.frameworks[framework_id]
        for role in roles:
            framework.suppressed.add(role)
            if role in framework.roles:
                self._set_active(framework_id, role, active=False)

    def update_constraints(self, framework_id: str, constraints: Constraints) -> None:
        """Change which agents a framework wants to hear of."""
        self.frameworks[framework_id].constraints = constraints
        self.generation += 1

    def revive(self, framework_id: str, roles: Iterable[str]) -> None:
        """Let a framework take part for these roles again and forget what it refused."""
        framework = self.frameworks[framework_id]
        for role in roles:
            framework.suppressed.discard(role)
            self.refusals.drop(framework_id, role)
            if framework.active and role in framework.roles:
                self._set_active(framework_id, role, active=True)
        self.generation += 1

    def _set_active(self, framework_id: str, role: str, *, active: bool) -> None:
        sorter = self.sorters[role]
        if active:
            sorter.activate(framework_id)
        else:
            sorter.deactivate(framework_id)
        # A role nobody wants offers for keeps its books but not its place in the order: rounds would pass it idly.
        if sorter.count_active():
            self.role_sorter.activate(role)
        else:
            self.role_sorter.deactivate(role)

    def _track(self, framework: Framework, role: str) -> None:
        if self.roles.is_tracked(role, framework.id):
            return
        if self.roles.track(role, framework.id):
            self.role_sorter.add(role)
            self.sorters[role] = self._new_sorter(self._framework_sorter_kind, FrameworkHoldings(self.agents, role))
        self.sorters[role].add(framework.id)

    def _untrack(self, framework_id: str, role: str) -> None:
        sorter = self.sorters[role]
        sorter.remove(framework_id)
        if self.roles.untrack(role, framework_id):
            self.role_sorter.remove(role)
            del self.sorters[role]
        elif not sorter.count_active():
            self.role_sorter.deactivate(role)

    def _untrack_if_idle(self, framework: Framework, role: str) -> None:
        """Forget a role the framework left, unless it still holds something under it."""
        for agent in self.agents.values():
            if any(kind.allocation_role == role for kind in agent.held_by(framework.id).kinds()):
                return
        self._untrack(framework.id, role)

    # --- agents ------------------------------------------------------------------------------------------------------

    def add_agent(
        self,
        agent_id: str,
        info: v0.SlaveInfo,
        capabilities: Iterable[v0.SlaveInfo.Capability | int],
        total: Resources,
        used: Mapping[str, Resources],
    ) -> None:
        """Add an agent; uses of frameworks not yet known are booked under them when they come."""
        agent = Agent(agent_id, info, AgentCapabilities.of(capabilities), total)
        self.agents[agent.id] = agent
        self.roles.reserve(EMPTY, total)
        self.pool.add_agent(agent_id, total.scalars())
        for framework_id, resources in used.items():
            if not resources:
                continue
            agent.take(framework_id, resources.unallocated(), resources)
            self.charge_held(resources, 1)
            self._use(agent, resources)
            framework = self.frameworks.get(framework_id)
            if framework is not None:
                self._book(agent, framework, resources)
            else:
                self.strangers.add(framework_id)

    def remove_agent(self, agent_id: str) -> None:
        """Forget an agent, what is out of it, and refusals of it."""
        agent = self.agents[agent_id]
        for framework_id, held in agent.out.items():
            self.charge_held(held, -1)
            framework = self.frameworks.get(framework_id)
            if framework is not None:
                self._unbook(agent, framework, held)
        self.pool.remove_agent(agent_id)
        self.roles.reserve(agent.total, EMPTY)
        self.roles.use(agent.allocated, -1)
        self.refusals.drop_agent(agent_id)
        self.windows.plan(agent_id, None)
        del self.agents[agent_id]

    def update_agent(
        self,
        agent_id: str,
        info: v0.SlaveInfo,
        total: Resources | None,
        capabilities: Iterable[v0.SlaveInfo.Capability | int] | None,
    ) -> bool:
        """Take over what changed; True when anything did.

        Changed attributes void the refusals of it: they may rest on the old ones.
        """
        agent = self.agents[agent_id]
        changed = False
        if not same_attributes(agent.info.attributes, info.attributes):
            self.refusals.drop_agent(agent_id)
            changed = True
        able = agent.capabilities if capabilities is None else AgentCapabilities.of(capabilities)
        if agent.info != info or agent.capabilities != able:
            agent.update_info(info, able)
            changed = True
        if total is not None and self._update_total(agent, total):
            changed = True
        agent.refused_by_all = -1
        return changed

    def add_resource_provider(self, agent_id: str, total: Resources, used: Mapping[str, Resources]) -> None:
        """Let an agent grow by what a provider on it has; uses of frameworks that are not known are not booked (S98).

        The master adds frameworks first.
        """
        agent = self.agents[agent_id]
        self._update_total(agent, agent.total + total)
        for framework_id, resources in used.items():
            framework = self.frameworks.get(framework_id)
            if framework is not None and resources:
                agent.take(framework_id, resources.unallocated(), resources)
                self.charge_held(resources, 1)
                self._use(agent, resources)
                self._book(agent, framework, resources)

    def _update_total(self, agent: Agent, total: Resources) -> bool:
        if agent.total == total:
            return False
        old, new = agent.total.scalars(), total.scalars()
        if old != new:
            self.pool.update_agent(agent.id, total)
        self.roles.reserve(agent.total, total)
        agent.update_total(total)
        return True

    def set_agent_active(self, agent_id: str, *, active: bool) -> None:
        """Let an agent's resources be offered or not."""
        self.agents[agent_id].active = active

    # --- resources ---------------------------------------------------------------------------------------------------

    def update_allocation(
        self, framework_id: str, agent_id: str, offered: Resources, conversions: Iterable[Conversion]
    ) -> None:
        """Convert part of what was offered; raises InvalidRequest when it does not hold what is consumed.

        Conversions that consume nothing only add copies of a shared volume: the agent's total has it once.
        """
        agent = self.agents[agent_id]
        framework = self.frameworks[framework_id]
        steps = list(conversions)
        updated = apply_all(offered, steps)
        total = apply_all(agent.total, [step.unallocated() for step in steps if step.consumed])
        for role, part in offered.allocations().items():
            changed = updated.filter(lambda kind, role=role: (kind.allocation_role or "") == role)  # type: ignore[misc]
            self.sorters[role].update(framework.id, agent_id, part, changed)
            self.role_sorter.update(role, agent_id, part, changed)
        agent.give_back(framework_id, offered)
        self.charge_held(offered, -1)
        self._update_total(agent, total)
        if updated:
            agent.take(framework_id, updated.unallocated(), updated)
            self.charge_held(updated, 1)

    def update_available(self, agent_id: str, conversions: Iterable[Conversion]) -> None:
        """Convert what nobody holds; raises InvalidRequest when it is not there."""
        agent = self.agents[agent_id]
        steps = [step.unallocated() for step in conversions]
        apply_all(agent.available, steps)
        self._update_total(agent, apply_all(agent.total, steps))

    def transition_offered_to_allocated(self, agent_id: str, resources: Resources) -> None:
        """Note that tasks use these now."""
        self._use(self.agents[agent_id], resources)

    def _use(self, agent: Agent, resources: Resources) -> None:
        agent.allocated += resources
        self.roles.use(resources, 1)

    def recover_resources(
        self,
        framework_id: str,
        agent_id: str,
        resources: Resources,
        filters: v0.Filters | None,
        now: float,
        *,
        is_allocated: bool,
    ) -> None:
        """Take back resources, and remember the refusal if there is one."""
        agent = self.agents.get(agent_id)
        if agent is None or not resources:
            return
        if is_allocated:
            agent.allocated -= resources
            self.roles.use(resources, -1)
        framework = self.frameworks.get(framework_id)
        if framework is None or not agent.held_by(framework_id):
            return
        whole = agent.offer
        if whole is not None and whole.marked is resources and self._take_whole_back(agent, framework, whole):
            if filters is not None:
                seconds = refuse_seconds(filters)
                if seconds > 0:
                    expires = now + max(self.options.allocation_interval, seconds)
                    self.refusals.add(agent_id, (framework_id, whole.role), whole.available, expires)
            return
        self._unbook(agent, framework, resources)
        agent.give_back(framework_id, resources)
        self.charge_held(resources, -1)
        if filters is None:
            return
        seconds = refuse_seconds(filters)
        if seconds > 0:
            expires = now + max(self.options.allocation_interval, seconds)
            for role, part in resources.allocations().items():
                # Mostly all of an offer of everything comes back: the very same bag is quick to recognise later.
                plain = whole.available if whole is not None and whole.marked is part else part.unallocated()
                self.refusals.add(agent_id, (framework_id, role), plain, expires)

    def _take_whole_back(self, agent: Agent, framework: Framework, whole: Whole) -> bool:
        """Take back an offer of everything that comes back as it went out: most do; False when it is not so."""
        if not self.is_drf or agent.held_by(framework.id) is not whole.marked or whole.role not in framework.roles:
            return False
        bundle = whole.bundle
        if bundle.version != self.pool.version:
            bundle.renumber(self.pool)
        self.sorters[whole.role].unallocated_vector(framework.id, bundle.vector)
        self.role_sorter.unallocated_vector(whole.role, bundle.vector)
        agent.gave_whole_back(framework.id, whole)
        self.charge_held(whole.marked, -1)
        return True

    def holds(self, framework_id: str, agent_id: str, resources: Resources) -> bool:
        """Whether a framework holds at least these of an agent; true when either is unknown (they just left)."""
        agent = self.agents.get(agent_id)
        if agent is None or framework_id not in self.frameworks:
            return True
        have = agent.held_by(framework_id)
        return have is resources or have.contains(resources)

    def _book(self, agent: Agent, framework: Framework, resources: Resources) -> None:
        for role, part in resources.allocations().items():
            self._track(framework, role)
            self.role_sorter.allocated(role, agent.id, part)
            self.sorters[role].allocated(framework.id, agent.id, part)

    def _unbook(self, agent: Agent, framework: Framework, resources: Resources) -> None:
        for role, part in resources.allocations().items():
            sorter = self.sorters.get(role)
            if sorter is None or not sorter.contains(framework.id):
                continue
            sorter.unallocated(framework.id, agent.id, part)
            self.role_sorter.unallocated(role, agent.id, part)
            if role not in framework.roles and not sorter.allocation(framework.id):
                self._untrack_later(framework, role, agent, part)

    def _untrack_later(self, framework: Framework, role: str, agent: Agent, part: Resources) -> None:
        """Forget a role the framework left long ago once the last of it, this part, is given back."""
        for other in self.agents.values():
            held = other.held_by(framework.id)
            if other is agent:
                held -= part
            if any(kind.allocation_role == role for kind in held.kinds()):
                return
        self._untrack(framework.id, role)

    # --- quota -------------------------------------------------------------------------------------------------------

    def update_quota(self, role: str, quota: Quota) -> None:
        """Change what a top-level role is promised and may have at most; the default quota ends it."""
        if quota.is_default:
            self.quotas.pop(role, None)
            self.held.pop(role, None)
            return
        self.quotas[role] = quota
        if role not in self.held:
            sums = self.held[role] = {}
            for agent in self.agents.values():
                for marked in agent.out.values():
                    for name, part in marked.allocations().items():
                        if top_level(name) == role:
                            charge(sums, part, 1)

    def charge_held(self, marked: Resources, sign: int) -> None:
        """Note that these, with allocation marks, are handed out (1) or came back (-1)."""
        if not self.held:
            return
        for role, part in marked.allocations().items():
            sums = self.held.get(top_level(role))
            if sums is not None:
                charge(sums, part, sign)

    def quota_consumption(self, role: str) -> Mapping[str, int]:
        """Tell what a role with a quota is charged: all reserved for its subtree and all else its subtree holds."""
        held, reserved = self.held.get(role, {}), self.roles.reserved.get(role)
        return dict(Quantities(held) + reserved) if reserved else held

    # --- questions ---------------------------------------------------------------------------------------------------

    def update_weights(self, weights: Mapping[str, float]) -> None:
        """Change weights of roles."""
        for role, weight in weights.items():
            self.role_sorter.update_weight(role, weight)

    def dominant_shares(self) -> dict[str, float]:
        """Tell the weighted dominant share of each role that has frameworks."""
        return {role: self.role_sorter.share(role) for role in self.sorters}

    def may_be_offered(self, agent: Agent) -> bool:
        """Whether an agent takes part in rounds."""
        return agent.active and (self.whitelist is None or agent.info.hostname in self.whitelist)
