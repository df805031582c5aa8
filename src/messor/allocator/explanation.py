"""Why an agent's resources are, or are not, offered to a framework for a role: in words and numbers.

Worked out from the books when somebody asks and at no other time; nothing is changed, no chance is drawn. The checks
are those of a round, in its order, but all that hold are told, not only the first: whoever lifts one obstacle wants to
know of the next. ``CHECKS`` is the list; one more obstacle in a round is one more function here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple

from messor.allocator.agents import Agent
from messor.allocator.frameworks import Framework
from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.order import Orders, place_text
from messor.allocator.round_quota import RoundQuota, is_subject, shrink, top_level
from messor.model.quantities import Quantities
from messor.model.resources import EMPTY, Resources
from messor.model.scalars import scalar_text, to_float


class Outcome(Enum):
    """What became of an agent for a framework and role."""

    OFFERED = "offered"
    """It holds an offer of the agent now."""
    NOT_OFFERED = "not offered"
    """Something stands in the way."""
    TAKEN = "taken"
    """Nothing stands in the way, but nothing is free."""
    NEXT = "next"
    """Something is free and nothing stands in the way: the next round offers it, to whose turn it is."""


class Reason(NamedTuple):
    """One fact about an agent, a framework and a role."""

    code: str
    """A stable name, for programs."""
    text: str
    """A sentence, for people."""
    facts: Mapping[str, Any] = {}
    """The numbers in it."""
    blocks: bool = True
    """Whether it alone keeps the agent from being offered."""


class Verdict(NamedTuple):
    """The answer for one agent, framework and role."""

    agent_id: str
    hostname: str
    framework_id: str
    role: str
    outcome: Outcome
    reasons: Sequence[Reason]


class HeldOffer(NamedTuple):
    """An offer that waits for an answer."""

    framework_id: str
    role: str
    resources: Resources
    seconds: float
    """How long it has been waiting."""


@dataclass(frozen=True)
class Surroundings:
    """What the asker knows and the books do not."""

    offers: Mapping[str, Sequence[HeldOffer]] = field(default_factory=dict)
    """By agent."""
    agents: Mapping[str, str] = field(default_factory=dict)
    """Why an agent does not take part, by its id: ``it is disconnected``."""
    frameworks: Mapping[str, str] = field(default_factory=dict)
    """Why a framework does not take part, by its id."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of frameworks."""
    interval: float = 1.0
    """Seconds between rounds."""
    is_paused: bool = False


class Case:
    """One agent, framework and role under examination."""

    def __init__(self, inquiry: Inquiry, agent: Agent, framework: Framework, role: str) -> None:
        """Look at these."""
        self.inquiry = inquiry
        self.books = inquiry.books
        self.agent = agent
        self.framework = framework
        self.role = role

    @cached_property
    def for_role(self) -> Resources:
        """What is free and may go to the role."""
        return self.agent.available.allocatable_to(self.role)

    @cached_property
    def visible(self) -> Resources:
        """The part of it that the framework copes with."""
        able = self.framework.capabilities
        return self.for_role.filter(
            lambda kind: (
                (able.shared_resources or not kind.is_shared)
                and (able.revocable_resources or not kind.is_revocable)
                and (able.reservation_refinement or not kind.is_refined)
            )
        )

    @cached_property
    def allowed(self) -> Resources:
        """The part of it that quotas let through."""
        quota = self.inquiry.quota
        if top_level(self.role) in quota.unsatisfied:
            promised = quota.cut_for_guarantees(self.visible, top_level(self.role))
            if promised:
                return promised
        return quota.cut(self.visible, self.role)


