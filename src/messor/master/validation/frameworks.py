"""What a framework says about itself, when it subscribes and when it updates."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from messor.allocator.constraints import Constraints, Limits
from messor.errors import InvalidRequest
from messor.model.ids import validate_id
from messor.model.roles import roles_of, validate_role
from messor.protos import v0, v0_scheduler

LONGEST_SECONDS = 2**63 / 1e9
"""Durations are 64-bit nanoseconds: what exceeds them is no duration."""


def braced(names: Iterable[str]) -> str:
    """Write a set as Mesos prints it: ``{ a, b }``, sorted; ``{}`` when empty."""
    listed = sorted(names)
    return f"{{ {', '.join(listed)} }}" if listed else "{}"


def validate_framework(
    info: v0.FrameworkInfo,
    *,
    allowed_roles: Collection[str] | None,
    root_submissions: bool,
    completed: Collection[str],
) -> None:
    """Check a FrameworkInfo (M7); raises InvalidRequest.

    allowed_roles: the master's ``--roles``, None when all are allowed; completed: ids of frameworks that were removed.
    """
    _validate_roles(info)
    if info.id.value:
        validate_id(info.id.value)
    _validate_offer_filters(info)
    _validate_failover_timeout(info.failover_timeout)
    if allowed_roles is not None:
        unknown = [role for role in roles_of(info) if role not in allowed_roles]
        if unknown:
            raise InvalidRequest(f"Roles {braced(unknown)} are not present in the master's --roles")
    if info.user == "root" and not root_submissions:
        raise InvalidRequest("User 'root' is not allowed to run frameworks without --root_submissions set")
    if info.HasField("id") and info.id.value in completed:
        raise InvalidRequest("Framework has been removed")


def validate_update(old: v0.FrameworkInfo, new: v0.FrameworkInfo) -> None:
    """Check that only what may change has changed; raises InvalidRequest."""
    before = old.principal if old.HasField("principal") else None
    after = new.principal if new.HasField("principal") else None
    if before != after:
        raise InvalidRequest("Changing framework's principal is not allowed.")
    if new.user != old.user:
        raise InvalidRequest(
            f"Updating 'FrameworkInfo.user' is unsupported; attempted to update from '{old.user}' to '{new.user}'"
        )
    if new.checkpoint != old.checkpoint:
        raise InvalidRequest(
            "Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update"
            f" from '{_boolean(old.checkpoint)}' to '{_boolean(new.checkpoint)}'"
        )


def keep_immutable(old: v0.FrameworkInfo, new: v0.FrameworkInfo) -> None:
    """Put the old user and checkpoint into what a framework re-subscribes with: there they are ignored, not refused."""
    if new.user != old.user:
        new.user = old.user
    if new.checkpoint != old.checkpoint:
        new.checkpoint = old.checkpoint


def validate_suppressed_roles(roles: Collection[str], suppressed: Iterable[str]) -> None:
    """Check that a framework suppresses only roles it has; raises InvalidRequest."""
    foreign = {role for role in suppressed if role not in roles}
    if foreign:
        raise InvalidRequest(f"Suppressed roles {braced(foreign)} are not contained in the set of roles")


def validate_offer_constraints(
    roles: Collection[str], constraints: v0_scheduler.OfferConstraints, limits: Limits | None = None
) -> None:
    """Check offer constraints, with regular expressions of at most these sizes; raises InvalidRequest."""
    for role in sorted(constraints.role_constraints):
        if role not in roles:
            raise InvalidRequest(
                f"Offer constraints specify `role_constraints` for a role '{role}'not contained in the set of roles"
            )
    for role in sorted(constraints.role_constraints):
        groups = constraints.role_constraints[role].groups
        if not groups:
            raise InvalidRequest(
                f"Offer constraints are not valid: 'OfferConstraints::RoleConstraints::groups' for role {role} is empty"
            )
        if any(not group.attribute_constraints for group in groups):
            raise InvalidRequest(
                "Offer constraints are not valid: 'OfferConstraints::RoleConstraints::groups' for role "
                f"{role}contains an empty RoleConstraints::Group"
            )
    try:
        Constraints(constraints, limits)
    except InvalidRequest as error:
        raise InvalidRequest(f"Offer constraints are not valid: {error}") from None


def _validate_roles(info: v0.FrameworkInfo) -> None:
    multi_role = any(item.type == v0.FrameworkInfo.Capability.MULTI_ROLE for item in info.capabilities)
    if not multi_role:
        if info.roles:
            raise InvalidRequest("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable")
        try:
            validate_role(info.role)
        except InvalidRequest as error:
            raise InvalidRequest(f"'FrameworkInfo.role' is not a valid role: {error}") from None
        return
    if info.HasField("role"):
        raise InvalidRequest("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable")
    seen: set[str] = set()
    twice = {role for role in info.roles if role in seen or seen.add(role)}  # type: ignore[func-returns-value]
    if twice:
        raise InvalidRequest(f"'FrameworkInfo.roles' contains duplicate items: {braced(twice)}")
    for role in info.roles:
        try:
            validate_role(role)
        except InvalidRequest as error:
            raise InvalidRequest(f"'FrameworkInfo.roles' contains invalid role: {error}") from None


def _validate_offer_filters(info: v0.FrameworkInfo) -> None:
    for role in sorted(info.offer_filters):
        filters = info.offer_filters[role]
        if not filters.HasField("min_allocatable_resources"):
            continue
        for item in filters.min_allocatable_resources.quantities:
            if not item.quantities:
                raise InvalidRequest("Resource quantities must contain at least one quantity")
            for name in sorted(item.quantities):
                _validate_quantity(name, item.quantities[name].value)


def _validate_quantity(name: str, value: float) -> None:
    complaint = None
    if math.isinf(value):
        complaint = "Infinite values not supported"
    elif math.isnan(value):
        complaint = "NaN not supported"
    elif value < 0:
        complaint = "Negative values not supported"
    if complaint is not None:
        raise InvalidRequest(f"Invalid resource quantity for '{name}': {complaint}")


def _validate_failover_timeout(seconds: float) -> None:
    """Accept what fits a duration; negative ones do (recorded) and then count as no time at all."""
    if not abs(seconds) < LONGEST_SECONDS:
        raise InvalidRequest(f"The framework failover_timeout ({seconds:g}) is invalid")


def _boolean(value: bool) -> str:
    return "true" if value else "false"
