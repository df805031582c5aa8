"""Amounts, roles, weights, volumes and offers that make no sense: told why, and the books are as they were."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messor.protos import v0, v0_scheduler
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import HttpScheduler, SimulatedScheduler
from messor.wire.json_codec import from_dict, to_dict
from support import builders
from support.clusters import told

CLAMPED = "-9.22337203685478e+15"
"""What amounts become that are too large for 64 bits of thousandths, as in the original."""
NOT_POSITIVE = "is invalid: Invalid scalar resource: value <= 0"
VOLUME = {"persistence": {"id": "v"}, "volume": {"mode": "RW", "container_path": "d"}}


def call(cluster: Cluster, kind: str, **body: Any) -> tuple[int, str]:
    """Make an operator call."""
    reply = cluster.ask("POST", "/api/v1", json.dumps({"type": kind, kind.lower(): body}).encode())
    cluster.settle()
    return reply.status, reply.body.decode()


def on_agent(cluster: Cluster, kind: str, **body: Any) -> tuple[int, str]:
    """Make an operator call about the only agent."""
    return call(cluster, kind, agent_id={"value": cluster.agents[0].id}, **body)


def reserved(amount: Any, name: str = "cpus", role: str = "op", **more: Any) -> dict[str, Any]:
    """Make a reserved resource, as JSON."""
    reservations = [{"type": "DYNAMIC", "role": role}]
    return {"name": name, "type": "SCALAR", "scalar": {"value": amount}, "reservations": reservations, **more}


def books(cluster: Cluster) -> tuple[Any, ...]:
    """Say what there is and who may have how much of it."""
    agent = cluster.master.state.agents[cluster.agents[0].id]
    asked = [cluster.ask("GET", path).body for path in ("/quota", "/weights", "/roles")]
    return str(agent.total), {str(offer.resources) for offer in cluster.master.state.offers.values()}, asked


@pytest.fixture
def settled(cluster: Cluster) -> Iterator[Cluster]:
    """Give a cluster in which a call is refused: afterwards everything is as before."""
    framework = cluster.framework("f", roles=["web"])
    cluster.run_until(lambda: framework.offers)
    before = books(cluster)
    yield cluster
    assert books(cluster) == before


# --- operators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        (-1, f"Resource 'cpus(reservations: [(DYNAMIC,op)]):-1' {NOT_POSITIVE}"),
        (0.0001, f"Resource 'cpus(reservations: [(DYNAMIC,op)]):0' {NOT_POSITIVE}"),
        (1e300, f"Resource 'cpus(reservations: [(DYNAMIC,op)]):{CLAMPED}' {NOT_POSITIVE}"),
        ("Infinity", f"Resource 'cpus(reservations: [(DYNAMIC,op)]):{CLAMPED}' {NOT_POSITIVE}"),
        ("NaN", "Failed to convert JSON into Call protobuf: Failed to parse 'NaN' as a JSON number for field 'value'"),
        ({}, "Failed to convert JSON into Call protobuf: Not expecting a JSON object for field 'value'"),
    ],
)
def test_amounts_that_cannot_be_reserved(settled: Cluster, amount: Any, why: str) -> None:
    """Negative, too small, too large, no numbers."""
    status, text = on_agent(settled, "RESERVE_RESOURCES", resources=[reserved(amount)])
    assert status == 400
    assert text.startswith(why)


def test_more_than_there_is_is_a_conflict(cluster: Cluster) -> None:
    """The offers that were taken back for it are made again."""
    framework = cluster.framework("f", roles=["web"])
    cluster.run_until(lambda: framework.offers)
    status, text = on_agent(cluster, "RESERVE_RESOURCES", resources=[reserved(1e15)])
    assert status == 409
    assert text.endswith(" does not contain cpus:1e+15")
    cluster.run_until(lambda: framework.offers)


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (reserved(1, role="*"), 'Invalid reservation: role "*" cannot be reserved'),
        (reserved(1, role="a b"), "Role component 'a b' is invalid because it contains backspace or whitespace"),
        (reserved(1, role="/x"), "Role '/x' cannot start with a slash"),
        (reserved(1, revocable={}), "cannot be created from revocable resources"),
        ({**reserved(1), "name": ""}, "Empty resource name"),
        ({**reserved(1), "type": "SET"}, "Invalid set resource"),
        ({"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}, "Resource cpus:1 is not dynamically reserved"),
    ],
)
def test_resources_that_cannot_be_reserved(settled: Cluster, resource: dict[str, Any], why: str) -> None:
    """Whose they would be and what they are."""
    status, text = on_agent(settled, "RESERVE_RESOURCES", resources=[resource])
    assert status == 400
    assert why in text


@pytest.mark.parametrize("weight", [0, -1, "Infinity", "-Infinity"])
def test_weights_that_are_none(settled: Cluster, weight: Any) -> None:
    """One that is endless would make all shares nothing."""
    status, text = call(settled, "UPDATE_WEIGHTS", weight_infos=[{"role": "web", "weight": weight}])
    assert status == 400
    assert text.endswith("Weights must be positive")


@pytest.mark.parametrize(
    ("quota", "why"),
    [
        ({"role": "q", "limits": {"cpus": {"value": -1}}}, "Negative values not supported"),
        ({"role": "q", "limits": {"cpus": {"value": "-Infinity"}}}, "Infinite values not supported"),
        ({"role": "q", "limits": {"cpus": {"value": 1e300}}}, "values greater than 1 trillion (1000000000000)"),
        ({"role": "q", "guarantees": {"cpus": {"value": 1000}}}, "exceed cluster capacity"),
        ({"role": "q", "guarantees": {"cpus": {"value": 2}}, "limits": {"cpus": {"value": 1}}}, "is not contained"),
        ({"role": "q/r", "limits": {"cpus": {"value": 1}}}, "nested role 'q/r' is not supported yet"),
    ],
)
def test_quotas_that_make_no_sense(settled: Cluster, quota: dict[str, Any], why: str) -> None:
    """One of several spoils the call."""
    good = {"role": "good", "limits": {"cpus": {"value": 1}}}
    status, text = call(settled, "UPDATE_QUOTA", quota_configs=[good, quota])
    assert status == 400
    assert why in text


def test_a_reservation_with_a_volume_stays_until_the_volume_is_gone(cluster: Cluster) -> None:
    """And one in use is not destroyed."""
    resources = [reserved(10, "disk", role="web")]
    volume = reserved(10, "disk", role="web", disk=VOLUME)
    assert on_agent(cluster, "RESERVE_RESOURCES", resources=resources)[0] == 202
    assert on_agent(cluster, "CREATE_VOLUMES", volumes=[volume])[0] == 202
    status, text = on_agent(cluster, "UNRESERVE_RESOURCES", resources=resources)
    assert status == 409
    assert text.endswith(" does not contain disk(reservations: [(DYNAMIC,web)]):10")
    status, text = on_agent(cluster, "UNRESERVE_RESOURCES", resources=[volume])
    assert status == 400
    assert "A dynamically reserved persistent volume" in text
    framework = cluster.framework("f", http=True, roles=["web"], capabilities=("multi_role", "reservation_refinement"))
    cluster.run_until(lambda: framework.offers)
    (offer,) = framework.offers.values()
    task = builders.task("t", agent_id=cluster.agents[0].id, role="*")
    task.resources.extend(one for one in offer.resources if one.disk.HasField("persistence"))
    framework.accept([offer.id.value], [task])
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    in_use = (400, "Invalid DESTROY operation: Persistent volumes in use")
    assert on_agent(cluster, "DESTROY_VOLUMES", volumes=[volume]) == in_use
    framework.kill("t")
    cluster.run_until(lambda: "KILLED" in framework.states("t"))
    cluster.settle()
    assert on_agent(cluster, "DESTROY_VOLUMES", volumes=[volume]) == (202, "")
    assert on_agent(cluster, "UNRESERVE_RESOURCES", resources=resources) == (202, "")


# --- frameworks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])
@pytest.mark.parametrize(
    ("amount", "why"),
    [
        (-1.0, f"Resource 'cpus:-1' {NOT_POSITIVE}"),
        (1e-9, f"Resource 'cpus:0' {NOT_POSITIVE}"),
        (1e300, f"Resource 'cpus:{CLAMPED}' {NOT_POSITIVE}"),
        (math.inf, f"Resource 'cpus:{CLAMPED}' {NOT_POSITIVE}"),
        (math.nan, f"Resource 'cpus:{CLAMPED}' {NOT_POSITIVE}"),
        (
            5.0,
            "Total resources cpus(allocated: *):5; mem(allocated: *):32 required by task and its executor is more than",
        ),
    ],
)
def test_tasks_with_amounts_that_cannot_be(cluster: Cluster, amount: float, why: str, *, http: bool) -> None:
    """Told to the framework; what was offered comes back whole."""
    framework = cluster.framework("f", http=http)
    cluster.run_until(lambda: framework.offers)
    ((offer_id, offer),) = framework.offers.items()
    task = builders.task("t", agent_id=cluster.agents[0].id)
    task.resources[0].scalar.value = amount
    framework.accept([offer_id], [task], refuse_seconds=0)
    cluster.run_until(lambda: framework.updates("t"))
    state, reason, message = told(framework.last("t"))
    assert (state, reason) == ("ERROR", "TASK_INVALID")
    assert message.startswith(why)
    cluster.run_until(lambda: framework.offers)
    (again,) = framework.offers.values()
    assert sorted(map(str, again.resources)) == sorted(map(str, offer.resources))


def two_roles(cluster: Cluster) -> tuple[SimulatedScheduler, list[v0.Offer]]:
    """Subscribe a framework with two roles and give it an offer for each."""
    framework = cluster.framework("f", http=True, roles=["a", "b"], capabilities=("multi_role", "partition_aware"))
    cluster.run_until(lambda: len(framework.offers) == 2)
    return framework, sorted(framework.offers.values(), key=lambda offer: offer.allocation_info.role)


def test_offers_of_two_roles_cannot_be_combined(make_cluster: Callable[..., Cluster]) -> None:
    """Both are given back, the task is dropped and the operation is told to have failed."""
    cluster = make_cluster(agents=2)
    framework, (first, second) = two_roles(cluster)
    assert {first.allocation_info.role, second.allocation_info.role} == {"a", "b"}
    task = builders.task("t", agent_id=first.slave_id.value)
    framework.accept([first.id.value, second.id.value], [task], refuse_seconds=0)
    cluster.run_until(lambda: framework.updates("t"))
    state, reason, message = told(framework.last("t"))
    assert (state, reason) == ("DROPPED", "INVALID_OFFERS")
    assert message == (
        "Task launched with invalid offers: Aggregated offers must be allocated to the same role."
        f" Offer {second.id.value} uses role 'b but another is using role 'a"
    )
    cluster.run_until(lambda: len(framework.offers) == 2)


@pytest.mark.parametrize("kind", ["limit", "dead"])
def test_an_operation_on_offers_that_are_gone_changes_nothing(cluster: Cluster, kind: str) -> None:
    """Taken back for a new limit, or used before."""
    framework = cluster.framework("f", http=True, roles=["web"], capabilities=("multi_role", "reservation_refinement"))
    cluster.run_until(lambda: framework.offers)
    (offer,) = list(framework.offers.values())
    if kind == "limit":
        limits = {"cpus": {"value": 0}, "mem": {"value": 0}, "disk": {"value": 0}}
        assert call(cluster, "UPDATE_QUOTA", quota_configs=[{"role": "web", "limits": limits}])[0] == 200
    else:
        framework.decline(refuse_seconds=1000)
        cluster.settle()
    before = str(cluster.master.state.agents[cluster.agents[0].id].total)
    operation = v0.Offer.Operation(type=v0.Offer.Operation.RESERVE)
    operation.id.value = "o"
    resource = operation.reserve.resources.add(name="cpus", type=v0.Value.SCALAR)
    resource.scalar.value = 1
    resource.allocation_info.role = "web"
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="web")
    framework.perform([offer.id.value], [operation])
    cluster.settle()
    assert str(cluster.master.state.agents[cluster.agents[0].id].total) == before
    assert not any(agent.operations for agent in cluster.master.state.agents.values())


@pytest.mark.parametrize(
    ("regex", "why"),
    [
        ("(", "Failed to construct regex from pattern '(': missing )"),
        ("(abcdefgh){20}", "is larger than maximum of"),
    ],
)
def test_expressions_that_cannot_be_or_are_too_large(cluster: Cluster, regex: str, why: str) -> None:
    """An update is refused and the framework is offered what it was offered before."""
    framework = cluster.framework("f", http=True, roles=["web"], capabilities=("multi_role",))
    assert isinstance(framework, HttpScheduler)
    cluster.run_until(lambda: framework.offers)
    condition = {"selector": {"pseudoattribute_type": "HOSTNAME"}, "predicate": {"text_matches": {"regex": regex}}}
    groups = {"role_constraints": {"web": {"groups": [{"attribute_constraints": [condition]}]}}}
    update = {"framework_info": to_dict(framework.info), "offer_constraints": groups}
    call = {"type": "UPDATE_FRAMEWORK", "framework_id": {"value": framework.framework_id}, "update_framework": update}
    framework.call(from_dict(call, v0_scheduler.Call))
    before = set(framework.offers)
    cluster.run_until(lambda: framework.refusals)
    ((kind, status, text),) = framework.refusals
    assert (kind, status) == ("UPDATE_FRAMEWORK", 400)
    assert why in text
    cluster.advance(5)
    assert set(framework.offers) == before
