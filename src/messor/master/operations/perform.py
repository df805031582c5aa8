"""Having an agent apply an operation that was found valid: our books change at once, the agent's follow.

But for operations on disks (V9): only their resource provider knows what comes out of them, so all that changes here is
that nobody else is offered what they consume.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messor.errors import InvalidRequest
from messor.master.metrics import MasterMetrics
from messor.master.operations.count import OperationCounts
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord, ProviderRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.operation import OperationRecord
from messor.master.state.tables import MasterState
from messor.model.conversions import Conversion, apply_all, provider_of
from messor.model.resource_formats import downgrade_all
from messor.protos import internal, v0
from messor.runtime.host import Host

log = logging.getLogger(__name__)


class Performer:
    """Applies operations to the books and sends them to agents."""

    def __init__(self, *, state: MasterState, outbox: Outbox, metrics: MasterMetrics, host: Host) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.chance = host.chance
        self.counts = OperationCounts(metrics)

    def perform(
        self,
        agent: AgentRecord,
        framework: FrameworkRecord | None,
        operation: v0.Offer.Operation,
        conversions: Iterable[Conversion],
    ) -> None:
        """Convert the agent's total and tell the agent; framework is None for an operator.

        Raises InvalidRequest, with nothing changed, when the total does not hold what is consumed. The allocator is the
        caller's business.
        """
        provider = known_provider(agent, operation)
        steps = [Conversion(step.consumed.unallocated(), step.converted.unallocated()) for step in conversions]
        agent.update_total(apply_all(agent.total, steps))
        name = v0.Offer.Operation.Type.Name(operation.type)
        who = f"framework {framework.id}" if framework is not None else "an operator"
        log.info("Applying %s operation of %s on agent %s", name, who, agent)
        if framework is not None:
            framework.counts.operations[operation.type] += 1
        if agent.has(v0.SlaveInfo.Capability.RESOURCE_PROVIDER):
            self._send(agent, self._record(agent, framework, operation, provider), provider)
        else:
            self.send_checkpointed(agent)

    def hand_over(self, agent: AgentRecord, framework: FrameworkRecord, operation: v0.Offer.Operation) -> None:
        """Send a CREATE_DISK or DESTROY_DISK, whose source the framework keeps until it is known what became of it.

        Raises InvalidRequest, with nothing changed, when its resource provider is not there.
        """
        provider = known_provider(agent, operation)
        name = v0.Offer.Operation.Type.Name(operation.type)
        log.info("Processing %s operation of framework %s on agent %s", name, framework.id, agent)
        framework.counts.operations[operation.type] += 1
        self._send(agent, self._record(agent, framework, operation, provider), provider)

    def _record(
        self,
        agent: AgentRecord,
        framework: FrameworkRecord | None,
        operation: v0.Offer.Operation,
        provider: ProviderRecord | None,
    ) -> OperationRecord:
        message = v0.Operation(slave_id=agent.info.id, info=operation)
        if framework is not None:
            message.framework_id.value = framework.id
        status = message.latest_status
        if operation.HasField("id"):
            status.operation_id.CopyFrom(operation.id)
        status.state = v0.OPERATION_PENDING
        status.slave_id.CopyFrom(agent.info.id)
        if provider is not None:
            status.resource_provider_id.value = provider.id
        message.uuid.value = self.chance.uuid_bytes()
        record = OperationRecord(message)
        self.state.add_operation(record)
        self.counts.began(record)
        return record

    def _send(self, agent: AgentRecord, record: OperationRecord, provider: ProviderRecord | None) -> None:
        message = internal.ApplyOperationMessage(operation_info=record.info)
        message.operation_uuid.value = record.uuid
        version = message.resource_version_uuid
        if provider is not None:
            version.resource_provider_id.value = provider.id
            version.uuid.value = provider.resource_version
        else:
            version.uuid.value = agent.resource_version or b""
        if record.framework_id is not None:
            message.framework_id.value = record.framework_id
        self.outbox.to_agent(agent, message)

    def send_checkpointed(self, agent: AgentRecord) -> None:
        """Tell an agent that knows no operations all that it must remember."""
        message = internal.CheckpointResourcesMessage(resources=agent.checkpointed.messages())
        if not agent.has(v0.SlaveInfo.Capability.RESERVATION_REFINEMENT):
            try:
                downgrade_all(message)
            except InvalidRequest as error:
                log.warning("Not telling agent %s what it has reserved: %s", agent, error)
                return
        self.outbox.to_agent(agent, message)


def known_provider(agent: AgentRecord, operation: v0.Offer.Operation) -> ProviderRecord | None:
    """Give the resource provider that applies an operation, None for the agent itself; raises InvalidRequest."""
    provider_id = provider_of(operation)
    if provider_id is None:
        return None
    provider = agent.providers.get(provider_id)
    if provider is None:
        raise InvalidRequest(f"Resource provider {provider_id} is unknown")
    return provider
