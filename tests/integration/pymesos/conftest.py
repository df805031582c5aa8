"""A scripted peer that speaks the v1 API in JSON, and schedulers and executors that record what they hear."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

SECONDS = 60.0
END = object()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Poll until something is true and give it."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {SECONDS:g} s for {what}"
        time.sleep(0.002)
    return value


class Peer:
    """A master or an agent: answers SUBSCRIBE with a stream that the test writes, records all other calls."""

    def __init__(self) -> None:
        peer = self
        self.subscriptions: list[tuple[dict[str, str], Any]] = []
        """Headers and bodies of SUBSCRIBE calls."""
        self.calls: list[tuple[dict[str, str], Any]] = []
        """Headers and bodies of all others."""
        self.refusals: list[tuple[int, str, dict[str, str]]] = []
        """What the next SUBSCRIBE calls are answered with instead of a stream."""
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        """What calls are answered with, by type; 202 without."""
        self.streams: list[queue.Queue[Any]] = []
        self.version = "1.11.0"
        self.lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                """Stay silent."""

            def do_GET(self) -> None:
                peer._reply(self, 200, json.dumps({"version": peer.version}).encode())

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                is_json = self.headers["Content-Type"] == "application/json"
                peer._called(self, json.loads(data) if is_json else {"type": "RECORDS", "records": data})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _called(self, handler: Any, body: Any) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        if body.get("type") != "SUBSCRIBE":
            self.calls.append((headers, body))
            self._reply(handler, *self.answers.get(body.get("type"), (202, b"", {})))
            return
        events: queue.Queue[Any] = queue.Queue()
        with self.lock:  # one order for both lists
            self.subscriptions.append((headers, body))
            refusal = self.refusals.pop(0) if self.refusals else None
            number = len(self.streams)
            if refusal is None:
                self.streams.append(events)
        if refusal is not None:
            status, text, more = refusal
            self._reply(handler, status, text.encode(), more)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Mesos-Stream-Id", f"stream-{number}")
        handler.end_headers()
        while (piece := events.get()) is not END:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.wfile.flush()
        handler.close_connection = True

    @staticmethod
    def _reply(handler: Any, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def stream(self, number: int = 0) -> queue.Queue[Any]:
        """Wait for a subscription's stream."""
        wait_for(lambda: len(self.streams) > number, f"subscription {number}")
        return self.streams[number]

    def send(self, kind: str, body: Any = None, stream: int = 0) -> None:
        """Send an event as a chunk of its own."""
        event = {"type": kind}
        if body is not None:
            event[kind.lower()] = body
        data = json.dumps(event).encode()
        self.stream(stream).put(b"%d\n%b" % (len(data), data))

    def end(self, stream: int = 0) -> None:
        """End a subscription."""
        self.stream(stream).put(END)

    def wait_call(self, kind: str, count: int = 1) -> Any:
        """Wait for calls of a type and give the body of the latest."""
        wait_for(lambda: self.kinds().count(kind) >= count, f"{count} × {kind}, got {self.kinds()}")
        return [body for _, body in self.calls if body["type"] == kind][-1]

    def kinds(self) -> list[str]:
        """Types of the calls so far."""
        return [body["type"] for _, body in self.calls]

    def close(self) -> None:
        """Stop."""
        for stream in self.streams:
            stream.put(END)
        self.server.shutdown()
        self.server.server_close()


class Heard:
    """Answers to every callback name and records (name, arguments), for drivers without them in front."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.during: dict[str, Callable[..., Any]] = {}

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def callback(*arguments: Any) -> None:
            self.calls.append((name, arguments))
            if name in self.during:
                self.during[name](*arguments)

        return callback

    def names(self) -> list[str]:
        """Names of the callbacks so far."""
        return [name for name, _ in self.calls]

    def wait_count(self, count: int, what: str) -> None:
        """Wait for so many callbacks in all."""
        wait_for(lambda: len(self.calls) >= count, f"{what}, heard {self.names()}")

    def wait(self, name: str, count: int = 1) -> tuple[Any, ...]:
        """Wait for a callback and give the arguments of the latest."""
        wait_for(lambda: self.names().count(name) >= count, f"{count} × {name}, heard {self.names()}")
        return [arguments for heard, arguments in self.calls if heard == name][-1]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A master or an agent."""
    one = Peer()
    yield one
    one.close()


@pytest.fixture
def heard() -> Heard:
    """A scheduler, executor or operator."""
    return Heard()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait seconds between attempts."""
    import pymesos.process

    monkeypatch.setattr(pymesos.process, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(pymesos.process, "TICK_MS", 10)
