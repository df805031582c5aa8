"""The order of a start: lock, read, compare, rebuild, take containers over, reconnect, go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from messor.agent.capacity.disks import prepare_disks
from messor.agent.checkpoint.paths import LATEST
from messor.agent.checkpoint.read import CheckpointReader, Found, FoundExecutor, FoundFramework, FoundTask
from messor.agent.executors.start import container_status
from messor.agent.recovery.compatibility import check_additive, check_equal, with_hint
from messor.agent.state.executor import Executor
from messor.agent.state.framework import Framework
from messor.agent.state.lifecycles import AgentState
from messor.agent.state.task import Task
from messor.containers.containerizer import KnownContainer
from messor.errors import ConfigurationError, InvalidRequest, MesosError
from messor.model.task_states import is_terminal
from messor.protos import v0
from messor.runtime.actor import Component

if TYPE_CHECKING:
    from messor.agent.checkpoint.paths import Paths
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.executors.terminate import Terminations
    from messor.agent.flags import AgentFlags
    from messor.agent.metrics import AgentMetrics
    from messor.agent.operations.apply import Operations
    from messor.agent.recovery.reconnect import Reconnection
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.agent.upkeep.garbage import Garbage
    from messor.containers.containerizer import Containerizer
    from messor.runtime.host import Host

log = logging.getLogger(__name__)

LOCK = "agent.lock"
"""File in meta whose lock says that an agent uses the work_dir."""


class Recovery(Component):
    """Runs once, before anything else."""

    def __init__(
        self,
        host: Host,
        flags: AgentFlags,
        tables: Tables,
        paths: Paths,
        checkpoints: Checkpoints,
        metrics: AgentMetrics,
        signals: Signals,
        updates: Updates,
        terminations: Terminations,
        reconnection: Reconnection,
        garbage: Garbage,
        operations: Operations,
        containerizer: Containerizer,
        boot_id: str,
        recovered: Callable[[], None],
    ) -> None:
        """boot_id: changes with every boot of the machine. recovered: called when the agent may register."""
        self._host = host
        self._flags = flags
        self._tables = tables
        self._paths = paths
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._signals = signals
        self._updates = updates
        self._terminations = terminations
        self._reconnection = reconnection
        self._garbage = garbage
        self._operations = operations
        self._containerizer = containerizer
        self._boot_id = boot_id
        self._recovered = recovered

    async def run(self) -> None:
        """Recover, then let the agent register; what makes that impossible ends the process with one explanation."""
        begun = self._host.clock.monotonic()
        try:
            found = self._find()
            await self._rebuild(found)
        except ConfigurationError as error:
            self._host.exit(1, str(error))
            return
        except MesosError as error:
            self._host.exit(1, with_hint(str(error), self._paths.latest_agent()))
            return
        self._tables.is_reconnecting = True
        await self._reconnection.run()
        self._tables.is_reconnecting = False
        self._metrics.recovery_seconds = self._host.clock.monotonic() - begun
        if self._tables.state is not AgentState.RECOVERING:
            return
        log.info("Finished recovery")
        self._collect_old_agents()
        self._tables.become(AgentState.DISCONNECTED)
        if self._flags.recover == "cleanup":
            self._reconnection.leave()
            return
        self._recovered()

    # --- reading -----------------------------------------------------------------------------------------------------

    def _find(self) -> Found:
        """Lock the work_dir and read it; raises ConfigurationError."""
        disk = self._host.disk
        disk.make_folder(self._paths.meta)
        disk.make_folder(self._paths.slaves())
        if not disk.lock(f"{self._paths.meta}/{LOCK}"):
            raise ConfigurationError(f"The work_dir '{self._paths.work_dir}' is in use by another agent")
        prepare_disks(disk, self._tables.info.resources, self._paths.work_dir)
        try:
            found = CheckpointReader(disk, self._paths, strict=self._flags.strict).read()
            if found.agent is not None:
                self._compare(found)
                self._tables.info.id.CopyFrom(found.agent.id)
        except ConfigurationError as error:
            raise ConfigurationError(with_hint(str(error), self._paths.latest_agent())) from error
        if found.boot_id != self._boot_id:
            if found.boot_id is not None:
                log.info("Agent host rebooted: executors of before are gone")
                for framework in found.frameworks:
                    self._signals.framework_retired(Framework(framework.info, None, 0))
                found.frameworks.clear()
            self._checkpoints.boot_id(self._boot_id)
        self._metrics.recovery_errors.increment(found.errors)
        return found

    def _compare(self, found: Found) -> None:
        assert found.agent is not None
        if self._flags.reconfiguration_policy == "additive":
            check_additive(found.agent, self._tables.info)
        else:
            check_equal(found.agent, self._tables.info)

    def _collect_old_agents(self) -> None:
        """Condemn what earlier agent ids of this work_dir left behind."""
        for folder in (self._paths.slaves(), f"{self._paths.meta}/slaves"):
            for name in self._host.disk.list(folder):
                if name not in (self._tables.agent_id, LATEST):
                    self._garbage.condemn(f"{folder}/{name}")

    # --- rebuilding --------------------------------------------------------------------------------------------------

    async def _rebuild(self, found: Found) -> None:
        self._tables.checkpointed_resources = list((found.target or found).resources)
        try:
            _ = self._tables.total
        except InvalidRequest as error:
            raise ConfigurationError(
                with_hint(f"Checkpointed resources do not fit: {error}", self._paths.latest_agent())
            ) from error
        self._operations.recover(found)
        self._tables.drain_config = found.drain_config
        for framework in found.frameworks:
            self._recover_framework(framework)
        known = [
            KnownContainer(executor.container_id, executor.forked_pid, executor.directory, framework.id, executor.id)
            for framework, executor in self._tables.executors()
        ]
        if not self._tables.frameworks:
            self._signals.nothing_left()
        await self._containerizer.recover(known)
        for owner, executor in self._tables.executors():
            self._host.tasks.spawn(
                self._terminations.watch(owner.id, executor.id, executor.container_id), f"executor {executor.id}"
            )

    def _recover_framework(self, found: FoundFramework) -> None:
        framework = Framework(found.info, found.pid, self._flags.max_completed_executors_per_framework)
        for executor in found.executors:
            self._recover_executor(framework, executor)
        if framework.executors:
            self._tables.frameworks[framework.id] = framework
        else:
            self._tables.remember(framework)
            self._signals.framework_retired(framework)

    def _recover_executor(self, framework: Framework, found: FoundExecutor) -> None:
        ids = (self._tables.agent_id, framework.id, found.info.executor_id.value)
        executor = Executor(
            found.info,
            framework_id=framework.id,
            container_id=found.container_id,
            directory=self._paths.sandbox(*ids, found.container_id),
            checkpoint=True,
            is_command=found.is_command,
        )
        self._signals.sandbox_added(executor)
        if found.is_completed:
            framework.completed_executors.append(executor)
            self._signals.sandbox_retired(framework, executor)
            return
        executor.forked_pid = found.forked_pid
        executor.pid = found.pid
        executor.was_sent_tasks = True
        executor.container_status = container_status(
            v0.ContainerStatus(), found.container_id, found.forked_pid, self._host.network.ip
        )
        framework.executors[executor.id] = executor
        for task in found.tasks:
            self._recover_task(framework, executor, task)

    def _recover_task(self, framework: Framework, executor: Executor, found: FoundTask) -> None:
        """Replay a task's updates: first on its record, then into its stream."""
        task = Task(found.info)
        acknowledged = {entry.uuid for entry in found.replayed if entry.update is None}
        is_completed = False
        for update in found.updates:
            if not task.is_terminal:
                task.apply(update.status)
            if is_terminal(update.status.state) and update.uuid in acknowledged:
                is_completed = True
        if is_completed:
            executor.completed.append(task)
            return
        executor.recover(task)
        framework.owners[task.id] = executor
        head = self._updates.manager.recover(framework.id, task.id, found.replayed, found.path, found.size)
        if head is not None:
            # Until the scheduler has seen what is pending, a master must not tell it of anything later.
            task.info.status_update_state = head.state  # type: ignore[assignment]
            task.info.status_update_uuid = head.uuid