class Inquiry:
    """Answers questions about the books as they are at one moment."""

    def __init__(self, books: HierarchicalAllocator, now: float, around: Surroundings | None = None) -> None:
        """now: the monotonic clock, which refusals end by."""
        self.books = books
        self.now = now
        self.around = around or Surroundings()
        self.orders = Orders(books)

    @cached_property
    def quota(self) -> RoundQuota:
        """How quotas stand, as a round that began now would see it."""
        return RoundQuota(self.books)

    def name(self, framework_id: str) -> str:
        """Give a framework's name and id."""
        name = self.around.names.get(framework_id)
        return f"'{name}' ({framework_id})" if name else framework_id

    def verdict(self, agent_id: str, framework_id: str, role: str) -> Verdict:
        """Say why an agent is or is not offered to a framework for a role; raises KeyError for unknown ids."""
        agent, framework = self.books.agents[agent_id], self.books.frameworks[framework_id]
        case = Case(self, agent, framework, role)
        held = list(_own(case))
        obstacles = [reason for check in CHECKS for reason in check(case)]
        reasons = [*held, *obstacles]
        if any(reason.code == "offered" for reason in held):
            outcome = Outcome.OFFERED
        elif any(reason.blocks for reason in obstacles):
            outcome = Outcome.NOT_OFFERED
        elif not agent.available:
            outcome = Outcome.TAKEN
            reasons.append(self.turn(framework_id, role))
        else:
            outcome = Outcome.NEXT
            reasons += (self._next(case), self.turn(framework_id, role))
        return Verdict(agent_id, agent.info.hostname, framework_id, role, outcome, reasons)

    def _next(self, case: Case) -> Reason:
        free = str(case.allowed)
        if self.around.is_paused:
            text = f"{free} is free, but no rounds are held until enough agents are back after the failover"
            return Reason("paused", text, {"free": free})
        text = f"{free} is free and nothing stands in the way: the next round, within {self.around.interval:g} s,"
        return Reason("next", f"{text} offers it to whose turn it is", {"free": free}, blocks=False)

    def turn(self, framework_id: str, role: str) -> Reason:
        """Tell a framework's share and position, and its role's."""
        outer, inner = self.orders.role(role), self.orders.framework(framework_id, role)
        facts = {
            "role_share": outer.share,
            "role_position": outer.position,
            "roles": outer.of,
            "framework_share": inner.share,
            "framework_position": inner.position,
            "frameworks": inner.of,
        }
        if self.orders.is_random:
            how = "drawn at random" if self.books.options.sorter == "random" else "up to sorters of the operator's own"
            shares = f"role '{role}' has a share of {outer.share:.3f}, the framework {inner.share:.3f} in it"
            text = f"Turns are {how}; {shares}"
        else:
            text = (
                f"Role '{role}' {place_text(outer, 'roles')}; in it the framework {place_text(inner, 'frameworks')}"
                " (smallest weighted dominant share first)"
            )
        return Reason("order", text, facts, blocks=False)

    def general(self, framework_id: str, role: str) -> list[Reason]:
        """Tell what concerns a framework and role on every agent: activity, suppression, quota, position."""
        framework = self.books.frameworks[framework_id]
        reasons = [*_framework_reasons(self, framework), *_role_reasons(framework, role), *self.quota_reasons(role)]
        reasons.append(self.turn(framework_id, role))
        return reasons

    def quota_reasons(self, role: str) -> Iterator[Reason]:
        """Tell how a role stands to its quota, as far as it has one."""
        top = top_level(role)
        quota = self.books.quotas.get(top)
        if quota is None:
            return
        consumed = self.books.quota_consumption(top)
        facts: dict[str, Any] = {"role": top, "consumed": named(consumed)}
        parts = []
        for name, limit in sorted(quota.limits.items()):
            parts.append(f"{scalar_text(consumed.get(name, 0))} of at most {scalar_text(limit)} {name}")
            facts.setdefault("limits", {})[name] = to_float(limit)
        for name, milli in sorted(quota.guarantees.items()):
            parts.append(f"{scalar_text(consumed.get(name, 0))} of {scalar_text(milli)} {name} guaranteed")
            facts.setdefault("guarantees", {})[name] = to_float(milli)
        yield Reason("quota", f"Role '{top}' holds {', '.join(parts)}", facts, blocks=False)


Check = Callable[[Case], Iterator[Reason]]


def named(amounts: Mapping[str, int]) -> dict[str, float]:
    """Turn thousandths into numbers for people."""
    return {name: to_float(milli) for name, milli in sorted(amounts.items())}


def amounts_text(amounts: Mapping[str, int]) -> str:
    """Write thousandths as ``cpus:2; mem:64``."""
    return str(Quantities(amounts))


# --- what it has -----------------------------------------------------------------------------------------------------


def _own(case: Case) -> Iterator[Reason]:
    """Tell what the framework holds of the agent."""
    offers = [
        offer
        for offer in case.inquiry.around.offers.get(case.agent.id, ())
        if offer.framework_id == case.framework.id and offer.role == case.role
    ]
    for offer in offers:
        what = str(offer.resources.unallocated())
        text = f"Offered {what}; the offer has been waiting for an answer for {offer.seconds:.1f} s"
        yield Reason("offered", text, {"resources": what, "seconds": offer.seconds}, blocks=False)
    used = case.agent.out.get(case.framework.id, EMPTY).allocations().get(case.role, EMPTY)
    for offer in offers:
        used -= offer.resources
    if used:
        what = str(used.unallocated())
        yield Reason("uses", f"The framework uses {what} here", {"resources": what}, blocks=False)


# --- obstacles, in the order of a round ------------------------------------------------------------------------------


def _framework_reasons(inquiry: Inquiry, framework: Framework) -> Iterator[Reason]:
    if not framework.active:
        why = inquiry.around.frameworks.get(framework.id, "it is deactivated")
        yield Reason("framework_inactive", f"The framework is offered nothing: {why}")


