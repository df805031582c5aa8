"""Small texts inside JSON: numbers, booleans and bytes in strings, and what Mesos says when they are wrong."""

from __future__ import annotations

import binascii
import json
import string
from typing import Any, NoReturn

import orjson

from messor.errors import InvalidRequest

BASE64_ALPHABET = frozenset(string.ascii_letters + string.digits + "+/")

WRONG_TYPE = "Unexpected JSON type parsed"

INFINITIES = {"Infinity": float("inf"), "-Infinity": float("-inf")}


def syntax_error(data: bytes) -> str:
    """Say in the words of Mesos' parser where JSON text stops making sense."""
    text = data.decode("utf-8", "replace")
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        _, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        position = error.pos
    except (ValueError, RecursionError):
        position = start
    else:
        rest = text[end:]
        if rest.strip():
            return f"Parsed JSON included non-whitespace trailing characters: {rest}"
        position = start  # our parser refused what Python's takes: half a surrogate pair, too many levels
    line = text.count("\n", 0, position) + 1
    rest = text[position:].partition("\n")[0]
    return f"syntax error at line {line} near: {''.join(c for c in rest if c >= ' ')}"


def number_in(text: str, field: str) -> float:
    """Read the number that stands in a string; raises InvalidRequest."""
    if text in INFINITIES:
        return INFINITIES[text]
    value = _value_in(text, "number", field)
    if type(value) is not int and type(value) is not float:
        _refuse(text, "number", field, WRONG_TYPE)
    return value


def boolean_in(text: str, field: str) -> bool:
    """Read the boolean that stands in a string; raises InvalidRequest."""
    value = _value_in(text, "boolean", field)
    if type(value) is not bool:
        _refuse(text, "boolean", field, WRONG_TYPE)
    return value


def bytes_in(text: str, field: str) -> bytes:
    """Decode base64, with or without padding; raises InvalidRequest for a foreign character."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # both binascii.Error and text that is not ASCII
        pass
    digits = text.partition("=")[0]
    for character in digits:
        if character not in BASE64_ALPHABET:
            reason = f"Invalid character '{character}'"
            raise InvalidRequest(f"Failed to base64 decode bytes field '{field}': {reason}")
    usable = len(digits) - (len(digits) % 4 == 1)  # a lone digit holds no whole byte
    return binascii.a2b_base64(digits[:usable] + "=" * (-usable % 4))


def _value_in(text: str, what: str, field: str) -> Any:
    """Parse a string that should hold JSON itself."""
    data = text.encode("utf-8", "surrogatepass")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _refuse(text, what, field, syntax_error(data))


def _refuse(text: str, what: str, field: str, why: str) -> NoReturn:
    """Raise the error for a string that does not hold what its field needs."""
    raise InvalidRequest(f"Failed to parse '{text}' as a JSON {what} for field '{field}': {why}")


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity outside of strings, which Python alone would take."""
    raise ValueError(name)
