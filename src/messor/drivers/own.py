"""Taking messages of any copy and version of the Mesos protos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def own(kind: type[M], message: Any) -> M:
    """Turn a message of another copy of the Mesos protos, or its v1 twin, into ours; ours are returned as they are.

    Raises TypeError for what is no message.
    """
    if isinstance(message, kind):
        return message
    if isinstance(message, Message):
        return kind.FromString(message.SerializePartialToString())
    text = f"expecting a {kind.DESCRIPTOR.full_name}, not {type(message).__name__}"
    raise TypeError(text)


def own_all(kind: type[M], messages: Iterable[Any]) -> list[M]:
    """Turn several messages into ours."""
    return [own(kind, message) for message in messages]
