"""``/state``, ``/slaves``, ``/frameworks`` and ``/tasks``: the cluster as the v0 endpoints show it.

Tasks, agents and frameworks are written once and kept as bytes until they change (``fragment`` on the records): a reply
is a join. What an agent or framework uses and is offered is compared by identity, since Resources never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from messor.master.doors.fragments import (
    AGENT_CAPABILITIES,
    FRAMEWORK_CAPABILITIES,
    agent_info_dict,
    dicts,
    domain_dict,
    executor_dict,
    labels_list,
    offer_dict,
    resources_dict,
    task_fragment,
)
from messor.master.flags import MasterFlags
from messor.master.leadership import Leadership
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import ExecutorRecord, FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.model.resource_formats import shown_both
from messor.model.resources import Resources
from messor.protos import v0
from messor.runtime.flags import texts
from messor.runtime.process_actors import version_info
from messor.security.permissions import Viewer
from messor.wire.json_codec import dumps, number, to_dict

TASK_LIMIT = 100
"""How many tasks ``/tasks`` gives unless it is asked for more."""

Pieces = list[bytes]
"""A JSON text in pieces, to be written one after the other."""


class StateView:
    """Writes the state."""

    def __init__(self, *, state: MasterState, flags: MasterFlags, leadership: Leadership) -> None:
        """Only reads its collaborators."""
        self.state = state
        self.flags = flags
        self.leadership = leadership
        self._agents: dict[str, tuple[object, ...]] = {}
        """What each agent's fragment was written from."""
        self._frameworks: dict[str, tuple[tuple[object, ...], bytes, bytes]] = {}
        """What each framework was written from, its summary, and what the full form adds before the tasks."""
        self._executors: dict[ExecutorRecord, bytes] = {}

    # --- whole replies -----------------------------------------------------------------------------------------------

    def state_pieces(self, viewer: Viewer | None) -> Pieces:
        """Write ``/state``; viewer: what the asker may see, None when that is everything."""
        self._forget_executors()
        pieces = [dumps(self._head(viewer))[:-1], b',"slaves":[']
        pieces.append(_join_open(self.agent_heads(viewer)))
        pieces += [b'],"recovered_slaves":', dumps(self.recovered_agents())]
        pieces += [b',"frameworks":[', *self._framework_pieces(self.state.frameworks.values(), viewer)]
        completed = self.state.completed_frameworks.values()
        pieces += [b'],"completed_frameworks":[', *self._framework_pieces(completed, viewer)]
        pieces.append(b'],"orphan_tasks":[],"unregistered_frameworks":[]}')
        return pieces

    def frameworks_pieces(self, framework_id: str | None, viewer: Viewer | None) -> Pieces:
        """Write ``/frameworks``, all or one."""
        live = _chosen(self.state.frameworks.values(), framework_id)
        completed = _chosen(self.state.completed_frameworks.values(), framework_id)
        return [
            b'{"frameworks":[',
            *self._framework_pieces(live, viewer),
            b'],"completed_frameworks":[',
            *self._framework_pieces(completed, viewer),
            b'],"unregistered_frameworks":[]}',
        ]

    def slaves_pieces(self, agent_id: str | None, viewer: Viewer | None) -> Pieces:
        """Write ``/slaves``, all or one."""
        agents = [agent for agent in self.state.agents.values() if agent_id in (None, agent.id)]
        recovered = [agent for agent in self.recovered_agents() if agent_id in (None, agent["id"])]
        shown = [agent_dict(agent, viewer) | agent_resources_dict(agent, viewer) for agent in agents]
        return [b'{"slaves":', dumps(shown), b',"recovered_slaves":', dumps(recovered), b"}"]

    def tasks_pieces(
        self,
        framework_id: str | None,
        task_id: str | None,
        viewer: Viewer | None,
        *,
        limit: int,
        offset: int,
        ascending: bool,
    ) -> Pieces:
        """Write ``/tasks``: sorted by the time of the first status, tasks without one counting as earliest."""
        frameworks = chain(self.state.frameworks.values(), self.state.completed_frameworks.values())
        found = [
            task
            for framework in visible(_chosen(frameworks, framework_id), viewer)
            for task in visible_tasks(all_tasks(framework), framework, viewer)
            if task_id in (None, task.id)
        ]
        found.sort(key=_first_seen, reverse=not ascending)
        if offset < 0 or limit < 0:  # both are unsigned in the original: a negative one is beyond everything
            found, offset, limit = (found, offset, len(found)) if offset >= 0 else ([], 0, 0)
        chosen = found[offset : offset + limit]
        return [b'{"tasks":[', b",".join([task_fragment(task) for task in chosen]), b"]}"]

    # --- the master --------------------------------------------------------------------------------------------------

    def _head(self, viewer: Viewer | None) -> dict[str, Any]:
        """Give what ``/state`` says about the master itself."""
        state, info, leader = self.state, self.state.info, self.leadership.leader
        active = sum(agent.is_active for agent in state.agents.values())
        version = version_info()
        shown = ("version", "git_sha", "build_date", "build_time", "build_user")
        head: dict[str, Any] = {key: version[key] for key in shown if key in version}
        head["start_time"] = number(state.started_at)
        if state.elected_at is not None:
            head["elected_time"] = number(state.elected_at)
        head.update(
            id=info.id,
            pid=info.pid,
            hostname=info.hostname,
            capabilities=[v0.MasterInfo.Capability.Type.Name(each.type) for each in info.capabilities],
            activated_slaves=float(active),
            deactivated_slaves=float(len(state.agents) - active),
            unreachable_slaves=float(len(state.unreachable_agents)),
        )
        if info.HasField("domain"):
            head["domain"] = domain_dict(info.domain)
        if leader is not None:
            head["leader"] = leader.pid
            head["leader_info"] = _leader_dict(leader)
        if viewer is not None and not viewer.sees_flags:
            return head
        for name in ("cluster", "log_dir", "external_log_file"):
            value = getattr(self.flags, name)
            if value is not None:
                head[name] = value
        head["flags"] = texts(self.flags)
        return head

    # --- agents ------------------------------------------------------------------------------------------------------

    def agent_heads(self, viewer: Viewer | None) -> list[bytes]:
        """Write all registered agents, each without its closing brace."""
        if viewer is not None and not viewer.sees_all_roles:
            return [dumps(agent_dict(agent, viewer))[:-1] for agent in self.state.agents.values()]
        known, written = self._agents, {}
        heads = []
        for agent in self.state.agents.values():
            key = _agent_key(agent)
            fragment = agent.fragment
            if fragment is None or known.get(agent.id) != key:
                fragment = agent.fragment = dumps(agent_dict(agent))[:-1]
            written[agent.id] = key
            heads.append(fragment)
        self._agents = written
        return heads

    def recovered_agents(self) -> list[dict[str, Any]]:
        """Give the agents that were admitted before a failover and did not come back yet."""
        return [agent_info_dict(info) for info in self.state.recovered_agents.values()]

    # --- frameworks --------------------------------------------------------------------------------------------------

    def framework_head(self, framework: FrameworkRecord) -> bytes:
        """Write the summary of a framework without its closing brace."""
        return self._framework_texts(framework)[1]

    def _framework_texts(self, framework: FrameworkRecord) -> tuple[tuple[object, ...], bytes, bytes]:
        """Write a framework apart from its tasks, offers and executors, or give what was written before it changed."""
        key = _framework_key(framework)
        known = self._frameworks.get(framework.id)
        if known is not None and known[0] == key and framework.fragment is known[1]:
            return known
        framework.fragment = head = dumps(_summary_dict(framework))[:-1]
        if len(self._frameworks) > 2 * len(self.state.frameworks) + self.state.max_completed_frameworks:
            self._frameworks.clear()  # those of forgotten frameworks go, the others are written once more
        texts = self._frameworks[framework.id] = (key, head, b"," + dumps(_details_dict(framework))[1:-1])
        return texts

    def _executor_fragments(self, framework: FrameworkRecord, viewer: Viewer | None) -> bytes:
        """Write the executors of a framework; an ExecutorInfo never changes."""
        fragments = []
        for record in chain.from_iterable(by_id.values() for by_id in framework.executors.values()):
            if viewer is not None and not viewer.sees_executor(record.info, framework.info):
                continue
            fragment = self._executors.get(record)
            if fragment is None:
                fragment = self._executors[record] = dumps(executor_dict(record))[:-1] + b"}"
            fragments.append(fragment)
        return b",".join(fragments)

    def _forget_executors(self) -> None:
        """Drop the texts of executors that ended, once they are the larger part."""
        live = sum(
            len(agent.executors.get(each, ())) for agent in self.state.agents.values() for each in agent.executors
        )
        if len(self._executors) > 2 * live + 100:
            self._executors.clear()

    def _framework_pieces(self, frameworks: Iterable[FrameworkRecord], viewer: Viewer | None) -> Iterator[bytes]:
        """Write frameworks in full, separated by commas."""
        separator = b""
        for framework in visible(frameworks, viewer):
            yield separator
            yield from self._framework_texts(framework)[1:]
            for name, tasks in (
                (b',"tasks":[', framework.tasks.values()),
                (b'],"unreachable_tasks":[', framework.unreachable_tasks.values()),
                (b'],"completed_tasks":[', framework.completed_tasks),
            ):
                yield name
                shown = visible_tasks(tasks, framework, viewer)
                yield b",".join([task.fragment or task_fragment(task) for task in shown])
            yield b'],"offers":' + dumps([offer_dict(offer) for offer in framework.offers.values()])
            yield b',"executors":['
            yield self._executor_fragments(framework, viewer)
            yield b"]," + dumps(_rest_dict(framework))[1:]
            separator = b","


