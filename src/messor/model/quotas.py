"""Quota of a role: what it is promised, and what it may have at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from messor.errors import InvalidRequest
from messor.model.quantities import Quantities
from messor.model.roles import validate_role
from messor.model.scalars import scalar_text, to_float, to_milli
from messor.protos import v0, v0_quota

_LARGEST = 10**12
_LARGEST_MEGABYTES = 1024**4


@dataclass(frozen=True)
class Quota:
    """Guarantees and limits, in thousandths by name. A name without a limit is unlimited; a limit of 0 is one."""

    guarantees: Quantities = field(default_factory=Quantities)
    limits: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, config: v0_quota.QuotaConfig) -> Quota:
        """Read a valid QuotaConfig."""
        guarantees = {name: to_milli(scalar.value) for name, scalar in config.guarantees.items()}
        return cls(Quantities(guarantees), {name: to_milli(limit.value) for name, limit in config.limits.items()})

    @cached_property
    def promised(self) -> tuple[tuple[str, int], ...]:
        """The guarantees, quick to iterate over."""
        return tuple(self.guarantees.items())

    @property
    def is_default(self) -> bool:
        """Whether it neither promises nor forbids anything."""
        return not self.guarantees and not self.limits

    def allows(self, consumed: Mapping[str, int]) -> bool:
        """Whether that much (thousandths by name) is within the limits."""
        return all(consumed.get(name, 0) <= limit for name, limit in self.limits.items())

    def config(self, role: str) -> v0_quota.QuotaConfig:
        """Write the QuotaConfig of a role."""
        config = v0_quota.QuotaConfig(role=role)
        for name, milli in sorted(self.guarantees.items()):
            config.guarantees[name].value = to_float(milli)
        for name, milli in sorted(self.limits.items()):
            config.limits[name].value = to_float(milli)
        return config

    def info(self, role: str) -> v0_quota.QuotaInfo:
        """Write the older QuotaInfo of a role, which has guarantees only."""
        info = v0_quota.QuotaInfo(role=role)
        for name, milli in sorted(self.guarantees.items()):
            resource = info.guarantee.add(name=name, type=v0.Value.SCALAR)
            resource.scalar.value = to_float(milli)
        return info


DEFAULT_QUOTA = Quota()
"""Of roles nobody set a quota for."""


def limits_text(limits: Mapping[str, int]) -> str:
    """Write limits as in Mesos' messages: ``cpus:2; mem:64``."""
    return "; ".join(f"{name}:{scalar_text(milli)}" for name, milli in sorted(limits.items())) or "{}"


def validate_quota(config: v0_quota.QuotaConfig) -> None:
    """Check a QuotaConfig; raises InvalidRequest in Mesos' words."""
    if not config.HasField("role"):
        raise InvalidRequest("'QuotaConfig.role' must be set")
    try:
        validate_role(config.role)
    except InvalidRequest as error:
        raise InvalidRequest(f"Invalid 'QuotaConfig.role': {error}") from None
    for part, scalars in (("guarantees", config.guarantees), ("limits", config.limits)):
        for name, scalar in sorted(scalars.items()):
            _check_size(part, name, scalar.value)
    for part, scalars in (("guarantee", config.guarantees), ("limit", config.limits)):
        for name, scalar in sorted(scalars.items()):
            problem = _problem(scalar.value)
            if problem is not None:
                raise InvalidRequest(f"Invalid {part} configuration {{'{name}': {scalar.value:.15g}}}: {problem}")
    quota = Quota.of(config)
    if not quota.allows(quota.guarantees):
        raise InvalidRequest(
            f"'QuotaConfig.guarantees' {_map_text(config.guarantees)} is not contained within the "
            f"'QuotaConfig.limits' {_map_text(config.limits)}"
        )


def _check_size(part: str, name: str, value: float) -> None:
    """Refuse numbers that would overflow the arithmetic of older masters."""
    if name in {"mem", "disk"}:
        largest, words = _LARGEST_MEGABYTES, "1 exabyte"
    else:
        largest, words = _LARGEST, "1 trillion"
    if value > largest:
        raise InvalidRequest(
            f"Invalid 'QuotaConfig.{part}': {{'{name}': {value:.15g}}} is invalid: "
            f"values greater than {words} ({largest}) are not supported"
        )


def _problem(value: float) -> str | None:
    """Tell what is wrong with a scalar that somebody typed."""
    if value != value:  # noqa: PLR0124  (NaN)
        return "NaN not supported"
    if value in {float("inf"), float("-inf")}:
        return "Infinite values not supported"
    if value < 0:
        return "Negative values not supported"
    return None


def _map_text(scalars: Mapping[str, v0.Value.Scalar]) -> str:
    return "{ " + ", ".join(f"{name}: {scalar.value:.15g}" for name, scalar in sorted(scalars.items())) + " }"
