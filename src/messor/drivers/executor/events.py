"""What an asyncio executor iterates over: one class per kind of event."""

from __future__ import annotations

from dataclasses import dataclass

from messor.protos import v0


@dataclass(frozen=True, slots=True)
class Registered:
    """The agent knows this executor."""

    executor: v0.ExecutorInfo
    framework: v0.FrameworkInfo
    agent: v0.SlaveInfo


@dataclass(frozen=True, slots=True)
class Reregistered:
    """The agent restarted and knows this executor again; unacknowledged updates were sent again."""

    agent: v0.SlaveInfo


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The agent was lost; the executor waits for it, MESOS_RECOVERY_TIMEOUT long."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A task to start."""

    task: v0.TaskInfo

    @property
    def task_id(self) -> str:
        """Its id."""
        return self.task.task_id.value


@dataclass(frozen=True, slots=True)
class Kill:
    """A task to kill; send TASK_KILLED when it is done."""

    task_id: str
    grace_seconds: float | None = None
    """The grace period the scheduler asked for with this kill; None: the task's own kill policy counts."""


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes from the scheduler, at most once."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The last event: kill all tasks, say so, and leave; the process is killed after the grace period."""


Event = Registered | Reregistered | Disconnected | Launch | Kill | Message | Shutdown
"""Anything an executor hears. A refusal by the agent is no event: iteration raises ExecutorFailed."""
