"""One resource: its identity (everything but the amount), when two may merge, its text, and whether it is valid.

Identity of a resource is a ``Kind``: name, type, allocation, reservations, disk, revocable, shared, provider. Kinds are
interned, so a bag of resources is a dictionary from kinds to amounts and compares kinds by address.

Disks that cannot be divided or merged (MOUNT and BLOCK disks, RAW disks with an id, persistent volumes, shared volumes)
are *whole*: the amount belongs to the identity, and the bag counts copies of it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from operator import attrgetter
from weakref import WeakValueDictionary

from messor.errors import InvalidRequest
from messor.model import resource_formats
from messor.model.labels import labels_text
from messor.model.ranges import Items, Ranges
from messor.model.roles import is_strict_subrole, validate_role
from messor.model.scalars import scalar_text, to_float, to_milli
from messor.protos import v0

Amount = int | Ranges | Items
"""Thousandths of a scalar, ranges, or a set of words; for whole kinds in a bag: the number of copies."""

_SCALAR = v0.Value.SCALAR
_RANGES = v0.Value.RANGES
_SET = v0.Value.SET
_Source = v0.Resource.DiskInfo.Source
_STATIC = v0.Resource.ReservationInfo.STATIC
_DYNAMIC = v0.Resource.ReservationInfo.DYNAMIC
pack_double = struct.Struct("<d").pack


class Kind:
    """What a resource is, apart from how much of it. Never made by hand: ``kind_of(message)`` interns them."""

    __slots__ = (
        "__weakref__",
        "_allocations",
        "_frames",
        "_old_tail",
        "allocation_role",
        "canonical",
        "disk_source",
        "head",
        "is_dynamic",
        "is_persistent_volume",
        "is_refined",
        "is_revocable",
        "is_scalar",
        "is_shared",
        "name",
        "provider_id",
        "reservation_role",
        "tail",
        "unallocated",
        "unit",
        "value_type",
    )

    def __init__(self, shape: v0.Resource, unit: Amount | None, canonical: bytes) -> None:
        """Read the facts of a resource in the stack form whose value fields are cleared."""
        self.name = shape.name
        self.value_type = shape.type
        self.is_scalar = shape.type == _SCALAR
        self.unit = unit
        self.canonical = canonical
        self.allocation_role: str | None = shape.allocation_info.role if shape.HasField("allocation_info") else None
        self.reservation_role: str | None = shape.reservations[-1].role if shape.reservations else None
        self.is_dynamic = bool(shape.reservations) and shape.reservations[-1].type == _DYNAMIC
        self.is_refined = len(shape.reservations) > 1
        self.is_revocable = shape.HasField("revocable")
        self.is_shared = shape.HasField("shared")
        self.is_persistent_volume = shape.disk.HasField("persistence")
        self.disk_source: int | None = shape.disk.source.type if shape.disk.HasField("source") else None
        self.provider_id: str | None = shape.provider_id.value if shape.HasField("provider_id") else None
        self.head = v0.Resource(name=shape.name, type=shape.type).SerializeToString()
        rest = v0.Resource()
        rest.CopyFrom(shape)
        rest.ClearField("name")
        rest.ClearField("type")
        self.tail = rest.SerializePartialToString()
        self.unallocated: Kind = self
        self._old_tail: bytes | None = None
        self._allocations: dict[str, Kind] = {}
        self._frames: dict[int, tuple[bytes, bytes]] = {}

    @property
    def is_whole(self) -> bool:
        """Whether the amount belongs to the identity, so that a bag counts copies."""
        return self.unit is not None

    @property
    def is_unreserved(self) -> bool:
        """Whether anybody may be offered it."""
        return self.reservation_role is None

    def is_allocatable_to(self, role: str) -> bool:
        """Whether a role may be offered it: unreserved, reserved for the role, or for one above it (A8)."""
        owner = self.reservation_role
        return owner is None or owner == role or is_strict_subrole(role, owner)

    def allocated_to(self, role: str) -> Kind:
        """Give the same kind carrying ``allocation_info.role``."""
        if self.allocation_role == role:
            return self
        base = self.unallocated
        known = base._allocations.get(role)
        if known is None:
            known = _intern_allocated(base, role)
            if len(base._allocations) > _ROLES_LIMIT:  # roles come and go; kinds of gone roles must not pile up
                base._allocations.clear()
            base._allocations[role] = known
        return known

    def shape(self) -> v0.Resource:
        """Make a resource of this kind without a value."""
        return v0.Resource.FromString(self.head + self.tail)

    def encoded(self, amount: Amount, *, old: bool = False) -> bytes:
        """Encode a resource of this kind and amount (for whole kinds the amount is their own).

        old: write the reservation as before refinement; raises InvalidRequest when it is refined.
        """
        tail = self.old_tail() if old else self.tail
        value = self.unit if self.unit is not None else amount
        if value.__class__ is int:
            return self.head + b"\x1a\x09\x09" + pack_double(to_float(value)) + tail
        body = value.encoded()  # type: ignore[union-attr]
        tag = b"\x22" if self.value_type == _RANGES else b"\x2a"
        return self.head + tag + varint(len(body)) + body + tail

    def scalar_frame(self, field_number: int, *, old: bool) -> tuple[bytes, bytes]:
        """Give the bytes before and after a scalar's eight bytes in a repeated field; their lengths never change."""
        key = field_number << 1 | old
        frame = self._frames.get(key)
        if frame is None:
            tail = self.old_tail() if old else self.tail
            size = len(self.head) + 11 + len(tail)
            before = varint(field_number << 3 | 2) + varint(size) + self.head + b"\x1a\x09\x09"
            frame = self._frames[key] = (before, tail)
        return frame

    def old_tail(self) -> bytes:
        """Encode what follows the value in the form before refinement, cached; raises InvalidRequest when refined."""
        if self._old_tail is None:
            shape = self.shape()
            resource_formats.downgrade(shape)
            shape.ClearField("name")
            shape.ClearField("type")
            self._old_tail = shape.SerializePartialToString()
        return self._old_tail

    def message(self, amount: Amount) -> v0.Resource:
        """Make a resource of this kind and amount."""
        return v0.Resource.FromString(self.encoded(amount))

    def __repr__(self) -> str:
        return f"Kind({resource_text(self.message(self.unit or 0 if self.is_scalar else Ranges()))})"


