"""Agent attributes (A16): ``rack:r1;cores:4.5;ports:[1-10]``. Duplicates are allowed and order is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from messor.errors import InvalidRequest
from messor.model.ranges import Ranges
from messor.model.resource_text import parse_value
from messor.model.scalars import scalar_text, to_milli
from messor.protos import v0

_SEPARATORS = re.compile(r"[;\n]+")


def parse_attributes(text: str) -> list[v0.Attribute]:
    """Read the value of ``--attributes``; raises InvalidRequest naming the bad pair (the original aborts)."""
    attributes = []
    for token in _SEPARATORS.split(text):
        if not token:
            continue
        name, colon, value = token.partition(":")
        if not colon or not name or not value:
            raise InvalidRequest(f"Invalid attribute key:value pair '{token}'")
        try:
            parsed = parse_value(value)
        except InvalidRequest as error:
            raise InvalidRequest(f"Failed to parse attribute {name} text {value} error {error}") from None
        if parsed.type == v0.Value.SET:
            raise InvalidRequest(f"Bad type for attribute {name} text {value} type SET")
        attribute = v0.Attribute(name=name, type=parsed.type)
        if parsed.type == v0.Value.SCALAR:
            attribute.scalar.CopyFrom(parsed.scalar)
        elif parsed.type == v0.Value.RANGES:
            attribute.ranges.CopyFrom(parsed.ranges)
        else:
            attribute.text.CopyFrom(parsed.text)
        attributes.append(attribute)
    return attributes


def attribute_text(attribute: v0.Attribute) -> str:
    """Write one attribute's value the way endpoints show it: ``4.5``, ``[1-10]``, ``r1``."""
    if attribute.type == v0.Value.SCALAR:
        return scalar_text(to_milli(attribute.scalar.value))
    if attribute.type == v0.Value.RANGES:
        return "[" + ", ".join(f"{item.begin}-{item.end}" for item in attribute.ranges.range) + "]"
    if attribute.type == v0.Value.SET:
        return "{" + ", ".join(attribute.set.item) + "}"
    return attribute.text.value


def same_attributes(left: Iterable[v0.Attribute], right: Iterable[v0.Attribute]) -> bool:
    """Whether both hold the same attributes, in whatever order."""
    left_keys, right_keys = [_key(item) for item in left], [_key(item) for item in right]
    return len(left_keys) == len(right_keys) and set(left_keys) == set(right_keys)


def _key(attribute: v0.Attribute) -> tuple[str, int, object]:
    value: object
    if attribute.type == v0.Value.SCALAR:
        value = to_milli(attribute.scalar.value)
    elif attribute.type == v0.Value.RANGES:
        value = Ranges.of(attribute.ranges)
    elif attribute.type == v0.Value.SET:
        value = frozenset(attribute.set.item)
    else:
        value = attribute.text.value
    return attribute.name, attribute.type, value
