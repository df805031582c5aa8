"""The two connections to the agent: one whose reply is the stream of events, one for calls.

Sockets block while connecting and sending (the agent is on this machine and reads at once) and are read only when poll
says so.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from messor.errors import ConnectionLost, RemoteProtocolError
from messor.executors.command.replies import ReplyReader
from messor.wire.recordio import RecordDecoder
from messor.wire.upid import Upid

_PATIENCE = 5.0
"""Seconds to wait for a connection or for room to send; the agent is local, so more means it is stuck."""

_READ_SIZE = 64 * 1024


class AgentLink:
    """Subscribes, calls, and hands out what arrives. Every method may raise ConnectionLost."""

    def __init__(self, agent: Upid, token: str | None) -> None:
        """Prepare; nothing is opened yet."""
        self._address = agent.address
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        self._head = (
            f"POST /{agent.id}/api/v1/executor HTTP/1.1\r\n"
            f"Host: {agent.ip}:{agent.port}\r\n"
            f"{authorization}"
            "Accept: application/x-protobuf\r\n"
            "Content-Type: application/x-protobuf\r\n"
            "Content-Length: "
        ).encode()
        self.stream: socket.socket | None = None
        self.calls: socket.socket | None = None
        self._events = ReplyReader()
        self._records = RecordDecoder()
        self._replies = ReplyReader()

    def subscribe(self, body: bytes) -> None:
        """Open the stream, replacing what was open."""
        self.close()
        self._events = ReplyReader()
        self._records = RecordDecoder()
        self.stream = self._connect()
        self._send(self.stream, [body])

    def call(self, bodies: list[bytes]) -> None:
        """Send calls in one go, in order; their replies come through ``read_replies``."""
        if self.calls is None:
            self._replies = ReplyReader()
            self.calls = self._connect()
        self._send(self.calls, bodies)

    def read_events(self) -> tuple[list[bytes], tuple[int, bytes] | None]:
        """Read what the stream holds: event records, and the refusal (status, text) when it was no stream."""
        data = self._receive(self.stream)
        try:
            self._events.feed(data)
            if self._events.finished:
                status, text = self._events.finished.pop()
                if status != 200:
                    return [], (status, text)
                raise ConnectionLost("The agent ended the event stream")
            if self._events.status not in (None, 200):
                return [], None  # the text of a refusal is still arriving
            return self._records.feed(self._events.take_body()), None
        except RemoteProtocolError as error:
            raise ConnectionLost(str(error)) from error

    def read_replies(self) -> list[tuple[int, bytes]]:
        """Read replies to calls: (status, text)."""
        data = self._receive(self.calls)
        try:
            self._replies.feed(data)
        except RemoteProtocolError as error:
            raise ConnectionLost(str(error)) from error
        replies, self._replies.finished = self._replies.finished, []
        return replies

    def close_calls(self) -> None:
        """Close the connection for calls; the next call opens a new one."""
        if self.calls is not None:
            self.calls.close()
            self.calls = None

    def close(self) -> None:
        """Close both; fine if they are."""
        self.close_calls()
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def _connect(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.settimeout(_PATIENCE)
        try:
            # Not create_connection: for a numeric address it would load the resolver and a codec in every fork.
            opened.connect(self._address)
        except OSError as error:
            opened.close()
            raise ConnectionLost(f"Failed to connect to the agent: {error}") from error
        with suppress(OSError):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def _send(self, to: socket.socket, bodies: list[bytes]) -> None:
        data = b"".join(b"%b%d\r\n\r\n%b" % (self._head, len(body), body) for body in bodies)
        try:
            to.sendall(data)
        except OSError as error:
            raise ConnectionLost(f"Failed to send to the agent: {error}") from error

    def _receive(self, source: socket.socket | None) -> bytes:
        if source is None:
            raise ConnectionLost("Not connected")
        try:
            data = source.recv(_READ_SIZE)
        except OSError as error:
            raise ConnectionLost(f"Failed to read from the agent: {error}") from error
        if not data:
            raise ConnectionLost("The agent closed the connection")
        return data
