"""An event stream: the answer to SUBSCRIBE, as bytes that become records."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import httptools

CHUNK = 32 * 1024
"""Bytes to read at once; the events of more than this no longer fit the processor's cache."""

LENGTH_DIGITS = 21
"""Bytes within which the line with a record's length must end."""


class Broken(Exception):
    """The stream ended or cannot be had now; another attempt may work."""


class Redirected(Broken):
    """Another master leads."""

    def __init__(self, location: str) -> None:
        """Take the Location header."""
        super().__init__(f"redirected to {location}")
        self.location = location


class EventStream:
    """Send a request and read records from its answer. on_open gets the answer's headers, on_records what came."""

    def __init__(
        self,
        address: tuple[str, int],
        request: bytes,
        on_open: Callable[[dict[str, str]], object],
        on_records: Callable[[list[bytes]], object],
    ) -> None:
        """Begin connecting without waiting; raises Broken when that fails at once."""
        self._request = request
        self._on_open = on_open
        self._on_records = on_records
        self._headers: dict[str, str] = {}
        self._rest: list[bytes] = []
        self._missing = 0
        """What waits for the rest of its record, and how many bytes are missing at least."""
        self._is_open = False
        self._is_over = False
        self._chunks: list[bytes] = []
        self.on_body = self._chunks.append  # the parser calls it for each chunk: no frame of ours
        self._parser = httptools.HttpResponseParser(self)
        self._socket = socket.socket()
        self._socket.setblocking(False)
        try:
            self._socket.connect(address)
        except BlockingIOError:
            pass
        except OSError as error:
            self._socket.close()
            raise Broken(f"cannot connect to {address[0]}:{address[1]}: {error}") from error

    def fileno(self) -> int:
        """Give the socket to wait on."""
        return self._socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether the request is not sent whole yet."""
        return bool(self._request)

    def write(self) -> None:
        """Send more of the request, now that the socket can take it; raises Broken."""
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise Broken(os.strerror(error))
        try:
            self._request = self._request[self._socket.send(self._request) :]
        except BlockingIOError:
            return
        except OSError as problem:
            raise Broken(str(problem)) from problem

    def read(self) -> None:
        """Take what arrived and hand out the records; raises Broken, or what on_records raised."""
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as problem:
            raise Broken(str(problem)) from problem
        if not data:
            raise Broken("the other end closed the event stream")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as problem:
            raise Broken(f"the answer is no HTTP: {problem}") from problem
        if self._is_open and self._chunks:
            chunks = self._chunks[:]
            self._chunks.clear()
            self._on_records(self._cut(chunks))
        if self._is_over:
            self._ended()

    def _cut(self, chunks: list[bytes]) -> list[bytes]:
        """Cut records out; nearly always a chunk is exactly one."""
        records: list[bytes] = []
        for chunk in chunks:
            if not self._rest:
                length, _, record = chunk.partition(b"\n")
                if length.isdigit() and int(length) == len(record):
                    records.append(record)
                    continue
            self._rest.append(chunk)
            self._missing -= len(chunk)
            if self._missing <= 0:  # else a large record: joined once, not with every chunk
                self._cut_across(b"".join(self._rest), records)
        return records

    def _cut_across(self, data: bytes, records: list[bytes]) -> None:
        """Cut records of which chunks hold parts or several."""
        start, end = 0, len(data)
        self._missing = 0
        while start < end:
            line = data.find(b"\n", start, start + LENGTH_DIGITS)
            if line < 0 and end - start < LENGTH_DIGITS:
                break
            length = data[start:line] if line >= 0 else data[start : start + LENGTH_DIGITS]
            if line < 0 or not length.isdigit():
                raise Broken(f"the event stream holds {length!r} where a record's length should be")
            stop = line + 1 + int(length)
            if stop > end:
                self._missing = stop - end
                break
            records.append(data[line + 1 : stop])
            start = stop
        self._rest = [data[start:]] if start < end else []

    def _ended(self) -> None:
        status = self._parser.get_status_code()
        if status == 200:
            raise Broken("the event stream ended")
        if status == 307:
            raise Redirected(self._headers.get("location", ""))
        text = b"".join(self._chunks).decode(errors="replace")
        if status in (404, 503):  # not yet the leader, or still recovering
            raise Broken(f"{status}: {text}")
        raise RuntimeError(f"The subscription was refused with {status}: {text}")

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()

    # --- called by the parser ----------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Tell that the stream is open, if it is one."""
        if self._parser.get_status_code() == 200:
            self._is_open = True
            self._on_open(self._headers)

    def on_message_complete(self) -> None:
        """Note the end."""
        self._is_over = True
