"""``messor top``: roles and frameworks with their dominant shares, weights, quotas and holdings, live."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from messor.cli.asking import Master, parser, run, say, table
from messor.errors import ConnectionLost

SPARKS = "▁▂▃▄▅▆▇█"
KEPT = 24
"""How many shares a spark line shows."""

COLUMNS = (
    "role / framework",
    "share",
    "history",
    "weight",
    "guarantee",
    "limit",
    "holds",
    "offered",
    "offers",
    "tasks",
)

DISPENSABLE = ("offered", "guarantee", "weight", "limit", "history", "offers", "holds")
"""Columns that narrow terminals do without, in the order in which they go."""
GAP = 2

EPILOG = """\
A share is the weighted dominant share: the largest part of any resource that is held (offers count),
divided by the weight. The smallest comes first in the next round.

examples:
  messor top                 live; Ctrl-C ends it
  messor top --once          one table, for scripts
  messor top --once --json   the master's numbers as they are"""


class Row(NamedTuple):
    """One line of the table."""

    cells: tuple[str, ...]
    is_role: bool
    is_quiet: bool
    """Whether it is inactive or suppressed."""


class Histories:
    """The last shares of each role and framework."""

    def __init__(self) -> None:
        """Start empty."""
        self._shares: dict[tuple[str, str], deque[float]] = {}

    def add(self, shares: dict[str, Any]) -> None:
        """Remember one answer of ``/allocator/shares``; who is gone is forgotten."""
        now: dict[tuple[str, str], float] = {}
        for role in shares["roles"]:
            now[role["role"], ""] = role["share"]
            for framework in role["frameworks"]:
                now[role["role"], framework["id"]] = framework["share"]
        self._shares = {key: self._shares.get(key, deque(maxlen=KEPT)) for key in now}
        for key, share in now.items():
            self._shares[key].append(share)

    def line(self, role: str, framework_id: str = "") -> str:
        """Draw the shares of a role or framework."""
        return spark_line(self._shares.get((role, framework_id), ()))


def spark_line(shares: Sequence[float] | deque[float]) -> str:
    """Draw shares between 0 and 1 as bars; more than 1, which small weights make, counts as 1."""
    top = len(SPARKS) - 1
    return "".join(SPARKS[round(min(max(share, 0.0), 1.0) * top)] for share in shares)


def main(argv: Sequence[str] | None = None) -> int:
    """Show shares; gives the exit status. argv includes the program's name."""
    options = parser("top", "Show shares, weights, quotas and holdings of roles and frameworks.", EPILOG)
    options.add_argument("--interval", type=float, default=1.0, help="seconds between refreshes (default: 1)")
    options.add_argument("--once", action="store_true", help="print one table and end")
    options.add_argument("--json", action="store_true", help="with --once: print the master's answer as it is")
    given = options.parse_args((sys.argv if argv is None else argv)[1:])
    if given.json and not given.once:
        options.error("--json goes with --once")
    if given.interval <= 0:
        options.error("--interval must be more than 0")
    return run("top", lambda: _once(given) if given.once else _live(given))


def _once(given: Any) -> int:
    shares = Master(given.master, given.credential).get("/allocator/shares")
    if given.json:
        say(json.dumps(shares, indent=2))
        return 0
    histories = Histories()
    histories.add(shares)
    say(headline(shares), "", *table([COLUMNS, *(row.cells for row in rows(shares, histories))]))
    return 0


def _live(given: Any) -> int:
    from rich.console import Console
    from rich.live import Live

    master, histories = Master(given.master, given.credential), Histories()
    shares = master.get("/allocator/shares")  # an unreachable master ends the command before the screen is taken
    trouble = ""
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        while True:
            histories.add(shares)
            live.update(_screen(shares, histories, trouble, console.width), refresh=True)
            time.sleep(given.interval)
            try:
                shares = master.get("/allocator/shares")
                trouble = ""
            except ConnectionLost as error:
                trouble = str(error)
    return 0


def _screen(shares: dict[str, Any], histories: Histories, trouble: str, width: int) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    found = list(rows(shares, histories))
    shown = fitting([COLUMNS, *(row.cells for row in found)], width)
    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for column in shown:
        drawn.add_column(COLUMNS[column], no_wrap=True, overflow="ellipsis")
    for row in found:
        style = "dim" if row.is_quiet else "bold" if row.is_role else ""
        drawn.add_row(*(Text(row.cells[column]) for column in shown), style=style)
    return Group(Text(headline(shares), style="bold"), Text(trouble, style="red"), drawn)


def fitting(table: Sequence[Sequence[str]], width: int) -> list[int]:
    """Choose the columns that fit in a terminal: those that say nothing go first, then what is least missed."""
    widths = [max(len(row[column]) for row in table) + GAP for column in range(len(COLUMNS))]
    blank = {number for number in range(len(COLUMNS)) if not any(row[number].strip("- ") for row in table[1:])}
    shown = [number for number, name in enumerate(COLUMNS) if number not in blank or name not in DISPENSABLE]
    for name in DISPENSABLE:
        if sum(widths[number] for number in shown) <= width:
            break
        shown = [number for number in shown if COLUMNS[number] != name]
    return shown


def headline(shares: dict[str, Any]) -> str:
    """Sum up the cluster in one line."""
    last = shares["round"]
    rounds = "no round yet" if not last["number"] else f"round {last['number']} {last['seconds_ago']:.1f} s ago"
    counts = (f"{shares[noun]} {noun if shares[noun] != 1 else noun[:-1]}" for noun in ("agents", "tasks"))
    return f"{' · '.join(counts)} · {amounts(shares['total'])} · {rounds}"


def rows(shares: dict[str, Any], histories: Histories) -> Iterator[Row]:
    """Make the lines: roles by falling share, each with its frameworks by falling share."""
    for role in sorted(shares["roles"], key=lambda one: (-one["share"], one["role"])):
        quota = role["quota"] or {"guarantees": {}, "limits": {}}
        cells = (
            role["role"],
            f"{role['share']:.3f}",
            histories.line(role["role"]),
            f"{role['weight']:g}",
            amounts(quota["guarantees"]),
            amounts(quota["limits"]),
            amounts(role["held"]),
            amounts(role["offered"]),
            str(role["offers"]),
            "",
        )
        yield Row(cells, is_role=True, is_quiet=False)
        for one in sorted(role["frameworks"], key=lambda one: (-one["share"], one["name"])):
            yield _framework_row(role["role"], one, histories)


def _framework_row(role: str, one: dict[str, Any], histories: Histories) -> Row:
    note = "" if one["active"] else " (inactive)"
    note = " (suppressed)" if one["suppressed"] else note
    cells = (
        f"  {one['name'] or one['id']}{note}",
        f"{one['share']:.3f}",
        histories.line(role, one["id"]),
        "",
        "",
        "",
        amounts(one["held"]),
        amounts(one["offered"]),
        str(one["offers"]),
        str(one["tasks"]),
    )
    return Row(cells, is_role=False, is_quiet=bool(note))


def amounts(values: dict[str, float]) -> str:
    """Write amounts as ``cpus:2 mem:1.5G``; memory and disk are megabytes on the wire."""
    return " ".join(f"{name}:{_size(name, value)}" for name, value in values.items()) or "-"


def _size(name: str, value: float) -> str:
    if name not in {"mem", "disk"} or value < 1024:
        return f"{value:g}"
    return f"{value / 1024:.3g}G" if value < 1024 * 1024 else f"{value / 1024 / 1024:.3g}T"
