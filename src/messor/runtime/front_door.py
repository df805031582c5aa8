"""The one door of a process: libprocess messages and ordinary HTTP on the same port.

A message is recognised from its head alone, delivered synchronously to its actor and answered 202; all replies to what
one read brought leave in one write. Ordinary requests go to the directory; replies leave in request order (protocols
a.7), streaming replies as one chunk per ``Pipe.write``.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from messor.errors import RemoteProtocolError
from messor.runtime.directory import Directory
from messor.runtime.http import Pipe, Request, Response, text_response
from messor.runtime.replies import ReplyWriter
from messor.runtime.reply_line import ReplyLine, Slot
from messor.runtime.request_bodies import ArrivingBody, ChunkedBody, FixedBody, parse_chunk_size
from messor.runtime.request_heads import Head, HeadCache, could_begin_head

if TYPE_CHECKING:
    from messor.runtime.actor import Actor

log = logging.getLogger(__name__)

MAX_HEAD = 80 * 1024
"""Bytes of a request head; beyond it the connection is closed, as the original does."""

MAX_BODY = 256 << 20
"""Bytes of a request body; beyond it 413."""

MAX_PIPELINED = 128
"""Unanswered requests on one connection before we stop reading it."""

READER_LIMIT = 64 << 20
"""Bytes a reader of a streaming reply may lag behind before its connection is closed."""

HELD = 1
STREAMING = 2


class FrontDoor:
    """Serves every connection of one listening socket."""

    def __init__(
        self,
        directory: Directory,
        run: Callable[[Coroutine[Any, Any, object], str], object],
        offload: Callable[..., asyncio.Future[Any]],
        *,
        verify_peer: bool = False,
        reader_limit: int = READER_LIMIT,
    ) -> None:
        """Serve a directory; ``run`` spawns a supervised task, ``offload`` runs a call in a thread.

        verify_peer: refuse messages whose UPID names another IP than the TCP peer's (protocols a.5).
        """
        self.directory = directory
        self.run = run
        self.offload = offload
        self.verify_peer = verify_peer
        self.reader_limit = reader_limit
        self.heads = HeadCache()
        self.replies = ReplyWriter()
        self.connections: set[Connection] = set()
        self._empty: asyncio.Event | None = None

    def connect(self) -> Connection:
        """Make the protocol of one accepted connection."""
        return Connection(self)

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self.connections):
            connection.close()

    async def closed(self, seconds: float) -> None:
        """Wait until all connections are gone; those that are not by then are broken off."""
        if self.connections:
            self._empty = asyncio.Event()
            try:
                await asyncio.wait_for(self._empty.wait(), seconds)
            except TimeoutError:
                for connection in list(self.connections):
                    connection.abort()

    def forget(self, connection: Connection) -> None:
        """Notice that a connection ended."""
        self.connections.discard(connection)
        if self._empty is not None and not self.connections:
            self._empty.set()


class Connection(ReplyLine):
    """One accepted connection."""

    def __init__(self, door: FrontDoor) -> None:
        """Belong to a front door."""
        super().__init__(door)
        self._front_door = door
        self._directory = door.directory
        self._heads = door.heads.known
        self._verify_peer = door.verify_peer
        self._recent: tuple[bytes, Head | None] = (b"", None)
        self._rest = b""
        self._checked = False
        self._head: Head | None = None
        self._body: FixedBody | ChunkedBody | None = None
        self._arriving: ArrivingBody | None = None
        self._pauses = 0

    @property
    def _is_inside_body(self) -> bool:
        """Whether a request's body is still arriving."""
        return self._body is not None

    # --- what asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports only look like it
        peer = transport.get_extra_info("peername")
        self._client = (peer[0], peer[1]) if isinstance(peer, tuple) else ("", 0)
        self._front_door.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Handle all complete requests of a read, then write all replies at once."""
        if self._last and self._body is None:
            return
        if self._rest:
            data = self._rest + data
            self._rest = b""
        self._consume(data)

    def eof_received(self) -> bool:
        """Answer what is pending to a peer that only closed its half; streaming readers are gone."""
        self._last = True
        if self._arriving is not None:
            self._arriving.fail("The peer ended the connection inside a body")
        return self._pipe is None and self._body is None and (bool(self._pending) or self._is_sending)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  (how it broke does not matter)
        """Tell streams that their other end is gone; handlers that still run are left to finish."""
        self._transport = None
        self._last = True
        self._front_door.forget(self)
        self._wake_sender()
        self._out.clear()
        waiting = [slot.response.body for slot in self._pending if slot.response is not None]
        self._pending.clear()
        self._rest = b""
        if self._arriving is not None:
            self._arriving.fail("The peer closed the connection inside a body")
            self._arriving = None
        pipe, self._pipe = self._pipe, None
        for body in (pipe, *waiting):
            if isinstance(body, Pipe):
                body.reader_gone()

    # --- reading -----------------------------------------------------------------------------------------------------

    def _consume(self, data: bytes) -> None:
        self._reading = True
        self._replies.renew()
        try:
            self._parse(data)
        except RemoteProtocolError as error:
            log.debug("Closing the connection of %s:%d: %s", *self._client, error)
            self._last = True
            self._flush()
            if self._transport is not None:
                self._transport.close()
        except Exception:
            log.exception("Failed on the connection of %s:%d", *self._client)
            if self._transport is not None:
                self._transport.abort()
        finally:
            self._reading = False
        if self._out:
            self._flush()

    def _parse(self, data: bytes) -> None:  # noqa: C901, PLR0912, PLR0915  (hot: calls cost more than they explain)
        position = 0
        size = len(data)
        heads = self._heads
        actors = self._directory.actors
        # A peer mostly sends what it sent before: comparing is cheaper than hashing.
        raw, head = self._recent
        while position < size:
            if self._body is not None:
                position = self._continue_body(data, position)
                continue
            if self._last:
                return
            if self._write_paused or len(self._pending) >= MAX_PIPELINED:
                self._hold(data[position:])
                return
            if head is not None and data.startswith(raw, position):
                end = position + len(raw)
            else:
                end = data.find(b"\r\n\r\n", position) + 4
                raw = data[position:end] if end != 3 else b""
                head = heads.get(raw)
                if head is None:
                    end = self._find_head(data, position)
                    if end < 0:
                        return
                    self._checked = False
                    raw = data[position:end]
                    head = self._front_door.heads.learn(raw)
                self._recent = (raw, head)
            length = head.length
            if length == 0:
                stop = position = end
            elif length > 0:
                stop = position = end + length
                if stop > size or head.streams or length > MAX_BODY:
                    position = self._begin_body(head, data, end)
                    continue
            else:
                # One chunk holds the whole body of every libprocess message.
                line = data.find(b"\r\n", end, end + 12)
                digits = data[end:line] if line > 0 else b""
                chunk = _CHUNK_SIZES.get(digits) or self._chunk_size(digits)
                stop = line + 2 + chunk
                if chunk == 0 or data[stop : stop + 7] != b"\r\n0\r\n\r\n" or head.streams:
                    position = self._begin_body(head, data, end)
                    continue
                end = line + 2
                position = stop + 7
            if head.is_plain_message and not self._pending and not self._is_sending and not self._verify_peer:
                actor = actors.get(head.receiver)
                if actor is not None:
                    actor.deliver(head.sender, head.name, data[end:stop])  # type: ignore[arg-type]  # it has a sender
                    self._out.append(self._replies.accepted)
                    if head.length < 0:
                        position = self._deliver_alike(actor, head, raw, data, position)
                    continue
            self._complete(head, data[end:stop])

    def _deliver_alike(self, actor: Actor, head: Head, raw: bytes, data: bytes, position: int) -> int:
        """Deliver the messages that follow with the very same head; gives the position behind them.

        A peer that has much to say pipelines such runs. What the loop above asks before each request cannot change in
        between, but for the actor, which a message may have ended.
        """
        actors = self._directory.actors
        deliver, receiver, sender, name, length = actor.deliver, head.receiver, head.sender, head.name, len(raw)
        assert sender is not None
        begin = position
        count = size = 0
        alike = raw  # head and chunk size of the last message: the next one is mostly as long
        while actors.get(receiver) is actor:
            if size and data.startswith(alike, begin):
                start = begin + len(alike)
            elif data.startswith(raw, begin):
                line = data.find(b"\r\n", begin + length, begin + length + 12)
                size = _CHUNK_SIZES.get(data[begin + length : line], 0) if line > 0 else 0
                if not size:
                    break
                start = line + 2
                alike = data[begin:start]
            else:
                break
            stop = start + size
            if not data.startswith(b"\r\n0\r\n\r\n", stop):
                break
            deliver(sender, name, data[start:stop])
            begin = stop + 7
            count += 1
        if count:
            self._out.append(self._replies.accepted * count)
        return begin

    def _chunk_size(self, digits: bytes) -> int:
        """Read a chunk size that is plain hexadecimal, and remember it; 0 for anything else."""
        if not digits.isalnum():
            return 0
        size = parse_chunk_size(digits)
        if len(_CHUNK_SIZES) < 65536:
            _CHUNK_SIZES[digits] = size
        return size

    def _find_head(self, data: bytes, position: int) -> int:
        """Find the end of a head that is not known, or keep what there is of it and give -1."""
        while data.startswith((b"\r\n", b"\n"), position):  # empty lines between requests are allowed
            position += 2 if data.startswith(b"\r\n", position) else 1
        ends = [
            found + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (found := data.find(mark, position)) >= position
        ]
        if ends:
            if min(ends) - position > MAX_HEAD:
                raise RemoteProtocolError("The head is too long")
            return min(ends)
        rest = data[position:]
        if len(rest) > MAX_HEAD or (rest and not self._checked and not could_begin_head(rest)):
            raise RemoteProtocolError("This is no HTTP")
        self._checked = True
        self._rest = rest
        return -1

    def _begin_body(self, head: Head, data: bytes, position: int) -> int:
        if head.length > MAX_BODY:
            return self._too_large(head, len(data))
        self._head = head
        self._body = ChunkedBody() if head.length < 0 else FixedBody(head.length)
        if head.streams and head.sender is None and self._directory.streams_body(head.path):
            self._arriving = ArrivingBody(self._pause_for_stream)
            self._serve(head, b"", self._arriving)
        if position >= len(data):
            return position
        return self._continue_body(data, position)

    def _continue_body(self, data: bytes, position: int) -> int:
        body, head = self._body, self._head
        assert body is not None
        assert head is not None
        position = body.feed(data, position)
        if self._arriving is not None:
            for part in body.parts:
                self._arriving.push(part)
            body.parts.clear()
        elif body.size > MAX_BODY:
            return self._too_large(head, len(data))
        if body.is_complete:
            self._body = self._head = None
            if self._arriving is not None:
                arriving, self._arriving = self._arriving, None
                arriving.end()
            elif body.has_extension:
                self._reply(head, text_response(500, "failed to decode body"))
            else:
                self._complete(head, b"".join(body.parts))
        return position

    def _too_large(self, head: Head, end: int) -> int:
        """Refuse a body; what follows on the connection cannot be told from it, so it ends."""
        self._body = self._head = None
        self._last = True
        slot = Slot(None)
        slot.pieces = self._replies.complete(text_response(413))
        self._pending.append(slot)
        log.warning("Refusing a body of %s from %s:%d: it is too large", head.path, *self._client)
        self._advance()
        return end

    def _hold(self, rest: bytes) -> None:
        self._rest = rest
        self._pause(HELD, paused=True)

    def _go_on(self) -> None:
        if self._pauses & HELD and not self._write_paused and len(self._pending) < MAX_PIPELINED:
            self._pause(HELD, paused=False)
            rest, self._rest = self._rest, b""
            self._consume(rest)

    def _pause_for_stream(self, paused: bool) -> None:
        self._pause(STREAMING, paused=paused)

    def _pause(self, why: int, *, paused: bool) -> None:
        before = self._pauses
        self._pauses = before | why if paused else before & ~why
        if self._transport is None or self._transport.is_closing():
            return
        if self._pauses and not before:
            self._transport.pause_reading()
        elif before and not self._pauses:
            self._transport.resume_reading()

    # --- serving -----------------------------------------------------------------------------------------------------

    def _complete(self, head: Head, body: bytes) -> None:
        """Handle a request that is all there."""
        if head.gzipped and body:
            try:
                body = _decompress(body)
            except zlib.error:
                self._reply(head, text_response(500, "failed to decode body"))
                return
        sender = head.sender
        if sender is None:
            self._serve(head, body, None)
            return
        actor = self._directory.actors.get(head.receiver)
        if actor is None or not head.name:
            reply = self._replies.not_found
        elif self._verify_peer and sender.ip != self._client[0]:
            text = f"UPID IP address validation failed: Message from {sender} was sent from IP {self._client[0]}"
            reply = b"".join(self._replies.complete(text_response(400, text)))
        else:
            actor.deliver(sender, head.name, body)
            reply = self._replies.accepted
        if self._pending or self._is_sending or not head.keep_alive:
            slot = Slot(head)
            slot.pieces = [reply]
            self._pending.append(slot)
            self._advance()
        else:
            self._out.append(reply)

    def _serve(self, head: Head, body: bytes, arriving: ArrivingBody | None) -> None:
        request = Request(head.method, head.path, head.headers, body, head.query_text, self._client)
        request.body_stream = arriving
        if log.isEnabledFor(logging.INFO):
            _log_request(head, self._client)
        answer = self._directory.answer(request)
        if isinstance(answer, Response):
            self._reply(head, answer)
            return
        slot = Slot(head)
        self._pending.append(slot)
        if not head.keep_alive:
            self._last = True
        self._door.run(self._finish(slot, answer), f"{head.method} {head.path}")

    async def _finish(self, slot: Slot, answer: Coroutine[Any, Any, Response]) -> None:
        self._answered(slot, await answer)


def _decompress(body: bytes) -> bytes:
    """Undo gzip, up to MAX_BODY bytes; raises zlib.error."""
    machine = zlib.decompressobj(wbits=31)
    result = machine.decompress(body, MAX_BODY)
    if not machine.eof:
        raise zlib.error("incomplete or too large")
    return result


_CHUNK_SIZES: dict[bytes, int] = {}
"""Sizes by their digits: a dictionary is faster than reading them again."""

_QUIET = ("/api/v1/scheduler", "/api/v1/executor")


def _log_request(head: Head, client: tuple[str, int]) -> None:
    """Log one line per request (feature L4); the two call APIs only when debugging, they would drown the rest."""
    level = logging.DEBUG if head.path.endswith(_QUIET) else logging.INFO
    if not log.isEnabledFor(level):
        return
    agent = head.headers.get("user-agent")
    origin = head.headers.get("x-forwarded-for")
    log.log(
        level,
        "HTTP %s for %s from %s:%d%s%s",
        head.method,
        head.path,
        *client,
        f" with User-Agent='{agent}'" if agent is not None else "",
        f" with X-Forwarded-For='{origin}'" if origin is not None else "",
    )
