"""Could tasks of a certain size ever run for a role, and where: now, and if everything others hold ended (Z24)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from messor.allocator.agents import Agent
from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.round_quota import RoundQuota, top_level
from messor.model.resources import Resources
from messor.model.scalars import scalar_text

UNLIMITED = 1_000_000_000


class AgentFit(NamedTuple):
    """How many copies fit on one agent."""

    agent_id: str
    hostname: str
    now: int
    ever: int
    """If everything that anybody holds here ended."""
    lacks: str
    """What a first copy lacks if everything ended, in words; empty when one fits."""


class Fit(NamedTuple):
    """The answer for the whole cluster."""

    now: int
    ever: int
    now_by_quota: int
    """How many more copies quotas of this and other roles allow now."""
    ever_by_quota: int
    """How many copies the role's limits allow in all."""
    limit: str
    """Which quota is the narrowest, in words; empty when none is."""
    agents: list[AgentFit]

    def allows(self, count: int, *, now: bool) -> bool:
        """Whether that many copies fit."""
        return count <= (min(self.now, self.now_by_quota) if now else min(self.ever, self.ever_by_quota))


def fit(books: HierarchicalAllocator, role: str, wanted: Resources) -> Fit:
    """Try copies of these resources on every agent, for a role; a copy never spans agents."""
    agents = [_on_agent(books, agent, role, wanted) for agent in books.agents.values()]
    now_by_quota, ever_by_quota, limit = _by_quota(books, role, wanted.scalars())
    return Fit(
        sum(one.now for one in agents), sum(one.ever for one in agents), now_by_quota, ever_by_quota, limit, agents
    )


def _on_agent(books: HierarchicalAllocator, agent: Agent, role: str, wanted: Resources) -> AgentFit:
    ever = _usable(agent.total, role)
    now = _copies(_usable(agent.available, role), wanted) if books.may_be_offered(agent) else 0
    most = _copies(ever, wanted)
    lacks = "" if most else _lacking(ever, agent.total, wanted)
    return AgentFit(agent.id, agent.info.hostname, now, most, lacks)


def _usable(resources: Resources, role: str) -> Resources:
    """Leave what an ordinary task of the role can be given: no volumes, nothing revocable or shared."""
    return resources.allocatable_to(role).filter(
        lambda kind: not (kind.is_revocable or kind.is_shared or kind.is_persistent_volume or kind.is_whole)
    )


def _copies(have: Resources, wanted: Resources) -> int:
    sums = have.scalars()
    copies = min((sums.get(name, 0) // milli for name, milli in wanted.scalars().items()), default=UNLIMITED)
    for name in _others(wanted):
        # Named ports exist once: a second copy cannot have them too.
        if not have.to_unreserved().contains(_only(wanted, name)):
            return 0
        copies = min(copies, 1)
    return copies


def _others(wanted: Resources) -> list[str]:
    return sorted({kind.name for kind in wanted.kinds() if not kind.is_scalar})


def _only(resources: Resources, name: str) -> Resources:
    return resources.filter(lambda kind: kind.name == name)


def _lacking(have: Resources, total: Resources, wanted: Resources) -> str:
    """Say what is missing for one copy on an empty agent."""
    parts = []
    sums, all_sums = have.scalars(), total.scalars()
    for name, milli in sorted(wanted.scalars().items()):
        if sums.get(name, 0) >= milli:
            continue
        text = f"has {scalar_text(sums.get(name, 0))} {name} for the role, not {scalar_text(milli)}"
        if all_sums.get(name, 0) >= milli:
            text += f" (of {scalar_text(all_sums[name])}; the rest is reserved, revocable or a volume)"
        parts.append(text)
    parts += [
        f"has not {_only(wanted, name)}"
        for name in _others(wanted)
        if not have.to_unreserved().contains(_only(wanted, name))
    ]
    return ", ".join(parts)


def _by_quota(books: HierarchicalAllocator, role: str, wanted: Mapping[str, int]) -> tuple[int, int, str]:
    """Count the copies that limits and headroom allow now, and limits alone ever; say which is narrowest."""
    quota, top = RoundQuota(books), top_level(role)
    own = books.quotas.get(top)
    now, ever, limit = UNLIMITED, UNLIMITED, ""
    if own is not None:
        left = quota.left.get(top, {})
        for name, most in sorted(own.limits.items()):
            if not wanted.get(name, 0):
                continue
            ever = min(ever, most // wanted[name])
            copies = left.get(name, 0) // wanted[name]
            if copies < now:
                now = copies
                limit = (
                    f"role '{top}' may have {scalar_text(most)} {name} and may still be offered"
                    f" {scalar_text(left.get(name, 0))}"
                )
    surplus = quota.surplus()
    if surplus is not None:
        own_missing = quota.unsatisfied.get(top, {})
        for name, milli in sorted(wanted.items()):
            free = surplus.get(name, 0) + own_missing.get(name, 0)
            if milli and free // milli < now:
                now = free // milli
                others = ", ".join(f"'{other}'" for other in sorted(quota.unsatisfied) if other != top)
                limit = f"all but {scalar_text(free)} of the free {name} is held back for guarantees of role {others}"
    return now, ever, limit
