"""Resources as ``--resources`` takes them: ``cpus:4;mem(ads):1024;ports:[31000-32000];zones:{a,b}`` or a JSON array."""

from __future__ import annotations

import math
import re
from typing import Any

import orjson

from messor.errors import InvalidRequest
from messor.model import resource_formats
from messor.model.ranges import Ranges
from messor.model.resource import validate_resource
from messor.model.resources import Resources
from messor.model.roles import DEFAULT_ROLE
from messor.protos import v0

_RANGE_SEPARATORS = re.compile(r"[\[\]\-,\n]+")
_SET_SEPARATORS = re.compile(r"[{},\n]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")


def parse_resources(text: str, default_role: str = DEFAULT_ROLE) -> Resources:
    """Read the value of ``--resources``; raises InvalidRequest with Mesos' sentence.

    Persistent volumes, revocable resources and dynamic reservations are refused: an operator cannot start with them.
    """
    messages = resource_messages(text, default_role)
    types: dict[str, int] = {}
    for message in messages:
        validate_resource(message)
        if message.disk.HasField("persistence"):
            raise InvalidRequest("Persistent volumes cannot be specified at the command line")
        if message.HasField("revocable"):
            raise InvalidRequest(
                "Revocable resources cannot be specified at the command line; do not include a 'revocable' key in the"
                " resources JSON"
            )
        if message.reservations and message.reservations[-1].type == v0.Resource.ReservationInfo.DYNAMIC:
            raise InvalidRequest(
                "Dynamic reservations cannot be specified at the command line; do not include a reservation with"
                " DYNAMIC type in the resources JSON"
            )
        if types.setdefault(message.name, message.type) != message.type:
            raise InvalidRequest(f"Resources with the same name ('{message.name}') but different types are not allowed")
    return Resources.of(messages)


def resource_messages(text: str, default_role: str = DEFAULT_ROLE) -> list[v0.Resource]:
    """Read text or a JSON array into messages in the stack form, zero amounts included; raises InvalidRequest."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, list):
        messages = [_from_json(item) for item in document]
        for message in messages:
            if not message.HasField("role") and not message.reservations:
                message.role = default_role
    else:
        messages = [_from_token(token, default_role) for token in text.split(";") if token]
    for message in messages:
        if resource_formats.needs_upgrade(message):
            if message.HasField("reservation") and message.role == "*":
                raise InvalidRequest('Invalid reservation: role "*" cannot be dynamically reserved')
            resource_formats.upgrade(message)
    return messages


def _from_token(token: str, default_role: str) -> v0.Resource:
    pair = [part for part in token.split(":") if part]
    if len(pair) != 2:
        raise InvalidRequest(f"Bad value for resources, missing or extra ':' in {token}")
    left, value = pair
    name, parenthesis, rest = left.partition("(")
    role = default_role
    if parenthesis:
        role, closing, _ = rest.partition(")")
        if not closing or ")" in name:
            raise InvalidRequest(f"Bad value for resources, mismatched parentheses in {token}")
        role = role.strip()
    name = name.strip()
    try:
        parsed = parse_value(value)
    except InvalidRequest as error:
        raise InvalidRequest(f"Failed to parse resource {name} value {value} error {error}") from None
    if parsed.type == v0.Value.TEXT:
        raise InvalidRequest(f"Bad type for resource {name} value {value} type TEXT")
    resource = v0.Resource(name=name, type=parsed.type)
    if parsed.type == v0.Value.SCALAR:
        resource.scalar.CopyFrom(parsed.scalar)
    elif parsed.type == v0.Value.RANGES:
        resource.ranges.CopyFrom(parsed.ranges)
    else:
        resource.set.CopyFrom(parsed.set)
    if role != DEFAULT_ROLE:
        resource.reservations.add(type=v0.Resource.ReservationInfo.STATIC, role=role)
    return resource


def parse_value(text: str) -> v0.Value:
    """Read a scalar, ``[1-5,7-9]``, ``{a,b}`` or, failing these, a word; raises InvalidRequest with Mesos' sentence."""
    plain = text.replace(" ", "")
    if not plain:
        raise InvalidRequest("Expecting non-empty string")
    if not all(_brackets_match(plain, pair) for pair in ("{}", "[]", "()")):
        raise InvalidRequest("Mismatched brackets")
    if plain[0] == "[":
        return _ranges(plain)
    if "[" in plain:
        raise InvalidRequest("Unexpected '[' found")
    if plain[0] == "{":
        items = [item for item in _SET_SEPARATORS.split(plain) if item]
        return v0.Value(type=v0.Value.SET, set=v0.Value.Set(item=items))
    if "{" in plain:
        raise InvalidRequest("Unexpected '{' found")
    number = _number(plain)
    if number is None:
        return v0.Value(type=v0.Value.TEXT, text=v0.Value.Text(value=plain))
    return v0.Value(type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=number))


