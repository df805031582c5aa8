"""Protobuf encodings put together from pieces that are encoded already."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def varint(value: int) -> bytes:
    """Encode a non-negative integer the protobuf way."""
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


@lru_cache(maxsize=1024)
def tag(field: int) -> bytes:
    """Encode the key of a length-delimited field: a string, bytes or a message."""
    return varint(field << 3 | 2)


def nested(field: int, data: bytes) -> bytes:
    """Encode a field that holds bytes, text or an encoded message."""
    return b"%b%b%b" % (tag(field), varint(len(data)), data)
