"""Acknowledgements of status updates, on their way from a framework to an agent (M15)."""

from __future__ import annotations

import logging

from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.tasks.updates import TaskUpdates
from messor.model.ids import uuid_text
from messor.model.task_states import TERMINAL_STATES
from messor.protos import internal, v0_scheduler
from messor.runtime.actor import Component
from messor.wire.splicing import nested

log = logging.getLogger(__name__)

NAME = internal.StatusUpdateAcknowledgementMessage.DESCRIPTOR.full_name


class Acknowledgements(Component):
    """Checks acknowledgements and passes them on."""

    def __init__(self, *, state: MasterState, outbox: Outbox, metrics: MasterMetrics, updates: TaskUpdates) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.updates = updates
        self._received = metrics.counter("messages_status_update_acknowledgement")
        self._valid = metrics.counter("valid_status_update_acknowledgements")
        self._invalid = metrics.counter("invalid_status_update_acknowledgements")

    def acknowledge(self, framework: FrameworkRecord, call: v0_scheduler.Call.Acknowledge) -> None:
        """Tell the agent; a task whose terminal update is acknowledged leaves the records."""
        self._received.value += 1
        agent_id = call.slave_id.value
        task_id = call.task_id.value
        uuid = call.uuid
        agent = self.state.agents.get(agent_id)
        if agent is None or not agent.is_connected:
            self._refuse(task_id, framework, f"agent {agent_id} is not registered and connected")
            return
        task = agent.task(framework.id, task_id)
        if task is not None:
            if task.status_update_state is None:
                self._refuse(task_id, framework, "the update was not sent by this master")
                return
            if task.status_update_state in TERMINAL_STATES and task.status_update_uuid == uuid:
                self.updates.remove(task)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "Processing ACKNOWLEDGE call for status %s for task %s of framework %s on agent %s",
                uuid_text(uuid), task_id, framework.id, agent_id,
            )  # fmt: skip
        body = b"".join(
            (
                nested(1, nested(1, agent_id.encode())),
                nested(2, nested(1, framework.id.encode())),
                nested(3, nested(1, task_id.encode())),
                nested(4, uuid),
            )
        )
        self.outbox.to_agent_bytes(agent, NAME, body)
        self._valid.value += 1

    def _refuse(self, task_id: str, framework: FrameworkRecord, why: str) -> None:
        self._invalid.value += 1
        self.ignore("status update acknowledgement", f"for task {task_id} of framework {framework.id}: {why}")
