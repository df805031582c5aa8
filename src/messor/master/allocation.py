"""What the master's flags tell its allocator."""

from __future__ import annotations

from messor.allocator.interfaces import AllocatorOptions
from messor.allocator.loading import find_sorter
from messor.errors import ConfigurationError
from messor.master.flags import MasterFlags
from messor.model.domains import region_of
from messor.model.quantities import parse_min_allocatable
from messor.model.roles import parse_roles


def allocator_options(flags: MasterFlags) -> AllocatorOptions:
    """Read the allocator's flags; raises ConfigurationError when a sorter cannot be found or they contradict."""
    role_sorter, framework_sorter = find_sorter(flags.role_sorter), find_sorter(flags.framework_sorter)
    if isinstance(role_sorter, str) and isinstance(framework_sorter, str) and role_sorter != framework_sorter:
        raise ConfigurationError("Values of --role_sorter and --framework_sorter must be the same")
    _check_weights(flags)
    excluded = flags.fair_sharing_excluded_resource_names or ""
    return AllocatorOptions(
        allocation_interval=flags.allocation_interval,
        min_allocatable=parse_min_allocatable(flags.min_allocatable_resources),
        fair_sharing_excluded=tuple(name.strip() for name in excluded.split(",") if name.strip()),
        filter_gpu_resources=flags.filter_gpu_resources,
        sorter=flags.role_sorter if isinstance(role_sorter, str) else "drf",
        role_sorter=role_sorter,
        framework_sorter=framework_sorter,
        region=region_of(flags.domain) if flags.domain is not None else None,
        agent_recovery_factor=flags.allocator_agent_recovery_factor,
        agent_recovery_timeout=flags.allocator_recovery_timeout,
    )


def _check_weights(flags: MasterFlags) -> None:
    """Refuse weights of roles that nobody may have; raises ConfigurationError."""
    if not flags.roles:
        return
    allowed = {"*", *parse_roles(flags.roles)}
    for token in (flags.weights or "").split(","):
        role = token.partition("=")[0].strip()
        if role and role not in allowed:
            raise ConfigurationError(f"Invalid weight: '{token}'. {role} is not a valid role")
