"""How messages lie in a file: native uint32 length, then the message; streams are that, repeated (protocols f)."""

from __future__ import annotations

import struct

_LENGTH = struct.Struct("=I")


def record(data: bytes) -> bytes:
    """Frame one encoded message."""
    return _LENGTH.pack(len(data)) + data


def records(data: bytes) -> tuple[list[bytes], int]:
    """Cut a file into encoded messages; gives them and how many bytes were whole.

    What is behind the last whole record is a write that a crash tore: the caller truncates the file there.
    """
    found: list[bytes] = []
    position = 0
    size = len(data)
    while position + _LENGTH.size <= size:
        (length,) = _LENGTH.unpack_from(data, position)
        end = position + _LENGTH.size + length
        if end > size:
            break
        found.append(data[position + _LENGTH.size : end])
        position = end
    return found, position
