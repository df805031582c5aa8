"""libprocess messages between real nodes: order, links, exits, local delivery."""

from __future__ import annotations

import asyncio

import pytest

from integration.runtime.talking import FROM, World, run
from messor.protos import internal
from messor.runtime import peers
from messor.wire.libprocess import encode_message
from messor.wire.upid import Upid


def text(number: int) -> internal.FrameworkErrorMessage:
    """Make a message that carries a number."""
    return internal.FrameworkErrorMessage(message=str(number))


@pytest.mark.parametrize("fast", [True, False], ids=["uvloop", "asyncio"])
def test_messages_go_both_ways_in_order(fast: bool) -> None:
    """A hundred messages arrive in order; answers come over a connection of their own."""

    async def test(world: World) -> None:
        one, two = await world.talker("one"), await world.talker("two(1)")
        for number in range(100):
            one.send(two.upid, text(number))
        one.send(two.upid, internal.PingSlaveMessage(connected=True))
        await one.until(lambda: one.heard == ["pong"])
        assert two.heard == [*map(str, range(100)), "ping True"]
        assert set(two.senders) == {one.upid}
        assert one.senders == [two.upid]

    run(test, fast=fast)


def test_big_messages_are_not_cut() -> None:
    """Megabytes arrive whole, with small ones around them in order."""

    async def test(world: World) -> None:
        one, two = await world.talker("one"), await world.talker("two")
        big = "x" * 5_000_000
        for content in ("before", big, "after"):
            one.send(two.upid, internal.FrameworkErrorMessage(message=content))
        await two.until(lambda: len(two.heard) == 3)
        assert two.heard == ["before", big, "after"]

    run(test)


def test_actors_of_one_process_talk_without_a_socket() -> None:
    """Local messages come in order, after what runs now, and never over the network."""

    async def test(world: World) -> None:
        node = await world.node()
        one, two = await world.talker("one", node), await world.talker("two", node)
        for number in range(3):
            one.send(two.upid, text(number))
        assert two.heard == []
        await two.until(lambda: len(two.heard) == 3)
        assert two.heard == ["0", "1", "2"]

    run(test)


def test_the_end_of_a_linked_process_is_noticed_once() -> None:
    """Every link to the address is told; nobody else is."""

    async def test(world: World) -> None:
        node = await world.node()
        one, other, silent = [await world.talker(name, node) for name in ("one", "other", "silent")]
        far = await world.talker("far")
        ghost = Upid("ghost", *far.upid.address)
        one.link(far.upid)
        one.link(far.upid)
        one.link(ghost)
        other.link(far.upid)
        silent.send(far.upid, text(1))
        await far.until(lambda: bool(far.heard))
        await world.nodes[1].stop()
        await one.until(lambda: len(one.gone) == 2)
        await other.until(lambda: len(other.gone) == 1)
        assert sorted(one.gone) == [far.upid, ghost]
        assert other.gone == [far.upid]
        assert silent.gone == []

    run(test)


def test_a_link_to_nobody_is_an_exit() -> None:
    """A refused connection is told like a broken one; so is an address nobody can have."""

    async def test(world: World) -> None:
        one = await world.talker("one")
        spare = await world.node()
        closed = Upid("x", "127.0.0.1", spare.network.port)
        await spare.stop()
        for peer in (closed, Upid("y", "0.0.0.0", 0)):
            one.gone.clear()
            one.link(peer)
            await one.until(lambda: bool(one.gone))
            assert one.gone == [peer]

    run(test)


def test_messages_to_nobody_are_dropped() -> None:
    """Sending where nobody listens, or to no address, has no consequence."""

    async def test(world: World) -> None:
        one = await world.talker("one")
        one.send(Upid("x", "127.0.0.1", 1), text(1))
        one.send(Upid("", "0.0.0.0", 0), text(1))
        one.send(Upid("nobody", *one.upid.address), text(1))
        await asyncio.sleep(0.05)
        assert one.gone == []
        assert one.heard == []

    run(test)


def test_reconnecting_replaces_the_connection_without_an_exit() -> None:
    """RECONNECT is silent; a later break is still told."""

    async def test(world: World) -> None:
        one, far = await world.talker("one"), await world.talker("far")
        one.link(far.upid)
        one.send(far.upid, text(1))
        await far.until(lambda: len(far.heard) == 1)
        one.link(far.upid, reconnect=True)
        one.send(far.upid, text(2))
        await far.until(lambda: len(far.heard) == 2)
        assert one.gone == []
        await world.nodes[1].stop()
        await one.until(lambda: bool(one.gone))
        assert one.gone == [far.upid]

    run(test)


def test_an_unlinked_peer_is_not_told_of() -> None:
    """After unlink the break is nobody's business."""

    async def test(world: World) -> None:
        node = await world.node()
        one, other = await world.talker("one", node), await world.talker("other", node)
        far = await world.talker("far")
        one.link(far.upid)
        other.link(far.upid)
        node.network.unlink(one.upid, far.upid)
        await world.nodes[1].stop()
        await other.until(lambda: bool(other.gone))
        assert one.gone == []

    run(test)


