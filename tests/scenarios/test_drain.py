"""Agents that drain (N4, N6), in the words of the recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from messor.protos import internal, v0
from messor.simulation.cluster import Cluster
from support.clusters import AWARE, reason, running

KILLING = ("partition_aware", "task_killing_state")


def call(cluster: Cluster, kind: str, **body: Any) -> tuple[int, Any]:
    """Make an operator call."""
    request = {"type": kind, **({kind.lower(): body} if body else {})}
    reply = cluster.ask("POST", "/api/v1", json.dumps(request).encode())
    cluster.settle()
    return reply.status, json.loads(reply.body) if reply.body.startswith(b"{") else reply.body.decode()


def drain(cluster: Cluster, **options: Any) -> tuple[int, Any]:
    """Make DRAIN_AGENT for the only agent."""
    return call(cluster, "DRAIN_AGENT", agent_id={"value": cluster.agents[0].id}, **options)


def shown(cluster: Cluster) -> Any:
    """Give the only agent as GET_AGENTS shows it."""
    (agent,) = call(cluster, "GET_AGENTS")[1]["get_agents"]["agents"]
    return agent


@pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])
def test_a_draining_agent_kills_its_tasks_and_says_why(cluster: Cluster, *, http: bool) -> None:
    """TASK_KILLED with the reason; then it is drained, out of the offers until it is put back."""
    framework = cluster.framework("f", http=http, capabilities=KILLING, checkpoint=True)
    running(cluster, framework, task_id="t")
    assert drain(cluster, max_grace_period={"seconds": 2}) == (200, "")
    assert framework.offers == {}
    agent = shown(cluster)
    assert (agent["active"], agent["deactivated"]) == (False, True)
    assert agent["drain_info"]["config"] == {"max_grace_period": {"nanoseconds": 2000000000}, "mark_gone": False}
    assert agent["estimated_drain_start_time"]["nanoseconds"] % 10**9 == 0
    cluster.advance(10)
    assert framework.states("t")[-1] == "KILLED"
    assert reason(framework.last("t")) == "SLAVE_DRAINING"
    assert shown(cluster)["drain_info"]["state"] == "DRAINED"
    slaves = json.loads(cluster.ask("GET", "/slaves").body)["slaves"]
    assert slaves[0]["drain_info"]["state"] == "DRAINED"
    assert slaves[0]["estimated_drain_start_time_seconds"] > 0
    cluster.advance(10)
    assert framework.offers == {}
    assert call(cluster, "REACTIVATE_AGENT", agent_id={"value": cluster.agents[0].id}) == (200, "")
    assert "drain_info" not in shown(cluster)
    running(cluster, framework, task_id="again")
    framework.kill("again")
    cluster.run_until(lambda: "KILLED" in framework.states("again"))
    assert reason(framework.last("again")) != "SLAVE_DRAINING"


def test_draining_outlives_an_executors_broken_connection(cluster: Cluster) -> None:
    """The kill that was lost with it is repeated when the executor is back, not when the operator asks again."""
    framework = cluster.framework("f", http=True, capabilities=AWARE, checkpoint=True)
    running(cluster, framework, task_id="t", executor="v1-executor")
    (host,) = [host for name, host in cluster.hosts.items() if name.startswith("executor-")]
    cluster.network.reset_http(host)
    drain(cluster)
    cluster.advance(30)
    assert shown(cluster)["drain_info"]["state"] == "DRAINED"


def test_an_agent_that_restarts_goes_on_draining_without_a_master(cluster: Cluster) -> None:
    """It was killed before its executor heard; nobody leads for the moment."""
    framework = cluster.framework("f", http=True, capabilities=AWARE, checkpoint=True, failover_timeout=1e6)
    running(cluster, framework, task_id="t", executor="v0-executor")
    cluster.network.drop(internal.KillTaskMessage)
    drain(cluster)
    cluster.master.kill()
    cluster.agents[0].restart()
    cluster.advance(20)
    (executor,) = [executor for _, executor in cluster.agents[0].actor.tables.executors()]
    assert list(executor.terminated) == ["t"]
    cluster.master.start()
    cluster.run_until(lambda: "KILLED" in framework.states("t"), within=120)
    assert reason(framework.last("t")) == "SLAVE_DRAINING"


def test_a_launch_that_reaches_a_draining_agent_is_refused(cluster: Cluster) -> None:
    """The master offers nothing of it, but a launch may have been on its way."""
    framework = cluster.framework("f", http=True, capabilities=AWARE, checkpoint=True)
    running(cluster, framework, "trap '' TERM; sleep 100000", task_id="t")
    held = framework.launch("sleep 100000", task_id="late")
    cluster.run_until(lambda: not framework.wanted)
    cluster.agents[0].actor.tables.drain_config = v0.DrainConfig()
    cluster.settle()
    assert framework.states(held) == ["DROPPED"]
    assert reason(framework.last(held)) == "SLAVE_DRAINING"


def test_draining_waits_for_acknowledgements(cluster: Cluster) -> None:
    """An update nobody acknowledged could get lost with the agent; meanwhile it cannot be put back."""
    framework = cluster.framework("f", http=True, capabilities=AWARE, checkpoint=True)
    running(cluster, framework, task_id="t")
    framework.acknowledges = False
    drain(cluster)
    cluster.advance(10)
    assert shown(cluster)["drain_info"]["state"] == "DRAINING"
    status, text = call(cluster, "REACTIVATE_AGENT", agent_id={"value": cluster.agents[0].id})
    assert (status, text) == (400, "Agent is still in the DRAINING state")
    framework.acknowledges = True
    cluster.advance(60)
    assert shown(cluster)["drain_info"]["state"] == "DRAINED"


def test_draining_goes_on_after_a_failover(cluster: Cluster) -> None:
    """The registry knows of it, and the agent is told again when it is back."""
    framework = cluster.framework("f", http=True, capabilities=AWARE, checkpoint=True, failover_timeout=1e6)
    running(cluster, framework, task_id="t")
    framework.acknowledges = False
    drain(cluster)
    cluster.master.restart()
    framework.acknowledges = True
    cluster.run_until(lambda: cluster.master.state.agents, within=100)
    cluster.advance(120)
    assert framework.states("t")[-1] == "KILLED"
    assert shown(cluster)["drain_info"]["state"] == "DRAINED"
    assert framework.offers == {}


def test_an_agent_can_be_gone_once_it_has_drained(make_cluster: Callable[..., Cluster]) -> None:
    """mark_gone: its tasks end as gone by the operator, then it ends itself."""
    cluster = make_cluster()
    framework = cluster.framework("f", http=True, capabilities=AWARE, checkpoint=True)
    running(cluster, framework, task_id="t")
    agent_id = cluster.agents[0].id
    assert drain(cluster, mark_gone=True) == (200, "")
    cluster.advance(15)
    assert framework.states("t")[-1] == "GONE_BY_OPERATOR"
    assert agent_id in cluster.master.state.gone_agents
    assert call(cluster, "GET_AGENTS")[1]["get_agents"] == {"agents": [], "recovered_agents": []}
    assert framework.lost_agents == [agent_id]


def test_an_empty_agent_has_drained_at_once(cluster: Cluster) -> None:
    """And a second order does no harm."""
    drain(cluster)
    cluster.advance(1)
    assert shown(cluster)["drain_info"]["state"] == "DRAINED"
    assert drain(cluster) == (200, "")
    cluster.advance(1)
    assert shown(cluster)["drain_info"]["state"] == "DRAINED"


def test_bad_orders_are_refused(cluster: Cluster) -> None:
    """In the recorded words where there are any."""
    assert call(cluster, "DRAIN_AGENT", agent_id={"value": "nope"}) == (400, "Unknown agent")
    assert drain(cluster, max_grace_period="-1s") == (
        400,
        "Failed to convert JSON into Call protobuf: Not expecting a JSON string for field 'max_grace_period'",
    )
    assert drain(cluster, max_grace_period={"seconds": -1})[0] == 400
    assert cluster.master.state.draining_agents == {}
    assert not shown(cluster)["deactivated"]


def test_an_agent_in_a_maintenance_schedule_is_not_drained(cluster: Cluster) -> None:
    """The two ways of emptying a machine would get in each other's way."""
    agent = cluster.master.state.agents[cluster.agents[0].id]
    machine = {"hostname": agent.hostname.upper(), "ip": agent.pid.ip}
    window = {"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 1}}}
    assert call(cluster, "UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": [window]})[0] == 200
    named = f"{machine['hostname']} ({machine['ip']})"
    problem = f"Agent {agent.id} is part of a maintenance schedule under Machine {named}"
    assert drain(cluster) == (400, problem)
    assert call(cluster, "UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": []})[0] == 200
    assert drain(cluster) == (200, "")


