"""What an asyncio scheduler iterates over: one class per kind of event."""

from __future__ import annotations

from dataclasses import dataclass

from messor.model.task_states import is_terminal
from messor.protos import v0


@dataclass(frozen=True, slots=True)
class Registered:
    """The first subscription of this scheduler succeeded, also one with an id given (failover)."""

    framework_id: str
    master: v0.MasterInfo


@dataclass(frozen=True, slots=True)
class Reregistered:
    """A later subscription succeeded: after a break or under a new leader. Reconcile now."""

    master: v0.MasterInfo


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The master was lost; all offers are void. The scheduler reconnects by itself."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Resources to accept or decline."""

    offers: tuple[v0.Offer, ...]


@dataclass(frozen=True, slots=True)
class Rescinded:
    """An offer is void."""

    offer_id: str


@dataclass(frozen=True, slots=True)
class Update:
    """A task changed its state, or a reconciliation was answered."""

    status: v0.TaskStatus

    @property
    def task_id(self) -> str:
        """The task."""
        return self.status.task_id.value

    @property
    def agent_id(self) -> str:
        """Its agent; empty when the master does not know."""
        return self.status.slave_id.value

    @property
    def state(self) -> str:
        """The state's name, such as ``TASK_RUNNING``."""
        return v0.TaskState.Name(self.status.state)

    @property
    def is_terminal(self) -> bool:
        """Whether the task has ended."""
        return is_terminal(self.status.state)

    @property
    def needs_acknowledgement(self) -> bool:
        """Whether it will come again until it is acknowledged."""
        return bool(self.status.uuid)


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes from an executor, at most once."""

    executor_id: str
    agent_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class AgentLost:
    """An agent is gone."""

    agent_id: str


@dataclass(frozen=True, slots=True)
class ExecutorLost:
    """An executor ended; status is a raw wait(2) status word."""

    executor_id: str
    agent_id: str
    status: int


@dataclass(frozen=True, slots=True)
class InverseOffers:
    """The master asks for resources back, for maintenance."""

    offers: tuple[v0.InverseOffer, ...]


@dataclass(frozen=True, slots=True)
class InverseRescinded:
    """An inverse offer is void."""

    offer_id: str


@dataclass(frozen=True, slots=True)
class OperationUpdate:
    """An offer operation that was given an id changed its state. HTTP only."""

    status: v0.OperationStatus

    @property
    def operation_id(self) -> str:
        """The id the scheduler gave it."""
        return self.status.operation_id.value

    @property
    def state(self) -> str:
        """The state's name, such as ``OPERATION_FINISHED``."""
        return v0.OperationState.Name(self.status.state)


Event = (
    Registered
    | Reregistered
    | Disconnected
    | Offers
    | Rescinded
    | Update
    | Message
    | AgentLost
    | ExecutorLost
    | InverseOffers
    | InverseRescinded
    | OperationUpdate
)
"""Anything a scheduler hears. What ends it is no event: iteration raises FrameworkFailed or FrameworkRemoved."""
