"""What offer operations do to resources."""

from __future__ import annotations

import pytest

from messor.errors import InvalidRequest
from messor.model.conversions import apply_all, apply_checkpointed, conversions_of, provider_of
from messor.model.resource_formats import change_all
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import v0

DYNAMIC = v0.Resource.ReservationInfo.DYNAMIC
Operation = v0.Offer.Operation


def disk(size: float, *, identity: str | None = None, shared: bool = False) -> v0.Resource:
    """Make disk reserved for ``r``, a volume when it has an identity."""
    resource = v0.Resource(name="disk", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=size))
    resource.reservations.add(type=DYNAMIC, role="r")
    if identity is not None:
        resource.disk.persistence.id = identity
        resource.disk.volume.container_path = "data"
        resource.disk.volume.mode = v0.Volume.RW
    if shared:
        resource.shared.SetInParent()
    return resource


def apply(text: str, operation: v0.Offer.Operation) -> Resources:
    """Apply an operation to resources given as text."""
    return apply_all(parse_resources(text), conversions_of(operation))


def test_reserve_pushes_one_reservation() -> None:
    """Out of the unreserved."""
    operation = Operation(type=Operation.RESERVE, reserve=Operation.Reserve(resources=[disk(60)]))
    result = apply("disk:100;cpus:1", operation)
    assert str(result) == "disk:40; cpus:1; disk(reservations: [(DYNAMIC,r)]):60"


def test_unreserve_is_the_inverse() -> None:
    """Of exactly what was reserved."""
    reserve = Operation(type=Operation.RESERVE, reserve=Operation.Reserve(resources=[disk(60)]))
    unreserve = Operation(type=Operation.UNRESERVE, unreserve=Operation.Unreserve(resources=[disk(60)]))
    have = parse_resources("disk:100")
    assert apply_all(have, conversions_of(reserve) + conversions_of(unreserve)) == have


def test_reserving_with_a_source_changes_the_reservation() -> None:
    """From one role to another in one step."""
    moved = disk(60)
    moved.reservations[0].role = "s"
    operation = Operation(type=Operation.RESERVE, reserve=Operation.Reserve(resources=[moved], source=[disk(60)]))
    result = apply_all(Resources.of([disk(60)]), conversions_of(operation))
    assert result == Resources.of([moved])


def test_creating_and_destroying_a_volume() -> None:
    """Out of reserved disk and back."""
    create = Operation(type=Operation.CREATE, create=Operation.Create(volumes=[disk(60, identity="v")]))
    destroy = Operation(type=Operation.DESTROY, destroy=Operation.Destroy(volumes=[disk(60, identity="v")]))
    have = Resources.of([disk(100)])
    created = apply_all(have, conversions_of(create))
    assert created == Resources.of([disk(40), disk(60, identity="v")])
    assert apply_all(created, conversions_of(destroy)) == have


def test_what_is_not_there_cannot_be_converted() -> None:
    """The error shows both, as recorded."""
    destroy = Operation(type=Operation.DESTROY, destroy=Operation.Destroy(volumes=[disk(80, identity="p1")]))
    with pytest.raises(InvalidRequest) as caught:
        apply("cpus:1", destroy)
    assert str(caught.value) == "cpus:1 does not contain disk(reservations: [(DYNAMIC,r)])[p1:data]:80"


def test_a_shared_volume_with_more_copies_cannot_be_destroyed() -> None:
    """Another task may use it."""
    volume = disk(80, identity="p1", shared=True)
    destroy = Operation(type=Operation.DESTROY, destroy=Operation.Destroy(volumes=[volume]))
    one = Resources.of([volume])
    assert apply_all(one, conversions_of(destroy)) == Resources.of([disk(80)])
    with pytest.raises(InvalidRequest, match="cannot be removed due to additional shared copies"):
        apply_all(one + one, conversions_of(destroy))


