"""Handler tables: what is collected and what is refused."""

from __future__ import annotations

import pytest

from messor.errors import Broken
from messor.protos import internal
from messor.runtime.handlers import endpoint, endpoint_table, message_table, on
from messor.runtime.http import Request, Response
from messor.wire.upid import Upid


class Doors:
    """Handlers of all kinds."""

    @on(internal.PingSlaveMessage)
    def ping(self, sender: Upid, message: internal.PingSlaveMessage) -> None:
        """A plain one."""

    @on(internal.PongSlaveMessage, with_bytes=True)
    async def pong(self, sender: Upid, message: internal.PongSlaveMessage, body: bytes) -> None:
        """An async one that wants the bytes."""

    @endpoint("/state", realm="readonly")
    @endpoint("/summary", methods=("GET",), streams_body=True)
    def state(self, request: Request) -> Response:
        """Show."""
        return Response()


class More(Doors):
    """Inherits them."""


class Other:
    """Handles what Doors handles."""

    @on(internal.PingSlaveMessage)
    def ping(self, sender: Upid, message: internal.PingSlaveMessage) -> None:
        """A second one."""

    @endpoint("/state")
    def state(self, request: Request) -> Response:
        """A second one."""
        return Response()


def test_messages_are_found_by_their_full_name() -> None:
    """Inherited handlers count; the row tells how to call."""
    table = message_table([More()])
    assert sorted(table) == ["mesos.internal.PingSlaveMessage", "mesos.internal.PongSlaveMessage"]
    ping, pong = table["mesos.internal.PingSlaveMessage"], table["mesos.internal.PongSlaveMessage"]
    assert (ping.is_async, ping.with_bytes) == (False, False)
    assert (pong.is_async, pong.with_bytes) == (True, True)
    assert ping.parse(b"\x08\x01") == internal.PingSlaveMessage(connected=True)


def test_one_method_may_serve_several_paths() -> None:
    """Each with rules of its own; the docstring is the help."""
    table = endpoint_table([Doors()])
    assert sorted(table) == ["/state", "/summary"]
    assert (table["/state"].realm, table["/state"].methods, table["/state"].streams_body) == ("readonly", (), False)
    assert (table["/summary"].realm, table["/summary"].methods) == (None, ("GET",))
    assert table["/summary"].streams_body
    assert table["/state"].help == "Show."


def test_two_handlers_for_one_thing_are_a_bug() -> None:
    """The table cannot be built."""
    with pytest.raises(Broken, match="PingSlaveMessage is handled by"):
        message_table([Doors(), Other()])
    with pytest.raises(Broken, match="/state is served by"):
        endpoint_table([Doors(), Other()])