def visible(frameworks: Iterable[FrameworkRecord], viewer: Viewer | None) -> Iterable[FrameworkRecord]:
    """Leave out the frameworks that an asker may not see."""
    return frameworks if viewer is None else (each for each in frameworks if viewer.sees_framework(each.info))


def visible_tasks(
    tasks: Iterable[TaskRecord], framework: FrameworkRecord, viewer: Viewer | None
) -> Iterable[TaskRecord]:
    """Leave out the tasks of a framework that an asker may not see."""
    if viewer is None or viewer.sees_all_tasks:
        return tasks
    return (task for task in tasks if viewer.sees_task(v0.Task.FromString(task.base), framework.info))


def agent_dict(agent: AgentRecord, viewer: Viewer | None = None) -> dict[str, Any]:
    """Give an agent, without roles that an asker may not see."""
    result = agent_info_dict(agent.info)
    result["pid"] = str(agent.pid)
    result["registered_time"] = number(agent.registered_at)
    if agent.reregistered_at is not None:
        result["reregistered_time"] = number(agent.reregistered_at)
    total = agent.total
    result.update(
        resources=resources_dict((total,)),
        used_resources=resources_dict(agent.used.values()),
        offered_resources=resources_dict((agent.offered,)),
        reserved_resources={role: resources_dict((part,)) for role, part in _reservations(total, viewer)},
        unreserved_resources=resources_dict((total.unreserved(),)),
        active=agent.is_active,
        deactivated=agent.is_deactivated,
        version=agent.version,
        capabilities=[AGENT_CAPABILITIES[each] for each in sorted(agent.capabilities) if each in AGENT_CAPABILITIES],
    )
    if agent.drain is not None:
        result["drain_info"] = to_dict(agent.drain)
    if agent.drain_began is not None:
        result["estimated_drain_start_time_seconds"] = number(agent.drain_began)
    return result


