"""HTTP between simulated processes."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from messor.errors import ConnectionLost, NotFound
from messor.runtime.actor import Actor
from messor.runtime.handlers import endpoint
from messor.runtime.http import Pipe, Request, Response
from messor.simulation.world import World


class Server(Actor):
    """Answer a few paths."""

    def __init__(self) -> None:
        """Start without readers."""
        super().__init__("server")
        self.pipe: Pipe | None = None
        self.gone = 0
        self.asked: list[str] = []

    @endpoint("/echo")
    def echo(self, request: Request) -> Response:
        """Give the body back."""
        self.asked.append(request.body.decode())
        return Response(200, [request.body, b"!"], headers={"X-Query": request.query.get("q", "")})

    @endpoint("/slow")
    async def slow(self, request: Request) -> Response:
        """Take ten seconds."""
        await self.host.tasks.sleep(10)
        return Response(200, b"slow")

    @endpoint("/missing")
    def missing(self, request: Request) -> Response:
        """Raise."""
        raise NotFound("not here")

    @endpoint("/events")
    def events(self, request: Request) -> Response:
        """Stream."""
        self.pipe = Pipe(self._gone)
        self.pipe.write(b"one")
        return Response(200, self.pipe)

    def _gone(self) -> None:
        self.gone += 1


class Rig:
    """A client and a server on two machines."""

    def __init__(self) -> None:
        """Start both."""
        self.world = World(5)
        self.client = self.world.start("client", "10.0.0.1")
        self.process = self.world.start("www", "10.0.0.2", 80)
        self.server = Server()
        self.process.spawn(self.server)
        self.connection = self.client.network.http("www", 80)
        self.chunks: list[bytes] = []
        self.ended: BaseException | str | None = None

    def begin(self, awaitable: Awaitable[Any]) -> list[Any]:
        """Run something in the client process; the list gets its result or error."""
        results: list[Any] = []

        async def run() -> None:
            try:
                results.append(await awaitable)
            except ConnectionLost as error:
                results.append(error)

        self.client.tasks.spawn(run(), "client")
        return results

    def read_events(self) -> None:
        """Collect the chunks of /events."""

        async def read() -> None:
            try:
                reply = await self.connection.stream("GET", "/server/events", {})
                async for chunk in reply.chunks():
                    self.chunks.append(chunk)
                self.ended = "end"
            except ConnectionLost as error:
                self.ended = error

        self.client.tasks.spawn(read(), "reader")
        self.world.settle()


@pytest.fixture
def rig() -> Rig:
    """Give a client and a server."""
    return Rig()


def test_a_request_is_answered_with_body_headers_and_query(rig: Rig) -> None:
    """Everything a handler sees and says gets across."""
    reply = rig.world.run(rig.connection.request("POST", "/server/echo?q=a%20b", {"Content-Type": "x"}, b"hello"))
    assert (reply.status, reply.body, reply.headers["x-query"]) == (200, b"hello!", "a b")


def test_errors_become_their_status(rig: Rig) -> None:
    """The same routing as on the real host."""
    assert rig.world.run(rig.connection.request("GET", "/server/missing", {})).status == 404
    assert rig.world.run(rig.connection.request("GET", "/nobody", {})).status == 404


def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    """A quick answer waits for the slow one before it."""
    slow = rig.begin(rig.connection.request("GET", "/server/slow", {}))
    quick = rig.begin(rig.connection.request("POST", "/server/echo", {}, b"quick"))
    rig.world.advance(5)
    assert (slow, quick) == ([], [])
    rig.world.advance(6)
    assert slow[0].body == b"slow"
    assert quick[0].body == b"quick!"


def test_a_refused_connection_is_lost(rig: Rig) -> None:
    """Nobody listens there."""
    with pytest.raises(ConnectionLost, match="refused"):
        rig.world.run(rig.client.network.http("www", 81).request("GET", "/", {}))


def test_a_server_that_dies_loses_the_connection(rig: Rig) -> None:
    """Pending requests fail, open streams too, after what had been sent."""
    slow = rig.begin(rig.connection.request("GET", "/server/slow", {}))
    rig.world.settle()
    rig.process.crash()
    rig.world.settle()
    assert isinstance(slow[0], ConnectionLost)


def test_chunks_arrive_one_by_one_and_then_the_end(rig: Rig) -> None:
    """Writes before and after the head are the same to the reader."""
    rig.read_events()
    assert rig.server.pipe is not None
    rig.server.pipe.write(b"two")
    rig.server.pipe.close()
    rig.world.settle()
    assert (rig.chunks, rig.ended) == ([b"one", b"two"], "end")


def test_a_reader_s_crash_is_told_to_the_pipe_once(rig: Rig) -> None:
    """A subscriber that vanished is noticed."""
    rig.read_events()
    rig.client.crash()
    rig.world.settle()
    assert rig.server.gone == 1
    assert rig.server.pipe is not None
    assert not rig.server.pipe.is_open


def test_a_stream_survives_a_short_partition(rig: Rig) -> None:
    """TCP sends again what got lost."""
    rig.read_events()
    rig.world.network.partition([rig.client], [rig.process])
    assert rig.server.pipe is not None
    rig.server.pipe.write(b"two")
    rig.world.advance(30)
    assert rig.chunks == [b"one"]
    rig.world.network.heal()
    rig.world.settle()
    assert rig.chunks == [b"one", b"two"]


def test_a_reset_ends_a_stream_on_both_sides(rig: Rig) -> None:
    """The reader gets an error, the writer the notice."""
    rig.read_events()
    rig.world.network.reset(rig.client, rig.process)
    rig.world.settle()
    assert isinstance(rig.ended, ConnectionLost)
    assert rig.server.gone == 1


def test_a_request_may_arrive_twice(rig: Rig) -> None:
    """One is answered."""
    rig.world.network.repeat_request(after=1)
    first = rig.begin(rig.connection.request("POST", "/server/echo", {}, b"a"))
    rig.world.settle()
    second = rig.begin(rig.connection.request("POST", "/server/echo", {}, b"b"))
    rig.world.settle()
    assert rig.server.asked == ["a", "b", "b"]
    assert [reply.body for reply in (*first, *second)] == [b"a!", b"b!"]


def test_requests_and_chunks_between_severed_machines_are_lost(rig: Rig) -> None:
    """The client hears of it when the connection is given up."""
    rig.read_events()
    rig.world.network.sever(rig.client, rig.process)
    assert rig.server.pipe is not None
    rig.server.pipe.write(b"two")
    results = rig.begin(rig.connection.request("POST", "/server/echo", {}, b"a"))
    rig.world.advance(30)
    assert (rig.chunks, rig.server.asked, results) == ([b"one"], [], [])
    rig.world.network.mend()
    rig.world.settle()
    assert isinstance(results[0], ConnectionLost)
    assert isinstance(rig.ended, ConnectionLost)


def test_one_process_s_connections_may_break_alone(rig: Rig) -> None:
    """Other processes keep theirs."""
    rig.read_events()
    rig.world.network.reset_http(rig.process)
    rig.world.settle()
    assert rig.ended is None
    rig.world.network.reset_http(rig.client)
    rig.world.settle()
    assert isinstance(rig.ended, ConnectionLost)
    assert rig.server.gone == 1


def test_a_request_into_a_partition_times_out(rig: Rig) -> None:
    """No connection, no answer."""
    rig.world.network.partition([rig.client], [rig.process])
    with pytest.raises(ConnectionLost, match="timed out"):
        rig.world.run(rig.connection.request("GET", "/server/echo", {}))
    assert rig.server.asked == []
