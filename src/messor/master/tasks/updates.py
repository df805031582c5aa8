"""Status updates: what they change, and who hears of them (M14).

Two states are kept per task: the latest one the agent knows, which frees resources the moment it is terminal, and the
one last forwarded, which reconciliation answers with while the scheduler still has updates to acknowledge.
"""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.master.tasks.statuses import NO_PID, made_update
from messor.master.validation.scheduler_calls import UUID_SIZE
from messor.model.ids import uuid_text
from messor.model.task_states import TERMINAL_STATES, is_terminal, task_state_name
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.runtime.host import Host
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

OVER = TERMINAL_STATES | {v0.TASK_UNREACHABLE}
"""States in which a task uses nothing any more."""

CHECK_REASONS = (
    v0.TaskStatus.REASON_TASK_CHECK_STATUS_UPDATED,
    v0.TaskStatus.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED,
)
"""Reasons of updates that matter to watchers although the state stays."""


class TaskUpdates(Component):
    """Receives updates from agents and makes the master's own."""

    def __init__(
        self, *, state: MasterState, outbox: Outbox, allocator: Allocator, metrics: MasterMetrics, host: Host
    ) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.metrics = metrics
        self.clock = host.clock
        self._received = metrics.counter("messages_status_update")
        self._valid = metrics.counter("valid_status_updates")
        self._invalid = metrics.counter("invalid_status_updates")

    @on(internal.StatusUpdateMessage, with_bytes=True)
    def received(self, sender: Upid, message: internal.StatusUpdateMessage, body: bytes) -> None:
        """Take an update from an agent: forward its bytes, then change the task."""
        self._received.value += 1
        update = message.update
        agent = self.state.agents.get(update.slave_id.value)
        uuid = update.uuid
        if agent is None or len(uuid) != UUID_SIZE:
            self._invalid.value += 1
            why = "its UUID is not valid" if agent is not None else "its agent is unknown or removed"
            self.ignore(message, f"{why} (from {sender})")
            return
        status = update.status
        framework_id = update.framework_id.value
        task_id = status.task_id.value
        state = status.state
        if log.isEnabledFor(logging.INFO):
            log.info(
                "Status update %s (Status UUID: %s) for task %s of framework %s from agent %s",
                task_state_name(state), uuid_text(uuid), task_id, framework_id, agent.id,
            )  # fmt: skip
        task = agent.task(framework_id, task_id)
        framework = self.state.frameworks.get(framework_id)
        is_valid = framework is not None and framework.is_connected
        if is_valid:
            assert framework is not None
            if task is not None:
                task.status_update_state = state
                task.status_update_uuid = status.uuid
            self.outbox.pass_on(framework, message, body)
        if task is None:
            self._invalid.value += 1
            log.warning("Could not look up task %s of framework %s for its status update", task_id, framework_id)
            if (framework_id, task_id) in agent.given_up_tasks:
                self._kill_given_up(agent, update)
            return
        self.apply(task, update)
        (self._valid if is_valid else self._invalid).value += 1

    def _kill_given_up(self, agent: AgentRecord, update: internal.StatusUpdate) -> None:
        """Kill a task again that was over for us when its agent came back with it: the first time was not heard."""
        framework_id, task_id = update.framework_id, update.status.task_id
        if is_terminal(update.status.state):
            agent.given_up_tasks.discard((framework_id.value, task_id.value))
        else:
            self.outbox.to_agent(agent, internal.KillTaskMessage(framework_id=framework_id, task_id=task_id))

    def made_by_master(
        self, task: TaskRecord, state: int, reason: int, message: str, *, unreachable_time: v0.TimeInfo | None = None
    ) -> None:
        """Change a task to a state the master found out about, and tell its framework."""
        update = made_update(
            framework_id=task.framework_id,
            agent_id=task.agent_id,
            task_id=task.id,
            state=state,
            reason=reason,
            message=message,
            now=self.clock.now(),
            executor_id=task.executor_id,
            unreachable_time=unreachable_time,
        )
        self.apply(task, update)
        framework = self.state.frameworks.get(task.framework_id)
        if framework is not None:
            self.forward(framework, update)

    def refuse_launch(
        self, framework: FrameworkRecord, task: v0.TaskInfo, state: int, reason: int, message: str
    ) -> None:
        """Tell a framework that a task was never launched; there is no record of such a task."""
        update = made_update(
            framework_id=framework.id,
            agent_id=task.slave_id.value,
            task_id=task.task_id.value,
            state=state,
            reason=reason,
            message=message,
            now=self.clock.now(),
        )
        self.metrics.task_ended(state, v0.TaskStatus.SOURCE_MASTER, reason)
        self.forward(framework, update)

    def forward(self, framework: FrameworkRecord, update: internal.StatusUpdate) -> None:
        """Tell a framework of an update the master made; dropped when it is not connected."""
        if framework.is_connected:
            log.info(
                "Sending status update %s for task %s of framework %s: '%s'",
                task_state_name(update.status.state), update.status.task_id.value, framework.id, update.status.message,
            )  # fmt: skip
            self.outbox.to_framework(framework, internal.StatusUpdateMessage(update=update, pid=NO_PID))

    def apply(self, task: TaskRecord, update: internal.StatusUpdate) -> None:
        """Change a task as an update says; frees its resources when its latest state is terminal or unreachable."""
        status = update.status
        latest = update.latest_state if update.HasField("latest_state") else status.state
        before = task.state
        if before not in OVER:  # what was freed must not be counted again, whatever an agent says
            task.state = latest
            if latest in TERMINAL_STATES:
                framework = self.state.frameworks.get(task.framework_id)
                if framework is not None:
                    framework.counts.terminal[latest] += 1
        task.fragment = None
        if status.HasField("data"):
            copy = v0.TaskStatus()
            copy.CopyFrom(status)
            copy.ClearField("data")
            encoded = copy.SerializeToString()
        else:
            encoded = status.SerializeToString()
        is_new = task.add_status(status.state, encoded)
        if self.state.signals.task_updated and (is_new or status.reason in CHECK_REASONS):
            self.state.signals.task_updated(task, encoded)
        if before not in OVER and latest in OVER:
            self._free(task)
            # The status that says how it ended may still be on its way: then only its state is known.
            reason = status.reason if status.state == latest and status.HasField("reason") else None
            self.metrics.task_ended(latest, status.source, reason)

    def remove(self, task: TaskRecord, *, unreachable: bool = False) -> None:
        """Take a task off its agent and framework, into the framework's completed or unreachable ones."""
        if task.state not in OVER:
            log.warning(
                "Removing task %s of framework %s in state %s", task.id, task.framework_id, task_state_name(task.state)
            )
            self._free(task)
        self.state.remove_task(task, counted=False)
        agent = self.state.agents.get(task.agent_id)
        if agent is not None:
            kills = agent.killed_tasks.get(task.framework_id)
            if kills is not None:
                kills.discard(task.id)
                if not kills:
                    del agent.killed_tasks[task.framework_id]
        framework = self.state.frameworks.get(task.framework_id)
        if unreachable:
            self.state.remember_unreachable(task)
        if framework is not None:
            if unreachable:
                framework.remember_unreachable(task)
            else:
                task.is_removable = True
                framework.completed_tasks.append(task)
        self.state.signals.task_removed(task)

    def _free(self, task: TaskRecord) -> None:
        """Give a task's resources back to the allocator, which waits for its next round to offer them."""
        self.allocator.recover_resources(task.framework_id, task.agent_id, task.resources, None, is_allocated=True)
        agent = self.state.agents.get(task.agent_id)
        framework = self.state.frameworks.get(task.framework_id)
        if agent is not None and framework is not None:
            self.state.release(framework, agent, task.resources)
            agent.fragment = None
