"""Running coroutines from code that blocks, one at a time, in a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from messor.runtime.node import new_loop

T = TypeVar("T")


class BlockingLoop:
    """A loop that runs only while somebody waits for a result; for one thread, and not inside another loop."""

    def __init__(self) -> None:
        """Make the loop."""
        self._loop = new_loop()

    def run(self, awaitable: Awaitable[T], seconds: float | None = None) -> T:
        """Run to the end and give the result; raises TimeoutError after so many seconds."""
        return self._loop.run_until_complete(_within(awaitable, seconds))

    def close(self) -> None:
        """Cancel what is left and close the loop; harmless when closed."""
        if self._loop.is_closed():
            return
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=5.0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


def _within(awaitable: Awaitable[T], seconds: float | None) -> Coroutine[Any, Any, T]:
    return asyncio.wait_for(awaitable, seconds)
