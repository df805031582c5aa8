"""A scheduler session over libprocess: Calls out, the pre-1.0 messages in (S41, S43)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from messor.drivers.outcomes import SENT, Told
from messor.drivers.scheduler.interfaces import REFUSED, TransportEvents
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.security.authenticatee import Authentication, Patience
from messor.security.credentials import Credential
from messor.wire.upid import NOBODY, Upid, parse_upid

if TYPE_CHECKING:
    from messor.runtime.actor import Actor


class LibprocessTransport(Component):
    """Talks to the leading master's actor; everything from anybody else is dropped, but for framework messages."""

    def __init__(
        self, credential: Credential | Callable[[], Credential] | None = None, patience: Patience | None = None
    ) -> None:
        """Start aimed at nobody. credential: proved to every master before it is asked for anything (S42)."""
        self._master = NOBODY
        self._credential = credential
        self._patience = patience
        self._authentication: Authentication | None = None
        self._actor: Actor
        self._session: TransportEvents

    # --- what the session asks ---------------------------------------------------------------------------------------

    def attach(self, session: TransportEvents) -> None:
        """Take the session, which is also the actor that sends."""
        self._session = session
        actor: Actor = session  # type: ignore[assignment]  # the session is the actor on this transport
        self._actor = actor
        if self._credential is not None:
            self._authentication = Authentication(
                actor.host,
                actor.upid,
                self._credential,
                proven=session.on_ready,
                refused=lambda: session.on_error(REFUSED),
                lacking=session.on_error,
                patience=self._patience,
            )

    def connect(self, master: v0.MasterInfo) -> None:
        """Link the master, so that the socket is kept and order holds."""
        self.disconnect()
        self._master = parse_upid(master.pid)
        self._actor.link(self._master)

    def disconnect(self) -> None:
        """Let go of the link."""
        if self._master is not NOBODY:
            self._actor.host.network.unlink(self._actor.upid, self._master)
        self._master = NOBODY
        if self._authentication is not None:
            self._authentication.stop()

    def subscribe(self, call: v0_scheduler.Call) -> None:
        """Send SUBSCRIBE as a Call message; the link is made anew in case it broke, and the credential proved anew."""
        self._actor.link(self._master)
        authentication = self._authentication
        if authentication is None or authentication.is_proven_to(self._master):
            self.send(call)
        elif not authentication.is_under_way_with(self._master):
            authentication.begin(self._master)

    def send(self, call: v0_scheduler.Call, told: Told | None = None) -> None:
        """Send a Call message, which nobody answers."""
        self._actor.send(self._master, call)
        if told is not None:
            told(SENT)

    async def drained(self) -> None:
        """Return at once: a stopping node writes what was sent."""

    def deactivate(self, framework_id: v0.FrameworkID) -> None:
        """Send DeactivateFrameworkMessage; there is no Call for it."""
        self._actor.send(self._master, internal.DeactivateFrameworkMessage(framework_id=framework_id))

    def message_agent(self, agent: Upid, framework_id: v0.FrameworkID, call: v0_scheduler.Call) -> bool:
        """Send FrameworkToExecutorMessage to the agent itself."""
        message = internal.FrameworkToExecutorMessage(
            slave_id=call.message.slave_id,
            framework_id=framework_id,
            executor_id=call.message.executor_id,
            data=call.message.data,
        )
        self._actor.send(agent, message)
        return True

    # --- what arrives ------------------------------------------------------------------------------------------------

    def _is_wanted(self, sender: Upid, what: object) -> bool:
        """Whether a message counts: from the leading master, while connected."""
        if sender != self._master:
            self.ignore(what, f"it is from {sender}, not from the leading master {self._master}")
            return False
        if not self._session.is_connected:
            self.ignore(what, "the driver is not connected")
            return False
        return True

    def _registered(self, sender: Upid, message: object, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        if sender != self._master:
            self.ignore(message, f"it is from {sender}, not from the leading master {self._master}")
        else:
            self._session.on_subscribed(framework_id, master)

    @on(internal.FrameworkRegisteredMessage)
    def registered(self, sender: Upid, message: internal.FrameworkRegisteredMessage) -> None:
        """The master accepted the subscription."""
        self._registered(sender, message, message.framework_id, message.master_info)

    @on(internal.FrameworkReregisteredMessage)
    def reregistered(self, sender: Upid, message: internal.FrameworkReregisteredMessage) -> None:
        """The master accepted a repeated subscription."""
        self._registered(sender, message, message.framework_id, message.master_info)

    @on(internal.ResourceOffersMessage)
    def offered(self, sender: Upid, message: internal.ResourceOffersMessage) -> None:
        """Offers arrived."""
        if self._is_wanted(sender, message):
            self._session.on_offers(message.offers, message.pids)

    @on(internal.RescindResourceOfferMessage)
    def rescinded(self, sender: Upid, message: internal.RescindResourceOfferMessage) -> None:
        """An offer ended."""
        if self._is_wanted(sender, message):
            self._session.on_rescinded(message.offer_id)

    @on(internal.StatusUpdateMessage)
    def updated(self, sender: Upid, message: internal.StatusUpdateMessage) -> None:
        """A task's status arrived; the driver itself may be the sender of synthetic ones."""
        if not self._is_wanted(sender, message):
            return
        update = message.update
        status = update.status
        # The outer message wins: executors may leave these out of the status (protocols c.7).
        if update.HasField("slave_id"):
            status.slave_id.CopyFrom(update.slave_id)
        if update.HasField("executor_id"):
            status.executor_id.CopyFrom(update.executor_id)
        status.timestamp = update.timestamp
        if update.uuid and message.pid:
            status.uuid = update.uuid
        else:
            status.ClearField("uuid")  # master-made: must not be acknowledged (trap 6)
        self._session.on_update(status)

    @on(internal.LostSlaveMessage)
    def agent_lost(self, sender: Upid, message: internal.LostSlaveMessage) -> None:
        """An agent is gone."""
        if self._is_wanted(sender, message):
            self._session.on_agent_lost(message.slave_id)

    @on(internal.ExitedExecutorMessage)
    def executor_exited(self, sender: Upid, message: internal.ExitedExecutorMessage) -> None:
        """An executor ended."""
        if self._is_wanted(sender, message):
            self._session.on_executor_lost(message.executor_id, message.slave_id, message.status)

    @on(internal.ExecutorToFrameworkMessage)
    def message_arrived(self, sender: Upid, message: internal.ExecutorToFrameworkMessage) -> None:  # noqa: ARG002
        """An executor sent bytes; agents send these directly, so the sender is not checked (S7)."""
        if self._session.is_connected:
            self._session.on_message(message.executor_id, message.slave_id, message.data)

    @on(internal.FrameworkErrorMessage)
    def failed(self, sender: Upid, message: internal.FrameworkErrorMessage) -> None:
        """The master refuses this framework."""
        if sender != self._master:
            self.ignore(message, f"it is from {sender}, not from the leading master {self._master}")
        else:
            self._session.on_error(message.message)

    @on(internal.InverseOffersMessage)
    def inverse_offered(self, sender: Upid, message: internal.InverseOffersMessage) -> None:
        """The master asks for resources back; the classic face has no callback for it."""
        if self._is_wanted(sender, message):
            self._session.on_inverse_offers(message.inverse_offers)

    @on(internal.RescindInverseOfferMessage)
    def inverse_rescinded(self, sender: Upid, message: internal.RescindInverseOfferMessage) -> None:
        """An inverse offer ended."""
        if self._is_wanted(sender, message):
            self._session.on_inverse_rescinded(message.inverse_offer_id)
