"""Samples of ``/allocator/shares`` as one self-contained HTML page: SVG charts, and a little script to read values off.

The charts are drawn here, so that they are there without scripts; the script only shows the values under the pointer.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

WIDTH, HEIGHT = 960, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 24
COLORS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#475569", "#b45309")
DASHES = ("", "6 3", "2 3")
"""Roles beyond the tenth get these, so that lines stay apart without colours."""

Sample = dict[str, Any]


class Chart(NamedTuple):
    """One chart: a title, what it measures of a role, and how its values are written."""

    title: str
    note: str
    value: Callable[[Sample, dict[str, Any]], float]
    is_part: bool
    """Whether values are parts of 1."""


def largest_part(sample: Sample, amounts: dict[str, float]) -> float:
    """Give the largest part of the cluster's total among amounts."""
    total = sample["total"]
    return max((value / total[name] for name, value in amounts.items() if total.get(name)), default=0.0)


def _used(sample: Sample, role: dict[str, Any]) -> float:
    rest = {name: value - role["offered"].get(name, 0.0) for name, value in role["held"].items()}
    return max(0.0, largest_part(sample, rest))


CHARTS = (
    Chart(
        "Dominant share",
        "the largest part of any resource a role holds, divided by its weight; offers count",
        lambda _, role: role["share"],
        is_part=True,
    ),
    Chart("Allocated", "the largest part of any resource its tasks use", _used, is_part=True),
    Chart(
        "Offered",
        "the largest part of any resource in offers that wait for an answer",
        lambda sample, role: largest_part(sample, role["offered"]),
        is_part=True,
    ),
    Chart("Offers", "how many offers wait for an answer", lambda _, role: float(role["offers"]), is_part=False),
)


def page(samples: Sequence[Sample]) -> str:
    """Write the page; samples are in order of time and at least one."""
    roles = sorted({role["role"] for sample in samples for role in sample["roles"]})
    begun = samples[0]["time"]
    times = [sample["time"] - begun for sample in samples]
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(begun))
    series = {chart.title: _series(chart, samples, roles) for chart in CHARTS}
    charts = "".join(_chart(chart, times, series[chart.title], roles) for chart in CHARTS)
    data = {"times": times, "roles": roles, "series": series, "left": LEFT, "width": WIDTH - LEFT - RIGHT}
    # A "<" in a role could end the script element, or begin a comment in it.
    embedded = json.dumps(data).replace("<", "\\u003c")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shares from {when}</title>'
        f"<style>{STYLE}</style></head><body><h1>Offers, allocations and shares per role</h1>"
        f"<p>{len(samples)} samples over {times[-1]:.1f} s from {when}; {samples[-1]['agents']} agents,"
        f" cluster {html.escape(samples[-1]['cluster'])}.</p>"
        f"<ul class=legend>{_legend(roles)}</ul>{charts}{_table(samples[-1])}"
        f"<div id=tip hidden></div><script>const data={embedded};{SCRIPT}</script></body></html>\n"
    )


def _series(chart: Chart, samples: Sequence[Sample], roles: Sequence[str]) -> list[list[float | None]]:
    """Collect a chart's values by role; None while a role is unknown."""
    by_sample = [{role["role"]: chart.value(sample, role) for role in sample["roles"]} for sample in samples]
    return [[round(known[role], 5) if role in known else None for known in by_sample] for role in roles]


def _look(number: int) -> tuple[str, str]:
    """Choose the colour and dashes of a role's line."""
    return COLORS[number % len(COLORS)], DASHES[number // len(COLORS) % len(DASHES)]


def _legend(roles: Sequence[str]) -> str:
    items = []
    for number, role in enumerate(roles):
        color, dash = _look(number)
        line = f'<line x1=0 y1=6 x2=24 y2=6 stroke="{color}" stroke-width=3 stroke-dasharray="{dash}"/>'
        items.append(f"<li><svg width=24 height=12>{line}</svg> {html.escape(role)}</li>")
    return "".join(items)


def _chart(chart: Chart, times: Sequence[float], series: list[list[float | None]], roles: Sequence[str]) -> str:
    top = max((value for line in series for value in line if value is not None), default=0.0)
    top = max(top, 1.0) if chart.is_part else max(top, 1.0) * 1.05
    span = max(times[-1], 1e-9)

    def place(seconds: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * seconds / span
        y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)
        return f"{x:.1f},{y:.1f}"

    lines = []
    for number, role in enumerate(roles):
        color, dash = _look(number)
        for points in _runs(times, series[number]):
            path = " ".join(place(seconds, value) for seconds, value in points)
            lines.append(
                f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}">'
                f"<title>{html.escape(role)}</title></polyline>"
            )
    return (
        f"<h2>{chart.title}</h2><p class=note>{chart.note}</p>"
        f'<svg class=chart data-chart="{chart.title}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{chart.title} per role over time">{_axes(top, span, chart)}{"".join(lines)}'
        f'<line class=hair y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="-9" x2="-9"/></svg>'
    )


