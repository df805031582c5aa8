"""Role names: which are legal, who is whose parent."""

from __future__ import annotations

from collections.abc import Iterable

from messor.errors import InvalidRequest
from messor.protos import v0

DEFAULT_ROLE = "*"
"""The role of frameworks that name none, and of unreserved resources in the old format."""

_SPACES = frozenset("\t\n\v\f\r \x7f")


def validate_role(role: str) -> None:
    """Check one role name; raises InvalidRequest with Mesos' sentence."""
    if role == DEFAULT_ROLE:
        return
    if role.startswith("/"):
        raise InvalidRequest(f"Role '{role}' cannot start with a slash")
    if role.endswith("/"):
        raise InvalidRequest(f"Role '{role}' cannot end with a slash")
    if "//" in role:
        raise InvalidRequest(f"Role '{role}' cannot contain two adjacent slashes")
    if not role:
        raise InvalidRequest("Role names cannot be the empty string")
    for component in role.split("/"):
        if component in {".", "..", "*"}:
            raise InvalidRequest(f"Role '{role}' cannot include '{component}' as a component")
        if component.startswith("-"):
            raise InvalidRequest(f"Role component '{component}' is invalid because it starts with a dash")
        if not _SPACES.isdisjoint(component):
            raise InvalidRequest(f"Role component '{component}' is invalid because it contains backspace or whitespace")


def validate_roles(roles: Iterable[str]) -> None:
    """Check several role names; raises InvalidRequest for the first bad one."""
    for role in roles:
        validate_role(role)


def parse_roles(text: str) -> list[str]:
    """Read the value of ``--roles``: names separated by commas; raises InvalidRequest."""
    roles = [role for role in text.split(",") if role]
    validate_roles(roles)
    return roles


def parse_weights(text: str) -> dict[str, float]:
    """Read ``--weights``: ``role=weight,role=weight``; raises InvalidRequest."""
    weights: dict[str, float] = {}
    for token in text.split(","):
        if not token:
            continue
        parts = [part for part in token.split("=") if part]
        if len(parts) != 2:
            form = "--weights should be of the form 'role=weight,role=weight'"
            raise InvalidRequest(f"Invalid weight: '{token}'. {form}")
        role = parts[0].strip()
        try:
            validate_role(role)
        except InvalidRequest as error:
            raise InvalidRequest(f"Invalid weight: '{token}'. {error}") from None
        try:
            weight = float(parts[1])
        except ValueError:
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise InvalidRequest(f"Invalid weight: '{token}'. Weights must be positive")
        weights[role] = weight
    return weights


def is_strict_subrole(role: str, of: str) -> bool:
    """Whether a role lies strictly below another: ``a/b`` below ``a``."""
    return len(role) > len(of) and role[len(of)] == "/" and role.startswith(of)


def is_subrole(role: str, of: str) -> bool:
    """Whether a role is another or lies below it."""
    return role == of or is_strict_subrole(role, of)


def ancestors(role: str) -> list[str]:
    """List the roles above, nearest first: ``a/b/c`` gives ``[a/b, a]``."""
    parts = role.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def parent(role: str) -> str | None:
    """Give the role right above, None for a top-level one."""
    head, slash, _ = role.rpartition("/")
    return head if slash else None


def roles_of(info: v0.FrameworkInfo) -> frozenset[str]:
    """Give the roles of a framework: ``roles`` when it is MULTI_ROLE capable, else its single ``role``."""
    for capability in info.capabilities:
        if capability.type == v0.FrameworkInfo.Capability.MULTI_ROLE:
            return frozenset(info.roles)
    return frozenset((info.role,))
