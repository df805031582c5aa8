"""The allocation rules, written plainly and without regard to speed: what the real allocator is held against.

Every round computes every share of every client anew and sorts everything for every agent. Maintenance and constraints
are not in it, nor are shared volumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from messor.model.quotas import Quota
from messor.model.resource import Kind
from messor.model.resources import EMPTY, Resources
from messor.model.roles import ancestors
from messor.model.scalars import to_float

MINIMUM = ({"cpus": 10}, {"mem": 32_000})


@dataclass
class Client:
    """A framework."""

    roles: frozenset[str]
    revocable: bool = False
    active: bool = True
    suppressed: set[str] = field(default_factory=set)


@dataclass
class Holding:
    """Part of an agent that is out."""

    agent: str
    framework: str
    role: str
    resources: Resources


@dataclass
class Refusal:
    """A decline."""

    agent: str
    framework: str
    role: str
    resources: Resources
    expires: float


class ReferenceAllocator:
    """Books as lists, decisions by sorting."""

    def __init__(self) -> None:
        """Start empty."""
        self.agents: dict[str, Resources] = {}
        self.inactive_agents: set[str] = set()
        self.clients: dict[str, Client] = {}
        self.holdings: list[Holding] = []
        self.refusals: list[Refusal] = []
        self.weights: dict[str, float] = {}
        self.quotas: dict[str, Quota] = {}
        self.role_counts: Counter[str] = Counter()
        self.framework_counts: Counter[tuple[str, str]] = Counter()

    def available(self, agent: str) -> Resources:
        """Tell what is left on an agent."""
        left = self.agents[agent]
        for holding in self.holdings:
            if holding.agent == agent:
                left -= holding.resources
        return left

    def share(self, holdings: list[Holding], weight: float) -> float:
        """Compute the weighted dominant share of some holdings."""
        total: Counter[str] = Counter()
        for resources in self.agents.values():
            total.update(resources.scalars())
        held: Counter[str] = Counter()
        for holding in holdings:
            held.update(holding.resources.scalars())
        parts = [to_float(held[name]) / to_float(size) for name, size in total.items() if size > 0]
        return max([0.0, *parts]) / weight

    def is_wanting(self, framework: str, role: str) -> bool:
        """Whether a framework takes part for a role."""
        client = self.clients[framework]
        return client.active and role in client.roles and role not in client.suppressed

    def role_order(self) -> list[str]:
        """List roles in the order of their turns: siblings by share, then below the first, then below the second."""
        roles = {role for client in self.clients.values() for role in client.roles}

        def subtree(path: str) -> list[Holding]:
            return [item for item in self.holdings if item.role == path or path in ancestors(item.role)]

        def below(prefix: str) -> list[str]:
            names = {role.removeprefix(prefix).split("/")[0] for role in roles if role.startswith(prefix)}
            keys = []
            for name in names:
                path = prefix + name
                keys.append((self.share(subtree(path), self.weights.get(path, 1.0)), self.role_counts[path], path))
            own = prefix.removesuffix("/")
            if own in roles:
                mine = [item for item in self.holdings if item.role == own]
                keys.append((self.share(mine, 1.0), self.role_counts[prefix + "."], prefix + "."))
            result = []
            for _, _, path in sorted(keys):
                if path.endswith("/."):
                    result.append(own)
                elif any(role.startswith(path + "/") for role in roles):
                    result += below(path + "/")
                else:
                    result.append(path)
            return result

        return below("")

    def framework_order(self, role: str) -> list[str]:
        """List the wanting frameworks of a role by their share of what they hold under it."""
        keys = []
        for framework in self.clients:
            if self.is_wanting(framework, role):
                mine = [item for item in self.holdings if (item.framework, item.role) == (framework, role)]
                keys.append((self.share(mine, 1.0), self.framework_counts[framework, role], framework))
        return [framework for _, _, framework in sorted(keys)]

    def round(self, now: float) -> dict[tuple[str, str, str], Resources]:
        """Hand out what is free, agents in the order they were added; gives what went to (framework, role, agent)."""
        self.refusals = [item for item in self.refusals if now - item.expires <= 1e-6]
        offers: dict[tuple[str, str, str], Resources] = {}
        for serve in (self.promised, self.allowed):
            for agent in self.agents:
                if agent in self.inactive_agents:
                    continue
                for role in self.role_order():
                    for framework in self.framework_order(role):
                        offer = self.offer(agent, role, framework, serve)
                        if offer:
                            key = (framework, role, agent)
                            offers[key] = offers.get(key, EMPTY) + offer
        return offers

    # --- quota -------------------------------------------------------------------------------------------------------

    def consumed(self, top: str) -> Counter[str]:
        """Tell what a top-level role is charged: what is reserved for its subtree, and what else that holds."""
        sums: Counter[str] = Counter()
        for total in self.agents.values():
            for role, part in total.reservations().items():
                if role.split("/", maxsplit=1)[0] == top:
                    sums.update(part.scalars())
        for item in self.holdings:
            if item.role.split("/")[0] == top:
                sums.update(item.resources.filter(is_subject).scalars())
        return sums

    def missing(self, top: str) -> dict[str, int]:
        """Tell what is missing to a role's guarantees."""
        consumed = self.consumed(top)
        guarantees = self.quotas.get(top, Quota()).guarantees
        return {name: milli - consumed[name] for name, milli in guarantees.items() if milli > consumed[name]}

    def room(self, role: str) -> dict[str, int]:
        """Tell what a role's limits leave, for names that have a limit."""
        top = role.split("/", maxsplit=1)[0]
        consumed = self.consumed(top)
        return {name: max(0, limit - consumed[name]) for name, limit in self.quotas.get(top, Quota()).limits.items()}

    def surplus(self) -> dict[str, int] | None:
        """Tell what is free beyond what guarantees still miss; None when they miss nothing."""
        required: Counter[str] = Counter()
        for top in self.quotas:
            required.update(self.missing(top))
        if not required:
            return None
        free: Counter[str] = Counter()
        for agent in self.agents:
            free.update(self.available(agent).filter(is_subject).scalars())
        return {name: max(0, milli - required[name]) for name, milli in free.items()}

    def promised(self, offer: Resources, role: str) -> Resources:
        """Cut an offer for guarantees: what is missing in any case, and more within limits and headroom."""
        missing = self.missing(role.split("/", maxsplit=1)[0])
        due = cut(offer.filter(is_subject), missing, otherwise=0)
        if not due:
            return EMPTY
        room, surplus = self.room(role), self.surplus()
        left = {name: max(0, milli - due.scalars().get(name, 0)) for name, milli in room.items()}
        more = cut(offer - due, left, otherwise=None)
        if surplus is not None:
            more = cut(more, surplus, otherwise=0)
        return due + more

    def allowed(self, offer: Resources, role: str) -> Resources:
        """Cut an offer to limits and headroom."""
        offer = cut(offer, self.room(role), otherwise=None)
        surplus = self.surplus()
        return offer if surplus is None else cut(offer, surplus, otherwise=0)

    # --- offers ------------------------------------------------------------------------------------------------------

    def offer(self, agent: str, role: str, framework: str, serve: Callable[[Resources, str], Resources]) -> Resources:
        """Offer what the framework may have, if it is enough and not refused."""
        offer = self.available(agent).allocatable_to(role)
        if not self.clients[framework].revocable:
            offer = offer.nonrevocable()
        offer = serve(offer, role)
        if not any(offer.covers(minimum) for minimum in MINIMUM):
            return EMPTY
        for refusal in self.refusals:
            place = (refusal.agent, refusal.framework, refusal.role)
            if place == (agent, framework, role) and refusal.resources.contains(offer):
                return EMPTY
        self.hold(agent, framework, role, offer)
        return offer

    def hold(self, agent: str, framework: str, role: str, resources: Resources) -> None:
        """Book an allocation, counting it for the framework, its role and all roles above."""
        self.holdings.append(Holding(agent, framework, role, resources))
        self.framework_counts[framework, role] += 1
        roles = {other for client in self.clients.values() for other in client.roles}
        is_inner = any(other.startswith(role + "/") for other in roles)
        self.role_counts.update([role, *ancestors(role), *([role + "/."] if is_inner else [])])

    def give_back(self, key: tuple[str, str, str], refused_until: float | None) -> None:
        """Take back what went to (framework, role, agent)."""
        framework, role, agent = key
        mine = [item for item in self.holdings if (item.framework, item.role, item.agent) == key]
        self.holdings = [item for item in self.holdings if item not in mine]
        if refused_until is not None:
            resources = sum((item.resources for item in mine), EMPTY)
            self.refusals.append(Refusal(agent, framework, role, resources, refused_until))

    def forget_refusals(self, framework: str, role: str) -> None:
        """Drop what a framework refused for a role."""
        self.refusals = [item for item in self.refusals if (item.framework, item.role) != (framework, role)]


def is_subject(kind: Kind) -> bool:
    """Whether a kind is subject to quota."""
    return kind.is_scalar and kind.reservation_role is None and not kind.is_revocable


def cut(offer: Resources, target: Mapping[str, int], *, otherwise: int | None) -> Resources:
    """Cut what is subject to quota to a target by name; otherwise: for other names, None for all there is."""
    result = {}
    for kind, amount in offer.items():
        most = target.get(kind.name, otherwise) if is_subject(kind) else None
        kept = amount if most is None else min(amount, most)  # type: ignore[type-var]
        if most is None or kept:
            result[kind] = kept
    return Resources(result)
