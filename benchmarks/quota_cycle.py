"""B1q: CPU of allocation cycles where every role has a quota, half an agent or two agents each.

2,500 small and 500 large roles with one framework each, 3,000 agents: the first cycle offers everybody what is
guaranteed, the second finds nobody who may have more. Three such worlds are made, and medians taken: what code costs
when it runs for the first time in a process is not the allocator's.

Prints one JSON line per figure: {id, work, value, unit, limit, ok, theirs, ratio}.
"""

from __future__ import annotations

import gc
import random
import statistics
import time

from benchmarks.figures import Theirs, show
from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources
from messor.protos import v0
from messor.runtime.node import GC_THRESHOLD

SMALL = "cpus:1;mem:1024;disk:1024"
LARGE = "cpus:4;mem:4096;disk:4096"
AGENT = "cpus:2;mem:2048;disk:2048"


def world(small: int, large: int) -> HierarchicalAllocator:
    """Make agents, roles and their quotas."""
    books = HierarchicalAllocator(AllocatorOptions(), random.Random(7))
    kind = v0.FrameworkInfo.Capability
    for name, count, text in (("small", small, SMALL), ("large", large, LARGE)):
        quantities = Quantities.parse(text)
        for number in range(count):
            role = f"{name}QuotaRole{number}"
            info = v0.FrameworkInfo(user="u", name="n", roles=[role])
            info.capabilities.add(type=kind.MULTI_ROLE)
            books.add_framework(f"framework_{name}_{number}", info, {}, frozenset(), active=True)
            books.update_quota(role, Quota(quantities, dict(quantities)))
    total = parse_resources(AGENT)
    for number in range(small // 5 + large * 5):
        books.add_agent(f"S{number}", v0.SlaveInfo(hostname=f"host{number}"), (1, 2, 3), total, {})
    return books


def measure(small: int, large: int) -> tuple[float, float]:
    """Give CPU milliseconds of the first and of the empty cycle."""
    books = world(small, large)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)  # as a daemon does
    figures = []
    for count in (small + 2 * large, 0):
        begun = time.process_time()
        offers = books.allocate(None, 1.0)
        figures.append((time.process_time() - begun) * 1000)
        made = sum(len(agents) for roles in offers.values() for agents in roles.values())
        assert made == count, made
    gc.unfreeze()
    return figures[0], figures[1]


def main() -> None:
    """Print the figures."""
    worlds = [measure(2500, 500) for _ in range(3)]
    first, empty = (statistics.median(figures) for figures in zip(*worlds, strict=True))
    work = "2,500 small + 500 large quotas, 3,000 agents"
    show("B1q", f"{work}, first cycle", first, "ms CPU", 200.0, Theirs(20_800.0))
    show("B1q", f"{work}, cycle with nothing to offer", empty, "ms CPU", 20.0, Theirs(14_800.0))


if __name__ == "__main__":
    main()
