"""Counters, gauges, timers and what a snapshot shows of them."""

from __future__ import annotations

import pytest

from messor.runtime.metrics import Metrics, Timer


def test_a_snapshot_is_sorted_and_all_floats() -> None:
    """Counters, gauges, pushed gauges and sources come together under their names."""
    metrics = Metrics()
    metrics.counter("b").increment(2)
    metrics.gauge("a", lambda: 1)
    metrics.push_gauge("d").add(3)
    metrics.source("many", lambda: {"c": 4.0})
    snapshot = metrics.snapshot()
    assert list(snapshot) == ["a", "b", "c", "d", "messor/handler_failures"]
    assert snapshot == {"a": 1.0, "b": 2.0, "c": 4.0, "d": 3.0, "messor/handler_failures": 0.0}
    assert all(isinstance(value, float) for value in snapshot.values())


def test_the_same_name_gives_the_same_counter() -> None:
    """Counting goes on where another component began."""
    metrics = Metrics()
    metrics.counter("x").increment()
    metrics.counter("x").increment()
    assert metrics.snapshot()["x"] == 2.0


def test_a_gauge_that_fails_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """One broken number does not hide the others; it is logged."""
    metrics = Metrics()
    metrics.gauge("bad", lambda: 1 / 0)
    metrics.gauge("good", lambda: 1.0)
    snapshot = metrics.snapshot()
    assert "bad" not in snapshot
    assert snapshot["good"] == 1.0
    assert "bad" in caplog.text


def test_metrics_below_a_prefix_are_removed() -> None:
    """A removed framework leaves nothing behind."""
    metrics = Metrics()
    metrics.counter("master/frameworks/f/1/calls")
    metrics.gauge("master/frameworks/f/1/subscribed", lambda: 1.0)
    metrics.counter("master/frameworks/f/2/calls")
    metrics.remove_below("master/frameworks/f/1/")
    metrics.remove("unknown")
    assert [name for name in metrics.snapshot() if name.startswith("master/")] == ["master/frameworks/f/2/calls"]


def test_a_timer_shows_nothing_before_its_first_value() -> None:
    """As in Mesos, a timer that never ran is left out."""
    metrics = Metrics()
    metrics.timer("t_ms")
    assert "t_ms" not in metrics.snapshot()


def test_a_timer_with_one_value_has_no_statistics() -> None:
    """Two values make a statistic."""
    metrics = Metrics()
    metrics.timer("t_ms").record(0.002)
    assert {name: value for name, value in metrics.snapshot().items() if name.startswith("t_ms")} == {"t_ms": 2.0}


def test_a_timer_gives_interpolated_percentiles_of_its_window() -> None:
    """Old values leave the window; percentiles interpolate between neighbours."""
    timer = Timer("t_ms", window=100.0)
    timer.record(9.0, now=0.0)
    for value in range(11):
        timer.record(value / 1000, now=150.0)
    statistics = timer.statistics(now=200.0)
    assert timer.value == 10.0
    assert statistics["count"] == 11.0
    assert (statistics["min"], statistics["max"], statistics["p50"]) == (0.0, 10.0, 5.0)
    assert statistics["p95"] == pytest.approx(9.5)
    assert statistics["p9999"] == pytest.approx(9.999)
    assert list(statistics) == ["count", "max", "min", "p50", "p90", "p95", "p99", "p999", "p9999"]


def test_a_timer_without_window_keeps_only_the_last_value() -> None:
    """No history, no statistics."""
    timer = Timer("t_ms", None)
    timer.record(1.0)
    timer.record(2.0)
    assert timer.value == 2000.0
    assert timer.statistics() == {}
