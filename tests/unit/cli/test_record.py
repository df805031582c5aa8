"""``messor record``: from the master's numbers and events to a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from messor.cli.charts import clock, corners, nice_ticks, stacked, time_ticks
from messor.cli.recording import MOST_SAMPLES, Recording, TaskChange
from messor.cli.timeline import MOST_ROLES, page
from messor.cli.watching import Watch
from messor.protos import v1, v1_master

Event = v1_master.Event


def sample(seconds: float, **shares: float) -> dict[str, Any]:
    """Make an answer of ``/allocator/shares``: who has which share of 8 CPUs, a quarter of it offered."""
    return {
        "time": 1_000_000.0 + seconds,
        "cluster": "m",
        "agents": 2,
        "tasks": 1,
        "total": {"cpus": 8.0, "mem": 4096.0},
        "roles": [
            {
                "role": role,
                "share": share,
                "held": {"cpus": 8 * share},
                "offered": {"cpus": 2 * share},
                "offers": 1,
                "frameworks": [
                    {"id": "f-1", "name": "<shop>", "share": share, "tasks": 3, "held": {"cpus": 8 * share}}
                ],
            }
            for role, share in shares.items()
        ],
    }


def recording(*samples: dict[str, Any], changes: Iterable[TaskChange] = ()) -> Recording:
    """Make a recording."""
    result = Recording()
    for one in samples:
        result.add(one)
    result.has_events = True
    result.add_changes(changes)
    return result


def charts(text: str) -> dict[str, ET.Element]:
    """Read the charts of a page, by name."""
    drawn = [ET.fromstring(found) for found in re.findall(r'<svg class="chart".*?</svg>', text)]
    return {chart.attrib["data-chart"]: chart for chart in drawn}


def embedded(text: str) -> Any:
    """Read what the script reads."""
    return json.loads(text.partition("const data=")[2].partition("};")[0] + "}")


def drawn(chart: ET.Element, kind: str) -> list[str | None]:
    """Tell whose lines or areas there are."""
    return [one.findtext("title") for one in chart.iter(kind) if one.find("title") is not None]


# --- the recording ---------------------------------------------------------------------------------------------------


def test_what_is_offered_is_not_allocated() -> None:
    """The master counts offers as held."""
    run = recording(sample(0, web=0.5))
    assert run.roles["web"].allocated == {"cpus": [3.0]}
    assert run.roles["web"].offered == {"cpus": [1.0]}
    assert run.roles["web"].offered_part == [0.125]


def test_roles_that_come_and_go_are_unknown_meanwhile() -> None:
    """All series are as long as the times."""
    run = recording(sample(0, web=0.5), sample(1, batch=0.25), sample(3, web=0.75))
    assert run.times == [0, 1, 3]
    assert run.roles["web"].share == [0.5, None, 0.75]
    assert run.roles["batch"].share == [None, 0.25, None]
    assert run.roles["batch"].allocated == {"cpus": [0, 1.5, 0]}


def test_long_recordings_are_thinned_out() -> None:
    """Hours must fit on a page; first and last stay where they are."""
    run = recording(*(sample(number, web=0.5) for number in range(MOST_SAMPLES + 1)))
    assert (run.times[:3], run.times[-1], run.count) == ([0, 2, 4], MOST_SAMPLES, MOST_SAMPLES + 1)
    lengths = {len(run.times), *map(len, run.totals.values()), len(run.roles["web"].share)}
    assert lengths == {len(run.roles["web"].allocated["cpus"])}


def test_recordings_of_many_roles_are_thinned_out_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is what counts."""
    monkeypatch.setattr("messor.cli.recording.MOST_POINTS", 60)
    shares = {f"r{number}": 0.01 for number in range(10)}
    run = recording(*(sample(number, **shares) for number in range(7)))
    assert run.times == [0, 2, 4, 6]


