"""Recorded requests sent to our master: same status, same headers, same words."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from integration.runtime.talking import World, run
from messor.master.flags import MasterFlags
from messor.master.master import Master
from messor.runtime.node import Node

RECORDED = Path(__file__).parent / "recorded_answers.txt"


class Recorded(NamedTuple):
    """One request and what a real master answered."""

    title: str
    request: bytes
    status: int
    content_type: str | None
    allow: str | None
    body: bytes | None


def recorded(section: str) -> Iterator[Recorded]:
    """Read one section of the recording."""
    part = RECORDED.read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    for line in part.splitlines():
        yield Recorded(*ast.literal_eval(line))


class Answer:
    """What our master answered."""

    def __init__(self, head: bytes, body: bytes) -> None:
        """Take the head apart."""
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        pairs = (line.partition(": ") for line in lines if line)
        self.headers = {name.lower(): value for name, _, value in pairs}
        self.body = body


class Client:
    """Sends raw requests, each on a connection of its own; keeps the streams that later requests belong to."""

    def __init__(self, node: Node) -> None:
        """Talk to a node."""
        self.port = node.network.port
        self.streams: list[asyncio.StreamWriter] = []
        self.ours: dict[bytes, bytes] = {}
        """Our ids by the recorded ones of the same length."""

    async def ask(self, request: bytes) -> Answer:
        """Send a request with our ids in it and read the answer, of a stream the first chunk."""
        for theirs, ours in self.ours.items():
            request = request.replace(theirs, ours)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        answer = Answer(head[:-4], b"")
        if "transfer-encoding" in answer.headers:
            size = int(await asyncio.wait_for(reader.readline(), 60), 16)
            answer.body = (await reader.readexactly(size)).partition(b"\n")[2]
            self.streams.append(writer)
        else:
            answer.body = await reader.readexactly(int(answer.headers["content-length"]))
            writer.close()
        return answer

    def learn(self, row: Recorded, answer: Answer) -> None:
        """Remember which of our ids stand for those of a recorded stream."""
        assert row.body is not None
        stream, framework, _ = row.body.split(b" ", 2)
        self.ours[stream] = answer.headers["mesos-stream-id"].encode()
        found = re.search(rb'"framework_id":\{"value":"([^"]+)"', answer.body)
        if found and framework != b"-":
            # The whole id before its first part, which all ids of one master share: the order of replacing.
            self.ours = {framework: found.group(1), **self.ours, framework[:36]: found.group(1)[:36]}

    async def hang_up(self, kept: int = 0) -> None:
        """End all streams but the first ones, and let the master, which is in the same loop, notice."""
        while len(self.streams) > kept:
            self.streams.pop().close()
            for _ in range(10):
                await asyncio.sleep(0.001)


@pytest.mark.parametrize("section", ["endpoints", "operator", "scheduler"])
def test_recorded_requests_are_answered_as_recorded(section: str) -> None:
    """One after the other, as they were sent to the real master."""
    differences: list[str] = []

    async def conversation(world: World) -> None:
        node = await world.node(environ={"LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT": ""})
        master = Master(node, MasterFlags(registry="in_memory", hostname="localhost"))
        node.spawn(master)
        node.directory.delegate = "master"
        client = Client(node)
        while not master.state.is_recovered:  # noqa: ASYNC110  (only the master would know when to set an event)
            await asyncio.sleep(0.001)
        rows = list(recorded(section))
        for number, row in enumerate(rows):
            open_before = len(client.streams)
            difference = await compared(client, row)
            if difference:
                differences.append(f"{row.title}: {difference}")
            stream = (row.body or b"").partition(b" ")[0]
            if not any(stream in later.request for later in rows[number:]):
                await client.hang_up(open_before)
        await client.hang_up()

    run(conversation)
    assert differences == []


async def compared(client: Client, row: Recorded) -> str | None:
    """Send one request and say what is different."""
    answer = await client.ask(row.request)
    found = (answer.status, answer.headers.get("content-type"), answer.headers.get("allow"))
    expected = (row.status, row.content_type, row.allow)
    if found != expected:
        return f"{found} instead of {expected}, {answer.body[:200]!r}"
    if "mesos-stream-id" in answer.headers:
        client.learn(row, answer)
        assert row.body is not None
        error = row.body.split(b" ", 2)[2]
        if error and answer.body != error:
            return f"the event {answer.body[:200]!r} instead of {error!r}"
        return None
    if row.body is None:
        return None
    said = answer.headers.get("location", "").encode() or answer.body
    wanted = re.sub(rb"^(//[^/:]+):\d+", b"\\1:%d" % client.port, row.body)
    for theirs, ours in client.ours.items():
        wanted = wanted.replace(theirs, ours)
    return None if said == wanted else f"{said[:200]!r} instead of {wanted[:200]!r}"
