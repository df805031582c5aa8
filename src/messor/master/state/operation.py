"""One offer operation that an agent was asked to apply and nobody has seen the end of yet (M18)."""

from __future__ import annotations

from messor.model.conversions import DISK_OPERATIONS, disk_source, provider_of
from messor.model.resources import EMPTY, Resources
from messor.model.task_states import is_terminal_operation
from messor.protos import v0


class OperationRecord:
    """An operation on an agent, until its terminal status was acknowledged."""

    __slots__ = ("consumed", "framework_id", "is_allocated", "is_orphan", "message", "provider_id")

    def __init__(self, message: v0.Operation) -> None:
        """Take the operation as operators see it; it says on which agent it is.

        Raises InvalidRequest when it is one that no agent applies.
        """
        self.message = message
        self.framework_id = message.framework_id.value if message.HasField("framework_id") else None
        """Who asked for it, None when it was an operator."""
        self.is_orphan = False
        """Whether its framework is not known: removed, or not heard of since a failover."""
        self.provider_id = provider_of(message.info)
        """The resource provider that applies it, None when it is the agent itself."""
        self.consumed = self._consumed()
        """What it keeps until it is known what became of it, with allocation marks.

        It counts as used by the framework; that of an orphan is taken out of the agent's total. Nothing for operations
        whose outcome is booked before they are applied.
        """
        self.is_allocated = False
        """Whether the allocator counts that as allocated, and not as offered."""

    def _consumed(self) -> Resources:
        if self.message.info.type not in DISK_OPERATIONS or is_terminal_operation(self.state):
            return EMPTY
        return Resources.of([disk_source(self.message.info)])

    @property
    def uuid(self) -> bytes:
        """The name agent and master use."""
        return self.message.uuid.value

    @property
    def agent_id(self) -> str:
        """Where it is applied."""
        return self.message.slave_id.value

    @property
    def info(self) -> v0.Offer.Operation:
        """What was asked for."""
        return self.message.info

    @property
    def feedback_id(self) -> str | None:
        """The id its framework gave it to hear of its state; None when nobody wants to hear."""
        return self.message.info.id.value if self.message.info.HasField("id") else None

    @property
    def state(self) -> int:
        """The latest OperationState."""
        return self.message.latest_status.state

    def shown_status(self) -> v0.OperationStatus:
        """Copy the status a framework is told on reconciliation: without uuid, as nobody need acknowledge it."""
        status = v0.OperationStatus()
        status.CopyFrom(self.message.statuses[-1] if self.message.statuses else self.message.latest_status)
        status.ClearField("uuid")
        return status