def _reservations(total: Resources, viewer: Viewer | None) -> list[tuple[str, Resources]]:
    """Sort what is reserved by role, leaving out roles that an asker may not see."""
    found = sorted(total.reservations().items())
    return found if viewer is None else [(role, part) for role, part in found if viewer.sees_role(role)]


def agent_resources_dict(agent: AgentRecord, viewer: Viewer | None) -> dict[str, Any]:
    """Give an agent's resources in full: ``/unreserve`` and ``/destroy-volumes`` want them exactly so."""
    reserved = _reservations(agent.total, viewer)
    return {
        "reserved_resources_full": {role: _shown(part, viewer) for role, part in reserved},
        "unreserved_resources_full": _shown(agent.total.unreserved(), viewer),
        "used_resources_full": _shown(agent.total_used(), viewer),
        "offered_resources_full": _shown(agent.offered, viewer),
    }


def all_tasks(framework: FrameworkRecord) -> Iterable[TaskRecord]:
    """Iterate over the tasks of a framework: live, unreachable, completed."""
    return chain(framework.tasks.values(), framework.unreachable_tasks.values(), framework.completed_tasks)


def offered_to(framework: FrameworkRecord) -> list[Resources]:
    """List what a framework is offered."""
    return framework.offers.bags()


def _shown(resources: Resources, viewer: Viewer | None) -> list[dict[str, Any]]:
    """Give resources as messages in both forms of reservations, as the endpoints show them."""
    messages = resources.messages()
    return dicts(shown_both(messages if viewer is None else filter(viewer.sees_resource, messages)))