class _VariedKind(Kind):
    """A kind whose messages may differ in what does not count: labels' order, the volume's path, its principal."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, _VariedKind) and self.canonical == other.canonical)

    def __hash__(self) -> int:
        return hash(self.canonical)


_COPIED = (
    "disk_source",
    "head",
    "is_dynamic",
    "is_persistent_volume",
    "is_refined",
    "is_revocable",
    "is_scalar",
    "is_shared",
    "name",
    "provider_id",
    "reservation_role",
    "unallocated",
    "unit",
    "value_type",
)
"""What a kind has in common with the one that carries an allocation mark."""
_facts = attrgetter(*_COPIED)

_ROLES_LIMIT = 4096
_kinds: WeakValueDictionary[bytes, Kind] = WeakValueDictionary()
_PARSED_LIMIT = 4096
_parsed: dict[bytes, tuple[Kind, Amount] | None] = {}


def parse_resource(message: v0.Resource) -> tuple[Kind, Amount] | None:
    """Give kind and amount (copies for whole kinds) of a resource in any form; None when it is empty or invalid."""
    key = message.SerializePartialToString()
    try:
        return _parsed[key]
    except KeyError:
        pass
    if len(_parsed) >= _PARSED_LIMIT:
        _parsed.clear()
    result = _parsed[key] = _parse(message)
    return result


def _parse(message: v0.Resource) -> tuple[Kind, Amount] | None:
    try:
        validate_resource(message)
    except InvalidRequest:
        return None
    shape = v0.Resource()
    shape.CopyFrom(message)
    resource_formats.upgrade(shape)
    amount: Amount
    if message.type == _SCALAR:
        amount = to_milli(message.scalar.value)
    elif message.type == _RANGES:
        amount = Ranges.of(message.ranges)
    else:
        amount = Items(message.set.item)
    if not amount:
        return None
    shape.ClearField("scalar")
    shape.ClearField("ranges")
    shape.ClearField("set")
    if _is_whole(shape):
        return _intern(shape, amount), 1
    return _intern(shape, None), amount


def _is_whole(shape: v0.Resource) -> bool:
    if not shape.HasField("disk"):
        return False
    disk = shape.disk
    if disk.HasField("persistence"):
        return True
    if not disk.HasField("source"):
        return False
    kind = disk.source.type
    return kind in {_Source.MOUNT, _Source.BLOCK} or (kind == _Source.RAW and disk.source.HasField("id"))


def _intern(shape: v0.Resource, unit: Amount | None) -> Kind:
    exact = shape.SerializePartialToString() + (b"" if unit is None else b"|" + repr(unit).encode())
    kind = _kinds.get(exact)
    if kind is None:
        varied = shape.HasField("disk") or any(len(item.labels.labels) > 1 for item in shape.reservations)
        canonical = _canonical(shape, unit) if varied else exact
        kind = (_VariedKind if varied else Kind)(shape, unit, canonical)
        if shape.HasField("allocation_info"):
            base = v0.Resource()
            base.CopyFrom(shape)
            base.ClearField("allocation_info")
            kind.unallocated = _intern(base, unit)
        _kinds[exact] = kind
    return kind


def _intern_allocated(base: Kind, role: str) -> Kind:
    """Give the kind that is another one but for the allocation mark: copying costs less than reading."""
    if not base.tail and base.unit is None:
        tail = _allocation(role)
    else:
        shape = base.shape()
        shape.allocation_info.role = role
        exact = shape.SerializePartialToString()
        if base.__class__ is not Kind or base.unit is not None or not exact.startswith(base.head):
            return _intern(shape, base.unit)
        tail = exact[len(base.head) :]
    exact = base.head + tail
    kind = _kinds.get(exact)
    if kind is None:
        kind = Kind.__new__(Kind)
        for name, fact in zip(_COPIED, _facts(base), strict=True):
            setattr(kind, name, fact)
        kind.canonical = exact
        kind.allocation_role = role
        kind.tail = tail
        kind._old_tail = None
        kind._allocations = {}
        kind._frames = {}
        _kinds[exact] = kind
    return kind


@lru_cache(maxsize=4096)
def _allocation(role: str) -> bytes:
    """Encode field 11 of a Resource: its allocation to a role."""
    data = role.encode()
    data = b"\n" + varint(len(data)) + data
    return b"Z" + varint(len(data)) + data


def _canonical(shape: v0.Resource, unit: Amount | None) -> bytes:
    """Drop what does not count: how a volume is mounted and who made it; put labels in order."""
    plain = v0.Resource()
    plain.CopyFrom(shape)
    if plain.HasField("disk"):
        plain.disk.ClearField("volume")
        if plain.disk.HasField("persistence"):
            plain.disk.persistence.ClearField("principal")
        if plain.disk.source.HasField("metadata"):
            _sort(plain.disk.source.metadata)
    for reservation in plain.reservations:
        if reservation.HasField("labels"):
            _sort(reservation.labels)
    return plain.SerializePartialToString() + repr(unit).encode()


def _sort(labels: v0.Labels) -> None:
    ordered = sorted(labels.labels, key=lambda label: (label.key, label.HasField("value"), label.value))
    copies = [v0.Label.FromString(label.SerializeToString()) for label in ordered]
    del labels.labels[:]
    labels.labels.extend(copies)


def varint(number: int) -> bytes:
    """Encode a length as protobuf does."""
    if number < 128:
        return bytes((number,))
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


# --- validity --------------------------------------------------------------------------------------------------------


def validate_resource(resource: v0.Resource) -> None:
    """Check one resource in any form; raises InvalidRequest with Mesos' sentence."""
    if not resource.name:
        raise InvalidRequest("Empty resource name")
    _validate_value(resource)
    if resource.HasField("disk"):
        _validate_disk(resource)
    if resource.reservations:
        _validate_reservations(resource)
    else:
        _validate_old_reservation(resource)
    if resource.HasField("shared"):
        if resource.name != "disk":
            raise InvalidRequest(f"Resource {resource.name} cannot be shared")
        if not resource.disk.HasField("persistence"):
            raise InvalidRequest("Only persistent volumes can be shared")


