"""Plays the other side of recorded HTTP conversations: exactly the bytes a real master or agent sent, step by step.

The tests of drivers make the driver do what the recorded client did, and compare what arrives with what was recorded.
"""

from __future__ import annotations

import ast
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from messor.wire.json_codec import from_json
from messor.wire.recordio import RecordDecoder
from support.http_peer import wait_for

JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """A request, recorded or received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @staticmethod
    def parse(data: bytes) -> Request:
        """Read a whole request."""
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return Request(method, path, headers, body)

    def call(self, kind: Any) -> Any:
        """Read the call in its body."""
        return from_json(self.body, kind) if self.headers["content-type"] == JSON else kind.FromString(self.body)


@dataclass(frozen=True)
class Step:
    """A step of a recorded conversation."""

    kind: str
    """``subscribe``, ``call`` or ``stream``."""
    title: str
    request: Request | None
    answer: bytes
    """What the other side sent: a reply, or bytes of the event stream."""

    @property
    def status(self) -> int:
        """The status of the reply."""
        return int(self.answer.split(b" ", 2)[1])

    @property
    def text(self) -> str:
        """The body of the reply."""
        return self.answer.partition(b"\r\n\r\n")[2].decode()

    def events(self, kind: Any) -> list[Any]:
        """Read the events in bytes of a stream."""
        data = self.answer
        if self.kind == "subscribe":
            head, _, data = data.partition(b"\r\n\r\n")
            if b"chunked" not in head:
                return []
        decoder = RecordDecoder()
        records = [record for chunk in chunks(data) for record in decoder.feed(chunk)]
        return [from_json(one, kind) if one[:1] == b"{" else kind.FromString(one) for one in records]


def chunks(data: bytes) -> list[bytes]:
    """Take the chunked transfer encoding off; the last chunk may be missing."""
    found = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        found.append(data[:length])
        data = data[length + 2 :]
    return [chunk for chunk in found if chunk]


def conversation(path: Path) -> list[Step]:
    """Read a recorded conversation: a tuple per line."""
    steps = []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        kind, title, *data = ast.literal_eval(line)
        request = Request.parse(data[0]) if kind != "stream" else None
        steps.append(Step(kind, title, request, data[-1]))
    return steps


class Replay:
    """A server that answers what the test tells it to answer."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._arrived: list[tuple[socket.socket, Request]] = []
        self._connections: list[socket.socket] = []
        self._stream: socket.socket | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> tuple[socket.socket, Request]:
        """Wait for the next request and give it with its connection."""
        wait_for(lambda: self._arrived, "a request")
        return self._arrived.pop(0)

    @property
    def is_silent(self) -> bool:
        """Whether no request waits for an answer."""
        return not self._arrived

    def answer(self, connection: socket.socket, data: bytes, *, is_stream: bool = False) -> None:
        """Send exactly these bytes."""
        connection.sendall(data)
        if is_stream:
            self._stream = connection

    def push(self, data: bytes) -> None:
        """Send more of the event stream, exactly these bytes."""
        assert self._stream is not None
        self._stream.sendall(data)

    def hang_up(self) -> None:
        """Close the event stream, as a process that dies does."""
        assert self._stream is not None
        self._stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close everything."""
        for one in (self._listener, *self._connections):
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
        while True:
            while (whole := _whole(data)) is not None:
                self._arrived.append((connection, Request.parse(data[:whole])))
                data = data[whole:]
            try:
                more = connection.recv(1 << 16)
            except OSError:
                return
            if not more:
                return
            data += more


def _whole(data: bytes) -> int | None:
    """Give the length of the request at the start, None while parts are missing."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return len(head) + 4 + length if len(rest) >= length else None


def compare(step: Step, got: Request, kind: Any, forget: Any = None) -> None:
    """Fail unless a request says what the recorded one said, and has the headers the server needed."""
    recorded = step.request
    assert recorded is not None
    assert got.method == recorded.method == "POST", step.title
    assert got.path.endswith(recorded.path), step.title  # libprocess processes serve below their name, too
    for name in ("content-type", "mesos-stream-id", "authorization"):
        assert got.headers.get(name) == recorded.headers.get(name), f"{step.title}: {name}"
    assert got.headers["host"], step.title
    assert got.headers["accept"] == recorded.headers["content-type"], step.title
    ours, theirs = got.call(kind), recorded.call(kind)
    body = kind.Type.Name(theirs.type).lower()
    if body in kind.DESCRIPTOR.fields_by_name and theirs.HasField(body):
        assert ours.HasField(body), f"{step.title}: real masters insist on '{body}', even if it is empty"
    for call in (ours, theirs):
        prune(call)
        if forget is not None:
            forget(call)
    assert ours == theirs, f"{step.title}:\nours\n{ours}\nrecorded\n{theirs}"


def prune(message: Message) -> None:
    """Take away, recursively, what says nothing: fields that hold their default and sub-messages without fields."""
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            if not field.is_repeated and value == field.default_value and not field.is_required:
                message.ClearField(field.name)
        elif field.is_repeated:
            if not field.message_type.GetOptions().map_entry:
                for one in value:
                    prune(one)
        else:
            prune(value)
            if not value.ListFields() and not field.is_required:
                message.ClearField(field.name)
