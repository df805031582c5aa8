"""Reconciliation: a framework asks what became of its tasks (M16, M17)."""

from __future__ import annotations

import logging

from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.master.tasks.statuses import made_update
from messor.model.task_states import told_state
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Component
from messor.runtime.host import Host

log = logging.getLogger(__name__)

Reconcile = v0_scheduler.Call.Reconcile
RECONCILIATION = v0.TaskStatus.REASON_RECONCILIATION


class Reconciliation(Component):
    """Answers with updates of reason REASON_RECONCILIATION."""

    def __init__(self, *, state: MasterState, outbox: Outbox, metrics: MasterMetrics, host: Host) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.clock = host.clock
        self._received = metrics.counter("messages_reconcile_tasks")

    def reconcile(self, framework: FrameworkRecord, call: v0_scheduler.Call.Reconcile) -> None:
        """Answer for the tasks asked about, or for all known ones (unreachable ones are not among them)."""
        self._received.value += 1
        kind = "explicit" if call.tasks else "implicit"
        log.info("Performing %s task state reconciliation for framework %s", kind, framework.id)
        if not call.tasks:
            for task in framework.tasks.values():
                self._tell_known(framework, task)
            return
        for item in call.tasks:
            self.reconcile_one(
                framework, item.task_id.value, item.slave_id.value if item.HasField("slave_id") else None
            )

    def reconcile_one(self, framework: FrameworkRecord, task_id: str, agent_id: str | None) -> None:
        """Answer for one task: one of six cases, of which one is not to answer yet."""
        task = framework.tasks.get(task_id)
        state = self.state
        if task is not None:
            self._tell_known(framework, task)
        elif (agent_id in state.recovered_agents) if agent_id is not None else bool(state.recovered_agents):
            log.info("Dropping reconciliation of task %s of framework %s: agents are recovering", task_id, framework.id)
        elif agent_id in state.agents:
            self._tell(framework, task_id, agent_id, v0.TASK_GONE, "Task is unknown to the agent")
        elif agent_id is not None and agent_id in state.unreachable_agents:
            since = state.unreachable_agents[agent_id]
            self._tell(framework, task_id, agent_id, v0.TASK_UNREACHABLE, "Task is unreachable", since)
        elif agent_id in state.gone_agents:
            self._tell(framework, task_id, agent_id, v0.TASK_GONE_BY_OPERATOR, "Task is gone")
        else:
            self._tell(framework, task_id, agent_id, v0.TASK_UNKNOWN, "Task is unknown")

    def _tell_known(self, framework: FrameworkRecord, task: TaskRecord) -> None:
        state = task.state if task.status_update_state is None else task.status_update_state
        update = made_update(
            framework_id=framework.id,
            agent_id=task.agent_id,
            task_id=task.id,
            state=state,
            reason=RECONCILIATION,
            message="Reconciliation: Latest task state",
            now=self.clock.now(),
            executor_id=task.executor_id,
            latest=task.latest_status(),
        )
        self.outbox.to_framework(framework, internal.StatusUpdateMessage(update=update))

    def _tell(
        self,
        framework: FrameworkRecord,
        task_id: str,
        agent_id: str | None,
        state: v0.TaskState,
        message: str,
        unreachable_time: v0.TimeInfo | None = None,
    ) -> None:
        update = made_update(
            framework_id=framework.id,
            agent_id=agent_id,
            task_id=task_id,
            state=told_state(state, partition_aware=framework.is_partition_aware),
            reason=RECONCILIATION,
            message=f"Reconciliation: {message}",
            now=self.clock.now(),
            unreachable_time=unreachable_time,
        )
        self.outbox.to_framework(framework, internal.StatusUpdateMessage(update=update))