def test_an_agent_without_the_capability_is_not_drained(make_cluster: Callable[..., Cluster]) -> None:
    """Old ones would go on as if nothing had been said."""
    cluster = make_cluster()
    agent = cluster.master.state.agents[cluster.agents[0].id]
    agent.capabilities = agent.capabilities - {v0.SlaveInfo.Capability.AGENT_DRAINING}
    assert drain(cluster) == (400, f"Agent {agent.id} is not capable of draining")
    assert not shown(cluster)["deactivated"]


def test_an_agent_that_is_being_marked_gone_is_not_drained(cluster: Cluster) -> None:
    """Whatever comes first happens."""
    agent_id = cluster.agents[0].id
    cluster.master.state.marking_gone.add(agent_id)
    assert drain(cluster) == (409, "Agent is currently being marked gone")
    cluster.master.state.marking_gone.discard(agent_id)


def test_an_agent_that_is_away_is_put_back_with_a_conflict(cluster: Cluster) -> None:
    """As the original does: the answer says that it is away, but it is no longer deactivated when it returns."""
    agent = cluster.agents[0]
    assert call(cluster, "DEACTIVATE_AGENT", agent_id={"value": agent.id}) == (200, "")
    agent_id = agent.id
    agent.kill()
    cluster.run_until(lambda: agent_id in cluster.master.state.unreachable_agents, within=200)
    assert call(cluster, "REACTIVATE_AGENT", agent_id={"value": agent_id}) == (
        409,
        "Agent removed while processing the call",
    )
    agent.start()
    cluster.run_until(lambda: agent_id in cluster.master.state.agents, within=200)
    assert not shown(cluster)["deactivated"]
