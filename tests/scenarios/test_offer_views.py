"""What is said of offers without asking an allocator: excluded agents, and other people's allocators."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from messor.cli.why import describe
from messor.protos import v0_scheduler
from messor.simulation.cluster import Cluster
from messor.wire.json_codec import from_dict

BARE = {"allocator": "support.bare_allocator:BareAllocator"}


def ask(cluster: Cluster, path: str) -> tuple[int, str]:
    """Ask the master."""
    reply = cluster.ask("GET", path)
    return reply.status, reply.body.decode()


def why(cluster: Cluster, question: str) -> tuple[Any, str]:
    """Ask why; gives the answer and its text for people."""
    status, body = ask(cluster, f"/allocator/why?{question}")
    assert status == 200, body
    return json.loads(body), "\n".join(describe(json.loads(body)))


@pytest.fixture
def bare(make_cluster: Callable[..., Cluster]) -> Cluster:
    """Give a cluster whose allocator cannot be asked anything."""
    return make_cluster(agents=2, master_flags=BARE)


@pytest.mark.parametrize("flags", [{}, BARE], ids=["ours", "another"])
@pytest.mark.parametrize("path", ["/allocator/offer_constraints_debug", "/master/allocator/offer_constraints_debug"])
def test_agents_that_constraints_exclude_are_listed_by_role(
    make_cluster: Callable[..., Cluster], path: str, flags: dict[str, Any]
) -> None:
    """With what was suppressed, for every framework; below the master's name and at the root (U13)."""
    cluster = make_cluster(agents=3, master_flags=flags)
    plain = cluster.framework("plain")
    choosy = cluster.framework("choosy", http=True, roles=["a", "b"])
    condition = {
        "selector": {"pseudoattribute_type": "HOSTNAME"},
        "predicate": {"text_matches": {"regex": "agent-[12]"}},
    }
    call = v0_scheduler.Call(type=v0_scheduler.Call.UPDATE_FRAMEWORK)
    call.framework_id.value = choosy.framework_id
    call.update_framework.framework_info.CopyFrom(choosy.info)
    call.update_framework.suppressed_roles.append("b")
    wanted = {"role_constraints": {"a": {"groups": [{"attribute_constraints": [condition]}]}}}
    call.update_framework.offer_constraints.CopyFrom(from_dict(wanted, v0_scheduler.OfferConstraints))
    choosy.call(call)
    cluster.settle()
    status, body = ask(cluster, path)
    assert status == 200
    assert json.loads(body) == {
        "frameworks": {
            plain.framework_id: {"suppressed_roles": [], "excluded_by_attribute_constraints": {"*": []}},
            choosy.framework_id: {
                "suppressed_roles": ["b"],
                "excluded_by_attribute_constraints": {"a": [cluster.agents[2].id], "b": []},
            },
        }
    }


def test_another_allocator_allocates(bare: Cluster) -> None:
    """The interface is all a master needs."""
    framework = bare.framework()
    bare.run_until(lambda: len(framework.offers) == 2)
    framework.decline(0.0)
    bare.run_until(lambda: not framework.offers)
    bare.run_until(lambda: len(framework.offers) == 2)


def test_what_the_master_sees_is_told_where_the_allocator_cannot_be_asked(bare: Cluster) -> None:
    """Who holds the offers; and that the rest is up to the allocator, by its name."""
    hoarder = bare.framework("hoarder")
    bare.run_until(lambda: len(hoarder.offers) == 2)
    late = bare.framework("late", roles=["web"])
    bare.advance(12)
    answer, text = why(bare, "about=late")
    assert answer["counts"] == {"offered": 0, "not offered": 0, "taken": 2}
    held = answer["verdicts"][0]["reasons"][0]
    assert held["code"] == "offered_to_other"
    assert held["facts"]["framework"] == hoarder.framework_id
    assert held["facts"]["seconds"] > 11
    assert "Allocator 'support.bare_allocator:BareAllocator' decides who is offered what and cannot be asked" in text
    assert "It holds 0 offers." in text
    assert "round" not in text.lower()
    answer, text = why(bare, "about=hoarder")
    assert answer["counts"]["offered"] == 2
    assert "The framework has held an offer of" in text
    hoarder.decline(600.0)
    bare.settle()
    late.suppress()
    bare.settle()
    answer, text = why(bare, f"role=web&agent={bare.agents[0].id}")
    assert answer["reasons"] == {"suppressed": 1, "up_to_allocator": 1}
    assert answer["verdicts"][0]["outcome"] == "not offered"
    assert "is free: whether and when it is offered is up to the allocator" in text


def test_agents_and_schedulers_that_do_not_take_part_are_told(bare: Cluster) -> None:
    """The master knows them whatever the allocator does."""
    framework = bare.framework("shop", failover_timeout=600)
    body = {"type": "DEACTIVATE_AGENT", "deactivate_agent": {"agent_id": {"value": bare.agents[0].id}}}
    assert bare.ask("POST", "/api/v1", json.dumps(body).encode()).status == 200
    bare.hosts["framework-1"].kill()
    bare.advance(3)
    text = why(bare, "about=shop")[1]
    assert "Nothing of the agent is offered: an operator deactivated it" in text
    assert "The framework is offered nothing: its scheduler is disconnected" in text
    assert framework.framework_id in text


def test_tasks_are_described_under_any_allocator(bare: Cluster) -> None:
    """Where they stand is the master's to tell."""
    framework = bare.framework("shop")
    task = framework.launch("sleep 1000")
    bare.run_until(lambda: "RUNNING" in framework.states(task))
    answer, text = why(bare, f"task={task}")
    assert answer["task"]["state"] == "TASK_RUNNING"
    assert "is used by the framework" in text
    answer, _ = why(bare, "task=none")
    assert answer["task"]["where"] == "unknown"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/allocator/shares", 501, "cannot be asked"),
        ("/allocator/fit?role=a&resources=cpus:1", 501, "cannot be asked"),
        ("/allocator/why", 400, "Expecting one of the query parameters"),
        ("/allocator/why?about=nobody", 404, "There is no framework, task or role 'nobody'"),
        ("/allocator/why?role=a&agent=none", 404, "No agent 'none' is registered"),
        ("/allocator/why?role=a&limit=x", 400, "Expecting 'limit'"),
    ],
)
def test_what_cannot_be_told_is_refused_with_a_sentence(bare: Cluster, path: str, status: int, text: str) -> None:
    """And not with the 404 of a path nobody knows."""
    got, body = ask(bare, path)
    assert got == status
    assert text in body
