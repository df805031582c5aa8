"""``messor top``: from the master's numbers to lines."""

from __future__ import annotations

from typing import Any

import pytest

from messor.cli.top import COLUMNS, Histories, amounts, fitting, headline, rows, spark_line


def sample(seconds: float, share: float, *, roles: tuple[str, ...] = ("web",)) -> dict[str, Any]:
    """Make an answer of ``/allocator/shares``."""
    framework = {
        "id": "f-1",
        "name": "<shop>",
        "active": True,
        "suppressed": True,
        "share": share,
        "held": {"cpus": 8 * share},
        "offered": {"cpus": 2.0},
        "offers": 1,
        "tasks": 3,
    }
    return {
        "time": 1_000_000.0 + seconds,
        "cluster": "m",
        "agents": 2,
        "tasks": 1,
        "total": {"cpus": 8.0, "mem": 4096.0},
        "round": {"number": 7, "seconds_ago": 0.25},
        "roles": [
            {
                "role": role,
                "share": share,
                "weight": 2.0,
                "quota": {"guarantees": {"cpus": 1.0}, "limits": {"cpus": 4.0}, "consumed": {}},
                "held": {"cpus": 8 * share},
                "offered": {"cpus": 2.0},
                "offers": 1,
                "frameworks": [framework],
            }
            for role in roles
        ],
    }


def test_a_spark_line_rises_with_the_share() -> None:
    """From nothing to everything; more than everything is everything."""
    assert spark_line([0, 0.5, 1, 3]) == "▁▅██"


def test_top_shows_roles_with_quota_and_history_and_their_frameworks() -> None:
    """In the order of shares."""
    histories = Histories()
    for share in (0.0, 0.5):
        histories.add(sample(0, share))
    role, framework = rows(sample(0, 0.5), histories)
    assert role.cells == ("web", "0.500", "▁▅", "2", "cpus:1", "cpus:4", "cpus:4", "cpus:2", "1", "")
    assert framework.cells[:3] == ("  <shop> (suppressed)", "0.500", "▁▅")
    assert (role.is_role, framework.is_quiet) == (True, True)


def test_the_headline_sums_the_cluster_up() -> None:
    """Numbers with their nouns."""
    assert headline(sample(0, 0)) == "2 agents · 1 task · cpus:8 mem:4G · round 7 0.2 s ago"


@pytest.mark.parametrize(
    ("values", "text"), [({}, "-"), ({"mem": 512.0}, "mem:512"), ({"disk": 3 * 1024.0**2}, "disk:3T")]
)
def test_amounts_are_short(values: dict[str, float], text: str) -> None:
    """Megabytes become what people say."""
    assert amounts(values) == text


def test_histories_forget_who_is_gone() -> None:
    """Or a day of short frameworks would fill the memory."""
    histories = Histories()
    histories.add(sample(0, 0.5))
    histories.add(sample(1, 0.5, roles=("other",)))
    assert histories.line("web") == ""


def test_narrow_terminals_do_without_columns() -> None:
    """What says nothing goes first, then what is least missed; what names and counts stays."""
    cells = {"role / framework": "web", "share": "0.500", "history": "▁" * 24, "weight": "1", "guarantee": "-"}
    cells |= {"limit": "-", "holds": "cpus:2 mem:1.5G", "offered": "cpus:1", "offers": "1", "tasks": "3"}
    table = [COLUMNS, tuple(cells.values())]

    def shown(width: int) -> list[str]:
        return [COLUMNS[number] for number in fitting(table, width)]

    wide = ["role / framework", "share", "history", "weight", "holds", "offered", "offers", "tasks"]
    assert shown(200) == wide
    assert shown(99) == [name for name in wide if name != "offered"]
    assert shown(60) == ["role / framework", "share", "holds", "offers", "tasks"]
    assert shown(10) == ["role / framework", "share", "tasks"]
