"""B1: CPU of full allocation cycles, from free agents to the bytes of the offer messages.

The master's own parts: allocator service, offer maker, outbox; only the network is a list. Agents of five sizes,
frameworks connected through libprocess and spread over roles, everything free. Each cycle offers every agent, then all
offers come back without refusal. Timed: the round and everything up to the bytes handed to the network. Not timed: giving
back, which in a cluster happens one call at a time.

Prints one JSON line per figure: {id, work, value, unit, limit, ok, theirs, ratio}. With --all, also rows that have no
limit: agents that all differ, and the first cycle, when nothing is cached.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import statistics
import time
from types import SimpleNamespace
from typing import Any

from benchmarks.figures import Theirs, show
from messor.allocator.interfaces import AllocatorOptions
from messor.allocator.service import AllocatorService
from messor.master.flags import MasterFlags
from messor.master.offers.make import OfferMaker
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState, FrameworkState
from messor.master.state.tables import MasterState
from messor.model.resource_text import parse_resources
from messor.protos import internal, v0
from messor.runtime.metrics import Metrics
from messor.runtime.node import GC_THRESHOLD
from messor.wire.upid import Upid

SIZES = (
    "cpus:4;mem:8192;disk:102400;ports:[31000-32000]",
    "cpus:8;mem:16384;disk:204800;ports:[31000-32000]",
    "cpus:16;mem:65536;disk:409600;ports:[31000-32000]",
    "cpus:24;mem:4096;disk:4096;ports:[31000-32000]",
    "cpus:64;mem:262144;disk:819200;ports:[31000-32000]",
)
CAPABILITIES = frozenset((1, 2, 3))
MASTER = Upid("master", "10.0.0.1", 5050)
UNIT = "ms CPU/cycle"


class Cluster:
    """A master's allocating side with agents and frameworks."""

    def __init__(self, agents: int, frameworks: int, roles: int, *, distinct: bool) -> None:
        """Make them; distinct: no two agents have the same resources."""
        self.sent: list[tuple[Upid, bytes]] = []
        never = SimpleNamespace(cancel=lambda: None)
        clock = SimpleNamespace(now=time.time, monotonic=time.monotonic, after=lambda *_: never)
        network = SimpleNamespace(send=lambda _sender, receiver, _name, body: self.sent.append((receiver, body)))
        chance = SimpleNamespace(random=random.Random(7))
        host: Any = SimpleNamespace(clock=clock, network=network, chance=chance, metrics=Metrics())
        info = v0.MasterInfo(id="3f0a3a4e-9d0b-4b52-8f0e-0d5f3d1c2b1a", ip=1, port=5050)
        self.state = state = MasterState(info)
        self.service = service = AllocatorService(host, AllocatorOptions(), self.offer)
        outbox = Outbox(host=host, upid=MASTER, state=state)
        rescinder = Rescinder(state=state, outbox=outbox, allocator=service)
        flags = MasterFlags()
        self.maker = OfferMaker(
            state=state, outbox=outbox, allocator=service, flags=flags, host=host, rescinder=rescinder
        )
        for number in range(frameworks):
            self.add_framework(number, f"role{number % roles}")
        for number in range(agents):
            text = SIZES[number % len(SIZES)]
            if distinct:
                text = text.replace("31000-", f"{31000 + number % 1000}-").replace("mem:", f"mem:{number // 1000 + 1}")
            self.add_agent(number, text)

    def offer(self, framework_id: str, offered: Any) -> None:
        """Hand offers on, as the master does."""
        self.maker.offer(framework_id, offered)

    def add_framework(self, number: int, role: str) -> None:
        """Add an active framework."""
        kinds = v0.FrameworkInfo.Capability
        able = (kinds.MULTI_ROLE, kinds.RESERVATION_REFINEMENT)
        info = v0.FrameworkInfo(user="u", name=f"f{number}", roles=[role])
        info.capabilities.extend(kinds(type=kind) for kind in able)
        framework_id = self.state.new_framework_id()
        record = FrameworkRecord(framework_id, info, max_completed=1, max_unreachable=1)
        record.capabilities = frozenset(able)
        record.roles = frozenset((role,))
        record.state = FrameworkState.ACTIVE
        self.state.add_framework(record)
        self.state.connect_pid(record, Upid(f"scheduler({number})", "10.1.0.1", 9000))
        self.service.add_framework(framework_id, info, {}, active=True, suppressed_roles=frozenset())

    def add_agent(self, number: int, text: str) -> None:
        """Add an active agent."""
        agent_id = self.state.new_agent_id()
        info = v0.SlaveInfo(hostname=f"host{number}.example.org", port=5051, id=v0.SlaveID(value=agent_id))
        total = parse_resources(text)
        pid = Upid("slave(1)", f"10.2.{number // 256 % 256}.{number % 256}", 5051)
        record = AgentRecord(info, pid, "1.11.0", total)
        record.capabilities = CAPABILITIES
        record.state = AgentState.ACTIVE
        self.state.add_agent(record)
        self.service.add_agent(agent_id, info, CAPABILITIES, total, {})

    def cycle(self) -> None:
        """Do what the service does every interval."""
        self.service._tick()

    def give_back(self, filters: v0.Filters | None = None) -> None:
        """Return every offer."""
        for offer in list(self.state.offers.values()):
            self.state.remove_offer(offer)
            self.service.recover_resources(
                offer.framework_id, offer.agent_id, offer.resources, filters, is_allocated=False
            )

    def check(self, agents: int) -> None:
        """Parse the bodies: they must be what they claim."""
        seen = set()
        for _, body in self.sent:
            message = internal.ResourceOffersMessage.FromString(body)
            assert len(message.offers) == len(message.pids)
            for offer in message.offers:
                assert offer.resources
                assert self.state.offers[offer.id.value].agent_id == offer.slave_id.value
                seen.add(offer.slave_id.value)
        assert len(seen) == agents