def test_tasks_are_counted_by_their_events() -> None:
    """What was there before counts from the beginning; what ends twice ends once."""
    changes = [
        TaskChange(0.0, "web", "f", "a", ""),
        TaskChange(1_000_000.5, "web", "f", "b", ""),
        TaskChange(1_000_001.5, "web", "f", "a", "FAILED"),
        TaskChange(1_000_001.6, "web", "f", "a", "FAILED"),
        TaskChange(1_000_002.0, "web", "f", "b", "FINISHED"),
    ]
    run = recording(sample(0, web=0.5), changes=changes)
    assert run.task_times["web"] == [0, 0.5, 1.5, 2.0]
    assert run.task_counts["web"] == [1, 2, 1, 0]
    assert [run.tasks_at("web", moment) for moment in (0, 0.6, 1.5, 9)] == [1, 2, 1, 0]
    assert run.ends == {"FAILED": 1, "FINISHED": 1}
    assert [(mark.task, mark.time) for mark in run.marks] == [("a", 1.5), ("b", 2.0)]


# --- events ----------------------------------------------------------------------------------------------------------


def task(name: str, state: int = v1.TASK_RUNNING) -> v1.Task:
    """Make a task of role web, as events show it."""
    result = v1.Task(name=name, state=state)
    result.task_id.value, result.framework_id.value, result.agent_id.value = name, "f", "s"
    result.resources.add(name="cpus", type=v1.Value.SCALAR).allocation_info.role = "web"
    return result


def updated(name: str, state: int) -> Event:
    """Make the event of an update."""
    event = Event(type=Event.TASK_UPDATED)
    event.task_updated.framework_id.value = "f"
    event.task_updated.status.task_id.value = name
    event.task_updated.status.state = event.task_updated.state = state
    return event


def subscribed(*tasks: v1.Task) -> Event:
    """Make the first event of a stream."""
    event = Event(type=Event.SUBSCRIBED)
    event.subscribed.get_state.get_tasks.tasks.extend(tasks)
    return event


def heard(*events: Event) -> list[tuple[float, str, str]]:
    """Tell what a watch makes of events, a second apart."""
    watch, result = Watch("http://127.0.0.1:1", {}, 0.0), []
    for second, event in enumerate(events, 1):
        result += [(one.time, one.task, one.state) for one in watch.changes_of(event, float(second))]
        if event.type == Event.SUBSCRIBED:
            watch.began.set()
    return result


def test_events_become_changes_of_tasks() -> None:
    """Only begin and end; what there was at first has always been there."""
    added = Event(type=Event.TASK_ADDED)
    added.task_added.task.CopyFrom(task("b", v1.TASK_STAGING))
    events = [
        subscribed(task("a"), task("over", v1.TASK_FINISHED)),
        added,
        updated("b", v1.TASK_RUNNING),
        updated("b", v1.TASK_FAILED),
        updated("b", v1.TASK_FAILED),
        updated("stranger", v1.TASK_FAILED),
    ]
    assert heard(*events) == [(0.0, "a", ""), (2.0, "b", ""), (4.0, "b", "FAILED")]


def test_tasks_that_cannot_be_reached_may_come_back() -> None:
    """They hold nothing meanwhile."""
    events = [subscribed(task("a")), updated("a", v1.TASK_UNREACHABLE), updated("a", v1.TASK_RUNNING)]
    assert heard(*events) == [(0.0, "a", ""), (2.0, "a", "UNREACHABLE"), (3.0, "a", "")]


def test_what_ended_while_nobody_told_is_noticed() -> None:
    """After a failover, and when a framework is gone."""
    removed = Event(type=Event.FRAMEWORK_REMOVED)
    removed.framework_removed.framework_info.id.value = "f"
    events = [subscribed(task("a"), task("b")), subscribed(task("b"), task("c")), removed]
    assert heard(*events) == [
        (0.0, "a", ""),
        (0.0, "b", ""),
        (2.0, "a", "UNSEEN"),
        (2.0, "c", ""),
        (3.0, "b", "KILLED"),
        (3.0, "c", "KILLED"),
    ]


# --- charts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("top", "ticks"),
    [(4.0, [0, 1, 2, 3, 4]), (45.1, [0, 20, 40, 60]), (0.3, [0, 0.1, 0.2, 0.3]), (1.0, [0, 0.5, 1.0])],
)
def test_values_have_round_ticks(top: float, ticks: list[float]) -> None:
    """The last is not below the largest value."""
    assert nice_ticks(top) == ticks


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.5, ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s", "0.5 s"]),
        (27.0, ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s"]),
        (200.0, ["0 s", "30 s", "1:00", "1:30", "2:00", "2:30", "3:00"]),
        (9000.0, ["0 s", "30:00", "1:00:00", "1:30:00", "2:00:00", "2:30:00"]),
    ],
)
def test_times_have_round_ticks(seconds: float, shown: list[str]) -> None:
    """In seconds, minutes or hours."""
    assert [clock(tick) for tick in time_ticks(seconds)] == shown


