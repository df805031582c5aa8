"""``messor why``: from the master's answer to lines for people."""

from __future__ import annotations

import sys
from typing import Any

from messor.cli.why import describe


def answer(*texts: str) -> dict[str, Any]:
    """Make an answer of ``/allocator/why`` with one agent per sentence."""
    return {
        "texts": [],
        "round": {
            "number": 3,
            "seconds_ago": 0.5,
            "agents": 2,
            "offers": 1,
            "frameworks_offered": 1,
            "took_seconds": 0.002,
            "is_paused": False,
        },
        "frameworks": [
            {
                "id": "f",
                "name": "shop",
                "state": "active",
                "offers_outstanding": 2,
                "last_offered_seconds_ago": 7.0,
                "roles": [{"role": "web", "reasons": [{"text": "Said of all"}]}],
            }
        ],
        "verdicts": [
            {
                "framework": "f",
                "role": "web",
                "agent": f"S{number}",
                "hostname": f"h{number}",
                "outcome": "not offered",
                "reasons": [{"text": "Said of all"}, {"text": text}],
            }
            for number, text in enumerate(texts)
        ],
        "left_out": 0,
    }


def test_equal_answers_are_told_once_with_the_agents_they_are_about() -> None:
    """What holds for all agents stands above them."""
    lines = describe(answer("Refused; 3.0 s are left", "Refused; 3.0 s are left", "Reserved"))
    assert lines == [
        "Round 3, 0.5 s ago, was about 2 agents and made 1 offers to 1 frameworks in 2.0 ms.",
        "",
        "Framework 'shop' (f), active:",
        "  It got its last offer 7.0 s ago and holds 2 offers.",
        "  For role 'web':",
        "    Said of all",
        "    It is not offered 2 agents: h0 (S0), h1 (S1)",
        "      - Refused; 3.0 s are left",
        "    It is not offered 1 agent: h2 (S2)",
        "      - Reserved",
    ]


def test_sentences_that_differ_in_their_seconds_are_one() -> None:
    """A thousand agents declined one after the other are one line."""
    lines = describe(answer(*(f"Refused; {number}.5 s are left" for number in range(1000))))
    assert lines[-2].endswith("h4 (S4) and 995 more")
    assert lines[-1] == "      - Refused; 0.5 to 999.5 s are left"


def test_many_different_answers_are_cut_unless_all_are_wanted() -> None:
    """And it is said how many there are."""
    told = answer(*(f"Reserved for role 'r{number}'" for number in range(50)))
    assert describe(told)[-1] == "    30 more different answers; --all shows them"
    assert len(describe(told, sys.maxsize)) == 6 + 100


def test_what_was_left_out_and_that_rounds_pause_are_told() -> None:
    """At the end, and at the beginning."""
    told = answer("Reserved")
    told["left_out"] = 12
    told["round"]["is_paused"] = True
    lines = describe(told)
    assert lines[0].endswith("Rounds are paused.")
    assert lines[-1] == "12 more combinations were not looked at; --limit and --agent choose."
