"""What operators see of a cluster, and what they do to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support.clusters import AWARE, running


def get(cluster: Cluster, path: str, *, agent: bool = False) -> Any:
    """Read a JSON endpoint."""
    reply = cluster.ask("GET", path, node=cluster.agents[0] if agent else None)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def call(cluster: Cluster, **fields: Any) -> Any:
    """Make an operator call."""
    reply = cluster.ask("POST", "/api/v1", json.dumps(fields).encode())
    assert reply.status in (200, 202), (reply.status, reply.body)
    return json.loads(reply.body) if reply.body else None


@pytest.fixture
def framework(cluster: Cluster) -> SimulatedScheduler:
    """Give a framework with one running and one finished task."""
    framework = cluster.framework("shop", http=True, checkpoint=True, capabilities=AWARE, failover_timeout=600)
    running(cluster, framework, task_id="runs", executor="v0-executor")
    framework.launch("exit 0", task_id="ended")
    cluster.run_until(lambda: "FINISHED" in framework.states("ended"))
    cluster.settle()
    return framework


def test_the_master_s_state_shows_tasks_where_they_are(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """Live ones and completed ones, resources and agents."""
    state = get(cluster, "/master/state")
    (shown,) = state["frameworks"]
    assert (shown["name"], shown["id"], shown["active"]) == ("shop", framework.framework_id, True)
    assert [(task["id"], task["state"]) for task in shown["tasks"]] == [("runs", "TASK_RUNNING")]
    assert [(task["id"], task["state"]) for task in shown["completed_tasks"]] == [("ended", "TASK_FINISHED")]
    (agent,) = state["slaves"]
    assert agent["id"] == cluster.agents[0].id
    assert agent["used_resources"]["cpus"] == 1.1
    assert state["activated_slaves"] == 1.0


def test_the_agent_s_state_shows_the_same_tasks(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """With their executors."""
    state = get(cluster, "/slave(1)/state", agent=True)
    (shown,) = state["frameworks"]
    assert shown["id"] == framework.framework_id
    (executor,) = shown["executors"]
    assert (executor["id"], [task["id"] for task in executor["tasks"]]) == ("v0-executor", ["runs"])
    assert [one["id"] for one in shown["completed_executors"]] == ["ended"]


def test_the_api_tells_what_the_endpoints_tell(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """GET_TASKS and /state are two spellings."""
    tasks = call(cluster, type="GET_TASKS")["get_tasks"]
    assert [task["task_id"]["value"] for task in tasks["tasks"]] == ["runs"]
    assert [task["task_id"]["value"] for task in tasks["completed_tasks"]] == ["ended"]
    agents = call(cluster, type="GET_AGENTS")["get_agents"]["agents"]
    assert [agent["agent_info"]["id"]["value"] for agent in agents] == [cluster.agents[0].id]
    frameworks = call(cluster, type="GET_FRAMEWORKS")["get_frameworks"]["frameworks"]
    assert [one["framework_info"]["id"]["value"] for one in frameworks] == [framework.framework_id]


def test_metrics_count_what_happened(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """One task ended well, one runs."""
    del framework
    metrics = get(cluster, "/metrics/snapshot")
    assert metrics["master/tasks_finished"] == 1
    assert metrics["master/tasks_running"] == 1
    assert metrics["master/slaves_active"] == 1
    assert metrics["master/frameworks_active"] == 1


def test_a_framework_is_torn_down_by_an_operator(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """Its executors end; its scheduler's stream too."""
    call(cluster, type="TEARDOWN", teardown={"framework_id": {"value": framework.framework_id}})
    framework.resubscribes = False
    cluster.advance(20)
    assert cluster.master.state.frameworks == {}
    assert all(program.termination for program in cluster.agents[0].runtime.programs.values())
    assert not framework.is_connected


def test_a_redirect_leads_to_the_master(cluster: Cluster) -> None:
    """Scheme-relative, as clients expect it (errata 4)."""
    reply = cluster.ask("GET", "/master/redirect")
    assert (reply.status, reply.headers["location"]) == (307, "//master:5050")
