"""One keep-alive HTTP connection for calls, pipelined where nobody waits for the answer."""

from __future__ import annotations

import logging
import socket
from collections import deque
from typing import Any

import httptools
import orjson

log = logging.getLogger(__name__)

CHUNK = 256 * 1024
UNREAD = 256
"""Answers to posted requests that may be outstanding before they are waited for."""


def encode(body: Any) -> bytes:
    """Write a call as JSON; raises TypeError for what JSON cannot hold."""
    return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)


class Reply:
    """An answer; read() gives its body once more each time."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    def read(self) -> bytes:
        """Give the body."""
        return self._body

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """Give a header."""
        return self.headers.get(name.lower(), default)


class CallConnection:
    """Connect when first used; every failure closes, and the next request connects again. Not thread-safe."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        """timeout: seconds for connecting and for each answer."""
        self._host = host
        self._port = port
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._waited: deque[bool] = deque()
        """Whether somebody waits for the answer, per request that has none yet."""
        self._replies: deque[Reply] = deque()
        self._is_last = False
        """Whether the peer said that it closes after this answer."""
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._parser: Any = None

    # --- requests ----------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send a request whose answer is fetched with getresponse(); raises OSError."""
        head = [f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Length: {len(body)}\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in (headers or {}).items()]
        self._write("".join(head).encode() + b"\r\n" + body, (True,))

    def getresponse(self) -> Reply:
        """Wait for the answer to the oldest request; raises OSError."""
        while not self._replies:
            self._read()
        return self._replies.popleft()

    def post(self, requests: list[bytes]) -> None:
        """Send whole requests whose answers nobody waits for; refusals are logged. Raises OSError."""
        self._write(b"".join(requests), (False,) * len(requests))
        if len(self._waited) > UNREAD:
            while self._waited:
                self._read()

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._waited.clear()
        self._replies.clear()

    def __del__(self) -> None:
        """Close: operator drivers have no end of their own."""
        self.close()

    def _write(self, data: bytes, waited: tuple[bool, ...]) -> None:
        self._look()
        if self._socket is None:
            self._socket = socket.create_connection((self._host, self._port), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._parser = httptools.HttpResponseParser(self)
            self._is_last = False
        self._waited.extend(waited)
        try:
            self._socket.sendall(data)
        except BaseException:
            self.close()
            raise

    def _look(self) -> None:
        """Take the answers that came since; a peer that closed meanwhile means a new connection, not an error."""
        if self._is_last and not self._waited:
            self.close()
        while self._socket is not None:
            self._socket.setblocking(False)
            try:
                data = self._socket.recv(CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            finally:
                if self._socket is not None:
                    self._socket.settimeout(self._timeout)
            if not data:
                self.close()
                return
            self._feed(data)

    def _read(self) -> None:
        if self._socket is None:
            raise ConnectionError(f"{self._host}:{self._port} closed the connection")
        try:
            data = self._socket.recv(CHUNK)
        except BaseException:
            self.close()
            raise
        if not data:
            self.close()
            raise ConnectionError(f"{self._host}:{self._port} closed the connection before it answered")
        self._feed(data)

    # --- answers (called by the parser) ------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.close()
            raise ConnectionError(f"{self._host}:{self._port} answered no HTTP: {error}") from error

    def on_message_begin(self) -> None:
        """Begin an answer."""
        self._headers = {}
        self._parts = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """Take part of the body."""
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """Hand the answer to whoever waits."""
        status = self._parser.get_status_code()
        self._is_last = not self._parser.should_keep_alive()
        if not self._waited:
            log.error("%s:%d answered a request that was not made with %d", self._host, self._port, status)
        elif self._waited.popleft():
            self._replies.append(Reply(status, self._headers, b"".join(self._parts)))
        elif not 200 <= status < 300:
            log.error(
                "An acknowledgement was refused with %d: %s", status, b"".join(self._parts).decode(errors="replace")
            )
