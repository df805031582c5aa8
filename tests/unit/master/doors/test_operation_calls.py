"""Operators reserve and make volumes: statuses and sentences as recorded."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from messor.protos import internal, v0
from support.fakes import FakeAgent

TOTAL = "cpus:4;mem:4096;disk:10240"
ON = " operation on agent {agent} at slave(1)@10.0.0.2:5051 (10.0.0.2): "


def scalar(name: str, value: float, role: str = "op", **more: Any) -> dict[str, Any]:
    """Make a reserved scalar."""
    reserved = {"reservations": [{"type": "DYNAMIC", "role": role}], **more}
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **reserved}


def volume(size: float, **changes: Any) -> dict[str, Any]:
    """Make a volume."""
    info = {"persistence": {"id": "opv"}, "volume": {"mode": "RW", "container_path": "d"}}
    return scalar("disk", size, disk={**info, **changes})


CPUS, DISK = scalar("cpus", 0.25), scalar("disk", 64)
REFINED = scalar("cpus", 0.25) | {
    "reservations": [{"type": "DYNAMIC", "role": "op2"}, {"type": "DYNAMIC", "role": "op2/sub"}]
}
PLAIN = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}

STORY: list[tuple[str, dict[str, Any], int, str]] = [
    ("RESERVE_RESOURCES", {"resources": [CPUS, DISK]}, 202, ""),
    ("RESERVE_RESOURCES", {"resources": [scalar("cpus", 999)]}, 409, " does not contain cpus:999"),
    (
        "RESERVE_RESOURCES",
        {"resources": [PLAIN]},
        400,
        f"Invalid RESERVE{ON}Resource cpus:1 is not dynamically reserved",
    ),
    ("RESERVE_RESOURCES", {"source": [CPUS], "resources": [scalar("cpus", 0.25, "op2")]}, 202, ""),
    ("RESERVE_RESOURCES", {"resources": [REFINED]}, 202, ""),
    ("CREATE_VOLUMES", {"volumes": [volume(32)]}, 202, ""),
    ("CREATE_VOLUMES", {"volumes": [volume(32)]}, 400, f"Invalid CREATE{ON}Persistence ID 'opv' is not unique"),
    ("GROW_VOLUME", {"volume": volume(32), "addition": scalar("disk", 16)}, 202, ""),
    (
        "GROW_VOLUME",
        {"volume": volume(32), "addition": scalar("disk", 16)},
        409,
        " does not contain disk(reservations: [(DYNAMIC,op)])[opv:d]:32; disk(reservations: [(DYNAMIC,op)]):16",
    ),
    ("SHRINK_VOLUME", {"volume": volume(48), "subtract": {"value": 8}}, 202, ""),
    (
        "SHRINK_VOLUME",
        {"volume": volume(40), "subtract": {"value": 80}},
        400,
        (
            f"Invalid SHRINK_VOLUME{ON}Value of 'ShrinkVolume.subtract' must be smaller than the size of"
            " 'ShrinkVolume.volume'"
        ),
    ),
    ("UNRESERVE_RESOURCES", {"resources": [DISK]}, 409, " does not contain disk(reservations: [(DYNAMIC,op)]):64"),
    ("DESTROY_VOLUMES", {"volumes": [volume(40)]}, 202, ""),
    ("DESTROY_VOLUMES", {"volumes": [volume(40)]}, 400, "Invalid DESTROY operation: Persistent volumes not found"),
    ("UNRESERVE_RESOURCES", {"resources": [DISK]}, 202, ""),
    ("UNRESERVE_RESOURCES", {"resources": [REFINED]}, 202, ""),
    ("UNRESERVE_RESOURCES", {"resources": [DISK]}, 409, " does not contain disk(reservations: [(DYNAMIC,op)]):64"),
]
"""The recorded calls, one after the other, with status and (the end of) the text."""


def start_agent(cluster: Any) -> FakeAgent:
    """Start an agent of the present day: it has all capabilities."""
    agent: FakeAgent = cluster.agent(text=TOTAL)
    cluster.master.state.agents[agent.id].capabilities = frozenset(v0.SlaveInfo.Capability.Type.values())
    return agent


def test_the_recorded_calls_get_the_recorded_answers(cluster: Any) -> None:
    """In their order, each on what those before it left; at the end one refinement's parent is still reserved."""
    agent = start_agent(cluster)
    for kind, body, status, text in STORY:
        answer = cluster.operate({"type": kind, kind.lower(): {"agent_id": {"value": agent.id}, **body}})
        assert (answer.status, kind) == (status, kind), answer.body
        expected = text.format(agent=agent.id)
        found = bytes(answer.body).decode()
        assert found.endswith(expected) if status == 409 else found == expected
        cluster.world.settle()
    record = cluster.master.state.agents[agent.id]
    assert str(record.checkpointed) == "cpus(reservations: [(DYNAMIC,op2)]):0.25"
    assert record.total.to_unreserved() == record.total.of(record.info.resources)
    assert cluster.master.allocator.books.agents[agent.id].total == record.total


