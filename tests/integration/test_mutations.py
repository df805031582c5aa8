"""A thousand seeded mutations of recorded conversations: nothing crashes, hangs or leaks, and work goes on."""

from __future__ import annotations

import ast
import os
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from messor import LocalCluster
from messor.cli.execute import main as execute
from messor.local.daemons import Daemon
from messor.local.probe import get

RECORDED = Path(__file__).parent / "recorded_requests.txt"
MUTATIONS = 1000
ANSWER_SECONDS = 0.01
"""How long an answer is waited for; most garbage is answered at once or by closing."""


def recorded(section: str) -> list[bytes]:
    """Read the requests that were sent to a master or an agent."""
    part = RECORDED.read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [ast.literal_eval(line) for line in part.splitlines() if line]


def flip(data: bytearray, chance: random.Random) -> bytearray:
    """Change a few bytes."""
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return data


def cut(data: bytearray, chance: random.Random) -> bytearray:
    """Drop the end, as a peer that vanishes does."""
    return data[: chance.randrange(len(data))]


def insert(data: bytearray, chance: random.Random) -> bytearray:
    """Put random bytes somewhere."""
    at = chance.randrange(len(data))
    return data[:at] + bytearray(chance.randbytes(chance.randint(1, 40))) + data[at:]


def repeat(data: bytearray, chance: random.Random) -> bytearray:
    """Say a part twice."""
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.randint(1, 60))
    return data[:end] + data[start:]


def lie_about_length(data: bytearray, chance: random.Random) -> bytearray:
    """Announce more or less than comes."""
    return bytearray(bytes(data).replace(b"Content-Length: ", b"Content-Length: %d" % chance.randrange(100)))


def damage_body(data: bytearray, chance: random.Random) -> bytearray:
    """Leave the head whole and change the body: gets past HTTP into parsers and validators."""
    head, blank, body = bytes(data).partition(b"\r\n\r\n")
    if not body:
        return flip(data, chance)
    changed = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytearray(head + blank) + changed


KINDS = (flip, cut, insert, repeat, lie_about_length, damage_body, damage_body)


def mutated(requests: list[bytes], chance: random.Random) -> bytes:
    """Make one mutation of one or two recorded requests."""
    data = bytearray(chance.choice(requests))
    if chance.random() < 0.2:
        data += chance.choice(requests)
    return bytes(chance.choice(KINDS)(data, chance))


def feed(port: int, data: bytes, *, hangs_up: bool = True) -> None:
    """Send bytes, take what comes back for a moment, hang up; the peer may also just stop writing and wait."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.sendall(data)
            if hangs_up:
                connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            return


def open_files(daemon: Daemon) -> int:
    """Count a daemon's file descriptors."""
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """One master, one agent."""
    with LocalCluster(agents=1, work_dir=tmp_path, resources="cpus:4;mem:2048") as running:
        yield running


def test_mutated_conversations_crash_hang_and_leak_nothing(cluster: LocalCluster) -> None:
    """Master and agent live through all of it and then run a task."""
    targets = [(cluster.master_process, recorded("master")), (cluster.agents[0], recorded("agent"))]
    before = {}
    pids = {}
    for daemon, _ in targets:
        feed(daemon.port, b"GET /health HTTP/1.1\r\n\r\n")
        before[daemon.name] = open_files(daemon)
        pids[daemon.name] = daemon.pid
    for seed in range(MUTATIONS):
        chance = random.Random(seed)
        for daemon, requests in targets:
            data = mutated(requests, chance)
            feed(daemon.port, data, hangs_up=chance.random() < 0.5)
            assert daemon.pid == pids[daemon.name], f"{daemon.name} died of mutation {seed}: {data!r}"
    for daemon, _ in targets:
        assert get("127.0.0.1", daemon.port, "/health")[0] == 200
        deadline = time.monotonic() + 60
        while open_files(daemon) > before[daemon.name] + 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert open_files(daemon) <= before[daemon.name] + 3, f"{daemon.name} leaks connections"
        assert "Traceback" not in daemon.log.read_text(errors="replace"), f"see {daemon.log}"
    flags = ["mesos-execute", f"--master={cluster.master}", "--name=after", "--command=true"]
    flags.append("--resources=cpus:0.1;mem:32")
    assert execute(flags) == 0
