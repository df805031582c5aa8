"""B1: CPU of full allocation cycles, from free agents to the bytes of the offer messages.

Agents of a few sizes, frameworks spread over roles, everything free. Each cycle offers every agent, then all offers come
back without refusal. Timed: the round, and turning its offers into one ``ResourceOffersMessage`` body per framework by
splicing encoded parts. Not timed: giving back, which in a cluster happens one call at a time.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import time

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions, Offers
from messor.model.ids import IdMinter
from messor.model.resource import varint
from messor.model.resource_text import parse_resources
from messor.protos import internal, v0

SIZES = (
    "cpus:4;mem:8192;disk:102400;ports:[31000-32000]",
    "cpus:8;mem:16384;disk:204800;ports:[31000-32000]",
    "cpus:16;mem:65536;disk:409600;ports:[31000-32000]",
    "cpus:24;mem:4096;disk:4096;ports:[31000-32000]",
    "cpus:64;mem:262144;disk:819200;ports:[31000-32000]",
)
CAPABILITIES = (1, 2, 3)
MASTER = "3f0a3a4e-9d0b-4b52-8f0e-0d5f3d1c2b1a"


class Cluster:
    """An allocator with agents and frameworks, and the constant bytes of each agent's offers."""

    def __init__(self, agents: int, frameworks: int, roles: int, *, distinct: bool) -> None:
        """Make them; distinct: no two agents have the same resources."""
        self.books = HierarchicalAllocator(AllocatorOptions(), random.Random(7))
        self.constant: dict[str, bytes] = {}
        self.pids: dict[str, bytes] = {}
        self.minter = IdMinter(MASTER)
        self.books.pool.version += 1
        for number in range(frameworks):
            capabilities = [v0.FrameworkInfo.Capability(type=v0.FrameworkInfo.Capability.MULTI_ROLE)]
            capabilities += [v0.FrameworkInfo.Capability(type=v0.FrameworkInfo.Capability.RESERVATION_REFINEMENT)]
            info = v0.FrameworkInfo(
                user="u", name=f"f{number}", roles=[f"role{number % roles}"], capabilities=capabilities
            )
            framework_id = self.minter.framework()
            self.books.add_framework(framework_id, info, {}, frozenset(), active=True)
        for number in range(agents):
            text = SIZES[number % len(SIZES)]
            if distinct:
                text = text.replace("31000-", f"{31000 + number % 1000}-").replace("mem:", f"mem:{number // 1000 + 1}")
            agent_id = self.minter.agent()
            info = v0.SlaveInfo(hostname=f"host{number}.example.org", port=5051, id=v0.SlaveID(value=agent_id))
            self.books.add_agent(agent_id, info, CAPABILITIES, parse_resources(text), {})
            self.constant[agent_id] = self._constant_part(info)
            pid = f"slave(1)@10.0.{number // 256 % 256}.{number % 256}:5051".encode()
            self.pids[agent_id] = b"\x12" + varint(len(pid)) + pid

    @staticmethod
    def _constant_part(info: v0.SlaveInfo) -> bytes:
        """Encode what every offer of an agent has: agent id, host name, url."""
        offer = v0.Offer(slave_id=info.id, hostname=info.hostname)
        offer.url.scheme = "http"
        offer.url.address.hostname = info.hostname
        offer.url.address.ip = "10.0.0.1"
        offer.url.address.port = info.port
        offer.url.path = "/slave(1)"
        return offer.SerializePartialToString()

    def encode(self, round_offers: dict[str, Offers]) -> dict[str, bytes]:
        """Make one message body per framework, and the table of outstanding offers on the way."""
        table: dict[str, tuple[str, str, object]] = {}
        bodies = {}
        mint = self.minter.offer
        for framework_id, by_role in round_offers.items():
            text = framework_id.encode()
            value = b"\x0a" + varint(len(text)) + text
            framework = b"\x12" + varint(len(value)) + value
            parts: list[bytes] = []
            pids: list[bytes] = []
            for role, by_agent in by_role.items():
                mark = v0.Offer(allocation_info=v0.Resource.AllocationInfo(role=role)).SerializePartialToString()
                for agent_id, resources in by_agent.items():
                    offer_id = mint()
                    table[offer_id] = (framework_id, agent_id, resources)
                    text = offer_id.encode()
                    body = b"".join((
                        b"\x0a", varint(len(text) + 2), b"\x0a", varint(len(text)), text,
                        framework, self.constant[agent_id], resources.encoded(5), mark,
                    ))  # fmt: skip
                    parts += (b"\x0a", varint(len(body)), body)
                    pids.append(self.pids[agent_id])
            bodies[framework_id] = b"".join(parts + pids)
        self.table = table
        return bodies

    def give_back(self, round_offers: dict[str, Offers], now: float, filters: v0.Filters | None = None) -> None:
        """Return every offer."""
        for framework_id, by_role in round_offers.items():
            for by_agent in by_role.values():
                for agent_id, resources in by_agent.items():
                    self.books.recover_resources(framework_id, agent_id, resources, filters, now, is_allocated=False)


def measure(agents: int, frameworks: int, roles: int, *, cycles: int, distinct: bool = False) -> dict[str, float]:
    """Run cycles; gives medians in milliseconds of CPU, and the first cycle's, when nothing is cached."""
    cluster = Cluster(agents, frameworks, roles, distinct=distinct)
    rounds, wires, totals = [], [], []
    size = 0
    gc.collect()
    for cycle in range(cycles):
        begun = time.process_time()
        offers = cluster.books.allocate(None, float(cycle))
        allocated = time.process_time()
        bodies = cluster.encode(offers)
        ended = time.process_time()
        rounds.append((allocated - begun) * 1000)
        wires.append((ended - allocated) * 1000)
        totals.append((ended - begun) * 1000)
        size = sum(map(len, bodies.values()))
        count = sum(len(by_agent) for by_role in offers.values() for by_agent in by_role.values())
        assert count == agents, count
        if cycle == 0:
            check(cluster, bodies)
        cluster.give_back(offers, float(cycle))
    return {
        "round_ms": statistics.median(rounds),
        "wire_ms": statistics.median(wires),
        "cycle_ms": statistics.median(totals),
        "first_ms": totals[0],
        "bytes": float(size),
    }


def check(cluster: Cluster, bodies: dict[str, bytes]) -> None:
    """Parse the bodies: they must be what they claim."""
    seen = 0
    for framework_id, body in bodies.items():
        message = internal.ResourceOffersMessage.FromString(body)
        assert len(message.offers) == len(message.pids)
        for offer in message.offers:
            assert offer.framework_id.value == framework_id
            assert offer.resources
            seen += 1
    assert seen == len(cluster.table)


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--frameworks", type=int, default=1_000)
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for roles in (1, 100):
        for distinct in (False, True):
            figures = measure(options.agents, options.frameworks, roles, cycles=options.cycles, distinct=distinct)
            results.append({"roles": roles, "distinct": distinct, **figures})
    if options.json:
        print(json.dumps(results))
        return
    print(f"{options.agents} agents x {options.frameworks} frameworks, CPU ms per cycle (medians of {options.cycles})")
    print("roles  agents    round   wire  cycle  first")
    for result in results:
        kind = "distinct" if result["distinct"] else "5 sizes"
        print(
            f"{result['roles']:5}  {kind:8} {result['round_ms']:6.1f} {result['wire_ms']:6.1f}"
            f" {result['cycle_ms']:6.1f} {result['first_ms']:6.1f}"
        )


if __name__ == "__main__":
    main()
