"""Executors end: what becomes of their tasks, who is told, and when their records go."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.state.executor import PendingTermination
from messor.agent.state.lifecycles import AgentState, ExecutorState, FrameworkState
from messor.agent.state.task import task_from_info
from messor.containers.containerizer import Termination
from messor.errors import DiskFailed, MesosError
from messor.protos import internal, v0
from messor.runtime.actor import Component

if TYPE_CHECKING:
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.metrics import AgentMetrics
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.containers.containerizer import Containerizer
    from messor.runtime.host import Host

log = logging.getLogger(__name__)

NO_STATUS = -1
"""What ExitedExecutorMessage carries when nobody knows how the container ended."""


class Terminations(Component):
    """Destroys containers, and takes note when they end."""

    def __init__(
        self,
        host: Host,
        tables: Tables,
        outbox: Outbox,
        checkpoints: Checkpoints,
        metrics: AgentMetrics,
        signals: Signals,
        updates: Updates,
        containerizer: Containerizer,
    ) -> None:
        """Listen to completed tasks."""
        self._host = host
        self._tables = tables
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._signals = signals
        self._updates = updates
        self._containerizer = containerizer
        signals.task_completed = self.task_completed

    # --- on purpose --------------------------------------------------------------------------------------------------

    def destroy(self, executor: Executor, pending: PendingTermination | None = None) -> None:
        """Destroy an executor's container; ``pending`` says what its unfinished tasks get."""
        if executor.state is ExecutorState.TERMINATED:
            return
        if pending is not None and executor.pending_termination is None:
            executor.pending_termination = pending
        executor.become(ExecutorState.TERMINATING)
        self._host.tasks.spawn(self._destroy(executor.container_id), f"destroy {executor.container_id}")

    async def _destroy(self, container_id: str) -> None:
        try:
            await self._containerizer.destroy(container_id)
        except MesosError as error:
            log.error("Failed to destroy container %s: %s", container_id, error)
            self._host.metrics.counter("containerizer/mesos/container_destroy_errors").increment()

    # --- noticed -----------------------------------------------------------------------------------------------------

    async def watch(self, framework_id: str, executor_id: str, container_id: str) -> None:
        """Wait for a container's end and take note of it."""
        termination = await self._containerizer.wait(container_id)
        if termination is None:
            termination = Termination(None, message="Abnormal executor termination: unknown container")
        self.ended(framework_id, executor_id, container_id, termination)

    def ended(self, framework_id: str, executor_id: str, container_id: str, termination: Termination) -> None:
        """Take note that an executor's container is gone, or could not be started."""
        framework = self._tables.frameworks.get(framework_id)
        executor = framework.executors.get(executor_id) if framework is not None else None
        if framework is None or executor is None or executor.container_id != container_id:
            log.warning("Container %s of unknown executor '%s' ended", container_id, executor_id)
            return
        if executor.state is ExecutorState.TERMINATED:
            return
        log.info(
            "Executor '%s' of framework %s ended with wait status %s", executor_id, framework_id, termination.status
        )
        self._metrics.executors_terminated.increment()
        executor.become(ExecutorState.TERMINATED)
        if executor.stream is not None:
            executor.stream.close()
        if not executor.is_command:
            # Before the updates, as upstream: the scheduler hears of the executor first (recorded).
            self._tell_exited(executor, termination)
        if framework.state is not FrameworkState.TERMINATING:
            self._end_tasks(framework, executor, termination)
        if (
            framework.state is FrameworkState.TERMINATING
            or self._tables.state is AgentState.TERMINATING
            or not executor.has_incomplete_tasks
        ):
            self.remove_executor(framework, executor)
        self.remove_if_idle(framework)

    def _tell_exited(self, executor: Executor, termination: Termination) -> None:
        if self._tables.master is None:
            return
        status = termination.status if termination.status is not None else NO_STATUS
        message = internal.ExitedExecutorMessage(slave_id=self._tables.info.id, status=status)
        message.framework_id.value = executor.framework_id
        message.executor_id.value = executor.id
        self._outbox.to_master(message)

    def _end_tasks(self, framework: Framework, executor: Executor, termination: Termination) -> None:
        """Report the end of all tasks that did not end by themselves, launched ones first."""
        state, reason, text = _verdict(framework, executor, termination)
        limited = list(termination.limited_resources)
        for task_id in [*executor.launched, *executor.queued]:
            update = self._outbox.make_update(
                framework.id, task_id, state, reason, text, executor_id=executor.id, limited=limited
            )
            if task_id in executor.queued:
                self._launch_in_name_only(executor, task_id)
            # As recorded, nothing is said of the container, which is gone.
            self._updates.from_agent(update, None)
        executor.queued_groups.clear()

    @staticmethod
    def _launch_in_name_only(executor: Executor, task_id: str) -> None:
        """Give a queued task that ends a record, so that its update is kept and acknowledged like any other."""
        task = executor.queued.pop(task_id)
        executor_id = None if executor.is_command else executor.id
        executor.launched[task_id] = task_from_info(task, executor.framework_id, executor_id)

    def end_queued(self, executor: Executor, task_id: str, update: internal.StatusUpdate) -> None:
        """Report the end of one queued task."""
        self._launch_in_name_only(executor, task_id)
        self._updates.from_agent(update, None)

    # --- records go --------------------------------------------------------------------------------------------------

    def task_completed(self, framework: Framework, executor: Executor) -> None:
        """Remove what the acknowledgement of a task's end leaves empty."""
        if executor.state is ExecutorState.TERMINATED and not executor.has_incomplete_tasks:
            self.remove_executor(framework, executor)
        self.remove_if_idle(framework)

    def remove_executor(self, framework: Framework, executor: Executor) -> None:
        """Move a terminated executor to the completed ones; its run is not recovered any more."""
        if framework.executors.get(executor.id) is not executor:
            return
        log.info("Cleaning up executor '%s' of framework %s", executor.id, framework.id)
        if executor.checkpoint:
            try:
                self._checkpoints.sentinel(executor)
            except DiskFailed as error:
                # Harmless: after a restart the run is found dead and cleaned up again.
                log.error("Failed to write the sentinel of executor '%s': %s", executor.id, error)
        del framework.executors[executor.id]
        for task_id in (*executor.queued, *executor.launched, *executor.terminated):
            framework.owners.pop(task_id, None)
        for task in (*executor.launched.values(), *executor.terminated.values()):
            executor.completed.append(task)
        executor.queued.clear()
        executor.launched.clear()
        executor.terminated.clear()
        framework.completed_executors.append(executor)
        self._signals.sandbox_retired(framework, executor)

    def remove_if_idle(self, framework: Framework) -> None:
        """Remove a framework of which nothing is left."""
        if not framework.is_idle or self._tables.frameworks.get(framework.id) is not framework:
            return
        log.info("Cleaning up framework %s", framework.id)
        del self._tables.frameworks[framework.id]
        self._updates.manager.forget_framework(framework.id)
        self._tables.remember(framework)
        self._signals.framework_retired(framework)
        self._signals.framework_removed()
        if not self._tables.frameworks:
            self._signals.nothing_left()


def _verdict(
    framework: Framework, executor: Executor, termination: Termination
) -> tuple[v0.TaskState, v0.TaskStatus.Reason, str]:
    """Say what the unfinished tasks of an ended executor get: what the agent decided, else what the container says.

    By default it is TASK_FAILED, although the documentation of old says TASK_LOST (trap 1).
    """
    state: v0.TaskState = v0.TASK_FAILED
    reason: v0.TaskStatus.Reason = v0.TaskStatus.REASON_EXECUTOR_TERMINATED
    texts = []
    if termination.state is not None:
        state = getattr(v0, termination.state)
    if termination.reason is not None:
        reason = getattr(v0.TaskStatus, termination.reason)
    pending = executor.pending_termination
    if pending is not None:
        state, reason = pending.state, pending.reason
        texts.append(pending.message)
    if termination.message and termination.message not in texts:
        texts.append(termination.message)
    if state == v0.TASK_GONE:
        state = framework.told(state)
    return state, reason, "; ".join(texts) or "Executor terminated"
