"""Ordinary HTTP on the front door: order, streams, back-pressure, compression, limits."""

from __future__ import annotations

import asyncio
import gzip
import logging
from pathlib import Path

import pytest

from integration.runtime.talking import World, run
from messor.runtime import front_door
from messor.runtime.http_client import ClientConnection


def test_replies_leave_in_request_order() -> None:
    """A slow answer holds back the fast ones behind it, and messages too."""

    async def test(world: World) -> None:
        await world.talker("master")
        raw = await world.open(world.nodes[0])
        raw.send(
            b"GET /master/slow HTTP/1.1\r\n\r\nGET /master/health HTTP/1.1\r\n\r\n"
            b"POST /master/x HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:1\r\n\r\nGET /nope HTTP/1.1\r\n\r\n"
        )
        assert [status for status, _, _ in await raw.replies(4)] == [200, 200, 202, 404]

    run(test, fast=True)


def test_many_pipelined_requests_are_all_answered() -> None:
    """More than we work on at once wait in the socket, none is lost."""

    async def test(world: World) -> None:
        await world.talker("master")
        raw = await world.open(world.nodes[0])
        count = front_door.MAX_PIPELINED * 3
        raw.send(b"GET /master/slow HTTP/1.1\r\n\r\n" * count)
        assert {status for status, _, _ in await raw.replies(count)} == {200}

    run(test)


def test_a_failing_handler_answers_500_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The connection goes on; the failure is counted."""

    async def test(world: World) -> None:
        talker = await world.talker("master")
        raw = await world.open(world.nodes[0])
        with caplog.at_level(logging.ERROR):
            raw.send(b"GET /master/broken HTTP/1.1\r\n\r\nGET /master/health HTTP/1.1\r\n\r\n")
            assert [status for status, _, _ in await raw.replies(2)] == [500, 200]
        assert "broken on purpose" in caplog.text
        assert talker.host.metrics.handler_failures.value == 1

    run(test)


def test_a_stream_is_one_chunk_per_write() -> None:
    """Early writes come first; the end is the empty chunk; then the connection serves the next request."""

    async def test(world: World) -> None:
        talker = await world.talker("master")
        raw = await world.open(world.nodes[0])
        raw.send(b"GET /master/stream HTTP/1.1\r\n\r\nGET /master/health HTTP/1.1\r\n\r\n")
        await talker.until(lambda: bool(talker.pipes))
        pipe = talker.pipes[0]
        pipe.write(b"one")
        pipe.write(b"")
        pipe.write(b"x" * 16)
        head = await raw.reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked\r\n" in head
        assert b"Content-Length" not in head
        assert await raw.reader.readexactly(8) == b"3\r\none\r\n"
        assert await raw.reader.readexactly(22) == b"10\r\n" + b"x" * 16 + b"\r\n"
        pipe.close()
        assert await raw.reader.readexactly(5) == b"0\r\n\r\n"
        assert (await raw.replies(1))[0][0] == 200
        assert talker.readers_gone == 0
        assert not pipe.is_open

    run(test, fast=True)


def test_a_reader_that_leaves_is_told_once() -> None:
    """Closing the connection of a stream calls the pipe's on_close."""

    async def test(world: World) -> None:
        talker = await world.talker("master")
        raw = await world.open(world.nodes[0])
        raw.send(b"GET /master/stream HTTP/1.1\r\n\r\n")
        await talker.until(lambda: bool(talker.pipes))
        await raw.close()
        await talker.until(lambda: talker.readers_gone == 1)
        talker.pipes[0].write(b"nobody reads this")
        talker.pipes[0].close()
        assert talker.readers_gone == 1

    run(test)


