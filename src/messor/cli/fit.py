"""``messor fit``: could tasks of a size ever run for a role, and where (Z24)."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from messor.cli.asking import Master, parser, run, say, table

EPILOG = """\
examples:
  messor fit --role=web --resources='cpus:4;mem:8192'
  messor fit --role=web --resources='cpus:4;mem:8192;ports:[8080-8080]' --count=10

"ever" means: if everything that anybody holds now ended. A task never spans agents.

exit status: 0 when they fit now, 1 when only if others end, 3 when never, 2 when there was no answer."""


def main(argv: Sequence[str] | None = None) -> int:
    """Ask and print; gives the exit status. argv includes the program's name."""
    options = parser("fit", "Say whether and where tasks of a certain size fit: now, and ever.", EPILOG)
    options.add_argument("--role", default="*", help="for which role (default: *)")
    options.add_argument("--resources", required=True, metavar="TEXT", help="what one task needs, as cpus:4;mem:8192")
    options.add_argument("--count", type=int, default=1, help="how many of them (default: 1)")
    options.add_argument("--json", action="store_true", help="print the master's answer as it is")
    given = options.parse_args((sys.argv if argv is None else argv)[1:])
    return run("fit", lambda: _fit(given))


def _fit(given: Any) -> int:
    query = {"role": given.role, "resources": given.resources, "count": given.count}
    answer = Master(given.master, given.credential).get("/allocator/fit", query)
    say(*([json.dumps(answer, indent=2)] if given.json else describe(answer)))
    if answer["fits_now"]:
        return 0
    return 1 if answer["fits_ever"] else 3


def describe(answer: dict[str, Any]) -> list[str]:
    """Write an answer of ``/allocator/fit`` for people."""
    what = f"{answer['count']} × {answer['resources']} for role '{answer['role']}'"
    if answer["fits_now"]:
        lines = [f"Yes: {what} fits now."]
    elif answer["fits_ever"]:
        lines = [f"Not now: {what} would fit if others ended what they hold."]
    else:
        lines = [f"Never on the agents there are: {what} does not fit even if everything ended."]
    lines.append(f"The agents have room for {answer['copies_now']} now and for {answer['copies_ever']} when empty.")
    if answer["copies_by_quota_now"] is not None:
        lines.append(f"Quotas allow {answer['copies_by_quota_now']} now: {answer['quota']}.")
    if answer["copies_by_quota_ever"] is not None:
        lines.append(f"The role's limits allow {answer['copies_by_quota_ever']} in all.")
    rows = [("agent", "host", "now", "ever", "lacks")]
    rows += [
        (one["agent_id"], one["hostname"], str(one["now"]), str(one["ever"]), one["lacks"]) for one in answer["agents"]
    ]
    return [*lines, "", *table(rows)] if answer["agents"] else [*lines, "No agent is registered."]
