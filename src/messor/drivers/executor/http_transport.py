"""An executor session over the agent's v1 HTTP API (protocols c.4)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from messor.drivers.executor.environment import ExecutorEnvironment
from messor.drivers.executor.interfaces import ExecutorTransportEvents
from messor.drivers.own import read_record
from messor.errors import ConnectionLost, ProtocolError
from messor.protos import internal, v0, v1_executor
from messor.runtime.host import Host, HttpConnection, ReplyStream, Running, Timer
from messor.wire.json_codec import to_json
from messor.wire.recordio import RecordDecoder
from messor.wire.versions import devolve, evolve

if TYPE_CHECKING:
    from messor.runtime.actor import Actor

log = logging.getLogger(__name__)

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
PATH = "/slave(1)/api/v1/executor"
RESEND_SECONDS = 1.0

HEARTBEAT = 30 * 60.0
"""Seconds between two HEARTBEAT calls, as upstream's library makes them (Y1)."""

Call = v1_executor.Call
Event = v1_executor.Event


class HttpExecutorTransport:
    """Talks to ``/api/v1/executor``, in protobuf or JSON: one connection for the event stream, one for calls."""

    def __init__(self, environment: ExecutorEnvironment, content_type: str = PROTOBUF) -> None:
        """Take the agent's address from the environment."""
        self._environment = environment
        self._headers = {"Content-Type": content_type, "Accept": content_type}
        self._is_json = content_type == JSON
        self._session: ExecutorTransportEvents
        self._host: Host
        self._calls: HttpConnection | None = None
        self._events: ReplyStream | None = None
        self._subscription: Running | None = None
        self._heart: Timer | None = None
        self._closed = False
        self._listed: set[bytes] = set()
        """Uuids of the updates in the latest SUBSCRIBE."""
        self._again: Timer | None = None

    # --- what the session asks ---------------------------------------------------------------------------------------

    def attach(self, session: ExecutorTransportEvents) -> None:
        """Take the session, whose host this transport uses."""
        self._session = session
        actor: Actor = session  # type: ignore[assignment]  # sessions are actors
        self._host = actor.host

    def register(self) -> None:
        """Open the event stream."""
        self._heart = self._host.clock.after(HEARTBEAT, self.heartbeat)
        self._subscription = self._host.tasks.spawn(self._subscribe(0.0), "SUBSCRIBE")

    def retry(self, tasks: Sequence[v0.TaskInfo], updates: Sequence[internal.StatusUpdate]) -> None:  # noqa: ARG002
        """Open the event stream again after a random delay; what is unacknowledged is read when it is sent."""
        if not self._closed:
            delay = self._host.chance.random.uniform(0, self._environment.subscription_backoff)
            self._subscription = self._host.tasks.spawn(self._subscribe(delay), "SUBSCRIBE again")

    def send_update(self, update: internal.StatusUpdate) -> None:
        """Send UPDATE; one that cannot be sent stays unacknowledged and goes with the next SUBSCRIBE."""
        call = self._call(Call.UPDATE)
        call.update.status.CopyFrom(evolve(update.status))
        self._send("UPDATE", call, update.uuid)

    def send_message(self, data: bytes) -> None:
        """Send MESSAGE."""
        call = self._call(Call.MESSAGE)
        call.message.data = data
        self._send("MESSAGE", call)

    def heartbeat(self) -> None:
        """Send HEARTBEAT, so that nothing between us and the agent takes the connection for a dead one, and again."""
        if not self._closed:
            self._send("HEARTBEAT", self._call(Call.HEARTBEAT))
            self._heart = self._host.clock.after(HEARTBEAT, self.heartbeat)

    def close(self) -> None:
        """Close both connections."""
        self._closed = True
        if self._heart is not None:
            self._heart.cancel()
        self._drop()
        if self._subscription is not None:
            self._subscription.cancel()
        if self._again is not None:
            self._again.cancel()

    # --- calls -------------------------------------------------------------------------------------------------------

    def _call(self, kind: v1_executor.Call.Type) -> v1_executor.Call:
        call = Call(type=kind)
        call.framework_id.value = self._environment.framework_id
        call.executor_id.value = self._environment.executor_id
        return call

    def _send(self, name: str, call: v1_executor.Call, uuid: bytes = b"") -> None:
        if self._calls is None:
            self._calls = self._host.network.http(*self._environment.endpoint)
        self._host.tasks.spawn(self._sent(name, self._calls, self._encode(call), uuid), name)

    def _encode(self, call: v1_executor.Call) -> bytes:
        return to_json(call) if self._is_json else call.SerializeToString()

    async def _sent(self, name: str, calls: HttpConnection, body: bytes, uuid: bytes) -> None:
        try:
            reply = await calls.request("POST", PATH, self._headers, body)
        except ConnectionLost as error:
            log.warning("%s could not be sent: %s", name, error)
            if self._calls is not None:
                self._calls.close()
                self._calls = None
            if self._again is None and not self._closed:
                # While the event stream holds there is no SUBSCRIBE for it to go with.
                self._again = self._host.clock.after(RESEND_SECONDS, self._send_again)
            return
        if reply.status == 202:
            return
        reason = f"{reply.status}: {reply.body.decode(errors='replace')}"
        log.error("The agent refused %s with %s", name, reason)
        if uuid and reply.status == 400:  # anything else may be mended by the next SUBSCRIBE
            self._session.on_refused(uuid, reason)

    def _send_again(self) -> None:
        """Send the updates that may have got lost with the connection for calls."""
        self._again = None
        if self._events is not None:
            for update in self._session.unacknowledged[1]:
                self.send_update(update)

    def _send_late(self) -> None:
        """Send the updates that the latest SUBSCRIBE lacks: sent before, they may have been refused."""
        for update in self._session.unacknowledged[1]:
            if update.uuid not in self._listed:
                self.send_update(update)

    def _drop(self) -> None:
        for connection in (self._events, self._calls):
            if connection is not None:
                connection.close()
        self._events = self._calls = None

    # --- events ------------------------------------------------------------------------------------------------------

    async def _subscribe(self, delay: float) -> None:
        if delay:
            await self._host.tasks.sleep(delay)
        try:
            await self._follow()
        except (ConnectionLost, ProtocolError) as error:
            self._drop()
            if not self._closed:
                self._session.on_broken(str(error))

    async def _follow(self) -> None:
        """Hold the event stream until it ends."""
        tasks, updates = self._session.unacknowledged
        call = self._call(Call.SUBSCRIBE)
        call.subscribe.SetInParent()
        call.subscribe.unacknowledged_tasks.extend(evolve(task) for task in tasks)
        for update in updates:
            call.subscribe.unacknowledged_updates.add(status=evolve(update.status))
        self._listed = {update.uuid for update in updates}
        connection = self._host.network.http(*self._environment.endpoint)
        try:
            stream = await connection.stream("POST", PATH, self._headers, self._encode(call))
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
            if stream.status in (404, 503):
                raise ConnectionLost(f"the agent answered SUBSCRIBE with {stream.status}: {text}")
            self._session.on_error(f"The agent refused the subscription with {stream.status}: {text}")
            return
        self._events = stream
        decoder = RecordDecoder()
        async for chunk in stream.chunks():
            for record in decoder.feed(chunk):
                self._received(read_record(record, Event, is_json=self._is_json))
        raise ConnectionLost("the agent closed the event stream")

    def _received(self, event: v1_executor.Event) -> None:
        session = self._session
        match event.type:
            case Event.SUBSCRIBED:
                subscribed = event.subscribed
                infos = (subscribed.executor_info, subscribed.framework_info, subscribed.agent_info)
                session.on_registered(*(devolve(info) for info in infos))
                self._send_late()
            case Event.LAUNCH:
                session.on_launch(devolve(event.launch.task))
            case Event.LAUNCH_GROUP:
                for task in event.launch_group.task_group.tasks:
                    session.on_launch(devolve(task))
            case Event.KILL:
                kill = event.kill
                policy = devolve(kill.kill_policy) if kill.HasField("kill_policy") else None
                session.on_kill(devolve(kill.task_id), policy)
            case Event.ACKNOWLEDGED:
                session.on_acknowledged(devolve(event.acknowledged.task_id), event.acknowledged.uuid)
            case Event.MESSAGE:
                session.on_message(event.message.data)
            case Event.SHUTDOWN:
                session.on_shutdown()
            case Event.ERROR:
                session.on_error(event.error.message)
            case Event.HEARTBEAT:
                pass
            case _:
                log.info("Ignoring %s: this driver has no callback for it", Event.Type.Name(event.type))
