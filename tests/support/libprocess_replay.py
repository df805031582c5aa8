"""Plays the other side of recorded libprocess conversations: whole messages as a real master or agent sent them.

A message's body reaches the driver byte by byte as it was recorded, ids included. Of its head only the addresses are
changed: to whom it goes, as the driver has a port and an id of its own, and the port of who sends it.
"""

from __future__ import annotations

import ast
import re
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from messor.simulation.network import Envelope, decode
from messor.wire.upid import Upid, parse_upid
from support.http_peer import wait_for


class Message(NamedTuple):
    """A message of a conversation, recorded or received."""

    is_ours: bool
    """Whether the driver's side sent it."""
    name: str
    raw: bytes

    @property
    def head(self) -> str:
        """Request line and headers."""
        return self.raw.partition(b"\r\n\r\n")[0].decode()

    @property
    def path(self) -> str:
        """Where it goes."""
        return self.head.split(" ")[1]

    @property
    def sender(self) -> Upid:
        """Who sent it."""
        return parse_upid(re.findall(r"Libprocess-From: (\S+)", self.head)[0])

    @property
    def body(self) -> bytes:
        """The encoded message."""
        data = self.raw.partition(b"\r\n\r\n")[2]
        return unchunked(data) if "chunked" in self.head else data

    def read(self) -> Any:
        """Decode it."""
        return decode(Envelope(self.sender, self.sender, self.name, self.body))


def unchunked(data: bytes) -> bytes:
    """Take the chunked transfer encoding off."""
    found = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        found += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return found


def conversation(path: Path) -> list[Message]:
    """Read a recorded conversation: a tuple per line."""
    found = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            whose, name, raw = ast.literal_eval(line)
            found.append(Message(whose == "ours", name, raw))
    return found


class LibprocessReplay:
    """A process that takes all messages and sends recorded ones."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received: list[Message] = []
        self._taken = 0
        self._connections: list[socket.socket] = []
        self._outgoing: socket.socket | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> Message:
        """Wait for the next message."""
        wait_for(lambda: len(self.received) > self._taken, "a message")
        self._taken += 1
        return self.received[self._taken - 1]

    def send(self, message: Message, receiver: Upid) -> None:
        """Send a recorded message to an actor of the driver, which must answer 202 as real processes do."""
        head, end, body = message.raw.partition(b"\r\n\r\n")
        text = re.sub(r"^POST /[^/]+/", f"POST /{receiver.id}/", head.decode())
        text = re.sub(r"(libprocess/|Libprocess-From: )(\S+)@127\.0\.0\.1:\d+", rf"\1\2@127.0.0.1:{self.port}", text)
        if self._outgoing is None:
            self._outgoing = socket.create_connection((receiver.ip, receiver.port), timeout=60)
        self._outgoing.sendall(text.encode() + end + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = self._outgoing.recv(1 << 16)
            assert more, "the driver closed the connection instead of answering"
            answer += more
        assert answer.startswith(b"HTTP/1.1 202 Accepted\r\n"), answer

    def close(self) -> None:
        """Close everything."""
        for one in (self._listener, *self._connections, *([self._outgoing] if self._outgoing is not None else [])):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            while more := connection.recv(1 << 16):
                data += more
                while (length := whole(data)) is not None:
                    raw, data = data[:length], data[length:]
                    name = raw.split(b" ", 2)[1].rpartition(b"/")[2].decode()
                    self.received.append(Message(True, name, raw))
                    connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")


def whole(data: bytes) -> int | None:
    """Give the length of the message at the start, None while parts are missing."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return None
    position = len(head) + 4
    if b"transfer-encoding: chunked" not in head.lower():
        found = re.search(rb"content-length: (\d+)", head.lower())
        length = position + (int(found.group(1)) if found else 0)
        return length if len(data) >= length else None
    while (line := data.find(b"\r\n", position)) >= 0:
        size = int(data[position:line], 16)
        position = line + 2 + size + 2
        if position > len(data):
            return None
        if size == 0:
            return position
    return None
