"""Counters, gauges and timers under the names of Mesos."""

from __future__ import annotations

from collections.abc import Callable


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


class Metrics:
    """All metrics of one process, by name."""

    def __init__(self) -> None:
        """Start with those every process has."""
        self.counters: dict[str, Counter] = {}
        self.gauges: dict[str, Callable[[], float]] = {}
        self.handler_failures = self.counter("messor/handler_failures")

    def counter(self, name: str) -> Counter:
        """Get or make a counter."""
        return self.counters.setdefault(name, Counter(name))

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Register a number that is read when asked for; replaces an older one of that name."""
        self.gauges[name] = read

    def remove(self, name: str) -> None:
        """Forget a metric; fine if unknown."""
        self.counters.pop(name, None)
        self.gauges.pop(name, None)

    def snapshot(self) -> dict[str, float]:
        """Read all, sorted by name."""
        values: dict[str, float] = {name: float(counter.value) for name, counter in self.counters.items()}
        values.update({name: float(read()) for name, read in self.gauges.items()})
        return dict(sorted(values.items()))
