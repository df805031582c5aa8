"""One line per message and enum of the protocol: what two independent descriptions of it are compared by.

Field order is kept inside a line, because JSON is written in it; lines are sorted.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

import messor.protos

KINDS = {
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_FIXED64: "fixed64",
    FieldDescriptor.TYPE_FIXED32: "fixed32",
    FieldDescriptor.TYPE_SFIXED32: "sfixed32",
    FieldDescriptor.TYPE_SFIXED64: "sfixed64",
    FieldDescriptor.TYPE_SINT32: "sint32",
    FieldDescriptor.TYPE_SINT64: "sint64",
}


def wire_listing() -> list[str]:
    """List everything that the generated modules of messor.protos declare."""
    lines: list[str] = []
    for module in _modules():
        lines.extend(_enum_line(enum) for enum in module.DESCRIPTOR.enum_types_by_name.values())
        for message in module.DESCRIPTOR.message_types_by_name.values():
            lines += _message_lines(message)
    return sorted(lines)


def _modules() -> Iterator[Any]:
    """Import every generated module."""
    for found in pkgutil.walk_packages(messor.protos.__path__, "messor.protos."):
        if found.name.endswith("_pb2"):
            yield importlib.import_module(found.name)


def _enum_line(enum: Any) -> str:
    """Describe an enum."""
    return f"enum {enum.full_name}: " + ", ".join(_value_text(value) for value in enum.values)


def _value_text(value: Any) -> str:
    """Describe one value of an enum."""
    return f"{value.name}={value.number}" + (" deprecated" if value.GetOptions().deprecated else "")


def _message_lines(message: Any) -> Iterator[str]:
    """Describe a message and what is declared inside of it."""
    yield f"message {message.full_name}: " + "; ".join(_field_text(field) for field in message.fields)
    for enum in message.enum_types:
        yield _enum_line(enum)
    for nested in message.nested_types:
        yield from _message_lines(nested)


def _field_text(field: Any) -> str:
    """Describe a field."""
    label = "repeated" if field.is_repeated else "required" if field.is_required else "optional"
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        kind = field.message_type.full_name
    elif field.type == FieldDescriptor.TYPE_ENUM:
        kind = f"{field.enum_type.full_name} (enum)"
    else:
        kind = KINDS[field.type]
    text = f"{field.name} = {field.number} {label} {kind}"
    if field.has_default_value:
        text += f" default={_default(field)}"
    if field.GetOptions().deprecated:
        text += " deprecated"
    if field.containing_oneof is not None and not field.containing_oneof.name.startswith("_"):
        text += f" oneof={field.containing_oneof.name}"
    return text


def _default(field: Any) -> str:
    """Write a default as proto files do."""
    if field.type == FieldDescriptor.TYPE_ENUM:
        return str(field.enum_type.values_by_number[field.default_value].name)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return str(field.default_value).lower()
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return f"{field.default_value:g}"
    return str(field.default_value)
