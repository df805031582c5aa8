"""The agent's state as JSON for ``/state`` and as v1 messages, from one description (U14, O19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from messor.agent.capacity.totals import CAPABILITIES
from messor.agent.state.task import task_from_info
from messor.model.attributes import attribute_text
from messor.model.resource_formats import shown_both
from messor.model.resources import Resources
from messor.model.task_states import task_state_name
from messor.protos import v0, v0_agent
from messor.runtime.flags import texts
from messor.runtime.process_actors import version_info
from messor.wire.json_codec import number, to_dict

if TYPE_CHECKING:
    from messor.agent.flags import AgentFlags
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.tables import Tables
    from messor.agent.state.task import Task
    from messor.security.permissions import Viewer
    from messor.wire.upid import Upid

SCALARS = ("disk", "mem", "gpus", "cpus")
"""Shown even when there is none of them, in this order."""


class StateView:
    """Reads the tables; changes nothing."""

    def __init__(self, tables: Tables, flags: AgentFlags, pid: Upid) -> None:
        """Describe that agent."""
        self._tables = tables
        self._flags = flags
        self._pid = pid

    # --- /state ------------------------------------------------------------------------------------------------------

    def state(self, viewer: Viewer | None) -> dict[str, Any]:
        """Give what ``/state`` shows, in upstream's order of keys.

        viewer: what the asker may see, None when that is everything.
        """
        tables = self._tables
        info = tables.info
        total = tables.total
        used = self._used()
        build = version_info()
        shown: dict[str, Any] = {"version": build["version"]}
        shown.update({key: build[key] for key in ("git_sha", "build_date", "build_time", "build_user") if key in build})
        shown.update(
            {
                "start_time": number(tables.start_time),
                "id": info.id.value,
                "pid": str(self._pid),
                "hostname": info.hostname,
                "capabilities": [v0.SlaveInfo.Capability.Type.Name(capability) for capability in CAPABILITIES],
            }
        )
        if info.HasField("domain"):
            shown["domain"] = to_dict(info.domain)
        if tables.drain_config is not None:
            shown["drain_config"] = to_dict(tables.drain_config)
            shown["estimated_drain_start_time_seconds"] = int(tables.drain_start_time)
        shown.update(
            {
                "resources": amounts(total),
                "reserved_resources": _by_role(total, viewer),
                "unreserved_resources": amounts(total.unreserved()),
                "reserved_resources_full": {role: _full(kept) for role, kept in _reservations(total, viewer)},
                "unreserved_resources_full": _full(total.unreserved()),
                "reserved_resources_allocated": _by_role(used, viewer),
                "unreserved_resources_allocated": amounts(used.unreserved()),
                "resource_providers": [],
                "attributes": {attribute.name: _attribute(attribute) for attribute in info.attributes},
            }
        )
        if tables.master_info is not None:
            shown["master_hostname"] = tables.master_info.hostname
        if viewer is None or viewer.sees_flags:
            if self._flags.log_dir is not None:
                shown["log_dir"] = self._flags.log_dir
            shown["flags"] = self.flags()
        for name, frameworks in (
            ("frameworks", tables.frameworks.values()),
            ("completed_frameworks", tables.completed_frameworks.values()),
        ):
            shown[name] = [_framework(framework, viewer) for framework in _visible(frameworks, viewer)]
        return shown

    def flags(self) -> dict[str, str]:
        """Give the flags as text."""
        return texts(self._flags)

    def _used(self) -> Resources:
        used = Resources()
        for _, executor in self._tables.executors():
            used = used + executor.resources.unallocated()
        return used

    # --- v1 ----------------------------------------------------------------------------------------------------------

    def tasks(self, viewer: Viewer | None) -> v0_agent.Response.GetTasks:
        """List all tasks by where they are in their life."""
        found = v0_agent.Response.GetTasks()
        for framework in _visible(self._all_frameworks(), viewer):
            for executor in _visible_executors(framework.executors.values(), framework, viewer):
                executor_id = None if executor.is_command else executor.id
                found.queued_tasks.extend(
                    task_from_info(task, framework.id, executor_id).info
                    for task in executor.queued.values()
                    if viewer is None or viewer.sees_task(task, framework.info)
                )
                found.launched_tasks.extend(_visible_tasks(executor.launched.values(), framework, viewer))
                found.terminated_tasks.extend(_visible_tasks(executor.terminated.values(), framework, viewer))
            everybody = (*framework.executors.values(), *framework.completed_executors)
            for executor in _visible_executors(everybody, framework, viewer):
                found.completed_tasks.extend(_visible_tasks(executor.completed, framework, viewer))
        return found

    def executors(self, viewer: Viewer | None) -> v0_agent.Response.GetExecutors:
        """List executors and completed ones."""
        found = v0_agent.Response.GetExecutors()
        for framework in _visible(self._all_frameworks(), viewer):
            for executor in _visible_executors(framework.executors.values(), framework, viewer):
                found.executors.add(executor_info=executor.info)
            for executor in _visible_executors(framework.completed_executors, framework, viewer):
                found.completed_executors.add(executor_info=executor.info)
        return found

    def frameworks(self, viewer: Viewer | None) -> v0_agent.Response.GetFrameworks:
        """List frameworks and completed ones."""
        found = v0_agent.Response.GetFrameworks()
        for framework in _visible(self._tables.frameworks.values(), viewer):
            found.frameworks.add(framework_info=framework.info)
        for framework in _visible(self._tables.completed_frameworks.values(), viewer):
            found.completed_frameworks.add(framework_info=framework.info)
        return found

    def operations(self, viewer: Viewer | None) -> v0_agent.Response.GetOperations:
        """List operations whose result nobody acknowledged yet."""
        operations = self._tables.operations.values()
        if viewer is not None:
            return v0_agent.Response.GetOperations(
                operations=[each for each in operations if viewer.sees_operation(each.info)]
            )
        return v0_agent.Response.GetOperations(operations=operations)

    def agent(self) -> v0_agent.Response.GetAgent:
        """Describe the agent itself."""
        found = v0_agent.Response.GetAgent(slave_info=self._tables.info)
        if self._tables.drain_config is not None:
            found.drain_config.CopyFrom(self._tables.drain_config)
            found.estimated_drain_start_time.nanoseconds = int(self._tables.drain_start_time) * 10**9
        return found

    def _all_frameworks(self) -> Iterable[Framework]:
        yield from self._tables.frameworks.values()
        yield from self._tables.completed_frameworks.values()


# --- pieces of /state ------------------------------------------------------------------------------------------------


def amounts(resources: Resources) -> dict[str, Any]:
    """Show amounts by name; revocable ones apart."""
    shown = _plain_amounts(resources.nonrevocable(), SCALARS)
    for name, value in _plain_amounts(resources.revocable(), ()).items():
        shown[f"{name}_revocable"] = value
    return shown


def _plain_amounts(resources: Resources, always: Iterable[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: number(resources.scalar(name) or 0.0) for name in always}
    for name in sorted(resources.names()):
        if name in shown:
            continue
        scalar = resources.scalar(name)
        if scalar is not None:
            shown[name] = number(scalar)
            continue
        ranges = resources.ranges(name)
        shown[name] = "[" + ", ".join(f"{first}-{last}" for first, last in ranges.intervals) + "]"
    return shown


def _by_role(resources: Resources, viewer: Viewer | None) -> dict[str, Any]:
    return {role: amounts(kept) for role, kept in _reservations(resources, viewer)}


def _reservations(resources: Resources, viewer: Viewer | None) -> list[tuple[str, Resources]]:
    """Sort what is reserved by role, leaving out roles that an asker may not see."""
    found = sorted(resources.reservations().items())
    return found if viewer is None else [(role, kept) for role, kept in found if viewer.sees_role(role)]


def _visible(frameworks: Iterable[Framework], viewer: Viewer | None) -> Iterable[Framework]:
    """Leave out the frameworks that an asker may not see."""
    return frameworks if viewer is None else (each for each in frameworks if viewer.sees_framework(each.info))


def _visible_executors(
    executors: Iterable[Executor], framework: Framework, viewer: Viewer | None
) -> Iterable[Executor]:
    """Leave out the executors of a framework that an asker may not see."""
    if viewer is None:
        return executors
    return (each for each in executors if viewer.sees_executor(each.info, framework.info))


def _visible_tasks(tasks: Iterable[Task], framework: Framework, viewer: Viewer | None) -> Iterable[v0.Task]:
    """Give the descriptions of the tasks of a framework, but those that an asker may not see."""
    return (task.info for task in tasks if viewer is None or viewer.sees_task(task.info, framework.info))


def _full(resources: Resources) -> list[dict[str, Any]]:
    return [to_dict(resource) for resource in shown_both(resources.messages())]


def _attribute(attribute: v0.Attribute) -> Any:
    if attribute.type == v0.Value.SCALAR:
        return number(attribute.scalar.value)
    return attribute_text(attribute)


def _framework(framework: Framework, viewer: Viewer | None) -> dict[str, Any]:
    info = framework.info
    shown: dict[str, Any] = {
        "id": framework.id,
        "name": info.name,
        "user": info.user,
        "failover_timeout": number(info.failover_timeout),
        "checkpoint": info.checkpoint,
        "hostname": info.hostname,
    }
    if info.HasField("principal"):
        shown["principal"] = info.principal
    if any(item.type == v0.FrameworkInfo.Capability.MULTI_ROLE for item in info.capabilities):
        shown["roles"] = list(info.roles)
    else:
        shown["role"] = info.role
    for name, executors in (
        ("executors", framework.executors.values()),
        ("completed_executors", framework.completed_executors),
    ):
        seen = _visible_executors(executors, framework, viewer)
        shown[name] = [_executor(executor, framework, viewer) for executor in seen]
    return shown


def _executor(executor: Executor, framework: Framework, viewer: Viewer | None) -> dict[str, Any]:
    info = executor.info
    shown: dict[str, Any] = {
        "id": executor.id,
        "name": info.name,
        "source": info.source,
        "container": executor.container_id,
        "directory": executor.directory,
        "resources": amounts(executor.resources),
    }
    role = _role(info.resources)
    if role is not None:
        shown["role"] = role
    if info.HasField("labels"):
        shown["labels"] = to_dict(info.labels).get("labels", [])
    if info.HasField("type"):
        shown["type"] = v0.ExecutorInfo.Type.Name(info.type)
    live = (*executor.launched.values(), *executor.terminated.values())
    shown["tasks"] = [_task(info) for info in _visible_tasks(live, framework, viewer)]
    queued = [task for task in executor.queued.values() if viewer is None or viewer.sees_task(task, framework.info)]
    shown["queued_tasks"] = [_queued(executor, task) for task in queued]
    shown["completed_tasks"] = [_task(info) for info in _visible_tasks(executor.completed, framework, viewer)]
    return shown


def _role(resources: Iterable[v0.Resource]) -> str | None:
    for resource in resources:
        return resource.allocation_info.role
    return None


def _task(info: v0.Task) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": info.task_id.value,
        "name": info.name,
        "framework_id": info.framework_id.value,
        "executor_id": info.executor_id.value,
        "slave_id": info.slave_id.value,
        "state": task_state_name(info.state),
        "resources": amounts(Resources.of(info.resources)),
    }
    role = _role(info.resources)
    if role is not None:
        shown["role"] = role
    if info.HasField("user"):
        shown["user"] = info.user
    shown["statuses"] = [_status(status) for status in info.statuses]
    for field, show in _TASK_EXTRAS.items():
        if info.HasField(field):
            shown[field] = show(getattr(info, field))
    return shown


_TASK_EXTRAS: dict[str, Callable[[Any], Any]] = {
    "labels": lambda labels: to_dict(labels).get("labels", []),
    "discovery": to_dict,
    "container": to_dict,
    "health_check": to_dict,
}


def _status(status: v0.TaskStatus) -> dict[str, Any]:
    shown: dict[str, Any] = {"state": task_state_name(status.state), "timestamp": number(status.timestamp)}
    if status.HasField("labels"):
        shown["labels"] = to_dict(status.labels).get("labels", [])
    if status.HasField("container_status"):
        container = v0.ContainerStatus()
        container.CopyFrom(status.container_status)
        container.ClearField("executor_pid")
        shown["container_status"] = to_dict(container)
    if status.HasField("healthy"):
        shown["healthy"] = status.healthy
    if status.HasField("check_status"):
        shown["check_status"] = to_dict(status.check_status)
    return shown


def _queued(executor: Executor, task: v0.TaskInfo) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": task.task_id.value,
        "name": task.name,
        "slave_id": task.slave_id.value,
        "resources": amounts(Resources.of(task.resources)),
    }
    role = _role(task.resources)
    if role is not None:
        shown["role"] = role
    shown["executor_id"] = executor.id
    return shown
