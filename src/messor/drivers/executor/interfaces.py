"""What stands between an executor session, its transport and its listener."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from messor.protos import internal, v0


class ExecutorListener(Protocol):
    """Who hears of a session's events; called in the loop's thread, one at a time."""

    def registered(self, executor: v0.ExecutorInfo, framework: v0.FrameworkInfo, agent: v0.SlaveInfo) -> None:
        """Handle the first connection to the agent."""
        ...

    def reregistered(self, agent: v0.SlaveInfo) -> None:
        """Handle a connection to a restarted agent."""
        ...

    def launch(self, task: v0.TaskInfo) -> None:
        """Start a task."""
        ...

    def kill(self, task_id: v0.TaskID) -> None:
        """Kill a task; the executor itself sends TASK_KILLED."""
        ...

    def message(self, data: bytes) -> None:
        """Handle bytes from the scheduler."""
        ...

    def shutdown(self) -> None:
        """Kill all tasks and end."""
        ...

    def suicide(self) -> None:
        """End by force: the grace period is over."""
        ...

    def failed(self, message: str) -> None:
        """Handle an unrecoverable error; the session is aborted already."""
        ...


class ModernExecutorListener(Protocol):
    """Who hears of what the classic callbacks leave out; called like an ExecutorListener."""

    def kill_with(self, task_id: v0.TaskID, policy: v0.KillPolicy) -> None:
        """Kill a task by this policy; called instead of ``kill`` when the scheduler gave one."""
        ...

    def acknowledged(self, uuid: bytes) -> None:
        """Handle the agent's acknowledgement of an update."""
        ...

    def refused(self, uuid: bytes, reason: str) -> None:
        """Handle that the agent does not take the update with this uuid."""
        ...

    def disconnected(self) -> None:
        """Handle the loss of the agent; the session waits for it."""
        ...


class ExecutorTransport(Protocol):
    """How a session talks to its agent."""

    def attach(self, session: ExecutorTransportEvents) -> None:
        """Say who hears of what arrives; called once, before anything else."""
        ...

    def register(self) -> None:
        """Introduce the executor."""
        ...

    def retry(self, tasks: Sequence[v0.TaskInfo], updates: Sequence[internal.StatusUpdate]) -> None:
        """Begin to introduce it again after a break; only transports that connect by themselves do anything."""
        ...

    def send_update(self, update: internal.StatusUpdate) -> None:
        """Send a status update."""
        ...

    def send_message(self, data: bytes) -> None:
        """Send bytes to the scheduler."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class ExecutorTransportEvents(Protocol):
    """What a transport tells its session."""

    @property
    def unacknowledged(self) -> tuple[Sequence[v0.TaskInfo], Sequence[internal.StatusUpdate]]:
        """Tasks and updates that the agent has not acknowledged."""
        ...

    def on_registered(self, executor: v0.ExecutorInfo, framework: v0.FrameworkInfo, agent: v0.SlaveInfo) -> None:
        """Take the agent's answer."""
        ...

    def on_reregistered(self, agent: v0.SlaveInfo) -> None:
        """Take the answer of a restarted agent."""
        ...

    def on_launch(self, task: v0.TaskInfo) -> None:
        """Take a task."""
        ...

    def on_kill(self, task_id: v0.TaskID, policy: v0.KillPolicy | None = None) -> None:
        """Take a kill, and the policy that overrides the task's own, if any."""
        ...

    def on_acknowledged(self, task_id: v0.TaskID, uuid: bytes) -> None:
        """Take an acknowledgement."""
        ...

    def on_refused(self, uuid: bytes, reason: str) -> None:
        """Take note that an update was refused for good."""
        ...

    def on_message(self, data: bytes) -> None:
        """Take bytes from the scheduler."""
        ...

    def on_shutdown(self) -> None:
        """Take the order to end."""
        ...

    def on_error(self, message: str) -> None:
        """Take an unrecoverable error."""
        ...

    def on_broken(self, why: str) -> None:
        """Take the loss of the agent."""
        ...
