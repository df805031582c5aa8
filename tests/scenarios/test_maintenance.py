"""Maintenance as operators plan it and frameworks hear of it, in the words of the recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from messor.protos import v0_scheduler
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import HttpScheduler
from support.clusters import running

MACH1 = {"hostname": "mach1", "ip": "10.0.0.1"}
START = {"nanoseconds": 1900000000000000000}
HOUR = {"nanoseconds": 3600000000000}
MACH1_TEXT = 'Machine \'{"hostname":"mach1","ip":"10.0.0.1"}\''


def ask(cluster: Cluster, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Ask an old endpoint."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    reply = cluster.ask(method, path, data)
    return reply.status, reply.body.decode()


def call(cluster: Cluster, kind: str, **body: Any) -> Any:
    """Make an operator call."""
    request = {"type": kind, **({kind.lower(): body} if body else {})}
    reply = cluster.ask("POST", "/api/v1", json.dumps(request).encode())
    return reply.status, json.loads(reply.body) if reply.body.startswith(b"{") else reply.body.decode()


def window(*machines: dict[str, str], **unavailability: Any) -> dict[str, Any]:
    """Make a window."""
    return {"machine_ids": list(machines), "unavailability": {"start": START, "duration": HOUR, **unavailability}}


def plan(cluster: Cluster, *windows: dict[str, Any]) -> tuple[int, str]:
    """Replace the schedule."""
    return ask(cluster, "POST", "/maintenance/schedule", {"windows": list(windows)})


def here(cluster: Cluster) -> dict[str, str]:
    """Name the machine of the first agent."""
    agent = cluster.master.state.agents[cluster.agents[0].id]
    return {"hostname": agent.hostname.upper(), "ip": agent.pid.ip}


def test_a_machine_s_way_down_and_up(cluster: Cluster) -> None:
    """Scheduled, draining, down, up: shown as recorded."""
    assert ask(cluster, "GET", "/maintenance/schedule") == (200, "{}")
    assert ask(cluster, "GET", "/maintenance/status") == (200, "{}")
    assert plan(cluster, window(MACH1, {"hostname": "two"})) == (200, "")
    shown = (
        '{"windows":[{"machine_ids":[{"hostname":"mach1","ip":"10.0.0.1"},{"hostname":"two"}],"unavailability":'
        '{"duration":{"nanoseconds":3600000000000},"start":{"nanoseconds":1900000000000000000}}}]}'
    )
    assert ask(cluster, "GET", "/maintenance/schedule") == (200, shown)
    status = '{"draining_machines":[{"id":{"hostname":"mach1","ip":"10.0.0.1"}},{"id":{"hostname":"two"}}]}'
    assert ask(cluster, "GET", "/maintenance/status") == (200, status)
    assert ask(cluster, "POST", "/machine/down", [MACH1]) == (200, "")
    status = '{"down_machines":[{"hostname":"mach1","ip":"10.0.0.1"}],"draining_machines":[{"id":{"hostname":"two"}}]}'
    assert ask(cluster, "GET", "/maintenance/status") == (200, status)
    why = f"{MACH1_TEXT} is deactivated and cannot be removed from the schedule"
    assert plan(cluster) == (400, why)
    assert ask(cluster, "POST", "/machine/up", [MACH1]) == (200, "")
    assert ask(cluster, "POST", "/machine/up", [MACH1]) == (
        400,
        f"{MACH1_TEXT} is not in DOWN mode and cannot be brought up",
    )
    assert call(cluster, "GET_MAINTENANCE_STATUS")[1]["get_maintenance_status"] == {
        "status": {"draining_machines": [{"id": {"hostname": "two"}}]}
    }
    assert plan(cluster) == (200, "")
    assert call(cluster, "GET_MAINTENANCE_SCHEDULE")[1]["get_maintenance_schedule"] == {"schedule": {}}


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        ([window(MACH1), window(MACH1)], f"{MACH1_TEXT} appears more than once in the schedule"),
        ([window()], "List of machines in the maintenance window is empty"),
        ([window({})], "Both 'hostname' and 'ip' for a machine are empty"),
        ([window({"hostname": "h"}, duration={"nanoseconds": -5})], "Unavailability 'duration' is negative"),
    ],
)
def test_a_bad_schedule_is_refused_in_the_recorded_words(cluster: Cluster, windows: list[Any], why: str) -> None:
    """With 400, and it changes nothing."""
    assert plan(cluster, *windows) == (400, why)
    assert ask(cluster, "GET", "/maintenance/schedule") == (200, "{}")


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/maintenance/schedule", b"x", "syntax error at line 1 near: x"),
        ("/machine/down", [], "List of machines is empty"),
        (
            "/machine/down",
            [{"hostname": "unknown"}],
            'Machine \'{"hostname":"unknown"}\' is not part of a maintenance schedule',
        ),
        (
            "/machine/up",
            [{"hostname": "two"}],
            'Machine \'{"hostname":"two"}\' is not in DOWN mode and cannot be brought up',
        ),
    ],
)
def test_bad_requests_are_refused_in_the_recorded_words(cluster: Cluster, path: str, body: Any, why: str) -> None:
    """With 400."""
    plan(cluster, window({"hostname": "two"}))
    assert ask(cluster, "POST", path, body) == (400, why)


def test_frameworks_are_asked_to_leave_and_their_answers_shown(cluster: Cluster) -> None:
    """Offers say when the agent goes; who holds something of it gets one inverse offer and may answer."""
    framework = cluster.framework(http=True, name="stays")
    assert isinstance(framework, HttpScheduler)
    framework.launch("sleep 1000", task_id="t", cpus=1)
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    assert plan(cluster, window(here(cluster))) == (200, "")
    cluster.run_until(lambda: any(offer.HasField("unavailability") for offer in framework.offers.values()))
    cluster.run_until(lambda: framework.inverse_offers)
    assert list(framework.inverse_offers) == list(cluster.master.state.inverse_offers)
    assert not framework.inverse_offers.popitem()[1].resources
    ((offer_id, record),) = cluster.master.state.inverse_offers.items()
    assert (record.framework_id, record.agent_id) == (framework.framework_id, cluster.agents[0].id)
    answer = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT_INVERSE_OFFERS)
    answer.framework_id.value = framework.framework_id
    answer.accept_inverse_offers.inverse_offer_ids.add(value=offer_id)
    answer.accept_inverse_offers.filters.refuse_seconds = 1000
    framework.call(answer)
    cluster.settle()
    (machine,) = call(cluster, "GET_MAINTENANCE_STATUS")[1]["get_maintenance_status"]["status"]["draining_machines"]
    (status,) = machine["statuses"]
    assert (status["status"], status["framework_id"]["value"]) == ("ACCEPT", framework.framework_id)
    cluster.advance(5)
    assert not cluster.master.state.inverse_offers, "it does not want to hear of it again"


def asked(cluster: Cluster, **options: Any) -> HttpScheduler:
    """Give a framework with a task on a machine it is asked to leave."""
    framework = cluster.framework(http=True, **options)
    assert isinstance(framework, HttpScheduler)
    running(cluster, framework, task_id="t")
    plan(cluster, window(here(cluster)))
    cluster.run_until(lambda: framework.inverse_offers)
    return framework


def test_an_inverse_offer_ends_with_the_plan(cluster: Cluster) -> None:
    """RESCIND_INVERSE_OFFER; and a changed plan is told anew."""
    framework = asked(cluster)
    first = set(framework.inverse_offers)
    plan(cluster, window(here(cluster), start={"nanoseconds": 1950000000000000000}))
    cluster.run_until(lambda: framework.inverse_offers and not first & set(framework.inverse_offers))
    (offer,) = framework.inverse_offers.values()
    assert offer.unavailability.start.nanoseconds == 1950000000000000000
    plan(cluster)
    cluster.advance(3)
    assert framework.inverse_offers == {}
    assert cluster.master.state.inverse_offers == {}


def test_an_inverse_offer_ends_with_the_connection_of_its_agent(cluster: Cluster) -> None:
    """The framework is asked again when the agent is back."""
    framework = asked(cluster, checkpoint=True)
    first = set(framework.inverse_offers)
    cluster.agents[0].kill()
    cluster.run_until(lambda: not framework.inverse_offers)
    cluster.agents[0].start()
    cluster.run_until(lambda: framework.inverse_offers)
    assert not first & set(framework.inverse_offers)


def test_a_declined_inverse_offer_comes_again_after_its_filter(cluster: Cluster) -> None:
    """With the answer shown meanwhile."""
    framework = asked(cluster)
    (offer_id,) = framework.inverse_offers
    framework.inverse_offers.clear()
    answer = v0_scheduler.Call(type=v0_scheduler.Call.DECLINE_INVERSE_OFFERS)
    answer.framework_id.value = framework.framework_id
    answer.decline_inverse_offers.inverse_offer_ids.add(value=offer_id)
    answer.decline_inverse_offers.filters.refuse_seconds = 30
    framework.call(answer)
    cluster.advance(25)
    assert framework.inverse_offers == {}
    (machine,) = call(cluster, "GET_MAINTENANCE_STATUS")[1]["get_maintenance_status"]["status"]["draining_machines"]
    assert machine["statuses"][0]["status"] == "DECLINE"
    cluster.run_until(lambda: framework.inverse_offers, within=10)


def test_a_framework_that_comes_back_is_asked_again(cluster: Cluster) -> None:
    """Its new scheduler does not know what the old one was asked."""
    framework = asked(cluster, failover_timeout=1000, checkpoint=True)
    framework.resubscribes = False
    second = cluster.framework(http=True, failover_timeout=1000, framework_id=framework.framework_id)
    assert isinstance(second, HttpScheduler)
    cluster.run_until(lambda: second.inverse_offers)
    assert not set(framework.inverse_offers) & set(second.inverse_offers)
    assert set(second.inverse_offers) == set(cluster.master.state.inverse_offers)


def test_an_inverse_offer_times_out_like_an_offer(make_cluster: Callable[..., Cluster]) -> None:
    """--offer_timeout; then the framework is asked again."""
    cluster = make_cluster(master_flags={"offer_timeout": 5.0})
    framework = asked(cluster)
    first = set(framework.inverse_offers)
    cluster.run_until(lambda: framework.inverse_offers and not first & set(framework.inverse_offers), within=10)


def test_agents_of_a_machine_that_goes_down_are_shut_down_and_kept_out(cluster: Cluster) -> None:
    """Until it is brought up."""
    framework = cluster.framework(http=True)
    framework.launch("sleep 1000", task_id="t", cpus=1)
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    machine = here(cluster)
    plan(cluster, window(machine))
    assert call(cluster, "START_MAINTENANCE", machines=[machine])[0] == 200
    cluster.run_until(lambda: "LOST" in framework.states("t"))
    assert not cluster.master.state.agents
    cluster.advance(5)
    assert not cluster.agents[0].is_running
    cluster.agents[0].start()
    cluster.advance(20)
    assert not cluster.master.state.agents
    assert call(cluster, "STOP_MAINTENANCE", machines=[machine])[0] == 200
    if not cluster.agents[0].is_running:
        cluster.agents[0].start()
    cluster.run_until(lambda: cluster.master.state.agents)


def test_plans_survive_the_master(cluster: Cluster) -> None:
    """The registry has them."""
    plan(cluster, window(MACH1, here(cluster)))
    ask(cluster, "POST", "/machine/down", [MACH1])
    before = ask(cluster, "GET", "/maintenance/schedule"), ask(cluster, "GET", "/maintenance/status")
    cluster.master.kill()
    cluster.master.start()
    cluster.run_until(lambda: cluster.agents[0].is_registered)
    assert (ask(cluster, "GET", "/maintenance/schedule"), ask(cluster, "GET", "/maintenance/status")) == before
    framework = cluster.framework(http=True)
    cluster.run_until(lambda: framework.offers)
    assert all(offer.HasField("unavailability") for offer in framework.offers.values())


def test_a_deactivated_agent_is_not_offered_until_it_is_reactivated(cluster: Cluster) -> None:
    """Offers of it are rescinded; a restart of the master changes nothing."""
    framework = cluster.framework(http=True)
    cluster.run_until(lambda: framework.offers)
    agent = {"agent_id": {"value": cluster.agents[0].id}}
    assert call(cluster, "REACTIVATE_AGENT", **agent) == (400, "Agent is not deactivated")
    assert call(cluster, "DEACTIVATE_AGENT", **agent)[0] == 200
    cluster.run_until(lambda: not framework.offers)
    cluster.master.kill()
    cluster.master.start()
    cluster.run_until(lambda: cluster.master.is_leading and cluster.master.state.agents)
    cluster.advance(5)
    assert not framework.offers
    assert call(cluster, "GET_AGENTS")[1]["get_agents"]["agents"][0]["deactivated"] is True
    assert call(cluster, "REACTIVATE_AGENT", **agent)[0] == 200
    cluster.run_until(lambda: framework.offers)


def test_unknown_agents_cannot_be_deactivated(cluster: Cluster) -> None:
    """In the recorded words."""
    assert call(cluster, "DEACTIVATE_AGENT", agent_id={"value": "nope"}) == (400, "Unknown agent")
