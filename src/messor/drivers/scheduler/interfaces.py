"""What stands between a scheduler session, its transport and its listener."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from messor.drivers.outcomes import Told
from messor.protos import v0, v0_scheduler
from messor.wire.upid import Upid

REFUSED = "Master refused authentication"
"""What ``error`` is told when the master does not believe the credential (S42)."""


class SchedulerListener(Protocol):
    """Who hears of a session's events; called in the loop's thread, one at a time."""

    def registered(self, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        """Handle the first successful subscription of this session."""
        ...

    def reregistered(self, master: v0.MasterInfo) -> None:
        """Handle a later one."""
        ...

    def disconnected(self) -> None:
        """Handle the loss of the master; all offers are void."""
        ...

    def offers(self, offers: Sequence[v0.Offer]) -> None:
        """Handle a batch of offers."""
        ...

    def rescinded(self, offer_id: v0.OfferID) -> None:
        """Handle the end of an offer."""
        ...

    def update(self, status: v0.TaskStatus) -> None:
        """Handle a status; it must be acknowledged when it has a uuid."""
        ...

    def message(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, data: bytes) -> None:
        """Handle bytes from an executor."""
        ...

    def agent_lost(self, agent_id: v0.SlaveID) -> None:
        """Handle the loss of an agent."""
        ...

    def executor_lost(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, status: int) -> None:
        """Handle an executor's end; status is a raw wait(2) status word."""
        ...

    def failed(self, message: str) -> None:
        """Handle an unrecoverable error; the session is aborted already."""
        ...


class ModernListener(Protocol):
    """Who hears of what the classic callbacks have no word for; called like a SchedulerListener."""

    def inverse_offers(self, offers: Sequence[v0.InverseOffer]) -> None:
        """Handle requests to give resources back, for maintenance."""
        ...

    def inverse_rescinded(self, offer_id: v0.OfferID) -> None:
        """Handle the end of an inverse offer."""
        ...

    def operation_updated(self, status: v0.OperationStatus) -> None:
        """Handle feedback on an offer operation; it must be acknowledged when it has a uuid."""
        ...


class Transport(Protocol):
    """How a session talks to a master."""

    def attach(self, session: TransportEvents) -> None:
        """Say who hears of what arrives; called once, before anything else."""
        ...

    def connect(self, master: v0.MasterInfo) -> None:
        """Aim at a master; forget the one before."""
        ...

    def disconnect(self) -> None:
        """Aim at nobody."""
        ...

    def subscribe(self, call: v0_scheduler.Call) -> None:
        """Send SUBSCRIBE; the session repeats it until it is answered."""
        ...

    def send(self, call: v0_scheduler.Call, told: Told | None = None) -> None:
        """Send any other call, in order; told hears what became of it."""
        ...

    async def drained(self) -> None:
        """Wait until everything sent so far was answered, or written where nothing is answered."""
        ...

    def deactivate(self, framework_id: v0.FrameworkID) -> None:
        """Tell the master to stop offering (an aborted driver)."""
        ...

    def message_agent(self, agent: Upid, framework_id: v0.FrameworkID, call: v0_scheduler.Call) -> bool:
        """Send a MESSAGE call's data straight to an agent; False when this transport cannot."""
        ...


class TransportEvents(Protocol):
    """What a transport tells its session."""

    @property
    def is_connected(self) -> bool:
        """Whether it is subscribed: transports drop events that arrive otherwise."""
        ...

    def on_ready(self) -> None:
        """Take that the master may be asked now: subscribe without waiting for the next attempt."""
        ...

    def on_subscribed(self, framework_id: v0.FrameworkID, master: v0.MasterInfo | None) -> None:
        """Take the answer to SUBSCRIBE."""
        ...

    def on_offers(self, offers: Sequence[v0.Offer], pids: Sequence[str]) -> None:
        """Take offers; pids are their agents' UPIDs, parallel, or empty."""
        ...

    def on_rescinded(self, offer_id: v0.OfferID) -> None:
        """Take the end of an offer."""
        ...

    def on_update(self, status: v0.TaskStatus) -> None:
        """Take a status; its uuid is set exactly when it must be acknowledged."""
        ...

    def on_message(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, data: bytes) -> None:
        """Take bytes from an executor."""
        ...

    def on_agent_lost(self, agent_id: v0.SlaveID) -> None:
        """Take the loss of an agent."""
        ...

    def on_executor_lost(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, status: int) -> None:
        """Take the end of an executor."""
        ...

    def on_inverse_offers(self, offers: Sequence[v0.InverseOffer]) -> None:
        """Take inverse offers."""
        ...

    def on_inverse_rescinded(self, offer_id: v0.OfferID) -> None:
        """Take the end of an inverse offer."""
        ...

    def on_operation_updated(self, status: v0.OperationStatus) -> None:
        """Take feedback on an operation."""
        ...

    def on_error(self, message: str) -> None:
        """Take an unrecoverable error from the master."""
        ...

    def on_broken(self, why: str) -> None:
        """Take the break of the connection; the session will subscribe again."""
        ...
