"""HTTP as values: requests, replies and streaming bodies, apart from any socket.

The real server makes a Request from bytes and writes the Reply; the simulated network hands the same objects from one
host to another. Handlers therefore never see a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import unquote_plus


class Request:
    """One HTTP request. Header names are lower case; the body is complete unless ``body_stream`` is set."""

    __slots__ = ("body", "body_stream", "client", "headers", "method", "path", "principal", "query_text")

    def __init__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        query_text: str = "",
        client: tuple[str, int] | None = None,
    ) -> None:
        """Take a percent-decoded path without query, and the raw query text."""
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.query_text = query_text
        self.client = client
        self.principal: str | None = None
        self.body_stream: BodyStream | None = None

    @property
    def query(self) -> dict[str, str]:
        """Decode the query; what stands behind the first ``=`` of a pair is its value (``a=b=c`` is accepted)."""
        result: dict[str, str] = {}
        for part in self.query_text.replace(";", "&").split("&"):
            if not part:
                continue
            key, equals, value = part.partition("=")
            result[unquote_plus(key)] = unquote_plus(value) if equals else ""
        return result


class BodyStream(Protocol):
    """A request body that is still arriving (``Content-Type: application/recordio``)."""

    def __aiter__(self) -> BodyStream:
        """Iterate over chunks as they arrive."""
        ...

    async def __anext__(self) -> bytes:
        """Give the next chunk; StopAsyncIteration at the end, ConnectionLost when the peer vanished."""
        ...


class Pipe:
    """The writing end of a streaming reply.

    Whoever serves the reply attaches a sink; what was written before is kept and handed over then. ``on_close`` is
    called once, when the reader goes away first.
    """

    __slots__ = ("_closed", "_early", "_sink", "on_close")

    def __init__(self, on_close: Callable[[], None] | None = None) -> None:
        """Start open and without a sink."""
        self.on_close = on_close
        self._early: list[bytes] = []
        self._sink: PipeSink | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether writing still reaches anybody."""
        return not self._closed

    def write(self, data: bytes) -> None:
        """Send data as exactly one HTTP chunk; dropped once closed: the stream's end is reported already."""
        if self._closed:
            return
        if self._sink is None:
            self._early.append(data)
        else:
            self._sink.write_chunk(data)

    def close(self) -> None:
        """End the reply; does not call ``on_close``."""
        if self._closed:
            return
        self._closed = True
        if self._sink is not None:
            self._sink.end()

    def attach(self, sink: PipeSink) -> None:
        """Connect the transport's side; called once by whoever serves the reply."""
        self._sink = sink
        for data in self._early:
            sink.write_chunk(data)
        self._early.clear()
        if self._closed:
            sink.end()

    def reader_gone(self) -> None:
        """Tell that the peer closed the connection."""
        if not self._closed:
            self._closed = True
            if self.on_close is not None:
                self.on_close()


class PipeSink(Protocol):
    """What a transport offers to a Pipe."""

    def write_chunk(self, data: bytes) -> None:
        """Send one chunk."""
        ...

    def end(self) -> None:
        """Send the end of the body."""
        ...


class Response:
    """One HTTP reply: a complete body (bytes or several pieces to join on the wire) or a Pipe."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | list[bytes] | Pipe = b"",
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Date, Content-Length and Transfer-Encoding are the server's business."""
        self.status = status
        self.body = body
        self.headers: dict[str, str] = dict(headers) if headers else {}
        if content_type is not None:
            self.headers["Content-Type"] = content_type


class FileResponse(Response):
    """A reply whose body is a file, sent piece by piece as fast as the reader takes it; only a real front door can."""

    __slots__ = ("path",)

    def __init__(self, path: str, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Send what the file holds when its turn comes."""
        super().__init__(200, b"", content_type, headers)
        self.path = path


REASONS = {
    100: "Continue",
    200: "OK",
    202: "Accepted",
    206: "Partial Content",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Requested range not satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}

TEXT = "text/plain; charset=utf-8"


def text_response(status: int, text: str | None = None) -> Response:
    """Answer with plain text; without a text it is ``404 Not Found.`` and the like, as libprocess says it."""
    body = text if text is not None else f"{status} {REASONS[status]}."
    return Response(status, body.encode(), TEXT)


def json_response(body: bytes, request: Request | None = None) -> Response:
    """Answer with JSON that is encoded already; with ``?jsonp=name`` as a script that calls name (feature W9)."""
    callback = request.query.get("jsonp") if request is not None and request.query_text else None
    if callback:
        return Response(200, [callback.encode(), b"(", body, b")"], "text/javascript")
    return Response(200, body, "application/json")
