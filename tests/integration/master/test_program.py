"""The program: what it says when it cannot start, and what it remembers when it starts again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from messor.protos import internal
from messor.runtime.address import Address
from messor.runtime.http_client import fetch
from messor.runtime.node import Node
from messor.wire.upid import Upid
from support.fakes import FakeAgent

ENVIRONMENT = {"PATH": os.environ["PATH"], "LIBPROCESS_IP": "127.0.0.1"}


def command(*flags: str) -> list[str]:
    """Give the command line of a master."""
    return [sys.executable, "-m", "messor.master.main", "--ip=127.0.0.1", "--hostname=localhost", *flags]


def refusal(*flags: str) -> str:
    """Run a master that must not start; gives its last line on stderr."""
    done = subprocess.run(command(*flags), env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def master(port: int, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a master until the block ends."""
    process = subprocess.Popen(command(f"--port={port}", "--quiet", *flags), env=ENVIRONMENT)
    try:
        wait_for(port)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the master does not start"
            time.sleep(0.02)
        else:
            return


async def get(port: int, path: str) -> Any:
    """Ask the master for JSON."""
    reply = await fetch("127.0.0.1", port, "GET", path, {}, b"")
    assert reply.status == 200
    return json.loads(reply.body)


async def registered_agent(port: int) -> str:
    """Register an agent and vanish; gives its id."""
    node = Node(Address("127.0.0.1", 0))
    await node.start()
    agent = FakeAgent(Upid("master", "127.0.0.1", port), name="slave(1)")
    node.spawn(agent)
    for _ in range(1200):
        agent.register()
        await asyncio.sleep(0.05)
        if agent.received(internal.SlaveRegisteredMessage):
            break
    await node.stop()
    return agent.id


async def recovered_agents(port: int) -> list[str]:
    """Give the ids of the agents a master waits for, once it has read its registry."""
    for _ in range(3000):
        recovered = (await get(port, "/slaves"))["recovered_slaves"]
        if recovered:
            return [agent["id"] for agent in recovered]
        await asyncio.sleep(0.02)
    return []


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "--work_dir needed for replicated log based registry"),
        (["--registry=sqlite"], "--work_dir needed for sqlite based registry"),
        (["--registry=zookeeper"], "--zk needed for zookeeper based registry"),
        (["--work_dir=/tmp/x", "--zk=zk://127.0.0.1:1/x"], "EXIT with status 1: Need to specify --quorum for"),
        (
            ["--registry=in_memory", "--zk=zk://127.0.0.1:1"],
            "1: Failed to create a master contender: Expecting a (chroot) path for ZooKeeper ('/' is not supported)",
        ),
        (
            ["--registry=in_memory", "--zk=nonsense"],
            "EXIT with status 1: Failed to create a master contender: Failed to parse 'nonsense'",
        ),
        (["--registry=sqlite", "--zk=zk://127.0.0.1:1/x"], "--registry=sqlite is this machine's only"),
        (["--registry=in_memory", "--logging_level=LOUD"], "'LOUD' is not a valid logging level"),
        (["--registry=in_memory", "--role_sorter=random"], "Values of --role_sorter and --framework_sorter must be"),
        (["--work_dir=/proc/no"], "Failed to create work directory '/proc/no'"),
    ],
)
def test_a_master_that_cannot_start_says_why_in_one_line(flags: list[str], line: str) -> None:
    """And exits with 1, without a traceback."""
    assert line in refusal("--port=0", *flags)


def test_help_and_version_are_no_errors(tmp_path: Path) -> None:
    """They go to stdout, with status 0, whatever else is wrong."""
    for flag, text in (("--help", "Usage: mesos-master"), ("--version", "mesos 1.11.0")):
        done = subprocess.run(
            command(flag), env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(text)


def test_a_folder_and_a_port_belong_to_one_master(tmp_path: Path) -> None:
    """A second master on either gets a readable line, and the first goes on."""
    port = free_port()
    with master(port, f"--work_dir={tmp_path}") as first:
        assert refusal("--port=0", f"--work_dir={tmp_path}") == (
            f"EXIT with status 1: The work directory '{tmp_path}' is in use by another master"
        )
        assert refusal(f"--port={port}", "--registry=in_memory") == (
            f"Failed to bind on 127.0.0.1:{port}: Address already in use"
        )
        assert first.poll() is None


def test_a_killed_master_remembers_its_agents(tmp_path: Path) -> None:
    """The registry is on disk before an agent is answered; the next master waits for it to return."""
    port = free_port()
    with master(port, f"--work_dir={tmp_path}"):
        agent_id = asyncio.run(registered_agent(port))
        assert agent_id
    with master(port, f"--work_dir={tmp_path}"):
        assert asyncio.run(recovered_agents(port)) == [agent_id]
        assert asyncio.run(get(port, "/metrics/snapshot"))["registrar/log/recovered"] == 1.0


def test_a_master_ends_at_once_when_told_to(tmp_path: Path) -> None:
    """SIGTERM is how supervisors stop it."""
    port = free_port()
    with master(port, f"--work_dir={tmp_path}") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