def test_a_reader_that_is_too_slow_is_closed() -> None:
    """What it lags behind is bounded."""

    async def test(world: World) -> None:
        node = await world.node()
        node._door.reader_limit = 1 << 20  # type: ignore[union-attr]
        talker = await world.talker("master", node)
        raw = await world.open(node)
        raw.send(b"GET /master/stream HTTP/1.1\r\n\r\n")
        await talker.until(lambda: bool(talker.pipes))
        for _ in range(400):
            talker.pipes[0].write(b"x" * 100_000)
            await asyncio.sleep(0)
            if not talker.pipes[0].is_open:
                break
        await talker.until(lambda: talker.readers_gone == 1)

    run(test)


def test_a_big_reply_waits_for_a_slow_reader() -> None:
    """Requests behind it are only taken once it is read; then all of it is there."""

    async def test(world: World) -> None:
        await world.talker("master")
        raw = await world.open(world.nodes[0])
        raw.send(b"GET /master/huge HTTP/1.1\r\n\r\n" * 3)
        await asyncio.sleep(0.1)
        replies = await raw.replies(3)
        assert [len(body) for _, _, body in replies] == [8_000_000] * 3

    run(test)


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("*", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip, identity;q=0", True),
        ("gzip;q=0", False),
        ("identity", False),
        ("", False),
    ],
)
def test_big_bodies_are_compressed_when_accepted(accepted: str, zipped: bool) -> None:
    """The recorded cases of Accept-Encoding; small bodies never are."""

    async def test(world: World) -> None:
        await world.talker("master")
        raw = await world.open(world.nodes[0])
        for path in ("big", "huge", "slow"):
            raw.send(f"GET /master/{path} HTTP/1.1\r\nAccept-Encoding: {accepted}\r\n\r\n".encode())
        big, huge, small = await raw.replies(3)
        for _, headers, body in (big, huge):
            assert headers.get("content-encoding") == ("gzip" if zipped else None)
            content = gzip.decompress(body) if zipped else body
            assert len(content) in (1611, 8_000_000)
        assert "content-encoding" not in small[1]

    run(test)


