"""Events on their way from a session to whoever iterates over them, in the same loop."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from messor.runtime.host import Promise, Tasks

E = TypeVar("E")


class EventQueue(Generic[E]):
    """An unbounded queue that can end, normally or with an error.

    Giving up waiting loses nothing: an event leaves the queue only when somebody who waited takes it.
    """

    def __init__(self, tasks: Tasks) -> None:
        """Start empty."""
        self._tasks = tasks
        self._events: deque[E] = deque()
        self._waiting: deque[Promise[None]] = deque()
        self._ended = False
        self._error: Exception | None = None

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: E) -> None:
        """Add an event; ignored after the end."""
        if not self._ended:
            self._events.append(event)
            self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Let nothing more in; what is in it is still handed out, then error is raised, every time."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake()

    async def get(self) -> E:
        """Wait for the next event; raises StopAsyncIteration or the error after the last one."""
        while not self._events:
            if self._ended:
                raise self._error if self._error is not None else StopAsyncIteration
            waiter: Promise[None] = self._tasks.promise()
            self._waiting.append(waiter)
            await waiter
        return self._events.popleft()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
