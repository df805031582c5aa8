"""The HTTP client against a real node and against odd servers."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest

from integration.runtime.talking import World, run
from messor.errors import ConnectionLost
from messor.runtime.http_client import ClientConnection, fetch

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def odd_server(serve: Serve) -> tuple[asyncio.Server, int]:
    """Start a server that does as told with each connection, then closes it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


def test_requests_are_pipelined_and_answered_in_order() -> None:
    """Asked at once, answered in order, on one connection."""

    async def test(world: World) -> None:
        node = await world.node()
        await world.talker("a", node)
        client = node.network.http("127.0.0.1", node.network.port)
        replies = await asyncio.gather(
            client.request("GET", "/a/slow", {}),
            client.request("POST", "/a/echo", {}, b"body"),
            client.request("GET", "/a/health", {}),
        )
        assert [reply.body for reply in replies] == [b"slow", b"body", b""]
        assert len(node._door.connections) == 1  # type: ignore[union-attr]
        client.close()

    run(test, fast=True)


def test_a_stream_is_read_as_it_arrives() -> None:
    """Head first, then pieces; the end of the body ends the iteration."""

    async def test(world: World) -> None:
        talker = await world.talker("a")
        client = ClientConnection("127.0.0.1", talker.upid.port)
        stream = await client.stream("GET", "/a/stream", {})
        assert (stream.status, stream.headers["content-type"]) == (200, "text/plain")
        chunks = stream.chunks()
        pipe = talker.pipes[0]
        pipe.write(b"one")
        assert await anext(chunks) == b"one"
        pipe.write(b"two")
        pipe.close()
        assert [part async for part in chunks] == [b"two"]
        client.close()

    run(test)


def test_a_stream_whose_server_dies_raises() -> None:
    """A broken body is no end."""

    async def test(world: World) -> None:
        talker = await world.talker("a")
        client = ClientConnection("127.0.0.1", talker.upid.port)
        stream = await client.stream("GET", "/a/stream", {})
        await world.nodes[0].stop()
        with pytest.raises(ConnectionLost):
            await anext(stream.chunks())
        client.close()

    run(test)


def test_closing_a_stream_tells_the_server() -> None:
    """The pipe's reader is gone, and reading on raises."""

    async def test(world: World) -> None:
        talker = await world.talker("a")
        client = ClientConnection("127.0.0.1", talker.upid.port)
        stream = await client.stream("GET", "/a/stream", {})
        stream.close()
        await talker.until(lambda: talker.readers_gone == 1)
        with pytest.raises(ConnectionLost):
            await anext(stream.chunks())

    run(test)


def test_giving_up_on_a_reply_leaves_the_order_intact() -> None:
    """A timed-out request's late reply is not taken for the next one's."""

    async def test(world: World) -> None:
        node = await world.node()
        await world.talker("a", node)
        client = ClientConnection("127.0.0.1", node.network.port)
        with pytest.raises(TimeoutError):
            await node.tasks.within(0.005, client.request("GET", "/a/slow", {}))
        reply = await client.request("POST", "/a/echo", {}, b"mine")
        assert reply.body == b"mine"
        client.close()

    run(test)


def test_nobody_listening_is_a_lost_connection() -> None:
    """Refused connections and closed clients raise the same error."""

    async def test(world: World) -> None:
        with pytest.raises(ConnectionLost, match="Failed to connect to"):
            await fetch("127.0.0.1", 1, "GET", "/")
        client = ClientConnection("127.0.0.1", 1)
        client.close()
        with pytest.raises(ConnectionLost):
            await client.request("GET", "/", {})

    run(test)


def test_closing_fails_what_is_pending() -> None:
    """Requests under way end with ConnectionLost."""

    async def test(world: World) -> None:
        talker = await world.talker("a")
        client = ClientConnection("127.0.0.1", talker.upid.port)
        pending = asyncio.ensure_future(client.request("GET", "/a/slow", {}))
        await asyncio.sleep(0.01)
        client.close()
        with pytest.raises(ConnectionLost):
            await pending

    run(test)


def test_a_client_connects_again_after_a_break() -> None:
    """The server came back: the next request works."""

    async def test(world: World) -> None:
        talker = await world.talker("a")
        port = talker.upid.port
        client = ClientConnection("127.0.0.1", port)
        assert (await client.request("GET", "/a/health", {})).status == 200
        await world.nodes[0].stop()
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionLost):
            await client.request("GET", "/a/health", {})
        await world.talker("a", port=port)
        assert (await client.request("GET", "/a/health", {})).status == 200
        client.close()

    run(test)


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(b"zipped"))
            + gzip.compress(b"zipped"),
            b"zipped",
        ),
    ],
    ids=["interim reply", "until the end", "no content", "gzip"],
)
def test_replies_of_other_servers_are_understood(reply: bytes, body: bytes) -> None:
    """What other HTTP servers may answer."""

    async def test(world: World) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)

        server, port = await odd_server(serve)
        assert (await fetch("127.0.0.1", port, "GET", "/")).body == body
        server.close()
        await server.wait_closed()

    run(test)


@pytest.mark.parametrize(
    "reply",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"],
    ids=["nothing", "garbage", "cut"],
)
def test_replies_that_are_none_raise(reply: bytes) -> None:
    """No answer, no HTTP, a cut body: ConnectionLost."""

    async def test(world: World) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)

        server, port = await odd_server(serve)
        with pytest.raises(ConnectionLost):
            await fetch("127.0.0.1", port, "GET", "/")
        server.close()
        await server.wait_closed()

    run(test)


def test_a_server_that_never_answers_is_given_up() -> None:
    """fetch has its own patience."""

    async def test(world: World) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)

        server, port = await odd_server(serve)
        with pytest.raises(ConnectionLost, match="did not answer"):
            await fetch("127.0.0.1", port, "GET", "/", seconds=0.02)
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)

    run(test)
