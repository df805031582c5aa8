"""What the allocator is asked by people: why somebody is offered what, how shares stand, what would fit.

``/allocator/why?framework=ID`` (or ``role=R``, ``task=ID``, ``about=`` any of these or a framework's name), narrowed by
``agent=ID``; ``/allocator/shares``; ``/allocator/fit?role=R&resources=cpus:4%3Bmem:8192&count=N``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from messor.allocator.explanation import HeldOffer, Inquiry, Outcome, Reason, Surroundings, Verdict, named
from messor.allocator.fitting import UNLIMITED, fit
from messor.allocator.service import AllocatorService
from messor.allocator.sorter import DEFAULT_WEIGHT
from messor.errors import InvalidRequest
from messor.master.authorization import Authorization
from messor.master.doors.task_situation import agent_trouble, describe_task, find_tasks, unknown_task
from messor.master.doors.why_subjects import INACTIVE, LIMIT, Subjects, positive
from messor.master.leadership import Leadership
from messor.master.state.tables import MasterState
from messor.model.resource_text import parse_resources
from messor.model.roles import is_subrole, validate_role
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.host import Host
from messor.runtime.http import Request, Response
from messor.wire.json_codec import dumps
from messor.wire.media_types import JSON

PAIR = tuple[str, str]


class AllocatorViews(Component):
    """Serves what is below ``/allocator``."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: AllocatorService,
        leadership: Leadership,
        host: Host,
        authorization: Authorization,
    ) -> None:
        """Collaborators."""
        self.authorization = authorization
        self.state = state
        self.allocator = allocator
        self.leadership = leadership
        self.clock = host.clock
        self.subjects = Subjects(state, self._roles)

    # --- why ---------------------------------------------------------------------------------------------------------

    @endpoint("/allocator/why", methods=("GET",), realm="readonly")
    def why(self, request: Request) -> Response:
        """Say why agents are offered or not: ``framework``, ``role``, ``task`` or ``about``; ``agent``, ``limit``."""
        self.leadership.check_leading(request)
        self.authorization.check_sees_all(request.principal)
        query = request.query
        subject, agent_id, owner = self.subjects.read(query), self.subjects.agent(query), self.subjects.owner(query)
        limit = positive(query.get("limit"), "limit", LIMIT)
        return _reply(self._answer(subject, owner, agent_id, limit))

    def _roles(self) -> set[str]:
        books = self.allocator.books
        return {*books.sorters, *books.quotas, *books.roles.consumed}

    def _answer(self, subject: PAIR, owner: str | None, agent_id: str | None, limit: int) -> dict[str, Any]:
        """Put the answer together; owner: the framework whose task is asked about, where that was said."""
        kind, text = subject
        answer: dict[str, Any] = {"about": {kind: text}, "round": self._round(), "texts": []}
        frameworks: list[str] = []
        roles: set[str] | None = None
        if kind == "framework":
            frameworks = [text]
        elif kind == "role":
            roles = {role for role in self.allocator.books.sorters if is_subrole(role, text)}
            frameworks = sorted({one for role in roles for one in self.allocator.books.roles.frameworks[role]})
            if not frameworks:
                answer["texts"].append(f"No framework subscribes to role '{text}': nothing is offered for it")
        else:
            answer["task"], frameworks = self._task(text, owner)
        inquiry = self._inquiry()
        if kind == "role":
            answer["quota"] = [_reason(reason) for reason in inquiry.quota_reasons(text)]
        pairs = [pair for one in frameworks for pair in self._pairs(one, roles)]
        answer["frameworks"] = [self._framework_view(inquiry, one, roles) for one in frameworks]
        self._judge(answer, inquiry, pairs, agent_id, limit)
        return answer

    def _task(self, task_id: str, owner: str | None) -> tuple[dict[str, Any], list[str]]:
        """Describe a task, and name the live frameworks whose situation matters to it."""
        found = find_tasks(self.state, task_id, owner)
        if not found:
            return unknown_task(task_id), [owner] if owner is not None else []
        described = describe_task(self.state, found[0], self.clock.now())
        framework = found[0][0]
        return described, [framework.id] if framework.id in self.allocator.books.frameworks else []

    def _pairs(self, framework_id: str, roles: set[str] | None) -> list[PAIR]:
        framework = self.allocator.books.frameworks.get(framework_id)
        if framework is None:
            return []
        return [(framework_id, role) for role in sorted(framework.roles) if roles is None or role in roles]

    def _judge(
        self, answer: dict[str, Any], inquiry: Inquiry, pairs: list[PAIR], agent_id: str | None, limit: int
    ) -> None:
        """Fill in a verdict for every agent and pair, up to the limit."""
        agents = list(self.allocator.books.agents) if agent_id is None else [agent_id]
        verdicts: list[dict[str, Any]] = []
        counts = {outcome.value: 0 for outcome in Outcome}
        reasons: dict[str, int] = {}
        for framework_id, role in pairs:
            for one in agents:
                if len(verdicts) >= limit:
                    break
                verdict = inquiry.verdict(one, framework_id, role)
                counts[verdict.outcome.value] += 1
                for code in {reason.code for reason in verdict.reasons}:
                    reasons[code] = reasons.get(code, 0) + 1
                verdicts.append(_verdict(verdict))
        answer["counts"], answer["reasons"] = counts, reasons
        answer["verdicts"] = verdicts
        answer["left_out"] = len(pairs) * len(agents) - len(verdicts)
        if not agents:
            answer["texts"].append("No agent is registered: there is nothing to offer")

    def _round(self) -> dict[str, Any]:
        history = self.allocator.history
        now = self.clock.monotonic()
        return {
            "number": history.number,
            "seconds_ago": None if history.at is None else now - history.at,
            "full_seconds_ago": None if history.full_at is None else now - history.full_at,
            "took_seconds": history.seconds,
            "agents": len(self.state.agents) if history.agents is None else history.agents,
            "frameworks_offered": history.frameworks,
            "offers": history.offers,
            "is_paused": self.allocator.is_paused,
        }

    def _framework_view(self, inquiry: Inquiry, framework_id: str, roles: set[str] | None) -> dict[str, Any]:
        """Tell what concerns a framework on every agent."""
        record = self.state.frameworks[framework_id]
        last = self.allocator.history.last_offered.get(framework_id)
        return {
            "id": framework_id,
            "name": record.info.name,
            "active": record.is_active,
            "state": record.state.value,
            "offers_outstanding": len(record.offers),
            "last_offered_seconds_ago": None if last is None else self.clock.monotonic() - last,
            "roles": [
                {"role": role, "reasons": [_reason(reason) for reason in inquiry.general(framework_id, role)]}
                for _, role in self._pairs(framework_id, roles)
            ],
        }

    def _inquiry(self) -> Inquiry:
        """Look at the books, with what the master knows around them."""
        now = self.clock.now()
        offers: dict[str, list[HeldOffer]] = {}
        for offer in self.state.offers.values():
            held = HeldOffer(offer.framework_id, offer.role, offer.resources, now - offer.made_at)
            offers.setdefault(offer.agent_id, []).append(held)
        around = Surroundings(
            offers=offers,
            agents={one.id: why for one in self.state.agents.values() if (why := agent_trouble(one)) is not None},
            frameworks={one.id: INACTIVE[one.state] for one in self.state.frameworks.values() if not one.is_active},
            names={one.id: one.info.name for one in self.state.frameworks.values()},
            interval=self.allocator.options.allocation_interval,
            is_paused=self.allocator.is_paused,
        )
        return Inquiry(self.allocator.books, self.clock.monotonic(), around)

    # --- shares ------------------------------------------------------------------------------------------------------

    @endpoint("/allocator/shares", methods=("GET",), realm="readonly")
    def shares(self, request: Request) -> Response:
        """Give dominant shares, weights, quotas and holdings of roles and frameworks: cheap enough to poll."""
        self.leadership.check_leading(request)
        self.authorization.check_sees_all(request.principal)
        books = self.allocator.books
        offered: dict[PAIR, dict[str, int]] = {}
        counts: dict[PAIR, int] = {}
        for offer in self.state.offers.values():
            key = (offer.framework_id, offer.role)
            sums = offered.setdefault(key, {})
            counts[key] = counts.get(key, 0) + 1
            for name, milli in offer.resources.scalars().items():
                sums[name] = sums.get(name, 0) + milli
        roles = [self._role_shares(role, offered, counts) for role in sorted(books.sorters)]
        return _reply(
            {
                "time": self.clock.now(),
                "cluster": self.state.info.id,
                "round": self._round(),
                "agents": len(books.agents),
                "tasks": sum(len(one.tasks) for one in self.state.frameworks.values()),
                "total": named(books.pool.totals),
                "roles": roles,
            }
        )

    def _role_shares(self, role: str, offered: dict[PAIR, dict[str, int]], counts: dict[PAIR, int]) -> dict[str, Any]:
        books = self.allocator.books
        frameworks = list(self._framework_shares(role, offered, counts))
        quota = books.quotas.get(role)
        waiting: dict[str, float] = {}
        for one in frameworks:
            for name, value in one["offered"].items():
                waiting[name] = round(waiting.get(name, 0.0) + value, 3)
        return {
            "role": role,
            "share": books.role_sorter.share(role),
            "weight": self.state.weights.get(role, DEFAULT_WEIGHT),
            "quota": None
            if quota is None
            else {
                "guarantees": named(quota.guarantees),
                "limits": named(quota.limits),
                "consumed": named(books.quota_consumption(role)),
            },
            "held": named(books.role_sorter.allocation(role)),
            "offered": waiting,
            "offers": sum(one["offers"] for one in frameworks),
            "frameworks": frameworks,
        }

    def _framework_shares(
        self, role: str, offered: dict[PAIR, dict[str, int]], counts: dict[PAIR, int]
    ) -> Iterator[dict[str, Any]]:
        sorter = self.allocator.books.sorters[role]
        for framework_id in sorted(self.allocator.books.roles.frameworks[role]):
            record = self.state.frameworks.get(framework_id)
            framework = self.allocator.books.frameworks.get(framework_id)
            yield {
                "id": framework_id,
                "name": record.info.name if record is not None else "",
                "active": framework is not None and framework.active,
                "suppressed": framework is not None and role in framework.suppressed,
                "share": sorter.share(framework_id),
                "held": named(sorter.allocation(framework_id)),
                "offered": named(offered.get((framework_id, role), {})),
                "offers": counts.get((framework_id, role), 0),
                "tasks": len(record.tasks) if record is not None else 0,
            }

    # --- fit ---------------------------------------------------------------------------------------------------------

    @endpoint("/allocator/fit", methods=("GET",), realm="readonly")
    def fit(self, request: Request) -> Response:
        """Say where tasks of a size fit for a role, now and ever: ``role``, ``resources``, ``count``."""
        self.leadership.check_leading(request)
        self.authorization.check_sees_all(request.principal)
        query = request.query
        role = query.get("role") or "*"
        validate_role(role)
        wanted = parse_resources(query.get("resources", ""))
        if not wanted:
            raise InvalidRequest("Expecting the query parameter 'resources', such as cpus:4%3Bmem:8192")
        count = positive(query.get("count"), "count", 1)
        result = fit(self.allocator.books, role, wanted)
        return _reply(
            {
                "role": role,
                "resources": str(wanted),
                "count": count,
                "fits_now": result.allows(count, now=True),
                "fits_ever": result.allows(count, now=False),
                "copies_now": result.now,
                "copies_ever": result.ever,
                "copies_by_quota_now": _limited(result.now_by_quota),
                "copies_by_quota_ever": _limited(result.ever_by_quota),
                "quota": result.limit,
                "agents": [one._asdict() for one in result.agents],
            }
        )


def _limited(copies: int) -> int | None:
    return copies if copies < UNLIMITED else None


def _reason(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, "text": reason.text, "facts": dict(reason.facts), "blocks": reason.blocks}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "agent": verdict.agent_id,
        "hostname": verdict.hostname,
        "framework": verdict.framework_id,
        "role": verdict.role,
        "outcome": verdict.outcome.value,
        "reasons": [_reason(reason) for reason in verdict.reasons],
    }


def _reply(value: dict[str, Any]) -> Response:
    return Response(200, [dumps(value)], JSON)
