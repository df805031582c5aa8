"""Taking messages of any copy and version of the Mesos protos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from messor.errors import MesosError, ProtocolError
from messor.wire.json_codec import from_json

M = TypeVar("M", bound=Message)


def own(kind: type[M], message: Any, *, partial: bool = False) -> M:
    """Turn a message of another copy of the Mesos protos, or its v1 twin, into ours; ours are returned as they are.

    Raises TypeError for what is no message, and ValueError, naming them, when required fields are missing, unless
    partial.
    """
    if isinstance(message, kind):
        owned = message
    elif isinstance(message, Message) and _is_twin(kind, message):
        owned = kind.FromString(message.SerializePartialToString())
    else:
        name = message.DESCRIPTOR.full_name if isinstance(message, Message) else type(message).__name__
        text = f"expecting a {kind.DESCRIPTOR.full_name}, not {name}"
        raise TypeError(text)
    if not partial and not owned.IsInitialized():
        missing = ", ".join(owned.FindInitializationErrors())  # type: ignore[attr-defined]  # the stubs forgot it
        raise ValueError(f"{kind.DESCRIPTOR.full_name} lacks {missing}")
    return owned


def _is_twin(kind: type[Message], message: Message) -> bool:
    """Whether a message is what it should be, in another copy of the protos or in v1."""
    name = message.DESCRIPTOR.full_name.replace("mesos.v1.", "mesos.", 1)
    return name.replace(".Agent", ".Slave") == kind.DESCRIPTOR.full_name


def read_record(record: bytes, kind: type[M], *, is_json: bool) -> M:
    """Read one event of a stream; raises ProtocolError for what is none, so that the stream is opened anew."""
    try:
        return from_json(record, kind) if is_json else kind.FromString(record)
    except (DecodeError, MesosError) as error:
        start = record[:80].decode(errors="replace")
        raise ProtocolError(f"an event that cannot be read came: {error} ({start!r})") from error


def own_all(kind: type[M], messages: Iterable[Any]) -> list[M]:
    """Turn several messages into ours."""
    return [own(kind, message) for message in messages]
