"""Request bodies that arrive in pieces: fixed length or chunked, kept or handed on as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from messor.errors import ConnectionLost, RemoteProtocolError

STREAM_BUFFER = 1 << 20
"""Bytes a slow reader of a streaming body may leave unread before we stop reading its connection."""

MAX_SIZE_LINE = 4096


class FixedBody:
    """A body of known length."""

    def __init__(self, length: int) -> None:
        """Expect that many bytes."""
        self.missing = length
        self.size = 0
        self.parts: list[bytes] = []
        self.has_extension = False

    @property
    def is_complete(self) -> bool:
        """Whether all of it arrived."""
        return self.missing == 0

    def feed(self, data: bytes, position: int) -> int:
        """Take what belongs to the body; gives the position behind it."""
        part = data[position : position + self.missing]
        self.missing -= len(part)
        self.size += len(part)
        self.parts.append(part)
        return position + len(part)


class ChunkedBody:
    """A body in chunks; trailers are read and dropped."""

    def __init__(self) -> None:
        """Start before the first chunk's size."""
        self.size = 0
        self.parts: list[bytes] = []
        self.is_complete = False
        self.has_extension = False
        """Whether a chunk had an extension, which libprocess refuses (recorded)."""
        self._line = b""
        self._missing = 0
        self._state = self._size_line

    def feed(self, data: bytes, position: int) -> int:
        """Take what belongs to the body; gives the position behind it. Raises RemoteProtocolError."""
        while position < len(data) and not self.is_complete:
            position = self._state(data, position)
        return position

    def _take_line(self, data: bytes, position: int) -> tuple[bytes | None, int]:
        end = data.find(b"\n", position)
        if end < 0:
            self._line += data[position:]
            if len(self._line) > MAX_SIZE_LINE:
                raise RemoteProtocolError("A chunk's size line is too long")
            return None, len(data)
        line = (self._line + data[position:end]).rstrip(b"\r")
        self._line = b""
        return line, end + 1

    def _size_line(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position)
        if line is not None:
            size, semicolon, _ = line.partition(b";")
            self.has_extension = self.has_extension or bool(semicolon)
            self._missing = parse_chunk_size(size.strip())
            self._state = self._content if self._missing else self._trailer
        return position

    def _content(self, data: bytes, position: int) -> int:
        part = data[position : position + self._missing]
        self._missing -= len(part)
        self.size += len(part)
        self.parts.append(part)
        if not self._missing:
            self._state = self._content_end
        return position + len(part)

    def _content_end(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position)
        if line is not None:
            if line:
                raise RemoteProtocolError("A chunk is longer than it says")
            self._state = self._size_line
        return position

    def _trailer(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position)
        if line == b"":
            self.is_complete = True
        return position


def parse_chunk_size(text: bytes) -> int:
    """Read a chunk's hexadecimal size; raises RemoteProtocolError (``int`` alone would take signs and underscores)."""
    if not text.isalnum():
        raise RemoteProtocolError(f"Not a chunk size: {text!r}")
    try:
        return int(text, 16)
    except ValueError as error:
        raise RemoteProtocolError(f"Not a chunk size: {text!r}") from error


class ArrivingBody:
    """A streaming request body (``http.BodyStream``) with back-pressure to the socket."""

    def __init__(self, pause: Callable[[bool], None]) -> None:
        """Call ``pause(True)`` when the reader falls behind, ``pause(False)`` when it caught up."""
        self._pause = pause
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._ended = False
        self._error: ConnectionLost | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> ArrivingBody:
        """Iterate over chunks as they arrive."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next piece; raises ConnectionLost when the peer vanished before the end."""
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        part = self._parts.popleft()
        self._size -= len(part)
        if self._paused and self._size < STREAM_BUFFER // 2:
            self._paused = False
            self._pause(False)
        return part

    def push(self, part: bytes) -> None:
        """Add what arrived."""
        if not part:
            return
        self._parts.append(part)
        self._size += len(part)
        if not self._paused and self._size > STREAM_BUFFER:
            self._paused = True
            self._pause(True)
        self._wake()

    def end(self) -> None:
        """Finish it."""
        self._ended = True
        self._wake()

    def fail(self, why: str) -> None:
        """Break it."""
        if not self._ended:
            self._error = ConnectionLost(why)
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