def test_a_body_may_be_taken_as_it_arrives() -> None:
    """recordio bodies of endpoints that want them so are handed over piece by piece."""

    async def test(world: World) -> None:
        talker = await world.talker("slave(1)")
        raw = await world.open(world.nodes[0])
        raw.send(
            b"POST /slave(1)/upload HTTP/1.1\r\nContent-Type: application/recordio\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        raw.send(b"3\r\none\r\n")
        await talker.until(lambda: talker.bodies == [b"one"])
        raw.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert (await raw.replies(1))[0][2] == b"streamed 6"
        raw.send(b"POST /slave(1)/upload HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nfour")
        assert (await raw.replies(1))[0][2] == b"whole 4"

    run(test)


def test_a_body_that_breaks_off_is_an_error_for_who_reads_it() -> None:
    """The reader of a streaming body gets ConnectionLost."""

    async def test(world: World) -> None:
        talker = await world.talker("slave(1)")
        raw = await world.open(world.nodes[0])
        raw.send(
            b"POST /slave(1)/upload HTTP/1.1\r\nContent-Type: application/recordio\r\nContent-Length: 99\r\n\r\nabc"
        )
        await talker.until(lambda: talker.bodies == [b"abc"])
        await raw.close()
        await talker.until(lambda: talker.heard == ["ConnectionLost"])

    run(test)


def test_a_slow_taker_of_a_big_body_holds_it_back() -> None:
    """Megabytes pass through a bounded buffer."""

    async def test(world: World) -> None:
        talker = await world.talker("slave(1)")
        raw = await world.open(world.nodes[0])
        size = 20_000_000
        raw.send(
            b"POST /slave(1)/upload HTTP/1.1\r\nContent-Type: application/recordio\r\nContent-Length: %d\r\n\r\n" % size
        )
        raw.send(b"x" * size)
        assert (await raw.replies(1))[0][2] == b"streamed %d" % size
        assert len(talker.bodies) > 10

    run(test)


def test_too_large_a_body_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """413, then the connection ends; also when the size only shows on the way."""
    monkeypatch.setattr(front_door, "MAX_BODY", 1000)

    async def test(world: World) -> None:
        await world.talker("master")
        for head in (b"Content-Length: 1001\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n600\r\n"):
            raw = await world.open(world.nodes[0])
            raw.send(b"POST /master/echo HTTP/1.1\r\n" + head + b"x" * 1536)
            assert (await raw.everything()).startswith(b"HTTP/1.1 413 ")

    run(test)


def test_a_peer_that_closes_its_half_still_gets_its_answer() -> None:
    """As with netcat: request, end of input, reply, end."""

    async def test(world: World) -> None:
        await world.talker("master")
        raw = await world.open(world.nodes[0])
        raw.send(b"GET /master/slow HTTP/1.1\r\n\r\n")
        raw.writer.write_eof()
        assert (await raw.everything()).endswith(b"slow")

    run(test)


def test_files_are_downloaded_whole(tmp_path: Path) -> None:
    """A file bigger than any buffer arrives as it is, also when it is read slowly."""

    async def test(world: World) -> None:
        node = await world.node()
        content = bytes(range(256)) * 40_000
        (tmp_path / "stdout").write_bytes(content)
        node.files.attach("/sandbox", str(tmp_path))
        raw = await world.open(node)
        raw.send(b"GET /files/download?path=/sandbox/stdout HTTP/1.1\r\n\r\nGET /version HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.05)
        download, version = await raw.replies(2)
        assert download[1]["content-disposition"] == "attachment; filename=stdout"
        assert download[2] == content
        assert version[0] == 200

    run(test)


def test_the_actors_of_every_process_answer() -> None:
    """Version, metrics, system, logging, help, processes and profiler; the second snapshot in a row waits."""

    async def test(world: World) -> None:
        node = await world.node()
        client = ClientConnection("127.0.0.1", node.network.port)
        for path, part in (
            ("/version", b'"version":"'),
            ("/system/stats.json", b'"cpus_total":'),
            ("/metrics/snapshot", b'"system/load_1min":'),
            ("/logging/toggle", b"0\n"),
            ("/__processes__", b'{"events":[],"id":"files"}'),
            ("/help?format=json", b'"name":"/browse"'),
            ("/help", b"/files/read"),
            ("/metrics/snapshot?jsonp=cb", b"cb({"),
        ):
            reply = await client.request("GET", path, {})
            assert (reply.status, part in reply.body) == (200, True), path
        start = node.clock.monotonic()
        for _ in range(2):  # half a second apart at least, however long ago the last one was
            await client.request("GET", "/metrics/snapshot?timeout=60secs", {})
        assert node.clock.monotonic() - start > 0.4
        for path, sentence in (
            ("/profiler/start", b"Perftools is disabled. To enable perftools, configure libprocess with"),
            ("/logging/toggle?level=1", b"Expecting 'duration=value' in query.\n"),
            ("/logging/toggle?duration=1secs", b"Expecting 'level=value' in query.\n"),
            ("/logging/toggle?level=x&duration=2secs", b"Failed to convert 'x' to number.\n"),
            ("/logging/toggle?level=1&duration=xx", b"Failed to convert '' to number.\n"),
            ("/metrics/snapshot?timeout=x", b"Invalid timeout 'x'"),
        ):
            reply = await client.request("GET", path, {})
            assert (reply.status, reply.body.startswith(sentence)) == (400, True), path
        client.close()

    run(test)


def test_requests_are_logged_with_who_asked(caplog: pytest.LogCaptureFixture) -> None:
    """One INFO line per request, with the user agent and the address behind a proxy."""

    async def test(world: World) -> None:
        await world.talker("master")
        raw = await world.open(world.nodes[0])
        with caplog.at_level(logging.INFO):
            raw.send(b"GET /master/health HTTP/1.1\r\nUser-Agent: curl\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
            await raw.replies(1)
        port = raw.writer.get_extra_info("sockname")[1]
        assert (
            f"HTTP GET for /master/health from 127.0.0.1:{port} with User-Agent='curl' with X-Forwarded-For='10.0.0.1'"
            in caplog.messages
        )

    run(test)
