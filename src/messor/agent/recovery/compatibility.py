"""Whether an agent may keep its id although its description changed (G4). Pure."""

from __future__ import annotations

from messor.errors import ConfigurationError
from messor.model.attributes import same_attributes
from messor.model.domains import domain_text
from messor.model.resources import Resources
from messor.model.scalars import scalar_text
from messor.protos import v0

_LINE = "-" * 60


def check_equal(old: v0.SlaveInfo, new: v0.SlaveInfo) -> None:
    """Raise ConfigurationError, showing both, unless nothing that matters changed."""
    if _is_same(old, new):
        return
    known = v0.SlaveInfo()
    known.CopyFrom(new)
    if old.HasField("id"):
        known.id.CopyFrom(old.id)
    raise ConfigurationError(
        "\n".join(
            (
                "Incompatible agent info detected. ",
                _LINE,
                "Old agent info:",
                str(old),
                _LINE,
                "New agent info:",
                str(known),
                _LINE,
            )
        )
    )


def check_additive(old: v0.SlaveInfo, new: v0.SlaveInfo) -> None:
    """Raise ConfigurationError unless the agent only gained resources, attributes or a domain."""
    problem = _addition_problem(old, new)
    if problem is not None:
        raise ConfigurationError(f"Configuration change not permitted under 'additive' policy: {problem}")


def with_hint(problem: str, latest: str) -> str:
    """Say what an operator can do about a failed recovery; ``latest`` is the link that ties the agent to its id."""
    return (
        f"Failed to perform recovery: {problem}\n"
        "If the configuration changed on purpose and the agent should keep its id, a more permissive\n"
        "`--reconfiguration_policy` may allow it.\n\n"
        "To start with a new agent id instead, which gives up the tasks that still run:\n"
        f"rm -f {latest}\n\n"
        "Finally, restart the agent."
    )


def _is_same(old: v0.SlaveInfo, new: v0.SlaveInfo) -> bool:
    return (
        old.hostname == new.hostname
        and old.port == new.port
        and old.domain == new.domain
        and Resources.of(old.resources) == Resources.of(new.resources)
        and same_attributes(old.attributes, new.attributes)
    )


def _domain(info: v0.SlaveInfo) -> str:
    return domain_text(info.domain) if info.HasField("domain") else "none"


def _addition_problem(old: v0.SlaveInfo, new: v0.SlaveInfo) -> str | None:
    if old.hostname != new.hostname:
        return f"Hostname changed from {old.hostname} to {new.hostname}"
    if old.port != new.port:
        return f"Port changed from {old.port} to {new.port}"
    if old.HasField("domain") and old.domain != new.domain:
        return f"Domain changed from {_domain(old)} to {_domain(new)}"
    for attribute in old.attributes:
        if attribute not in new.attributes:
            return f"Attribute '{attribute.name}' was removed or changed"
    before, after = Resources.of(old.resources), Resources.of(new.resources)
    if after.contains(before):
        return None
    for name in sorted(before.names()):
        had, has = before.scalar(name), after.scalar(name)
        if had is not None and (has or 0.0) < had:
            return (
                f"Value of scalar resource '{name}' decreased from {scalar_text(round(had * 1000))} "
                f"to {scalar_text(round((has or 0.0) * 1000))}"
            )
    return "Some resources were removed"
