"""The cluster as messages of the v1 operator API: one description that becomes JSON or protobuf.

The same parts make up the GET_* answers, the snapshot a SUBSCRIBE begins with, and its events.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messor.master.doors.state_view import visible, visible_tasks
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import ExecutorRecord, FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.model.resource_formats import shown_both
from messor.model.resources import Resources
from messor.protos import v0, v0_master, v1, v1_master
from messor.security.permissions import Viewer
from messor.wire.json_codec import dumps, to_dict, to_json
from messor.wire.media_types import JSON
from messor.wire.versions import evolve, evolved

Response = v1_master.Response
Event = v1_master.Event

ALWAYS_SHOWN = {
    "get_tasks": ("tasks", "unreachable_tasks", "completed_tasks"),
    "get_executors": ("executors",),
    "get_frameworks": ("frameworks", "completed_frameworks"),
    "get_agents": ("agents", "recovered_agents"),
}
"""Lists that the JSON of these parts shows even when they are empty."""


class V1View:
    """Makes v1 messages from records."""

    def __init__(self, *, state: MasterState) -> None:
        """Only reads."""
        self.state = state

    def get_agents(self, viewer: Viewer | None = None) -> v1_master.Response.GetAgents:
        """Make the agents, registered and recovered; viewer: what the asker may see, None when that is everything."""
        result = Response.GetAgents(
            agents=[agent_message(agent) for agent in self.state.agents.values()],
            recovered_agents=[evolve(info) for info in self.state.recovered_agents.values()],
        )
        if viewer is not None:
            for agent in result.agents:
                hide_resources(agent, viewer)
            for info in result.recovered_agents:
                _hide(info.resources, viewer)
        return result

    def get_frameworks(self, viewer: Viewer | None = None) -> v1_master.Response.GetFrameworks:
        """Make the frameworks, live and completed."""
        live, completed = self.state.frameworks.values(), self.state.completed_frameworks.values()
        return Response.GetFrameworks(
            frameworks=[framework_message(each, self.state) for each in visible(live, viewer)],
            completed_frameworks=[framework_message(each, self.state) for each in visible(completed, viewer)],
        )

    def get_executors(self, viewer: Viewer | None = None) -> v1_master.Response.GetExecutors:
        """Make the executors of all frameworks."""
        result = Response.GetExecutors()
        for framework in visible(self.state.frameworks.values(), viewer):
            for executors in framework.executors.values():
                for record in executors.values():
                    if viewer is not None and not viewer.sees_executor(record.info, framework.info):
                        continue
                    executor = result.executors.add(executor_info=executor_info(record))
                    executor.agent_id.value = record.agent_id
        return result

    def get_tasks(self, viewer: Viewer | None = None) -> v1_master.Response.GetTasks:
        """Make the tasks of all frameworks, live and completed; none is pending or an orphan any more."""
        result = Response.GetTasks()
        frameworks = (*self.state.frameworks.values(), *self.state.completed_frameworks.values())
        for framework in visible(frameworks, viewer):
            for shown, tasks in (
                (result.tasks, framework.tasks.values()),
                (result.unreachable_tasks, framework.unreachable_tasks.values()),
                (result.completed_tasks, framework.completed_tasks),
            ):
                shown.extend(_tasks(visible_tasks(tasks, framework, viewer)))
        return result

    def get_operations(self, viewer: Viewer | None = None) -> v1_master.Response.GetOperations:
        """Make the operations of all agents that nobody has acknowledged yet."""
        return Response.GetOperations(
            operations=[
                evolve(operation.message)
                for agent in self.state.agents.values()
                for operation in agent.operations.values()
                if viewer is None or viewer.sees_operation(operation.message.info)
            ]
        )

    def get_state(self, viewer: Viewer | None = None) -> v1_master.Response.GetState:
        """Make all of them."""
        return Response.GetState(
            get_tasks=self.get_tasks(viewer),
            get_executors=self.get_executors(viewer),
            get_frameworks=self.get_frameworks(viewer),
            get_agents=self.get_agents(viewer),
        )

    # --- JSON --------------------------------------------------------------------------------------------------------

    def encode(self, message: v1_master.Response | v1_master.Event, media_type: str) -> bytes:
        """Encode an answer or an event."""
        if media_type != JSON:
            return message.SerializeToString()
        result = to_dict(message)
        self._complete(result.get("subscribed", result))
        return dumps(result)

    @staticmethod
    def encode_event(event: v1_master.Event, media_type: str) -> bytes:
        """Encode an event, which shows nothing beyond its message."""
        return to_json(event) if media_type == JSON else event.SerializeToString()

    def _complete(self, answer: dict[str, Any]) -> None:
        """Add to the JSON form what Mesos shows beyond the message: empty lists, and whether agents checkpoint."""
        parts = answer.get("get_state", answer)
        for part, lists in ALWAYS_SHOWN.items():
            if part in parts or parts is not answer:
                shown = parts.get(part, {})
                parts[part] = {name: shown.get(name, []) for name in lists}
        for agent in parts.get("get_agents", {}).get("agents", ()):
            record = self.state.agents[agent["agent_info"]["id"]["value"]]
            agent["agent_info"]["checkpoint"] = record.info.checkpoint
        for info in parts.get("get_agents", {}).get("recovered_agents", ()):
            info["checkpoint"] = self.state.recovered_agents[info["id"]["value"]].checkpoint


def agent_message(agent: AgentRecord) -> v1_master.Response.GetAgents.Agent:
    """Make an agent."""
    message = v0_master.Response.GetAgents.Agent(
        agent_info=agent.info,
        active=agent.is_active,
        deactivated=agent.is_deactivated,
        version=agent.version,
        pid=str(agent.pid),
        registered_time=time_message(agent.registered_at),
        total_resources=_shown(agent.total),
        allocated_resources=_shown(agent.total_used()),
        offered_resources=_shown(agent.offered),
    )
    if agent.reregistered_at is not None:
        message.reregistered_time.CopyFrom(time_message(agent.reregistered_at))
    if agent.drain is not None:
        message.drain_info.CopyFrom(agent.drain)
    if agent.drain_began is not None:
        message.estimated_drain_start_time.nanoseconds = int(agent.drain_began) * 10**9  # whole seconds, as in Mesos
    for provider in agent.providers.values():
        message.resource_providers.add(
            resource_provider_info=provider.info, total_resources=_shown(agent.of_provider(provider.id))
        )
    for capability in sorted(agent.capabilities):
        message.capabilities.add().type = capability  # type: ignore[assignment]  # enum values are plain ints
    result: v1_master.Response.GetAgents.Agent = evolve(message)
    return result


def hide_resources(agent: v1_master.Response.GetAgents.Agent, viewer: Viewer) -> None:
    """Take out of an agent what is of roles that an asker may not see."""
    for resources in (
        agent.agent_info.resources,
        agent.total_resources,
        agent.allocated_resources,
        agent.offered_resources,
        *(provider.total_resources for provider in agent.resource_providers),
    ):
        _hide(resources, viewer)


def _hide(resources: Any, viewer: Viewer) -> None:
    kept = [resource for resource in resources if viewer.sees_resource(resource)]
    del resources[:]
    resources.extend(kept)


def framework_message(framework: FrameworkRecord, state: MasterState) -> v1_master.Response.GetFrameworks.Framework:
    """Make a framework with its offers and resources."""
    message = framework_event_message(framework)
    if not framework.registered_at:
        message.ClearField("registered_time")
    if not message.reregistered_time.nanoseconds:
        message.ClearField("reregistered_time")
    if framework.unregistered_at is None:
        message.ClearField("unregistered_time")
    for record in framework.offers.values():
        offer = message.offers.add(hostname="")
        offer.id.value = record.id
        offer.framework_id.value = record.framework_id
        offer.agent_id.value = record.agent_id
        agent = state.agents.get(record.agent_id)
        if agent is not None:
            _describe_agent(offer, agent, framework.id)
        offer.resources.extend(evolve(resource) for resource in record.resources.messages())
        offer.allocation_info.role = record.role
    used, offered = Resources(), Resources()
    for resources in framework.used.values():
        used += resources
    for resources in framework.offers.bags():
        offered += resources
    message.allocated_resources.extend(evolve(resource) for resource in _shown(used))
    message.offered_resources.extend(evolve(resource) for resource in _shown(offered))
    message.offer_constraints.SetInParent()
    message.offer_constraints.MergeFromString(framework.offer_constraints.SerializeToString())
    return message


def framework_event_message(framework: FrameworkRecord) -> v1_master.Response.GetFrameworks.Framework:
    """Make a framework as events show it: without what it holds, with all its times."""
    message = Response.GetFrameworks.Framework(
        framework_info=evolve(framework.info),
        active=framework.is_active,
        connected=framework.is_connected,
        recovered=framework.is_recovered,
    )
    again = framework.registered_at if framework.reregistered_at is None else framework.reregistered_at
    message.registered_time.nanoseconds = nanoseconds(framework.registered_at)
    message.reregistered_time.nanoseconds = nanoseconds(again)
    message.unregistered_time.nanoseconds = nanoseconds(framework.unregistered_at or 0.0)
    return message


def executor_info(record: ExecutorRecord) -> v1.ExecutorInfo:
    """Make an executor's description, with its framework and the resources it was given."""
    info = v0.ExecutorInfo()
    info.CopyFrom(record.info)
    info.framework_id.value = record.framework_id
    info.ClearField("resources")
    info.resources.extend(record.resources.messages())
    result: v1.ExecutorInfo = evolve(info)
    return result