def _framework_active(case: Case) -> Iterator[Reason]:
    return _framework_reasons(case.inquiry, case.framework)


def _role_reasons(framework: Framework, role: str) -> Iterator[Reason]:
    if role not in framework.roles:
        yield Reason("not_subscribed", f"The framework does not subscribe to role '{role}'", {"role": role})
    elif role in framework.suppressed:
        text = f"The framework suppressed offers for role '{role}'; REVIVE makes them come again"
        yield Reason("suppressed", text, {"role": role})


def _role_wanted(case: Case) -> Iterator[Reason]:
    return _role_reasons(case.framework, case.role)


def _agent_active(case: Case) -> Iterator[Reason]:
    agent, books = case.agent, case.books
    if not agent.active:
        why = case.inquiry.around.agents.get(agent.id, "it is deactivated")
        yield Reason("agent_inactive", f"Nothing of the agent is offered: {why}")
    if books.whitelist is not None and agent.info.hostname not in books.whitelist:
        yield Reason("not_whitelisted", f"The operator's whitelist does not name host {agent.info.hostname}")


def _stays(case: Case) -> Iterator[Reason]:
    """Tell of planned maintenance: it keeps nothing from being offered, but offers say so."""
    window = case.books.windows.by_agent.get(case.agent.id)
    if window is not None:
        text = "Maintenance of the agent is planned: its offers say when, and frameworks are asked to leave"
        yield Reason("maintenance", text, blocks=False)


def _something_free(case: Case) -> Iterator[Reason]:
    """Tell who has what, where nothing is free."""
    agent, inquiry = case.agent, case.inquiry
    if agent.available:
        return
    if not agent.total:
        yield Reason("no_resources", "The agent has no resources")
        return
    waiting: dict[str, Resources] = {}
    for offer in inquiry.around.offers.get(agent.id, ()):
        waiting[offer.framework_id] = waiting.get(offer.framework_id, EMPTY) + offer.resources
        if offer.framework_id == case.framework.id and offer.role == case.role:
            continue
        what = str(offer.resources.unallocated())
        text = (
            f"{what} is offered to framework {inquiry.name(offer.framework_id)} for role '{offer.role}',"
            f" which has held the offer for {offer.seconds:.1f} s"
        )
        facts = {"framework": offer.framework_id, "role": offer.role, "seconds": offer.seconds, "resources": what}
        yield Reason("offered_to_other", text, facts, blocks=False)
    for framework_id, out in agent.out.items():
        used = out - waiting.get(framework_id, EMPTY)
        if used and framework_id != case.framework.id:
            what = str(used.unallocated())
            text = f"{what} is used by framework {inquiry.name(framework_id)}"
            facts = {"framework": framework_id, "resources": what}
            yield Reason("used_by_other", text, facts, blocks=False)


def _abilities(case: Case) -> Iterator[Reason]:
    """Tell what the framework cannot cope with on the agent as a whole, or the agent with it."""
    agent, able, options = case.agent, case.framework.capabilities, case.books.options
    if agent.has_gpus and options.filter_gpu_resources and not able.gpu_resources:
        text = "The agent has GPUs and is kept for frameworks with the capability GPU_RESOURCES, which this one lacks"
        yield Reason("needs_gpu_resources", text, {"capability": "GPU_RESOURCES"})
    if agent.region != options.region and None not in {agent.region, options.region} and not able.region_aware:
        text = (
            f"The agent is in region '{agent.region}', the master in '{options.region}': that is for frameworks with"
            " the capability REGION_AWARE, which this one lacks"
        )
        yield Reason("needs_region_aware", text, {"capability": "REGION_AWARE", "region": agent.region})
    if not case.framework.constraints.allow(case.role, agent.info):
        text = "The framework's offer constraints exclude this agent"
        yield Reason("constraint", text, {"role": case.role})
    if able.multi_role and not agent.capabilities.multi_role:
        text = "The framework is MULTI_ROLE, and the agent is too old for that"
        yield Reason("agent_lacks_multi_role", text, {"capability": "MULTI_ROLE"})
    if not agent.capabilities.hierarchical_role and "/" in case.role:
        text = f"The agent is too old for roles below roles, as '{case.role}' is"
        yield Reason("agent_lacks_hierarchical_role", text, {"capability": "HIERARCHICAL_ROLE"})


def _reserved(case: Case) -> Iterator[Reason]:
    """Tell what is free but reserved for others."""
    for owner, part in sorted(case.agent.available.reservations().items()):
        if not part.allocatable_to(case.role):
            what = str(part)
            text = f"{what} is free, but reserved for role '{owner}'"
            yield Reason("reserved", text, {"role": owner, "resources": what}, blocks=not case.for_role)