def test_lines_step_and_are_cut_where_nothing_is_known() -> None:
    """A sample holds until the next one."""
    found = list(corners([0, 1, 2, 3], [1.0, 1.0, 2.0, None], 4))
    assert found == [[(0, 1.0), (2, 1.0), (2, 2.0), (3, 2.0)]]
    assert list(corners([0, 1], [None, 5.0], 2)) == [[(1, 5.0), (2, 5.0)]]


def test_layers_lie_on_top_of_each_other() -> None:
    """Each begins where the one below ends."""
    (_, first), (lower, upper) = stacked([0], [[1.0], [2.0]], 1)
    assert first == lower == [(0, 1.0), (1, 1.0)]
    assert upper == [(0, 3.0), (1, 3.0)]


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_shows_every_role() -> None:
    """No address of anything, and text is escaped."""
    evil = "a</script><b>"
    run = recording(sample(0, web=0.1), sample(1, web=0.9, **{evil: 0.1}), sample(2, web=0.4))
    text = page(run)
    assert not re.search(r"(src|href|@import|url\()", text)
    assert text.count("</script>") == 1
    assert "&lt;shop&gt;" in text
    assert "<shop>" not in text
    found = charts(text)
    assert list(found) == ["shares", "resource cpus", "offers", "tasks"]
    assert drawn(found["shares"], "path") == [evil, "web"]
    assert f"{evil}, offered" in drawn(found["resource cpus"], "path")
    assert "web, used" in drawn(found["resource cpus"], "path")
    data = embedded(text)
    assert data["roles"] == [evil, "web"]
    assert data["charts"]["shares"]["rows"] == [[None, 0.1, None], [0.1, 0.9, 0.4]]
    assert data["charts"]["resource cpus"]["rows"][1] == [0.8, 7.2, 3.2]
    for chart in found.values():
        labels = [one.text for one in chart.iter("text")]
        assert "0 s" in labels
        assert "2 s" in labels


def test_many_roles_share_a_colour() -> None:
    """Those with the smallest shares are together; nobody is missing in what is stacked."""
    shares = {f"r{number:02d}": number / 1000 for number in range(1, 14)}
    text = page(recording(sample(0, **shares), sample(1, **shares)))
    roles = embedded(text)["roles"]
    assert len(roles) == MOST_ROLES + 1
    assert roles[0] == "r04"
    assert roles[-1] == "3 others"
    rows = embedded(text)["charts"]["resource cpus"]["rows"]
    assert sum(row[0] for row in rows) == pytest.approx(8 * sum(shares.values()))


def test_failed_tasks_are_crossed() -> None:
    """Those that finished are not."""
    changes = [TaskChange(0.0, "web", "f", name, "") for name in ("good", "bad")]
    changes += [
        TaskChange(1_000_001.0, "web", "f", "good", "FINISHED"),
        TaskChange(1_000_001.0, "web", "f", "bad", "LOST"),
    ]
    text = page(recording(sample(0, web=0.1), sample(2, web=0.1), changes=changes))
    crosses = [one for one in charts(text)["tasks"].iter("path") if one.get("class") == "cross"]
    assert [one.findtext("title") for one in crosses] == ["bad: LOST after 1.0 s"]
    assert "tasks that ended: 1 finished, 1 lost" in text


def test_without_events_tasks_are_left_out() -> None:
    """The master may refuse to tell of them."""
    run = recording(sample(0, web=0.1))
    run.has_events = False
    assert list(charts(page(run))) == ["shares", "resource cpus", "offers"]


def test_one_sample_of_nobody_makes_a_page_too() -> None:
    """Without dividing by no time at all."""
    text = page(recording(sample(0)))
    assert "1 sample over 0.0 s" in text
    assert "no framework was there" in text
    assert "1 sample over 0.0 s" in page(recording(sample(0, web=0.5)))
