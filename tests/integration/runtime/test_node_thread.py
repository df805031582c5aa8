"""A node in a thread of its own, as blocking drivers use it."""

from __future__ import annotations

import threading

import pytest

from integration.runtime.talking import Talker, World, run
from messor.errors import ConfigurationError
from messor.protos import internal
from messor.runtime.address import Address
from messor.runtime.node_thread import NodeThread


def test_calls_from_outside_run_in_the_loop_in_order() -> None:
    """Also those posted before it started; a call that fails does not stop the others."""
    thread = NodeThread("test", address=Address("127.0.0.1", 0))
    seen: list[object] = []
    done = threading.Event()
    thread.post(seen.append, "early")
    thread.start()
    thread.post(lambda: seen.append(threading.current_thread().name))
    thread.post(lambda: 1 / 0)
    thread.post(done.set)
    assert done.wait(60)
    thread.stop()
    thread.join(60)
    assert seen == ["early", "test"]


def test_what_was_sent_before_stopping_arrives() -> None:
    """A driver's last words."""

    async def test(world: World) -> None:
        far = await world.talker("far")
        thread = NodeThread("test", address=Address("127.0.0.1", 0))
        node = await world.nodes[0].tasks.blocking(thread.start)
        talker = Talker("near")
        thread.post(node.spawn, talker)
        thread.post(lambda: talker.send(far.upid, internal.FrameworkErrorMessage(message="last words")))
        thread.stop()
        await far.until(lambda: far.heard == ["last words"])
        await world.nodes[0].tasks.blocking(thread.join)

    run(test)


def test_a_node_that_cannot_start_says_so() -> None:
    """The error comes out of start."""

    async def test(world: World) -> None:
        port = (await world.node()).network.port
        thread = NodeThread("test", address=Address("127.0.0.1", port))
        with pytest.raises(ConfigurationError, match="Address already in use"):
            thread.start()
        thread.join(60)

    run(test)
