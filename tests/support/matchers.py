"""Compare a message with the few fields a test is about."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message


def differences(message: Any, expected: dict[str, Any], path: str = "") -> list[str]:
    """List where a message differs from the expected fields; a dict goes into a sub-message, None means not set.

    A list compares repeated fields by length and element; ids may be given as plain strings.
    """
    found: list[str] = []
    for name, wanted in expected.items():
        field = message.DESCRIPTOR.fields_by_name.get(name)
        where = f"{path}{name}"
        if field is None:
            found.append(f"{where}: {message.DESCRIPTOR.name} has no such field")
            continue
        found.extend(_compare(message, field, wanted, where))
    return found


def matches(message: Any, **expected: Any) -> bool:
    """Whether the named fields are as expected."""
    return not differences(message, expected)


def assert_matches(message: Any, **expected: Any) -> None:
    """Fail with a list of differences and the message itself."""
    found = differences(message, expected)
    assert not found, "; ".join(found) + f"\nin {message}"


def _compare(message: Any, field: Any, wanted: Any, where: str) -> list[str]:
    value = getattr(message, field.name)
    if field.is_repeated:
        items = list(value)
        if len(items) != len(wanted):
            return [f"{where}: {len(items)} instead of {len(wanted)}"]
        return [
            text
            for number, pair in enumerate(zip(items, wanted, strict=True))
            for text in _one(*pair, f"{where}[{number}]")
        ]
    if wanted is None:
        return [f"{where}: set to {value!r}"] if message.HasField(field.name) else []
    if field.has_presence and not message.HasField(field.name):
        return [f"{where}: not set instead of {wanted!r}"]
    return _one(value, wanted, where)


def _one(value: Any, wanted: Any, where: str) -> list[str]:
    if isinstance(wanted, dict):
        return differences(value, wanted, f"{where}.")
    if isinstance(value, Message) and isinstance(wanted, str):
        value = value.value  # type: ignore[attr-defined]  # an id
    return [] if value == wanted else [f"{where}: {value!r} instead of {wanted!r}"]