def _validate_value(resource: v0.Resource) -> None:
    has = (resource.HasField("scalar"), resource.HasField("ranges"), resource.HasField("set"))
    if resource.type == _SCALAR:
        if has != (True, False, False):
            raise InvalidRequest("Invalid scalar resource")
        value = resource.scalar.value
        # Zero is legal and vanishes; what only rounds to zero is a mistake of the sender.
        if value != 0 and to_milli(value) <= 0:
            raise InvalidRequest("Invalid scalar resource: value <= 0")
    elif resource.type == _RANGES:
        if has != (False, True, False):
            raise InvalidRequest("Invalid ranges resource")
        _validate_ranges(resource.ranges)
    elif resource.type == _SET:
        if has != (False, False, True):
            raise InvalidRequest("Invalid set resource")
        if len(set(resource.set.item)) != len(resource.set.item):
            raise InvalidRequest("Invalid set resource: duplicated elements")
    else:
        raise InvalidRequest("Unsupported resource type")


def _validate_ranges(ranges: v0.Value.Ranges) -> None:
    intervals = [(item.begin, item.end) for item in ranges.range]
    if any(begin > end for begin, end in intervals):
        raise InvalidRequest("Invalid ranges resource: begin > end")
    intervals.sort()
    for index in range(1, len(intervals)):
        if intervals[index][0] <= intervals[index - 1][1]:
            raise InvalidRequest("Invalid ranges resource: overlapping ranges")