@pytest.mark.parametrize("kind", ["RESERVE_RESOURCES", "UNRESERVE_RESOURCES", "CREATE_VOLUMES", "DESTROY_VOLUMES"])
def test_an_unknown_agent_is_a_bad_request(cluster: Any, kind: str) -> None:
    """As recorded."""
    cluster.world.settle()
    answer = cluster.operate({"type": kind, kind.lower(): {"agent_id": {"value": "nope"}}})
    assert (answer.status, bytes(answer.body)) == (400, b"No agent found with specified ID")
    answer = cluster.operate({"type": kind})
    assert answer.status == 400
    assert bytes(answer.body).decode() == f"Failed to validate master::Call: Expecting '{kind.lower()}' to be present"


def told(agent: FakeAgent) -> list[str]:
    """Name the operations an agent was asked to apply."""
    return [
        v0.Offer.Operation.Type.Name(message.operation_info.type)
        for message in agent.received(internal.ApplyOperationMessage)
    ]


def post(cluster: Any, path: str, body: str) -> tuple[int, str]:
    """Post a form."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = cluster.ask(f"/master{path}", "POST", body.encode(), headers)
    return answer.status, bytes(answer.body).decode()


def test_the_older_endpoints_do_the_same(cluster: Any) -> None:
    """Forms with JSON in them, escaped or not, in the older format too (U8)."""
    agent = start_agent(cluster)
    both = json.dumps([CPUS, DISK])
    volumes = json.dumps([volume(64)])
    old = json.dumps([{**PLAIN, "role": "opr2", "reservation": {}}])
    for path, body in (
        ("/reserve", f"slaveId={agent.id}&resources={both}"),
        ("/reserve", f"slaveId={agent.id}&resources={quote(old)}"),
        ("/create-volumes", f"slaveId={agent.id}&volumes={volumes}"),
        ("/destroy-volumes", f"slaveId={agent.id}&volumes={volumes}"),
        ("/unreserve", f"slaveId={agent.id}&resources={both}"),
        ("/unreserve", f"slaveId={agent.id}&resources={old}"),
    ):
        assert post(cluster, path, body) == (202, "")
        cluster.world.settle()
    assert told(agent) == ["RESERVE", "RESERVE", "CREATE", "DESTROY", "UNRESERVE", "UNRESERVE"]
    assert not cluster.master.state.agents[agent.id].checkpointed


PARSING = "Error parsing '{0}' query parameter in the request body: "

FORMS = {
    ("/reserve", ""): "Missing 'slaveId' query parameter in the request body",
    ("/reserve", "resources=[]"): "Missing 'slaveId' query parameter in the request body",
    ("/reserve", "slaveId={agent}"): "Missing 'resources' query parameter in the request body",
    ("/create-volumes", "slaveId={agent}"): "Missing 'volumes' query parameter in the request body",
    ("/reserve", "slaveId=nope&resources=[]"): "No agent found with specified ID",
    ("/reserve", "slaveId={agent}&resources={{"): PARSING.format("resources") + "syntax error at line 1 near: ",
    ("/reserve", "slaveId={agent}&resources=[{{}}]"): PARSING.format("resources")
    + "Missing required fields: name, type",
    ("/create-volumes", "slaveId={agent}&volumes=" + json.dumps([CPUS]).replace("{", "{{").replace("}", "}}")): (
        f"Invalid CREATE{ON}Not a persistent volume: Resource cpus(reservations: [(DYNAMIC,op)]):0.25 does not have"
        " DiskInfo"
    ),
}


@pytest.mark.parametrize(("path", "body"), FORMS)
def test_bad_forms_are_told_what_is_wrong(cluster: Any, path: str, body: str) -> None:
    """As recorded."""
    agent = start_agent(cluster)
    answer = post(cluster, path, body.format(agent=agent.id))
    assert answer == (400, FORMS[path, body].format(agent=agent.id))


def test_only_offers_that_help_are_rescinded(cluster: Any) -> None:
    """One after the other until there is enough; what came back is kept from their frameworks for five seconds."""
    agent, other = start_agent(cluster), start_agent(cluster)
    scheduler = cluster.scheduler(name="holder")
    cluster.world.advance(2)
    offers = {offer.slave_id.value: offer.id.value for offer in scheduler.offers()}
    assert set(offers) == {agent.id, other.id}
    body = {"agent_id": {"value": agent.id}, "resources": [scalar("gold", 1)]}
    assert cluster.operate({"type": "RESERVE_RESOURCES", "reserve_resources": body}).status == 409
    body = {"agent_id": {"value": agent.id}, "resources": [CPUS]}
    assert cluster.operate({"type": "RESERVE_RESOURCES", "reserve_resources": body}).status == 202
    cluster.world.settle()
    rescinded = [message.offer_id.value for message in scheduler.received(internal.RescindResourceOfferMessage)]
    assert rescinded == [offers[agent.id]]
    cluster.world.advance(4)
    assert len(scheduler.offers()) == 2
    cluster.world.advance(3)
    assert len(scheduler.offers()) == 3


def test_an_old_agent_is_told_all_it_must_remember(cluster: Any) -> None:
    """Agents without RESOURCE_PROVIDER know no operations: they get CheckpointResourcesMessage in their format."""
    agent = start_agent(cluster)
    record = cluster.master.state.agents[agent.id]
    kinds = v0.SlaveInfo.Capability
    record.capabilities -= {kinds.RESOURCE_PROVIDER, kinds.RESERVATION_REFINEMENT}
    body = {"agent_id": {"value": agent.id}, "resources": [CPUS]}
    assert cluster.operate({"type": "RESERVE_RESOURCES", "reserve_resources": body}).status == 202
    cluster.world.settle()
    assert not agent.received(internal.ApplyOperationMessage)
    (resource,) = agent.last(internal.CheckpointResourcesMessage).resources
    assert (resource.role, resource.HasField("reservation"), len(resource.reservations)) == ("op", True, 0)
    assert not record.operations


def test_operations_are_listed_until_they_are_over(cluster: Any) -> None:
    """Pending ones, those of operators without a framework; launches are none (O8)."""
    agent = start_agent(cluster)

    def listed() -> Any:
        return json.loads(cluster.operate({"type": "GET_OPERATIONS"}).body)["get_operations"]

    assert listed() == {}
    body = {"agent_id": {"value": agent.id}, "resources": [CPUS]}
    cluster.operate({"type": "RESERVE_RESOURCES", "reserve_resources": body})
    cluster.world.settle()
    message = agent.last(internal.ApplyOperationMessage)
    (operation,) = listed()["operations"]
    assert list(operation) == ["agent_id", "info", "latest_status", "uuid"]
    assert operation["info"] == {"type": "RESERVE", "reserve": {"resources": [CPUS | {"scalar": {"value": 0.25}}]}}
    assert operation["latest_status"] == {"state": "OPERATION_PENDING", "agent_id": {"value": agent.id}}
    status = v0.OperationStatus(state=v0.OPERATION_FINISHED, slave_id=agent.info.id)
    status.uuid.value = b"s" * 16
    update = internal.UpdateOperationStatusMessage(
        slave_id=agent.info.id, status=status, operation_uuid=message.operation_uuid
    )
    agent.send(cluster.master.upid, update)
    cluster.world.settle()
    acknowledged = agent.last(internal.AcknowledgeOperationStatusMessage)
    assert (acknowledged.status_uuid, acknowledged.operation_uuid) == (status.uuid, message.operation_uuid)
    assert listed() == {}
