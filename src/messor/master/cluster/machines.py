"""Machines as operators name them: which are in maintenance, or about to be.

A machine is what an agent runs on: its hostname (whatever its case) and ip, both. One that is up is not listed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from messor.errors import InvalidRequest
from messor.master.state.agent import AgentRecord
from messor.master.state.machine import Machine
from messor.protos import registry, v0, v0_maintenance
from messor.wire.json_codec import dumps

Mode = v0.MachineInfo

Key = tuple[str, str]
"""Hostname in lower case, and ip; either may be empty."""


def key_of(machine: v0.MachineID) -> Key:
    """Tell what identifies a machine."""
    return machine.hostname.lower(), machine.ip


def agent_key(hostname: str, ip: str) -> Key:
    """Tell which machine an agent runs on."""
    return hostname.lower(), ip


def text_of(machine: v0.MachineID) -> str:
    """Write a machine as in Mesos' messages."""
    fields = (("hostname", machine.hostname), ("ip", machine.ip))
    return dumps({name: value for name, value in fields if value}).decode()


def validate_machines(machines: Iterable[v0.MachineID]) -> None:
    """Check a list of machines; raises InvalidRequest."""
    machines = list(machines)
    if not machines:
        raise InvalidRequest("List of machines is empty")
    seen: set[Key] = set()
    for machine in machines:
        validate_machine(machine)
        if key_of(machine) in seen:
            raise InvalidRequest(f"Machine '{text_of(machine)}' appears more than once in the machine list")
        seen.add(key_of(machine))


def validate_machine(machine: v0.MachineID) -> None:
    """Check one machine; raises InvalidRequest."""
    if not machine.hostname and not machine.ip:
        raise InvalidRequest("Both 'hostname' and 'ip' for a machine are empty")
    if machine.ip:
        try:
            ipaddress.ip_address(machine.ip)
        except ValueError:
            raise InvalidRequest(f"Failed to parse the IP: {machine.ip}") from None


def validate_schedule(schedule: v0_maintenance.Schedule, machines: dict[Key, Machine]) -> None:
    """Check a schedule against the machines there are; raises InvalidRequest."""
    seen: set[Key] = set()
    for window in schedule.windows:
        if not window.machine_ids:
            raise InvalidRequest("List of machines in the maintenance window is empty")
        if window.unavailability.HasField("duration") and window.unavailability.duration.nanoseconds < 0:
            raise InvalidRequest("Unavailability 'duration' is negative")
        for machine in window.machine_ids:
            validate_machine(machine)
            if key_of(machine) in seen:
                raise InvalidRequest(f"Machine '{text_of(machine)}' appears more than once in the schedule")
            seen.add(key_of(machine))
    for key, known in machines.items():
        if known.mode == Mode.DOWN and key not in seen:
            raise InvalidRequest(
                f"Machine '{text_of(known.id)}' is deactivated and cannot be removed from the schedule"
            )


def scheduled(schedule: v0_maintenance.Schedule, machines: dict[Key, Machine]) -> dict[Key, Machine]:
    """Tell the machines a schedule makes: all in it, draining unless they are down already."""
    result: dict[Key, Machine] = {}
    for window in schedule.windows:
        for machine in window.machine_ids:
            known = machines.get(key_of(machine))
            mode = known.mode if known is not None else Mode.DRAINING
            result[key_of(machine)] = Machine(machine, mode, window.unavailability)
    return result


def without(schedule: v0_maintenance.Schedule, keys: set[Key]) -> v0_maintenance.Schedule:
    """Take machines out of a schedule, and windows that are empty then."""
    rest = v0_maintenance.Schedule()
    for window in schedule.windows:
        kept = [machine for machine in window.machine_ids if key_of(machine) not in keys]
        if kept:
            rest.windows.add(machine_ids=kept, unavailability=window.unavailability)
    return rest


def registry_machines(machines: dict[Key, Machine]) -> list[registry.Registry.Machine]:
    """Write machines as the registry keeps them."""
    result = []
    for machine in machines.values():
        info = v0.MachineInfo(id=machine.id, mode=machine.mode, unavailability=machine.unavailability)  # type: ignore[arg-type]
        result.append(registry.Registry.Machine(info=info))
    return result


def machine_of(agent: AgentRecord) -> Key:
    """Tell which machine a registered agent runs on."""
    return agent_key(agent.hostname, agent.pid.ip)
