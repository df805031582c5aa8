"""The writing half of an accepted connection: replies leave in the order of their requests.

A reply may be bytes, a Pipe (endless, one chunk per write) or a file; the latter two have the connection for themselves
until they end. What is written during one turn of the loop, or one read, leaves in one write.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from messor.runtime.http import FileResponse, Pipe, Response, text_response
from messor.runtime.replies import CRLF, GZIP_MINIMUM, LAST_CHUNK, ReplyWriter, compress
from messor.runtime.request_heads import Head

log = logging.getLogger(__name__)

OFFLOADED_GZIP = 256 << 10
"""Bodies at least this long are compressed in a thread."""

SMALL_WRITE = 64 << 10
"""Writes up to this size are joined before they go to the socket."""

FILE_PIECE = 256 << 10
"""Bytes of a file read and written at a time."""


class Door(Protocol):
    """What a connection asks of its front door."""

    replies: ReplyWriter
    reader_limit: int
    run: Callable[[Coroutine[Any, Any, object], str], object]
    offload: Callable[..., asyncio.Future[Any]]


class Slot:
    """A request whose reply must wait for its turn."""

    __slots__ = ("head", "pieces", "response")

    def __init__(self, head: Head | None) -> None:
        """Start unanswered."""
        self.head = head
        self.response: Response | None = None
        self.pieces: list[bytes] | None = None
        """A reply that is encoded already."""


class ReplyLine(asyncio.Protocol):
    """Replies waiting for their turn, and the socket they go to."""

    def __init__(self, door: Door) -> None:
        """Start with nothing to say."""
        self._door = door
        self._replies = door.replies
        self._transport: asyncio.Transport | None = None
        self._client: tuple[str, int] = ("", 0)
        self._pending: deque[Slot] = deque()
        self._pipe: Pipe | None = None
        self._is_sending = False
        """A pipe or a file has the connection for itself."""
        self._sending_head: Head | None = None
        self._drained: asyncio.Future[None] | None = None
        self._out: list[bytes] = []
        self._flushing = False
        self._reading = False
        self._write_paused = False
        self._last = False
        """No further request is read: the peer asked to close, or sent its end."""

    @property
    def _is_inside_body(self) -> bool:
        """Whether a request's body is still arriving."""
        return False

    def _go_on(self) -> None:
        """Go on with requests that were held back, if there are any."""

    def pause_writing(self) -> None:
        """Stop taking requests from a peer that does not read its replies."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Go on with what was held back."""
        self._write_paused = False
        self._wake_sender()
        self._go_on()

    def _wake_sender(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def close(self) -> None:
        """Close once what was written is sent; a streaming reader is told nothing more."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _reply(self, head: Head, response: Response) -> None:
        if (
            self._reading
            and head.keep_alive
            and not self._pending
            and not self._is_sending
            and type(response) is Response
            and isinstance(response.body, bytes)
            and (len(response.body) < GZIP_MINIMUM or not head.accepts_gzip)
        ):
            self._out += self._replies.complete(response)
            return
        slot = Slot(head)
        self._pending.append(slot)
        self._answered(slot, response)

    def _answered(self, slot: Slot, response: Response) -> None:
        if self._transport is None:
            if isinstance(response.body, Pipe):
                response.body.reader_gone()
            return
        head = slot.head
        if head is not None and head.accepts_gzip and not isinstance(response.body, Pipe):
            pieces = [response.body] if isinstance(response.body, bytes) else response.body
            size = sum(map(len, pieces))
            if size >= OFFLOADED_GZIP:
                self._door.run(self._compress(slot, response, pieces), "compress a reply")
                return
            if size >= GZIP_MINIMUM:
                response = _gzipped(response, compress(pieces))
        slot.response = response
        self._advance()

    async def _compress(self, slot: Slot, response: Response, pieces: list[bytes]) -> None:
        slot.response = _gzipped(response, await self._door.offload(compress, pieces))
        self._advance()

    def _advance(self) -> None:
        """Write the replies whose turn it is."""
        if not self._reading:
            self._replies.renew()
        while self._pending and not self._is_sending:
            slot = self._pending[0]
            if slot.pieces is not None:
                self._out += slot.pieces
            elif slot.response is None:
                break
            elif isinstance(slot.response.body, Pipe):
                self._pending.popleft()
                self._begin_pipe(slot.response, slot.response.body, slot.head)
                continue
            elif isinstance(slot.response, FileResponse):
                self._pending.popleft()
                self._begin_file(slot.response, slot.head)
                continue
            else:
                self._out += self._replies.complete(slot.response)
            self._pending.popleft()
            if slot.head is None or not slot.head.keep_alive:
                self._end()
                return
        if self._last and not self._pending and not self._is_sending and not self._is_inside_body:
            self._end()
        elif self._out:
            self._schedule()
        if not self._reading:
            self._go_on()

    def _begin_pipe(self, response: Response, pipe: Pipe, head: Head | None) -> None:
        self._out.append(self._replies.streaming(response))
        self._pipe = pipe
        self._is_sending = True
        self._sending_head = head
        self._schedule()
        pipe.attach(PipeWriter(self))

    def write_chunk(self, data: bytes) -> None:
        """Write one chunk of the current pipe."""
        if self._transport is None or not data:
            return
        self._out += (b"%x\r\n" % len(data), data, CRLF)
        if not self._flushing:
            self._schedule()

    def end_pipe(self) -> None:
        """End the current pipe and go on with the next reply."""
        if self._transport is None:
            return
        self._out.append(LAST_CHUNK)
        self._sent()

    def _begin_file(self, response: FileResponse, head: Head | None) -> None:
        self._is_sending = True
        self._sending_head = head
        self._door.run(self._send_file(response), f"send {response.path}")

    async def _send_file(self, response: FileResponse) -> None:
        """Send a file piece by piece; a file that ends early breaks the connection, for its length was promised."""
        try:
            file = open(response.path, "rb")  # noqa: ASYNC230, SIM115  (local files; closed below)
        except OSError as error:
            self._out += self._replies.complete(text_response(404, f"Failed to open '{response.path}': {error}"))
            self._sent()
            return
        with file:
            left = os.fstat(file.fileno()).st_size
            self._replies.renew()
            self._out.append(self._replies.head(response, left))
            while left and self._transport is not None:
                piece = file.read(min(left, FILE_PIECE))
                if not piece:
                    self.abort()
                    return
                left -= len(piece)
                self._out.append(piece)
                self._flush()
                if self._write_paused:
                    self._drained = asyncio.get_running_loop().create_future()
                    await self._drained
        self._sent()

    def _sent(self) -> None:
        """Go on after a pipe or a file."""
        self._pipe = None
        self._is_sending = False
        if self._sending_head is None or not self._sending_head.keep_alive:
            self._end()
        else:
            self._schedule()
            self._advance()

    def _end(self) -> None:
        """Close after what was written."""
        self._last = True
        self._rest = b""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def _schedule(self) -> None:
        """Write at the end of this turn of the loop, or of this read."""
        if not self._flushing and not self._reading:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        out, transport = self._out, self._transport
        if not out or transport is None:
            return
        self._out = []
        if len(out) == 1:
            transport.write(out[0])
        elif sum(map(len, out)) <= SMALL_WRITE:
            transport.write(b"".join(out))
        else:
            transport.writelines(out)
        if self._write_paused and transport.get_write_buffer_size() > self._door.reader_limit:
            log.warning("Closing the connection of %s:%d: it reads too slowly", *self._client)
            transport.abort()


class PipeWriter:
    """The transport's side of a Pipe (``http.PipeSink``); dead once the pipe ended."""

    __slots__ = ("_connection",)

    def __init__(self, connection: ReplyLine) -> None:
        """Write to a connection whose turn it is."""
        self._connection: ReplyLine | None = connection

    def write_chunk(self, data: bytes) -> None:
        """Send one chunk."""
        if self._connection is not None:
            self._connection.write_chunk(data)

    def end(self) -> None:
        """Send the end of the body."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end_pipe()


def _gzipped(response: Response, pieces: list[bytes]) -> Response:
    return Response(response.status, pieces, headers={**response.headers, "Content-Encoding": "gzip"})
