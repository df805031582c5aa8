"""A recorded run as one self-contained HTML page: SVG charts, and a little script to read values off.

The charts are drawn here, so that they are there without scripts; the script shows the values under the pointer and
dims all roles but one.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Sequence
from typing import Any

from messor.cli.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    area,
    corners,
    frame,
    lane_label,
    line,
    nice_ticks,
    stacked,
    value_axis,
)
from messor.cli.page_style import SCRIPT, STYLE
from messor.cli.recording import Mark, Recording, RoleSeries

MOST_ROLES = 10
"""As many have a colour; the others share one."""
OTHERS = "x"

LINES_HEIGHT, STACK_HEIGHT, LANE_HEIGHT = 210.0, 190.0, 30.0

RESOURCES = {
    "cpus": ("CPUs", "", 1.0),
    "mem": ("Memory", "GB", 1024.0),
    "gpus": ("GPUs", "", 1.0),
    "disk": ("Disk", "GB", 1024.0),
}
"""Title, unit and what one unit is."""

GOOD_ENDS = frozenset({"FINISHED", "KILLED", "UNSEEN"})


class Page:
    """One page in the making."""

    def __init__(self, recording: Recording) -> None:
        """Choose which roles get a colour: those with the largest shares, in the order of names."""
        self.run = recording
        self.times = recording.times
        # A sample holds until the next: the last one would not be seen.
        self.end = max(recording.seconds + recording.seconds / max(1, len(self.times) - 1), 1e-3)
        ranked = sorted(recording.roles, key=lambda name: (-_peak(recording.roles[name]), name))
        self.named = sorted(ranked[:MOST_ROLES])
        self.others = sorted(ranked[MOST_ROLES:])
        self.charts: dict[str, dict[str, Any]] = {}
        """What the script reads values from."""

    def looks(self) -> list[tuple[str, str]]:
        """Give the classes and names of what is drawn apart."""
        known = [(str(number), name) for number, name in enumerate(self.named)]
        return [*known, (OTHERS, f"{len(self.others)} others")] if self.others else known

    def text(self) -> str:
        """Write the page."""
        run = self.run
        charts = [self._shares(), *self._resources(), self._offers(), self._tasks()]
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.begun))
        geometry = {"left": LEFT, "width": WIDTH - LEFT - RIGHT, "end": self.end}
        data = {**geometry, "roles": [name for _, name in self.looks()], "charts": self.charts}
        # A "<" in a role could end the script element, or begin a comment in it.
        embedded = json.dumps(data).replace("<", "\\u003c")
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width"><title>Shares from {when}</title>'
            f"<style>{STYLE}</style></head><body><h1>Offers, allocations and shares per role</h1>"
            f"<p>{html.escape(self._summary(when))}</p>{self._legend()}{''.join(charts)}{_table(run)}"
            f"<div id=tip hidden></div><script>const data={embedded};{SCRIPT}</script></body></html>\n"
        )

    def _summary(self, when: str) -> str:
        run, last = self.run, self.run.last
        samples = "1 sample" if run.count == 1 else f"{run.count} samples"
        parts = [f"{samples} over {run.seconds:.1f} s from {when}"]
        if run.missed:
            parts.append(f"{run.missed} are missing because the master did not answer")
        parts.append(f"{last['agents']} agents, cluster {last['cluster']}")
        if run.ends:
            ends = ", ".join(f"{count} {state.lower()}" for state, count in sorted(run.ends.items()))
            parts.append(f"tasks that ended: {ends}")
        return "; ".join(parts) + "."

    def _legend(self) -> str:
        items = [
            f'<li><button type=button data-look="{look}"><span class="b{look}"></span>{html.escape(name)}</button>'
            for look, name in self.looks()
        ]
        return f"<ul class=legend>{''.join(items)}</ul>"

    def _series(self, look: str) -> list[RoleSeries]:
        """Give the series drawn with a look."""
        return [self.run.roles[name] for name in (self.others if look == OTHERS else [self.named[int(look)]])]

    def _keep(self, name: str, times: Sequence[float], rows: list[Any], unit: str) -> None:
        """Keep the values of a chart for the script; rows are in the order of looks."""
        self.charts[name] = {"times": _rounded(times), "rows": [_rounded(row) for row in rows], "unit": unit}

    # --- charts ------------------------------------------------------------------------------------------------------

    def _shares(self) -> str:
        rows = [self.run.roles[name].share for name in self.named]
        top = max((value for row in rows for value in row if value is not None), default=0.0)
        ticks = [0, 0.25, 0.5, 0.75, 1] if 0.5 < top <= 1 else nice_ticks(max(top, 0.01))
        plot = Plot(self.end, ticks[-1], LINES_HEIGHT)
        lines = [
            line(plot, points, f"line c{number}", self.named[number])
            for number, row in enumerate(rows)
            for points in corners(self.times, row, self.end)
        ]
        self._keep("shares", self.times, rows + [[]] * bool(self.others), "%")
        note = "the largest part of any resource a role holds, divided by its weight; offers count"
        if self.others:
            note += f". The {len(self.others)} roles with the smallest ones are left out"
        return _section(
            "Dominant share", note, frame(plot, "shares", "", value_axis(plot, ticks, "%") + "".join(lines))
        )

    def _resources(self) -> list[str]:
        used = {name for series in self.run.roles.values() for name, row in series.allocated.items() if any(row)}
        used |= {name for series in self.run.roles.values() for name, row in series.offered.items() if any(row)}
        first = [name for name in RESOURCES if name in used]
        return [self._resource(name) for name in first + sorted(used - set(first)) if name in self.run.totals]

    def _resource(self, name: str) -> str:
        """Draw who has how much of a resource: what tasks use in full colour, what is offered pale above it."""
        title, unit, size = RESOURCES.get(name, (name, "", 1.0))
        total = [value / size for value in self.run.totals[name]]
        layers, looks, rows = [], [], []
        for look, role in self.looks():
            both = []
            for kind, kept in (("used", "allocated"), ("offered", "offered")):
                found = [getattr(series, kept).get(name) for series in self._series(look)]
                row = [sum(values) / size for values in zip(*(one for one in found if one), strict=True)]
                both.append(row or [0.0] * len(self.times))
                layers.append(both[-1])
                looks.append((f"area {'pale ' * (kind == 'offered')}c{look}", f"{role}, {kind}"))
            rows.append([one + other for one, other in zip(*both, strict=True)])
        ticks = nice_ticks(max(total))
        plot = Plot(self.end, ticks[-1], STACK_HEIGHT)
        drawn = [
            area(plot, lower, upper, *look)
            for (lower, upper), look in zip(stacked(self.times, layers, self.end), looks, strict=True)
        ]
        limit = "".join(line(plot, points, "total", "all there is") for points in corners(self.times, total, self.end))
        self._keep(f"resource {name}", self.times, rows, unit)
        note = "what tasks use in full colour, what is offered pale; the dashed line is all there is"
        content = value_axis(plot, ticks, unit) + "".join(drawn) + limit
        return _section(title, note, frame(plot, f"resource {name}", title, content))

    def _offers(self) -> str:
        """Draw a lane per role: how much of the cluster waits for its answer."""
        looks = self.looks()
        plot = Plot(self.end, 1.0, TOP + BOTTOM + LANE_HEIGHT * len(looks))
        found = [self._series(look) for look, _ in looks]
        parts = [[sum(values) for values in zip(*(one.offered_part for one in lane), strict=True)] for lane in found]
        rows = [[sum(values) for values in zip(*(one.offers for one in lane), strict=True)] for lane in found]
        top = nice_ticks(max((part for lane in parts for part in lane), default=0.0) or 1.0)[-1]
        lanes = [self._lane(plot, number, looks[number], self.times, part, top) for number, part in enumerate(parts)]
        self._keep("offers", self.times, rows, "offers")
        note = f"what waits for a role's answer; a full lane is {top:.0%} of some resource"
        return _section("Offers", note, frame(plot, "offers", "Offers", "".join(lanes)))

    def _tasks(self) -> str:
        """Draw a lane per role: how many tasks it had, at their exact times, and where tasks failed."""
        run = self.run
        if not run.has_events:
            return ""
        looks = [(look, name) for look, name in self.looks() if look != OTHERS]
        plot = Plot(self.end, 1.0, TOP + BOTTOM + LANE_HEIGHT * len(looks))
        lanes, rows = [], []
        moments = sorted({0.0, *(one for name in self.named for one in run.task_times.get(name, ()))})
        top = max((count for name in self.named for count in run.task_counts.get(name, ())), default=0)
        for number, (look, role) in enumerate(looks):
            times, counts = run.task_times.get(role, [0.0]), run.task_counts.get(role, [0])
            lanes.append(self._lane(plot, number, (look, role), times, [float(one) for one in counts], float(top)))
            lanes += [_cross(plot, number, mark) for mark in run.marks if mark.role == role and _is_bad(mark)]
            rows.append([run.tasks_at(role, moment) for moment in moments])
        self._keep("tasks", moments, rows + [[]] * bool(self.others), "tasks")
        note = f"how many tasks a role had; a full lane is {top}. Crosses are tasks that failed or were lost"
        return _section("Tasks", note, frame(plot, "tasks", "Tasks", "".join(lanes)))

    def _lane(
        self,
        plot: Plot,
        number: int,
        look: tuple[str, str],
        times: Sequence[float],
        values: Sequence[float],
        top: float,
    ) -> str:
        """Draw one lane: an area whose height is the value."""
        floor = TOP + LANE_HEIGHT * (number + 1)
        # A plot of the lane alone, whose 0 is its floor.
        lane = Plot(plot.seconds, top * (floor - TOP) / (LANE_HEIGHT - 6), floor + BOTTOM)
        parts = [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor:.1f}" y2="{floor:.1f}"/>',
            lane_label(floor - 6, look[1]),
        ]
        for points in corners(times, values, self.end):
            flat = [(points[0][0], 0.0), (points[-1][0], 0.0)]
            parts.append(area(lane, flat, points, f"area c{look[0]}", look[1]) if any(y for _, y in points) else "")
        return "".join(parts)


def page(recording: Recording) -> str:
    """Write the page of a recording with at least one sample."""
    return Page(recording).text()


def _peak(series: RoleSeries) -> float:
    return max((value for value in series.share if value is not None), default=0.0)


def _rounded(values: Sequence[Any]) -> list[Any]:
    return [None if value is None else round(value, 4) for value in values]


def _section(title: str, note: str, chart: str) -> str:
    return f"<h2>{html.escape(title)}</h2><p class=note>{html.escape(note)}</p>{chart}"


def _is_bad(mark: Mark) -> bool:
    return mark.state not in GOOD_ENDS


def _cross(plot: Plot, number: int, mark: Mark) -> str:
    x, y = plot.x(mark.time), TOP + LANE_HEIGHT * (number + 1) - 5
    title = f"{mark.task}: {mark.state} after {mark.time:.1f} s"
    path = f"M{x - 3.5:.1f},{y - 3.5:.1f}l7,7m0,-7l-7,7"
    return f'<path class="cross" d="{path}"><title>{html.escape(title)}</title></path>'


def _table(run: Recording) -> str:
    """Write where things stood at the end."""
    rows = []
    for role in run.last["roles"]:
        for number, framework in enumerate(role["frameworks"]):
            name = html.escape(role["role"]) if number == 0 else ""
            held = html.escape(", ".join(f"{key} {value:g}" for key, value in framework["held"].items()))
            who = html.escape(framework["name"] or framework["id"])
            rows.append(f"<tr><td>{name}<td>{who}<td>{framework['share']:.3f}<td>{framework['tasks']}<td>{held}")
    if not rows:
        return "<h2>At the end</h2><p class=note>no framework was there</p>"
    head = "<tr><th>role<th>framework<th>share in the role<th>tasks<th>holds"
    return f"<h2>At the end</h2><div class=wide><table>{head}{''.join(rows)}</table></div>"
