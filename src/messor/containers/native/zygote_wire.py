"""Messages between agent and zygote: a four-byte length and a JSON object, both ways. Pure.

JSON, because a zygote outlives upgrades of the agent: unknown keys are ignored on both sides.
"""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]

VERSION = 1
"""Raised when an older zygote cannot serve a newer agent, which then refuses to start while that one has containers."""

_LENGTH = 4


def encode(message: Message) -> bytes:
    """Frame one message."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(_LENGTH, "big") + body


class Decoder:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        """Start empty."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes, give the messages they complete."""
        self._buffer += data
        messages: list[Message] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH:
            end = start + _LENGTH + int.from_bytes(self._buffer[start : start + _LENGTH], "big")
            if end > len(self._buffer):
                break
            messages.append(json.loads(self._buffer[start + _LENGTH : end]))
            start = end
        del self._buffer[:start]
        return messages
