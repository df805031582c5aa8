"""Fake masters and agents that speak the v1 HTTP API to drivers, for tests that write the event streams themselves."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import Message

from messor.wire.json_codec import from_json, to_json

JSON = "application/json"
SECONDS = 60.0
END = object()


def wait_for(condition: Callable[[], Any], what: Callable[[], str] | str) -> Any:
    """Poll until something is true and give it."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {SECONDS:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.002)
    return value


class Stream:
    """One subscription: what the driver hears until somebody ends it."""

    def __init__(self, media_type: str) -> None:
        """Begin silent."""
        self.media_type = media_type
        self.pieces: queue.Queue[Any] = queue.Queue()
        self.closed = threading.Event()
        """Set once the driver closed its end."""

    def send(self, event: Message) -> None:
        """Send one event as a chunk of its own."""
        data = to_json(event) if self.media_type == JSON else event.SerializeToString()
        self.pieces.put(b"%d\n%b" % (len(data), data))

    def end(self) -> None:
        """End the stream and close the connection."""
        self.pieces.put(END)


class HttpPeer:
    """Answers SUBSCRIBE with a stream, and every other call with 202 unless told otherwise; records all of them.

    call_type: the v1 Call message of the API that is served. GET /redirect says that it leads.
    """

    def __init__(self, call_type: Any) -> None:
        """Listen on a free port of loopback."""
        self.call_type = call_type
        self.calls: list[Any] = []
        """All calls, SUBSCRIBE too, in order."""
        self.headers: list[dict[str, str]] = []
        """Headers of the calls, names in lower case."""
        self.streams: list[Stream] = []
        self.refusals: list[tuple[int, str, dict[str, str]]] = []
        """What the next SUBSCRIBE calls are answered with instead of a stream."""
        self.answers: dict[int, tuple[int, str]] = {}
        """What calls are answered with, by type."""
        self._lock = threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                """Stay silent."""

            def do_GET(self) -> None:
                peer._reply(self, 307, "", {"Location": f"//127.0.0.1:{peer.port}"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer._called(self, body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _called(self, handler: Any, body: bytes) -> None:
        media_type = handler.headers["Content-Type"]
        call = from_json(body, self.call_type) if media_type == JSON else self.call_type.FromString(body)
        subscribing = call.type == self.call_type.SUBSCRIBE
        with self._lock:
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self.calls.append(call)
            refusal = self.refusals.pop(0) if subscribing and self.refusals else None
            stream = Stream(handler.headers["Accept"]) if subscribing and refusal is None else None
            if stream is not None:
                self.streams.append(stream)
                number = len(self.streams)
        if stream is not None:
            self._stream(handler, stream, number)
        elif refusal is not None:
            self._reply(handler, *refusal)
        else:
            self._reply(handler, *self.answers.get(call.type, (202, "")))

    @staticmethod
    def _reply(handler: Any, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text.encode())

    @staticmethod
    def _stream(handler: Any, stream: Stream, number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", stream.media_type)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Mesos-Stream-Id", f"stream-{number}")
        handler.end_headers()
        threading.Thread(target=HttpPeer._watch, args=(handler, stream), daemon=True).start()
        handler.close_connection = True
        with suppress(OSError):  # the driver may have closed its end
            while (piece := stream.pieces.get()) is not END:
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _watch(handler: Any, stream: Stream) -> None:
        """Notice that the driver closes the connection."""
        with suppress(OSError, ValueError):
            handler.rfile.read(1)
        stream.closed.set()
        stream.pieces.put(END)

    def of(self, kind: int) -> list[Any]:
        """Give the calls of a type so far."""
        return [call for call in list(self.calls) if call.type == kind]

    def names(self) -> list[str]:
        """Give the types of all calls so far."""
        return [self.call_type.Type.Name(call.type) for call in list(self.calls)]

    def stream(self, number: int = -1) -> Stream:
        """Wait for a subscription's stream, the latest by default."""
        wanted = number + 1 if number >= 0 else 1
        wait_for(lambda: len(self.streams) >= wanted, f"subscription {wanted}")
        return self.streams[number]

    def close(self) -> None:
        """Stop."""
        for stream in list(self.streams):
            stream.end()
        self._server.shutdown()
        self._server.server_close()
