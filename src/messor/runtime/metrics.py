"""Counters, gauges and timers under the names of Mesos (features X1-X13)."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)

WINDOW = 24 * 3600.0
"""Seconds of history a timer's statistics cover."""

CAPACITY = 1000
"""Values of history a timer keeps, as the original does."""

PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999))


class Counter:
    """A number that only grows (until restart)."""

    __slots__ = ("name", "value")

    def __init__(self, name: str) -> None:
        """Start at zero."""
        self.name = name
        self.value = 0

    def increment(self, by: int = 1) -> None:
        """Count."""
        self.value += by


class PushGauge:
    """A number that is set by whoever knows it."""

    __slots__ = ("name", "value")

    def __init__(self, name: str) -> None:
        """Start at zero."""
        self.name = name
        self.value = 0.0

    def set(self, value: float) -> None:
        """Replace."""
        self.value = value

    def add(self, amount: float = 1.0) -> None:
        """Change."""
        self.value += amount


class Timer:
    """How long something takes, in milliseconds: the last value, and statistics over a window."""

    __slots__ = ("_history", "_window", "name", "value")

    def __init__(self, name: str, window: float | None = WINDOW) -> None:
        """Name it ``…_ms``; without a window only the last value is shown."""
        self.name = name
        self.value: float | None = None
        self._window = window
        self._history: deque[tuple[float, float]] = deque(maxlen=CAPACITY)

    def record(self, seconds: float, now: float | None = None) -> None:
        """Take one duration; ``now`` is the time it was taken at, monotonic seconds."""
        self.value = seconds * 1000.0
        if self._window is not None:
            self._history.append((time.monotonic() if now is None else now, self.value))

    def statistics(self, now: float | None = None) -> dict[str, float]:
        """Give count, max, min and percentiles of the window; nothing for fewer than two values."""
        if self._window is None:
            return {}
        oldest = (time.monotonic() if now is None else now) - self._window
        while self._history and self._history[0][0] < oldest:
            self._history.popleft()
        values = sorted(value for _, value in self._history)
        if len(values) < 2:
            return {}
        result = {"count": float(len(values)), "max": values[-1], "min": values[0]}
        for name, part in PERCENTILES:
            result[name] = _percentile(values, part)
        return result


class Metrics:
    """All metrics of one process, by name."""

    def __init__(self) -> None:
        """Start with those every process has."""
        self.counters: dict[str, Counter] = {}
        self.gauges: dict[str, Callable[[], float]] = {}
        self.pushed: dict[str, PushGauge] = {}
        self.timers: dict[str, Timer] = {}
        self.sources: dict[str, Callable[[], Mapping[str, float]]] = {}
        self.handler_failures = self.counter("messor/handler_failures")

    def counter(self, name: str) -> Counter:
        """Get or make a counter."""
        counter = self.counters.get(name)
        if counter is None:
            counter = self.counters[name] = Counter(name)
        return counter

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Register a number that is read when asked for; replaces an older one of that name."""
        self.gauges[name] = read

    def push_gauge(self, name: str) -> PushGauge:
        """Get or make a number that is set."""
        gauge = self.pushed.get(name)
        if gauge is None:
            gauge = self.pushed[name] = PushGauge(name)
        return gauge

    def timer(self, name: str, window: float | None = WINDOW) -> Timer:
        """Get or make a timer; the name ends in ``_ms``."""
        timer = self.timers.get(name)
        if timer is None:
            timer = self.timers[name] = Timer(name, window)
        return timer

    def source(self, key: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Register a function that gives many numbers by name at once; replaces an older one of that key."""
        self.sources[key] = read

    def remove(self, name: str) -> None:
        """Forget a metric or a source; fine if unknown."""
        for table in self._tables():
            table.pop(name, None)

    def remove_below(self, prefix: str) -> None:
        """Forget all metrics whose names begin with a prefix, ``master/frameworks/<name>/<id>/``."""
        for table in self._tables():
            for name in [name for name in table if name.startswith(prefix)]:
                del table[name]

    def snapshot(self) -> dict[str, float]:
        """Read all, sorted by name; a number that cannot be read is left out, as in Mesos."""
        values: dict[str, float] = {name: float(counter.value) for name, counter in self.counters.items()}
        values.update({name: float(gauge.value) for name, gauge in self.pushed.items()})
        for name, read in self.gauges.items():
            try:
                values[name] = float(read())
            except Exception as error:
                log.warning("Leaving out metric %s: %s", name, error)
        for name, read_many in self.sources.items():
            try:
                values.update(read_many())
            except Exception as error:
                log.warning("Leaving out the metrics of %s: %s", name, error)
        for name, timer in self.timers.items():
            if timer.value is not None:
                values[name] = timer.value
                values.update({f"{name}/{key}": value for key, value in timer.statistics().items()})
        return dict(sorted(values.items()))

    def _tables(self) -> tuple[dict[str, Any], ...]:
        return self.counters, self.gauges, self.pushed, self.timers, self.sources


def _percentile(values: list[float], part: float) -> float:
    """Interpolate linearly between the two nearest of sorted values."""
    position = part * (len(values) - 1)
    below = int(position)
    above = min(below + 1, len(values) - 1)
    return values[below] + (position - below) * (values[above] - values[below])
