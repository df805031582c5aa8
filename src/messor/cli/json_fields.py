"""Names in JSON that no message has: they are ignored on the wire, which makes every typing error a silent one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_MAP_VALUE = 2


def unknown_fields(value: Any, descriptor: Descriptor, path: str = "") -> Iterator[str]:
    """Name every key that the message does not have, with its path and the likeliest name that was meant."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from unknown_fields(item, descriptor, f"{path}[{number}]")
        return
    if not isinstance(value, dict):
        return
    fields = {field.name: field for field in descriptor.fields}
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        field = fields.get(key)
        if field is None:
            meant = difflib.get_close_matches(key, fields, 1)
            hint = f"; did you mean '{meant[0]}'?" if meant else f"; {descriptor.name} has no such field"
            yield f"'{where}' is unknown and ignored{hint}"
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from _below(item, field, where)


def _below(item: Any, field: Any, where: str) -> Iterator[str]:
    below = field.message_type
    if not below.GetOptions().map_entry:
        yield from unknown_fields(item, below, where)
        return
    inner = below.fields_by_number[_MAP_VALUE]
    if inner.type == FieldDescriptor.TYPE_MESSAGE and isinstance(item, dict):
        for key, entry in item.items():
            yield from unknown_fields(entry, inner.message_type, f"{where}[{key}]")
