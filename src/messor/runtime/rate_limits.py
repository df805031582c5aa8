"""Limits on how often something happens: the excess waits in line."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from messor.errors import ConfigurationError, InvalidRequest
from messor.model.durations import parse_duration

if TYPE_CHECKING:
    from messor.runtime.host import Clock, Promise, Tasks


class RateLimit:
    """So many permits per second, evenly spaced; those who ask too early wait in order."""

    def __init__(self, clock: Clock, tasks: Tasks, permits: float, seconds: float) -> None:
        """Grant ``permits`` per ``seconds``."""
        self.interval = seconds / permits
        self._clock = clock
        self._tasks = tasks
        self._free_at = 0.0
        self._line: deque[Promise[None]] = deque()

    def acquire(self) -> Awaitable[None] | None:
        """Take a permit: None when it is there at once, else what to await."""
        now = self._clock.monotonic()
        if not self._line and now >= self._free_at:
            self._free_at = now + self.interval
            return None
        promise: Promise[None] = self._tasks.promise()
        self._line.append(promise)
        if len(self._line) == 1:
            self._clock.after(max(0.0, self._free_at - now), self._next)
        return promise

    def _next(self) -> None:
        now = self._clock.monotonic()
        while self._line:
            promise = self._line.popleft()
            if not promise.done():  # whoever gave up costs no permit
                promise.set_result(None)
                self._free_at = now + self.interval
                break
        if self._line:
            self._clock.after(self.interval, self._next)


def parse_rate(text: str) -> tuple[float, float] | None:
    """Read ``2/1secs`` as (permits, seconds); the empty text means no limit. Raises ConfigurationError."""
    if not text:
        return None
    permits, slash, duration = text.partition("/")
    try:
        rate = (float(permits), parse_duration(duration))
    except (ValueError, InvalidRequest):
        rate = (0.0, 0.0)
    if not slash or rate[0] <= 0 or rate[1] <= 0:
        raise ConfigurationError(f"Failed to parse the rate limit '{text}': expecting <permits>/<duration>")
    return rate
