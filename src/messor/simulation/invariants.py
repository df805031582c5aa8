"""What must hold across the cluster after every event.

Master and agent bring their own books' rules; what no single process can see is added here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.agent.state import invariants as of_agent
from messor.allocator.service import AllocatorService
from messor.master.state import invariants as of_master
from messor.model.resources import Resources

if TYPE_CHECKING:
    from messor.master.master import Master
    from messor.simulation.cluster import Cluster


class Invariants:
    """All checks of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        """Look at a cluster."""
        self.cluster = cluster

    def hold(self) -> None:
        """Raise AssertionError with a sentence when anything does not hold in the processes that were touched."""
        cluster = self.cluster
        problems = [*cluster.ledger.faults, *cluster.registry.faults]
        for node in cluster.masters:
            if node.name in cluster.touched and node.is_running:
                problems += [f"{node.name}: {problem}" for problem in of_master.check(node.actor.state)]
                problems += [f"{node.name}: {problem}" for problem in allocation_problems(node.actor)]
        for agent in cluster.agents:
            if agent.name in cluster.touched and agent.is_running:
                problems += [f"{agent.name}: {problem}" for problem in of_agent.violations(agent.actor.tables)]
        if problems:
            raise AssertionError("; ".join(problems))


def allocation_problems(master: Master) -> list[str]:
    """Compare what the allocator has given away with what the master says is used and offered."""
    problems: list[str] = []
    allocator = master.allocator
    if not isinstance(allocator, AllocatorService):
        return problems  # somebody else's, whose books are its own business
    for agent in master.state.agents.values():
        booked = allocator.books.agents.get(agent.id)
        if booked is None:
            problems.append(f"agent {agent.id} is unknown to the allocator")
            continue
        expected = dict(agent.used)
        for offer in agent.offers.values():
            expected[offer.framework_id] = expected.get(offer.framework_id, Resources()) + offer.resources
        for framework_id in {**expected, **booked.out}:
            taken = booked.out.get(framework_id, Resources())
            known = expected.get(framework_id, Resources())
            if taken != known:
                problems.append(f"framework {framework_id} was given {taken} of agent {agent.id} but has {known}")
    return problems
