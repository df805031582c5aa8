"""A node in a thread of its own: what a blocking driver stands on."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from messor.runtime.node import Node, new_loop

log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
"""How long the end of the interpreter may wait for drivers that were stopped but still have something to send."""

_stopping: weakref.WeakSet[NodeThread] = weakref.WeakSet()


class NodeThread:
    """Runs a Node's loop in a daemon thread and hands calls to it, in order, from any thread."""

    def __init__(self, name: str, **node_arguments: Any) -> None:
        """Take the thread's name and what Node is made with."""
        self._name = name
        self._arguments = node_arguments
        self._calls: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._wake_pending = False
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Future[Callable[[], Awaitable[object]] | None]
        self.node: Node
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> Node:
        """Start and wait until the node listens; raises what kept it from doing so."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self.node

    def post(self, call: Callable[..., object], *arguments: object) -> None:
        """Have call(*arguments) run in the loop; many posts in a row wake it once."""
        with self._lock:
            self._calls.append((call, arguments))
            if self._wake_pending or not self._ready.is_set() or self._loop.is_closed():
                return
            self._wake_pending = True
            self._loop.call_soon_threadsafe(self._run_calls)

    def stop(self, farewell: Callable[[], Awaitable[object]] | None = None) -> None:
        """End once everything posted ran and was flushed; does not wait.

        farewell: awaited in the loop before, at most FLUSH_SECONDS, to get the last words answered.
        """
        _stopping.add(self)
        self.post(self._finish, farewell)

    def join(self, seconds: float | None = None) -> None:
        """Wait for the thread's end."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run_calls(self) -> None:
        with self._lock:
            self._wake_pending = False
            calls = list(self._calls)
            self._calls.clear()
        for call, arguments in calls:
            try:
                call(*arguments)
            except Exception:
                log.exception("A driver call failed")

    def _finish(self, farewell: Callable[[], Awaitable[object]] | None) -> None:
        if not self._end.done():
            self._end.set_result(farewell)

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(self._live())
        except BaseException as error:
            if self._ready.is_set():
                log.exception("The driver's loop ended")
            else:
                self._failure = error
                self._ready.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.create_future()
        self.node = Node(**self._arguments)
        await self.node.start()
        self._ready.set()
        self._run_calls()
        try:
            farewell = await self._end
            if farewell is not None:
                await asyncio.wait_for(farewell(), FLUSH_SECONDS)
        except TimeoutError:
            log.warning("Not everything that was sent last could be delivered")
        finally:
            await self.node.stop()


@atexit.register
def _flush() -> None:
    """Let stopped drivers say their last words before daemon threads are cut off."""
    for thread in list(_stopping):
        thread.join(FLUSH_SECONDS)
