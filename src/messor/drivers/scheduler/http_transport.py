"""A scheduler session over the v1 HTTP API: one connection for SUBSCRIBE's event stream, one for all other calls."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from messor.drivers.outcomes import ACCEPTED, Outcome, Told, What
from messor.drivers.own import read_record
from messor.drivers.scheduler.interfaces import REFUSED, TransportEvents
from messor.errors import ConfigurationError, ConnectionLost, ProtocolError
from messor.protos import v0, v0_scheduler, v1_scheduler
from messor.runtime.host import Host, HttpConnection, ReplyStream, Running, Timer
from messor.security.credentials import Credential
from messor.security.http_basic import header_for
from messor.wire.json_codec import to_json
from messor.wire.recordio import RecordDecoder
from messor.wire.upid import Upid
from messor.wire.versions import devolve, evolve

if TYPE_CHECKING:
    from messor.runtime.actor import Actor

log = logging.getLogger(__name__)

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
PATH = "/master/api/v1/scheduler"

SILENCE_FACTOR = 5
"""Heartbeats that may be missing before the stream counts as broken; as many as upstream's library allows."""

FIRST_SILENCE = 75.0
"""Seconds a master may take to answer SUBSCRIBE, and then to send the first event."""

DRAIN_STEP = 0.002
"""Seconds between two looks at what is unanswered, when a driver stops."""

Event = v1_scheduler.Event


