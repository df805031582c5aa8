"""``/state-summary`` and ``/roles``: counts and sums for dashboards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

from messor.master.doors.state_view import StateView, all_tasks, offered_to
from messor.master.flags import MasterFlags
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.model.quotas import DEFAULT_QUOTA
from messor.model.ranges import Items, Ranges
from messor.model.resource import Kind
from messor.model.resources import Resources
from messor.model.roles import ancestors
from messor.model.scalars import to_float
from messor.protos import v0
from messor.security.permissions import Viewer
from messor.wire.json_codec import dumps, number

SHOWN_STATES = (
    v0.TASK_STAGING,
    v0.TASK_STARTING,
    v0.TASK_RUNNING,
    v0.TASK_KILLING,
    v0.TASK_FINISHED,
    v0.TASK_KILLED,
    v0.TASK_FAILED,
    v0.TASK_LOST,
    v0.TASK_ERROR,
    v0.TASK_UNREACHABLE,
)
"""The states a summary counts, in the order it shows them."""

COUNTS = "".join(f',"{v0.TaskState.Name(state)}":%d' for state in SHOWN_STATES).encode()

DEFAULT_WEIGHT = 1.0

where_and_state = attrgetter("agent_id", "state")


class SummaryView:
    """Writes summaries."""

    def __init__(self, *, state: MasterState, flags: MasterFlags, state_view: StateView) -> None:
        """Only reads its collaborators."""
        self.state = state
        self.flags = flags
        self.state_view = state_view

    def pieces(self, viewer: Viewer | None) -> list[bytes]:
        """Write ``/state-summary``; tasks count where they run or ran, as far as frameworks remember them.

        Counts are of all frameworks, whether the asker may see them or not, as in Mesos.
        """
        head: dict[str, Any] = {"hostname": self.state.info.hostname}
        if self.flags.cluster is not None:
            head["cluster"] = self.flags.cluster
        by_agent: dict[str, dict[int, int]] = {}
        users: dict[str, list[str]] = {}
        written = [(each, self._framework(each, by_agent, users)) for each in self.state.frameworks.values()]
        frameworks = [text for each, text in written if viewer is None or viewer.sees_framework(each.info)]
        agents = [
            b'%b%b,"framework_ids":%b}'
            % (open_agent, _counts(by_agent.get(agent_id, {})), dumps(users.get(agent_id, [])))
            for agent_id, open_agent in zip(self.state.agents, self.state_view.agent_heads(viewer), strict=True)
        ]
        return [
            dumps(head)[:-1],
            b',"slaves":[',
            b",".join(agents),
            b'],"frameworks":[',
            b",".join(frameworks),
            b"]}",
        ]

    def _framework(
        self, framework: FrameworkRecord, by_agent: dict[str, dict[int, int]], users: dict[str, list[str]]
    ) -> bytes:
        """Write a framework and add its tasks to those of their agents."""
        totals: dict[int, int] = {}
        agents: dict[str, None] = {}
        for (agent_id, state), count in Counter(map(where_and_state, all_tasks(framework))).items():
            totals[state] = totals.get(state, 0) + count
            on_agent = by_agent.setdefault(agent_id, {})
            on_agent[state] = on_agent.get(state, 0) + count
            agents[agent_id] = None
        for agent_id in agents:
            users.setdefault(agent_id, []).append(framework.id)
        return b'%b%b,"slave_ids":%b}' % (
            self.state_view.framework_head(framework),
            _counts(totals),
            dumps(list(agents)),
        )


def _counts(counts: Mapping[int, int]) -> bytes:
    """Write the ten counts."""
    return COUNTS % tuple([counts.get(state, 0) for state in SHOWN_STATES])


# --- roles -------------------------------------------------------------------------------------------------------


class RoleUse:
    """What a role and the roles below it have: quantities by resource name, scalars in thousandths."""

    def __init__(self, name: str) -> None:
        """Start with nothing."""
        self.name = name
        self.allocated: dict[str, int] = {}
        self.offered: dict[str, int] = {}
        self.reserved: dict[str, int] = {}
        self.unallocated_reserved: dict[str, int] = {}
        self.frameworks: list[str] = []

    def consumed(self) -> dict[str, int]:
        """Give what counts against the role's quota: what is allocated, and what is reserved though unused."""
        return _sum(self.allocated, self.unallocated_reserved)

    def resources(self) -> dict[str, int]:
        """Give what is allocated or offered."""
        return _sum(self.allocated, self.offered)


