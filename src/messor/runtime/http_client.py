"""HTTP as a client: pipelined requests and endless replies on one connection, over httptools."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import cast

import httptools

from messor.errors import ConnectionLost
from messor.runtime.host import Reply

log = logging.getLogger(__name__)

STREAM_BUFFER = 4 << 20
"""Bytes a slow reader of a stream may leave unread before we stop reading the socket."""

CONNECT_SECONDS = 30.0


class Exchange:
    """One request and the reply it waits for."""

    __slots__ = ("body", "head", "headers", "is_stream", "parts", "status", "stream")

    def __init__(self, head: asyncio.Future[None], *, is_stream: bool) -> None:
        """Wait for a head (streams) or a whole reply."""
        self.head = head
        self.is_stream = is_stream
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.stream: IncomingStream | None = None

    def settle(self) -> None:
        """Wake who waits; fine if they gave up."""
        if not self.head.done():
            self.head.set_result(None)

    def fail(self, why: str) -> None:
        """Fail who waits, for the head or for more of the body."""
        if not self.head.done():
            self.head.set_exception(ConnectionLost(why))
            self.head.exception()  # whoever gave up waiting must not cause a warning
        if self.stream is not None:
            self.stream.fail(why)


class ClientConnection:
    """A client connection (``host.HttpConnection``): opened on first use, again after it broke."""

    def __init__(self, host: str, port: int) -> None:
        """Remember where to connect; a host of the form ``unix:/path`` is a domain socket."""
        self.host = host
        self.port = port
        self._protocol: ClientProtocol | None = None
        self._opening: asyncio.Task[ClientProtocol] | None = None
        self._closed = False

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send and wait for the whole reply; raises ConnectionLost."""
        protocol = await self._connected()
        exchange = protocol.send(self._encode(method, path, headers, body), is_stream=False)
        await exchange.head
        content = b"".join(exchange.parts)
        if exchange.headers.get("content-encoding", "").lower() == "gzip":
            content = zlib.decompress(content, wbits=31)
        return Reply(exchange.status, exchange.headers, content)

    async def stream(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> IncomingStream:
        """Send and wait for the reply's head; raises ConnectionLost."""
        protocol = await self._connected()
        exchange = protocol.send(self._encode(method, path, headers, body), is_stream=True)
        try:
            await exchange.head
        except asyncio.CancelledError:
            protocol.abort()  # nobody would ever read the stream
            raise
        assert exchange.stream is not None
        return exchange.stream

    def close(self) -> None:
        """Close; pending requests fail with ConnectionLost."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            self._opening.add_done_callback(_abort_opened)
        if self._protocol is not None:
            self._protocol.abort("The connection was closed here")
            self._protocol = None

    async def _connected(self) -> ClientProtocol:
        if self._closed:
            raise ConnectionLost(f"The connection to {self.host}:{self.port} was closed here")
        if self._protocol is not None and self._protocol.is_usable:
            return self._protocol
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())
        try:
            self._protocol = await asyncio.shield(self._opening)
        except (OSError, TimeoutError) as error:
            raise ConnectionLost(f"Failed to connect to {self.host}:{self.port}: {error}") from error
        except asyncio.CancelledError:
            if self._closed:
                raise ConnectionLost(f"The connection to {self.host}:{self.port} was closed here") from None
            raise
        return self._protocol

    async def _open(self) -> ClientProtocol:
        loop = asyncio.get_running_loop()
        where = f"{self.host}:{self.port}"
        if self.host.startswith("unix:"):
            opening = loop.create_unix_connection(lambda: ClientProtocol(where), self.host[5:])
        else:
            opening = loop.create_connection(lambda: ClientProtocol(where), self.host, self.port)
        _, protocol = await asyncio.wait_for(opening, CONNECT_SECONDS)
        return protocol

    def _encode(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        names = {name.lower() for name in headers}
        host = "" if "host" in names else f"Host: {self.host}:{self.port}\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body or method in _WITH_BODY else ""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\n{host}{lines}{length}\r\n".encode() + body


def _abort_opened(opening: asyncio.Task[ClientProtocol]) -> None:
    """Close a connection that was opened for somebody who does not want it any more; fine if it is closed."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().abort()


_WITH_BODY = {"POST", "PUT", "PATCH"}


class ClientProtocol(asyncio.Protocol):
    """The parser's side of a connection."""

    def __init__(self, where: str) -> None:
        """Name the other end for error texts."""
        self._where = where
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Exchange] = deque()
        self._headers: dict[str, str] = {}
        self._interim = False
        self._receiving = False
        self._streams = False
        self._out: list[bytes] = []
        self._why = f"{where} closed the connection"

    @property
    def is_usable(self) -> bool:
        """Whether requests may be sent."""
        return self._transport is not None and not self._transport.is_closing() and not self._streams

    def send(self, data: bytes, *, is_stream: bool) -> Exchange:
        """Send a request; all of one loop turn leave in one write."""
        loop = asyncio.get_running_loop()
        exchange = Exchange(loop.create_future(), is_stream=is_stream)
        if self._transport is None:
            exchange.fail(self._why)
            return exchange
        self._streams = self._streams or is_stream
        self._waiting.append(exchange)
        if not self._out:
            loop.call_soon(self._flush)
        self._out.append(data)
        return exchange

    def abort(self, why: str | None = None) -> None:
        """Close at once."""
        if why is not None:
            self._why = why
        if self._transport is not None:
            self._transport.abort()
        self._fail_all()

    def pause(self, paused: bool) -> None:
        """Stop or go on reading."""
        if self._transport is not None and not self._transport.is_closing():
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _flush(self) -> None:
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _fail_all(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for exchange in waiting:
            exchange.fail(self._why)

    # --- what asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports only look like it

    def data_received(self, data: bytes) -> None:
        """Parse."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.abort(f"{self._where} wants another protocol")
        except httptools.HttpParserError as error:
            self.abort(f"{self._where} sent no HTTP: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        """Complete a reply that lasts until the end of the connection; fail the others."""
        self._transport = None
        if self._receiving and self._waiting and "content-length" not in self._headers and error is None:
            encoding = self._headers.get("transfer-encoding", "")
            if "chunked" not in encoding.lower():
                self.on_message_complete()
        self._fail_all()

    # --- what httptools calls ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start a reply."""
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        key = name.decode("latin-1").lower()
        text = value.decode("utf-8", "surrogateescape")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Hand the head over."""
        status = self._parser.get_status_code()
        self._interim = status < 200
        if self._interim:
            return
        if not self._waiting:
            self.abort(f"{self._where} answered a question nobody asked")
            return
        self._receiving = True
        exchange = self._waiting[0]
        exchange.status = status
        exchange.headers = self._headers
        if exchange.is_stream:
            exchange.stream = IncomingStream(status, self._headers, self)
            exchange.settle()

    def on_body(self, data: bytes) -> None:
        """Hand part of a body over."""
        if not self._waiting or self._interim:
            return
        exchange = self._waiting[0]
        if exchange.stream is not None:
            exchange.stream.push(data)
        else:
            exchange.parts.append(data)

    def on_message_complete(self) -> None:
        """End a reply."""
        if self._interim or not self._waiting:
            return
        self._receiving = False
        exchange = self._waiting.popleft()
        if exchange.stream is not None:
            exchange.stream.end()
        else:
            exchange.settle()


class IncomingStream:
    """A reply whose body is still arriving (``host.ReplyStream``)."""

    def __init__(self, status: int, headers: Mapping[str, str], protocol: ClientProtocol) -> None:
        """Hold the head."""
        self.status = status
        self.headers = headers
        self._protocol = protocol
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._ended = False
        self._error: ConnectionLost | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over body bytes as read from the socket; raises ConnectionLost on a break."""
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._size -= len(part)
                if self._paused and self._size < STREAM_BUFFER // 2:
                    self._paused = False
                    self._protocol.pause(False)
                yield part
            if self._error is not None:
                raise self._error
            if self._ended:
                return
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def read(self) -> bytes:
        """Read the rest of the body."""
        return b"".join([part async for part in self.chunks()])

    def close(self) -> None:
        """Close the connection under it."""
        self._protocol.abort("The stream was closed here")
        self.fail("The stream was closed here")

    def push(self, data: bytes) -> None:
        """Add what arrived."""
        self._parts.append(data)
        self._size += len(data)
        if not self._paused and self._size > STREAM_BUFFER:
            self._paused = True
            self._protocol.pause(True)
        self._wake()

    def end(self) -> None:
        """Finish it."""
        self._ended = True
        self._wake()

    def fail(self, why: str) -> None:
        """Break it."""
        if not self._ended and self._error is None:
            self._error = ConnectionLost(why)
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def fetch(
    host: str,
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    seconds: float = 60.0,
) -> Reply:
    """Send one request on a connection of its own; raises ConnectionLost, also after too many seconds."""
    connection = ClientConnection(host, port)
    try:
        return await asyncio.wait_for(connection.request(method, path, headers or {}, body), seconds)
    except TimeoutError as error:
        raise ConnectionLost(f"{host}:{port} did not answer within {seconds} seconds") from error
    finally:
        connection.close()
