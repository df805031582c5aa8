"""Protobuf messages to JSON and back, the way Mesos does it, which is not the way of protobuf's own JSON.

Written: field names as declared, in order of declaration; 64-bit integers as numbers; bytes in base64; enums by name;
a double always with a fraction; empty repeated fields left out; an optional field with an explicit default also when it
is unset, unless it is deprecated.

Read: unknown keys and nulls are ignored; numbers and booleans also as strings; a bare value where a list is expected is
that list's one element; unknown enum names leave the field unset.

Each message type gets its table of converters the first time it is met.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any, NoReturn, TypeVar

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from messor.errors import InvalidRequest
from messor.wire.json_text import boolean_in, bytes_in, number_in, syntax_error

M = TypeVar("M", bound=Message)

Writer = Callable[[Any], Any]
"""Turns one value of a field into what orjson writes as Mesos would."""

Reader = Callable[[Any, Any], None]
"""Puts a JSON value (not null) into its field of a message."""

KINDS = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}
"""What Mesos calls the kinds of JSON values."""

PLAIN_LOW = 1e-5
PLAIN_HIGH = 1e16
"""Between these orjson writes a double in the same digits as Mesos."""


def to_json(message: Message) -> bytes:
    """Write a message as compact JSON."""
    return orjson.dumps(_writer(message.DESCRIPTOR)(message), _readable)


def to_dict(message: Message) -> dict[str, Any]:
    """Give the message as the dict that ``dumps`` turns into JSON; odd doubles are ready-made fragments in it."""
    return _writer(message.DESCRIPTOR)(message)  # type: ignore[no-any-return]


def dumps(value: Any) -> bytes:
    """Write plain values and results of to_dict as compact JSON; bytes already in JSON go in as ``Fragment``.

    Text that came over the wire without being UTF-8 (protobuf then gives bytes) is written with replacement characters.
    """
    return orjson.dumps(value, default=_readable)


def _readable(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"{type(value).__name__} has no JSON form")


Fragment = orjson.Fragment
"""JSON that is already written, to put inside a value given to ``dumps``."""


def number(value: float) -> Any:
    """Give a double in the form that ``dumps`` writes as Mesos does."""
    size = abs(value)
    if PLAIN_LOW <= size < PLAIN_HIGH or size == 0.0:
        return value
    if value != value:  # noqa: PLR0124  (only NaN differs from itself)
        return "NaN"
    if size == float("inf"):
        return "Infinity" if value > 0 else "-Infinity"
    text = repr(value)
    if 1e-6 <= size < 1e21:
        text = f"{Decimal(text):f}"
        return Fragment((text if "." in text else text + ".0").encode())
    mantissa, _, exponent = text.partition("e")
    return Fragment(f"{mantissa}e{int(exponent)}".encode())


# --- writing ---------------------------------------------------------------------------------------------------------


@cache
def _writer(descriptor: Descriptor) -> Writer:
    """Build the writer of a message type."""
    rows = [(field, field.name, _field_writer(field)) for field in descriptor.fields]
    defaults = [
        (field.index, field.name, _default_of(field))
        for field in descriptor.fields
        if field.has_default_value and not field.GetOptions().deprecated
    ]
    if len(rows) == 1 and rows[0][0].is_required and rows[0][2] is None:
        return _single_writer(rows[0][1])
    numbers = [field.number for field in descriptor.fields]
    if not defaults and numbers == sorted(numbers):
        return _ordered_writer({field: (name, convert) for field, name, convert in rows})
    return _declared_writer(
        {field: (index, name, convert) for index, (field, name, convert) in enumerate(rows)}, defaults
    )


def _single_writer(name: str) -> Writer:
    """Write a type of one required plain field, as all ids are, without asking which fields are set."""
    return lambda message: {name: getattr(message, name)}


def _ordered_writer(rows: dict[FieldDescriptor, tuple[str, Writer | None]]) -> Writer:
    """Write a type whose fields are declared in the order of their numbers, which is how they are listed."""

    def write(message: Message) -> dict[str, Any]:
        result = {}
        for field, value in message.ListFields():
            name, convert = rows[field]
            result[name] = value if convert is None else convert(value)
        return result

    return write


def _declared_writer(
    rows: dict[FieldDescriptor, tuple[int, str, Writer | None]], defaults: list[tuple[int, str, Any]]
) -> Writer:
    """Write a type that needs sorting, or whose defaults are to be seen."""
    by_index = itemgetter(0)
    default_names = [(name, (index, name, value)) for index, name, value in defaults]

    def write(message: Message) -> dict[str, Any]:
        found = []
        names = set()
        for field, value in message.ListFields():
            index, name, convert = rows[field]
            found.append((index, name, value if convert is None else convert(value)))
            names.add(name)
        for name, row in default_names:
            if name not in names:
                found.append(row)
        found.sort(key=by_index)
        return {name: value for _, name, value in found}

    return write


def _field_writer(field: FieldDescriptor) -> Writer | None:
    """Give the converter of a field's whole value, None when the value goes out as it is."""
    if _is_map(field):
        return _map_writer(field)
    convert = _value_writer(field)
    if not field.is_repeated:
        return convert
    if convert is None:
        return list
    return lambda values: [convert(value) for value in values]


