"""Text fields that are no text.

The wire allows any bytes in a ``string`` field of these messages, and parsing hands them out as bytes then. Whoever
keeps a message, to show it as JSON later, must refuse such ones at the door.
"""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

TEXT = FieldDescriptor.TYPE_STRING
MESSAGE = FieldDescriptor.TYPE_MESSAGE


def bad_text(message: Message) -> str | None:
    """Give the path of the first string field that is not UTF-8, None when all are; for rare messages only."""
    for field, value in message.ListFields():
        kind = field.type
        if kind not in (TEXT, MESSAGE):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            if not _is_map_of_text(value):
                return str(field.name)
            continue
        for item in value if field.is_repeated else (value,):
            if kind == TEXT:
                if isinstance(item, bytes):
                    return str(field.name)
            else:
                inner = bad_text(item)
                if inner is not None:
                    return f"{field.name}.{inner}"
    return None


def _is_map_of_text(entries: Mapping[object, object]) -> bool:
    """Whether keys and values of a map are text where they should be; keys that are not cannot even be read."""
    try:
        items = list(entries.items())
    except UnicodeDecodeError:
        return False
    return all(
        not isinstance(value, bytes) and (not isinstance(value, Message) or bad_text(value) is None)
        for _, value in items
    )
