"""What a container test plays with: a real node, a fake agent API, a containerizer and a folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration.containers.fake_agent import FakeAgent
from messor.containers.containerizer import LaunchSpec
from messor.containers.native.containerizer import NativeContainerizer
from messor.linux import processes
from messor.protos import v0
from messor.runtime.node import Node

DEADLINE = 60.0


class World:
    """What a test plays with."""

    def __init__(self, folder: Path, node: Node, agent: FakeAgent) -> None:
        """Take a folder that is the test's alone."""
        self.folder = folder
        self.node = node
        self.agent = agent
        self.runtime_dir = str(folder / "run")
        self.work_dir = str(folder / "work")
        self.containerizer = self.new_containerizer()

    def new_containerizer(self, **more: Any) -> NativeContainerizer:
        """Make a containerizer as a restarted agent would."""
        return NativeContainerizer(self.node, runtime_dir=self.runtime_dir, work_dir=self.work_dir, **more)

    def sandbox(self, name: str) -> Path:
        """Give a container's sandbox, made."""
        path = self.folder / "work" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def spec(self, name: str, command: str, *, task: bool = False, **more: Any) -> LaunchSpec:
        """Describe a container that runs a shell command; with task, the built-in executor."""
        info = more.pop("info", None) or v0.CommandInfo(value=command)
        environment = self.agent.environment(name, **more.pop("environment", {}))
        return LaunchSpec(
            command=info,
            sandbox=str(self.sandbox(name)),
            environment=environment,
            command_task=v0.TaskInfo(name=name) if task else None,
            **more,
        )

    def zygote_pid(self) -> int:
        """Give the pid of the zygote."""
        return int(Path(self.runtime_dir, "zygote.pid").read_text())


async def until(happened: Callable[[], object], what: str) -> None:
    """Poll for something outside the loop's sight."""
    deadline = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    fact = processes.facts(pid)
    return fact is not None and fact.state != "Z"
