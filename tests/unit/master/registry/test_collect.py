"""Which agents are forgotten (H7)."""

from __future__ import annotations

from messor.master.registry.collect import expired
from messor.protos import v0


def since(seconds: float) -> v0.TimeInfo:
    """Make a time."""
    return v0.TimeInfo(nanoseconds=int(seconds * 1e9))


def test_the_oldest_are_forgotten_beyond_the_limit() -> None:
    """The list is in order of becoming unreachable."""
    agents = {f"S{number}": since(number) for number in range(5)}
    assert expired(agents, now=10, max_age=100, max_count=3) == ["S0", "S1"]


def test_the_too_old_are_forgotten_wherever_they_stand() -> None:
    """Several leaders' clocks may disagree, so the list need not be sorted by time."""
    agents = {"S0": since(50), "S1": since(1), "S2": since(60)}
    assert expired(agents, now=61, max_age=20, max_count=10) == ["S1"]


def test_nothing_is_forgotten_within_the_limits() -> None:
    """Two weeks and a hundred thousand agents are far."""
    assert expired({"S0": since(1)}, now=2, max_age=100, max_count=1) == []
