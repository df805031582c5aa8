"""RecordIO: decimal length, newline, record; how every event stream of the HTTP APIs is framed."""

from __future__ import annotations

from messor.errors import RemoteProtocolError

MAX_RECORD = 1 << 30
"""Largest record accepted, in bytes, unless a decoder is told otherwise: a length beyond it is taken for garbage."""

MAX_HEADER = 20
"""Digits of the largest 64-bit length."""


def encode_record(data: bytes) -> bytes:
    """Frame one record."""
    return b"%d\n%b" % (len(data), data)


class RecordDecoder:
    """Cuts a stream of bytes into records, in whatever pieces it arrives."""

    def __init__(self, limit: int = MAX_RECORD) -> None:
        """Refuse records longer than limit bytes."""
        self._limit = limit
        self._buffer = bytearray()
        self._length = -1
        self._failure: str | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the stream stands between two records; false at its end means a record was cut off."""
        return not self._buffer and self._length < 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and give the records they complete.

        Raises RemoteProtocolError when a length makes no sense, and again on every later call: nobody can tell where
        the next record begins. Records before the bad length in the same piece are lost with it.
        """
        if self._failure is not None:
            raise RemoteProtocolError(self._failure)
        buffer = self._buffer
        buffer += data
        records: list[bytes] = []
        start = 0
        while True:
            if self._length < 0:
                end = buffer.find(b"\n", start, start + MAX_HEADER + 1)
                if end < 0:
                    if len(buffer) - start > MAX_HEADER:
                        self._fail(bytes(buffer[start : start + MAX_HEADER]))
                    break
                self._length = self._read_length(bytes(buffer[start:end]))
                start = end + 1
            end = start + self._length
            if end > len(buffer):
                break
            records.append(bytes(buffer[start:end]))
            start = end
            self._length = -1
        del buffer[:start]
        return records

    def _read_length(self, header: bytes) -> int:
        """Read the decimal length of the next record."""
        if not header.isdigit():
            self._fail(header)
        length = int(header)
        if length > self._limit:
            self._failure = f"Refusing a record of {length} bytes, more than {self._limit}"
            raise RemoteProtocolError(self._failure)
        return length

    def _fail(self, header: bytes) -> None:
        """Give up on the stream for good."""
        text = header.decode("latin-1")
        self._failure = f"Failed to decode length '{text}': Failed to convert '{text}' to number"
        raise RemoteProtocolError(self._failure)
