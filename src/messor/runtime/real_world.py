"""Time, randomness and background tasks of the real world (the Clock, Chance and Tasks ports)."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from messor.runtime.metrics import Counter

T = TypeVar("T")

log = logging.getLogger(__name__)

THREADS = 4


class RealClock:
    """Wall time and timers of a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run timers on a loop."""
        self._loop = loop

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        return time.monotonic()

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> asyncio.Handle:
        """Call once, that many seconds from now (0: as soon as what runs now is done, in order)."""
        if seconds <= 0:
            return self._loop.call_soon(call, *arguments)
        return self._loop.call_later(seconds, call, *arguments)


class RealChance:
    """System randomness."""

    def __init__(self) -> None:
        """Seed from the system."""
        self.random = random.Random()  # noqa: S311  (jitter and shuffling; secrets use os.urandom)

    def uuid(self) -> str:
        """Make a random (version 4) UUID in text form."""
        return str(uuid.UUID(bytes=self.uuid_bytes()))

    def uuid_bytes(self) -> bytes:
        """Make a random (version 4) UUID as 16 bytes."""
        raw = bytearray(os.urandom(16))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        return bytes(raw)


class RealTasks:
    """Supervised asyncio tasks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, failures: Counter) -> None:
        """Count failed tasks in a counter."""
        self._loop = loop
        self._failures = failures
        self._running: set[asyncio.Task[object]] = set()
        self._threads: ThreadPoolExecutor | None = None

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str = "") -> asyncio.Task[object]:
        """Run in the background until done; a failure is logged with its name and counted."""
        task = self._loop.create_task(coroutine, name=name or getattr(coroutine, "__qualname__", "task"))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.increment()
            log.error("Task '%s' failed", task.get_name(), exc_info=error)

    def promise(self) -> asyncio.Future[Any]:
        """Make an unsupplied value."""
        return self._loop.create_future()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def all(self, awaitables: Iterable[Awaitable[T]]) -> list[T]:
        """Wait for all; the first exception is raised after all ended."""
        results = await asyncio.gather(*awaitables, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results  # type: ignore[return-value]  # no exceptions are left in it

    async def within(self, seconds: float, awaitable: Awaitable[T]) -> T:
        """Wait at most that long; raises TimeoutError."""
        # Not wait_for, which in Python 3.11 forgets a cancellation that comes together with the result.
        async with asyncio.timeout(seconds):
            return await awaitable

    async def blocking(self, call: Callable[..., T], *arguments: object) -> T:
        """Run a call that blocks in a thread."""
        return await self.offload(call, *arguments)

    def offload(self, call: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """Run a call that blocks in a thread; gives the future of its result."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="messor-blocking")
        return self._loop.run_in_executor(self._threads, call, *arguments)

    async def stop(self) -> None:
        """Cancel what runs and wait until it ended."""
        current = asyncio.current_task()
        running = [task for task in self._running if task is not current]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=5.0)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
