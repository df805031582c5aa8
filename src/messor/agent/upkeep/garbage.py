"""Old sandboxes and checkpoints are removed when their time comes, or earlier when the disk fills (G12)."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from messor.errors import DiskFailed, NotFound

if TYPE_CHECKING:
    from messor.agent.metrics import AgentMetrics
    from messor.runtime.host import Host, Timer

log = logging.getLogger(__name__)


class _Condemned(NamedTuple):
    """A path and when it goes."""

    due: float
    removed: Callable[[], None] | None


class Garbage:
    """Paths that will be removed. A path that is used again is kept by saying so in time.

    A busy agent condemns thousands: the next one due is found in a heap, in which entries of paths that were kept or
    condemned anew are void.
    """

    def __init__(self, host: Host, metrics: AgentMetrics, delay: float) -> None:
        """delay: seconds a path is kept after its last change, ``--gc_delay``."""
        self._host = host
        self._metrics = metrics
        self._delay = delay
        self._condemned: dict[str, _Condemned] = {}
        self._order: list[tuple[float, str]] = []
        self._timer: Timer | None = None
        self._timer_due = 0.0
        metrics.gc_pending = lambda: len(self._condemned)

    def condemn(self, path: str, removed: Callable[[], None] | None = None) -> None:
        """Remove a path when ``delay`` has passed since its last change; ``removed`` is called then."""
        now = self._host.clock.now()
        try:
            modified = self._host.disk.modified(path)
        except (DiskFailed, NotFound):
            modified = now
        remaining = max(self._delay - max(now - modified, 0.0), 0.0)
        due = self._host.clock.monotonic() + remaining
        self._condemned[path] = _Condemned(due, removed)
        heapq.heappush(self._order, (due, path))
        self._arm()

    def keep(self, path: str) -> None:
        """Do not remove a path after all; fine if it was not condemned."""
        self._condemned.pop(path, None)

    def prune(self, max_age: float) -> None:
        """Remove at once what would have to go if paths were only kept for max_age seconds."""
        self._remove_due(self._host.clock.monotonic() + self._delay - max_age)

    def stop(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        """Wake when the next path is due; waking for one that was kept meanwhile is harmless."""
        if not self._order:
            return
        due = self._order[0][0]
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._host.clock.after(max(due - self._host.clock.monotonic(), 0.0), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._remove_due(self._host.clock.monotonic())
        self._arm()

    def _remove_due(self, horizon: float) -> None:
        while self._order and self._order[0][0] <= horizon:
            due, path = heapq.heappop(self._order)
            condemned = self._condemned.get(path)
            if condemned is not None and condemned.due == due:
                del self._condemned[path]
                self._host.tasks.spawn(self._remove(path, condemned.removed), f"remove {path}")

    async def _remove(self, path: str, removed: Callable[[], None] | None) -> None:
        log.info("Deleting %s", path)
        try:
            await self._host.tasks.blocking(self._host.disk.remove, path)
        except DiskFailed as error:
            log.error("Failed to delete %s: %s", path, error)
            self._metrics.gc_failed.increment()
            return
        self._metrics.gc_succeeded.increment()
        if removed is not None:
            removed()
