"""The two ways to write a reservation, and how to get from one to the other.

Before reservation refinement a resource had one ``role`` (``*`` when unreserved) and, if reserved dynamically, a
``reservation``. Since then it has a stack ``reservations``, empty when unreserved. Inside Messor only the stack exists;
frameworks, agents and files that do not know it get the old form (trap 14). ``/state`` and the like show both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from messor.errors import InvalidRequest
from messor.protos import v0

_STATIC = v0.Resource.ReservationInfo.STATIC
_DYNAMIC = v0.Resource.ReservationInfo.DYNAMIC


def needs_upgrade(resource: v0.Resource) -> bool:
    """Whether old fields are set."""
    return resource.HasField("role") or resource.HasField("reservation")


def upgrade(resource: v0.Resource) -> None:
    """Turn the old form, or the one endpoints show, into the stack, in place. The resource must be valid."""
    if resource.reservations:
        resource.ClearField("role")
        resource.ClearField("reservation")
        return
    role = resource.role
    if role != "*":
        reservation = resource.reservations.add()
        if resource.HasField("reservation"):
            reservation.CopyFrom(resource.reservation)
            reservation.type = _DYNAMIC
        else:
            reservation.type = _STATIC
        reservation.role = role
    resource.ClearField("role")
    resource.ClearField("reservation")


def downgrade(resource: v0.Resource) -> None:
    """Turn the stack into the old form, in place; raises InvalidRequest when the reservation is refined."""
    count = len(resource.reservations)
    if count > 1:
        raise InvalidRequest("Cannot downgrade resources containing refined reservations")
    _set_old_fields(resource)
    resource.ClearField("reservations")


def show_both(resource: v0.Resource) -> None:
    """Add the old fields beside the stack where they can express it, in place: the form of the v0 endpoints."""
    if len(resource.reservations) <= 1:
        _set_old_fields(resource)


def _set_old_fields(resource: v0.Resource) -> None:
    if not resource.reservations:
        resource.role = "*"
        return
    source = resource.reservations[0]
    if source.type == _DYNAMIC:
        target = resource.reservation
        target.SetInParent()
        if source.HasField("principal"):
            target.principal = source.principal
        if source.HasField("labels"):
            target.labels.CopyFrom(source.labels)
    resource.role = source.role


def _converted(messages: Iterable[v0.Resource], change: Callable[[v0.Resource], None]) -> list[v0.Resource]:
    result = []
    for message in messages:
        copy = v0.Resource()
        copy.CopyFrom(message)
        change(copy)
        result.append(copy)
    return result


def upgraded(messages: Iterable[v0.Resource]) -> list[v0.Resource]:
    """Copy resources into the stack form."""
    return _converted(messages, upgrade)


def downgraded(messages: Iterable[v0.Resource]) -> list[v0.Resource]:
    """Copy resources into the old form; raises InvalidRequest when one has a refined reservation."""
    return _converted(messages, downgrade)


def shown_both(messages: Iterable[v0.Resource]) -> list[v0.Resource]:
    """Copy resources into the form of the v0 endpoints."""
    return _converted(messages, show_both)


def stripped_of_allocation(messages: Iterable[v0.Resource]) -> list[v0.Resource]:
    """Copy resources without ``allocation_info``, which frameworks that are not MULTI_ROLE must not see (trap 14)."""
    return _converted(messages, lambda resource: resource.ClearField("allocation_info"))


def upgrade_all(message: Message) -> None:
    """Upgrade every resource anywhere inside a message, in place."""
    _walk(message, upgrade)


def downgrade_all(message: Message) -> None:
    """Downgrade every resource anywhere inside a message, in place; raises InvalidRequest for refined reservations."""
    _walk(message, downgrade)


def change_all(message: Message, change: Callable[[v0.Resource], None]) -> None:
    """Call for every resource anywhere inside a message."""
    _walk(message, change)


_paths: dict[str, tuple[tuple[str, bool], ...]] = {}
"""By message name: fields (name, repeated) below which resources may be found."""


def _resource_paths(descriptor: Descriptor) -> tuple[tuple[str, bool], ...]:
    known = _paths.get(descriptor.full_name)
    if known is None:
        known = tuple(
            (field.name, field.is_repeated)
            for field in descriptor.fields
            if field.message_type is not None
            and not field.message_type.GetOptions().map_entry
            and _holds_resources(field.message_type, set())
        )
        _paths[descriptor.full_name] = known
    return known


def _holds_resources(descriptor: Descriptor, seen: set[str]) -> bool:
    if descriptor.full_name == "mesos.Resource":
        return True
    if descriptor.full_name in seen:
        return False
    seen.add(descriptor.full_name)
    return any(
        field.message_type is not None and _holds_resources(field.message_type, seen) for field in descriptor.fields
    )


def _walk(message: Any, change: Callable[[v0.Resource], None]) -> None:
    if isinstance(message, v0.Resource):
        change(message)
        return
    for name, repeated in _resource_paths(message.DESCRIPTOR):
        if repeated:
            for item in getattr(message, name):
                _walk(item, change)
        elif message.HasField(name):
            _walk(getattr(message, name), change)