def task_message(record: TaskRecord) -> v1.Task:
    """Make a task."""
    task: v1.Task = evolved(record.encoded(), v0.Task)
    return task


def time_message(seconds: float) -> v0.TimeInfo:
    """Make a time."""
    return v0.TimeInfo(nanoseconds=nanoseconds(seconds))


def nanoseconds(seconds: float) -> int:
    """Convert seconds since the epoch."""
    return int(seconds * 1e9)


def _describe_agent(offer: v1.Offer, agent: AgentRecord, framework_id: str) -> None:
    """Fill in what an offer says about its agent."""
    offer.hostname = agent.info.hostname
    offer.url.scheme = "http"
    offer.url.address.hostname = agent.info.hostname
    offer.url.address.ip = agent.pid.ip
    offer.url.address.port = agent.pid.port
    offer.url.path = f"/{agent.pid.id}"
    offer.attributes.extend(evolve(attribute) for attribute in agent.info.attributes)
    for executor_id in agent.executors.get(framework_id, ()):
        offer.executor_ids.add(value=executor_id)
    if agent.info.HasField("domain"):
        offer.domain.CopyFrom(evolve(agent.info.domain))


def _tasks(records: Iterable[TaskRecord]) -> Iterable[v1.Task]:
    """Make tasks."""
    return (task_message(record) for record in records)


def _shown(resources: Resources) -> list[v0.Resource]:
    """Give resources in both forms of reservations."""
    return shown_both(resources.messages())
