"""Handler tables: ``@on(Message)`` and ``@endpoint(path)`` on the method itself, collected when an actor is built.

One message has exactly one handler in an actor; a second one is an error when the table is built, that is in the first
test that makes the actor. ``tools/make_reference.py`` writes the index of all of them to docs/reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from google.protobuf.message import Message

from messor.errors import Broken

F = TypeVar("F", bound=Callable[..., Any])

MESSAGE_MARK = "__messor_handles__"
ENDPOINT_MARK = "__messor_serves__"


class MessageMark(NamedTuple):
    """What ``@on`` leaves on a method."""

    type: type[Message]
    with_bytes: bool


class EndpointMark(NamedTuple):
    """What ``@endpoint`` leaves on a method."""

    path: str
    methods: tuple[str, ...]
    realm: str | None
    streams_body: bool
    help: str


class Handler(NamedTuple):
    """One row of an actor's message table."""

    name: str
    """Full protobuf name, ``mesos.internal.PingSlaveMessage``."""
    type: type[Message]
    call: Callable[..., Any]
    with_bytes: bool
    is_async: bool
    parse: Callable[[bytes], Any]
    """``type.FromString``."""


class Endpoint(NamedTuple):
    """One row of an actor's HTTP table; ``path`` starts with a slash and excludes the actor's id."""

    path: str
    call: Callable[..., Any]
    methods: tuple[str, ...]
    realm: str | None
    streams_body: bool
    help: str


def on(message: type[Message], *, with_bytes: bool = False) -> Callable[[F], F]:
    """Handle a libprocess message: ``def received(self, sender: Upid, message: M) -> None``.

    with_bytes: the handler takes the undecoded body as a third argument, to forward or keep it as it came. An ``async
    def`` handler runs to its first await before the next message is looked at.
    """

    def mark(method: F) -> F:
        marks = [*getattr(method, MESSAGE_MARK, ()), MessageMark(message, with_bytes)]
        setattr(method, MESSAGE_MARK, marks)
        return method

    return mark


def endpoint(
    path: str,
    *,
    methods: tuple[str, ...] = (),
    realm: str | None = None,
    streams_body: bool = False,
) -> Callable[[F], F]:
    """Serve HTTP below an actor: ``def state(self, request: Request) -> Response`` (or ``async def``).

    methods: those allowed; empty means any. realm: ``readonly``, ``readwrite``, ``scheduler``, ``executor`` or None for
    open ones; the process's authenticators are looked up by it. streams_body: call as soon as the head is there, with
    ``request.body_stream``. Errors of messor.errors raised by the method become their status with their text.
    """

    def mark(method: F) -> F:
        marks = [
            *getattr(method, ENDPOINT_MARK, ()),
            EndpointMark(path, methods, realm, streams_body, (method.__doc__ or "").strip()),
        ]
        setattr(method, ENDPOINT_MARK, marks)
        return method

    return mark


def message_table(owners: Iterable[object]) -> dict[str, Handler]:
    """Collect the ``@on`` methods of several objects; raises Broken when two handle one message."""
    table: dict[str, Handler] = {}
    for owner in owners:
        for method, marks in _marked(owner, MESSAGE_MARK):
            for mark in marks:
                name = mark.type.DESCRIPTOR.full_name
                if name in table:
                    message = f"{name} is handled by {table[name].call!r} and by {method!r}"
                    raise Broken(message)
                table[name] = Handler(name, mark.type, method, mark.with_bytes, _is_async(method), mark.type.FromString)
    return table


def endpoint_table(owners: Iterable[object]) -> dict[str, Endpoint]:
    """Collect the ``@endpoint`` methods of several objects; raises Broken when two serve one path."""
    table: dict[str, Endpoint] = {}
    for owner in owners:
        for method, marks in _marked(owner, ENDPOINT_MARK):
            for mark in marks:
                if mark.path in table:
                    message = f"{mark.path} is served by {table[mark.path].call!r} and by {method!r}"
                    raise Broken(message)
                table[mark.path] = Endpoint(mark.path, method, mark.methods, mark.realm, mark.streams_body, mark.help)
    return table


def _marked(owner: object, attribute: str) -> Iterable[tuple[Callable[..., Any], list[Any]]]:
    """Find the marked methods of an object, inherited ones included, in order of definition."""
    seen: set[str] = set()
    for kind in reversed(type(owner).__mro__):
        for name in vars(kind):
            method = getattr(owner, name, None) if name not in seen and not name.startswith("__") else None
            marks = getattr(method, attribute, None)
            if method is not None and marks:
                seen.add(name)
                yield method, marks


def _is_async(method: Callable[..., Any]) -> bool:
    """Tell an ``async def`` method."""
    code = getattr(method, "__code__", None)
    coroutine_flag = 0x80
    return bool(code is not None and code.co_flags & coroutine_flag)
