"""The allocator decides exactly as the plain reference does, whatever happens to it."""

from __future__ import annotations

import random
from typing import Any
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.allocator.round import Round
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources
from messor.model.resources import EMPTY, Resources
from messor.protos import v0
from support.reference_allocator import Client, ReferenceAllocator

ROLES = ["a", "a/b", "a/c", "d", "e/f", "*"]
SIZES = [
    "cpus:4;mem:4096;disk:100;ports:[1-10]",
    "cpus:2.5;mem:1024",
    "cpus:8;mem:512;cpus(a):1;mem(a):64;ports:[1-5]",
    "cpus:1.1;mem:300;cpus(e):2",
    "cpus:0.001;mem:1",
    "cpus(d):3;mem(a/b):512",
]


class InOrder(random.Random):
    """Does not shuffle, so that both see agents in the same order."""

    def shuffle(self, x: Any) -> None:
        """Leave it."""


def framework_info(roles: frozenset[str], *, revocable: bool) -> v0.FrameworkInfo:
    """Make a MULTI_ROLE framework."""
    kinds = [v0.FrameworkInfo.Capability.MULTI_ROLE, v0.FrameworkInfo.Capability.RESERVATION_REFINEMENT]
    if revocable:
        kinds.append(v0.FrameworkInfo.Capability.REVOCABLE_RESOURCES)
    capabilities = [v0.FrameworkInfo.Capability(type=kind) for kind in kinds]
    return v0.FrameworkInfo(user="u", name="n", roles=sorted(roles), capabilities=capabilities)


