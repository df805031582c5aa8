"""Agents that operators say will never come back (H6)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from messor.simulation.cluster import Cluster
from support.clusters import AWARE, running, told

GONE = "Agent has been marked gone"


def mark(cluster: Cluster, agent_id: str) -> tuple[int, str]:
    """Make MARK_AGENT_GONE."""
    body = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": agent_id}}}
    reply = cluster.ask("POST", "/api/v1", json.dumps(body).encode())
    cluster.settle()
    return reply.status, reply.body.decode()


@pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])
def test_tasks_of_a_gone_agent_are_gone(cluster: Cluster, *, http: bool) -> None:
    """In the recorded states, reasons and words; the agent ends itself."""
    aware = cluster.framework("aware", http=http, capabilities=AWARE, checkpoint=True, declines=True)
    aware.refuse_seconds = 0.1
    running(cluster, aware, task_id="t")
    plain = cluster.framework("plain", http=http, checkpoint=True)
    running(cluster, plain, task_id="t")
    aware.statuses.clear()
    plain.statuses.clear()
    node = cluster.agents[0]
    agent_id = node.id
    assert mark(cluster, agent_id) == (200, "")
    assert [told(status) for status in aware.statuses] == [("GONE_BY_OPERATOR", "SLAVE_REMOVED_BY_OPERATOR", GONE)]
    assert [told(status) for status in plain.statuses] == [("LOST", "SLAVE_REMOVED", GONE)]
    assert aware.lost_agents == plain.lost_agents == [agent_id]
    cluster.advance(10)
    assert agent_id not in cluster.master.state.agents
    assert all(program.termination for program in node.runtime.programs.values())
    aware.statuses.clear()
    aware.reconcile(("t", agent_id))
    cluster.settle()
    assert [told(status) for status in aware.statuses] == [
        ("GONE_BY_OPERATOR", "RECONCILIATION", "Reconciliation: Task is gone")
    ]


def test_marking_twice_is_fine_and_unknown_agents_are_not(cluster: Cluster) -> None:
    """As recorded."""
    agent_id = cluster.agents[0].id
    assert mark(cluster, agent_id) == (200, "")
    assert mark(cluster, agent_id) == (200, "")
    assert mark(cluster, "nope") == (404, "Agent 'nope' not found")


def test_a_gone_agent_that_was_away_is_shut_down_when_it_returns(make_cluster: Callable[..., Cluster]) -> None:
    """Also after a failover: the registry knows it. What ran on it ends."""
    cluster = make_cluster()
    framework = cluster.framework("f", capabilities=AWARE, checkpoint=True, failover_timeout=1e6)
    running(cluster, framework, task_id="t")
    node = cluster.agents[0]
    agent_id = node.id
    node.freeze()
    cluster.advance(100)
    assert agent_id in cluster.master.state.unreachable_agents
    assert mark(cluster, agent_id) == (200, "")
    assert agent_id not in cluster.master.state.unreachable_agents
    cluster.master.restart()
    cluster.advance(5)
    assert list(cluster.master.state.gone_agents) == [agent_id]
    node.thaw()
    cluster.advance(200)
    assert agent_id not in cluster.master.state.agents
    assert all(program.termination for program in node.runtime.programs.values())
