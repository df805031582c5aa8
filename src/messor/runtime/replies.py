"""HTTP replies as bytes: status lines, the date, chunks."""

from __future__ import annotations

import time
import zlib

from messor.runtime.http import REASONS, Response, text_response

GZIP_MINIMUM = 1024
"""Bodies below that many bytes are never compressed (protocols a.7)."""

CRLF = b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: int) -> str:
    """Write a time as HTTP does, whatever the locale (``email.utils`` does it too, but costs 5 ms at start-up)."""
    at = time.gmtime(seconds)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year}"
        f" {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} GMT"
    )


class ReplyWriter:
    """Encodes replies; renews what depends on the date once per second."""

    def __init__(self) -> None:
        """Start with the current date."""
        self.second = 0
        self.date = b""
        self.accepted = b""
        """A whole 202, the answer to nearly everything."""
        self.not_found = b""
        """A whole 404."""
        self.renew()

    def renew(self) -> None:
        """Renew the date if the second changed; call it once per batch of replies."""
        now = int(time.time())
        if now != self.second:
            self.second = now
            self.date = b"Date: " + http_date(now).encode() + CRLF
            self.accepted = b"HTTP/1.1 202 Accepted\r\n" + self.date + b"Content-Length: 0\r\n\r\n"
            self.not_found = b"".join(self.complete(text_response(404)))

    def complete(self, response: Response) -> list[bytes]:
        """Encode a reply whose body is bytes."""
        body = response.body
        if body == b"" and not response.headers:
            if response.status == 202:
                return [self.accepted]
            return [self._start(response.status), b"Content-Length: 0\r\n\r\n"]
        pieces = [body] if isinstance(body, bytes) else body
        if not isinstance(pieces, list):
            raise TypeError("A pipe has no complete body")
        length = sum(map(len, pieces))
        return [self.head(response, length), *pieces]

    def head(self, response: Response, length: int) -> bytes:
        """Encode the head of a reply with a body of known length."""
        return self._start(response.status) + _lines(response) + b"Content-Length: %d\r\n\r\n" % length

    def streaming(self, response: Response) -> bytes:
        """Encode the head of a reply whose body is a Pipe."""
        return self._start(response.status) + _lines(response) + b"Transfer-Encoding: chunked\r\n\r\n"

    def _start(self, status: int) -> bytes:
        line = _STATUS_LINES.get(status)
        if line is None:
            line = b"HTTP/1.1 %d %b\r\n" % (status, REASONS.get(status, "Unknown").encode())
            _STATUS_LINES[status] = line
        return line + self.date


_STATUS_LINES: dict[int, bytes] = {}


def _lines(response: Response) -> bytes:
    return "".join(
        f"{name}: {value}\r\n" for name, value in response.headers.items() if name.lower() not in _OUR_BUSINESS
    ).encode("utf-8", "surrogateescape")


_OUR_BUSINESS = {"date", "content-length", "transfer-encoding"}


def compress(pieces: list[bytes]) -> list[bytes]:
    """Gzip a body; level 1 because replies are big and networks fast."""
    machine = zlib.compressobj(1, wbits=31)
    return [*filter(None, (machine.compress(piece) for piece in pieces)), machine.flush()]
