"""Reservations and persistent volumes are made and undone as the master says; remembered before anything else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.errors import DiskFailed, InvalidRequest
from messor.model.conversions import apply_all, conversions_of, needs_checkpoint
from messor.model.resource_formats import change_all, upgrade_all, upgraded
from messor.model.resources import Resources
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on

if TYPE_CHECKING:
    from messor.agent.checkpoint.paths import Paths
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.outbox import Outbox
    from messor.agent.state.tables import Tables
    from messor.runtime.host import Host, Timer
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)

FIRST_RESEND = 10.0
LONGEST_RESEND = 600.0
"""Seconds until an unacknowledged result is sent again: doubling from one to the other."""


class _Result:
    """A result that the framework has not acknowledged."""

    __slots__ = ("message", "resend_after", "timer")

    def __init__(self, message: internal.UpdateOperationStatusMessage) -> None:
        self.message = message
        self.resend_after = FIRST_RESEND
        self.timer: Timer | None = None


class Operations(Component):
    """Applies operations on the agent's own resources; there are no resource providers."""

    def __init__(self, host: Host, tables: Tables, paths: Paths, outbox: Outbox, checkpoints: Checkpoints) -> None:
        """Start with nothing pending."""
        self._host = host
        self._tables = tables
        self._paths = paths
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._results: dict[bytes, _Result] = {}

    @on(internal.ApplyOperationMessage)
    def applied(self, sender: Upid, message: internal.ApplyOperationMessage) -> None:
        """Apply one operation and tell its result; what does not fit is dropped, with the reason."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        upgrade_all(message)
        change_all(message, _forget_allocation)
        try:
            conversions = [step.unallocated() for step in conversions_of(message.operation_info)]
            total = apply_all(self._tables.total, conversions)
            self._remember(total)
        except (InvalidRequest, DiskFailed) as error:
            log.error("Failed to apply operation %s: %s", message.operation_uuid.value.hex(), error)
            self._tell(message, v0.OPERATION_FAILED, str(error))
            return
        self._tell(message, v0.OPERATION_FINISHED, "")

    @on(internal.CheckpointResourcesMessage)
    def replaced(self, sender: Upid, message: internal.CheckpointResourcesMessage) -> None:
        """Take the whole list of reservations and volumes from a master that knows no operations."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        try:
            self._store(upgraded(message.resources))
        except DiskFailed as error:
            # Tasks that use them would lose them at the next start.
            self._host.exit(1, f"Failed to checkpoint resources: {error}")

    def _remember(self, total: Resources) -> None:
        """Keep what must survive; raises DiskFailed with nothing changed."""
        self._store([resource for resource in total.unallocated().messages() if needs_checkpoint(resource)])

    def _store(self, resources: list[v0.Resource]) -> None:
        before = {_volume_of(resource) for resource in self._tables.checkpointed_resources} - {None}
        after = {_volume_of(resource) for resource in resources} - {None}
        for volume in sorted(after - before, key=str):
            assert volume is not None
            self._host.disk.make_folder(self._paths.volume(*volume))
        self._checkpoints.resources(resources)
        self._tables.checkpointed_resources = resources
        for volume in sorted(before - after, key=str):
            assert volume is not None
            self._host.disk.remove(self._paths.volume(*volume))

    # --- results -----------------------------------------------------------------------------------------------------

    def _tell(self, message: internal.ApplyOperationMessage, state: v0.OperationState, text: str) -> None:
        update = internal.UpdateOperationStatusMessage(slave_id=self._tables.info.id)
        if message.HasField("framework_id"):
            update.framework_id.CopyFrom(message.framework_id)
        update.operation_uuid.CopyFrom(message.operation_uuid)
        status = update.status
        status.state = state
        status.slave_id.CopyFrom(self._tables.info.id)
        if text:
            status.message = text
        if not message.operation_info.HasField("id"):
            # Nobody asked for feedback, so nobody acknowledges.
            self._outbox.to_master(update)
            return
        status.operation_id.CopyFrom(message.operation_info.id)
        status.uuid.value = self._host.chance.uuid_bytes()
        update.latest_status.CopyFrom(status)
        result = _Result(update)
        self._results[message.operation_uuid.value] = result
        self._tables.operations[message.operation_uuid.value] = _record(update, message.operation_info)
        self._send(result)

    def _send(self, result: _Result) -> None:
        self._outbox.to_master(result.message)
        result.timer = self._host.clock.after(result.resend_after, self._send, result)
        result.resend_after = min(result.resend_after * 2, LONGEST_RESEND)

    @on(internal.AcknowledgeOperationStatusMessage)
    def acknowledged(self, sender: Upid, message: internal.AcknowledgeOperationStatusMessage) -> None:
        """Stop resending a result."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        result = self._results.get(message.operation_uuid.value)
        if result is None or result.message.status.uuid.value != message.status_uuid.value:
            self.ignore(message, "no such result is pending")
            return
        del self._results[message.operation_uuid.value]
        del self._tables.operations[message.operation_uuid.value]
        if result.timer is not None:
            result.timer.cancel()

    @on(internal.ReconcileOperationsMessage)
    def reconciled(self, sender: Upid, message: internal.ReconcileOperationsMessage) -> None:
        """Report operations this agent never saw as dropped, and results that are pending once more."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        for operation in message.operations:
            result = self._results.get(operation.operation_uuid.value)
            if result is not None:
                self._outbox.to_master(result.message)
                continue
            update = internal.UpdateOperationStatusMessage(slave_id=self._tables.info.id)
            update.operation_uuid.CopyFrom(operation.operation_uuid)
            update.status.state = v0.OPERATION_DROPPED
            update.status.message = "Reconciliation: operation unknown to the agent"
            self._outbox.to_master(update)

    def stop(self) -> None:
        """Forget timers."""
        for result in self._results.values():
            if result.timer is not None:
                result.timer.cancel()


def _record(update: internal.UpdateOperationStatusMessage, info: v0.Offer.Operation) -> v0.Operation:
    """Describe an operation by its result."""
    operation = v0.Operation(
        slave_id=update.slave_id,
        info=info,
        latest_status=update.status,
        statuses=[update.status],
        uuid=update.operation_uuid,
    )
    if update.HasField("framework_id"):
        operation.framework_id.CopyFrom(update.framework_id)
    return operation


def _volume_of(resource: v0.Resource) -> tuple[str, str] | None:
    """Name the folder of a persistent volume on the agent's own disk: (role, id)."""
    if not resource.disk.HasField("persistence") or resource.disk.HasField("source"):
        return None
    role = resource.reservations[-1].role if resource.reservations else "*"
    return role, resource.disk.persistence.id


def _forget_allocation(resource: v0.Resource) -> None:
    """Whose role something is offered to concerns the master only; the agent's resources carry no such mark."""
    resource.ClearField("allocation_info")
