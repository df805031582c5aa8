"""What makes offer operations invalid, in the recorded words."""

from __future__ import annotations

from typing import Any

import pytest

from messor.protos import internal, v0
from support.master_desk import Desk

ON_AGENT = "; on agent M-S0 at slave(1)@10.0.1.0:5051 (agent-0)"
DYNAMIC = [{"type": "DYNAMIC", "role": "golden"}]
VOLUME = {"persistence": {"id": "p1"}, "volume": {"mode": "RW", "container_path": "data"}}


def scalar(name: str, value: float, **more: Any) -> dict[str, Any]:
    """Make a scalar resource."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def volume(size: float = 8, **more: Any) -> dict[str, Any]:
    """Make a persistent volume."""
    return scalar("disk", size, reservations=DYNAMIC, disk=VOLUME, **more)


def disk(**changes: Any) -> dict[str, Any]:
    """Describe a volume differently."""
    return {**VOLUME, **changes}


ANOTHER_ROLE = (
    "A reserve operation was attempted for a resource with role 'golden', but the resource was allocated to role '*'"
)
OLD_FORM = {"role": "golden", "reservation": {}}

CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "reserve: no role": (
        "RESERVE",
        {"resources": [scalar("cpus", 0.1), scalar("mem", 32)]},
        f"Resource cpus(allocated: *):0.1 is not dynamically reserved{ON_AGENT}",
    ),
    "reserve: another role, old form": (
        "RESERVE",
        {"resources": [scalar("cpus", 0.5, **OLD_FORM)]},
        ANOTHER_ROLE + ON_AGENT,
    ),
    "reserve: another role": (
        "RESERVE",
        {"resources": [scalar("cpus", 0.5, reservations=DYNAMIC)]},
        ANOTHER_ROLE + ON_AGENT,
    ),
    "reserve: static": (
        "RESERVE",
        {"resources": [scalar("cpus", 0.5, reservations=[{"type": "STATIC", "role": "golden"}])]},
        "Resource cpus(allocated: *)(reservations: [(STATIC,golden)]):0.5 is not dynamically reserved" + ON_AGENT,
    ),
    "reserve: with source": (
        "RESERVE",
        {"resources": [scalar("cpus", 1, reservations=DYNAMIC)], "source": [scalar("cpus", 1)]},
        (
            "Operation attempted with invalid resources: Reservation updates are not yet implemented for the scheduler"
            " API."
        ),
    ),
    "reserve: nothing": (
        "RESERVE",
        {"resources": []},
        f"Invalid resources: The resources have multiple resource providers: {ON_AGENT}",
    ),
    "reserve: negative": (
        "RESERVE",
        {"resources": [scalar("cpus", -1, reservations=DYNAMIC)]},
        (
            "Operation attempted with invalid resources: Resource 'cpus(reservations: [(DYNAMIC,golden)]):-1' is"
            " invalid: Invalid scalar resource: value <= 0"
        ),
    ),
    "reserve: revocable": (
        "RESERVE",
        {"resources": [scalar("cpus", 1, reservations=DYNAMIC, revocable={})]},
        (
            "Invalid resources: Invalid ReservationInfo: Dynamically reserved resource"
            " cpus(allocated: *)(reservations: [(DYNAMIC,golden)]){REV}:1 cannot be created from revocable resources"
            + ON_AGENT
        ),
    ),
    "create: revocable": (
        "CREATE",
        {"volumes": [volume(revocable={})]},
        f"Invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from revocable resources{ON_AGENT}",
    ),
    "unreserve: not offered": (
        "UNRESERVE",
        {"resources": [scalar("cpus", 0.5, **OLD_FORM)]},
        (
            "cpus(allocated: *):0.1; mem(allocated: *):32 does not contain"
            " cpus(allocated: *)(reservations: [(DYNAMIC,golden)]):0.5"
        ),
    ),
    "unreserve: a volume": (
        "UNRESERVE",
        {"resources": [volume()]},
        "A dynamically reserved persistent volume disk(allocated: *)(reservations: [(DYNAMIC,golden)])[p1:data]:8"
        " cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource"
        + ON_AGENT,
    ),
    "create: unreserved": (
        "CREATE",
        {"volumes": [scalar("disk", 8, disk=VOLUME)]},
        "Invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources"
        + ON_AGENT,
    ),
    "create: no volume": (
        "CREATE",
        {"volumes": [scalar("disk", 8, **OLD_FORM)]},
        (
            "Not a persistent volume: Resource disk(allocated: *)(reservations: [(DYNAMIC,golden)]):8 does not have"
            f" DiskInfo{ON_AGENT}"
        ),
    ),
    "create: read-only": (
        "CREATE",
        {"volumes": [volume() | {"disk": disk(volume={"mode": "RO", "container_path": "d"})}]},
        f"Not a persistent volume: Read-only persistent volume not supported{ON_AGENT}",
    ),
    "create: a path as id": (
        "CREATE",
        {"volumes": [volume() | {"disk": disk(persistence={"id": "../../etc"})}]},
        (
            "Invalid resources: Invalid DiskInfo: Invalid persistence ID for persistent volume: '../../etc' contains"
            f" invalid characters{ON_AGENT}"
        ),
    ),
    "create: a host path": (
        "CREATE",
        {"volumes": [volume() | {"disk": disk(volume={"mode": "RW", "container_path": "d", "host_path": "/etc"})}]},
        "Invalid resources: Invalid DiskInfo: Expecting 'host_path' to be unset for persistent volume" + ON_AGENT,
    ),
    "create: twice": ("CREATE", {"volumes": [volume(), volume(4)]}, f"Persistence ID 'p1' is not unique{ON_AGENT}"),
    "create: shared": (
        "CREATE",
        {"volumes": [volume(shared={})]},
        "Create volume operation for 'disk(allocated: *)(reservations: [(DYNAMIC,golden)])[p1:data]<SHARED>:8' has"
        " been attempted by framework 'M-0000' with no SHARED_RESOURCES capability" + ON_AGENT,
    ),
    "destroy: unknown": ("DESTROY", {"volumes": [volume()]}, f"Persistent volumes not found{ON_AGENT}"),
    "grow: by something else": (
        "GROW_VOLUME",
        {"volume": volume(), "addition": scalar("disk", 8)},
        f"Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields{ON_AGENT}",
    ),
    "grow: by nothing": (
        "GROW_VOLUME",
        {"volume": volume(), "addition": scalar("disk", 0, reservations=DYNAMIC)},
        f"The size of 'GrowVolume.addition' field must be greater than zero{ON_AGENT}",
    ),
    "grow: not offered": (
        "GROW_VOLUME",
        {"volume": volume(), "addition": scalar("disk", 1, reservations=DYNAMIC)},
        (
            "Invalid GROW_VOLUME operation: cpus(allocated: *):0.1; mem(allocated: *):32 does not contain"
            " disk(allocated: *)(reservations: [(DYNAMIC,golden)])[p1:data]:8;"
            " disk(allocated: *)(reservations: [(DYNAMIC,golden)]):1"
        ),
    ),
    "grow: shared": (
        "GROW_VOLUME",
        {"volume": volume(shared={}), "addition": scalar("disk", 1, reservations=DYNAMIC)},
        f"Growing a shared persistent volume is not supported{ON_AGENT}",
    ),
    "shrink: too much": (
        "SHRINK_VOLUME",
        {"volume": volume(), "subtract": {"value": 8}},
        "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'" + ON_AGENT,
    ),
    "shrink: by nothing": (
        "SHRINK_VOLUME",
        {"volume": volume(), "subtract": {"value": 0.0001}},
        f"Value of 'ShrinkVolume.subtract' must be greater than zero{ON_AGENT}",
    ),
    "shrink: a mount": (
        "SHRINK_VOLUME",
        {
            "volume": volume() | {"disk": disk(source={"type": "MOUNT", "mount": {"root": "/m"}})},
            "subtract": {"value": 1},
        },
        f"Shrinking a volume on a MOUNT disk is not supported{ON_AGENT}",
    ),
    "disk: no provider": (
        "CREATE_DISK",
        {"source": scalar("disk", 1, disk={"source": {"type": "RAW"}}), "target_type": "MOUNT"},
        f"'source' is not managed by a resource provider{ON_AGENT}",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_operation_is_told_why(case: str) -> None:
    """The framework hears OPERATION_ERROR and the offer's resources are free again."""
    kind, body, message = CASES[case]
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    offer_id = desk.offer(framework, agent, "cpus:0.1;mem:32")
    operation = {"type": kind, "id": {"value": "op"}, kind.lower(): body}
    desk.call(framework, stream, "ACCEPT", accept={"offer_ids": [{"value": offer_id}], "operations": [operation]})
    (event,) = stream.events("UPDATE_OPERATION_STATUS")
    assert event["update_operation_status"]["status"] == {
        "operation_id": {"value": "op"},
        "state": "OPERATION_ERROR",
        "message": message,
    }
    assert str(desk.recovered().unallocated()) == "cpus:0.1; mem:32"
    assert desk.metrics.counter(f"operations/{kind.lower()}/error").value == 1
    assert not desk.received(agent.pid, internal.ApplyOperationMessage)


