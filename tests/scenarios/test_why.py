"""Asking a simulated master why: frameworks, roles and tasks in their situations."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from messor.cli.fit import describe as fit_lines
from messor.cli.why import describe
from messor.simulation.cluster import Cluster


def get(cluster: Cluster, path: str, status: int = 200) -> Any:
    """Ask the master."""
    reply = cluster.ask("GET", path)
    assert reply.status == status, reply.body
    return json.loads(reply.body) if status == 200 else reply.body.decode()


def why(cluster: Cluster, question: str) -> tuple[Any, str]:
    """Ask why; gives the answer and its text for people."""
    answer = get(cluster, f"/master/allocator/why?{question}")
    return answer, "\n".join(describe(answer))


def test_a_framework_hears_that_another_holds_the_offers_and_since_when(cluster: Cluster) -> None:
    """The classic question of who gets no offers."""
    hoarder = cluster.framework("hoarder")
    cluster.run_until(lambda: hoarder.offers)
    late = cluster.framework("late")
    cluster.advance(12)
    answer, text = why(cluster, "about=late")
    (verdict,) = answer["verdicts"]
    assert (verdict["outcome"], verdict["framework"]) == ("taken", late.framework_id)
    held = next(one for one in verdict["reasons"] if one["code"] == "offered_to_other")
    assert held["facts"]["framework"] == hoarder.framework_id
    assert held["facts"]["seconds"] > 11
    assert f"is offered to framework 'hoarder' ({hoarder.framework_id})" in text
    assert "It was never offered anything here and holds 0 offers." in text
    assert "It finds nothing free on 1 agent" in text


def test_a_decline_is_told_with_the_seconds_left(cluster: Cluster) -> None:
    """And is gone when they are over."""
    framework = cluster.framework("shop")
    cluster.run_until(lambda: framework.offers)
    framework.decline(60.0)
    cluster.advance(20)
    answer, text = why(cluster, f"framework={framework.framework_id}")
    (verdict,) = answer["verdicts"]
    (refused,) = [one for one in verdict["reasons"] if one["code"] == "refused"]
    assert 38 < refused["facts"]["seconds_left"] < 41
    assert "The framework refused" in text
    framework.revive()
    cluster.run_until(lambda: framework.offers)
    answer, text = why(cluster, f"framework={framework.framework_id}")
    assert answer["counts"] == {"offered": 1, "not offered": 0, "taken": 0, "next": 0}
    assert "It holds an offer of 1 agent" in text


def test_suppression_and_disconnection_are_told(cluster: Cluster) -> None:
    """What a framework did, and what became of its scheduler."""
    framework = cluster.framework("shop", http=True, failover_timeout=600)
    cluster.run_until(lambda: framework.offers)
    framework.decline(0.0)
    framework.suppress()
    cluster.advance(3)
    assert "suppressed offers for role '*'" in why(cluster, "about=shop")[1]
    cluster.hosts["framework-1"].kill()
    cluster.advance(3)
    assert "The framework is offered nothing: its scheduler is disconnected" in why(cluster, "role=*")[1]


def test_an_agent_that_is_cut_off_is_told(make_cluster: Callable[..., Cluster]) -> None:
    """In the framework's words: it is disconnected."""
    cluster = make_cluster(agents=2)
    cluster.framework("shop", declines=True)
    cluster.advance(2)
    cluster.agents[0].kill()
    cluster.advance(3)
    answer, _ = why(cluster, f"about=shop&agent={cluster.agents[0].id}")
    (verdict,) = answer["verdicts"]
    assert "Nothing of the agent is offered: it is disconnected from the master" in [
        one["text"] for one in verdict["reasons"]
    ]
    cluster.agents[0].start()
    cluster.advance(30)


def test_a_drained_agent_is_told_to_those_who_miss_its_offers(cluster: Cluster) -> None:
    """It was an operator's decision."""
    framework = cluster.framework("shop")
    cluster.run_until(lambda: framework.offers)
    call = {"type": "DRAIN_AGENT", "drain_agent": {"agent_id": {"value": cluster.agents[0].id}}}
    assert cluster.ask("POST", "/api/v1", json.dumps(call).encode()).status == 200
    cluster.advance(5)
    answer, text = why(cluster, "about=shop")
    assert answer["counts"]["not offered"] == 1
    assert "Nothing of the agent is offered: an operator drained it, until REACTIVATE_AGENT" in text


