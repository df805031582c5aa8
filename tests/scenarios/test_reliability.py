"""Dozens of bad hours of a framework; ``python -m benchmarks.reliability`` lives thousands of them.

A failing seed is printed with what was done; ``PYTEST_SEED=n`` alone reproduces it.
"""

from __future__ import annotations

import os

import pytest

from messor.simulation.reliability import TASKS, Hour

SEEDS = [int(os.environ["PYTEST_SEED"])] if "PYTEST_SEED" in os.environ else range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_task_ends_in_its_schedulers_books(seed: int) -> None:
    """Under lost leaders, messages, agents and schedulers; no update is lost or acknowledged twice."""
    hour = Hour(seed)
    hour.run()
    assert len(hour.books.states) == TASKS
    assert hour.acknowledged > TASKS


def test_a_seed_replays() -> None:
    """The same faults at the same times, and the same end of every task."""
    first, second = Hour(3), Hour(3)
    first.run()
    second.run()
    assert first.log == second.log
    assert first.books.states == second.books.states
    assert first.cluster.trace.hash == second.cluster.trace.hash