CHILD = {"type": "DYNAMIC", "role": "golden/sub"}


@pytest.mark.parametrize(
    ("missing", "reservations", "text"),
    [
        ("RESERVATION_REFINEMENT", [{"type": "STATIC", "role": "golden"}, CHILD], "with reservation refinement cannot"),
        ("HIERARCHICAL_ROLE", [CHILD], "with reservation for hierarchical role 'golden/sub' cannot"),
    ],
)
def test_agents_are_not_asked_for_what_they_do_not_know(missing: str, reservations: Any, text: str) -> None:
    """The sentence names the capability they lack."""
    desk = Desk()
    framework, stream = desk.subscribe(("MULTI_ROLE", "RESERVATION_REFINEMENT"), roles=["golden/sub"])
    agent = desk.agent()
    agent.capabilities -= {v0.SlaveInfo.Capability.Type.Value(missing)}
    offer_id = desk.offer(framework, agent, "cpus:1", "golden/sub")
    reserve = {"resources": [scalar("cpus", 1, reservations=reservations)]}
    operation = {"type": "RESERVE", "id": {"value": "op"}, "reserve": reserve}
    desk.call(framework, stream, "ACCEPT", accept={"offer_ids": [{"value": offer_id}], "operations": [operation]})
    (event,) = stream.events("UPDATE_OPERATION_STATUS")
    message = event["update_operation_status"]["status"]["message"]
    assert text in message
    assert message.endswith(f"an agent without {missing} capability{ON_AGENT}")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "was attempted by principal 'alice', but there is a reserved resource in the request with no principal"),
        ({"principal": "bob"}, "which does not match a reserved resource in the request with principal 'bob'"),
    ],
)
def test_reservations_carry_the_principal_of_who_makes_them(given: dict[str, str], text: str) -> None:
    """If there is one (V2)."""
    desk = Desk()
    framework, stream = desk.subscribe(("MULTI_ROLE",), roles=["golden"], principal="alice")
    offer_id = desk.offer(framework, desk.agent(), "cpus:1", "golden")
    reserve = {"resources": [scalar("cpus", 1, reservations=[{"type": "DYNAMIC", "role": "golden", **given}])]}
    operation = {"type": "RESERVE", "id": {"value": "op"}, "reserve": reserve}
    desk.call(framework, stream, "ACCEPT", accept={"offer_ids": [{"value": offer_id}], "operations": [operation]})
    (event,) = stream.events("UPDATE_OPERATION_STATUS")
    assert text in event["update_operation_status"]["status"]["message"]
