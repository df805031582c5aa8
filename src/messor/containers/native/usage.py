"""What a container uses and may use, as the posix isolators report it. Pure but for reading /proc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from messor.linux import processes
from messor.protos import v0

_MEGABYTE = 1024 * 1024
_MINIMUM_MEMORY = 32 * _MEGABYTE


def scalar(resources: Sequence[v0.Resource], name: str) -> float | None:
    """Add up the scalar resources of a name; None when there are none."""
    values = [resource.scalar.value for resource in resources if resource.name == name]
    return sum(values) if values else None


def statistics(
    pid: int, now: float, resources: Sequence[v0.Resource], limits: Mapping[str, float]
) -> v0.ResourceStatistics:
    """Measure the process tree below pid: the fields that posix/cpu and posix/mem fill, no more.

    now is seconds since the epoch; limits as in LaunchSpec (cpus in cores, mem in MB, infinity allowed).
    """
    used = processes.usage([pid, *processes.descendants(pid)])
    result = v0.ResourceStatistics(
        timestamp=now,
        cpus_user_time_secs=used.user_seconds,
        cpus_system_time_secs=used.system_seconds,
        mem_rss_bytes=used.resident_bytes,
    )
    cpus = scalar(resources, "cpus")
    if cpus is not None:
        result.cpus_soft_limit = round(cpus, 3)
    if "cpus" in limits and limits["cpus"] != float("inf"):
        result.cpus_limit = limits["cpus"]
    memory = scalar(resources, "mem")
    if memory is not None:
        result.mem_soft_limit_bytes = max(int(memory * _MEGABYTE), _MINIMUM_MEMORY)
        result.mem_limit_bytes = result.mem_soft_limit_bytes
    if "mem" in limits and limits["mem"] != float("inf"):
        result.mem_limit_bytes = int(limits["mem"] * _MEGABYTE)
    return result