def _agent_key(agent: AgentRecord) -> tuple[object, ...]:
    """Give what an agent's fragment depends on beyond what invalidates it; compared by identity first."""
    return (agent.total, agent.offered, agent.is_active, agent.is_deactivated, agent.pid, *agent.used.values())


def _framework_key(framework: FrameworkRecord) -> tuple[object, ...]:
    """Give what a framework's summary depends on; compared by identity first."""
    return (framework.state, framework.pid, tuple(framework.used.values()), offered_to(framework))


def _summary_dict(framework: FrameworkRecord) -> dict[str, Any]:
    """Give what all endpoints say about a framework."""
    info = framework.info
    result: dict[str, Any] = {"id": framework.id, "name": info.name}
    if framework.pid is not None:
        result["pid"] = str(framework.pid)
    result.update(
        used_resources=resources_dict(framework.used.values()),
        offered_resources=resources_dict(offered_to(framework)),
        capabilities=[
            FRAMEWORK_CAPABILITIES[each.type] for each in info.capabilities if each.type in FRAMEWORK_CAPABILITIES
        ],
        hostname=info.hostname,
        webui_url=info.webui_url,
        active=framework.is_active,
        connected=framework.is_connected,
        recovered=framework.is_recovered,
    )
    return result


def _details_dict(framework: FrameworkRecord) -> dict[str, Any]:
    """Give what only the full form says, before the tasks."""
    info = framework.info
    result: dict[str, Any] = {
        "user": info.user,
        "failover_timeout": number(info.failover_timeout),
        "checkpoint": info.checkpoint,
        "registered_time": number(framework.registered_at),
        "unregistered_time": number(framework.unregistered_at or 0.0),
    }
    if info.HasField("principal"):
        result["principal"] = info.principal
    result["resources"] = resources_dict(chain(framework.used.values(), offered_to(framework)))
    if framework.reregistered_at is not None and framework.reregistered_at != framework.registered_at:
        result["reregistered_time"] = number(framework.reregistered_at)
    if framework.has(v0.FrameworkInfo.Capability.MULTI_ROLE):
        result["roles"] = list(info.roles)
    else:
        result["role"] = info.role
    return result


def _rest_dict(framework: FrameworkRecord) -> dict[str, Any]:
    """Give what comes behind the executors."""
    result: dict[str, Any] = {}
    if framework.info.HasField("labels"):
        result["labels"] = labels_list(framework.info.labels)
    result["offer_constraints"] = to_dict(framework.offer_constraints)
    return result


def _leader_dict(leader: v0.MasterInfo) -> dict[str, Any]:
    """Give what is said about the leading master."""
    result: dict[str, Any] = {"id": leader.id, "pid": leader.pid, "port": leader.port, "hostname": leader.hostname}
    if leader.HasField("domain"):
        result["domain"] = domain_dict(leader.domain)
    return result


def _first_seen(task: TaskRecord) -> tuple[bool, float]:
    """Give what tasks are sorted by."""
    if not task.statuses:
        return (False, 0.0)
    return (True, v0.TaskStatus.FromString(task.statuses[0]).timestamp)


def _chosen(frameworks: Iterable[FrameworkRecord], framework_id: str | None) -> Iterable[FrameworkRecord]:
    """Keep the framework asked for, or all."""
    return (framework for framework in frameworks if framework_id in (None, framework.id))


def _join_open(heads: list[bytes]) -> bytes:
    """Join objects that lack their closing brace."""
    return b"},".join(heads) + b"}" if heads else b""
