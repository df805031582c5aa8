"""The resources an agent offers: those of ``--resources``, the rest as found on the machine (A17). Pure."""

from __future__ import annotations

from typing import NamedTuple

from messor.errors import ConfigurationError, InvalidRequest
from messor.model.attributes import parse_attributes
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.model.roles import validate_role
from messor.protos import v0

MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
DEFAULT_CPUS = 1
DEFAULT_MEM = GIGABYTE
DEFAULT_DISK = 10 * GIGABYTE
DEFAULT_PORTS = "[31000-32000]"


class Machine(NamedTuple):
    """What a machine has, as far as its agent may give it away."""

    cpus: int = DEFAULT_CPUS
    memory: int = DEFAULT_MEM
    """Bytes."""
    disk: int = DEFAULT_DISK
    """Bytes of the file system that work_dir is on."""


def total_resources(text: str | None, default_role: str, machine: Machine) -> Resources:
    """Give the agent's resources; raises ConfigurationError in Mesos' words when the text makes no sense.

    Some memory and disk are left to the system: 1 GB and 5 GB, on small machines half of all.
    """
    try:
        total = parse_resources(text, default_role) if text else Resources()
    except InvalidRequest as error:
        raise ConfigurationError(f"Failed to determine agent resources: {error}") from error
    if default_role != "*":
        try:
            validate_role(default_role)
        except InvalidRequest as error:
            raise ConfigurationError(f"Failed to determine agent resources: {error}") from error
    named = total.names()
    memory = machine.memory - GIGABYTE if machine.memory >= 2 * GIGABYTE else machine.memory // 2
    disk = machine.disk - 5 * GIGABYTE if machine.disk >= 10 * GIGABYTE else machine.disk // 2
    detected = (
        ("cpus", str(machine.cpus)),
        ("mem", str(memory // MEGABYTE)),
        ("disk", str(disk // MEGABYTE)),
        ("ports", DEFAULT_PORTS),
    )
    for name, value in detected:
        if name not in named:
            total = total + parse_resources(f"{name}:{value}", default_role)
    return total


def attributes(text: str | None) -> list[v0.Attribute]:
    """Give the agent's attributes; raises ConfigurationError when the text makes no sense."""
    try:
        return parse_attributes(text) if text else []
    except InvalidRequest as error:
        raise ConfigurationError(f"Failed to parse --attributes: {error}") from error


CAPABILITIES = (
    v0.SlaveInfo.Capability.MULTI_ROLE,
    v0.SlaveInfo.Capability.HIERARCHICAL_ROLE,
    v0.SlaveInfo.Capability.RESERVATION_REFINEMENT,
    v0.SlaveInfo.Capability.RESOURCE_PROVIDER,
    v0.SlaveInfo.Capability.RESIZE_VOLUME,
    v0.SlaveInfo.Capability.AGENT_OPERATION_FEEDBACK,
    v0.SlaveInfo.Capability.AGENT_DRAINING,
    v0.SlaveInfo.Capability.TASK_RESOURCE_LIMITS,
)
"""What the agent tells masters it can do."""
