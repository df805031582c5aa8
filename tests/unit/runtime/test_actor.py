"""Actors: the order in which they look at messages, and what happens to bad ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from messor.errors import LocalProtocolError
from messor.protos import internal
from messor.runtime.actor import Actor, Component
from messor.runtime.directory import Directory
from messor.runtime.handlers import on
from messor.runtime.metrics import Metrics
from messor.wire.upid import Upid

PEER = Upid("peer", "10.0.0.1", 5)


class Host:
    """As much of a host as actors need here: a clock and tasks on the running loop, a network that remembers."""

    ip, port = "10.0.0.9", 9

    def __init__(self) -> None:
        """Start with nothing sent."""
        self.clock = self.tasks = self.network = self
        self.metrics = Metrics()
        self.sent: list[tuple[Upid, Upid, str, bytes]] = []
        self.exits: list[tuple[int, str]] = []

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> object:
        """Call in the loop."""
        return (
            asyncio.get_running_loop().call_later(seconds, call, *arguments)
            if seconds
            else (asyncio.get_running_loop().call_soon(call, *arguments))
        )

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str = "") -> object:
        """Run in the loop."""
        return asyncio.get_running_loop().create_task(coroutine)

    def send(self, sender: Upid, receiver: Upid, name: str, body: bytes) -> None:
        """Remember."""
        self.sent.append((sender, receiver, name, body))

    def exit(self, status: int, message: str) -> None:
        """Remember."""
        self.exits.append((status, message))


class Part(Component):
    """A component that waits in the middle of a handler."""

    def __init__(self, seen: list[str]) -> None:
        """Write down what happens."""
        self.seen = seen
        self.gate = asyncio.Event()

    @on(internal.FrameworkErrorMessage)
    async def slow(self, sender: Upid, message: internal.FrameworkErrorMessage) -> None:
        """Begin, wait, end."""
        self.seen.append(f"begin {message.message}")
        await self.gate.wait()
        self.seen.append(f"end {message.message}")


class Sample(Actor):
    """Plain and async handlers, one of them broken."""

    def __init__(self) -> None:
        """Start having seen nothing."""
        super().__init__("sample")
        self.seen: list[str] = []
        self.part = Part(self.seen)
        self.sound = True

    def components(self) -> list[Component]:
        """One part."""
        return [self.part]

    @on(internal.PingSlaveMessage)
    def ping(self, sender: Upid, message: internal.PingSlaveMessage) -> None:
        """Plain."""
        self.seen.append("ping")

    @on(internal.ShutdownMessage, with_bytes=True)
    def shutdown(self, sender: Upid, message: internal.ShutdownMessage, body: bytes) -> None:
        """Wants the bytes as they came."""
        self.seen.append(repr(body))

    @on(internal.PongSlaveMessage)
    def pong(self, sender: Upid, message: internal.PongSlaveMessage) -> None:
        """Broken."""
        raise RuntimeError("broken on purpose")

    def exited(self, peer: Upid) -> None:
        """Write down."""
        self.seen.append(f"exited {peer.id}")

    def invariants_hold(self) -> bool:
        """As the test says."""
        return self.sound

    def take(self, message: Any) -> None:
        """Deliver a message from the peer."""
        self.deliver(PEER, message.DESCRIPTOR.full_name, message.SerializeToString())


def sample() -> tuple[Sample, Host]:
    """Make a bound actor."""
    host, actor = Host(), Sample()
    actor.bind(host, Upid("sample", host.ip, host.port))  # type: ignore[arg-type]
    return actor, host


def test_plain_handlers_are_done_before_deliver_returns() -> None:
    """Nothing is scheduled."""

    async def test() -> None:
        actor, _ = sample()
        actor.take(internal.PingSlaveMessage(connected=True))
        assert actor.seen == ["ping"]

    asyncio.run(test())


def test_an_async_handler_runs_to_its_first_await_before_the_next_message() -> None:
    """What comes behind it, exits too, waits for that and no longer, and keeps its order."""

    async def test() -> None:
        actor, _ = sample()
        actor.take(internal.FrameworkErrorMessage(message="a"))
        actor.take(internal.PingSlaveMessage(connected=True))
        actor.take(internal.FrameworkErrorMessage(message="b"))
        actor.deliver_exited(PEER)
        actor.take(internal.PingSlaveMessage(connected=True))
        assert actor.seen == []
        for _ in range(6):
            await asyncio.sleep(0)
        assert actor.seen == ["begin a", "ping", "begin b", "exited peer", "ping"]
        actor.part.gate.set()
        await asyncio.sleep(0.001)
        assert actor.seen[5:] == ["end a", "end b"]

    asyncio.run(test())


def test_handlers_get_the_bytes_they_ask_for() -> None:
    """Unknown fields included."""

    async def test() -> None:
        actor, _ = sample()
        body = internal.ShutdownMessage(message="m").SerializeToString() + b"\xa0\x06\x01"
        actor.deliver(PEER, "mesos.internal.ShutdownMessage", body)
        assert actor.seen == [repr(body)]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("mesos.internal.PingSlaveMessage", b"\xff", "cannot be parsed"),
        ("mesos.internal.FrameworkErrorMessage", b"", "without required fields: message"),
        ("mesos.internal.Unheard", b"", "has no handler for it"),
    ],
)
def test_bad_messages_are_dropped_with_a_reason(
    name: str, body: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged, nothing else happens."""

    async def test() -> None:
        actor, host = sample()
        with caplog.at_level(logging.WARNING):
            actor.deliver(PEER, name, body)
        assert why in caplog.text
        assert actor.seen == []
        assert host.metrics.handler_failures.value == 0

    asyncio.run(test())


