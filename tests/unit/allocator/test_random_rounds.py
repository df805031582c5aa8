"""Rounds with the random sorter."""

from __future__ import annotations

import random
from collections import Counter

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.model.resource_text import parse_resources
from messor.protos import v0

from .world import CAPABLE, framework_info


def shares(seed: int) -> Counter[str]:
    """Offer 200 agents to three roles of weights 4, 1 and 1 and count who got how many."""
    books = HierarchicalAllocator(AllocatorOptions(sorter="random"), random.Random(seed))
    books.update_weights({"heavy": 4.0})
    for role in ("heavy", "light", "other"):
        books.add_framework(f"of-{role}", framework_info(role), {}, frozenset(), active=True)
    for number in range(200):
        info = v0.SlaveInfo(hostname="h")
        books.add_agent(f"s{number}", info, CAPABLE, parse_resources("cpus:1;mem:100"), {})
    offers = books.allocate(None, 0)
    return Counter({framework: len(agents) for framework, roles in offers.items() for agents in roles.values()})


def test_heavier_roles_are_drawn_more_often() -> None:
    """In proportion to their weights, more or less."""
    counts = shares(1)
    assert sum(counts.values()) == 200
    assert 110 < counts["of-heavy"] < 156
    assert counts["of-light"] > 15
    assert counts["of-other"] > 15


def test_equal_seeds_draw_alike() -> None:
    """A simulated cluster can be replayed."""
    assert shares(7) == shares(7)
    assert shares(7) != shares(8)
