"""The program: a real agent process with real containers against a fake master."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from messor.protos import internal, v0
from messor.runtime.address import Address
from messor.runtime.http_client import fetch
from messor.runtime.node import Node
from messor.wire.upid import Upid
from support import builders
from support.fakes import FakeMaster

ENVIRONMENT = {"PATH": os.environ["PATH"], "LIBPROCESS_IP": "127.0.0.1"}
RESOURCES = "cpus:4;mem:1024;disk:1024;ports:[31000-31009]"


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """An agent process and the master it talks to."""

    def __init__(self, folder: Path, node: Node, master: FakeMaster) -> None:
        """Take a folder for work_dir and runtime_dir."""
        self.folder = folder
        self.node = node
        self.master = master
        self.port = free_port()
        self.upid = Upid("slave(1)", "127.0.0.1", self.port)
        self.process: subprocess.Popen[bytes]

    def start(self, *flags: str) -> None:
        """Start a process."""
        command = [sys.executable, "-m", "messor.agent.main", *self.flags(), *flags]
        self.process = subprocess.Popen(command, env=ENVIRONMENT)

    def flags(self) -> list[str]:
        """Give what every process gets."""
        return [
            f"--master={self.master.upid}",
            "--ip=127.0.0.1",
            "--hostname=localhost",
            f"--port={self.port}",
            f"--work_dir={self.folder}/work",
            f"--runtime_dir={self.folder}/run",
            f"--resources={RESOURCES}",
            "--registration_backoff_factor=300ms",
            "--quiet",
        ]

    async def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        """Wait for something the master sees."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"the master got only {self.master.names()}"
            await asyncio.sleep(0.02)

    async def acknowledged(self, state: int) -> v0.TaskStatus:
        """Acknowledge updates until one in that state came."""
        done = 0
        deadline = time.monotonic() + 60
        while True:
            messages = self.master.received(internal.StatusUpdateMessage)
            for message in messages[done:]:
                self.master.acknowledge(self.upid, message.update)
                if message.update.status.state == state:
                    return message.update.status
            done = len(messages)
            assert time.monotonic() < deadline, f"the master got only {self.master.names()}"
            await asyncio.sleep(0.02)

    def run(self, value: str, agent_id: str) -> None:
        """Launch a command task of a checkpointing framework."""
        framework = builders.framework_info(framework_id="F", checkpoint=True, user="")
        self.master.run_task(self.upid, framework, builders.task("t", agent_id=agent_id, value=value))


@asynccontextmanager
async def program(folder: Path) -> AsyncIterator[Program]:
    """Run a fake master; whatever agent process is left at the end is killed."""
    node = Node(Address("127.0.0.1", 0))
    await node.start()
    master = FakeMaster()
    node.spawn(master)
    made = Program(folder, node, master)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.send_signal(signal.SIGUSR1)
            await asyncio.to_thread(made.process.wait, 60)
        await node.stop()


def play(story: Coroutine[Any, Any, None]) -> None:
    """Run a story in a loop of its own."""
    asyncio.run(story)


def test_a_task_runs_through_a_restart_and_the_agent_retires(tmp_path: Path) -> None:
    """Launch, SIGKILL, recovery, the end of the task, SIGUSR1: the life of an agent."""

    async def story() -> None:
        async with program(tmp_path) as agent:
            agent.start()
            await agent.until(lambda: agent.master.received(internal.UpdateSlaveMessage))
            agent.run(f"until test -e {tmp_path}/end; do sleep 0.05; done; echo bye", "M-S0")
            await agent.acknowledged(v0.TASK_RUNNING)
            agent.process.kill()
            agent.process.wait()
            agent.start()
            await agent.until(lambda: agent.master.received(internal.ReregisterSlaveMessage))
            (task,) = agent.master.last(internal.ReregisterSlaveMessage).tasks
            assert (task.task_id.value, task.state) == ("t", v0.TASK_RUNNING)
            (tmp_path / "end").touch()
            finished = await agent.acknowledged(v0.TASK_FINISHED)
            assert finished.message == "Command exited with status 0"
            (output,) = (tmp_path / "work/slaves/M-S0/frameworks/F/executors/t/runs/latest").glob("stdout")
            assert output.read_text().endswith("bye\n")
            agent.process.send_signal(signal.SIGUSR1)
            assert await asyncio.to_thread(agent.process.wait, 60) == 0
            await agent.until(lambda: agent.master.received(internal.UnregisterSlaveMessage))
            assert not (tmp_path / "work/meta/slaves/latest").exists()

    play(story())


def test_sandboxes_and_state_can_be_seen(tmp_path: Path) -> None:
    """By their real path and as the latest run (U17)."""

    async def story() -> None:
        async with program(tmp_path) as agent:
            agent.start()
            await agent.until(lambda: agent.master.received(internal.UpdateSlaveMessage))
            agent.run("echo hello; sleep 1000", "M-S0")
            await agent.acknowledged(v0.TASK_RUNNING)
            (output,) = (tmp_path / "work/slaves/M-S0/frameworks/F/executors/t/runs/latest").glob("stdout")
            await agent.until(lambda: "hello" in output.read_text())
            path = "/frameworks/F/executors/t/runs/latest/stdout"
            read = await fetch("127.0.0.1", agent.port, "GET", f"/files/read?path={path}&offset=0", {})
            assert b"hello" in read.body
            state = await fetch("127.0.0.1", agent.port, "GET", "/state", {})
            assert b'"TASK_RUNNING"' in state.body
            metrics = await fetch("127.0.0.1", agent.port, "GET", "/metrics/snapshot", {})
            assert b'"slave/tasks_running":1.0' in metrics.body

    play(story())


def refusal(*flags: str) -> str:
    """Run an agent that must not start; gives all it says on stderr."""
    command = [sys.executable, "-m", "messor.agent.main", *flags]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "Flag 'work_dir' is required, but it was not provided"),
        (("--work_dir={}",), "Missing required option `--master` or `--master_detector`"),
        (("--work_dir={}", "--master=zk://a:1/"), "Expecting a (chroot) path for ZooKeeper"),
        (("--work_dir={}", "--master=nonsense"), "Failed to create a master detector: "),
        (
            ("--work_dir={}", "--master=127.0.0.1:1", "--resources=cpus"),
            "Failed to determine agent resources: Bad value for resources, missing or extra ':' in cpus",
        ),
        (("--work_dir={}", "--master=127.0.0.1:1", "--attributes=abc"), "Invalid attribute key:value pair 'abc'"),
    ],
)
def test_an_agent_that_cannot_start_says_why(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    """One readable line, no traceback, exit status 1."""
    port = f"--port={free_port()}"
    assert words in refusal(port, f"--runtime_dir={tmp_path}/run", *(flag.format(tmp_path / "w") for flag in flags))


def test_a_changed_agent_says_what_changed_and_what_to_do(tmp_path: Path) -> None:
    """The old and the new description and the link to remove (G4)."""

    async def story() -> None:
        async with program(tmp_path) as agent:
            agent.start()
            await agent.until(lambda: agent.master.received(internal.UpdateSlaveMessage))
            agent.process.terminate()
            await asyncio.to_thread(agent.process.wait, 60)
            flags = [flag for flag in agent.flags() if not flag.startswith("--resources")]
            said = await asyncio.to_thread(refusal, *flags, "--resources=cpus:1;mem:1024;disk:1024")
            assert "Incompatible agent info detected." in said
            assert f"rm -f {tmp_path}/work/meta/slaves/latest" in said

    play(story())