def _map_writer(field: FieldDescriptor) -> Writer:
    """Write a map as an object; keys that are not strings as text."""
    convert = _value_writer(_type_of(field).fields_by_name["value"]) or _same
    return lambda values: {str(key): convert(value) for key, value in values.items()}


def _value_writer(field: FieldDescriptor) -> Writer | None:
    """Give the converter of a single value."""
    kind = field.type
    if kind == FieldDescriptor.TYPE_MESSAGE:
        return _late_writer(_type_of(field))
    if kind == FieldDescriptor.TYPE_ENUM:
        return {value.number: value.name for value in _enum_of(field).values}.get
    if kind == FieldDescriptor.TYPE_BYTES:
        return lambda value: b64encode(value).decode()
    if kind in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return number
    return None


def _late_writer(descriptor: Descriptor) -> Writer:
    """Look the writer of a sub-message up at its first use: types may contain themselves."""
    writer: Writer | None = None

    def write(message: Message) -> Any:
        nonlocal writer
        if writer is None:
            writer = _writer(descriptor)
        return writer(message)

    return write


def _default_of(field: FieldDescriptor) -> Any:
    """Give a field's explicit default as it is written."""
    convert = _value_writer(field)
    return field.default_value if convert is None else convert(field.default_value)


def _same(value: Any) -> Any:
    """Leave a value as it is."""
    return value


# --- reading ---------------------------------------------------------------------------------------------------------


def from_json(data: bytes, kind: type[M]) -> M:
    """Read a message from JSON text.

    Raises InvalidRequest in the words of Mesos: ``Failed to parse body into JSON: …`` or ``Failed to convert JSON into
    Call protobuf: …``.
    """
    return from_dict(parse_json(data), kind)


def parse_json(data: bytes) -> Any:
    """Parse JSON text; raises InvalidRequest ``Failed to parse body into JSON: …``."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise InvalidRequest(f"Failed to parse body into JSON: {syntax_error(data)}") from None


def from_dict(value: Any, kind: type[M]) -> M:
    """Read a message from parsed JSON; raises InvalidRequest ``Failed to convert JSON into … protobuf: …``."""
    try:
        return message_from(value, kind)
    except InvalidRequest as error:
        raise InvalidRequest(f"Failed to convert JSON into {kind.DESCRIPTOR.name} protobuf: {error}") from None


def message_from(value: Any, kind: type[M]) -> M:
    """Read a message from parsed JSON; raises InvalidRequest with nothing but the reason."""
    if type(value) is not dict:
        raise InvalidRequest("Expecting a JSON object")
    message = kind()
    try:
        _read(message, value, _readers(message.DESCRIPTOR))
    except RecursionError:
        raise InvalidRequest("Objects are nested too deeply") from None
    if not message.IsInitialized():
        raise InvalidRequest("Missing required fields: " + ", ".join(_missing_fields(message)))
    return message


def _missing_fields(message: Any) -> list[str]:
    """List the required fields that are unset, as paths: ``reconcile.tasks[0].task_id``."""
    return list(message.FindInitializationErrors())


def _read(message: Any, value: dict[str, Any], readers: dict[str, Reader]) -> None:
    """Fill a message from an object; unknown keys and nulls are skipped."""
    for key, item in value.items():
        reader = readers.get(key)
        if reader is not None and item is not None:
            reader(message, item)


@cache
def _readers(descriptor: Descriptor) -> dict[str, Reader]:
    """Build the readers of a message type's fields."""
    return {field.name: _field_reader(field) for field in descriptor.fields}


def _field_reader(field: FieldDescriptor) -> Reader:
    """Build the reader of one field."""
    if _is_map(field):
        return _map_reader(field)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _message_list_reader(field) if field.is_repeated else _message_reader(field)
    if field.is_repeated:
        return _list_reader(field)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _string_reader(field)
    return _scalar_reader(field)


def _string_reader(field: FieldDescriptor) -> Reader:
    """Read a singular string, the most frequent kind of field."""
    name = field.name

    def read(message: Any, value: Any) -> None:
        if type(value) is not str:
            _refuse(value, name)
        setattr(message, name, value)

    return read


def _scalar_reader(field: FieldDescriptor) -> Reader:
    """Read any other singular value that is not a message."""
    name = field.name
    convert = _scalar_converter(field)

    def read(message: Any, value: Any) -> None:
        converted = convert(value)
        if converted is not None:
            _set(message, name, converted)

    return read


def _list_reader(field: FieldDescriptor) -> Reader:
    """Read a repeated field of plain values; a value that is no list is taken as a list of one."""
    name = field.name
    convert = _scalar_converter(field)

    def read(message: Any, value: Any) -> None:
        target = getattr(message, name)
        for item in value if type(value) is list else (value,):
            converted = None if item is None else convert(item)
            if converted is not None:
                try:
                    target.append(converted)
                except ValueError:
                    raise _out_of_range(name) from None

    return read


