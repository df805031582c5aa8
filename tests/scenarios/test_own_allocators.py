"""Allocators and sorters of one's own, named by flags: the worked examples in whole clusters."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from messor.allocator.loading import find_allocator, find_sorter
from messor.errors import ConfigurationError
from messor.simulation.cluster import Cluster

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def examples_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with PYTHONPATH."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for name in ("priority_allocator", "bin_packing_allocator"):
        importlib.import_module(name)


@pytest.fixture
def start() -> Iterator[Callable[..., Cluster]]:
    """Start clusters that are checked and closed at the end."""
    clusters: list[Cluster] = []

    def make(**options: Any) -> Cluster:
        clusters.append(Cluster(**options))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.check()
        cluster.close()


def test_the_heavier_role_takes_offers_from_the_lighter(start: Callable[..., Cluster]) -> None:
    """Though the lighter was there first and does not let go."""
    cluster = start(
        agents=2,
        master_flags={"allocator": "priority_allocator:PriorityAllocator", "weights": "prod=10,batch=1"},
    )
    batch = cluster.framework(http=True, roles=["batch"])
    cluster.run_until(lambda: len(batch.offers) == 2)
    prod = cluster.framework(http=True, roles=["prod"])
    cluster.run_until(lambda: len(prod.offers) == 2)
    assert not batch.offers
    cluster.advance(5)
    assert len(prod.offers) == 2
    assert not batch.offers


def test_tasks_of_the_lighter_role_are_left_alone(start: Callable[..., Cluster]) -> None:
    """Only offers are rescinded."""
    cluster = start(master_flags={"allocator": "priority_allocator:PriorityAllocator", "weights": "prod=10"})
    batch = cluster.framework(http=True, roles=["batch"])
    batch.launch("sleep 1000", task_id="t", cpus=1)
    cluster.run_until(lambda: "RUNNING" in batch.states("t"))
    prod = cluster.framework(http=True, roles=["prod"])
    cluster.run_until(lambda: prod.offers)
    cluster.advance(5)
    assert batch.states("t")[-1] == "RUNNING"


def test_agents_are_filled_before_others_are_opened(start: Callable[..., Cluster]) -> None:
    """One idle agent is offered at a time; small tasks pile up on one."""
    cluster = start(agents=3, master_flags={"allocator": "bin_packing_allocator:BinPackingAllocator"})
    framework = cluster.framework(http=True)
    cluster.run_until(lambda: framework.offers)
    assert len(framework.offers) == 1
    for number in range(3):
        framework.launch("sleep 1000", task_id=f"t{number}", cpus=0.5, mem=16)
        cluster.run_until(lambda number=number: "RUNNING" in framework.states(f"t{number}"))  # type: ignore[misc]
    assert len({framework.last(f"t{number}").slave_id.value for number in range(3)}) == 1


def test_a_sorter_of_one_s_own_orders_roles(start: Callable[..., Cluster]) -> None:
    """The heaviest comes first, fair or not."""
    cluster = start(
        agents=3, master_flags={"role_sorter": "priority_allocator:PrioritySorter", "weights": "prod=10,batch=1"}
    )
    batch = cluster.framework(http=True, roles=["batch"])
    cluster.run_until(lambda: len(batch.offers) == 3)
    prod = cluster.framework(http=True, roles=["prod"])
    batch.decline(0.0)
    cluster.run_until(lambda: len(prod.offers) == 3)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere:Thing", "No module named 'nowhere'"),
        ("priority_allocator:Thing", "has no attribute 'Thing'"),
        ("priority_allocator:__doc__", "it cannot be called"),
        ("thing", "Module 'thing' unknown"),
    ],
)
def test_what_cannot_be_found_is_refused(name: str, why: str) -> None:
    """With a sentence that names it."""
    with pytest.raises(ConfigurationError, match=f"Failed to create allocator '{name}': .*{why}"):
        find_allocator(name)
    with pytest.raises(ConfigurationError, match=f"Failed to create sorter '{name}': .*{why}"):
        find_sorter(name)