def _number(text: str) -> float | None:
    """Read what is a usable scalar; infinite and negative numbers are words, as in Mesos."""
    if not _NUMBER.match(text):
        return None
    number = float(text)
    if math.isinf(number) or number < 0:
        return None
    if number and number < 2.2250738585072014e-308:
        raise InvalidRequest("Subnormal values not supported")
    return number


def _ranges(text: str) -> v0.Value:
    tokens = [token for token in _RANGE_SEPARATORS.split(text) if token]
    if len(tokens) % 2:
        raise InvalidRequest('Expecting one or more "ranges"')
    intervals = []
    for begin, end in zip(tokens[::2], tokens[1::2], strict=True):
        if not begin.isdecimal() or not end.isdecimal() or max(int(begin), int(end)) >= 2**64:
            raise InvalidRequest(f"Expecting non-negative integers in '{begin}'")
        intervals.append((int(begin), int(end)))
    if any(begin > end for begin, end in intervals):  # kept as they are: the validator says what is wrong with them
        items = [v0.Value.Range(begin=begin, end=end) for begin, end in intervals]
        return v0.Value(type=v0.Value.RANGES, ranges=v0.Value.Ranges(range=items))
    return v0.Value(type=v0.Value.RANGES, ranges=Ranges(intervals).message())


def _brackets_match(text: str, pair: str) -> bool:
    depth = 0
    for letter in text:
        if letter == pair[0]:
            depth += 1
        elif letter == pair[1]:
            depth -= 1
            if depth < 0:
                return False
    return depth == 0


def _from_json(item: Any) -> v0.Resource:
    """Read one JSON object of ``--resources``.

    The file has the same leniency as every JSON that Mesos reads: unknown keys are ignored, numbers may be strings.
    """
    if not isinstance(item, dict):
        raise InvalidRequest("Some JSON resources were not formatted properly: Expecting a JSON object")
    message = v0.Resource()
    try:
        _fill(message, item)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidRequest(f"Some JSON resources were not formatted properly: {error}") from None
    missing: list[str] = message.FindInitializationErrors()  # type: ignore[attr-defined]
    if missing:
        raise InvalidRequest(
            f"Some JSON resources were not formatted properly: Missing required fields: {', '.join(missing)}"
        )
    return message


def _fill(message: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None or value is None:
            continue
        if field.is_repeated:
            for item in value if isinstance(value, list) else [value]:
                if field.message_type is not None:
                    _fill(getattr(message, name).add(), _object(name, item))
                else:
                    getattr(message, name).append(_plain(field, item))
        elif field.message_type is not None:
            getattr(message, name).SetInParent()
            _fill(getattr(message, name), _object(name, value))
        else:
            setattr(message, name, _plain(field, value))


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"Expecting a JSON object for field '{name}'")
    return value


def _plain(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        found = field.enum_type.values_by_name.get(value)
        if found is None:
            raise ValueError(f"Failed to find enum for '{value}'")
        return found.number
    if field.cpp_type in {field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT}:
        return float(value)
    if field.cpp_type in {field.CPPTYPE_INT32, field.CPPTYPE_INT64, field.CPPTYPE_UINT32, field.CPPTYPE_UINT64}:
        return int(value)
    if field.cpp_type == field.CPPTYPE_BOOL:
        return value if isinstance(value, bool) else value == "true"
    if not isinstance(value, str):
        raise TypeError(f"Expecting a string for field '{field.name}'")
    return value
