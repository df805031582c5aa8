"""Tasks are killed: at once while they are queued, else by their executor (b.6, M19)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.state.lifecycles import AgentState, ExecutorState, FrameworkState
from messor.errors import ConnectionLost
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on

if TYPE_CHECKING:
    from messor.agent.executors.shutdown import Shutdowns
    from messor.agent.executors.terminate import Terminations
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class Kills(Component):
    """Passes kills on, or answers them when the task is not with an executor yet."""

    def __init__(
        self, tables: Tables, outbox: Outbox, updates: Updates, terminations: Terminations, shutdowns: Shutdowns
    ) -> None:
        """Take what a kill may end."""
        self._tables = tables
        self._outbox = outbox
        self._updates = updates
        self._terminations = terminations
        self._shutdowns = shutdowns

    @on(internal.KillTaskMessage)
    def kill(self, sender: Upid, message: internal.KillTaskMessage) -> None:
        """Kill one task; a queued task of a group takes its group with it."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        if self._tables.state is not AgentState.RUNNING:
            self.ignore(message, f"the agent is {self._tables.state.value}")
            return
        self.carry_out(message)

    def carry_out(self, message: internal.KillTaskMessage) -> None:
        """Kill a task, whoever wants it."""
        framework = self._tables.frameworks.get(message.framework_id.value)
        if framework is None or framework.state is FrameworkState.TERMINATING:
            self.ignore(message, "the framework is unknown or terminating")
            return
        task_id = message.task_id.value
        executor = framework.owners.get(task_id)
        if executor is None:
            self._answer_unknown(framework, task_id)
        elif executor.state in (ExecutorState.TERMINATING, ExecutorState.TERMINATED):
            self.ignore(message, f"executor '{executor.id}' is {executor.state.value}")
        elif task_id in executor.queued:
            self._kill_queued(framework, executor, task_id)
        else:
            self._pass_on(executor, message)

    def _answer_unknown(self, framework: Framework, task_id: str) -> None:
        log.warning("Cannot kill task %s of framework %s: no executor has it", task_id, framework.id)
        update = self._outbox.make_update(
            framework.id,
            task_id,
            framework.told(v0.TASK_DROPPED),
            v0.TaskStatus.REASON_EXECUTOR_TERMINATED,
            "Cannot find executor",
        )
        self._updates.from_agent(update, None)

    def _kill_queued(self, framework: Framework, executor: Executor, task_id: str) -> None:
        group = executor.group_of(task_id)
        text = "Killed before delivery to the executor"
        task_ids = [task_id]
        if group is not None:
            executor.queued_groups.remove(group)
            task_ids = [task.task_id.value for task in group.tasks]
            text = "A task within the task group was killed before delivery to the executor"
        for killed in task_ids:
            update = self._outbox.make_update(
                framework.id,
                killed,
                v0.TASK_KILLED,
                v0.TaskStatus.REASON_TASK_KILLED_DURING_LAUNCH,
                text,
                executor_id=executor.id,
            )
            self._terminations.end_queued(executor, killed, update)
        if executor.state is ExecutorState.RUNNING and not executor.was_sent_tasks and not executor.queued:
            # One that is still registering is shut down when it does.
            self._shutdowns.shut_down(executor)

    def _pass_on(self, executor: Executor, message: internal.KillTaskMessage) -> None:
        if message.task_id.value in executor.launched:
            executor.kills[message.task_id.value] = message
        try:
            self._outbox.to_executor(executor, message)
        except ConnectionLost as error:
            self.ignore(message, str(error))
