"""What ``messor record`` keeps of a run: shares, holdings and offers by role over time, and when tasks began and ended.

Samples are reduced at once: hours of a large cluster must fit in memory and on a page.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_SAMPLES = 1500
"""More are thinned out: every second one goes."""
MOST_POINTS = 300_000
"""Likewise when there are many roles; a point is some 300 bytes."""
MOST_MARKS = 2000
"""How many ends of tasks are kept one by one; the rest is only counted."""

Sample = dict[str, Any]
"""One answer of ``/allocator/shares``."""


@dataclass
class RoleSeries:
    """What was seen of a role; None where it was unknown."""

    share: list[float | None] = field(default_factory=list)
    offers: list[int] = field(default_factory=list)
    offered_part: list[float] = field(default_factory=list)
    """The largest part of any resource of the cluster in its offers."""
    allocated: dict[str, list[float]] = field(default_factory=dict)
    offered: dict[str, list[float]] = field(default_factory=dict)
    """By resource; offered is not in allocated."""


class Mark(NamedTuple):
    """A task that ended."""

    time: float
    role: str
    task: str
    state: str
    """FINISHED, FAILED, …"""


class TaskChange(NamedTuple):
    """Something that happened to a task, at a time of the master's clock."""

    time: float
    role: str
    framework: str
    task: str
    state: str
    """Empty when it was added, else the name of a terminal state without TASK_."""


class Recording:
    """A run."""

    def __init__(self) -> None:
        """Start empty."""
        self.begun = 0.0
        """Seconds since 1970, by the master's clock; other times count from here."""
        self.times: list[float] = []
        self.roles: dict[str, RoleSeries] = {}
        self.totals: dict[str, list[float]] = {}
        self.last: Sample = {}
        self.count = 0
        self.missed = 0
        """How many samples there should have been besides."""
        self.has_events = False
        self.task_times: dict[str, list[float]] = {}
        """By role: when the number of its tasks changed, and to what."""
        self.task_counts: dict[str, list[int]] = {}
        self.marks: list[Mark] = []
        self.ends: dict[str, int] = {}
        """How many tasks ended, by state."""
        self._live: set[tuple[str, str]] = set()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.times[-1] if self.times else 0.0

    # --- samples -----------------------------------------------------------------------------------------------------

    def add(self, sample: Sample) -> None:
        """Keep what charts show of a sample."""
        if not self.times:
            self.begun = sample["time"]
        known, total, index = set(), sample["total"], len(self.times)
        self.times.append(sample["time"] - self.begun)
        for name in total:
            self.totals.setdefault(name, [0.0] * index)
        for name, values in self.totals.items():
            values.append(total.get(name, 0.0))
        for role in sample["roles"]:
            known.add(role["role"])
            self._add_role(self.roles.get(role["role"]) or self._new_role(role["role"], index), role, total, index)
        for name, series in self.roles.items():
            if name not in known:
                self._add_absence(series)
        self.last = sample
        self.count += 1
        if len(self.times) > max(2, min(MOST_SAMPLES, MOST_POINTS // max(1, len(self.roles)))):
            self._thin_out()

    def _new_role(self, name: str, index: int) -> RoleSeries:
        series = RoleSeries([None] * index, [0] * index, [0.0] * index)
        self.roles[name] = series
        return series

    def _add_role(self, series: RoleSeries, role: Any, total: dict[str, float], index: int) -> None:
        offered = role["offered"]
        series.share.append(role["share"])
        series.offers.append(role["offers"])
        series.offered_part.append(max((offered[name] / total[name] for name in offered if total.get(name)), default=0))
        for name in {*role["held"], *series.allocated}:
            for kept in (series.allocated, series.offered):
                kept.setdefault(name, [0.0] * index)
            series.offered[name].append(offered.get(name, 0.0))
            series.allocated[name].append(max(0.0, role["held"].get(name, 0.0) - offered.get(name, 0.0)))

    def _add_absence(self, series: RoleSeries) -> None:
        series.share.append(None)
        series.offers.append(0)
        series.offered_part.append(0.0)
        for kept in (*series.allocated.values(), *series.offered.values()):
            kept.append(0.0)

    def _thin_out(self) -> None:
        del self.times[1::2]
        for values in self.totals.values():
            del values[1::2]
        for series in self.roles.values():
            rows: Iterable[list[Any]] = (series.share, series.offers, series.offered_part)
            for row in (*rows, *series.allocated.values(), *series.offered.values()):
                del row[1::2]

    # --- tasks -------------------------------------------------------------------------------------------------------

    def add_changes(self, changes: Iterable[TaskChange]) -> None:
        """Count tasks; changes are in order of time, those from before the first sample count as its."""
        for change in changes:
            key = (change.framework, change.task)
            moment = max(0.0, change.time - self.begun)
            if not change.state:
                if key not in self._live:
                    self._live.add(key)
                    self._count(change.role, moment, 1)
            elif key in self._live:
                self._live.discard(key)
                self._count(change.role, moment, -1)
                self.ends[change.state] = self.ends.get(change.state, 0) + 1
                if len(self.marks) < MOST_MARKS:
                    self.marks.append(Mark(moment, change.role, change.task, change.state))

    def _count(self, role: str, moment: float, step: int) -> None:
        times = self.task_times.setdefault(role, [0.0])
        counts = self.task_counts.setdefault(role, [0])
        if moment <= times[-1]:
            counts[-1] += step
            return
        times.append(moment)
        counts.append(counts[-1] + step)

    def tasks_at(self, role: str, moment: float) -> int:
        """Tell how many tasks a role had."""
        times = self.task_times.get(role)
        return self.task_counts[role][bisect_right(times, moment) - 1] if times else 0
