"""Reads the agent's HTTP replies incrementally: heads, bodies by length, and chunked bodies as they come. Pure."""

from __future__ import annotations

from messor.errors import RemoteProtocolError

_MAX_HEAD = 64 * 1024


class ReplyReader:
    """Cuts the bytes of one connection into replies.

    After each ``feed`` look at ``status`` (of the reply being read), ``take_body`` (its body so far) and ``finished``
    (status codes of the replies completed meanwhile, with their bodies).
    """

    def __init__(self) -> None:
        """Expect the head of a reply."""
        self.status: int | None = None
        self.finished: list[tuple[int, bytes]] = []
        self._buffer = bytearray()
        self._body = bytearray()
        self._left = 0
        self._chunked = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises RemoteProtocolError when they are no HTTP."""
        self._buffer += data
        while self._step():
            pass

    def take_body(self) -> bytes:
        """Give what has arrived of the current body and forget it: how an endless body is read."""
        body = bytes(self._body)
        self._body.clear()
        return body

    def _step(self) -> bool:
        """Do what the buffer allows; False when more bytes are needed."""
        if self.status is None:
            return self._read_head()
        if self._left:
            taken = min(self._left, len(self._buffer))
            self._body += self._buffer[:taken]
            del self._buffer[:taken]
            self._left -= taken
            if self._left:
                return False
            if not self._chunked:
                self._finish()
                return True
        return self._read_chunk_size()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise RemoteProtocolError("The head of a reply is too long")
            return False
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        version, _, rest = lines[0].partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not code.isdigit():
            raise RemoteProtocolError(f"Not an HTTP reply: {lines[0][:80]!r}")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self.status = int(code)
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        if not self._chunked:
            length = headers.get("content-length", "0")
            if not length.isdigit():
                raise RemoteProtocolError(f"Not a length: {length!r}")
            self._left = int(length)
            if not self._left:
                self._finish()
        return True

    def _read_chunk_size(self) -> bool:
        """Read the line before a chunk; the empty line that ends the chunk before it comes first."""
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            del buffer[:2]
        end = buffer.find(b"\r\n")
        if end < 0:
            return False
        text = bytes(buffer[:end]).partition(b";")[0].strip()
        try:
            size = int(text, 16)
        except ValueError:
            raise RemoteProtocolError(f"Not the size of a chunk: {text[:20]!r}") from None
        if size == 0:
            if not buffer.startswith(b"\r\n", end + 2):
                return False  # the empty line after the last chunk is still to come
            del buffer[: end + 4]
            self._finish()
            return True
        del buffer[: end + 2]
        self._left = size
        return True

    def _finish(self) -> None:
        if self.status is None:
            raise RemoteProtocolError("A reply ended before it began")
        self.finished.append((self.status, self.take_body()))
        self.status = None
        self._chunked = False
