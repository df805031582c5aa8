"""What the agent asks of whatever runs containers.

``native.containerizer`` runs them on this host; ``simulation.containers`` runs short scripts in virtual time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from messor.protos import v0


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """All that is needed to start one executor's container."""

    command: v0.CommandInfo
    """What to run: the executor's command. For a command task it is the task's own command, see ``command_task``."""

    sandbox: str
    """Absolute path of the folder to run in; it exists and belongs to ``user``."""

    environment: Mapping[str, str]
    """The whole environment before isolators and CommandInfo.environment are added (protocols d.1)."""

    resources: Sequence[v0.Resource] = ()
    user: str | None = None
    """System user to run as; None keeps the agent's own."""

    container: v0.ContainerInfo | None = None
    limits: Mapping[str, float] = field(default_factory=dict)

    command_task: v0.TaskInfo | None = None
    """Set when the container is the built-in command executor for this task; it is then forked, not exec'd."""

    forked_pid_path: str | None = None
    """Where to checkpoint the container's pid (decimal text) before anything runs; None when not checkpointing."""

    framework_id: str = ""
    executor_id: str = ""


@dataclass(frozen=True, slots=True)
class Termination:
    """How a container ended."""

    status: int | None
    """Raw wait(2) status word of its first process; None when it is not known."""

    reason: str | None = None
    """Name of the TaskStatus.Reason its unfinished tasks get, when its end was not the executor's own doing."""

    message: str = ""
    limited_resources: Sequence[v0.Resource] = ()
    state: str | None = None
    """Name of the TaskState its unfinished tasks get; None leaves the choice to the agent."""


@dataclass(frozen=True, slots=True)
class KnownContainer:
    """A container that the agent found in its checkpoints."""

    container_id: str
    pid: int | None
    sandbox: str
    framework_id: str = ""
    executor_id: str = ""


class Containerizer(Protocol):
    """Launch, watch and destroy containers, by container id (``parent.child`` when nested)."""

    async def recover(self, known: Sequence[KnownContainer]) -> None:
        """Take over containers that outlived the agent; destroy those of ours that nobody knows any more."""
        ...

    async def launch(self, container_id: str, spec: LaunchSpec) -> int:
        """Fetch, prepare and start; gives the pid. Raises ContainerError, with nothing left behind, when it cannot.

        The error's text is the whole message that the container's tasks get (``Failed to launch container: …``), its
        reason theirs. A destroy that arrives meanwhile makes it raise ContainerError too.
        """
        ...

    async def update(
        self, container_id: str, resources: Sequence[v0.Resource], limits: Mapping[str, float] | None = None
    ) -> None:
        """Change the container's resources; raises ContainerError."""
        ...

    async def wait(self, container_id: str) -> Termination | None:
        """Wait for the end; None when the container is unknown. May be called by many, also after the end."""
        ...

    async def destroy(self, container_id: str, termination: Termination | None = None) -> Termination | None:
        """Kill everything in it and wait; the given termination's reason, message and state win over what was seen."""
        ...

    async def usage(self, container_id: str) -> v0.ResourceStatistics:
        """Measure; raises NotFound when unknown."""
        ...

    async def status(self, container_id: str) -> v0.ContainerStatus:
        """Describe: container id, executor pid, addresses; raises NotFound when unknown."""
        ...

    def containers(self) -> Sequence[str]:
        """Ids of all that live."""
        ...
