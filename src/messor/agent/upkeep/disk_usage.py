"""The disk is looked at now and then: the fuller, the shorter old sandboxes are kept (G12)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messor.agent.flags import AgentFlags
    from messor.agent.metrics import AgentMetrics
    from messor.agent.upkeep.garbage import Garbage
    from messor.runtime.host import Host, Timer

log = logging.getLogger(__name__)

Measure = Callable[[], float]
"""Gives how full the disk under work_dir is, from 0 to 1; raises OSError when it cannot be told."""


class DiskWatch:
    """Prunes garbage by disk usage."""

    def __init__(
        self, host: Host, flags: AgentFlags, metrics: AgentMetrics, garbage: Garbage, measure: Measure | None
    ) -> None:
        """measure: None where disks have no size; then nothing is pruned early."""
        self._host = host
        self._flags = flags
        self._metrics = metrics
        self._garbage = garbage
        self._measure = measure
        self._timer: Timer | None = None
        metrics.max_allowed_age = flags.gc_delay

    def start(self) -> None:
        """Look from now on."""
        if self._measure is not None:
            self._look()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        assert self._measure is not None
        try:
            usage = self._measure()
        except OSError as error:
            log.error("Failed to get disk usage: %s", error)
        else:
            self._prune(usage)
        self._timer = self._host.clock.after(self._flags.disk_watch_interval, self._look)

    def _prune(self, usage: float) -> None:
        age = self._flags.gc_delay * max(0.0, 1.0 - self._flags.gc_disk_headroom - usage)
        log.info("Current disk usage %.2f%%. Max allowed age: %.0f seconds", usage * 100, age)
        self._metrics.max_allowed_age = age
        self._garbage.prune(age)
