"""Agents out of the offers, wherever they go meanwhile (N5)."""

from __future__ import annotations

import json
from typing import Any

from messor.protos import v0
from messor.simulation.cluster import Cluster


def call(cluster: Cluster, kind: str) -> tuple[int, str]:
    """Make an operator call about the only agent."""
    body: dict[str, Any] = {"type": kind, kind.lower(): {"agent_id": {"value": cluster.agents[0].id}}}
    reply = cluster.ask("POST", "/api/v1", json.dumps(body).encode())
    cluster.settle()
    return reply.status, reply.body.decode()


def test_a_deactivated_agent_stays_so_after_it_was_unreachable(cluster: Cluster) -> None:
    """The registry keeps it with the unreachable ones; only the operator puts it back."""
    assert call(cluster, "DEACTIVATE_AGENT") == (200, "")
    node = cluster.agents[0]
    node.freeze()
    cluster.advance(100)
    assert node.id in cluster.master.state.unreachable_agents
    node.thaw()
    cluster.run_until(lambda: node.id in cluster.master.state.agents, within=200)
    framework = cluster.framework(http=True)
    cluster.advance(10)
    assert framework.offers == {}
    assert call(cluster, "REACTIVATE_AGENT") == (200, "")
    cluster.run_until(lambda: framework.offers)
    assert call(cluster, "REACTIVATE_AGENT") == (400, "Agent is not deactivated")


def test_an_unreachable_agent_can_be_deactivated_and_put_back(cluster: Cluster) -> None:
    """What an operator says while it is away holds when it returns."""
    node = cluster.agents[0]
    agent_id = node.id
    node.freeze()
    cluster.advance(100)
    assert call(cluster, "DEACTIVATE_AGENT") == (200, "")
    node.thaw()
    cluster.run_until(lambda: agent_id in cluster.master.state.agents, within=200)
    assert cluster.master.state.agents[agent_id].is_deactivated
    assert call(cluster, "REACTIVATE_AGENT") == (200, "")
    framework = cluster.framework(http=True)
    cluster.run_until(lambda: framework.offers)


def test_an_agent_can_be_drained_while_it_is_away(cluster: Cluster) -> None:
    """It is told when it returns."""
    framework = cluster.framework(http=True, checkpoint=True, capabilities=("partition_aware",))
    framework.launch("sleep 1000", task_id="t")
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    node = cluster.agents[0]
    agent_id = node.id
    node.freeze()
    cluster.advance(100)
    assert call(cluster, "DRAIN_AGENT") == (200, "")
    node.thaw()
    cluster.run_until(lambda: "KILLED" in framework.states("t"), within=200)
    cluster.advance(10)
    drained = cluster.master.state.agents[agent_id].drain
    assert drained is not None
    assert drained.state == v0.DRAINED


def test_an_agent_restarted_while_draining_drains_on(cluster: Cluster) -> None:
    """It remembers in its folder, and the master says it again."""
    framework = cluster.framework(http=True, checkpoint=True, capabilities=("partition_aware",))
    framework.launch("sleep 1000", task_id="t")
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    framework.acknowledges = False
    assert call(cluster, "DRAIN_AGENT") == (200, "")
    cluster.agents[0].kill()
    cluster.advance(3)
    framework.acknowledges = True
    cluster.agents[0].start()
    cluster.run_until(lambda: "KILLED" in framework.states("t"), within=200)
    cluster.advance(60)
    drained = cluster.master.state.agents[cluster.agents[0].id].drain
    assert drained is not None
    assert drained.state == v0.DRAINED