def measure(agents: int, frameworks: int, roles: int, *, cycles: int, distinct: bool = False) -> tuple[float, float]:
    """Run cycles; gives CPU milliseconds of the first, when nothing is cached, and the median of the others."""
    cluster = Cluster(agents, frameworks, roles, distinct=distinct)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)  # as a daemon does
    figures = []
    for cycle in range(cycles + 1):
        begun = time.process_time()
        cluster.cycle()
        figures.append((time.process_time() - begun) * 1000)
        if cycle == 0:
            cluster.check(agents)
        cluster.sent.clear()
        cluster.give_back()
    gc.unfreeze()
    return figures[0], statistics.median(figures[1:])


WORKS = (
    (1_000, 100, 1, 5.0, Theirs(102.0)),
    (10_000, 1_000, 1, 60.0, Theirs(1_400.0, 2_150.0)),
    (10_000, 1_000, 100, 70.0, Theirs(1_450.0)),
    (50_000, 1_000, 1, 300.0, Theirs(7_960.0)),
)
"""Agents, frameworks, roles, limit in ms, and what the original needs."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, help="only a cluster of this size, in 1 and 100 roles")
    parser.add_argument("--frameworks", type=int, default=1_000)
    parser.add_argument("--cycles", type=int, default=7)
    parser.add_argument("--all", action="store_true", help="also first cycles and agents that all differ")
    options = parser.parse_args()
    works = WORKS
    if options.agents is not None:
        works = tuple((options.agents, options.frameworks, roles, None, None) for roles in (1, 100))  # type: ignore[misc]
    costs: dict[int, float] = {}
    for agents, frameworks, roles, limit, theirs in works:
        size = f"{agents:,} agents x {frameworks:,} frameworks, {roles} role{'s' if roles > 1 else ''}"
        first, value = measure(agents, frameworks, roles, cycles=options.cycles)
        if roles == 1 and frameworks == 1_000:
            costs[agents] = value
        show("B1", size, value, UNIT, limit, theirs)
        if options.all:
            show("B1", f"{size}, first cycle", first, UNIT, None)
            first, value = measure(agents, frameworks, roles, cycles=options.cycles, distinct=True)
            show("B1", f"{size}, agents all differ", value, UNIT, None)
            show("B1", f"{size}, agents all differ, first cycle", first, UNIT, None)
    if options.agents is None:
        show_growth(costs, options.cycles)


def show_growth(costs: dict[int, float], cycles: int) -> None:
    """Print how cost grows with agents at 1,000 frameworks: linear is 1.0 from size to size."""
    for agents in (1_000, 5_000):
        costs[agents] = measure(agents, 1_000, 1, cycles=cycles)[1]
    sizes = sorted(costs)
    for size in sizes:
        show("scale", f"{size:,} agents x 1,000 frameworks", costs[size], UNIT, None)
    for few, many in itertools.pairwise(sizes):
        growth = costs[many] / costs[few] / (many / few)
        show("scale", f"cost against agents, {few:,} to {many:,}", growth, "times linear", 1.15)


if __name__ == "__main__":
    main()