class RolesView:
    """Works out what every known role has."""

    def __init__(self, *, state: MasterState) -> None:
        """Only reads."""
        self.state = state

    def roles(self, viewer: Viewer | None = None) -> list[RoleUse]:
        """List the known roles, sorted: of frameworks, reservations, quotas and weights, and all roles above them.

        viewer: what the asker may see, None when that is everything.
        """
        uses = {name: RoleUse(name) for name in self._names()}
        for framework in self.state.frameworks.values():
            for role in framework.roles:
                uses[role].frameworks.append(framework.id)
            for part, bags in (("allocated", framework.used.values()), ("offered", offered_to(framework))):
                self._count(uses, part, bags, attrgetter("allocation_role"))
        reserved_for = attrgetter("reservation_role")
        for agent in self.state.agents.values():
            self._count(uses, "reserved", (agent.total,), reserved_for)
            self._count(uses, "unallocated_reserved", (agent.total,), reserved_for)
            self._count(uses, "unallocated_reserved", agent.used.values(), reserved_for, sign=-1)
        return [use for use in uses.values() if viewer is None or viewer.sees_role(use.name)]

    def pieces(self, viewer: Viewer | None) -> list[bytes]:
        """Write ``/roles``."""
        return [dumps({"roles": [self._role_dict(use) for use in self.roles(viewer)]})]

    def _role_dict(self, use: RoleUse) -> dict[str, Any]:
        """Give a role as ``/roles`` shows it."""
        quota = self.state.quotas.get(use.name, DEFAULT_QUOTA)
        return {
            "name": use.name,
            "weight": number(self.state.weights.get(use.name, DEFAULT_WEIGHT)),
            "quota": {
                "role": use.name,
                "guarantee": _quantities_dict(quota.guarantees),
                "limit": {name: number(to_float(milli)) for name, milli in sorted(quota.limits.items())},
                "consumed": _quantities_dict(use.consumed()),
            },
            "resources": _quantities_dict(use.resources()),
            "allocated": _quantities_dict(use.allocated),
            "offered": _quantities_dict(use.offered),
            "reserved": _quantities_dict(use.reserved),
            "frameworks": use.frameworks,
        }

    def _names(self) -> list[str]:
        """Collect the names of the known roles."""
        names: set[str] = set()
        for framework in self.state.frameworks.values():
            names.update(framework.roles)
            for bag in framework.used.values():
                names.update(kind.allocation_role for kind in bag.kinds() if kind.allocation_role is not None)
        for agent in self.state.agents.values():
            names.update(agent.total.reservations())
        for framework in self.state.frameworks.values():
            for offer in framework.offers.values():
                names.add(offer.role)
        names.update(self.state.quotas, self.state.weights)
        for name in list(names):
            names.update(ancestors(name))
        return sorted(names)

    @staticmethod
    def _count(
        uses: Mapping[str, RoleUse], part: str, bags: Iterable[Resources], role_of: Any, *, sign: int = 1
    ) -> None:
        """Add resources to a part of their role and of all roles above it."""
        for bag in bags:
            for kind, amount in bag.items():
                role = role_of(kind)
                if role is None:
                    continue
                for name in (role, *ancestors(role)):
                    quantities: dict[str, int] = getattr(uses[name], part)
                    quantities[kind.name] = quantities.get(kind.name, 0) + sign * _quantity(kind, amount)


def _quantity(kind: Kind, amount: Any) -> int:
    """Give an amount in thousandths; members of ranges and sets count one each."""
    if isinstance(amount, (Ranges, Items)):
        return amount.size() * 1000
    unit: Any = kind.unit
    if unit is None:
        return int(amount)
    return int(unit if kind.is_shared else unit * amount)


def _sum(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    """Add quantities."""
    return {name: left.get(name, 0) + right.get(name, 0) for name in {**left, **right}}


def _quantities_dict(quantities: Mapping[str, int]) -> dict[str, Any]:
    """Give quantities by name, sorted, without zeros."""
    return {name: number(to_float(milli)) for name, milli in sorted(quantities.items()) if milli}
