"""Tasks and task groups are launched: checked, given to an executor, which is started when there is none (b.4).

The whole chain is synchronous: nothing can change between its steps, and a launch costs no asyncio task unless it
starts an executor.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.executors.generate import executor_of
from messor.agent.state.framework import Framework
from messor.agent.state.lifecycles import AgentState, ExecutorState, FrameworkState
from messor.errors import InvalidRequest, MesosError, RemoteProtocolError
from messor.model.ids import validate_id
from messor.model.resource_formats import upgrade_all
from messor.model.resources import Resources
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.security.authorizer import Action, Object
from messor.wire.texts import bad_text
from messor.wire.upid import NOBODY, Upid, parse_upid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message

    from messor.agent.checkpoint.paths import Paths
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.executors.deliver import Deliveries
    from messor.agent.executors.start import Starts
    from messor.agent.flags import AgentFlags
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.agent.upkeep.garbage import Garbage
    from messor.security.permissions import Permissions

log = logging.getLogger(__name__)

_Reason = v0.TaskStatus.Reason


class Launches(Component):
    """Turns RunTask and RunTaskGroup into queued tasks of an executor."""

    def __init__(
        self,
        flags: AgentFlags,
        tables: Tables,
        paths: Paths,
        outbox: Outbox,
        checkpoints: Checkpoints,
        updates: Updates,
        starts: Starts,
        deliveries: Deliveries,
        garbage: Garbage,
        permissions: Permissions,
    ) -> None:
        """Take all that a launch touches."""
        self._permissions = permissions
        self._flags = flags
        self._tables = tables
        self._paths = paths
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._updates = updates
        self._starts = starts
        self._deliveries = deliveries
        self._garbage = garbage

    # --- messages ----------------------------------------------------------------------------------------------------

    @on(internal.RunTaskMessage)
    def run_task(self, sender: Upid, message: internal.RunTaskMessage) -> None:
        """Launch one task."""
        task = message.task
        executor_id = (task.executor.executor_id if task.HasField("executor") else task.task_id).value
        if not self._may_run(sender, message, (task,), message.framework.id.value, executor_id):
            return
        upgrade_all(message)
        framework = self._framework(message.framework, message.pid, executor_id, (task,))
        if framework is None:
            return
        if self._is_forbidden(framework, executor_id, (task,), _Reason.REASON_TASK_UNAUTHORIZED):
            return
        executor = framework.executors.get(executor_id)
        wanted = message.launch_executor if message.HasField("launch_executor") else None
        if self._is_refused(framework, executor, executor_id, (task,), message.resource_version_uuids, wanted):
            self._forget_if_idle(framework)
            return
        if executor is None:
            info, is_command = executor_of(task, framework.id, self._flags.launcher_dir)
            executor = self._start(framework, info, (task,), task if is_command else None)
            if executor is None:
                return
        else:
            self._deliveries.queue(framework, executor, task)
            self._deliveries.changed(executor)

    @on(internal.RunTaskGroupMessage)
    def run_task_group(self, sender: Upid, message: internal.RunTaskGroupMessage) -> None:
        """Launch a task group: all of its tasks or none (G16)."""
        tasks = message.task_group.tasks
        executor_id = message.executor.executor_id.value
        if not self._may_run(sender, message, tasks, message.framework.id.value, executor_id):
            return
        upgrade_all(message)
        framework = self._framework(message.framework, "", executor_id, tasks)
        if framework is None:
            return
        if self._is_forbidden(framework, executor_id, tasks, _Reason.REASON_TASK_GROUP_UNAUTHORIZED):
            return
        executor = framework.executors.get(executor_id)
        wanted = message.launch_executor if message.HasField("launch_executor") else None
        if self._is_refused(framework, executor, executor_id, tasks, message.resource_version_uuids, wanted):
            self._forget_if_idle(framework)
            return
        if message.executor.type == v0.ExecutorInfo.DEFAULT:
            text = "The default executor is not supported by this agent; use a custom executor for task groups"
            self._drop(framework, executor_id, tasks, v0.TASK_ERROR, _Reason.REASON_TASK_GROUP_INVALID, text)
            self._forget_if_idle(framework)
            return
        if executor is None:
            info = v0.ExecutorInfo()
            info.CopyFrom(message.executor)
            info.framework_id.value = framework.id
            executor = self._start(framework, info, tasks, None)
            if executor is not None:
                executor.queued_groups.append(message.task_group)
            return
        for task in tasks:
            self._deliveries.queue(framework, executor, task)
        executor.queued_groups.append(message.task_group)
        self._deliveries.changed(executor)

    # --- guards ------------------------------------------------------------------------------------------------------

    def _may_run(
        self, sender: Upid, message: Message, tasks: Iterable[v0.TaskInfo], framework_id: str, executor_id: str
    ) -> bool:
        """Whether the message is for us, now, and makes sense: ids become names of folders."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return False
        if self._tables.state is not AgentState.RUNNING:
            self.ignore(message, f"the agent is {self._tables.state.value}")
            return False
        for task in tasks:
            if task.slave_id.value != self._tables.agent_id:
                self.ignore(message, f"task {task.task_id.value} is for agent {task.slave_id.value}")
                return False
        bad = bad_text(message)
        if bad is not None:
            self.ignore(message, f"field '{bad}' is not UTF-8")
            return False
        task_ids = [task.task_id.value for task in tasks]
        try:
            for name in (framework_id, executor_id, *task_ids):
                validate_id(name)
        except InvalidRequest as error:
            self.ignore(message, str(error))
            return False
        if len(set(task_ids)) != len(task_ids):
            self.ignore(message, "it names a task twice")
            return False
        return True

    def _framework(
        self, info: v0.FrameworkInfo, pid_text: str, executor_id: str, tasks: Iterable[v0.TaskInfo]
    ) -> Framework | None:
        """Find or make the framework's record; None when it takes no tasks, which are reported if it should."""
        framework = self._tables.frameworks.get(info.id.value)
        if framework is not None:
            if framework.state is FrameworkState.TERMINATING:
                self.ignore("a task launch", f"framework {framework.id} is terminating")
                return None
            return framework
        framework = Framework(
            info,
            _pid(pid_text),
            self._flags.max_completed_executors_per_framework,
        )
        if info.checkpoint:
            try:
                self._checkpoints.framework(framework)
            except MesosError as error:
                # Its tasks would be lost by a restart, which checkpointing promised not to happen.
                text = f"Failed to checkpoint framework: {error}"
                dropped = framework.told(v0.TASK_DROPPED)
                self._drop(framework, executor_id, tasks, dropped, _Reason.REASON_EXECUTOR_TERMINATED, text)
                return None
        self._tables.frameworks[framework.id] = framework
        self._tables.completed_frameworks.pop(framework.id, None)
        self._garbage.keep(self._paths.framework(self._tables.agent_id, framework.id))
        self._garbage.keep(self._paths.meta_framework(self._tables.agent_id, framework.id))
        return framework

    def _is_forbidden(
        self, framework: Framework, executor_id: str, tasks: Sequence[v0.TaskInfo], reason: v0.TaskStatus.Reason
    ) -> bool:
        """Report tasks as erroneous when one of them may not run as its user here; True then.

        The master allowed it, but who may be which user is for each host to say.
        """
        if self._permissions.authorizer is None:
            return False
        info = framework.info
        principal = info.principal if info.HasField("principal") else None
        for task in tasks:
            if not self._permissions.may(principal, Action.RUN_TASK, Object(task_info=task, framework_info=info)):
                text = f"Framework {framework.id} is not authorized to launch task {task}"
                self._drop(framework, executor_id, tasks, v0.TASK_ERROR, reason, text)
                self._forget_if_idle(framework)
                return True
        return False

    def _is_refused(
        self,
        framework: Framework,
        executor: Executor | None,
        executor_id: str,
        tasks: Sequence[v0.TaskInfo],
        versions: Iterable[internal.ResourceVersionUUID],
        launch_executor: bool | None,
    ) -> bool:
        """Report the tasks as dropped when they cannot be launched; True then."""
        dropped = framework.told(v0.TASK_DROPPED)
        if self._tables.drain_config is not None:
            text = "Task was received while agent was already draining"
            self._drop(framework, executor_id, tasks, dropped, _Reason.REASON_SLAVE_DRAINING, text)
            return True
        for version in versions:
            if not version.HasField("resource_provider_id") and version.uuid.value != self._tables.resource_version:
                self._drop(
                    framework,
                    executor_id,
                    tasks,
                    dropped,
                    _Reason.REASON_INVALID_OFFERS,
                    "Task assumes outdated resource state",
                )
                return True
        if not self._has_checkpointed(tasks):
            text = "The checkpointed resources being used by the task are unknown to the agent"
            self._drop(framework, executor_id, tasks, dropped, _Reason.REASON_RESOURCES_UNKNOWN, text)
            return True
        if executor is None and launch_executor is False:
            text = "The master expects the executor to run, but it does not"
            self._drop(framework, executor_id, tasks, dropped, _Reason.REASON_EXECUTOR_TERMINATED, text)
            return True
        if executor is not None and executor.state in (ExecutorState.TERMINATING, ExecutorState.TERMINATED):
            text = f"Executor {executor.state.value.lower()}"
            self._drop(framework, executor_id, tasks, dropped, _Reason.REASON_EXECUTOR_TERMINATED, text)
            return True
        if any(framework.knows_task(task.task_id.value) for task in tasks):
            # A repeated message: answering would hurt the task that runs.
            self.ignore("a task launch", f"framework {framework.id} launched it already")
            return True
        return False

    def _has_checkpointed(self, tasks: Iterable[v0.TaskInfo]) -> bool:
        """Whether dynamic reservations and volumes the tasks use are known here."""
        for task in tasks:
            for resource in (*task.resources, *task.executor.resources):
                if not _is_checkpointed(resource):
                    continue
                known = Resources.of(self._tables.checkpointed_resources)
                if not known.contains(Resources.of((resource,)).unallocated()):
                    return False
        return True

    # --- executor ----------------------------------------------------------------------------------------------------

    def _start(
        self,
        framework: Framework,
        info: v0.ExecutorInfo,
        tasks: Sequence[v0.TaskInfo],
        command_task: v0.TaskInfo | None,
    ) -> Executor | None:
        """Start an executor with its first tasks; they are reported as dropped when its sandbox cannot be made."""
        ids = (self._tables.agent_id, framework.id, info.executor_id.value)
        self._garbage.keep(self._paths.executor(*ids))
        self._garbage.keep(self._paths.meta_executor(*ids))
        try:
            executor = self._starts.add(framework, info, is_command=command_task is not None)
        except MesosError as error:
            dropped = framework.told(v0.TASK_DROPPED)
            self._drop(framework, ids[2], tasks, dropped, _Reason.REASON_EXECUTOR_TERMINATED, str(error))
            self._forget_if_idle(framework)
            return None
        for task in tasks:
            self._deliveries.queue(framework, executor, task)
        self._starts.launch(framework, executor, command_task)
        return executor

    def _drop(
        self,
        framework: Framework,
        executor_id: str,
        tasks: Iterable[v0.TaskInfo],
        state: v0.TaskState,
        reason: v0.TaskStatus.Reason,
        text: str,
    ) -> None:
        for task in tasks:
            update = self._outbox.make_update(framework.id, task.task_id.value, state, reason, text, executor_id)
            self._updates.from_agent(update, None)

    def _forget_if_idle(self, framework: Framework) -> None:
        """Take back the record of a framework whose only launch was refused."""
        if framework.is_idle:
            self._tables.frameworks.pop(framework.id, None)

    # --- frameworks --------------------------------------------------------------------------------------------------

    @on(internal.UpdateFrameworkMessage)
    def framework_updated(self, sender: Upid, message: internal.UpdateFrameworkMessage) -> None:
        """Take a framework's new pid or description."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        framework = self._tables.frameworks.get(message.framework_id.value)
        if framework is None:
            self.ignore(message, "the framework is unknown")
            return
        if framework.state is FrameworkState.TERMINATING:
            self.ignore(message, "the framework is terminating")
            return
        framework.pid = _pid(message.pid)
        if message.HasField("framework_info") and message.framework_info.id.value == framework.id:
            framework.update(message.framework_info)
        if framework.info.checkpoint:
            try:
                self._checkpoints.framework(framework)
            except MesosError as error:
                log.error("Failed to checkpoint framework %s: %s", framework.id, error)
        self._updates.manager.resend(framework.id)


def _pid(text: str) -> Upid | None:
    """Read a scheduler's pid; None for those that speak HTTP, and for text that is no pid."""
    try:
        pid = parse_upid(text) if text else NOBODY
    except RemoteProtocolError as error:
        log.warning("Reaching a framework through the master only: %s", error)
        return None
    return pid if pid.is_reachable else None


def _is_checkpointed(resource: v0.Resource) -> bool:
    """Whether a resource only exists by an operation: a dynamic reservation or a persistent volume."""
    return resource.disk.HasField("persistence") or any(
        reservation.type == v0.Resource.ReservationInfo.DYNAMIC for reservation in resource.reservations
    )
