"""The allocator's metrics under Mesos' names (X10)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.model.scalars import to_float
from messor.runtime.metrics import Metrics

_PREFIX = "allocator/mesos/"
_HISTORY = 1000
_PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999))


class _Durations:
    """The last durations of something, in milliseconds, with their spread."""

    def __init__(self, metrics: Metrics, name: str) -> None:
        self._metrics = metrics
        self._name = name
        self._last: deque[float] = deque(maxlen=_HISTORY)

    def add(self, seconds: float) -> None:
        """Note one; the gauges appear with the first, as in Mesos."""
        if not self._last:
            gauge = self._metrics.gauge
            gauge(self._name, lambda: self._last[-1])
            gauge(f"{self._name}/count", lambda: float(len(self._last)))
            gauge(f"{self._name}/max", lambda: max(self._last))
            gauge(f"{self._name}/min", lambda: min(self._last))
            for suffix, part in _PERCENTILES:
                gauge(f"{self._name}/{suffix}", lambda part=part: self._percentile(part))  # type: ignore[misc]
        self._last.append(seconds * 1000)

    def _percentile(self, part: float) -> float:
        ordered = sorted(self._last)
        position = part * (len(ordered) - 1)
        below = int(position)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


class Measures:
    """Registers and feeds the metrics of one allocator."""

    def __init__(self, metrics: Metrics, books: HierarchicalAllocator) -> None:
        """Register those that always exist."""
        self._metrics = metrics
        self._books = books
        self._runs = metrics.counter(f"{_PREFIX}allocation_runs")
        self._run = _Durations(metrics, f"{_PREFIX}allocation_run_ms")
        self._latency = _Durations(metrics, f"{_PREFIX}allocation_run_latency_ms")
        self._roles: set[str] = set()
        self._quota_gauges: list[str] = []
        self._consumed: set[tuple[str, str]] = set()
        # Nothing ever waits here: calls take effect at once.
        metrics.gauge("allocator/event_queue_dispatches", lambda: 0.0)
        metrics.gauge(f"{_PREFIX}event_queue_dispatches", lambda: 0.0)
        for name in ("cpus", "mem", "disk"):
            metrics.gauge(f"{_PREFIX}resources/{name}/total", lambda name=name: self._total(name))  # type: ignore[misc]
            metrics.gauge(
                f"{_PREFIX}resources/{name}/offered_or_allocated",
                lambda name=name: self._out(name),  # type: ignore[misc]
            )

    def ran(self, latency: float, duration: float) -> None:
        """Note a round: seconds it waited and took."""
        self._runs.increment()
        self._latency.add(latency)
        self._run.add(duration)

    def roles_changed(self) -> None:
        """Follow the roles that have frameworks."""
        roles = set(self._books.sorters)
        for role in roles - self._roles:
            self._metrics.gauge(f"{_PREFIX}roles/{role}/shares/dominant", lambda role=role: self._share(role))  # type: ignore[misc]
            self._metrics.gauge(
                f"{_PREFIX}offer_filters/roles/{role}/active",
                lambda role=role: float(self._books.refusals.count(role)),  # type: ignore[misc]
            )
        for role in self._roles - roles:
            self._metrics.remove(f"{_PREFIX}roles/{role}/shares/dominant")
            self._metrics.remove(f"{_PREFIX}offer_filters/roles/{role}/active")
        self._roles = roles

    def consumption_changed(self) -> None:
        """Follow the roles and names in what is consumed, where they changed."""
        tree = self._books.roles
        if not tree.names_changed:
            return
        tree.names_changed = False
        now = {(role, name) for role, sums in tree.consumed.items() for name in sums}
        for role, name in now - self._consumed:
            self._metrics.gauge(_consumed_name(role, name), lambda role=role, name=name: self._used(role, name))  # type: ignore[misc]
        for role, name in self._consumed - now:
            self._metrics.remove(_consumed_name(role, name))
        self._consumed = now

    def quotas_changed(self) -> None:
        """Follow the quotas there are."""
        for name in self._quota_gauges:
            self._metrics.remove(name)
        self._quota_gauges.clear()
        for role, quota in self._books.quotas.items():
            prefix = f"{_PREFIX}quota/roles/{role}/resources/"
            for name, milli in quota.guarantees.items():
                self._quota_gauge(f"{prefix}{name}/guarantee", lambda milli=milli: to_float(milli))  # type: ignore[misc]
            for name, milli in quota.limits.items():
                self._quota_gauge(f"{prefix}{name}/limit", lambda milli=milli: to_float(milli))  # type: ignore[misc]
            for name in {*quota.guarantees, *quota.limits}:
                self._quota_gauge(
                    f"{prefix}{name}/offered_or_allocated",
                    lambda role=role, name=name: self._held(role, name),  # type: ignore[misc]
                )

    def _quota_gauge(self, name: str, read: Callable[[], float]) -> None:
        self._metrics.gauge(name, read)
        self._quota_gauges.append(name)

    def _held(self, role: str, name: str) -> float:
        sorter = self._books.role_sorter
        return to_float(sorter.allocation(role).get(name, 0)) if sorter.contains(role) else 0.0

    def _used(self, role: str, name: str) -> float:
        return to_float(self._books.roles.consumed.get(role, {}).get(name, 0))

    def _total(self, name: str) -> float:
        return to_float(self._books.pool.totals.get(name, 0))

    def _out(self, name: str) -> float:
        return to_float(sum(agent.out_total.scalars().get(name, 0) for agent in self._books.agents.values()))

    def _share(self, role: str) -> float:
        return self._books.role_sorter.share(role) if self._books.role_sorter.contains(role) else 0.0


def _consumed_name(role: str, name: str) -> str:
    return f"{_PREFIX}quota/roles/{role}/resources/{name}/consumed"
