"""Operations of an ACCEPT that are no launches, on its running pool: reservations, volumes and disks (M11, V9)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from messor.errors import InvalidRequest
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.offers.transaction import Transaction
from messor.master.operations.count import OperationCounts
from messor.master.operations.perform import Performer, known_provider
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.validation.operations import (
    NO_UPDATES,
    NO_V0_FEEDBACK,
    consumed_disk,
    operation_name,
    read_operation,
    validate_agent_can,
    validate_feedback,
    validate_operation,
)
from messor.model.conversions import DISK_OPERATIONS, conversions_of
from messor.model.resources import Resources
from messor.protos import internal, v0
from messor.runtime.actor import Component

log = logging.getLogger(__name__)

Operation = v0.Offer.Operation

ApproveOperation = Callable[[v0.Offer.Operation, FrameworkRecord], str | None]
"""Says why an operation may not be applied, None when it may; must answer at once."""


class Operating(Component):
    """Reads and applies operations that convert resources."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        metrics: MasterMetrics,
        rescinder: Rescinder,
        performer: Performer,
        approve: ApproveOperation | None = None,
    ) -> None:
        """approve: the authorizer's word on each operation, None when nobody needs asking."""
        self.outbox = outbox
        self.counts = OperationCounts(metrics)
        self.rescinder = rescinder
        self.performer = performer
        self.approve = approve

    def read(self, framework: FrameworkRecord, agent: AgentRecord, operation: v0.Offer.Operation, role: str) -> bool:
        """Check an operation's shape and put its resources into their inside form; refuses it and gives False else."""
        try:
            read_operation(operation, role)
            if operation.type == Operation.RESERVE and operation.reserve.source:
                raise InvalidRequest(NO_UPDATES)
        except InvalidRequest as error:
            self.drop(framework, operation, f"Operation attempted with invalid resources: {error}")
            return False
        if not operation.HasField("id"):
            return True
        if not framework.is_http:
            log.warning("Dropping %s operation of framework %s: it has an id", operation_name(operation), framework.id)
            self.outbox.to_framework(framework, internal.FrameworkErrorMessage(message=NO_V0_FEEDBACK))
            return False
        try:
            validate_feedback(operation, agent)
        except InvalidRequest as error:
            self.drop(framework, operation, str(error))
            return False
        return True

    def apply(self, operation: v0.Offer.Operation, transaction: Transaction) -> None:
        """Apply one operation, or tell the framework why not."""
        framework, agent = transaction.framework, transaction.agent
        try:
            validate_agent_can(operation, agent)
        except InvalidRequest as error:
            self.drop(framework, operation, str(error))
            return
        try:
            validate_operation(operation, framework, agent)
        except InvalidRequest as error:
            self.drop(framework, operation, f"{error}; on agent {agent}")
            return
        refusal = self.approve(operation, framework) if self.approve is not None else None
        if refusal is not None:
            self.drop(framework, operation, refusal)
            return
        if operation.type == Operation.DESTROY:
            self._free(operation.destroy, agent)
        try:
            self._convert(operation, transaction)
        except InvalidRequest as error:
            self.drop(framework, operation, str(error))

    def _free(self, destroy: v0.Offer.Operation.Destroy, agent: AgentRecord) -> None:
        """Take back other offers of the volumes: shared ones may be offered several times."""
        volumes = [Resources.of([volume]).unallocated() for volume in destroy.volumes]
        for offer in list(agent.offers.values()):
            offered = offer.resources.unallocated()
            if any(offered.contains(volume) for volume in volumes):
                self.rescinder.rescind(offer)

    def _convert(self, operation: v0.Offer.Operation, transaction: Transaction) -> None:
        """Convert in the pool and have the agent do the same; raises InvalidRequest when the pool lacks something."""
        if operation.type in DISK_OPERATIONS:
            self._hand_over(operation, transaction)
            return
        known_provider(transaction.agent, operation)
        steps = conversions_of(operation)
        if operation.type in (Operation.GROW_VOLUME, Operation.SHRINK_VOLUME):
            (step,) = steps
            if not transaction.remaining.contains(step.consumed):
                raise InvalidRequest(
                    f"Invalid {operation_name(operation)} operation: {transaction.remaining} does not contain"
                    f" {step.consumed}"
                )
            transaction.resize(step)
        else:
            transaction.convert(steps)
        self.performer.perform(transaction.agent, transaction.framework, operation, steps)

    def _hand_over(self, operation: v0.Offer.Operation, transaction: Transaction) -> None:
        """Leave it to a resource provider; raises InvalidRequest when the pool lacks what it consumes."""
        consumed = consumed_disk(operation, transaction.remaining)
        self.performer.hand_over(transaction.agent, transaction.framework, operation)
        transaction.consume(consumed)

    def drop(self, framework: FrameworkRecord, operation: v0.Offer.Operation, why: str) -> None:
        """Refuse an operation; an HTTP framework that gave it an id hears of it."""
        log.warning("Dropping %s operation from framework %s: %s", operation_name(operation), framework.id, why)
        self.counts.refused(operation)
        if operation.HasField("id") and framework.is_http:
            status = v0.OperationStatus(operation_id=operation.id, state=v0.OPERATION_ERROR, message=why)
            self.outbox.to_framework(framework, internal.UpdateOperationStatusMessage(status=status))