def _runs(times: Sequence[float], values: Sequence[float | None]) -> Iterable[list[tuple[float, float]]]:
    """Cut a line where its role is unknown."""
    current: list[tuple[float, float]] = []
    for seconds, value in zip(times, values, strict=True):
        if value is None:
            if current:
                yield current
            current = []
        else:
            current.append((seconds, value))
    if current:
        yield current


def _axes(top: float, span: float, chart: Chart) -> str:
    parts = []
    for step in range(5):
        value = top * step / 4
        y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - step / 4)
        text = f"{value * 100:.0f} %" if chart.is_part else f"{value:.0f}"
        parts.append(f'<line class=grid x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / 4
        anchor = "end" if step == 4 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{span * step / 4:.1f} s</text>')
    return "".join(parts)


def _table(sample: Sample) -> str:
    """Write where things stood at the end."""
    rows = []
    for role in sample["roles"]:
        for number, framework in enumerate(role["frameworks"]):
            name = html.escape(role["role"]) if number == 0 else ""
            held = html.escape(", ".join(f"{key} {value:g}" for key, value in framework["held"].items()))
            who = html.escape(framework["name"] or framework["id"])
            rows.append(f"<tr><td>{name}<td>{who}<td>{framework['share']:.3f}<td>{framework['tasks']}<td>{held}")
    head = "<tr><th>role<th>framework<th>share in the role<th>tasks<th>holds"
    return f"<h2>At the end</h2><table>{head}{''.join(rows)}</table>"


STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;"
    "color:#0f172a;background:#fff}"
    "h1{font-size:1.4em}h2{font-size:1.05em;margin:1.4em 0 0}.note{margin:0;color:#475569;font-size:.9em}"
    ".chart{width:100%;height:auto;display:block}.chart text{font-size:11px;fill:#475569}.grid{stroke:#e2e8f0}"
    ".hair{stroke:#0f172a;stroke-dasharray:2 2}.legend{list-style:none;display:flex;flex-wrap:wrap;"
    "gap:.3em 1.2em;padding:0}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2em .8em;border-bottom:1px solid #e2e8f0}"
    "#tip{position:fixed;background:#0f172a;color:#fff;padding:.4em .7em;border-radius:4px;font-size:.85em;"
    "white-space:pre;pointer-events:none}"
    "@media(prefers-color-scheme:dark){body{background:#0b1220;color:#e2e8f0}"
    ".note,.chart text{color:#94a3b8;fill:#94a3b8}"
    ".grid{stroke:#1e293b}td,th{border-color:#1e293b}.hair{stroke:#e2e8f0}}"
)

SCRIPT = """
const tip=document.getElementById('tip');
for(const chart of document.querySelectorAll('.chart')){
  const name=chart.dataset.chart,hair=chart.querySelector('.hair'),part=name!=='Offers';
  chart.addEventListener('pointermove',event=>{
    const box=chart.getBoundingClientRect(),scale=box.width/chart.viewBox.baseVal.width;
    const at=((event.clientX-box.left)/scale-data.left)/data.width*data.times.at(-1);
    let best=0;
    data.times.forEach((t,i)=>{if(Math.abs(t-at)<Math.abs(data.times[best]-at))best=i});
    const x=data.left+data.width*data.times[best]/(data.times.at(-1)||1);
    hair.setAttribute('x1',x);hair.setAttribute('x2',x);
    const lines=data.roles.map((role,i)=>[role,data.series[name][i][best]]).filter(l=>l[1]!==null)
      .sort((a,b)=>b[1]-a[1]).map(([role,v])=>role+': '+(part?(v*100).toFixed(1)+' %':v));
    tip.textContent=data.times[best].toFixed(1)+' s\\n'+lines.join('\\n');
    tip.hidden=false;
    tip.style.left=Math.min(event.clientX+14,innerWidth-tip.offsetWidth-8)+'px';
    tip.style.top=event.clientY+14+'px';
  });
  chart.addEventListener('pointerleave',()=>{tip.hidden=true;hair.setAttribute('x1',-9);hair.setAttribute('x2',-9)});
}
"""
