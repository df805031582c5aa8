"""``messor why``: why a framework, a role or a task is or is not offered the agents there are."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from messor.cli.asking import Master, parser, run, say

SHOWN = 5
"""How many agents are named for each distinct answer unless --all is given."""

EPILOG = """\
examples:
  messor why my-framework          by name or id: every agent, and why it is or is not offered
  messor why web                   a role: every framework in it
  messor why task-17               a task: where it stands and what its framework may be offered
  messor why my-framework --agent=3f0a...-S2 --json

exit status: 0 when there was an answer, 2 when there was none."""

GROUPS = 4
"""How many times as many distinct answers are shown."""

_SECONDS = re.compile(r"\b(\d+\.\d) s\b")

WORDS = {
    "offered": "holds an offer of",
    "next": "will be offered",
    "taken": "finds nothing free on",
    "not offered": "is not offered",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Ask and print; gives the exit status. argv includes the program's name."""
    options = parser("why", "Say why agents are or are not offered, in words and numbers.", EPILOG)
    options.add_argument("about", metavar="FRAMEWORK|ROLE|TASK", help="a framework's id or name, a task's id, a role")
    options.add_argument("--as", dest="kind", choices=["framework", "role", "task"], help="what it is, if unclear")
    options.add_argument("--agent", help="ask about one agent only, by id")
    options.add_argument("--limit", type=int, help="how many combinations to look at (default: 1000)")
    options.add_argument("--all", action="store_true", help=f"name all agents, not {SHOWN} for each distinct answer")
    options.add_argument("--json", action="store_true", help="print the master's answer as it is")
    given = options.parse_args((sys.argv if argv is None else argv)[1:])
    return run("why", lambda: _why(given))


def _why(given: Any) -> int:
    query = {given.kind or "about": given.about, "agent": given.agent, "limit": given.limit}
    answer = Master(given.master, given.credential).get("/allocator/why", query)
    if given.json:
        say(json.dumps(answer, indent=2))
    else:
        say(*describe(answer, sys.maxsize if given.all else SHOWN))
    return 0


def describe(answer: dict[str, Any], shown: int = SHOWN) -> list[str]:
    """Write an answer of ``/allocator/why`` for people; shown: how many agents to name for equal answers."""
    lines = [_round_text(answer["round"])] if answer["round"] is not None else []
    lines += answer["texts"]
    if "task" in answer:
        lines += ["", *answer["task"]["texts"]]
    for reason in answer.get("quota", ()):
        lines.append(reason["text"])
    for framework in answer["frameworks"]:
        lines += ["", *_framework_lines(framework, rounds_are_known=answer["round"] is not None)]
        for role in framework["roles"]:
            verdicts = [
                one for one in answer["verdicts"] if (one["framework"], one["role"]) == (framework["id"], role["role"])
            ]
            lines += [f"  For role '{role['role']}':", *(f"    {one['text']}" for one in role["reasons"])]
            lines += _verdict_lines(verdicts, {one["text"] for one in role["reasons"]}, shown)
    if answer["left_out"]:
        lines += ["", f"{answer['left_out']} more combinations were not looked at; --limit and --agent choose."]
    return lines


def _round_text(last: dict[str, Any]) -> str:
    if last["number"] == 0:
        return "No round was held yet."
    text = (
        f"Round {last['number']}, {last['seconds_ago']:.1f} s ago, was about {last['agents']} agents and made"
        f" {last['offers']} offers to {last['frameworks_offered']} frameworks in {last['took_seconds'] * 1000:.1f} ms."
    )
    return text + (" Rounds are paused." if last["is_paused"] else "")


def _framework_lines(framework: dict[str, Any], *, rounds_are_known: bool) -> Iterable[str]:
    yield f"Framework '{framework['name']}' ({framework['id']}), {framework['state']}:"
    last = framework["last_offered_seconds_ago"]
    when = "was never offered anything here" if last is None else f"got its last offer {last:.1f} s ago"
    when = f"{when} and " if rounds_are_known else ""
    yield f"  It {when}holds {framework['offers_outstanding']} offers."


def _verdict_lines(verdicts: list[dict[str, Any]], known: set[str], shown: int) -> list[str]:
    """Group agents about which the same is to be said; what was said of all is not repeated."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for verdict in verdicts:
        kinds = (_SECONDS.sub("", text) for text in _texts(verdict, known))
        groups.setdefault((verdict["outcome"], *kinds), []).append(verdict)
    lines = []
    for group in list(groups.values())[: shown * GROUPS]:
        agents = [f"{one['hostname']} ({one['agent']})" for one in group]
        names = ", ".join(agents[:shown]) + (f" and {len(agents) - shown} more" if len(agents) > shown else "")
        count = "1 agent" if len(agents) == 1 else f"{len(agents)} agents"
        lines.append(f"    It {WORDS[group[0]['outcome']]} {count}: {names}")
        lines += [f"      - {_merged(texts)}" for texts in zip(*(_texts(one, known) for one in group), strict=True)]
    if len(groups) > shown * GROUPS:
        lines.append(f"    {len(groups) - shown * GROUPS} more different answers; --all shows them")
    return lines


def _texts(verdict: dict[str, Any], known: set[str]) -> list[str]:
    return [one["text"] for one in verdict["reasons"] if one["text"] not in known]


def _merged(texts: Sequence[str]) -> str:
    """Write sentences that differ in their seconds as one."""
    seconds = sorted(float(match[1]) for text in texts for match in _SECONDS.finditer(text))
    if not seconds or seconds[0] == seconds[-1]:
        return texts[0]
    return _SECONDS.sub(f"{seconds[0]:.1f} to {seconds[-1]:.1f} s", texts[0], count=1)
