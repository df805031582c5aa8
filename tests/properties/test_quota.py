"""Quota keeps its promises whatever the cluster looks like."""

from __future__ import annotations

import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources
from messor.protos import v0

NAMES = ("cpus", "mem", "disk")
amounts = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 20), max_size=3)


def allocator(sorter: str, sizes: list[dict[str, int]], quotas: dict[str, Quota], seed: int) -> HierarchicalAllocator:
    """Make books with agents, a framework in each role and below it, and one in a role without quota."""
    books = HierarchicalAllocator(AllocatorOptions(min_allocatable=(), sorter=sorter), random.Random(seed))
    for role in [*quotas, *(f"{role}/below" for role in quotas), "other"]:
        info = v0.FrameworkInfo(user="u", name="n", roles=[role])
        info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
        books.add_framework(f"framework of {role}", info, {}, frozenset(), active=True)
    for role, quota in quotas.items():
        books.update_quota(role, quota)
    for number, size in enumerate(sizes):
        text = ";".join(f"{name}:{value}" for name, value in size.items() if value)
        books.add_agent(f"s{number}", v0.SlaveInfo(hostname=f"h{number}"), [1, 2, 3], parse_resources(text), {})
    return books


@settings(max_examples=150, deadline=None)
@given(
    sorter=st.sampled_from(["drf", "random"]),
    sizes=st.lists(amounts, min_size=1, max_size=6),
    promises=st.lists(amounts, min_size=1, max_size=3),
    seed=st.integers(0, 3),
)
def test_guarantees_that_fit_the_cluster_are_met_in_one_round(
    sorter: str, sizes: list[dict[str, int]], promises: list[dict[str, int]], seed: int
) -> None:
    """As long as nobody refuses: other roles get no more than what is left."""
    for name in NAMES:
        assume(sum(promise.get(name, 0) for promise in promises) <= sum(size.get(name, 0) for size in sizes))
    quotas = {
        f"role{number}": Quota(Quantities({name: 1000 * value for name, value in promise.items()}))
        for number, promise in enumerate(promises)
    }
    books = allocator(sorter, sizes, quotas, seed)
    books.allocate(None, 1.0)
    for role, quota in books.quotas.items():
        assert Quantities(books.quota_consumption(role)).contains(quota.guarantees)


@settings(max_examples=150, deadline=None)
@given(
    sorter=st.sampled_from(["drf", "random"]),
    sizes=st.lists(amounts, min_size=1, max_size=6),
    limits=st.lists(amounts, min_size=1, max_size=3),
    seed=st.integers(0, 3),
)
def test_no_round_passes_a_limit_and_all_that_is_allowed_is_offered(
    sorter: str, sizes: list[dict[str, int]], limits: list[dict[str, int]], seed: int
) -> None:
    """A role gets up to its limit; a role without limits takes all the rest."""
    quotas = {
        f"role{number}": Quota(Quantities(), {name: 1000 * value for name, value in limit.items()})
        for number, limit in enumerate(limits)
    }
    books = allocator(sorter, sizes, quotas, seed)
    for now in (1.0, 2.0):
        books.allocate(None, now)
        for role, quota in quotas.items():
            assert quota.allows(books.quota_consumption(role))
    assert not any(agent.available for agent in books.agents.values())