def test_growing_and_shrinking_keep_the_sum() -> None:
    """The volume changes size, the rest is disk."""
    grow = Operation(
        type=Operation.GROW_VOLUME, grow_volume=Operation.GrowVolume(volume=disk(10, identity="v"), addition=disk(5))
    )
    have = Resources.of([disk(10, identity="v"), disk(20)])
    grown = apply_all(have, conversions_of(grow))
    assert grown == Resources.of([disk(15, identity="v"), disk(15)])
    shrink = Operation(
        type=Operation.SHRINK_VOLUME,
        shrink_volume=Operation.ShrinkVolume(volume=disk(15, identity="v"), subtract=v0.Value.Scalar(value=5)),
    )
    assert apply_all(grown, conversions_of(shrink)) == have


def test_an_agent_converts_what_was_offered_as_its_own() -> None:
    """Offers carry allocation marks, an agent's resources do not."""
    reserved = disk(60)
    reserved.allocation_info.role = "r"
    operation = Operation(type=Operation.RESERVE, reserve=Operation.Reserve(resources=[reserved]))
    steps = [step.unallocated() for step in conversions_of(operation)]
    assert apply_all(parse_resources("disk:100"), steps) == parse_resources("disk:40") + Resources.of([disk(60)])


def test_launches_convert_nothing() -> None:
    """They are not operations on resources."""
    with pytest.raises(InvalidRequest, match="Operation not supported"):
        conversions_of(Operation(type=Operation.LAUNCH))


def test_checkpointed_resources_are_put_back() -> None:
    """Into what the agent is configured with now."""
    volume = disk(60, identity="v")
    assert apply_checkpointed(parse_resources("disk:100"), [volume]) == parse_resources("disk:40") + Resources.of(
        [volume]
    )
    with pytest.raises(InvalidRequest, match="Incompatible agent resources: disk:10 does not contain disk:60"):
        apply_checkpointed(parse_resources("disk:10"), [volume])
    with pytest.raises(InvalidRequest, match="Unexpected checkpointed resources"):
        apply_checkpointed(parse_resources("cpus:10"), parse_resources("cpus:1").messages())


@pytest.mark.parametrize(
    "operation",
    [
        Operation(type=Operation.RESERVE, reserve=Operation.Reserve(resources=[disk(1)])),
        Operation(type=Operation.UNRESERVE, unreserve=Operation.Unreserve(resources=[disk(1)])),
        Operation(type=Operation.CREATE, create=Operation.Create(volumes=[disk(1)])),
        Operation(type=Operation.DESTROY, destroy=Operation.Destroy(volumes=[disk(1)])),
        Operation(type=Operation.GROW_VOLUME, grow_volume=Operation.GrowVolume(volume=disk(1), addition=disk(1))),
        Operation(type=Operation.SHRINK_VOLUME, shrink_volume=Operation.ShrinkVolume(volume=disk(2))),
        Operation(type=Operation.CREATE_DISK, create_disk=Operation.CreateDisk(source=disk(1))),
        Operation(type=Operation.DESTROY_DISK, destroy_disk=Operation.DestroyDisk(source=disk(1))),
    ],
    ids=lambda operation: Operation.Type.Name(operation.type),
)
def test_an_operation_belongs_to_the_provider_of_its_resources(operation: v0.Offer.Operation) -> None:
    """Or to the agent, when they name none."""
    assert provider_of(operation) is None
    changed = Operation()
    changed.CopyFrom(operation)
    change_all(changed, lambda resource: setattr(resource.provider_id, "value", "rp-1"))
    assert provider_of(changed) == "rp-1"


@pytest.mark.parametrize("kind", [Operation.LAUNCH, Operation.LAUNCH_GROUP, Operation.UNKNOWN, Operation.RESERVE])
def test_an_operation_about_nothing_belongs_to_nobody(kind: v0.Offer.Operation.Type) -> None:
    """Nor does a launch."""
    with pytest.raises(InvalidRequest, match="no resources"):
        provider_of(Operation(type=kind))
