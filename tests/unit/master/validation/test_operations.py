"""What makes offer operations invalid, in the recorded words."""

from __future__ import annotations

from typing import Any

import pytest

from messor.errors import InvalidRequest
from messor.master.validation.operations import validate_agent_can, validate_destroy, validate_feedback
from messor.model.resources import EMPTY, Resources
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


def provided(kind: str, provider: str = "rp-1", size: float = 8, **source: Any) -> dict[str, Any]:
    """Make a resource provider's disk."""
    source = {"type": kind, **source}
    return scalar("disk", size, provider_id={"value": provider}, disk={"source": source})


ANOTHER_ROLE = (
    "A reserve operation was attempted for a resource with role 'golden', but the resource was allocated to role '*'"
)
POOL = "cpus(allocated: *):0.1; mem(allocated: *):32"
ON_A_DISK = (
    "A disk resource containing a persistent volume disk(allocated: *)(reservations: [(DYNAMIC,golden)])"
    "[MOUNT(,v,),p1:data]:8 cannot be destroyed directly. Please destroy the persistent volume first then"
    " destroy the disk resource"
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
    "create disk: not raw": (
        "CREATE_DISK",
        {"source": provided("MOUNT", id="v"), "target_type": "MOUNT"},
        f"'source' is not a RAW disk resource{ON_AGENT}",
    ),
    "create disk: no kind of disk to make": (
        "CREATE_DISK",
        {"source": provided("RAW", profile="fast"), "target_type": "PATH"},
        f"'target_type' is neither MOUNT or BLOCK{ON_AGENT}",
    ),
    "create disk: two profiles": (
        "CREATE_DISK",
        {"source": provided("RAW", profile="fast"), "target_type": "MOUNT", "target_profile": "slow"},
        f"'target_profile' must not be set when 'source' has a profile{ON_AGENT}",
    ),
    "create disk: no profile": (
        "CREATE_DISK",
        {"source": provided("RAW", id="v"), "target_type": "BLOCK"},
        f"'target_profile' must be set when 'source' has no profile{ON_AGENT}",
    ),
    "create disk: not offered": (
        "CREATE_DISK",
        {"source": provided("RAW", profile="fast"), "target_type": "MOUNT"},
        f"Invalid CREATE_DISK Operation: {POOL} does not contain disk(allocated: *)[RAW(,,fast)]:8",
    ),
    "destroy disk: no provider": (
        "DESTROY_DISK",
        {"source": scalar("disk", 1, disk={"source": {"type": "MOUNT"}})},
        f"'source' is not managed by a resource provider{ON_AGENT}",
    ),
    "destroy disk: a folder": (
        "DESTROY_DISK",
        {"source": provided("PATH", id="v")},
        f"'source' is neither a MOUNT, BLOCK or RAW disk resource{ON_AGENT}",
    ),
    "destroy disk: no disk": (
        "DESTROY_DISK",
        {"source": scalar("cpus", 1, provider_id={"value": "rp-1"})},
        f"'source' is neither a MOUNT, BLOCK or RAW disk resource{ON_AGENT}",
    ),
    "destroy disk: no volume behind it": (
        "DESTROY_DISK",
        {"source": provided("MOUNT")},
        f"'source' is not backed by a CSI volume{ON_AGENT}",
    ),
    "destroy disk: a persistent volume on it": (
        "DESTROY_DISK",
        {
            "source": scalar(
                "disk",
                8,
                reservations=DYNAMIC,
                provider_id={"value": "rp-1"},
                disk={**VOLUME, "source": {"type": "MOUNT", "id": "v", "mount": {"root": "/m"}}},
            )
        },
        ON_A_DISK + ON_AGENT,
    ),
    "destroy disk: not offered": (
        "DESTROY_DISK",
        {"source": provided("BLOCK", id="v")},
        f"Invalid DESTROY_DISK Operation: {POOL} does not contain disk(allocated: *)[BLOCK(,v,)]:8",
    ),
    "reserve: of two providers": (
        "RESERVE",
        {
            "resources": [
                {**provided("RAW", name, profile="fast"), "reservations": DYNAMIC} for name in ("rp-2", "rp-1")
            ]
        },
        f"Invalid resources: The resources have multiple resource providers: rp-1, rp-2{ON_AGENT}",
    ),
    "unreserve: the agent's and a provider's": (
        "UNRESERVE",
        {
            "resources": [
                scalar("cpus", 1, reservations=DYNAMIC),
                {**provided("RAW", profile="fast"), "reservations": DYNAMIC},
            ]
        },
        f"Invalid resources: Some resources have a resource provider and some do not{ON_AGENT}",
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


@pytest.mark.parametrize("kind", ["CREATE_DISK", "DESTROY_DISK"])
def test_agents_without_providers_make_no_disks(kind: str) -> None:
    """Whatever is wrong with the operation besides; with an id they cannot even say so."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    agent.capabilities -= {v0.SlaveInfo.Capability.RESOURCE_PROVIDER}
    source = provided("RAW", profile="fast")
    for feedback in ({}, {"id": {"value": "op"}}):
        offer_id = desk.offer(framework, agent, "cpus:0.1;mem:32")
        operation = {"type": kind, kind.lower(): {"source": source, "target_type": "MOUNT"}, **feedback}
        if kind == "DESTROY_DISK":
            del operation[kind.lower()]["target_type"]
        desk.call(framework, stream, "ACCEPT", accept={"offer_ids": [{"value": offer_id}], "operations": [operation]})
    (event,) = stream.events("UPDATE_OPERATION_STATUS")
    assert event["update_operation_status"]["status"]["message"] == (
        "Operation requested feedback, but agent M-S0 does not have the required RESOURCE_PROVIDER capability"
    )
    assert desk.metrics.counter(f"operations/{kind.lower()}/error").value == 2
    assert desk.received(agent.pid, internal.ApplyOperationMessage) == []


def test_providers_tell_of_operations_although_their_agent_cannot() -> None:
    """The capability is about the agent's own resources."""
    agent = Desk().agent()
    agent.capabilities -= {v0.SlaveInfo.Capability.AGENT_OPERATION_FEEDBACK}
    operation = v0.Offer.Operation(type=v0.Offer.Operation.DESTROY_DISK)
    operation.destroy_disk.source.name = "disk"
    with pytest.raises(InvalidRequest, match="Operation on agent default resources requested feedback"):
        validate_feedback(operation, agent)
    operation.destroy_disk.source.provider_id.value = "rp-1"
    validate_feedback(operation, agent)


def test_what_an_agent_cannot_do_is_said_in_mesos_words() -> None:
    """Without the agent's address at the end: it is in the sentence."""
    agent = Desk().agent()
    agent.capabilities = frozenset()
    operation = v0.Offer.Operation(type=v0.Offer.Operation.CREATE_DISK)
    with pytest.raises(InvalidRequest) as refusal:
        validate_agent_can(operation, agent)
    assert str(refusal.value) == (
        "Not supported on agent M-S0 at slave(1)@10.0.1.0:5051 (agent-0) because it does not have RESOURCE_PROVIDER"
        " capability"
    )


def test_the_volume_of_a_provider_need_not_be_checkpointed_to_be_destroyed() -> None:
    """Agents checkpoint only their own; whether it is there, the offer says. In use is in use."""
    volume_ = v0.Resource(name="disk", type=v0.Value.SCALAR)
    volume_.scalar.value = 8
    volume_.disk.persistence.id = "p"
    volume_.disk.volume.container_path = "data"
    volume_.disk.volume.mode = v0.Volume.RW
    volume_.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="golden")
    destroy = v0.Offer.Operation.Destroy(volumes=[volume_])
    with pytest.raises(InvalidRequest, match="Persistent volumes not found"):
        validate_destroy(destroy, EMPTY, {})
    destroy.volumes[0].provider_id.value = "rp-1"
    validate_destroy(destroy, EMPTY, {})
    with pytest.raises(InvalidRequest, match="Persistent volumes in use"):
        validate_destroy(destroy, EMPTY, {"F": Resources.of(destroy.volumes)})