def _hidden(case: Case) -> Iterator[Reason]:
    """Tell what the framework lacks the capability for."""
    able = case.framework.capabilities
    rules: tuple[tuple[str, bool, Callable[[Any], object], str], ...] = (
        ("SHARED_RESOURCES", able.shared_resources, lambda kind: kind.is_shared, "shared"),
        ("REVOCABLE_RESOURCES", able.revocable_resources, lambda kind: kind.is_revocable, "revocable"),
        ("RESERVATION_REFINEMENT", able.reservation_refinement, lambda kind: kind.is_refined, "a refined reservation"),
    )
    for capability, is_able, concerns, noun in rules:
        part = EMPTY if is_able else case.for_role.filter(concerns)
        if part:
            what = str(part)
            text = f"{what} is free, but {noun}, and the framework lacks the capability {capability}"
            facts = {"capability": capability, "resources": what}
            yield Reason(f"needs_{capability.lower()}", text, facts, blocks=not case.visible)


def _within_limits(case: Case) -> Iterator[Reason]:
    """Tell what a quota's limit keeps from the role."""
    quota, top = case.inquiry.quota, top_level(case.role)
    left = quota.left.get(top)
    if left is None or not case.visible:
        return
    if shrink(case.visible, left, absent_is_unlimited=True) is case.visible:
        return
    limits, consumed = case.books.quotas[top].limits, case.books.quota_consumption(top)
    wanted = case.visible.filter(is_subject).scalars()
    short = [name for name in sorted(left) if wanted.get(name, 0) > left[name]]
    parts = [
        f"{scalar_text(consumed.get(name, 0))} of its limit of {scalar_text(limits[name])} {name}" for name in short
    ]
    rest = ", ".join(f"{scalar_text(left[name])} {name}" for name in short)
    text = f"Role '{top}' has {', '.join(parts)}: it may be offered {rest} more"
    facts = {
        "role": top,
        "limits": named({name: limits[name] for name in short}),
        "consumed": named({name: consumed.get(name, 0) for name in short}),
    }
    yield Reason("quota_limit", text, facts, blocks=not _is_worth_it(case, case.allowed))


def _beyond_headroom(case: Case) -> Iterator[Reason]:
    """Tell what is held back for guarantees of others."""
    quota, top = case.inquiry.quota, top_level(case.role)
    surplus = quota.surplus()
    if surplus is None or not case.visible:
        return
    if shrink(case.visible, surplus, absent_is_unlimited=False) is case.visible:
        return
    for other, missing in sorted(quota.unsatisfied.items()):
        if other == top:
            continue
        text = (
            f"{amounts_text(missing)} of what is free in the cluster is held back for the guarantees of role '{other}'"
        )
        facts = {"role": other, "missing": named(missing), "surplus": named(surplus)}
        yield Reason("headroom", text, facts, blocks=not _is_worth_it(case, case.allowed))


def _minimum(case: Case) -> tuple[Quantities, ...]:
    own = case.framework.min_allocatable.get(case.role)
    return case.books.options.min_allocatable if own is None else own


def _is_worth_it(case: Case, offer: Resources) -> bool:
    minimum = _minimum(case)
    return bool(offer) and (not minimum or any(offer.covers(quantities) for quantities in minimum))


def _large_enough(case: Case) -> Iterator[Reason]:
    offer = case.allowed
    if not offer or _is_worth_it(case, offer):
        return
    whose = "the framework's own minimum" if case.role in case.framework.min_allocatable else "the minimum to offer"
    minimum = " or ".join(str(quantities) for quantities in _minimum(case))
    text = f"What could be offered, {offer}, is below {whose}: {minimum}"
    yield Reason("below_minimum", text, {"free": str(offer), "minimum": minimum})


def _not_refused(case: Case) -> Iterator[Reason]:
    """Tell of refusals: those that cover what could be offered stand in the way."""
    refusals = case.books.refusals.by_agent.get(case.agent.id, {}).get(case.role, {}).get(case.framework.id, ())
    offer = case.allowed
    for refusal in refusals:
        seconds = max(0.0, refusal.expires - case.inquiry.now)
        what = str(refusal.resources)
        text = f"The framework refused {what} of this agent; {seconds:.1f} s are left of that"
        covers = bool(offer) and refusal.resources.contains(offer)
        if offer and not covers:
            text += ", but by now more is free than it refused"
        yield Reason("refused", text, {"resources": what, "seconds_left": seconds}, blocks=covers)


CHECKS: tuple[Check, ...] = (
    _framework_active,
    _role_wanted,
    _agent_active,
    _stays,
    _something_free,
    _reserved,
    _hidden,
    _within_limits,
    _beyond_headroom,
    _abilities,
    _large_enough,
    _not_refused,
)
"""In the order of a round; constraints and whatever else keeps an agent from a framework join here."""