def _validate_disk(resource: v0.Resource) -> None:
    if resource.name != "disk":
        raise InvalidRequest(f"DiskInfo should not be set for {resource.name} resource")
    if not resource.disk.HasField("source"):
        return
    source = resource.disk.source
    name = _Source.Type.Name(source.type)
    if source.type in {_Source.BLOCK, _Source.RAW}:
        if source.HasField("mount"):
            raise InvalidRequest(f"Mount should not be set for {name} disk source")
        if source.HasField("path"):
            raise InvalidRequest(f"Path should not be set for {name} disk source")
    elif source.type == _Source.UNKNOWN:
        raise InvalidRequest("Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'")


def _validate_old_reservation(resource: v0.Resource) -> None:
    validate_role(resource.role)
    if not resource.HasField("reservation"):
        return
    for field in ("type", "role"):
        if resource.reservation.HasField(field):
            raise InvalidRequest(
                f"'Resource.ReservationInfo.{field}' must not be set for the 'Resource.reservation' field"
            )
    if resource.role == "*":
        raise InvalidRequest('Invalid reservation: role "*" cannot be dynamically reserved')


def _validate_reservations(resource: v0.Resource) -> None:
    above: str | None = None
    for reservation in resource.reservations:
        for field in ("type", "role"):
            if not reservation.HasField(field):
                raise InvalidRequest(f"Invalid reservation: 'Resource.ReservationInfo.{field}' field must be set.")
        validate_role(reservation.role)
        if reservation.role == "*":
            raise InvalidRequest('Invalid reservation: role "*" cannot be reserved')
    for reservation in resource.reservations:
        if above is not None:
            if reservation.type == _STATIC:
                raise InvalidRequest("Invalid refined reservation: A refined reservation cannot be STATIC")
            if not is_strict_subrole(reservation.role, above):
                raise InvalidRequest(
                    f"Invalid refined reservation: role '{reservation.role}' is not a refinement of '{above}'"
                )
        above = reservation.role
    if len(resource.reservations) == 1:
        _validate_both_forms(resource)
        return
    for field in ("role", "reservation"):
        if resource.HasField(field):
            raise InvalidRequest(
                f"Invalid resource format: 'Resource.{field}' must not be set if there is more than one reservation"
                " in 'Resource.reservations'"
            )


