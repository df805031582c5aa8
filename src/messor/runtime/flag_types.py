"""How the values of flags are read and written, as Mesos does it.

Annotate a flag's field with ``bool``, ``int``, ``float``, ``str`` or one of the names here; ``| None`` where it may be
absent. Durations are float seconds, sizes int bytes, JSON is what ``json.loads`` gives.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from messor.errors import Broken, InvalidRequest
from messor.model.durations import duration_text, parse_duration
from messor.model.sizes import parse_size, size_text
from messor.protos import v0
from messor.wire.json_codec import message_from, to_json


class Kind(NamedTuple):
    """A type of flag."""

    name: str
    read: Callable[[str], Any]
    """Raises InvalidRequest with Mesos' sentence."""
    write: Callable[[Any], str]
    reads_files: bool = True
    """Whether ``file:///path`` means the content of that file."""


def _read_bool(text: str) -> bool:
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise InvalidRequest("Expecting a boolean (e.g., true or false)")


def _read_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest("Failed to convert into required type") from None


def _read_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest("Failed to convert into required type") from None


def read_json(text: str) -> Any:
    """Parse JSON; a text that begins with ``/`` names a file that holds it.

    Raises InvalidRequest in the words of Mesos' parser.
    """
    if text.startswith("/"):
        text = read_file(text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].partition("\n")[0]
        raise InvalidRequest(f"syntax error at line {error.lineno} near: {rest}") from error


def read_file(path: str) -> str:
    """Read a file a flag points to; raises InvalidRequest."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise InvalidRequest(f"Error reading file '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"Error reading file '{path}': it is not UTF-8") from error


def _write_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _read_acls(text: str) -> Any:
    from messor.protos import acls  # few clusters have any: the others need not load the messages

    return message_from(read_json(text), acls.ACLs)


def _read_domain(text: str) -> v0.DomainInfo:
    return message_from(read_json(text), v0.DomainInfo)


def _read_firewall(text: str) -> Any:
    from messor.protos import flags

    return message_from(read_json(text), flags.Firewall)


BOOL = Kind("bool", _read_bool, lambda value: "true" if value else "false")
INT = Kind("int", _read_int, str)
FLOAT = Kind("float", _read_float, lambda value: f"{value:g}")
TEXT = Kind("str", str, str)
PATH = Kind("path", str, str, reads_files=False)
DURATION = Kind("duration", parse_duration, duration_text)
BYTES = Kind("bytes", parse_size, size_text)
JSON = Kind("json", read_json, _write_json)
ACLS = Kind("acls", _read_acls, lambda value: to_json(value).decode())
DOMAIN = Kind("domain", _read_domain, lambda value: to_json(value).decode())
FIREWALL = Kind("firewall", _read_firewall, lambda value: to_json(value).decode())

Duration = Annotated[float, DURATION]
"""Float seconds, written ``15secs``."""
Bytes = Annotated[int, BYTES]
"""Int bytes, written ``512MB``."""
Json = Annotated[Any, JSON]
"""Parsed JSON, given inline or as ``file:///path`` or ``/path``."""
Path = Annotated[str, PATH]
"""A path, kept as it is (``file://`` is not read)."""
Acls = Annotated[Any, ACLS]
"""An ACLs message, given as JSON is: who may do what."""
Domain = Annotated[v0.DomainInfo, DOMAIN]
"""A DomainInfo, given as JSON is: region and zone."""
Firewall = Annotated[Any, FIREWALL]
"""A Firewall message, given as JSON is: which endpoints are closed."""

_BY_TYPE: dict[object, Kind] = {bool: BOOL, int: INT, float: FLOAT, str: TEXT}


def kind_of(hint: object) -> Kind:
    """Find the kind an annotation means; raises Broken for others."""
    if get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            if part is not type(None):
                return kind_of(part)
    for part in getattr(hint, "__metadata__", ()):
        if isinstance(part, Kind):
            return part
    kind = _BY_TYPE.get(hint)
    if kind is None:
        raise Broken(f"No flag can be of type {hint!r}")
    return kind
