"""Damaged and oddly cut streams of requests: never an error of ours, and the same replies however the bytes are cut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from logging import ERROR
from typing import Any

import pytest

from integration.runtime.talking import Talker, undated
from integration.runtime.test_odd_requests import REQUESTS
from messor.runtime.directory import Directory
from messor.runtime.front_door import FrontDoor
from messor.runtime.metrics import Metrics

SHORT = [request for request, _, _ in REQUESTS.values() if len(request) < 3000]
NOISE = [b"\r\n", b"\n", b" ", b"0", b":", b"\x00", b"\xff", b";", b"-", b"_", b"\r\n\r\n"]


class Host:
    """As much of a host as the front door needs here."""

    ip, port = "127.0.0.1", 1

    def __init__(self) -> None:
        """Count failures."""
        self.metrics = Metrics()
        self.network = self


class Transport:
    """Remembers what is written."""

    def __init__(self) -> None:
        """Start open."""
        self.out = b""
        self.closed = False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        """Give an address."""
        return ("127.0.0.1", 1)

    def write(self, data: bytes) -> None:
        """Remember."""
        self.out += data

    def writelines(self, pieces: list[bytes]) -> None:
        """Remember."""
        self.out += b"".join(pieces)

    def close(self) -> None:
        """Remember."""
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def get_write_buffer_size(self) -> int:
        """All is read at once."""
        return 0


def refuse(coroutine: Coroutine[Any, Any, object], name: str) -> None:
    """No request here needs a task."""
    coroutine.close()
    raise AssertionError(name)


def answer(door: FrontDoor, data: bytes, cuts: list[int]) -> bytes:
    """Feed data in pieces to a connection; gives its replies."""
    connection, transport = door.connect(), Transport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    start = 0
    for end in [*cuts, len(data)]:
        if transport.closed:
            break
        connection.data_received(data[start:end])
        start = end
    connection.eof_received()
    connection.connection_lost(None)
    return undated(transport.out)


def damaged(chance: random.Random) -> bytes:
    """Make a stream of requests with up to three damages."""
    data = bytearray(b"".join(chance.choice(SHORT) for _ in range(chance.randint(1, 4))))
    for _ in range(chance.randint(0, 3)):
        place = chance.randrange(max(1, len(data) - 8))
        what = chance.random()
        if what < 0.4:
            data[place] = chance.randrange(256)
        elif what < 0.7:
            del data[place : place + chance.randint(1, 5)]
        else:
            data[place:place] = chance.choice(NOISE)
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_replies_do_not_depend_on_how_bytes_arrive(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand damaged streams, whole and cut."""

    async def test() -> None:
        directory = Directory(Host())  # type: ignore[arg-type]
        for name in ("master", "slave(1)"):
            actor = Talker(name)
            directory.actors[name] = actor
            actor.endpoints = {}
        directory.delegate = "master"
        door = FrontDoor(directory, refuse, refuse)  # type: ignore[arg-type]
        chance = random.Random(seed)
        for _ in range(1000):
            data = damaged(chance)
            cuts = sorted(chance.randrange(len(data)) for _ in range(chance.randint(1, 6)))
            assert answer(door, data, cuts) == answer(door, data, []), (data, cuts)
        assert not door.connections
        ours = [record for record in caplog.records if record.name.startswith("messor")]
        assert [record for record in ours if record.levelno >= ERROR] == []

    asyncio.run(test())


def test_a_message_cut_inside_its_chunk_size_is_handled_once() -> None:
    """The first half ends between the size's carriage return and its newline."""

    async def test() -> None:
        directory = Directory(Host())  # type: ignore[arg-type]
        talker = Talker("master")
        directory.actors["master"] = talker
        heard: list[bytes] = []
        talker.deliver = lambda sender, name, body: heard.append(body)  # type: ignore[method-assign]
        door = FrontDoor(directory, refuse, refuse)  # type: ignore[arg-type]
        request = b"POST /master/a.B HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:1\r\nTransfer-Encoding: chunked\r\n\r\n"
        whole = request + b"2\r\nab\r\n0\r\n\r\n"
        for cut in range(1, len(whole)):
            assert answer(door, whole + whole, [cut]).count(b"202 Accepted") == 2
        assert heard == [b"ab", b"ab"] * (len(whole) - 1)

    asyncio.run(test())
