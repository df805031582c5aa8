"""Queued tasks go to their running executor, after its container was resized for them (E11)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.state.executor import PendingTermination
from messor.agent.state.lifecycles import ExecutorState, FrameworkState
from messor.agent.state.task import task_from_info
from messor.errors import ConnectionLost, DiskFailed, MesosError
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.wire.upid import NOBODY

if TYPE_CHECKING:
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.executors.terminate import Terminations
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.containers.containerizer import Containerizer
    from messor.runtime.host import Host

log = logging.getLogger(__name__)


class Deliveries(Component):
    """Hands queued tasks to executors. Changes of one executor that come in one go cost one container update."""

    def __init__(
        self,
        host: Host,
        tables: Tables,
        outbox: Outbox,
        checkpoints: Checkpoints,
        signals: Signals,
        terminations: Terminations,
        containerizer: Containerizer,
    ) -> None:
        """Listen to changed resources."""
        self._host = host
        self._tables = tables
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._terminations = terminations
        self._containerizer = containerizer
        signals.resources_changed = self.changed

    def queue(self, framework: Framework, executor: Executor, task: v0.TaskInfo) -> None:
        """Give an executor a task; it is sent when the executor runs.

        One that is still to register may outlive this agent: the task is checkpointed now, so that its framework is
        told of it after a restart. Where that fails, delivery tries again and decides.
        """
        executor.queue(task)
        framework.owners[task.task_id.value] = executor
        if executor.checkpoint and executor.state is ExecutorState.REGISTERING:
            executor_id = None if executor.is_command else executor.id
            try:
                self._checkpoints.task(executor, task_from_info(task, framework.id, executor_id))
            except DiskFailed as error:
                log.warning("Task %s is queued but could not be checkpointed yet: %s", task.task_id.value, error)
            else:
                executor.remembered.add(task.task_id.value)

    def changed(self, executor: Executor) -> None:
        """Resize an executor's container for its present tasks, and then send what is queued."""
        if executor.is_delivering or executor.state is not ExecutorState.RUNNING:
            return
        executor.is_delivering = True
        self._host.tasks.spawn(self._deliver(executor), f"update {executor.container_id}")

    async def _deliver(self, executor: Executor) -> None:
        """Update the container, then send; what is queued meanwhile waits for the next round."""
        executor.is_delivering = False
        ready = list(executor.queued)
        try:
            await self._containerizer.update(executor.container_id, executor.resources.messages())
        except MesosError as error:
            if executor.container_id in self._containerizer.containers():
                self._failed(executor, error)
            else:
                # Its end is being noticed elsewhere; the tasks get what that means.
                log.info("Container %s ended before it could be updated", executor.container_id)
            return
        framework = self._tables.frameworks.get(executor.framework_id)
        if framework is None or framework.executors.get(executor.id) is not executor:
            return
        if executor.state is not ExecutorState.RUNNING or framework.state is not FrameworkState.RUNNING:
            return
        self._send(framework, executor, [task_id for task_id in ready if task_id in executor.queued])

    def _failed(self, executor: Executor, error: MesosError) -> None:
        """Destroy a container that cannot be given what its tasks were promised."""
        log.error("Failed to update resources of container %s: %s", executor.container_id, error)
        if not executor.is_alive:
            return
        framework = self._tables.frameworks.get(executor.framework_id)
        state = framework.told(v0.TASK_GONE) if framework is not None else v0.TASK_LOST
        self._terminations.destroy(
            executor,
            PendingTermination(
                state,
                v0.TaskStatus.REASON_CONTAINER_UPDATE_FAILED,
                f"Failed to update resources for container: {error}",
            ),
        )

    def _send(self, framework: Framework, executor: Executor, task_ids: list[str]) -> None:
        sent: set[str] = set()
        for task_id in task_ids:
            if task_id in sent:
                continue
            group = executor.group_of(task_id)
            tasks = list(group.tasks) if group is not None else [executor.queued[task_id]]
            if group is not None:
                executor.queued_groups.remove(group)
            sent.update(task.task_id.value for task in tasks)
            try:
                self._launch(framework, executor, tasks, group)
            except DiskFailed as error:
                # Not sent: after a restart nobody would know the task. The framework hears of it now.
                self._end(framework, executor, tasks, f"Failed to checkpoint the task: {error}")

    def _launch(
        self, framework: Framework, executor: Executor, tasks: list[v0.TaskInfo], group: v0.TaskGroupInfo | None
    ) -> None:
        executor_id = None if executor.is_command else executor.id
        records = [task_from_info(task, framework.id, executor_id) for task in tasks]
        if executor.checkpoint:
            for record in records:
                if record.id not in executor.remembered:
                    self._checkpoints.task(executor, record)
                executor.remembered.discard(record.id)
        for task, record in zip(tasks, records, strict=True):
            del executor.queued[task.task_id.value]
            executor.launched[record.id] = record
        executor.was_sent_tasks = True
        log.info("Sending %d tasks to executor '%s' of framework %s", len(tasks), executor.id, framework.id)
        try:
            if group is not None:
                message = internal.RunTaskGroupMessage(
                    framework=framework.info, executor=executor.info, task_group=group
                )
                self._outbox.to_executor(executor, message)
            else:
                self._outbox.to_executor(executor, self._run_task(framework, tasks[0]))
        except ConnectionLost as error:
            self.ignore("the tasks of a task launch", str(error))

    @staticmethod
    def _run_task(framework: Framework, task: v0.TaskInfo) -> internal.RunTaskMessage:
        message = internal.RunTaskMessage(framework=framework.info, task=task)
        message.pid = str(framework.pid or NOBODY)
        return message

    def _end(self, framework: Framework, executor: Executor, tasks: list[v0.TaskInfo], why: str) -> None:
        for task in tasks:
            task_id = task.task_id.value
            update = self._outbox.make_update(
                framework.id,
                task_id,
                framework.told(v0.TASK_DROPPED),
                v0.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED,
                why,
                executor_id=executor.id,
            )
            self._terminations.end_queued(executor, task_id, update)
