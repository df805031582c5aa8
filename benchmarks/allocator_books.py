"""B1f, B1r, B1s, B1m: what the allocator's books cost when offers are refused, come back, are sorted, and kept.

Books only: no messages are made. Prints one JSON line per figure: {id, work, value, unit, limit, ok, theirs, ratio}.
"""

from __future__ import annotations

import gc
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Theirs, show
from messor.allocator.drf_sorter import DrfSorter
from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.allocator.sorter import Pool
from messor.model.resource_text import parse_resources
from messor.protos import v0
from messor.runtime.node import GC_THRESHOLD

AGENT = "cpus:24;mem:4096;disk:4096;ports:[31000-32000]"
USED = "cpus:16;mem:2014;disk:1024"
CPU = "ms CPU"
FOREVER = v0.Filters(refuse_seconds=2**31 - 1)


def timed(work: object) -> float:
    """Give CPU milliseconds of a call."""
    begun = time.process_time()
    work()  # type: ignore[operator]
    return (time.process_time() - begun) * 1000


def books_of(agents: int, frameworks: int, *, used: bool) -> HierarchicalAllocator:
    """Make books of one role; used: on every agent 16 cpus, memory and 16 fragments of ports are taken."""
    books = HierarchicalAllocator(AllocatorOptions(), random.Random(7))
    info = v0.FrameworkInfo(user="u", name="n", roles=["*"])
    info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
    names = [f"framework{number}" for number in range(frameworks)]
    for name in names:
        books.add_framework(name, info, {}, frozenset(), active=True)
    ports = ",".join(f"{31000 + 40 * number}-{31004 + 40 * number}" for number in range(16))
    taken = parse_resources(f"{USED};ports:[{ports}]").allocated_to("*")
    total = parse_resources(AGENT)
    for number in range(agents):
        held = {names[number % frameworks]: taken} if used else {}
        books.add_agent(f"S{number}", v0.SlaveInfo(hostname=f"host{number}"), (1, 2, 3), total, held)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)  # as a daemon does
    return books


def refused() -> None:
    """DeclineOffers: every round all offers are refused for ever, until everybody has refused everything."""
    books = books_of(1_000, 100, used=True)
    rounds: list[float] = []
    for number in range(103):
        begun = time.process_time()
        offers = books.allocate(None, float(number))
        rounds.append((time.process_time() - begun) * 1000)
        for framework_id, by_role in offers.items():
            for by_agent in by_role.values():
                for agent_id, resources in by_agent.items():
                    books.recover_resources(
                        framework_id, agent_id, resources, FOREVER, float(number), is_allocated=False
                    )
    assert not books.allocate(None, 200.0)
    books.generation += 1  # as if a framework had been revived: what nobody wants is not remembered
    everything = timed(lambda: books.allocate(None, 201.0))
    work = "1,000 agents x 100 frameworks, all declined for ever"
    show("B1f", f"{work}: first round", rounds[0], CPU, 8.0, Theirs(84.0))
    show("B1f", f"{work}: round in which all is filtered", everything, CPU, 10.0, Theirs(2_500.0))
    show("B1f", f"{work}: dearest round", max(rounds), CPU, None)


def recovered() -> None:
    """Give 10,000 offers back."""
    for how, filters in (("without", None), ("with", v0.Filters(refuse_seconds=5))):
        books = books_of(10_000, 1_000, used=False)
        figures = []
        for number in range(5):
            now = 100.0 * number
            given = [
                (framework_id, agent_id, resources)
                for framework_id, by_role in books.allocate(None, now).items()
                for by_agent in by_role.values()
                for agent_id, resources in by_agent.items()
            ]
            assert len(given) == 10_000
            begun = time.process_time()
            for framework_id, agent_id, resources in given:
                books.recover_resources(framework_id, agent_id, resources, filters, now, is_allocated=False)
            figures.append((time.process_time() - begun) * 1000)
        show("B1r", f"recover 10,000 offers {how} filters", statistics.median(figures), CPU, 60.0)


def sorted_fully() -> None:
    """Sort 1,000 clients that hold parts of 50,000 agents, after 1,000 changes."""
    pool = Pool()
    total, part = parse_resources(AGENT), parse_resources("cpus:1;mem:64")
    for _ in range(50_000):
        pool.add(total.scalars())
    sorter = DrfSorter(pool)
    chance = random.Random(7)
    clients = [f"client{number}" for number in range(1_000)]
    for client in clients:
        sorter.add(client)
        sorter.activate(client)
    for number in range(50_000):
        sorter.allocated(clients[number % 1_000], f"S{number}", part)
    sorter.sort()
    figures = []
    for _ in range(9):
        for number in range(1_000):
            sorter.allocated(chance.choice(clients), f"S{number}", part)
        figures.append(timed(sorter.sort))
    show("B1s", "full sort, 50,000 agents x 1,000 clients, after 1,000 changes", statistics.median(figures), CPU, 5.0)


def resident() -> int:
    """Give the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept() -> None:
    """Print how many megabytes the books of 50,000 agents and 1,000 frameworks take, one allocation on each agent."""
    gc.collect()
    before = resident()
    books = HierarchicalAllocator(AllocatorOptions(), random.Random(7))
    for number in range(1_000):
        info = v0.FrameworkInfo(user="u", name="n", roles=["*"])
        info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
        books.add_framework(f"framework{number}", info, {}, frozenset(), active=True)
    for number in range(50_000):
        total = parse_resources(AGENT)
        books.add_agent(f"S{number}", v0.SlaveInfo(hostname=f"host{number}"), (1, 2, 3), total, {})
    offers = books.allocate(None, 1.0)
    for by_role in offers.values():
        for by_agent in by_role.values():
            for agent_id, resources in by_agent.items():
                books.transition_offered_to_allocated(agent_id, resources)
    del offers
    gc.collect()
    show("B1m", "books of 50,000 agents x 1,000 frameworks", (resident() - before) / 1e6, "MB", 200.0)


def main() -> None:
    """Print the figures; memory is measured in a process of its own."""
    if "--memory" in sys.argv:
        kept()
        return
    refused()
    recovered()
    sorted_fully()
    subprocess.run([sys.executable, "-m", "benchmarks.allocator_books", "--memory"], check=True)


if __name__ == "__main__":
    main()