def test_a_running_task_a_finished_one_and_an_unknown_one(cluster: Cluster) -> None:
    """State, last status, and what to do about one that never was."""
    framework = cluster.framework("shop", http=True, checkpoint=True)
    framework.launch("sleep 1000", task_id="runs")
    cluster.run_until(lambda: "RUNNING" in framework.states("runs"))
    framework.launch("exit 3", task_id="fails")
    cluster.run_until(lambda: "FAILED" in framework.states("fails"))
    cluster.settle()
    answer, text = why(cluster, "about=runs")
    assert answer["task"]["state"] == "TASK_RUNNING"
    assert "is TASK_RUNNING; it was launched" in text
    answer, text = why(cluster, "task=fails")
    assert (answer["task"]["state"], answer["task"]["where"]) == ("TASK_FAILED", "completed")
    assert "Last status: TASK_FAILED" in text
    answer, text = why(cluster, f"task=never&framework={framework.framework_id}")
    assert (answer["task"]["state"], answer["task"]["where"]) == (None, "unknown")
    assert "No framework has or had a task 'never'" in text
    assert [one["id"] for one in answer["frameworks"]] == [framework.framework_id]
    assert "No framework subscribes to role 'nobody'" in why(cluster, "role=nobody")[1]


@pytest.mark.parametrize(
    ("question", "status", "text"),
    [
        ("about=nothing-like-it", 404, "There is no framework, task or role 'nothing-like-it'"),
        ("framework=f", 404, "There is no framework 'f'"),
        ("", 400, "Expecting one of the query parameters"),
        ("role=a&framework=b", 400, "Expecting one of the query parameters"),
        ("role=a%20b", 400, "Role component 'a b' is invalid"),
        ("role=*&limit=0", 400, "Expecting 'limit' to be a positive whole number, not '0'"),
        ("role=*&agent=S7", 404, "No agent 'S7' is registered"),
    ],
)
def test_bad_questions_are_answered_with_what_is_wrong(cluster: Cluster, question: str, status: int, text: str) -> None:
    """Never with an empty answer."""
    assert text in get(cluster, f"/allocator/why?{question}", status)


def set_quota(cluster: Cluster, role: str, **parts: dict[str, float]) -> None:
    """Set a role's quota through the operator API, over its consumption if need be."""
    config = {
        "role": role,
        **{part: {name: {"value": value} for name, value in of.items()} for part, of in parts.items()},
    }
    call = {"type": "UPDATE_QUOTA", "update_quota": {"force": True, "quota_configs": [config]}}
    reply = cluster.ask("POST", "/api/v1", json.dumps(call).encode())
    assert reply.status == 200, reply.body


def test_a_quota_s_limit_and_others_guarantees_are_told_in_numbers(cluster: Cluster) -> None:
    """Of a role that may have nothing, and of one that must leave room for another."""
    framework = cluster.framework("shop", roles=["web"])
    cluster.run_until(lambda: framework.offers)
    total = get(cluster, "/allocator/shares")["total"]
    set_quota(cluster, "web", limits=dict.fromkeys(total, 0.0))
    framework.decline(0.0)
    cluster.advance(3)
    answer, text = why(cluster, "about=shop")
    assert answer["counts"]["not offered"] == 1
    assert "of its limit of 0 cpus" in text
    assert "of at most 0 cpus" in text
    set_quota(cluster, "web")
    set_quota(cluster, "db", guarantees=total, limits=total)
    cluster.advance(3)
    framework.decline(0.0)
    cluster.advance(3)
    _, text = why(cluster, "about=shop")
    assert "of what is free in the cluster is held back for the guarantees of role 'db'" in text
    (shares,) = [one for one in get(cluster, "/allocator/shares")["roles"] if one["role"] == "web"]
    assert shares["quota"] is None


def test_shares_show_roles_frameworks_and_what_they_hold(cluster: Cluster) -> None:
    """Numbers for top and record."""
    framework = cluster.framework("shop", roles=["web"])
    cluster.run_until(lambda: framework.offers)
    shares = get(cluster, "/allocator/shares")
    (role,) = [one for one in shares["roles"] if one["role"] == "web"]
    assert (role["share"], role["weight"], role["quota"], role["offers"]) == (1.0, 1.0, None, 1)
    assert role["held"] == role["offered"]
    assert role["held"]["cpus"] == shares["total"]["cpus"]
    assert [(one["name"], one["share"]) for one in role["frameworks"]] == [("shop", 1.0)]


def test_fit_tells_now_from_ever(cluster: Cluster) -> None:
    """What is offered is not free now; what no agent has never is."""
    framework = cluster.framework("shop")
    cluster.run_until(lambda: framework.offers)
    answer = get(cluster, "/allocator/fit?resources=cpus:1%3Bmem:64&count=2")
    assert (answer["fits_now"], answer["fits_ever"]) == (False, True)
    assert fit_lines(answer)[0].startswith("Not now: 2 × cpus:1; mem:64 for role '*' would fit")
    answer = get(cluster, "/allocator/fit?resources=cpus:1000")
    assert (answer["fits_now"], answer["fits_ever"]) == (False, False)
    assert "cpus for the role, not 1000" in answer["agents"][0]["lacks"]
    assert "Expecting the query parameter 'resources'" in get(cluster, "/allocator/fit", 400)