def _validate_both_forms(resource: v0.Resource) -> None:
    """Check that old fields, if set too, agree with the single reservation of the stack."""
    reservation = resource.reservations[0]
    if resource.HasField("role") and resource.role != reservation.role:
        raise InvalidRequest(
            f"Invalid resource format: 'Resource.role' field with '{resource.role}' does not match the role"
            f" '{reservation.role}' in 'Resource.reservations'"
        )
    has_old = resource.HasField("reservation")
    if reservation.type == _STATIC:
        if has_old:
            raise InvalidRequest(
                "Invalid resource format: 'Resource.reservation' must not be set if the single reservation in"
                " 'Resource.reservations' is STATIC"
            )
    elif reservation.type == _DYNAMIC:
        if resource.HasField("role") != has_old:
            raise InvalidRequest(
                "Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or both"
                " not set if the single reservation in 'Resource.reservations' is DYNAMIC"
            )
        if has_old and resource.reservation.principal != reservation.principal:
            raise InvalidRequest(
                f"Invalid resource format: 'Resource.reservation.principal' field with"
                f" '{resource.reservation.principal}' does not match the principal '{reservation.principal}' in"
                " 'Resource.reservations'"
            )
        if has_old and resource.reservation.labels != reservation.labels:
            raise InvalidRequest(
                f"Invalid resource format: 'Resource.reservation.labels' field with"
                f" '{labels_text(resource.reservation.labels)}' does not match the labels"
                f" '{labels_text(reservation.labels)}' in 'Resource.reservations'"
            )
    else:
        raise InvalidRequest("Unsupported 'Resource.ReservationInfo.Type'")


# --- text ------------------------------------------------------------------------------------------------------------


def value_text(resource: v0.Resource) -> str:
    """Write the amount as Mesos prints it, ranges as they came."""
    if resource.type == _SCALAR:
        return scalar_text(to_milli(resource.scalar.value))
    if resource.type == _RANGES:
        return "[" + ", ".join(f"{item.begin}-{item.end}" for item in resource.ranges.range) + "]"
    return "{" + ", ".join(resource.set.item) + "}"


def resource_text(resource: v0.Resource) -> str:
    """Write one resource as Mesos prints it in errors: ``cpus(allocated: r)(reservations: [(STATIC,r)]):1``."""
    parts = [resource.name]
    if resource.HasField("allocation_info"):
        parts.append(f"(allocated: {resource.allocation_info.role})")
    if resource.reservations:
        stack = ",".join(f"({_reservation_text(item)})" for item in resource.reservations)
        parts.append(f"(reservations: [{stack}])")
    if resource.HasField("disk"):
        parts.append(f"[{_disk_text(resource.disk)}]")
    if resource.HasField("revocable"):
        parts.append("{REV}")
    if resource.HasField("shared"):
        parts.append("<SHARED>")
    parts.append(":" + value_text(resource))
    return "".join(parts)


def _reservation_text(reservation: v0.Resource.ReservationInfo) -> str:
    text = f"{v0.Resource.ReservationInfo.Type.Name(reservation.type)},{reservation.role}"
    if reservation.HasField("principal"):
        text += f",{reservation.principal}"
    if reservation.HasField("labels"):
        text += f",{labels_text(reservation.labels)}"
    return text


def _disk_text(disk: v0.Resource.DiskInfo) -> str:
    parts = []
    if disk.HasField("source"):
        parts.append(_source_text(disk.source))
    if disk.HasField("persistence"):
        parts.append(disk.persistence.id)
    text = ",".join(parts)
    if disk.HasField("volume"):
        volume = disk.volume
        where = volume.container_path
        if volume.HasField("host_path"):
            where = f"{volume.host_path}:{where}:{v0.Volume.Mode.Name(volume.mode).lower()}"
        text += f":{where}"
    return text


def _source_text(source: v0.Resource.DiskInfo.Source) -> str:
    name = _Source.Type.Name(source.type)
    if source.HasField("id") or source.HasField("profile"):
        return f"{name}({source.vendor},{source.id},{source.profile})"
    if source.type == _Source.MOUNT and source.mount.HasField("root"):
        return f"{name}:{source.mount.root}"
    if source.type == _Source.PATH and source.path.HasField("root"):
        return f"{name}:{source.path.root}"
    return name
