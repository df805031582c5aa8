"""Operation reconciliation: a framework asks what became of its operations (M18)."""

from __future__ import annotations

import logging

from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Component

log = logging.getLogger(__name__)


class OperationReconciliation(Component):
    """Answers with statuses nobody need acknowledge."""

    def __init__(self, *, state: MasterState, outbox: Outbox, metrics: MasterMetrics) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self._received = metrics.counter("messages_reconcile_operations")

    def reconcile(self, framework: FrameworkRecord, call: v0_scheduler.Call.ReconcileOperations) -> None:
        """Answer for the operations asked about, or for all that are known."""
        self._received.increment()
        kind = "explicit" if call.operations else "implicit"
        log.info("Performing %s operation state reconciliation for framework %s", kind, framework.id)
        if not call.operations:
            for operation in framework.operations.values():
                self._tell(framework, operation.shown_status())
            return
        forwarded: dict[str, internal.ReconcileOperationsMessage] = {}
        for item in call.operations:
            agent = self._who_knows_better(framework, item)
            if agent is None:
                self._tell(framework, self._answer(framework, item))
                continue
            question = forwarded.setdefault(agent.id, internal.ReconcileOperationsMessage())
            question.framework_id.value = framework.id
            asked = question.operations.add(operation_id=item.operation_id)
            asked.resource_provider_id.value = item.resource_provider_id.value
        for agent_id, question in forwarded.items():
            self.outbox.to_agent(self.state.agents[agent_id], question)

    def _who_knows_better(
        self, framework: FrameworkRecord, asked: v0_scheduler.Call.ReconcileOperations.Operation
    ) -> AgentRecord | None:
        """Give the agent to ask about an operation we do not know: of a provider that is not there but may come back.

        None when there is none.
        """
        agent = self.state.agents.get(asked.slave_id.value)
        if agent is None or not asked.HasField("resource_provider_id"):
            return None
        if asked.resource_provider_id.value in agent.providers:
            return None
        if not agent.has(v0.SlaveInfo.Capability.AGENT_OPERATION_FEEDBACK):
            return None
        if any(each.feedback_id == asked.operation_id.value for each in framework.operations.values()):
            return None
        return agent

    def _answer(
        self, framework: FrameworkRecord, asked: v0_scheduler.Call.ReconcileOperations.Operation
    ) -> v0.OperationStatus:
        for operation in reversed(framework.operations.values()):
            if operation.feedback_id == asked.operation_id.value:
                return operation.shown_status()
        status = v0.OperationStatus()
        status.operation_id.value = asked.operation_id.value
        agent_id = asked.slave_id.value if asked.HasField("slave_id") else None
        status.state, status.message = self._unknown(agent_id)
        if agent_id is not None:
            status.slave_id.value = agent_id
        if asked.HasField("resource_provider_id"):
            status.resource_provider_id.value = asked.resource_provider_id.value
        return status

    def _unknown(self, agent_id: str | None) -> tuple[v0.OperationState, str]:
        """Give state and message for an operation this master does not know."""
        state = self.state
        if agent_id is None:
            return v0.OPERATION_UNKNOWN, "Reconciliation: Operation is unknown and no 'agent_id' was provided"
        if agent_id in state.recovered_agents:
            return v0.OPERATION_RECOVERING, "Reconciliation: Agent is recovered but has not re-registered"
        if agent_id in state.agents:
            return v0.OPERATION_UNKNOWN, "Reconciliation: Operation is unknown"
        if agent_id in state.unreachable_agents:
            return v0.OPERATION_UNREACHABLE, "Reconciliation: Agent is unreachable"
        if agent_id in state.gone_agents:
            return v0.OPERATION_GONE_BY_OPERATOR, "Reconciliation: Agent marked gone by operator"
        return v0.OPERATION_UNKNOWN, "Reconciliation: Both operation and agent are unknown"

    def _tell(self, framework: FrameworkRecord, status: v0.OperationStatus) -> None:
        if framework.is_http:
            self.outbox.to_framework(framework, internal.UpdateOperationStatusMessage(status=status))