class HttpTransport:
    """Talks to ``/api/v1/scheduler`` of the leading master, in protobuf or JSON."""

    def __init__(
        self, content_type: str = PROTOBUF, credential: Credential | Callable[[], Credential] | None = None
    ) -> None:
        """Start aimed at nobody. credential: sent with every request."""
        self._content_type = content_type
        self._credential = credential
        self._is_json = content_type == JSON
        self._session: TransportEvents
        self._host: Host
        self._address: tuple[str, int] | None = None
        """Whom to talk to: the detected master, or whom it sent us to."""
        self._detected: tuple[str, int] | None = None
        self._stream_id: str | None = None
        self._calls: HttpConnection | None = None
        self._events: ReplyStream | None = None
        self._subscription: Running | None = None
        self._watchdog: Timer | None = None
        self._silence = 0.0
        self._heard = 0.0
        self._generation = 0
        """Counts what was dropped, so that the leftovers of a dead connection cannot break the next one."""
        self._unanswered = 0
        """Calls that are on their way."""

    # --- what the session asks ---------------------------------------------------------------------------------------

    def attach(self, session: TransportEvents) -> None:
        """Take the session, whose host this transport uses."""
        self._session = session
        actor: Actor = session  # type: ignore[assignment]  # sessions are actors
        self._host = actor.host

    def connect(self, master: v0.MasterInfo) -> None:
        """Aim at the master's address; connections are made when something is sent."""
        self.disconnect()
        self._address = self._detected = (master.address.ip or master.hostname, master.port)

    def disconnect(self) -> None:
        """Close both connections."""
        self._drop()
        self._address = self._detected = None

    def _drop(self) -> None:
        self._drop_events()
        self._drop_calls()

    def _drop_calls(self) -> None:
        if self._calls is not None:
            self._calls.close()
            self._calls = None

    def _drop_events(self) -> None:
        self._generation += 1
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if self._subscription is not None:
            self._subscription.cancel()
            self._subscription = None
        if self._events is not None:
            self._events.close()
            self._events = None
        self._stream_id = None

    def subscribe(self, call: v0_scheduler.Call) -> None:
        """Open the event stream, unless an attempt is under way."""
        if self._subscription is None or self._subscription.done():
            self._subscription = self._host.tasks.spawn(self._subscribe(self._encode(call)), "SUBSCRIBE")

    def send(self, call: v0_scheduler.Call, told: Told | None = None) -> None:
        """Send a call on the second connection; a refusal is logged, a break ends the subscription."""
        assert self._address is not None
        try:
            headers = self._headers()
        except ConfigurationError as error:
            if told is not None:
                told(Outcome(What.REJECTED, str(error)))
            self._session.on_error(str(error))
            return
        if self._calls is None:
            self._calls = self._host.network.http(*self._address)
        if self._stream_id is not None:
            headers["Mesos-Stream-Id"] = self._stream_id
        kind = v0_scheduler.Call.Type.Name(call.type)
        self._unanswered += 1
        self._host.tasks.spawn(self._sent(kind, self._calls, headers, self._encode(call), told), kind)

    async def drained(self) -> None:
        """Wait for the answers to all calls; the caller limits the time."""
        while self._unanswered:
            await self._host.tasks.sleep(DRAIN_STEP)

    def deactivate(self, framework_id: v0.FrameworkID) -> None:  # noqa: ARG002  (the interface's)
        """Close the stream: the HTTP API's way to stop hearing without tearing down. Earlier calls are still sent."""
        self._drop_events()
        self._host.tasks.spawn(self._part(), "last calls")

    async def _part(self) -> None:
        await self.drained()
        self._drop_calls()

    def message_agent(self, agent: Upid, framework_id: v0.FrameworkID, call: v0_scheduler.Call) -> bool:  # noqa: ARG002
        """Agents take no messages from HTTP frameworks."""
        return False

    # --- calls -------------------------------------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": self._content_type, "Accept": self._content_type}
        credential = self._credential() if callable(self._credential) else self._credential
        if credential is not None:
            headers["Authorization"] = header_for(credential)
        return headers

    def _encode(self, call: v0_scheduler.Call) -> bytes:
        message = evolve(call)
        return to_json(message) if self._is_json else message.SerializeToString()

    async def _sent(
        self, kind: str, calls: HttpConnection, headers: dict[str, str], body: bytes, told: Told | None
    ) -> None:
        outcome = Outcome(What.UNKNOWN, f"{kind} was given up before its answer")
        try:
            reply = await calls.request("POST", PATH, headers, body)
            if reply.status in (200, 202):
                outcome = ACCEPTED
            else:
                outcome = Outcome(What.REJECTED, f"{reply.status}: {reply.body.decode(errors='replace')}")
                log.error("The master refused %s with %s", kind, outcome.reason)
        except ConnectionLost as error:
            outcome = Outcome(What.UNKNOWN, str(error))
            if calls is self._calls:
                self._broken(f"{kind} could not be sent: {error}")
        finally:
            self._unanswered -= 1
            if told is not None:
                told(outcome)

    # --- events ------------------------------------------------------------------------------------------------------

    async def _subscribe(self, body: bytes) -> None:
        """Hold the event stream until it ends; every way out but a refusal leads to another attempt."""
        assert self._address is not None
        generation = self._generation
        try:
            await self._follow(body)
        except ConfigurationError as error:
            self._session.on_error(str(error))
        except (ConnectionLost, ProtocolError, TimeoutError) as error:
            if generation == self._generation:
                self._broken(str(error) or f"SUBSCRIBE was not answered for {FIRST_SILENCE:g} seconds")

    async def _follow(self, body: bytes) -> None:
        assert self._address is not None
        connection = self._host.network.http(*self._address)
        asking = connection.stream("POST", PATH, self._headers(), body)
        try:
            stream = await self._host.tasks.within(FIRST_SILENCE, asking)
        except BaseException:
            connection.close()  # it may just have been opened, for nobody
            raise
        try:
            await self._read(stream)
        finally:
            stream.close()

    async def _read(self, stream: ReplyStream) -> None:
        if stream.status != 200:
            text = b"".join([chunk async for chunk in stream.chunks()]).decode(errors="replace")
            self._refused(stream, text)
            return
        self._events = stream
        self._watch(FIRST_SILENCE)
        self._stream_id = stream.headers.get("mesos-stream-id")
        decoder = RecordDecoder()
        async for chunk in stream.chunks():
            self._heard = self._host.clock.monotonic()
            for record in decoder.feed(chunk):
                self._received(record)
                if self._events is not stream:
                    return
        raise ConnectionLost("the master closed the event stream")

    def _refused(self, stream: ReplyStream, text: str) -> None:
        """Follow redirects, wait for a master that recovers, give up on anything else (protocols c.3)."""
        if stream.status == 307:
            target = urlsplit(stream.headers.get("location", ""))
            if target.hostname:
                log.info("The leading master is %s:%s", target.hostname, target.port)
                self._address = (target.hostname, target.port or 5050)
            self._session.on_broken("redirected to the leading master")
        elif stream.status in (404, 503):
            self._address = self._detected
            self._session.on_broken(f"{stream.status}: {text}")
        elif stream.status == 401:
            self._session.on_error(REFUSED)
        else:
            self._session.on_error(f"The master refused the subscription with {stream.status}: {text}")

    def _broken(self, why: str) -> None:
        # Whom we were sent to does not lead any more, or never did: ask again who does.
        self._address = self._detected
        self._subscription = None
        self._drop()
        self._session.on_broken(why)

    def _received(self, record: bytes) -> None:
        event = read_record(record, Event, is_json=self._is_json)
        session = self._session
        match event.type:
            case Event.UPDATE:
                session.on_update(devolve(event.update.status))
            case Event.OFFERS:
                session.on_offers([devolve(offer) for offer in event.offers.offers], ())
            case Event.HEARTBEAT:
                pass
            case Event.SUBSCRIBED:
                self._subscribed(event.subscribed)
            case Event.RESCIND:
                session.on_rescinded(devolve(event.rescind.offer_id))
            case Event.MESSAGE:
                message = event.message
                session.on_message(devolve(message.executor_id), devolve(message.agent_id), message.data)
            case Event.FAILURE:
                self._failure(event.failure)
            case Event.ERROR:
                session.on_error(event.error.message)
            case _:
                self._received_modern(event)

    def _received_modern(self, event: v1_scheduler.Event) -> None:
        """Take what the classic driver has no callback for."""
        session = self._session
        match event.type:
            case Event.INVERSE_OFFERS:
                session.on_inverse_offers([devolve(offer) for offer in event.inverse_offers.inverse_offers])
            case Event.RESCIND_INVERSE_OFFER:
                session.on_inverse_rescinded(devolve(event.rescind_inverse_offer.inverse_offer_id))
            case Event.UPDATE_OPERATION_STATUS:
                session.on_operation_updated(devolve(event.update_operation_status.status))
            case _:
                log.info("Ignoring an event of type %d, which this driver does not know", event.type)

    def _subscribed(self, subscribed: v1_scheduler.Event.Subscribed) -> None:
        self._watch(subscribed.heartbeat_interval_seconds * SILENCE_FACTOR)
        master = devolve(subscribed.master_info) if subscribed.HasField("master_info") else None
        self._session.on_subscribed(devolve(subscribed.framework_id), master)

    def _failure(self, failure: v1_scheduler.Event.Failure) -> None:
        agent_id = v0.SlaveID(value=failure.agent_id.value)
        if failure.HasField("executor_id"):
            self._session.on_executor_lost(devolve(failure.executor_id), agent_id, failure.status)
        else:
            self._session.on_agent_lost(agent_id)

    def _watch(self, silence: float) -> None:
        """Watch that something is heard every so many seconds; 0 for a master that sends no heartbeats."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        self._silence = silence
        self._heard = self._host.clock.monotonic()
        if silence > 0:
            self._watchdog = self._host.clock.after(silence, self._check_silence)

    def _check_silence(self) -> None:
        """Break a stream on which not even heartbeats come (a half-open connection)."""
        left = self._heard + self._silence - self._host.clock.monotonic()
        if left > 0:
            self._watchdog = self._host.clock.after(left, self._check_silence)
        elif self._events is not None:
            self._watchdog = None
            self._broken(f"nothing was heard for {self._silence:g} seconds")
