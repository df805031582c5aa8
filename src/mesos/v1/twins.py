"""Callbacks' arguments in v1."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from messor.wire.versions import evolve


def to_v1(argument: Any) -> Any:
    """Give the v1 twin of a message or of a list of messages; anything else is given back."""
    if isinstance(argument, Message):
        return evolve(argument)
    if isinstance(argument, list):
        return [to_v1(item) for item in argument]
    return argument
