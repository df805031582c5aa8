"""Offer operations convert resources: nothing is lost, nothing comes up, and what was done can be undone (V2–V7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messor.errors import InvalidRequest
from messor.model.conversions import apply_all, apply_checkpointed, conversions_of, needs_checkpoint
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import v0

Operation = v0.Offer.Operation
Reservation = v0.Resource.ReservationInfo

TOTAL = parse_resources("cpus:8;cpus(a):2;mem:8192;disk:4096;ports:[31000-31009]")
STACKS = [("a",), ("b",), ("a", "a/x"), ("a", "a/x", "a/x/y")]
IDS = ["v1", "v2"]
amounts = st.integers(1, 2000).map(lambda milli: milli / 1000)


def reserved(name: str, value: float, stack: tuple[str, ...], *, static: bool = False) -> v0.Resource:
    """Make a scalar under a stack of reservations, the lowest of which may be static."""
    resource = v0.Resource(name=name, type=v0.Value.SCALAR)
    resource.scalar.value = value
    for level, role in enumerate(stack):
        kind = Reservation.STATIC if static and level == 0 else Reservation.DYNAMIC
        resource.reservations.add(type=kind, role=role)
    return resource


def reserve(resource: v0.Resource) -> v0.Offer.Operation:
    """Push the topmost reservation."""
    operation = Operation(type=Operation.RESERVE)
    operation.reserve.resources.append(resource)
    return operation


def unreserve(resource: v0.Resource) -> v0.Offer.Operation:
    """Pop it."""
    operation = Operation(type=Operation.UNRESERVE)
    operation.unreserve.resources.append(resource)
    return operation


def volume(disk: v0.Resource, identifier: str, *, shared: bool = False) -> v0.Resource:
    """Make a volume of a disk."""
    made = v0.Resource()
    made.CopyFrom(disk)
    made.disk.persistence.id = identifier
    made.disk.volume.container_path = "data"
    made.disk.volume.mode = v0.Volume.RW
    if shared:
        made.shared.SetInParent()
    return made


def create(made: v0.Resource) -> v0.Offer.Operation:
    """Make it a volume."""
    operation = Operation(type=Operation.CREATE)
    operation.create.volumes.append(made)
    return operation


def destroy(made: v0.Resource) -> v0.Offer.Operation:
    """Make it a disk again."""
    operation = Operation(type=Operation.DESTROY)
    operation.destroy.volumes.append(made)
    return operation


def grow(made: v0.Resource, by: float) -> v0.Offer.Operation:
    """Add to a volume."""
    operation = Operation(type=Operation.GROW_VOLUME)
    operation.grow_volume.volume.CopyFrom(made)
    addition = operation.grow_volume.addition
    addition.CopyFrom(made)
    addition.ClearField("disk")
    addition.scalar.value = by
    return operation


def shrink(made: v0.Resource, by: float) -> v0.Offer.Operation:
    """Take from a volume."""
    operation = Operation(type=Operation.SHRINK_VOLUME)
    operation.shrink_volume.volume.CopyFrom(made)
    operation.shrink_volume.subtract.value = by
    return operation


stacks = st.sampled_from(STACKS)
disks = st.builds(reserved, st.just("disk"), amounts, stacks)
scalars = st.builds(reserved, st.sampled_from(["cpus", "mem", "disk"]), amounts, stacks, static=st.booleans())
volumes = st.builds(volume, disks, st.sampled_from(IDS))
operations = st.one_of(
    scalars.filter(lambda one: one.reservations[-1].type == Reservation.DYNAMIC).map(reserve),
    scalars.filter(lambda one: one.reservations[-1].type == Reservation.DYNAMIC).map(unreserve),
    volumes.map(create),
    volumes.map(destroy),
    st.builds(grow, volumes, amounts),
    st.builds(shrink, volumes.filter(lambda one: one.scalar.value > 0.001), st.just(0.001)),
)


@given(operations)
def test_every_conversion_consumes_as_much_as_it_makes(operation: v0.Offer.Operation) -> None:
    """Amounts by name are the same on both sides."""
    for step in conversions_of(operation):
        assert step.consumed
        assert step.consumed.scalars() == step.converted.scalars()


@given(st.lists(operations, max_size=12))
def test_totals_never_change_whatever_is_applied(sequence: list[v0.Offer.Operation]) -> None:
    """An agent has what it has; operations that do not fit change nothing at all."""
    total = TOTAL
    for operation in sequence:
        before = total
        try:
            total = apply_all(total, conversions_of(operation))
        except InvalidRequest:
            assert total is before
        assert total.scalars() == TOTAL.scalars()
        assert total.ports() == TOTAL.ports()


@given(st.lists(operations, max_size=12))
def test_what_an_agent_remembers_gives_back_what_it_had(sequence: list[v0.Offer.Operation]) -> None:
    """Configured resources and the checkpointed ones say it all (V7)."""
    total = TOTAL
    for operation in sequence:
        try:
            total = apply_all(total, conversions_of(operation))
        except InvalidRequest:
            continue
    checkpointed = [resource for resource in total.messages() if needs_checkpoint(resource)]
    assert apply_checkpointed(TOTAL, checkpointed) == total


def undo(total: Resources, *sequence: v0.Offer.Operation) -> Resources:
    """Apply one after the other."""
    for operation in sequence:
        total = apply_all(total, conversions_of(operation))
    return total


@given(disks, st.sampled_from(IDS), amounts, st.booleans())
def test_what_was_done_is_undone_by_the_opposite(disk: v0.Resource, name: str, more: float, shared: bool) -> None:
    """RESERVE and UNRESERVE, CREATE and DESTROY, GROW and SHRINK, all the way down the stack of reservations."""
    levels = []
    for height in range(1, len(disk.reservations) + 1):
        level = v0.Resource()
        level.CopyFrom(disk)
        del level.reservations[height:]
        level.scalar.value = disk.scalar.value + more
        levels.append(level)
    made = volume(disk, name)
    grown = volume(levels[-1], name)
    up = [reserve(level) for level in levels]
    down = [unreserve(level) for level in reversed(levels)]
    assert undo(TOTAL, *up, create(made), grow(made, more), shrink(grown, more), destroy(made), *down) == TOTAL
    if shared:
        common = volume(disk, name, shared=True)
        assert undo(TOTAL, *up, create(common), destroy(common), *down) == TOTAL


def test_a_shared_volume_with_more_copies_is_not_destroyed() -> None:
    """Somebody else may use it (V10)."""
    common = volume(reserved("disk", 1, ("b",)), "v1", shared=True)
    held = Resources.of([common]) + Resources.of([common])
    with pytest.raises(InvalidRequest, match="cannot be removed due to additional shared copies"):
        apply_all(held, conversions_of(destroy(common)))
