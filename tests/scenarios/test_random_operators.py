"""Random lives in which operators meddle: agents are drained, deactivated and put back, maintenance comes and goes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from messor.errors import ConnectionLost
from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.faults import Life
from support.clusters import AWARE, ErrorLog

SEEDS = [int(os.environ["PYTEST_SEED"])] if "PYTEST_SEED" in os.environ else range(4000, 4020)
STEPS = 40


class MeddledLife(Life):
    """A random life with operators."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        """Add what operators do."""
        super().__init__(cluster, seed)
        self._actions += [(2, self.drain), (1, self.deactivate), (3, self.reactivate), (2, self.plan), (1, self.clear)]

    def call(self, kind: str, **body: Any) -> None:
        """Make an operator call, which may be refused or get lost."""
        with suppress(ConnectionLost):
            request = {"type": kind, kind.lower(): body}
            reply = self.cluster.ask("POST", "/api/v1", json.dumps(request).encode())
            assert reply.status in (200, 400, 409, 503), reply.body

    def _agent_id(self) -> dict[str, str]:
        return {"value": self._agent().id}

    def drain(self) -> None:
        """Drain an agent."""
        self.call("DRAIN_AGENT", agent_id=self._agent_id(), max_grace_period={"seconds": self.random.choice((0, 5))})

    def deactivate(self) -> None:
        """Take an agent out of the offers."""
        self.call("DEACTIVATE_AGENT", agent_id=self._agent_id())

    def reactivate(self) -> None:
        """Put an agent back into the offers."""
        self.call("REACTIVATE_AGENT", agent_id=self._agent_id())

    def plan(self) -> None:
        """Plan maintenance of a machine."""
        machine = {"hostname": self.random.choice(("agent-1", "agent-2")), "ip": "10.0.1.1"}
        unavailability = {"start": {"nanoseconds": self.random.choice((10**18, 2 * 10**18))}}
        windows = [{"machine_ids": [machine], "unavailability": unavailability}]
        self.call("UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": windows})

    def clear(self) -> None:
        """Plan no maintenance any more."""
        self.call("UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": []})


@pytest.mark.parametrize("seed", SEEDS)
def test_draining_ends_and_nothing_is_lost(
    make_cluster: Callable[..., Cluster], logged_errors: ErrorLog, seed: int
) -> None:
    """Whatever goes wrong meanwhile: drained agents are empty and said so, the registry and the master agree.

    The network delays as TCP does: an order to drain that got lost while its connection holds is not repeated.
    """
    cluster = make_cluster(seed, agents=2)
    cluster.network.retransmits = True
    for http in (False, True):
        cluster.framework(
            http=http, checkpoint=True, failover_timeout=100000, capabilities=AWARE, declines=True
        ).refuse_seconds = 6
    life = MeddledLife(cluster, seed)
    try:
        life.live(STEPS)
        life.calm()
        cluster.advance(60)
        state, contents = cluster.master.state, cluster.master.actor.registrar.contents
        assert state.deactivated_agents == contents.deactivated()
        assert state.draining_agents == contents.draining()
        for agent in state.agents.values():
            assert agent.is_deactivated == (agent.id in state.deactivated_agents)
            assert agent.drain is state.draining_agents.get(agent.id)
            if agent.drain is not None:
                assert (agent.drain.state, agent.tasks, agent.offers) == (v0.DRAINED, {}, {})
        assert cluster.ledger.unheard() == []
    except AssertionError as error:
        error.add_note("\n".join(life.log))
        raise
    logged_errors.lines.clear()  # what a fault broke is an error to whoever logs it
