"""Telling frameworks and agents something, whichever way they are connected.

The master always makes the rich internal message. A framework connected by pid gets it as it is; one connected by HTTP
gets the Event projected from it, in the media type it asked for, as one record. What is encoded already is never
encoded again: a status update from an agent goes on with its own bytes.
"""

from __future__ import annotations

import logging

from google.protobuf.message import Message

from messor.errors import LocalProtocolError
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord, HttpStream
from messor.master.state.tables import MasterState
from messor.protos import internal, v0_scheduler, v1_scheduler
from messor.runtime.host import Host
from messor.wire.json_codec import to_json
from messor.wire.legacy_scheduler import HEARTBEATS, event_bytes, event_json
from messor.wire.media_types import JSON, PROTOBUF
from messor.wire.recordio import encode_record
from messor.wire.splicing import nested
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

OFFERS_NAME = internal.ResourceOffersMessage.DESCRIPTOR.full_name
OFFERS_HEAD = v1_scheduler.Event(type=v1_scheduler.Event.OFFERS).SerializeToString()
HEARTBEAT_RECORDS = {True: encode_record(HEARTBEATS[JSON]), False: encode_record(HEARTBEATS[PROTOBUF])}
"""The framed heartbeat, by whether the stream is JSON."""

Event = v0_scheduler.Event
OFFERS: int = Event.OFFERS
EVENT_NUMBERS: dict[type[Message], int] = {
    internal.FrameworkRegisteredMessage: Event.SUBSCRIBED,
    internal.FrameworkReregisteredMessage: Event.SUBSCRIBED,
    internal.RescindResourceOfferMessage: Event.RESCIND,
    internal.InverseOffersMessage: Event.INVERSE_OFFERS,
    internal.RescindInverseOfferMessage: Event.RESCIND_INVERSE_OFFER,
    internal.StatusUpdateMessage: Event.UPDATE,
    internal.UpdateOperationStatusMessage: Event.UPDATE_OPERATION_STATUS,
    internal.LostSlaveMessage: Event.FAILURE,
    internal.ExitedExecutorMessage: Event.FAILURE,
    internal.ExecutorToFrameworkMessage: Event.MESSAGE,
    internal.FrameworkErrorMessage: Event.ERROR,
}
"""What each message counts as among a framework's events."""


class Outbox:
    """Sends, and knows who is reached how."""

    def __init__(self, *, host: Host, upid: Upid, state: MasterState) -> None:
        """Send as upid, which is the master's."""
        self.network = host.network
        self.upid = upid
        self.state = state
        self._names: dict[type[Message], str] = {}

    # --- frameworks --------------------------------------------------------------------------------------------------

    def to_framework(self, framework: FrameworkRecord, message: Message) -> None:
        """Tell a framework; dropped when it is not connected. Raises LocalProtocolError for incomplete messages."""
        self.pass_on(framework, message, self._encoded(message))

    def pass_on(self, framework: FrameworkRecord, message: Message, body: bytes) -> None:
        """Tell a framework what is encoded already: body is the message's encoding."""
        number = EVENT_NUMBERS.get(type(message))
        if number is not None:
            framework.counts.events[number] += 1
        stream = framework.stream
        if stream is not None:
            self.to_stream(stream, message, body)
        elif framework.pid is not None and framework.is_connected:
            self.network.send(self.upid, framework.pid, self._name(type(message)), body)
        else:
            log.warning(
                "Not sending %s to framework %s, which is not connected", self._name(type(message)), framework.id
            )

    def to_stream(self, stream: HttpStream, message: Message, body: bytes | None = None) -> None:
        """Write the Event for a message to an HTTP framework's stream."""
        if body is None:
            body = self._encoded(message)
        event = event_json(message, body) if stream.is_json else event_bytes(message, body)
        stream.pipe.write(encode_record(event))

    def event(self, framework: FrameworkRecord, event: v1_scheduler.Event) -> None:
        """Write an Event that has no internal message; dropped unless the framework is connected by HTTP."""
        stream = framework.stream
        if stream is not None:
            framework.counts.events[event.type] += 1
            stream.pipe.write(encode_record(to_json(event) if stream.is_json else event.SerializeToString()))

    def heartbeat(self, stream: HttpStream) -> None:
        """Write a heartbeat."""
        if stream.counts is not None:
            stream.counts.events[Event.HEARTBEAT] += 1
        stream.pipe.write(HEARTBEAT_RECORDS[stream.is_json])

    def offers(self, framework: FrameworkRecord, offers: list[bytes], pids: list[bytes]) -> None:
        """Tell of offers: pieces of the encoded fields 1 (offers) and 2 (agents' pids) of a ResourceOffersMessage."""
        framework.counts.events[OFFERS] += 1
        stream = framework.stream
        if stream is None:
            if framework.pid is not None:
                self.network.send(self.upid, framework.pid, OFFERS_NAME, b"".join(offers + pids))
            return
        event = OFFERS_HEAD + nested(3, b"".join(offers))
        if stream.is_json:
            event = to_json(v1_scheduler.Event.FromString(event))
        stream.pipe.write(encode_record(event))

    # --- agents and anybody ------------------------------------------------------------------------------------------

    def to_agent(self, agent: AgentRecord, message: Message) -> None:
        """Tell an agent; raises LocalProtocolError for incomplete messages."""
        self.network.send(self.upid, agent.pid, self._name(type(message)), self._encoded(message))

    def to_agent_bytes(self, agent: AgentRecord, name: str, body: bytes) -> None:
        """Tell an agent what is encoded already; name is the message's full name."""
        self.network.send(self.upid, agent.pid, name, body)

    def to_pid(self, pid: Upid, message: Message) -> None:
        """Tell anybody, known or not; raises LocalProtocolError for incomplete messages."""
        self.network.send(self.upid, pid, self._name(type(message)), self._encoded(message))

    def link(self, pid: Upid) -> None:
        """Hear of the end of a pid's process."""
        self.network.link(self.upid, pid)

    def unlink(self, pid: Upid) -> None:
        """Stop listening for the end of a pid's process."""
        self.network.unlink(self.upid, pid)

    # --- encoding ----------------------------------------------------------------------------------------------------

    def _name(self, kind: type[Message]) -> str:
        name = self._names.get(kind)
        if name is None:
            name = self._names[kind] = kind.DESCRIPTOR.full_name
        return name

    def _encoded(self, message: Message) -> bytes:
        if not message.IsInitialized():
            missing = ", ".join(message.FindInitializationErrors())  # type: ignore[attr-defined]
            raise LocalProtocolError(f"{self._name(type(message))} lacks {missing}")
        return message.SerializeToString()