def test_a_handler_that_raises_does_not_stop_the_actor(caplog: pytest.LogCaptureFixture) -> None:
    """Counted and logged; the next message is handled. When the books do not balance, the process ends."""

    async def test() -> None:
        actor, host = sample()
        actor.take(internal.PongSlaveMessage())
        actor.take(internal.PingSlaveMessage(connected=True))
        assert actor.seen == ["ping"]
        assert host.metrics.handler_failures.value == 1
        assert host.exits == []
        assert "broken on purpose" in caplog.text
        actor.sound = False
        actor.take(internal.PongSlaveMessage())
        assert [status for status, _ in host.exits] == [1]

    asyncio.run(test())


def test_incomplete_messages_are_not_sent() -> None:
    """Required fields must be set; complete ones go out under their full name."""

    async def test() -> None:
        actor, host = sample()
        with pytest.raises(LocalProtocolError, match="FrameworkErrorMessage lacks message"):
            actor.send(PEER, internal.FrameworkErrorMessage())
        actor.send(PEER, internal.PingSlaveMessage(connected=True))
        assert host.sent == [(actor.upid, PEER, "mesos.internal.PingSlaveMessage", b"\x08\x01")]

    asyncio.run(test())


def test_every_handled_message_is_followed_by_the_check() -> None:
    """after_message is what tests hang invariants on."""

    async def test() -> None:
        actor, _ = sample()
        checks: list[int] = []
        actor.after_message = lambda: checks.append(1)
        actor.take(internal.PingSlaveMessage(connected=True))
        actor.take(internal.FrameworkErrorMessage(message="a"))
        actor.part.gate.set()
        await asyncio.sleep(0.001)
        assert len(checks) == 2

    asyncio.run(test())


def test_paths_are_made_absolute_by_naming_the_delegate() -> None:
    """So a closed endpoint is closed under both of its paths."""
    directory = Directory(Host())  # type: ignore[arg-type]
    assert directory.absolute("state") == "/state"
    directory.delegate = "master"
    directory.actors["master"] = directory.actors["slave(1)"] = Sample()
    paths = ("/", "", "/state", "//state/", "/master/state", "/slave%281%29/state", "/nobody/state")
    assert [directory.absolute(path) for path in paths] == [
        "/master", "/master", "/master/state", "/master/state", "/master/state", "/slave%281%29/state",
        "/master/nobody/state",
    ]  # fmt: skip


def test_the_directory_numbers_finds_and_forgets_actors() -> None:
    """Ids may come percent-encoded; terminating tells those who asked."""

    async def test() -> None:
        host = Host()
        directory = Directory(host)  # type: ignore[arg-type]
        assert [directory.numbered("a"), directory.numbered("a"), directory.numbered("b")] == ["a(1)", "a(2)", "b(1)"]
        actor = Sample()
        actor.name = "slave(1)"
        ended: list[Actor] = []
        directory.terminated.append(ended.append)
        assert directory.spawn(actor) == Upid("slave(1)", host.ip, host.port)
        assert directory.find("slave%281%29") is actor
        directory.terminate(actor)
        directory.terminate(actor)
        assert directory.find("slave(1)") is None
        assert ended == [actor]

    asyncio.run(test())
