"""``messor top`` and ``messor record``: from the master's numbers to lines and pages."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from messor.cli.timeline import page
from messor.cli.top import Histories, amounts, headline, rows, spark_line


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


def test_the_page_loads_nothing_and_shows_every_role() -> None:
    """No address of anything but the SVG's own, and text is escaped."""
    text = page([sample(0, 0.1), sample(1, 0.9, roles=("web", "a</script><b>")), sample(2, 0.4)])
    assert not re.search(r"(src|href|@import|url\()", text)
    assert text.count("</script>") == 1
    assert "&lt;shop&gt;" in text
    assert "<shop>" not in text
    charts = re.findall(r"<svg class=chart.*?</svg>", text)
    assert len(charts) == 4
    for chart in charts:
        drawn = ET.fromstring(re.sub(r"class=(\w+)", r'class="\1"', chart))
        lines = {line.findtext("title"): line.get("points") for line in drawn.iter("polyline")}
        assert set(lines) == {"web", "a</script><b>"}
        assert len(lines["web"].split()) == 3  # type: ignore[union-attr]
        assert len(lines["a</script><b>"].split()) == 1  # type: ignore[union-attr]


def test_one_sample_makes_a_page_too() -> None:
    """Without dividing by no time at all."""
    assert "1 samples over 0.0 s" in page([sample(0, 0.1)])
