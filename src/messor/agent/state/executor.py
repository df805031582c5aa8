"""One executor as the agent knows it, with its tasks from queue to completion."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from messor.agent.state.lifecycles import EXECUTOR_CHANGES, ExecutorState, moved
from messor.agent.state.task import Task
from messor.model.resources import Resources
from messor.protos import v0
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.protos import internal
    from messor.runtime.host import Timer

MAX_COMPLETED_TASKS = 200
"""How many completed tasks of one executor are remembered (G14)."""


class EventStream(Protocol):
    """Where the events of an executor that subscribed over HTTP go."""

    def send(self, event: bytes) -> None:
        """Send an encoded v1 Event; dropped when the stream is closed."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


@dataclass(slots=True)
class PendingTermination:
    """What the agent decided about an executor's unfinished tasks before its container ended."""

    state: v0.TaskState
    reason: v0.TaskStatus.Reason
    message: str


class Executor:
    """An executor: its description, where it runs, how to reach it and what it was given."""

    __slots__ = (
        "checkpoint",
        "completed",
        "container_id",
        "container_status",
        "directory",
        "early_updates",
        "forked_pid",
        "framework_id",
        "id",
        "info",
        "is_command",
        "is_delivering",
        "is_starting",
        "kills",
        "launch_time",
        "launched",
        "pending_termination",
        "pid",
        "queued",
        "queued_groups",
        "registration_timer",
        "remembered",
        "resources",
        "state",
        "stream",
        "terminated",
        "user",
        "was_sent_tasks",
    )

    def __init__(
        self,
        info: v0.ExecutorInfo,
        *,
        framework_id: str,
        container_id: str,
        directory: str,
        checkpoint: bool,
        is_command: bool,
        user: str | None = None,
    ) -> None:
        """Take over the info; is_command tells a generated command executor, whose id is its task's."""
        self.id = info.executor_id.value
        self.framework_id = framework_id
        self.info = info
        self.container_id = container_id
        self.directory = directory
        self.checkpoint = checkpoint
        self.is_command = is_command
        self.user = user
        self.state = ExecutorState.REGISTERING
        self.pid: Upid | None = None
        self.stream: EventStream | None = None
        self.forked_pid: int | None = None
        self.container_status: v0.ContainerStatus | None = None
        self.launch_time = 0.0
        self.resources = Resources.of(info.resources)
        """What the executor, its queued and its live tasks need together; kept as a sum, for tasks come and go."""
        self.queued: dict[str, v0.TaskInfo] = {}
        self.queued_groups: list[v0.TaskGroupInfo] = []
        self.remembered: set[str] = set()
        """Queued tasks that are checkpointed already."""
        self.launched: dict[str, Task] = {}
        self.kills: dict[str, internal.KillTaskMessage] = {}
        """The latest kill of live tasks: said again to an executor that connects again, for it may have missed it."""
        self.terminated: dict[str, Task] = {}
        self.completed: deque[Task] = deque(maxlen=MAX_COMPLETED_TASKS)
        self.pending_termination: PendingTermination | None = None
        self.was_sent_tasks = False
        self.is_delivering = False
        self.registration_timer: Timer | None = None
        self.is_starting = False
        """Whether the container was asked for and its pid is not known yet."""
        self.early_updates: list[tuple[internal.StatusUpdate, Upid | None]] = []
        """What the executor said meanwhile."""

    def become(self, state: ExecutorState) -> None:
        """Change state; raises Broken when the change is illegal."""
        self.state = moved(EXECUTOR_CHANGES, self.state, state)
        if self.registration_timer is not None and state is not ExecutorState.REGISTERING:
            self.registration_timer.cancel()
            self.registration_timer = None

    @property
    def is_alive(self) -> bool:
        """Whether it may still take tasks."""
        return self.state in (ExecutorState.REGISTERING, ExecutorState.RUNNING)

    @property
    def has_container(self) -> bool:
        """Whether its container is up, so that something can be said of it."""
        return self.is_alive and self.container_status is not None and not self.is_starting

    @property
    def has_incomplete_tasks(self) -> bool:
        """Whether any task is queued, live, or ended without its end having been acknowledged."""
        return bool(self.queued or self.launched or self.terminated)

    def task(self, task_id: str) -> Task | None:
        """Find a launched task that is live or not yet acknowledged as ended."""
        return self.launched.get(task_id) or self.terminated.get(task_id)

    def live_tasks(self) -> Iterator[Task]:
        """Iterate over launched tasks that have not ended."""
        return iter(self.launched.values())

    def apply(self, status: v0.TaskStatus) -> bool:
        """Take in a task's status; True when it just ended, which frees its resources.

        What comes after the end changes nothing: it is forwarded, but the task stays ended.
        """
        task_id = status.task_id.value
        task = self.launched.get(task_id)
        if task is None:
            return False
        task.apply(status)
        if not task.is_terminal:
            return False
        self.terminated[task_id] = self.launched.pop(task_id)
        self.kills.pop(task_id, None)
        self.resources -= Resources.of(task.info.resources)
        return True

    def queue(self, task: v0.TaskInfo) -> None:
        """Take a task that is to be sent when the executor runs."""
        self.queued[task.task_id.value] = task
        self.resources += Resources.of(task.resources)

    def recover(self, task: Task) -> None:
        """Take a task found in the checkpoints, in whatever state it is."""
        if task.is_terminal:
            self.terminated[task.id] = task
        else:
            self.launched[task.id] = task
            self.resources += Resources.of(task.info.resources)

    def complete(self, task_id: str) -> None:
        """Move an ended and acknowledged task to the completed ones."""
        task = self.terminated.pop(task_id, None)
        if task is not None:
            self.completed.append(task)

    def has_completed(self, task_id: str) -> bool:
        """Whether a task's terminal update was acknowledged by its scheduler."""
        return any(task.id == task_id for task in self.completed)

    def group_of(self, task_id: str) -> v0.TaskGroupInfo | None:
        """Find the queued task group a task belongs to."""
        for group in self.queued_groups:
            if any(task.task_id.value == task_id for task in group.tasks):
                return group
        return None
