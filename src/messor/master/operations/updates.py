"""What became of operations: agents report it, frameworks are told and acknowledge, and both are asked again (M18).

An agent repeats a report until it is acknowledged. Frameworks acknowledge those of operations they gave an id; all
others are acknowledged here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.metrics import MasterMetrics
from messor.master.operations.count import OperationCounts
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.operation import OperationRecord
from messor.master.state.tables import MasterState
from messor.model.resource_formats import upgrade_all
from messor.model.resources import EMPTY, Resources, validate_resources
from messor.model.task_states import is_terminal_operation
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.runtime.host import Host
from messor.wire.texts import bad_text
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

ORPHANS_WAIT = 600.0
"""Seconds after its agent's return before an operation of a framework not heard of since a failover is acknowledged."""


class OperationUpdates(Component):
    """Follows operations from their report to its acknowledgement."""

    def __init__(
        self, *, state: MasterState, outbox: Outbox, allocator: Allocator, metrics: MasterMetrics, host: Host
    ) -> None:
        """Collaborators."""
        self.state = state
        self.allocator = allocator
        self.outbox = outbox
        self.clock = host.clock
        self.counts = OperationCounts(metrics)
        self._received = metrics.counter("messages_operation_status_update")
        self._valid = metrics.counter("valid_operation_status_updates")
        self._invalid = metrics.counter("invalid_operation_status_updates")
        self._acknowledgements = metrics.counter("messages_operation_status_update_acknowledgement")
        self._valid_acknowledgements = metrics.counter("valid_operation_status_update_acknowledgements")
        self._invalid_acknowledgements = metrics.counter("invalid_operation_status_update_acknowledgements")

    # --- agents ------------------------------------------------------------------------------------------------------

    @on(internal.UpdateOperationStatusMessage)
    def received(self, sender: Upid, message: internal.UpdateOperationStatusMessage) -> None:
        """Take an agent's report."""
        self._received.increment()
        wrong = bad_text(message)
        if wrong is None and not message.HasField("operation_uuid"):
            # The answer to a framework's question about an operation that we do not know.
            self._forward(message.framework_id.value, message)
            return
        agent = self.state.agents.get(message.slave_id.value)
        if wrong is not None or agent is None:
            self._invalid.increment()
            self.ignore(message, f"{wrong} is not UTF-8" if wrong else f"{sender} is not a registered agent")
            return
        operation = agent.operations.get(message.operation_uuid.value)
        if operation is None:
            self._invalid.increment()
            self._forward(message.framework_id.value, message)
            return
        try:
            converted = _converted(operation, message)
        except InvalidRequest as error:
            self._invalid.increment()
            self.ignore(message, f"what {sender} says became of an operation is invalid: {error}")
            return
        self._valid.increment()
        if operation.feedback_id is not None:
            message.status.operation_id.value = operation.feedback_id
        self._update(operation, message)
        if operation.consumed and is_terminal_operation(operation.state):
            self._settle(agent, operation, converted)
        self._answer(agent, operation, message)

    def _update(self, operation: OperationRecord, update: internal.UpdateOperationStatusMessage) -> None:
        """Note a reported status."""
        status = update.latest_status if update.HasField("latest_status") else update.status
        before, record = operation.state, operation.message
        if not is_terminal_operation(before):
            record.latest_status.CopyFrom(status)
            self.counts.changed(operation, before)
        if not record.statuses or record.statuses[-1] != status:
            record.statuses.add().CopyFrom(status)
        log.info("Operation %s on agent %s is %s", operation.uuid.hex(), operation.agent_id, _name(status.state))

    def _settle(self, agent: AgentRecord, operation: OperationRecord, converted: Resources | None) -> None:
        """Book what became of what an operation kept; None: the agent's total has it already.

        An orphan's part comes back to the agent's total only now.
        """
        consumed = operation.consumed
        is_orphan = operation.is_orphan
        self._free(agent, operation)
        if converted is None:
            return
        total = agent.total
        if operation.state == v0.OPERATION_FINISHED:
            if not total.contains(consumed.unallocated()):
                log.warning("Agent %s no longer has %s, which an operation converted", agent, consumed)
                return
            total = total - consumed.unallocated() + converted
            agent.update_total(total)
        elif not is_orphan:
            return
        self.allocator.update_agent(agent.id, agent.info, total, agent.capabilities)

    def _free(self, agent: AgentRecord, operation: OperationRecord) -> None:
        """Give back what an operation kept; the allocator hears of an orphan's when it hears of the agent's total."""
        consumed = operation.consumed
        self.state.release_operation(operation)
        if consumed and not operation.is_orphan and operation.framework_id is not None:
            self.allocator.recover_resources(
                operation.framework_id, agent.id, consumed, None, is_allocated=operation.is_allocated
            )

    def _answer(
        self, agent: AgentRecord, operation: OperationRecord, update: internal.UpdateOperationStatusMessage
    ) -> None:
        """Let the framework acknowledge the status, or do it ourselves where none will."""
        latest = operation.message.statuses[-1]
        is_over = is_terminal_operation(latest.state)
        if self._will_acknowledge(operation):
            self._forward(operation.framework_id or "", update)
            if is_over and not latest.HasField("uuid"):
                self.remove(operation)
            return
        if latest.HasField("uuid"):
            if self._may_come_back(agent, operation):
                return
            message = internal.AcknowledgeOperationStatusMessage(
                status_uuid=latest.uuid, operation_uuid=operation.message.uuid
            )
            if operation.provider_id is not None:
                message.resource_provider_id.value = operation.provider_id
            self.outbox.to_agent(agent, message)
        if is_over:
            self.remove(operation)

    def _will_acknowledge(self, operation: OperationRecord) -> bool:
        return operation.feedback_id is not None and operation.framework_id in self.state.frameworks

    def _may_come_back(self, agent: AgentRecord, operation: OperationRecord) -> bool:
        """Whether the framework of an orphan may still return and want to hear of it."""
        if operation.feedback_id is None or not operation.is_orphan:
            return False
        if operation.framework_id in self.state.completed_frameworks or agent.reregistered_at is None:
            return False
        return self.clock.now() - agent.reregistered_at < ORPHANS_WAIT

    def _forward(self, framework_id: str, update: internal.UpdateOperationStatusMessage) -> None:
        """Tell a framework of a report if it is there; the agent will repeat it."""
        framework = self.state.frameworks.get(framework_id)
        if framework is None or not framework.is_connected:
            log.warning("Not forwarding an operation's status to framework %s: it is not connected", framework_id)
            return
        self.outbox.to_framework(framework, update)

    def remove(self, operation: OperationRecord) -> None:
        """Forget an operation and free what it keeps; of an orphan's agent the allocator must hear the total."""
        self._free(self.state.agents[operation.agent_id], operation)
        self.counts.ended(operation)
        self.state.remove_operation(operation)
        self.state.signals.operation_removed(operation)

    # --- agents that come and go -------------------------------------------------------------------------------------

    def reported(self, agent: AgentRecord, message: internal.UpdateSlaveMessage) -> None:
        """Compare an agent's list of operations with ours.

        Those only it knows are taken over; those only we know are asked for: they got lost, or are on their way.
        """
        listed: set[bytes] = set()
        for item in message.operations.operations:
            listed.add(item.uuid.value)
            if item.uuid.value not in agent.operations:
                self.adopt(agent, item, None)
        self.ask(agent, None, listed)

    def adopt(self, agent: AgentRecord, item: v0.Operation, provider_id: str | None) -> OperationRecord | None:
        """Take over an operation that only its agent knew; None when it is not one of the provider's."""
        copied = v0.Operation()
        copied.CopyFrom(item)
        copied.slave_id.value = agent.id
        try:
            upgrade_all(copied)
            record = OperationRecord(copied)
            if record.provider_id != provider_id:
                raise InvalidRequest(f"it is one of resource provider {record.provider_id}")
            if record.consumed and record.framework_id is None:
                raise InvalidRequest("it is nobody's")
        except InvalidRequest as error:
            self.ignore(f"operation {item.uuid.value.hex()} of agent {agent.id}", str(error))
            return None
        self.state.add_operation(record)
        self.counts.began(record)
        return record

    def ask(self, agent: AgentRecord, provider_id: str | None, listed: Collection[bytes]) -> None:
        """Ask an agent for operations, its own or those of a provider on it, that it did not list.

        They got lost, or are on their way.
        """
        question = internal.ReconcileOperationsMessage()
        for uuid, operation in agent.operations.items():
            if operation.provider_id == provider_id and uuid not in listed:
                asked = question.operations.add()
                asked.operation_uuid.value = uuid
                if provider_id is not None:
                    asked.resource_provider_id.value = provider_id
        if question.operations:
            log.warning("Agent %s did not list %d operations: asking it", agent.id, len(question.operations))
            self.outbox.to_agent(agent, question)

    def ended_in(self, agent: AgentRecord, operation: OperationRecord, status: v0.OperationStatus) -> None:
        """Note how an operation ended whose outcome is in the totals an agent told at the same time.

        It will report that, too, which must not count twice.
        """
        self._update(operation, internal.UpdateOperationStatusMessage(status=status))
        self._settle(agent, operation, None)

    def agent_left(self, agent: AgentRecord, state: int | None, text: str) -> None:
        """Forget the operations of an agent; frameworks that want to hear are told the state, None means silence."""
        for operation in list(agent.operations.values()):
            framework = self.state.frameworks.get(operation.framework_id or "")
            if state is not None and framework is not None and operation.feedback_id is not None:
                status = v0.OperationStatus(state=state, message=text, slave_id=agent.info.id)  # type: ignore[arg-type]
                status.operation_id.value = operation.feedback_id
                if operation.provider_id is not None:
                    status.resource_provider_id.value = operation.provider_id
                self._tell(framework, status)
            self.remove(operation)

    # --- frameworks --------------------------------------------------------------------------------------------------

    def acknowledge(self, framework: FrameworkRecord, call: v0_scheduler.Call.AcknowledgeOperationStatus) -> None:
        """Pass a framework's acknowledgement on to the agent; a terminal status ends the operation."""
        self._acknowledgements.increment()
        agent = self.state.agents.get(call.slave_id.value)
        try:
            operation = self._acknowledged(framework, agent, call)
        except InvalidRequest as error:
            self._invalid_acknowledgements.increment()
            self.ignore(
                f"acknowledgement of operation '{call.operation_id.value}' of framework {framework.id}", str(error)
            )
            return
        assert agent is not None
        self._valid_acknowledgements.increment()
        message = internal.AcknowledgeOperationStatusMessage(operation_uuid=operation.message.uuid)
        message.status_uuid.value = call.uuid
        if operation.provider_id is not None:
            message.resource_provider_id.value = operation.provider_id
        if any(
            status.uuid.value == call.uuid and is_terminal_operation(status.state)
            for status in operation.message.statuses
        ):
            self.remove(operation)
        self.outbox.to_agent(agent, message)

    def _acknowledged(
        self,
        framework: FrameworkRecord,
        agent: AgentRecord | None,
        call: v0_scheduler.Call.AcknowledgeOperationStatus,
    ) -> OperationRecord:
        """Find what a call acknowledges; raises InvalidRequest. Two operations may have been given one id."""
        if agent is None:
            raise InvalidRequest(f"agent {call.slave_id.value} is not registered")
        if not agent.is_connected:
            raise InvalidRequest(f"agent {agent.id} is disconnected")
        if call.HasField("resource_provider_id"):
            if not agent.has(v0.SlaveInfo.Capability.RESOURCE_PROVIDER):
                raise InvalidRequest(f"agent {agent.id} does not support resource providers")
        elif not agent.has(v0.SlaveInfo.Capability.AGENT_OPERATION_FEEDBACK):
            raise InvalidRequest(f"agent {agent.id} does not support feedback on operations on its own resources")
        named = [each for each in framework.operations.values() if each.feedback_id == call.operation_id.value]
        if not named:
            raise InvalidRequest("the operation is unknown")
        for operation in named:
            known = {status.uuid.value for status in operation.message.statuses if status.HasField("uuid")}
            if operation.agent_id == agent.id and call.uuid in known:
                return operation
        raise InvalidRequest("the operation status is unknown")

    def _tell(self, framework: FrameworkRecord, status: v0.OperationStatus) -> None:
        if framework.is_http:
            self.outbox.to_framework(framework, internal.UpdateOperationStatusMessage(status=status))


def _converted(operation: OperationRecord, update: internal.UpdateOperationStatusMessage) -> Resources:
    """Read what an operation made of what it keeps, without allocation marks; raises InvalidRequest."""
    status = update.latest_status if update.HasField("latest_status") else update.status
    if not operation.consumed or status.state != v0.OPERATION_FINISHED:
        return EMPTY
    validate_resources(status.converted_resources)
    upgrade_all(update)
    converted = Resources.of(status.converted_resources).unallocated()
    for kind in converted.kinds():
        if kind.provider_id != operation.provider_id:
            raise InvalidRequest(f"{converted} is not of resource provider {operation.provider_id}")
    return converted


def _name(state: int) -> str:
    return v0.OperationState.Name(state)
