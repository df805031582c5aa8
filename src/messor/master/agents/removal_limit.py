"""How fast agents may be given up: ``--agent_removal_rate_limit``.

A switch that fails takes a rack with it; without a limit every task of the rack would be replaced at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from messor.runtime.host import Clock, Timer


class Permit:
    """A place in the queue."""

    __slots__ = ("_queue", "granted")

    def __init__(self, queue: deque[Permit], granted: Callable[[], object]) -> None:
        """granted: called once when it is this permit's turn."""
        self._queue = queue
        self.granted = granted

    def cancel(self) -> None:
        """Leave the queue; those behind move up. Fine if it was granted already."""
        if self in self._queue:
            self._queue.remove(self)


class RemovalLimit:
    """Grants permits one by one, at even distances in time."""

    def __init__(self, clock: Clock, interval: float) -> None:
        """interval: seconds between permits; 0 means no limit."""
        self._clock = clock
        self._interval = interval
        self._queue: deque[Permit] = deque()
        self._next = 0.0
        self._timer: Timer | None = None

    def acquire(self, granted: Callable[[], object]) -> Permit | None:
        """Call ``granted`` when allowed: now (and give None) without a limit, later otherwise."""
        if self._interval <= 0:
            granted()
            return None
        permit = Permit(self._queue, granted)
        self._queue.append(permit)
        if self._timer is None:
            self._arm()
        return permit

    def _arm(self) -> None:
        self._timer = self._clock.after(max(0.0, self._next - self._clock.monotonic()), self._grant)

    def _grant(self) -> None:
        self._timer = None
        if not self._queue:
            return
        self._next = self._clock.monotonic() + self._interval
        granted = self._queue.popleft().granted
        granted()
        if self._queue:
            self._arm()
