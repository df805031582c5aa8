"""A real node, a fake agent API and a containerizer for each test, torn down with everything they started."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from integration.containers.fake_agent import FakeAgent
from integration.containers.world import World, is_alive
from messor.containers.native.zygote_client import destroy_everything
from messor.runtime.node import Node


@pytest.fixture
def in_world(tmp_path: Path) -> Iterator[Callable[[Callable[[World], Awaitable[None]]], None]]:
    """Run a coroutine function with a world; whatever it left behind is destroyed."""

    @asynccontextmanager
    async def world() -> AsyncIterator[World]:
        node = Node()
        await node.start()
        agent = FakeAgent()
        await agent.start()
        made = World(tmp_path, node, agent)
        try:
            yield made
        finally:
            made.containerizer.detach()
            await agent.stop()
            await node.stop()

    async def play(story: Callable[[World], Awaitable[None]]) -> None:
        async with world() as made:
            await story(made)

    yield lambda story: asyncio.run(play(story))
    pid_file = tmp_path / "run" / "zygote.pid"
    pid = int(pid_file.read_text()) if pid_file.exists() and pid_file.read_text() else None
    destroy_everything(str(tmp_path / "run"))
    if pid is not None and is_alive(pid):
        os.kill(pid, signal.SIGKILL)
