"""What the master itself can say about offers, whichever allocator makes them.

``/allocator/offer_constraints_debug`` lists the agents that offer constraints exclude. Where the allocator is one that
cannot be asked, ``/allocator/why`` tells what the master sees: who holds or uses what, who does not take part, what was
suppressed or excluded; and says that the rest is up to the allocator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from messor.allocator.constraints import Constraints, Limits
from messor.errors import Unsupported
from messor.master.authorization import Authorization
from messor.master.doors.state_view import visible
from messor.master.doors.task_situation import agent_trouble, describe_task, find_tasks, unknown_task
from messor.master.doors.why_subjects import INACTIVE, LIMIT, Subjects, positive
from messor.master.flags import MasterFlags
from messor.master.leadership import Leadership
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.model.resources import Resources
from messor.model.roles import is_subrole
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.host import Clock
from messor.runtime.http import Request, Response
from messor.wire.json_codec import dumps
from messor.wire.media_types import JSON

Reason = dict[str, Any]


class OfferConstraintsView(Component):
    """Serves ``/allocator/offer_constraints_debug`` (U13)."""

    def __init__(
        self, *, state: MasterState, flags: MasterFlags, leadership: Leadership, authorization: Authorization
    ) -> None:
        """Collaborators."""
        self.authorization = authorization
        self.state = state
        self.leadership = leadership
        self.limits = constraint_limits(flags)

    @endpoint("/allocator/offer_constraints_debug", realm="readonly")
    def offer_constraints_debug(self, request: Request) -> Response:
        """Tell for every framework what it suppressed, and by role the agents that its offer constraints exclude."""
        self.leadership.check_leading(request)
        seen = visible(self.state.frameworks.values(), self.authorization.viewer(request.principal))
        frameworks = {one.id: self._excluded(one) for one in seen}
        return Response(200, [dumps({"frameworks": frameworks})], JSON)

    def _excluded(self, framework: FrameworkRecord) -> dict[str, Any]:
        constraints = Constraints(framework.offer_constraints, self.limits)
        return {
            "suppressed_roles": sorted(framework.suppressed_roles),
            "excluded_by_attribute_constraints": {
                role: [agent.id for agent in self.state.agents.values() if not constraints.allow(role, agent.info)]
                for role in sorted(framework.roles)
            },
        }


class UnknownAllocatorViews(Component):
    """Serves what is below ``/allocator`` for an allocator of which only the interface is known."""

    def __init__(
        self,
        *,
        state: MasterState,
        flags: MasterFlags,
        leadership: Leadership,
        clock: Clock,
        authorization: Authorization,
    ) -> None:
        """Collaborators."""
        self.authorization = authorization
        self.state = state
        self.leadership = leadership
        self.clock = clock
        self.limits = constraint_limits(flags)
        self.name = flags.allocator
        self.subjects = Subjects(state, lambda: {role for one in state.frameworks.values() for role in one.roles})

    @endpoint("/allocator/why", methods=("GET",), realm="readonly")
    def why(self, request: Request) -> Response:
        """Say what the master knows about why agents are offered or not; the rest is the allocator's."""
        self.leadership.check_leading(request)
        self.authorization.check_sees_all(request.principal)
        query = request.query
        (kind, text), owner, agent_id = (
            self.subjects.read(query),
            self.subjects.owner(query),
            self.subjects.agent(query),
        )
        limit = positive(query.get("limit"), "limit", LIMIT)
        answer: dict[str, Any] = {"about": {kind: text}, "round": None, "texts": [self._excuse()]}
        frameworks: list[FrameworkRecord] = []
        if kind == "task":
            answer["task"], frameworks = self._task(text, owner)
        elif kind == "framework":
            frameworks = [self.state.frameworks[text]]
        else:
            known = sorted(self.state.frameworks.items())
            frameworks = [one for _, one in known if any(is_subrole(role, text) for role in one.roles)]
            if not frameworks:
                answer["texts"].append(f"No framework subscribes to role '{text}': nothing is offered for it")
        pairs = [
            (one, role) for one in frameworks for role in sorted(one.roles) if kind != "role" or is_subrole(role, text)
        ]
        answer["frameworks"] = [
            self._framework_view(one, [role for who, role in pairs if who is one]) for one in frameworks
        ]
        self._judge(answer, pairs, agent_id, limit)
        return Response(200, [dumps(answer)], JSON)

    @endpoint("/allocator/shares", methods=("GET",), realm="readonly")
    def shares(self, request: Request) -> Response:
        """Refuse: whether an allocator has shares is its own."""
        self.leadership.check_leading(request)
        raise Unsupported(f"{self._excuse()}; /roles and /frameworks tell who holds what")

    @endpoint("/allocator/fit", methods=("GET",), realm="readonly")
    def fit(self, request: Request) -> Response:
        """Refuse: what an allocator would make room for is its own."""
        self.leadership.check_leading(request)
        raise Unsupported(f"{self._excuse()}; /slaves tells what is free")

    def _excuse(self) -> str:
        return f"Allocator '{self.name}' decides who is offered what and cannot be asked: this is what the master sees"

    def _task(self, task_id: str, owner: str | None) -> tuple[dict[str, Any], list[FrameworkRecord]]:
        """Describe a task, and give the live framework whose situation matters to it."""
        found = find_tasks(self.state, task_id, owner)
        if not found:
            return unknown_task(task_id), [self.state.frameworks[owner]] if owner is not None else []
        framework = found[0][0]
        live = [framework] if framework.id in self.state.frameworks else []
        return describe_task(self.state, found[0], self.clock.now()), live

    def _framework_view(self, framework: FrameworkRecord, roles: list[str]) -> dict[str, Any]:
        """Tell what concerns a framework on every agent."""
        return {
            "id": framework.id,
            "name": framework.info.name,
            "active": framework.is_active,
            "state": framework.state.value,
            "offers_outstanding": len(framework.offers),
            "last_offered_seconds_ago": None,
            "roles": [{"role": role, "reasons": list(_general(framework, role))} for role in roles],
        }

    def _judge(
        self, answer: dict[str, Any], pairs: list[tuple[FrameworkRecord, str]], agent_id: str | None, limit: int
    ) -> None:
        """Fill in a verdict for every agent and pair, up to the limit."""
        agents = [one for one in self.state.agents.values() if agent_id in (None, one.id)]
        verdicts: list[dict[str, Any]] = []
        counts = {"offered": 0, "not offered": 0, "taken": 0}
        codes: dict[str, int] = {}
        for framework, role in pairs:
            constraints = Constraints(framework.offer_constraints, self.limits)
            for agent in agents[: max(0, limit - len(verdicts))]:
                reasons = [*_general(framework, role), *self._reasons(agent, framework, role, constraints)]
                outcome = _outcome(reasons)
                counts[outcome] += 1
                for code in {reason["code"] for reason in reasons}:
                    codes[code] = codes.get(code, 0) + 1
                verdicts.append(
                    {
                        "agent": agent.id,
                        "hostname": agent.hostname,
                        "framework": framework.id,
                        "role": role,
                        "outcome": outcome,
                        "reasons": reasons,
                    }
                )
        answer["counts"], answer["reasons"], answer["verdicts"] = counts, codes, verdicts
        answer["left_out"] = len(pairs) * len(agents) - len(verdicts)
        if not agents:
            answer["texts"].append("No agent is registered: there is nothing to offer")

    def _reasons(
        self, agent: AgentRecord, framework: FrameworkRecord, role: str, constraints: Constraints
    ) -> Iterator[Reason]:
        """Tell what the master sees of one agent, framework and role."""
        trouble = agent_trouble(agent)
        if trouble is not None:
            yield _reason("agent_inactive", f"Nothing of the agent is offered: {trouble}")
        if not constraints.allow(role, agent.info):
            yield _reason("constraint", "The framework's offer constraints exclude this agent", {"role": role})
        for offer in agent.offers.values():
            what, seconds = str(offer.resources.unallocated()), self.clock.now() - offer.made_at
            facts: dict[str, Any] = {"resources": what, "seconds": seconds}
            if (offer.framework_id, offer.role) == (framework.id, role):
                text = f"The framework has held an offer of {what} for {seconds:.1f} s"
                yield _reason("offered", text, facts, blocks=False)
            else:
                whom = self._name(offer.framework_id)
                text = f"{what} is offered to framework {whom} for role '{offer.role}', for {seconds:.1f} s now"
                facts |= {"framework": offer.framework_id, "role": offer.role}
                yield _reason("offered_to_other", text, facts, blocks=False)
        for framework_id, used in agent.used.items():
            what = str(used.unallocated())
            code, who = ("uses", "the framework") if framework_id == framework.id else ("used_by_other", "")
            text = f"{what} is used by {who or f'framework {self._name(framework_id)}'}"
            yield _reason(code, text, {"resources": what, "framework": framework_id}, blocks=False)
        free = _free(agent)
        if free:
            text = f"{free} is free: whether and when it is offered is up to the allocator"
            yield _reason("up_to_allocator", text, {"free": str(free)})

    def _name(self, framework_id: str) -> str:
        record = self.state.frameworks.get(framework_id)
        return f"'{record.info.name}' ({framework_id})" if record is not None else framework_id


def constraint_limits(flags: MasterFlags) -> Limits:
    """Read how large regular expressions in offer constraints may be."""
    return Limits(int(flags.offer_constraints_re2_max_mem), flags.offer_constraints_re2_max_program_size)


def _general(framework: FrameworkRecord, role: str) -> Iterator[Reason]:
    """Tell what holds on every agent."""
    if not framework.is_active:
        yield _reason("framework_inactive", f"The framework is offered nothing: {INACTIVE[framework.state]}")
    if role in framework.suppressed_roles:
        text = f"The framework suppressed offers for role '{role}'; it hears again after REVIVE"
        yield _reason("suppressed", text, {"role": role})


def _outcome(reasons: list[Reason]) -> str:
    codes = {reason["code"] for reason in reasons}
    if "offered" in codes:
        return "offered"
    return "not offered" if any(reason["blocks"] for reason in reasons) else "taken"


def _free(agent: AgentRecord) -> Resources:
    """Tell what nobody is offered or uses."""
    return agent.total - agent.total_used().unallocated() - agent.offered.unallocated()


def _reason(code: str, text: str, facts: dict[str, Any] | None = None, *, blocks: bool = True) -> Reason:
    return {"code": code, "text": text, "facts": facts or {}, "blocks": blocks}
