"""The head of an HTTP request: parsed once with httptools, remembered by its bytes.

Peers of a cluster send the same few heads again and again (a libprocess peer differs only in what its body holds), so
the front door looks the raw bytes up before it parses anything.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from urllib.parse import unquote

import httptools

from messor.errors import RemoteProtocolError
from messor.wire.libprocess import message_sender, split_path
from messor.wire.upid import Upid

CHUNKED = -1
"""Length of a body that comes in chunks."""

CACHED_HEADS = 4096
CACHEABLE_BYTES = 2048

_BARE_NEWLINE = re.compile(rb"(?<!\r)\n")
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_SLASHES = re.compile(r"/{2,}")
_NO_GZIP = re.compile(r"\s*(gzip|\*)\s*;\s*q\s*=\s*0(\.0*)?\s*$", re.IGNORECASE)
_GZIP = re.compile(r"\s*(gzip|\*)\s*(;|$)", re.IGNORECASE)


class Head:
    """What the first lines of a request say; shared between requests with the same head, hence never changed."""

    __slots__ = (
        "accepts_gzip",
        "gzipped",
        "headers",
        "is_plain_message",
        "keep_alive",
        "length",
        "method",
        "name",
        "path",
        "query_text",
        "receiver",
        "sender",
    )

    def __init__(self, method: str, url: str, headers: dict[str, str], *, keep_alive: bool) -> None:
        """Derive everything the front door asks for; raises RemoteProtocolError for what must close the connection."""
        self.method = method
        self.headers = MappingProxyType(headers)
        self.keep_alive = keep_alive
        raw_path, self.query_text = _split_url(url)
        if _BAD_PERCENT.search(self.query_text):
            raise RemoteProtocolError("The query has a broken percent-encoding")
        path = unquote(raw_path)
        self.path = _SLASHES.sub("/", path) if "//" in path else path
        self.length = _body_length(headers)
        self.gzipped = headers.get("content-encoding", "").lower() == "gzip"
        self.accepts_gzip = _accepts_gzip(headers.get("accept-encoding", ""))
        self.sender: Upid | None = message_sender(headers) if method == "POST" else None
        self.receiver, self.name = split_path(raw_path.encode()) if self.sender is not None else ("", "")
        self.is_plain_message = bool(self.name) and self.keep_alive and not self.gzipped
        """A message with nothing special about it."""

    @property
    def streams(self) -> bool:
        """Whether the body may be handed over while it is still arriving."""
        return self.headers.get("content-type") == "application/recordio"


class HeadCache:
    """Parsed heads by their bytes; forgets all when full, which costs one parse per head once in a while."""

    def __init__(self) -> None:
        """Start empty."""
        self.known: dict[bytes, Head] = {}

    def learn(self, raw: bytes) -> Head:
        """Parse a complete head and remember it; raises RemoteProtocolError."""
        head = parse_head(raw)
        if len(raw) <= CACHEABLE_BYTES:
            if len(self.known) >= CACHED_HEADS:
                self.known.clear()
            self.known[raw] = head
        return head


class _Collector:
    """What httptools calls while it parses."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.complete = False
        self.keep_alive = False
        self.parser: httptools.HttpRequestParser | None = None

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        text = value.decode("utf-8", "surrogateescape")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.complete = True
        assert self.parser is not None
        self.keep_alive = self.parser.should_keep_alive()  # the parser forgets it when the message ends


def parse_head(raw: bytes) -> Head:
    """Parse a head with its closing empty line; raises RemoteProtocolError when it is none."""
    collector = _Collector()
    parser = collector.parser = httptools.HttpRequestParser(collector)
    parser.set_dangerous_leniencies(lenient_headers=True)  # header folding, as http_parser of old allowed
    try:
        parser.feed_data(_BARE_NEWLINE.sub(b"\r\n", raw))
    except httptools.HttpParserUpgrade:
        pass  # we never upgrade: the request is served as an ordinary one
    except httptools.HttpParserError as error:
        raise RemoteProtocolError(f"Malformed request: {error}") from error
    finally:
        collector.parser = None  # break the cycle: heads come often enough to bother the collector of garbage
    if not collector.complete:
        raise RemoteProtocolError("Incomplete request head")
    return Head(
        parser.get_method().decode("latin-1"),
        collector.url.decode("utf-8", "surrogateescape"),
        collector.headers,
        keep_alive=collector.keep_alive,
    )


def could_begin_head(data: bytes) -> bool:
    """Whether more bytes could still make a request of this; garbage is recognised without waiting for its end."""
    collector = _Collector()
    collector.parser = httptools.HttpRequestParser(collector)
    collector.parser.set_dangerous_leniencies(lenient_headers=True)
    try:
        collector.parser.feed_data(_BARE_NEWLINE.sub(b"\r\n", data))
    except httptools.HttpParserError:
        return False
    return True


def _split_url(url: str) -> tuple[str, str]:
    """Split a request target into its path, still encoded, and its query; the fragment is dropped."""
    if not url.startswith("/"):
        scheme, colon, rest = url.partition("://")
        url = "/" + rest.partition("/")[2] if colon and scheme else "/"
    url = url.partition("#")[0]
    path, _, query = url.partition("?")
    return path, query


def _body_length(headers: dict[str, str]) -> int:
    """Tell how long the body is; whatever could be understood in two ways is refused (request smuggling)."""
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise RemoteProtocolError(f"Not a content length: '{length}'")
    encoding = headers.get("transfer-encoding")
    if encoding is not None:
        if encoding.rpartition(",")[2].strip().lower() != "chunked":
            raise RemoteProtocolError(f"Unknown transfer encoding '{encoding}'")
        if "content-length" in headers:
            raise RemoteProtocolError("Both a length and chunks are promised")
        return CHUNKED
    return int(length)


def _accepts_gzip(accepted: str) -> bool:
    parts = accepted.split(",")
    if any(_NO_GZIP.match(part) for part in parts):
        return False
    return any(_GZIP.match(part) for part in parts)
