"""What to make of the containers that an agent finds when it starts. Pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from messor.containers.containerizer import KnownContainer


@dataclass(frozen=True, slots=True)
class Trace:
    """What is left of a container on disk."""

    pid: int | None
    status: int | None
    is_alive: bool
    """Whether the pid is in use by what looks like this container."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """What the zygote says of a container."""

    pid: int
    ended: bool
    status: int | None


@dataclass(slots=True)
class Findings:
    """What is to be done with each, by container id."""

    running: dict[str, int] = field(default_factory=dict)
    """Taken over from the zygote: id to pid."""

    adopted: dict[str, int] = field(default_factory=dict)
    """Still alive but unknown to the zygote, because it is a new one."""

    ended: dict[str, int | None] = field(default_factory=dict)
    """Ended while the agent was away: id to wait status, None when it is lost."""

    orphans: dict[str, int] = field(default_factory=dict)
    """Of ours, but unknown to the agent: id to pid."""

    left_over: list[str] = field(default_factory=list)
    """Folders of containers that are gone."""


def judge(known: Iterable[KnownContainer], hosted: Mapping[str, Hosted], traces: Mapping[str, Trace]) -> Findings:
    """Compare what the agent knows with what the zygote hosts and what the disk remembers."""
    findings = Findings()
    wanted = {container.container_id: container for container in known}
    for container_id in wanted:
        host, trace = hosted.get(container_id), traces.get(container_id)
        if host is not None and not host.ended:
            findings.running[container_id] = host.pid
        elif host is not None:
            findings.ended[container_id] = host.status
        elif trace is not None and trace.status is None and trace.is_alive and trace.pid is not None:
            findings.adopted[container_id] = trace.pid
        else:
            findings.ended[container_id] = trace.status if trace is not None else None
    for container_id, host in hosted.items():
        if container_id not in wanted:
            if host.ended:
                findings.left_over.append(container_id)
            else:
                findings.orphans[container_id] = host.pid
    for container_id, trace in traces.items():
        if container_id in wanted or container_id in hosted:
            continue
        if trace.is_alive and trace.pid is not None:
            findings.orphans[container_id] = trace.pid
        else:
            findings.left_over.append(container_id)
    return findings
