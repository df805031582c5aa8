"""Killing tasks (M19, S27)."""

from __future__ import annotations

import logging

from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.tasks.reconcile import Reconciliation
from messor.protos import internal, v0_scheduler
from messor.runtime.actor import Component

log = logging.getLogger(__name__)


class Kills(Component):
    """Passes kills on, remembers those an agent cannot hear now."""

    def __init__(
        self, *, state: MasterState, outbox: Outbox, metrics: MasterMetrics, reconciliation: Reconciliation
    ) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.reconciliation = reconciliation
        self._received = metrics.counter("messages_kill_task")

    def kill(self, framework: FrameworkRecord, call: v0_scheduler.Call.Kill) -> None:
        """Tell the agent, every time; an unknown task is reconciled instead."""
        self._received.value += 1
        task_id = call.task_id.value
        agent_id = call.slave_id.value if call.HasField("slave_id") else None
        log.info("Processing KILL call for task '%s' of framework %s", task_id, framework.id)
        task = framework.tasks.get(task_id)
        if task is None:
            log.warning("Cannot kill task %s of framework %s: unknown; reconciling it", task_id, framework.id)
            request = v0_scheduler.Call.Reconcile()
            item = request.tasks.add()
            item.task_id.value = task_id
            if agent_id is not None:
                item.slave_id.value = agent_id
            self.reconciliation.reconcile(framework, request)
            return
        if agent_id is not None and agent_id != task.agent_id:
            self.ignore(f"kill of task {task_id}", f"it is on agent {task.agent_id}, not on {agent_id}")
            return
        agent = self.state.agents[task.agent_id]
        agent.killed_tasks.setdefault(framework.id, set()).add(task_id)
        if not agent.is_connected:
            log.warning("Agent %s is disconnected; task %s is killed when it comes back", agent.id, task_id)
            return
        message = internal.KillTaskMessage()
        message.framework_id.value = framework.id
        message.task_id.value = task_id
        if call.HasField("kill_policy"):
            message.kill_policy.CopyFrom(call.kill_policy)
        self.outbox.to_agent(agent, message)
