"""Reservations and persistent volumes are made and undone as the master says; remembered before anything else (V7).

The master has changed its books already when it tells the agent, so that an operation either is applied here or the
agent registers again, with what it really has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from messor.agent.checkpoint.update_log import Update
from messor.agent.operations.volumes import Volumes
from messor.agent.state.lifecycles import AgentState
from messor.agent.updates.manager import OPERATIONS, UpdateManager
from messor.errors import DiskFailed, InvalidRequest
from messor.model.conversions import apply_all, conversions_of, needs_checkpoint
from messor.model.ids import uuid_text, validate_id
from messor.model.resource_formats import change_all, upgrade, upgraded
from messor.model.resources import Resources, validate_resources
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.wire.splicing import nested
from messor.wire.texts import bad_text

if TYPE_CHECKING:
    from messor.agent.checkpoint.paths import Paths
    from messor.agent.checkpoint.read import Found
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.outbox import Outbox
    from messor.agent.state.tables import Tables
    from messor.runtime.host import Host
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)

UUID_BYTES = 16


class Operations(Component):
    """Applies operations on the agent's own resources; there are no resource providers."""

    def __init__(self, host: Host, tables: Tables, paths: Paths, outbox: Outbox, checkpoints: Checkpoints) -> None:
        """Start with nothing pending."""
        self._host = host
        self._tables = tables
        self._paths = paths
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._volumes = Volumes(host.disk, paths.work_dir)
        self.manager = UpdateManager(host.clock, host.disk, self._forward, OPERATIONS)
        """Repeats statuses until they are acknowledged; an operation's stream goes by its uuid, under no framework."""
        self.out_of_step: Callable[[], None] = lambda: None
        """Called when the master believes what is not so: registers again."""

    # --- applying ----------------------------------------------------------------------------------------------------

    @on(internal.ApplyOperationMessage)
    def applied(self, sender: Upid, message: internal.ApplyOperationMessage) -> None:
        """Apply one operation and tell that; what does not fit is dropped, with the reason."""
        why = self._not_ours(sender, message)
        if why is not None:
            self.ignore(message, why)
            return
        try:
            total = self._converted(message.operation_info)
        except InvalidRequest as error:
            log.error("Dropping operation %s: %s", uuid_text(message.operation_uuid.value), error)
            self._drop(message.operation_uuid, str(error))
            # Launches that are on their way may count on it too.
            self._tables.resource_version = self._host.chance.uuid_bytes()
            self.out_of_step()
            return
        operation = self._finished(message)
        operations = {**self._tables.operations, message.operation_uuid.value: operation}
        resources = [item for item in total.messages() if needs_checkpoint(item)]
        self._store(resources, operations)
        log.info("Applied operation %s", uuid_text(message.operation_uuid.value))
        self._begin(operation)

    def _not_ours(self, sender: Upid, message: internal.ApplyOperationMessage) -> str | None:
        """Say why a message is not to be looked at."""
        if sender != self._tables.master:
            return f"{sender} is not the leading master"
        if self._tables.state is not AgentState.RUNNING:
            # What was told the master on registration must stay true.
            return f"the agent is {self._tables.state.value}"
        if len(message.operation_uuid.value) != UUID_BYTES:
            return "its uuid is none"
        if message.operation_uuid.value in self._tables.operations:
            return "it was applied already"
        wrong = bad_text(message)
        return None if wrong is None else f"field '{wrong}' is not UTF-8"

    def _converted(self, operation: v0.Offer.Operation) -> Resources:
        """Give what the agent has after an operation; raises InvalidRequest when it does not fit."""
        found: list[v0.Resource] = []
        change_all(operation, found.append)
        validate_resources(found)
        for resource in found:
            upgrade(resource)
            if resource.disk.HasField("persistence"):
                validate_id(resource.disk.persistence.id)  # it becomes the name of a folder
        steps = [step.unallocated() for step in conversions_of(operation)]
        return apply_all(self._tables.total, steps)

    @on(internal.CheckpointResourcesMessage)
    def replaced(self, sender: Upid, message: internal.CheckpointResourcesMessage) -> None:
        """Take the whole list of reservations and volumes from a master that knows no operations."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        try:
            validate_resources(message.resources)
            resources = upgraded(message.resources)
            self._tables.total_with(resources)
        except InvalidRequest as error:
            self.ignore(message, str(error))
            return
        self._store(resources, self._tables.operations)

    def _store(self, resources: list[v0.Resource], operations: dict[bytes, v0.Operation]) -> None:
        """Remember resources and operations, and make and destroy volumes accordingly.

        What must survive and cannot be written ends the agent: tasks that use it would lose it at the next start.
        """
        tables = self._tables
        try:
            if resources == tables.checkpointed_resources:
                self._checkpoints.operations(resources, operations.values())
            else:
                self._checkpoints.resources_target(resources, operations.values())
                self._volumes.change(tables.checkpointed_resources, resources)
                self._checkpoints.resources(resources, operations.values())
        except DiskFailed as error:
            self._host.exit(1, f"Failed to checkpoint resources: {error}")
            return
        tables.checkpointed_resources = resources
        tables.operations = operations

    # --- statuses ----------------------------------------------------------------------------------------------------

    def _finished(self, message: internal.ApplyOperationMessage) -> v0.Operation:
        """Make the record of an operation that was applied."""
        agent_id = self._tables.info.id
        status = v0.OperationStatus(state=v0.OPERATION_FINISHED, slave_id=agent_id)
        status.uuid.value = self._host.chance.uuid_bytes()
        if message.operation_info.HasField("id"):
            status.operation_id.CopyFrom(message.operation_info.id)
        operation = v0.Operation(
            slave_id=agent_id,
            info=message.operation_info,
            latest_status=status,
            statuses=[status],
            uuid=message.operation_uuid,
        )
        if message.HasField("framework_id"):
            operation.framework_id.CopyFrom(message.framework_id)
        return operation

    def _begin(self, operation: v0.Operation) -> None:
        """Begin to tell an operation's status."""
        update = internal.UpdateOperationStatusMessage(
            slave_id=self._tables.info.id, status=operation.latest_status, operation_uuid=operation.uuid
        )
        if operation.HasField("framework_id"):
            update.framework_id.CopyFrom(operation.framework_id)
        status = operation.latest_status
        name = uuid_text(operation.uuid.value)
        path = self._paths.operation_updates(self._tables.agent_id, name)
        try:
            self.manager.receive("", name, Update(status.uuid.value, status.state, update.SerializeToString()), path)
        except DiskFailed as error:
            self._host.exit(1, f"Failed to checkpoint the status of operation {name}: {error}")

    def _forward(self, framework_id: str, name: str, update: Update) -> None:  # noqa: ARG002
        """Tell the master a status; it is the latest one too, as there is only one."""
        status = internal.UpdateOperationStatusMessage.FromString(update.data).status
        self._outbox.operation_status(update.data + nested(4, status.SerializeToString()))

    def _drop(self, uuid: v0.UUID, text: str) -> None:
        update = internal.UpdateOperationStatusMessage(slave_id=self._tables.info.id, operation_uuid=uuid)
        update.status.state = v0.OPERATION_DROPPED
        update.status.slave_id.CopyFrom(self._tables.info.id)
        if text:
            update.status.message = text
        self._outbox.to_master(update)

    def _say_unknown(self, framework_id: v0.FrameworkID, asked: internal.ReconcileOperationsMessage.Operation) -> None:
        update = internal.UpdateOperationStatusMessage(slave_id=self._tables.info.id, framework_id=framework_id)
        update.status.state = v0.OPERATION_UNKNOWN
        update.status.slave_id.CopyFrom(self._tables.info.id)
        update.status.operation_id.CopyFrom(asked.operation_id)
        if asked.HasField("resource_provider_id"):
            update.status.resource_provider_id.CopyFrom(asked.resource_provider_id)
        self._outbox.to_master(update)

    @on(internal.AcknowledgeOperationStatusMessage)
    def acknowledged(self, sender: Upid, message: internal.AcknowledgeOperationStatusMessage) -> None:
        """Forget an operation whose status was acknowledged."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        uuid = message.operation_uuid.value
        if uuid not in self._tables.operations:
            self.ignore(message, "the operation is unknown")
            return
        name = uuid_text(uuid)
        try:
            is_over = self.manager.acknowledge("", name, message.status_uuid.value)
        except DiskFailed as error:
            log.error("Failed to acknowledge the status of operation %s: %s", name, error)
            return
        if is_over:
            remaining = {key: operation for key, operation in self._tables.operations.items() if key != uuid}
            self._store(self._tables.checkpointed_resources, remaining)
            self._forget(name)

    def _forget(self, name: str) -> None:
        """Remove the stream of an operation that is over; if that fails, the next start does it."""
        try:
            self._host.disk.remove(self._paths.operation(self._tables.agent_id, name))
        except DiskFailed as error:
            log.error("Failed to remove the statuses of operation %s: %s", name, error)

    @on(internal.ReconcileOperationsMessage)
    def reconciled(self, sender: Upid, message: internal.ReconcileOperationsMessage) -> None:
        """Report operations this agent never saw as dropped; statuses of those it knows are repeated anyway.

        Frameworks ask of operations on resource providers that the master does not know, and of which there are none
        here.
        """
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        for asked in message.operations:
            if message.HasField("framework_id"):
                self._say_unknown(message.framework_id, asked)
            elif asked.operation_uuid.value not in self._tables.operations:
                self._drop(asked.operation_uuid, "")

    # --- restarts ----------------------------------------------------------------------------------------------------

    def recover(self, found: Found) -> None:
        """Take over what was pending, and finish what a crash interrupted: volumes half made, statuses not begun.

        Raises DiskFailed.
        """
        tables = self._tables
        operations = {operation.uuid.value: operation for operation in found.operations}
        over = {
            uuid
            for uuid, stream in found.streams.items()
            if self.manager.recover("", uuid_text(uuid), stream.replayed, stream.path, stream.size) is None
            and stream.replayed
        }
        tables.operations = {uuid: operation for uuid, operation in operations.items() if uuid not in over}
        if found.target is not None:
            self._volumes.change(found.resources, tables.checkpointed_resources)
            self._checkpoints.resources(tables.checkpointed_resources, tables.operations.values())
        elif over & operations.keys():
            self._checkpoints.operations(tables.checkpointed_resources, tables.operations.values())
        for uuid in found.streams:
            if uuid not in tables.operations:
                self.manager.forget("", uuid_text(uuid))
                self._forget(uuid_text(uuid))
        for uuid, operation in tables.operations.items():
            if uuid not in found.streams or not found.streams[uuid].replayed:
                self._begin(operation)

    def stop(self) -> None:
        """Forget timers."""
        self.manager.pause()