def _message_reader(field: FieldDescriptor) -> Reader:
    """Read a singular sub-message; an empty object sets it, empty."""
    name = field.name
    kind = _type_of(field)
    readers: dict[str, Reader] | None = None

    def read(message: Any, value: Any) -> None:
        nonlocal readers
        if type(value) is not dict:
            _refuse(value, name)
        if readers is None:
            readers = _readers(kind)
        target = getattr(message, name)
        target.SetInParent()
        _read(target, value, readers)

    return read


def _message_list_reader(field: FieldDescriptor) -> Reader:
    """Read repeated sub-messages; an object outside of a list is taken as a list of one."""
    name = field.name
    kind = _type_of(field)

    def read(message: Any, value: Any) -> None:
        readers = _readers(kind)
        target = getattr(message, name)
        for item in value if type(value) is list else (value,):
            if item is None:
                continue
            if type(item) is not dict:
                _refuse(item, name)
            _read(target.add(), item, readers)

    return read


def _map_reader(field: FieldDescriptor) -> Reader:
    """Read an object into a map."""
    name = field.name
    entry = _type_of(field)
    key_field, value_field = entry.fields_by_name["key"], entry.fields_by_name["value"]
    key_of: Callable[[Any], Any] = (
        _same if key_field.type == FieldDescriptor.TYPE_STRING else _scalar_converter(key_field)
    )
    holds_messages = value_field.type == FieldDescriptor.TYPE_MESSAGE
    convert = None if holds_messages else _scalar_converter(value_field)

    def read(message: Any, value: Any) -> None:
        if type(value) is not dict:
            _refuse(value, name)
        target = getattr(message, name)
        for key, item in value.items():
            if item is None:
                continue
            if convert is not None:
                converted = convert(item)
                if converted is not None:
                    _set_entry(target, key_of(key), converted, name)
            elif type(item) is dict:
                _read(target[key_of(key)], item, _readers(_type_of(value_field)))
            else:
                _refuse(item, "value")

    return read


def _scalar_converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    """Give the function from a JSON value to what the field takes; None from it leaves the field unset."""
    name = field.name
    kind = field.type
    if kind == FieldDescriptor.TYPE_ENUM:
        numbers = {value.name: value.number for value in _enum_of(field).values}
        return lambda value: numbers.get(value) if type(value) is str else _refuse(value, name)
    if kind == FieldDescriptor.TYPE_STRING:
        return lambda value: value if type(value) is str else _refuse(value, name)
    if kind == FieldDescriptor.TYPE_BYTES:
        return lambda value: bytes_in(value, name) if type(value) is str else _refuse(value, name)
    if kind == FieldDescriptor.TYPE_BOOL:
        return lambda value: value if type(value) is bool else _boolean(value, name)
    if kind in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return lambda value: value if type(value) is float else _number(value, name)
    return lambda value: value if type(value) is int else _integer(value, name)


def _boolean(value: Any, name: str) -> bool:
    """Read a boolean that does not come as one."""
    return boolean_in(value, name) if type(value) is str else _refuse(value, name)


def _number(value: Any, name: str) -> float:
    """Read a number that may come as an integer or as text."""
    if type(value) is int or type(value) is float:
        return value
    return number_in(value, name) if type(value) is str else _refuse(value, name)


def _integer(value: Any, name: str) -> int:
    """Read an integer; a fraction is cut off."""
    found = _number(value, name)
    try:
        return int(found)
    except OverflowError:
        raise _out_of_range(name) from None


def _set(message: Any, name: str, value: Any) -> None:
    """Set a plain field; raises InvalidRequest when the value is beyond the field's range."""
    try:
        setattr(message, name, value)
    except ValueError:
        raise _out_of_range(name) from None


def _set_entry(target: Any, key: Any, value: Any, name: str) -> None:
    """Set an entry of a map of plain values."""
    try:
        target[key] = value
    except ValueError:
        raise _out_of_range(name) from None


def _out_of_range(name: str) -> InvalidRequest:
    """Make the error for a number that does not fit."""
    return InvalidRequest(f"Value of field '{name}' is out of range")


def _refuse(value: Any, name: str) -> NoReturn:
    """Raise the error for a JSON value of the wrong kind."""
    kind = KINDS[type(value)]
    raise InvalidRequest(f"Not expecting a JSON {kind} for field '{name}'")


def _type_of(field: FieldDescriptor) -> Descriptor:
    """Give the message type of a field that has one."""
    assert field.message_type is not None
    return field.message_type


def _enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """Give the enum of a field that has one."""
    assert field.enum_type is not None
    return field.enum_type


def _is_map(field: FieldDescriptor) -> bool:
    """Tell a ``map<>`` field."""
    kind = field.message_type
    return kind is not None and kind.GetOptions().map_entry
