"""Actors and raw sockets for the tests of the real runtime."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from messor.protos import internal
from messor.runtime.actor import Actor
from messor.runtime.address import Address
from messor.runtime.handlers import endpoint, on
from messor.runtime.http import Pipe, Request, Response, json_response, text_response
from messor.runtime.node import Node, new_loop
from messor.wire.upid import Upid

FROM = b"User-Agent: libprocess/x@127.0.0.1:16890\r\nLibprocess-From: x@127.0.0.1:16890\r\n"
"""The lines that make a request a message."""


class Talker(Actor):
    """Remembers what it hears, answers pings, serves a few endpoints."""

    def __init__(self, name: str) -> None:
        """Start having heard nothing."""
        super().__init__(name)
        self.heard: list[str] = []
        self.senders: list[Upid] = []
        self.gone: list[Upid] = []
        self.pipes: list[Pipe] = []
        self.readers_gone = 0
        self.bodies: list[bytes] = []
        self._waiting_for: list[tuple[Callable[[], bool], asyncio.Event]] = []

    @on(internal.PingSlaveMessage)
    def ping(self, sender: Upid, message: internal.PingSlaveMessage) -> None:
        """Answer with a pong."""
        self._note(f"ping {message.connected}", sender)
        self.send(sender, internal.PongSlaveMessage())

    @on(internal.PongSlaveMessage)
    def pong(self, sender: Upid, message: internal.PongSlaveMessage) -> None:
        """Remember it."""
        self._note("pong", sender)

    @on(internal.FrameworkErrorMessage)
    def text(self, sender: Upid, message: internal.FrameworkErrorMessage) -> None:
        """Remember a text."""
        self._note(message.message, sender)

    def exited(self, peer: Upid) -> None:
        """Remember who is gone."""
        self.gone.append(peer)
        self._wake()

    @endpoint("/health")
    def health(self, request: Request) -> Response:
        """Answer nothing."""
        return Response(200)

    @endpoint("/echo", methods=("POST",))
    def echo(self, request: Request) -> Response:
        """Give back the body."""
        self.bodies.append(request.body)
        return Response(200, request.body, "application/json")

    @endpoint("/big")
    def big(self, request: Request) -> Response:
        """Answer much."""
        return json_response(b'{"data":"' + b"x" * 1600 + b'"}', request)

    @endpoint("/huge")
    def huge(self, request: Request) -> Response:
        """Answer very much, in pieces."""
        return Response(200, [b"x" * 100_000] * 80)

    @endpoint("/slow")
    async def slow(self, request: Request) -> Response:
        """Answer later."""
        await self.host.tasks.sleep(0.03)
        return text_response(200, "slow")

    @endpoint("/broken")
    async def broken(self, request: Request) -> Response:
        """Fail."""
        raise RuntimeError("broken on purpose")

    @endpoint("/stream")
    def stream(self, request: Request) -> Response:
        """Open a stream that the test writes to."""

        def gone() -> None:
            self.readers_gone += 1
            self._wake()

        pipe = Pipe(gone)
        self.pipes.append(pipe)
        self._wake()
        return Response(200, pipe, "text/plain")

    @endpoint("/upload", streams_body=True)
    async def upload(self, request: Request) -> Response:
        """Take a body as it arrives."""
        stream = request.body_stream
        if stream is None:
            return text_response(200, f"whole {len(request.body)}")
        try:
            async for part in stream:
                self.bodies.append(part)
                self._wake()
        except Exception as error:
            self._note(type(error).__name__, self.upid)
            raise
        return text_response(200, f"streamed {sum(map(len, self.bodies))}")

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something the actor hears makes a condition true."""
        if not condition():
            event = asyncio.Event()
            self._waiting_for.append((condition, event))
            await asyncio.wait_for(event.wait(), seconds)

    def _note(self, text: str, sender: Upid) -> None:
        self.heard.append(text)
        self.senders.append(sender)
        self._wake()

    def _wake(self) -> None:
        for condition, event in self._waiting_for:
            if condition():
                event.set()


class World:
    """Nodes of one test, stopped at its end."""

    def __init__(self) -> None:
        """Start without nodes."""
        self.nodes: list[Node] = []
        self.raws: list[Raw] = []

    async def open(self, node: Node) -> Raw:
        """Connect to a node with a raw connection."""
        raw = Raw(*await asyncio.open_connection("127.0.0.1", node.network.port))
        self.raws.append(raw)
        return raw

    async def node(self, port: int = 0, environ: dict[str, str] | None = None, **changes: Any) -> Node:
        """Start a node on 127.0.0.1."""
        node = Node(Address("127.0.0.1", port, **changes), environ=environ or {})
        await node.start()
        self.nodes.append(node)
        return node

    async def talker(self, name: str, node: Node | None = None, **changes: Any) -> Talker:
        """Start a talker, on a node of its own unless one is given."""
        talker = Talker(name)
        (node or await self.node(**changes)).spawn(talker)
        return talker


def run(test: Callable[[World], Coroutine[Any, Any, None] | Awaitable[None]], *, fast: bool = False) -> None:
    """Run a test's coroutine in a loop of its own, uvloop when fast; stops the nodes and checks for leaked tasks."""

    async def main() -> None:
        world = World()
        try:
            await test(world)
        finally:
            for raw in world.raws:
                await raw.close()
            for node in world.nodes:
                await node.stop()
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, f"tasks left behind: {others}"

    with asyncio.Runner(loop_factory=new_loop if fast else None) as runner:
        runner.run(main())


class Raw:
    """A raw connection: bytes in, bytes out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold both ends."""
        self.reader = reader
        self.writer = writer
        self.seen = b""

    def send(self, data: bytes) -> None:
        """Write."""
        self.writer.write(data)

    async def replies(self, count: int) -> list[tuple[int, dict[str, str], bytes]]:
        """Read that many replies of known length: (status, headers, body)."""
        found = []
        for _ in range(count):
            head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)).decode()
            lines = head.split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
            body = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), 60)
            found.append((int(lines[0].split()[1]), headers, body))
        return found

    async def everything(self) -> bytes:
        """Read until the node closes."""
        try:
            return await asyncio.wait_for(self.reader.read(-1), 60)
        except ConnectionError:
            return b""

    async def is_open(self) -> bool:
        """Whether the node still answers on this connection."""
        self.send(b"GET /master/health HTTP/1.1\r\n\r\n")
        try:
            return (await self.replies(1))[0][0] == 200
        except (asyncio.IncompleteReadError, ConnectionError):
            return False

    async def close(self) -> None:
        """Close and wait until it is."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def undated(reply: bytes) -> bytes:
    """Take the date out of a reply, after checking its form."""
    return re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"", reply)
