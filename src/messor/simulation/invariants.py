"""What must hold across the cluster after every event.

Master and agent bring their own books' rules; what no single process can see is added here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.agent.state import invariants as of_agent
from messor.master.state import invariants as of_master

if TYPE_CHECKING:
    from messor.simulation.cluster import Cluster


class Invariants:
    """All checks of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        """Look at a cluster."""
        self.cluster = cluster

    def hold(self) -> None:
        """Raise AssertionError with a sentence when anything does not hold in the processes that were touched."""
        cluster = self.cluster
        problems = [*cluster.ledger.faults, *cluster.master.storage.faults]
        if cluster.master.name in cluster.touched and cluster.master.is_running:
            problems += of_master.check(cluster.master.actor.state)
        for agent in cluster.agents:
            if agent.name in cluster.touched and agent.is_running:
                problems += [f"{agent.name}: {problem}" for problem in of_agent.violations(agent.actor.tables)]
        if problems:
            raise AssertionError("; ".join(problems))
