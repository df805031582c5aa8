"""What an offer operation does to resources: which it consumes and into which it converts them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from messor.errors import InvalidRequest
from messor.model.resource import resource_text
from messor.model.resource_formats import upgraded
from messor.model.resources import EMPTY, Resources
from messor.model.scalars import to_float, to_milli
from messor.protos import v0

_Operation = v0.Offer.Operation

DISK_OPERATIONS = (_Operation.CREATE_DISK, _Operation.DESTROY_DISK)
"""What only a resource provider can carry out: nobody else knows what comes out of it, or whether anything does."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """One step of an operation."""

    consumed: Resources
    converted: Resources
    must_be_gone: Resources = EMPTY
    """What may not be there any more afterwards: a destroyed volume with further shared copies."""

    def unallocated(self) -> Conversion:
        """Strip allocation marks: what an agent has carries none."""
        return Conversion(
            self.consumed.unallocated(), self.converted.unallocated(), must_be_gone=self.must_be_gone.unallocated()
        )

    def apply(self, resources: Resources) -> Resources:
        """Convert within a bag; raises InvalidRequest when the bag does not hold what is consumed."""
        if not resources.contains(self.consumed):
            raise InvalidRequest(f"{resources} does not contain {self.consumed}")
        result = resources - self.consumed + self.converted
        if self.must_be_gone and result.contains(self.must_be_gone):
            raise InvalidRequest(
                f"Persistent volume {resource_text(self.must_be_gone.messages()[0])} cannot be removed due to"
                " additional shared copies"
            )
        return result


def apply_all(resources: Resources, conversions: Iterable[Conversion]) -> Resources:
    """Apply in order; raises InvalidRequest when one does not fit."""
    for conversion in conversions:
        resources = conversion.apply(resources)
    return resources


def conversions_of(operation: v0.Offer.Operation) -> list[Conversion]:
    """Give the steps of RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME or SHRINK_VOLUME.

    The operation must have been validated. Raises InvalidRequest for all other types: launches leave resources as they
    are, and what the disk operations make is known only to the resource provider.
    """
    kind = operation.type
    if kind == _Operation.RESERVE:
        return [_reserve(operation.reserve)]
    if kind == _Operation.UNRESERVE:
        reserved = [Resources.of([item]) for item in operation.unreserve.resources]
        return [Conversion(item, item.pop_reservation()) for item in reserved]
    if kind == _Operation.CREATE:
        return [Conversion(plain_disk(item), Resources.of([item])) for item in operation.create.volumes]
    if kind == _Operation.DESTROY:
        volumes = [(Resources.of([item]), plain_disk(item)) for item in operation.destroy.volumes]
        return [Conversion(volume, plain, must_be_gone=volume) for volume, plain in volumes]
    if kind == _Operation.GROW_VOLUME:
        return [_grow(operation.grow_volume)]
    if kind == _Operation.SHRINK_VOLUME:
        return [_shrink(operation.shrink_volume)]
    if kind == _Operation.UNKNOWN:
        raise InvalidRequest("Unknown operation")
    raise InvalidRequest("Operation not supported")


def disk_source(operation: v0.Offer.Operation) -> v0.Resource:
    """Give what a CREATE_DISK or DESTROY_DISK consumes."""
    is_made = operation.type == _Operation.CREATE_DISK
    return operation.create_disk.source if is_made else operation.destroy_disk.source


def provider_of(operation: v0.Offer.Operation) -> str | None:
    """Give the resource provider whose resources an operation is about, None when they are the agent's own.

    All of them are of the same one: operations that mix them are refused. Raises InvalidRequest for launches, and when
    the operation is about nothing.
    """
    kind = operation.type
    if kind in DISK_OPERATIONS:
        first = disk_source(operation)
    elif kind == _Operation.GROW_VOLUME:
        first = operation.grow_volume.volume
    elif kind == _Operation.SHRINK_VOLUME:
        first = operation.shrink_volume.volume
    else:
        listed = {
            _Operation.RESERVE: operation.reserve.resources,
            _Operation.UNRESERVE: operation.unreserve.resources,
            _Operation.CREATE: operation.create.volumes,
            _Operation.DESTROY: operation.destroy.volumes,
        }.get(kind)
        if not listed:
            raise InvalidRequest("Operation contains no resources")
        first = listed[0]
    return first.provider_id.value if first.HasField("provider_id") else None


def plain_disk(volume: v0.Resource) -> Resources:
    """Give the disk a persistent volume is made of: without persistence, mount and sharing."""
    (plain,) = upgraded([volume])
    if plain.disk.HasField("source"):
        plain.disk.ClearField("persistence")
        plain.disk.ClearField("volume")
    else:
        plain.ClearField("disk")
    plain.ClearField("shared")
    return Resources.of([plain])


def _reserve(reserve: v0.Offer.Operation.Reserve) -> Conversion:
    reserved = Resources.of(reserve.resources)
    if reserve.source:
        return Conversion(Resources.of(reserve.source), reserved)
    return Conversion(reserved.pop_reservation(), reserved)


def _grow(grow: v0.Offer.Operation.GrowVolume) -> Conversion:
    _refuse_provider(grow.volume)
    grown = v0.Resource()
    grown.CopyFrom(grow.volume)
    grown.scalar.value = to_float(to_milli(grow.volume.scalar.value) + to_milli(grow.addition.scalar.value))
    return Conversion(Resources.of([grow.volume, grow.addition]), Resources.of([grown]))


def _shrink(shrink: v0.Offer.Operation.ShrinkVolume) -> Conversion:
    _refuse_provider(shrink.volume)
    freed = v0.Resource()
    freed.CopyFrom(shrink.volume)
    freed.scalar.CopyFrom(shrink.subtract)
    shrunk = v0.Resource()
    shrunk.CopyFrom(shrink.volume)
    shrunk.scalar.value = to_float(to_milli(shrink.volume.scalar.value) - to_milli(shrink.subtract.value))
    return Conversion(Resources.of([shrink.volume]), Resources.of([shrunk]) + plain_disk(freed))


def _refuse_provider(volume: v0.Resource) -> None:
    if volume.HasField("provider_id"):
        raise InvalidRequest("Operation not supported for resource provider")


def needs_checkpoint(resource: v0.Resource) -> bool:
    """Whether an agent must remember a resource (in the stack form): reserved at run time, or a persistent volume."""
    dynamic = bool(resource.reservations) and (resource.reservations[-1].type == v0.Resource.ReservationInfo.DYNAMIC)
    return dynamic or resource.disk.HasField("persistence")


def apply_checkpointed(resources: Resources, checkpointed: Iterable[v0.Resource]) -> Resources:
    """Put remembered reservations and volumes back into an agent's configured resources.

    Raises InvalidRequest when the configured resources no longer hold what was reserved.
    """
    total = resources
    for resource in upgraded(checkpointed):
        if not needs_checkpoint(resource):
            raise InvalidRequest(f"Unexpected checkpointed resources {resource_text(resource)}")
        stripped = v0.Resource()
        stripped.CopyFrom(resource)
        if stripped.reservations and stripped.reservations[-1].type == v0.Resource.ReservationInfo.DYNAMIC:
            first = stripped.reservations[0]
            keep = 1 if first.type == v0.Resource.ReservationInfo.STATIC else 0
            del stripped.reservations[keep:]
        source = plain_disk(stripped) if stripped.disk.HasField("persistence") else Resources.of([stripped])
        if not total.contains(source):
            raise InvalidRequest(f"Incompatible agent resources: {total} does not contain {source}")
        total = total - source + Resources.of([resource])
    return total
