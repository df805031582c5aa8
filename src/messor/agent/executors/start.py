"""Executors start: sandbox, checkpoints, container, and a limit on how long they may take to report."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from messor.agent.executors.environment import executor_environment, grace_period
from messor.agent.state.executor import Executor, PendingTermination
from messor.agent.state.lifecycles import ExecutorState
from messor.containers.containerizer import LaunchSpec, Termination
from messor.errors import ContainerError, MesosError, NotFound
from messor.model.durations import duration_text
from messor.protos import v0
from messor.runtime.actor import Component

if TYPE_CHECKING:
    from messor.agent.checkpoint.paths import Paths
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.executors.terminate import Terminations
    from messor.agent.flags import AgentFlags
    from messor.agent.metrics import AgentMetrics
    from messor.agent.state.framework import Framework
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.containers.containerizer import Containerizer
    from messor.runtime.host import Host
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)

LAUNCH_FAILED = 256
"""Wait status told of an executor whose container could not be started, as recorded."""
SIGKILLED = 9

OwnFolder = Callable[[str, str], None]
"""(folder, user): give a folder to a system user; raises MesosError when there is no such user."""


class Starts(Component):
    """Makes executors and launches their containers."""

    def __init__(
        self,
        host: Host,
        flags: AgentFlags,
        pid: Upid,
        tables: Tables,
        paths: Paths,
        checkpoints: Checkpoints,
        metrics: AgentMetrics,
        signals: Signals,
        terminations: Terminations,
        updates: Updates,
        containerizer: Containerizer,
        own_folder: OwnFolder | None,
        libprocess_ip: str | None,
    ) -> None:
        """own_folder: gives sandboxes to the user their tasks run as; None where there are no users.

        libprocess_ip: the address executors are to listen on, if the agent was given one.
        """
        self._host = host
        self._flags = flags
        self._pid = pid
        self._tables = tables
        self._paths = paths
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._signals = signals
        self._terminations = terminations
        self._updates = updates
        self._containerizer = containerizer
        self._own_folder = own_folder
        self._libprocess_ip = libprocess_ip

    def add(self, framework: Framework, info: v0.ExecutorInfo, *, is_command: bool) -> Executor:
        """Make an executor's record, sandbox and checkpoints; nothing runs yet.

        Raises MesosError, with no record left, when the sandbox cannot be made or given to its user.
        """
        container_id = self._host.chance.uuid()
        ids = (self._tables.agent_id, framework.id, info.executor_id.value)
        directory = self._paths.sandbox(*ids, container_id)
        user = self._user(framework, info)
        self._make_sandbox(directory, self._paths.latest_sandbox(*ids), user)
        executor = Executor(
            info,
            framework_id=framework.id,
            container_id=container_id,
            directory=directory,
            checkpoint=framework.info.checkpoint,
            is_command=is_command,
            user=user,
        )
        if executor.checkpoint:
            self._checkpoints.executor(executor)
        framework.executors[executor.id] = executor
        self._signals.sandbox_added(executor)
        return executor

    def _user(self, framework: Framework, info: v0.ExecutorInfo) -> str | None:
        """Say whom to run as: nobody else when ``--no-switch_user`` (G11)."""
        if not self._flags.switch_user:
            return None
        return info.command.user if info.command.HasField("user") else framework.info.user or None

    def _make_sandbox(self, directory: str, latest: str, user: str | None) -> None:
        self._host.disk.make_folder(directory, 0o750)
        if user is not None and self._own_folder is not None:
            try:
                self._own_folder(directory, user)
            except MesosError as error:
                self._host.disk.remove(directory)
                text = (
                    f"Failed to create executor directory '{directory}': Failed to chown directory to '{user}': {error}"
                )
                raise ContainerError(text, "REASON_EXECUTOR_TERMINATED") from error
        self._host.disk.link(directory, latest)

    def launch(self, framework: Framework, executor: Executor, command_task: v0.TaskInfo | None) -> None:
        """Start an executor's container; its queued tasks count for the container's resources from the beginning."""
        log.info(
            "Launching container %s for executor '%s' of framework %s", executor.container_id, executor.id, framework.id
        )
        executor.launch_time = self._host.clock.now()
        executor.is_starting = True
        spec = self._spec(executor, command_task)
        self._host.tasks.spawn(self._run(framework.id, executor, spec), f"executor {executor.id}")
        executor.registration_timer = self._host.clock.after(
            self._flags.executor_registration_timeout, self._registration_timeout, framework.id, executor
        )

    def _spec(self, executor: Executor, command_task: v0.TaskInfo | None) -> LaunchSpec:
        info = executor.info
        flags = self._flags
        environment = executor_environment(
            info,
            directory=executor.directory,
            agent_id=self._tables.agent_id,
            agent_pid=self._pid,
            checkpoint=executor.checkpoint,
            libprocess_ip=self._libprocess_ip,
            http_command_executor=flags.http_command_executor,
            shutdown_grace_period=grace_period(info, flags.executor_shutdown_grace_period),
            recovery_timeout=flags.recovery_timeout,
            reregistration_timeout=flags.executor_reregistration_timeout,
            more=flags.executor_environment_variables or {},
        )
        return LaunchSpec(
            command=command_task.command if command_task is not None else info.command,
            sandbox=executor.directory,
            environment=environment,
            resources=executor.resources.messages(),
            user=executor.user,
            container=info.container if info.HasField("container") else None,
            limits={name: limit.value for name, limit in command_task.limits.items()}
            if command_task is not None
            else {},
            command_task=command_task,
            forked_pid_path=self._checkpoints.run(executor).forked_pid if executor.checkpoint else None,
            framework_id=executor.framework_id,
            executor_id=executor.id,
        )

    async def _run(self, framework_id: str, executor: Executor, spec: LaunchSpec) -> None:
        """Launch the container and wait for its end."""
        container_id = executor.container_id
        try:
            pid = await self._containerizer.launch(container_id, spec)
        except MesosError as error:
            executor.is_starting = False
            executor.early_updates.clear()
            self._launch_failed(framework_id, executor, error)
            return
        executor.forked_pid = pid
        executor.container_status = container_status(v0.ContainerStatus(), container_id, pid, self._pid.ip)
        executor.container_status = await self._status(container_id, pid)
        executor.is_starting = False
        early, executor.early_updates = executor.early_updates, []
        for update, sender in early:
            self._updates.from_executor(update, sender)
        await self._terminations.watch(framework_id, executor.id, container_id)

    def _launch_failed(self, framework_id: str, executor: Executor, error: MesosError) -> None:
        self._metrics.container_launch_errors.increment()
        log.error(
            "Container %s for executor '%s' of framework %s failed to start: %s",
            executor.container_id,
            executor.id,
            framework_id,
            error,
        )
        termination = Termination(
            LAUNCH_FAILED, reason=error.reason or "REASON_CONTAINER_LAUNCH_FAILED", message=str(error)
        )
        if executor.state is ExecutorState.TERMINATING:
            # It was destroyed meanwhile; what was decided then stands.
            termination = Termination(SIGKILLED)
        self._terminations.ended(framework_id, executor.id, executor.container_id, termination)

    async def _status(self, container_id: str, pid: int | None) -> v0.ContainerStatus:
        """Describe the container the way updates carry it; by default it shares the agent's address."""
        try:
            status = await self._containerizer.status(container_id)
        except NotFound:
            status = v0.ContainerStatus()
        return container_status(status, container_id, pid, self._pid.ip)

    def _registration_timeout(self, framework_id: str, executor: Executor) -> None:
        """Destroy an executor that did not report in time (G7)."""
        if executor.state is not ExecutorState.REGISTERING:
            return
        if self._tables.executor(framework_id, executor.id) is not executor:
            return
        timeout = duration_text(self._flags.executor_registration_timeout)
        log.info(
            "Terminating executor '%s' of framework %s: it did not register within %s",
            executor.id,
            framework_id,
            timeout,
        )
        self._terminations.destroy(
            executor,
            PendingTermination(
                v0.TASK_FAILED,
                v0.TaskStatus.REASON_EXECUTOR_REGISTRATION_TIMEOUT,
                f"Executor did not register within {timeout}",
            ),
        )


def container_status(status: v0.ContainerStatus, container_id: str, pid: int | None, ip: str) -> v0.ContainerStatus:
    """Complete what the containerizer says of a container with what the agent knows."""
    result = v0.ContainerStatus()
    result.CopyFrom(status)
    result.container_id.value = container_id
    if pid is not None:
        result.executor_pid = pid
    if not result.network_infos:
        result.network_infos.add().ip_addresses.add().ip_address = ip
    return result
