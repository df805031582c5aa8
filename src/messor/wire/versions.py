"""v0 and v1: one language in two spellings.

Twin messages share field numbers and types, so turning one into the other is writing it and reading it back under
the twin's descriptor. What differs is listed here: names (agent, slave), ``scheduler.Call.Subscribe``, whose v0 form
has one field more in the middle, and the type of ``master.Call.DrainAgent.max_grace_period``. Enums agree number by
number.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from google.protobuf.message import DecodeError, Message

from messor.errors import InvalidRequest

PROTOS = "messor.protos."
V1_FILES = "mesos/v1/"
V0_FILES = "mesos/"

RENAMED = {"AgentID": "SlaveID", "AgentInfo": "SlaveInfo"}
"""The messages that are called differently, v1 name first."""

NANOS = 1_000_000_000


def evolve(message: Message) -> Any:
    """Give the v1 twin of a v0 message."""
    kind: Any = type(message)
    return _translator(kind, True)(message)


def devolve(message: Message) -> Any:
    """Give the v0 twin of a v1 message."""
    kind: Any = type(message)
    return _translator(kind, False)(message)


def evolved(data: bytes, kind: Any) -> Any:
    """Read the encoding of a v0 message of that kind as its v1 twin.

    Not for the two messages whose encodings differ: ``scheduler.Call`` and ``master.Call``, nor what holds them.
    """
    return _read(twin(kind), data)


def _read(kind: Any, data: bytes) -> Any:
    """Read an encoding that was valid for the twin; only its depth can be too much for the parser."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise InvalidRequest("Messages are nested too deeply") from None


@cache
def twin(kind: Any) -> type[Message]:
    """Find the class of a message's twin; raises LookupError for messages that have none."""
    path = kind.DESCRIPTOR.file.name
    package = kind.DESCRIPTOR.file.package
    names = kind.DESCRIPTOR.full_name[len(package) + 1 :].split(".")
    if path.startswith(V1_FILES):
        file = V0_FILES + path[len(V1_FILES) :]
        top = RENAMED.get(names[0], names[0])
    else:
        file = V1_FILES + path[len(V0_FILES) :]
        top = {v0: v1 for v1, v0 in RENAMED.items()}.get(names[0], names[0])
    try:
        found: Any = importlib.import_module(PROTOS + file.removesuffix(".proto").replace("/", ".") + "_pb2")
        for name in (top, *names[1:]):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"{kind.DESCRIPTOR.full_name} has no twin") from error
    return cast("type[Message]", found)


@cache
def _translator(kind: Any, to_v1: bool) -> Callable[[Message], Message]:
    """Give the function that turns messages of a kind into their twins."""
    if kind.DESCRIPTOR.file.name.startswith(V1_FILES) == to_v1:
        raise LookupError(f"{kind.DESCRIPTOR.full_name} is already what it should become")
    target = twin(kind)
    name = kind.DESCRIPTOR.full_name.replace("mesos.v1.", "mesos.")
    exception = EXCEPTIONS.get(name)

    def translate(message: Message) -> Message:
        result: Message = _read(target, message.SerializePartialToString())
        return result

    def translate_with_care(message: Message) -> Message:
        assert exception is not None
        result = target()
        exception(message, result)
        return result

    return translate if exception is None else translate_with_care


def _copy_subscribe(source: Any, target: Any) -> None:
    """Copy a Subscribe field by field; v1 has no ``force``."""
    target.framework_info.ParseFromString(source.framework_info.SerializePartialToString())
    target.suppressed_roles.extend(source.suppressed_roles)
    if source.HasField("offer_constraints"):
        target.offer_constraints.ParseFromString(source.offer_constraints.SerializePartialToString())


def _copy_drain(source: Any, target: Any) -> None:
    """Copy a DrainAgent whose grace period is nanoseconds in v0 and a google.protobuf.Duration in v1."""
    _copy_without(source, target, "max_grace_period")
    if not source.HasField("max_grace_period"):
        return
    period = source.max_grace_period
    if period.DESCRIPTOR.name == "DurationInfo":
        seconds, nanos = divmod(abs(period.nanoseconds), NANOS)
        sign = -1 if period.nanoseconds < 0 else 1  # both parts of a Duration have the same sign
        target.max_grace_period.seconds = sign * seconds
        target.max_grace_period.nanos = sign * nanos
    else:
        target.max_grace_period.nanoseconds = period.seconds * NANOS + period.nanos


def _copy_scheduler_call(source: Any, target: Any) -> None:
    """Copy a scheduler Call, the SUBSCRIBE apart from the rest."""
    if not source.HasField("subscribe"):
        _copy(source, target)
        return
    _copy_without(source, target, "subscribe")
    _copy_subscribe(source.subscribe, target.subscribe)


def _copy_master_call(source: Any, target: Any) -> None:
    """Copy an operator Call, the DRAIN_AGENT apart from the rest."""
    if not source.HasField("drain_agent"):
        _copy(source, target)
        return
    _copy_without(source, target, "drain_agent")
    _copy_drain(source.drain_agent, target.drain_agent)


def _copy(source: Any, target: Any) -> None:
    """Copy everything, field numbers being the same."""
    target.CopyFrom(_read(type(target), source.SerializePartialToString()))


def _copy_without(source: Any, target: Any, field: str) -> None:
    """Copy everything but one field."""
    rest = type(source)()
    rest.CopyFrom(source)
    rest.ClearField(field)
    _copy(rest, target)


EXCEPTIONS: dict[str, Callable[[Any, Any], None]] = {
    "mesos.scheduler.Call": _copy_scheduler_call,
    "mesos.scheduler.Call.Subscribe": _copy_subscribe,
    "mesos.master.Call": _copy_master_call,
    "mesos.master.Call.DrainAgent": _copy_drain,
}
"""Messages whose encodings differ between the versions, by v0 name."""