def test_a_peer_that_comes_back_is_reached_again() -> None:
    """After an exit, sending to the same address opens a new connection."""

    async def test(world: World) -> None:
        one, far = await world.talker("one"), await world.talker("far")
        port = far.upid.port
        one.link(far.upid)
        one.send(far.upid, text(1))
        await far.until(lambda: bool(far.heard))
        await world.nodes[1].stop()
        await one.until(lambda: bool(one.gone))
        again = await world.talker("far", port=port)
        one.send(again.upid, text(2))
        await again.until(lambda: bool(again.heard))
        assert again.heard == ["2"]

    run(test)


def test_links_between_actors_of_one_process_work_too() -> None:
    """Terminating the linked one is an exit; linking one that is not there is one at once."""

    async def test(world: World) -> None:
        node = await world.node()
        one, two = await world.talker("one", node), await world.talker("two", node)
        one.link(two.upid)
        node.directory.terminate(two)
        await one.until(lambda: bool(one.gone))
        one.link(two.upid)
        await one.until(lambda: len(one.gone) == 2)
        assert one.gone == [two.upid, two.upid]

    run(test)


def test_what_was_sent_before_stopping_still_leaves() -> None:
    """Even when the connection is not open yet."""

    async def test(world: World) -> None:
        one, far = await world.talker("one"), await world.talker("far")
        one.send(far.upid, text(7))
        await world.nodes[0].stop()
        await far.until(lambda: bool(far.heard))
        assert far.heard == ["7"]

    run(test)


def test_a_sender_with_a_foreign_ip_is_refused_when_asked_for() -> None:
    """LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH refuses with a sentence, and only then."""

    async def test(world: World) -> None:
        talker = await world.talker("master", verify_peer=True)
        raw = await world.open(world.nodes[0])
        raw.send(
            encode_message(
                Upid("x", "10.1.2.3", 99),
                talker.upid,
                "mesos.internal.FrameworkErrorMessage",
                text(1).SerializeToString(),
            )
        )
        raw.send(
            encode_message(
                Upid("x", "127.0.0.1", 99),
                talker.upid,
                "mesos.internal.FrameworkErrorMessage",
                text(2).SerializeToString(),
            )
        )
        refused, accepted = await raw.replies(2)
        assert (refused[0], refused[2]) == (
            400,
            b"UPID IP address validation failed: Message from x@10.1.2.3:99 was sent from IP 127.0.0.1",
        )
        assert accepted[0] == 202
        assert talker.heard == ["2"]

    run(test)


def test_a_body_that_cannot_be_parsed_is_accepted_and_dropped() -> None:
    """The sender gets its 202, the actor never hears of it."""

    async def test(world: World) -> None:
        talker = await world.talker("master")
        raw = await world.open(world.nodes[0])
        for body in (b"\xff\xff\xff", b""):
            raw.send(
                b"POST /master/mesos.internal.FrameworkErrorMessage HTTP/1.1\r\n"
                + FROM
                + b"Content-Length: %d\r\n\r\n" % len(body)
                + body
            )
        assert [reply[0] for reply in await raw.replies(2)] == [202, 202]
        assert talker.heard == []

    run(test)


def test_idle_connections_are_closed_and_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing an idle connection loses no message and is no exit for who links the peer just then."""
    monkeypatch.setattr(peers, "IDLE_SECONDS", 0.01)

    async def test(world: World) -> None:
        one, far = await world.talker("one"), await world.talker("far")
        door = world.nodes[1]._door
        assert door is not None
        for number in range(3):
            one.send(far.upid, text(number))
            await far.until(lambda number=number: len(far.heard) == number + 1)  # type: ignore[misc]
            for _ in range(10_000):
                await asyncio.sleep(0.005)
                if not door.connections:
                    break
            assert not door.connections
        one.link(far.upid)
        one.send(far.upid, text(3))
        await far.until(lambda: len(far.heard) == 4)
        await asyncio.sleep(0.05)
        assert far.heard == ["0", "1", "2", "3"]
        assert len(door.connections) == 1
        assert one.gone == []

    run(test)


def test_reconnecting_while_still_connecting_loses_nothing() -> None:
    """Messages that waited for the first connection leave over the second."""

    async def test(world: World) -> None:
        one, far = await world.talker("one"), await world.talker("far")
        one.send(far.upid, text(1))
        await asyncio.sleep(0)
        one.link(far.upid, reconnect=True)
        one.send(far.upid, text(2))
        await far.until(lambda: len(far.heard) == 2)
        assert far.heard == ["1", "2"]
        assert one.gone == []

    run(test)


def test_a_peer_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for it is bounded, connected or not; a link to it breaks."""
    monkeypatch.setattr(peers, "BUFFER_LIMIT", 1 << 20)

    async def test(world: World) -> None:
        one = await world.talker("one")
        writers: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0, limit=1024)
        deaf = Upid("deaf", *server.sockets[0].getsockname()[:2])
        big = internal.FrameworkErrorMessage(message="x" * 900_000)
        one.link(deaf)
        one.send(deaf, big)
        one.send(deaf, big)
        await one.until(lambda: one.gone == [deaf])
        one.link(deaf)
        await asyncio.sleep(0.02)
        for _ in range(100):
            one.send(deaf, big)
            await asyncio.sleep(0)
            if len(one.gone) == 2:
                break
        await one.until(lambda: one.gone == [deaf, deaf])
        for writer in writers:
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0.01)

    run(test)
