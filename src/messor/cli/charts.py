"""Charts as SVG text: lines and areas that step, as shares and holdings do, and lanes. All share one axis of time.

Colours are classes (``c0`` to ``c9``, ``cx`` for everything else), so that the page can dim and theme them.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 132, 14, 8, 24
"""Room for labels; the same in all charts, so that they can be read below one another."""

STEPS = (1, 2, 5)
TIME_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600.0 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 120, 240)),
)

Points = Sequence[tuple[float, float]]


class Plot(NamedTuple):
    """Where values are drawn: seconds from left to right, values from 0 upwards."""

    seconds: float
    top: float
    height: float

    def x(self, seconds: float) -> float:
        """Place a time."""
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / (self.seconds or 1.0)

    def y(self, value: float) -> float:
        """Place a value."""
        return TOP + (self.height - TOP - BOTTOM) * (1 - value / (self.top or 1.0))


def nice_ticks(top: float, *, integers: bool = False, count: int = 4) -> list[float]:
    """Choose round values from 0, at least one, of which the last is not below top."""
    power = 10.0**-6
    while True:
        for step in STEPS:
            size = step * power
            if size * count >= top * (1 - 1e-9) and not (integers and size < 1):
                return [round(size * number, 9) for number in range(max(1, -int(-top // size)) + 1)]
        power *= 10


def time_ticks(seconds: float) -> list[float]:
    """Choose round times from 0 that are not later than seconds."""
    step = next((one for one in TIME_STEPS if seconds / one <= 9), TIME_STEPS[-1])
    return [step * number for number in range(int(seconds / step + 1e-9) + 1)]


def clock(seconds: float) -> str:
    """Write a time since the beginning: ``2.5 s``, ``1:30``, ``2:00:00``."""
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def frame(plot: Plot, name: str, title: str, content: str) -> str:
    """Put a chart together with its axis of time and the hair line of the pointer."""
    bottom = plot.height - BOTTOM
    parts = []
    for seconds in time_ticks(plot.seconds):
        x = plot.x(seconds)
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{bottom + 4:.1f}"/>')
        anchor = "end" if x > WIDTH - RIGHT - 20 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="{anchor}">{clock(seconds)}</text>')
    return (
        f'<svg class="chart" data-chart="{name}" viewBox="0 0 {WIDTH} {plot.height:g}" role="img"'
        f' aria-label="{html.escape(title)}">{"".join(parts)}{content}'
        f'<line class="hair" y1="{TOP}" y2="{bottom:.1f}" x1="-9" x2="-9"/></svg>'
    )


def value_axis(plot: Plot, ticks: Iterable[float], unit: str) -> str:
    """Draw lines across, labelled with values."""
    parts = []
    for value in ticks:
        y = plot.y(value)
        text = f"{value * 100:g} %" if unit == "%" else f"{value:g} {unit}".rstrip()
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    return "".join(parts)


def corners(times: Sequence[float], values: Sequence[float | None], end: float) -> Iterable[Points]:
    """Cut values into runs of known ones, each as the corners of a line that steps; equal values are one step."""
    for known, group in itertools.groupby(range(len(times)), lambda index: values[index] is not None):
        if not known:
            continue
        run = list(group)
        until = times[run[-1] + 1] if run[-1] + 1 < len(times) else end
        points: list[tuple[float, float]] = []
        for index in run:
            value = values[index]
            assert value is not None
            if not points or value != points[-1][1]:
                if points:
                    points.append((times[index], points[-1][1]))
                points.append((times[index], value))
        points.append((until, points[-1][1]))
        yield points


def line(plot: Plot, points: Points, look: str, title: str) -> str:
    """Draw a line through corners."""
    return f'<path class="{look}" d="{_steps(plot, points)}"><title>{html.escape(title)}</title></path>'


def area(plot: Plot, lower: Points, upper: Points, look: str, title: str) -> str:
    """Fill what is between two lines that end at the same time; nothing when they are the same."""
    if lower == upper:
        return ""
    path = _steps(plot, [*upper, *reversed(lower)])
    return f'<path class="{look}" d="{path}Z"><title>{html.escape(title)}</title></path>'


def _steps(plot: Plot, points: Points) -> str:
    """Write corners as a path: each differs from the one before in time or in value only."""
    seconds, value = points[0]
    parts = [f"M{round(plot.x(seconds), 1):g},{round(plot.y(value), 1):g}"]
    for one in points[1:]:
        if one[1] != value:
            parts.append(f"V{round(plot.y(one[1]), 1):g}")
        if one[0] != seconds:
            parts.append(f"H{round(plot.x(one[0]), 1):g}")
        seconds, value = one
    return "".join(parts)


def stacked(times: Sequence[float], layers: Sequence[Sequence[float]], end: float) -> list[tuple[Points, Points]]:
    """Put layers on top of each other; gives lower and upper corners of each."""
    below: Sequence[float] = [0.0] * len(times)
    result = []
    for layer in layers:
        above = [one + other for one, other in zip(below, layer, strict=True)]
        (lower,), (upper,) = corners(times, below, end), corners(times, above, end)
        result.append((lower, upper))
        below = above
    return result


def lane_label(y: float, text: str, longest: int = 19) -> str:
    """Write a lane's name left of it, cut when it is long."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    whole = f"<title>{html.escape(text)}</title>"
    return f'<text x="{LEFT - 8}" y="{y:.1f}" text-anchor="end">{html.escape(shown)}{whole}</text>'
