"""The resources a task or an executor asks for: read once, remembered by their encoding, checked for use.

Tasks of a framework ask for the same few bundles over and over, so everything that depends on nothing but the bundle is
kept: the value, the encodings that are spliced into messages and records, and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from messor.errors import InvalidRequest
from messor.model import resource_formats
from messor.model.ids import validate_id
from messor.model.ranges import Items, Ranges
from messor.model.resource import resource_text
from messor.model.resources import Resources, validate_resources
from messor.protos import v0
from messor.wire.splicing import nested

KEPT_BUNDLES = 4096
"""How many different bundles are remembered before starting over."""


class Bundle:
    """Resources of one task or executor, in the stack form, with their allocation role."""

    __slots__ = ("_fields", "complaint", "messages", "resources")

    def __init__(self, messages: list[v0.Resource], resources: Resources, complaint: str | None) -> None:
        """complaint: why they cannot be used by anybody, None when they can."""
        self.messages = messages
        self.resources = resources
        self.complaint = complaint
        self._fields: dict[int, bytes] = {}

    def encoded(self, field: int) -> bytes:
        """Encode as the repeated field of that number, every resource as it was sent, empty ones included."""
        data = self._fields.get(field)
        if data is None:
            data = b"".join(nested(field, message.SerializeToString()) for message in self.messages)
            self._fields[field] = data
        return data


_bundles: dict[tuple[object, ...], Bundle] = {}


def read_bundle(messages: Iterable[v0.Resource], role: str) -> Bundle:
    """Read resources in any form; those without allocation get the role. Raises InvalidRequest for malformed ones."""
    sent = list(messages)
    key = (role, *[message.SerializePartialToString() for message in sent])
    bundle = _bundles.get(key)
    if bundle is None:
        bundle = _read(sent, role)
        if len(_bundles) >= KEPT_BUNDLES:
            _bundles.clear()
        _bundles[key] = bundle
    return bundle


def _read(sent: list[v0.Resource], role: str) -> Bundle:
    validate_resources(sent)
    copies = resource_formats.upgraded(sent)
    for message in copies:
        if not message.HasField("allocation_info"):
            message.allocation_info.role = role
    resources = Resources.of(copies)
    complaint: str | None = None
    try:
        _validate_usable(copies, resources)
    except InvalidRequest as error:
        complaint = str(error)
    return Bundle(copies, resources, complaint)


def _validate_usable(messages: Sequence[v0.Resource], resources: Resources) -> None:
    """Check what makes well-formed resources unusable; the texts complete "Task …" and "Executor …"."""
    try:
        validate_contents(messages, resources)
    except InvalidRequest as error:
        raise InvalidRequest(f"uses invalid resources: {error}") from None
    try:
        validate_unique_persistence_ids(resources)
    except InvalidRequest as error:
        raise InvalidRequest(f"uses duplicate persistence ID: {error}") from None
    validate_single_role(messages)
    try:
        validate_not_mixed(resources)
    except InvalidRequest as error:
        raise InvalidRequest(f"mixes revocable and non-revocable resources: {error}") from None


def validate_contents(messages: Iterable[v0.Resource], resources: Resources) -> None:
    """Check GPUs, disks and reservations of resources in the stack form; raises InvalidRequest."""
    if resources.scalars().get("gpus", 0) % 1000:
        raise InvalidRequest("Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer")
    for message in messages:
        if message.HasField("disk"):
            try:
                _validate_disk(message)
            except InvalidRequest as error:
                raise InvalidRequest(f"Invalid DiskInfo: {error}") from None
    for message in messages:
        if (
            message.reservations
            and message.reservations[-1].type == v0.Resource.ReservationInfo.DYNAMIC
            and message.HasField("revocable")
        ):
            raise InvalidRequest(
                f"Invalid ReservationInfo: Dynamically reserved resource {resource_text(message)}"
                " cannot be created from revocable resources"
            )


def validate_unique_persistence_ids(resources: Resources) -> None:
    """Check that no persistent volume of a role is there twice; raises InvalidRequest."""
    seen: set[tuple[str | None, str]] = set()
    for kind in resources.kinds():
        if kind.is_persistent_volume:
            identifier = kind.shape().disk.persistence.id
            if (kind.reservation_role, identifier) in seen:
                raise InvalidRequest(f"Persistence ID '{identifier}' is not unique")
            seen.add((kind.reservation_role, identifier))


def validate_not_mixed(resources: Resources) -> None:
    """Check that no resource comes both revocable and not; raises InvalidRequest."""
    revocable = {kind.name for kind in resources.kinds() if kind.is_revocable}
    if not revocable:
        return
    for kind in resources.kinds():
        if kind.name in revocable and not kind.is_revocable:
            raise InvalidRequest(f"Cannot use both revocable and non-revocable '{kind.name}' at the same time")


def overlap(bundles: Sequence[Resources]) -> bool:
    """Whether ports or set members are asked for twice."""
    seen: dict[object, Ranges | Items] = {}
    for resources in bundles:
        for kind, amount in resources.items():
            if isinstance(amount, int):
                continue
            before = seen.get(kind)
            if before is None:
                seen[kind] = amount
                continue
            joined = before + amount  # type: ignore[operator]  # one kind holds one type of amount
            if joined.size() != before.size() + amount.size():
                return True
            seen[kind] = joined
    return False


def validate_single_role(messages: Iterable[v0.Resource]) -> None:
    """Check that resources are allocated, and to one role; raises InvalidRequest."""
    first: str | None = None
    for message in messages:
        if not message.allocation_info.HasField("role"):
            raise InvalidRequest("The resources are not allocated to a role")
        role = message.allocation_info.role
        if first is None:
            first = role
        elif role != first:
            raise InvalidRequest(
                f"The resources have multiple allocation roles ('{role}' and '{first}')"
                " but only one allocation role is allowed"
            )


def _validate_disk(message: v0.Resource) -> None:
    disk = message.disk
    if not disk.HasField("persistence"):
        if disk.HasField("volume"):
            raise InvalidRequest("Non-persistent volume not supported")
        if not disk.HasField("source"):
            raise InvalidRequest("DiskInfo is set but empty")
        return
    if message.HasField("revocable"):
        raise InvalidRequest("Persistent volumes cannot be created from revocable resources")
    if not message.reservations:
        raise InvalidRequest("Persistent volumes cannot be created from unreserved resources")
    if not disk.HasField("volume"):
        raise InvalidRequest("Expecting 'volume' to be set for persistent volume")
    if disk.volume.HasField("host_path"):
        raise InvalidRequest("Expecting 'host_path' to be unset for persistent volume")
    try:
        validate_id(disk.persistence.id)
    except InvalidRequest as error:
        raise InvalidRequest(f"Invalid persistence ID for persistent volume: {error}") from None