class Comparison(RuleBasedStateMachine):
    """Drives both through the same story."""

    def __init__(self) -> None:
        """Add a framework that keeps all roles known but never wants anything (so that ties break alike)."""
        super().__init__()
        self.ours = HierarchicalAllocator(AllocatorOptions(), InOrder())
        self.theirs = ReferenceAllocator()
        self.now = 0.0
        self.out: dict[tuple[str, str, str], Resources] = {}
        self.count = 0
        self.add("idle", frozenset(ROLES), revocable=False)
        self.ours.suppress("idle", ROLES)
        self.theirs.clients["idle"].suppressed = set(ROLES)

    def add(self, name: str, roles: frozenset[str], *, revocable: bool) -> None:
        """Add a framework to both."""
        self.ours.add_framework(name, framework_info(roles, revocable=revocable), {}, frozenset(), active=True)
        self.theirs.clients[name] = Client(roles, revocable)

    def frameworks(self) -> list[str]:
        """Name those that may change."""
        return [name for name in self.theirs.clients if name != "idle"]

    @rule(roles=st.sets(st.sampled_from(ROLES), min_size=1, max_size=3), revocable=st.booleans())
    def add_framework(self, roles: set[str], revocable: bool) -> None:
        """One more framework."""
        self.count += 1
        self.add(f"f{self.count}", frozenset(roles), revocable=revocable)

    @rule(size=st.sampled_from(SIZES), revocable=st.booleans())
    def add_agent(self, size: str, revocable: bool) -> None:
        """One more agent."""
        self.count += 1
        name = f"s{self.count:03}"
        total = parse_resources(size)
        if revocable:
            part = v0.Resource(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=2))
            part.revocable.SetInParent()
            total += Resources.of([part])
        self.ours.add_agent(name, v0.SlaveInfo(hostname=name), [1, 2, 3], total, {})
        self.theirs.agents[name] = total

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def round(self, seconds: float) -> None:
        """Time passes, then both allocate."""
        self.now += seconds
        before = {role: self.theirs.consumed(role) for role in self.theirs.quotas}
        theirs = self.theirs.round(self.now)
        ours = {
            (framework, role, agent): resources
            for framework, by_role in self.ours.allocate(None, self.now).items()
            for role, by_agent in by_role.items()
            for agent, resources in by_agent.items()
        }
        assert {key: resources.unallocated() for key, resources in ours.items()} == theirs
        for key, resources in ours.items():
            assert all(kind.allocation_role == key[1] for kind in resources.kinds())
            self.out[key] = self.out.get(key, EMPTY) + resources
        for role, quota in self.theirs.quotas.items():
            consumed = self.ours.quota_consumption(role)
            for name, limit in quota.limits.items():
                assert consumed.get(name, 0) <= max(limit, before[role][name]), "a round passes no limit"

    @precondition(lambda self: self.out)
    @rule(data=st.data(), seconds=st.sampled_from([None, 0.0, 2.0, 5.0]))
    def decline(self, data: st.DataObject, seconds: float | None) -> None:
        """Some offers come back, refused for a while or not."""
        keys = data.draw(st.lists(st.sampled_from(sorted(self.out)), min_size=1, max_size=4, unique=True))
        for key in keys:
            framework, _, agent = key
            filters = None if seconds is None else v0.Filters(refuse_seconds=seconds)
            resources = self.out.pop(key)
            self.ours.recover_resources(framework, agent, resources, filters, self.now, is_allocated=False)
            self.theirs.give_back(key, self.now + max(seconds, 1.0) if seconds else None)

    @precondition(lambda self: self.frameworks())
    @rule(data=st.data(), role=st.sampled_from(ROLES))
    def suppress(self, data: st.DataObject, role: str) -> None:
        """A framework wants nothing for a role."""
        name = data.draw(st.sampled_from(self.frameworks()))
        self.ours.suppress(name, [role])
        self.theirs.clients[name].suppressed.add(role)

    @precondition(lambda self: self.frameworks())
    @rule(data=st.data(), role=st.sampled_from(ROLES))
    def revive(self, data: st.DataObject, role: str) -> None:
        """A framework wants offers again."""
        name = data.draw(st.sampled_from(self.frameworks()))
        self.ours.revive(name, [role])
        self.theirs.clients[name].suppressed.discard(role)
        self.theirs.forget_refusals(name, role)

    @precondition(lambda self: self.frameworks())
    @rule(data=st.data(), active=st.booleans())
    def change_activity(self, data: st.DataObject, active: bool) -> None:
        """A framework disconnects or comes back."""
        name = data.draw(st.sampled_from(self.frameworks()))
        client = self.theirs.clients[name]
        client.active = active
        if active:
            self.ours.activate_framework(name)
        else:
            self.ours.deactivate_framework(name)
            for role in client.roles:
                self.theirs.forget_refusals(name, role)

    @precondition(lambda self: self.frameworks())
    @rule(data=st.data())
    def remove_framework(self, data: st.DataObject) -> None:
        """A framework leaves; all it holds is free."""
        name = data.draw(st.sampled_from(self.frameworks()))
        self.ours.remove_framework(name)
        self.out = {key: resources for key, resources in self.out.items() if key[0] != name}
        self.theirs.holdings = [item for item in self.theirs.holdings if item.framework != name]
        for role in self.theirs.clients.pop(name).roles:
            self.theirs.forget_refusals(name, role)

    @precondition(lambda self: self.theirs.agents)
    @rule(data=st.data())
    def remove_agent(self, data: st.DataObject) -> None:
        """An agent leaves."""
        name = data.draw(st.sampled_from(sorted(self.theirs.agents)))
        self.ours.remove_agent(name)
        del self.theirs.agents[name]
        self.out = {key: resources for key, resources in self.out.items() if key[2] != name}
        self.theirs.holdings = [item for item in self.theirs.holdings if item.agent != name]
        self.theirs.refusals = [item for item in self.theirs.refusals if item.agent != name]

    @precondition(lambda self: self.theirs.agents)
    @rule(data=st.data(), active=st.booleans())
    def change_agent(self, data: st.DataObject, active: bool) -> None:
        """An agent is deactivated or comes back."""
        name = data.draw(st.sampled_from(sorted(self.theirs.agents)))
        self.ours.set_agent_active(name, active=active)
        (self.theirs.inactive_agents.discard if active else self.theirs.inactive_agents.add)(name)

    @precondition(lambda self: self.theirs.agents)
    @rule(data=st.data(), size=st.sampled_from(SIZES))
    def resize_agent(self, data: st.DataObject, size: str) -> None:
        """An agent that has nothing out changes its resources."""
        idle = sorted(set(self.theirs.agents) - {key[2] for key in self.out})
        if idle:
            name = data.draw(st.sampled_from(idle))
            self.ours.update_agent(name, v0.SlaveInfo(hostname=name), parse_resources(size), None)
            self.theirs.agents[name] = parse_resources(size)

    @rule(role=st.sampled_from(["a", "a/b", "d", "e"]), weight=st.sampled_from([0.5, 1.0, 2.0, 10.0]))
    def reweigh(self, role: str, weight: float) -> None:
        """An operator changes a weight."""
        self.ours.update_weights({role: weight})
        self.theirs.weights[role] = weight

    @rule(
        role=st.sampled_from(["a", "d", "e", "*", "z"]),
        guarantees=st.dictionaries(st.sampled_from(["cpus", "mem"]), st.integers(0, 12_000), max_size=2),
        more=st.dictionaries(st.sampled_from(["cpus", "mem", "disk"]), st.integers(0, 6_000), max_size=2),
    )
    def change_quota(self, role: str, guarantees: dict[str, int], more: dict[str, int]) -> None:
        """An operator changes a quota."""
        quota = Quota(Quantities(guarantees), {name: milli + guarantees.get(name, 0) for name, milli in more.items()})
        self.ours.update_quota(role, quota)
        if quota.is_default:
            self.theirs.quotas.pop(role, None)
        else:
            self.theirs.quotas[role] = quota

    @invariant()
    def quotas_are_charged(self) -> None:
        """Both charge roles alike."""
        for role in self.theirs.quotas:
            charged = {name: milli for name, milli in self.ours.quota_consumption(role).items() if milli}
            assert charged == {name: milli for name, milli in self.theirs.consumed(role).items() if milli}

    @invariant()
    def books_balance(self) -> None:
        """Nothing is handed out twice, and what is out plus what is left is what there is."""
        for name, total in self.theirs.agents.items():
            agent = self.ours.agents[name]
            assert agent.available + agent.out_total == total
            assert agent.available == self.theirs.available(name)
        for role in ROLES:
            held: dict[str, int] = {}
            for item in self.theirs.holdings:
                if item.role == role:
                    for word, milli in item.resources.scalars().items():
                        held[word] = held.get(word, 0) + milli
            assert dict(self.ours.role_sorter.allocation(role)) == held


class Searching(Comparison):
    """The same where the allocator never asks in order but always searches for those who did not refuse."""

    def __init__(self) -> None:
        """Have no patience."""
        self.patch = mock.patch.object(
            Round,
            "_patience",
            lambda _self, agent, _role, sorter: 0 if agent.is_plain else sorter.count_active() + 1,
        )
        self.patch.start()
        super().__init__()

    def teardown(self) -> None:
        """Be patient again."""
        self.patch.stop()


TestComparison = Comparison.TestCase
TestSearching = Searching.TestCase
TestSearching.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestComparison.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
