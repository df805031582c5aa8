"""One task as the agent knows it."""

from __future__ import annotations

from messor.model.task_states import is_terminal
from messor.protos import v0


class Task:
    """A launched task: what the master is told of it at re-registration, kept as the message itself."""

    __slots__ = ("id", "info")

    def __init__(self, info: v0.Task) -> None:
        """Take over the message; nobody else may change it afterwards."""
        self.id = info.task_id.value
        self.info = info

    @property
    def state(self) -> v0.TaskState:
        """The latest state its executor reported."""
        return self.info.state

    @property
    def is_terminal(self) -> bool:
        """Whether it ended; its record stays until the scheduler acknowledged the end (trap 12)."""
        return is_terminal(self.info.state)

    def apply(self, status: v0.TaskStatus) -> None:
        """Take in a status: only the last of several in the same state is kept, as upstream does."""
        info = self.info
        info.state = status.state
        statuses = info.statuses
        if statuses and statuses[-1].state == status.state:
            statuses[-1].CopyFrom(status)
        else:
            statuses.append(status)


def task_from_info(task: v0.TaskInfo, framework_id: str, executor_id: str | None) -> Task:
    """Make the record of a task that is about to be launched.

    executor_id: None for tasks of a generated command executor: such executors are our own business and the master
    must not see them (trap 16).
    """
    info = v0.Task(
        name=task.name,
        task_id=task.task_id,
        framework_id=v0.FrameworkID(value=framework_id),
        slave_id=task.slave_id,
        state=v0.TASK_STAGING,
    )
    info.resources.extend(task.resources)
    if executor_id is not None:
        info.executor_id.value = executor_id
    for field in _COPIED_FIELDS:
        if task.HasField(field):
            getattr(info, field).CopyFrom(getattr(task, field))
    if task.limits:
        for name, limit in task.limits.items():
            info.limits[name].CopyFrom(limit)
    user = _user_of(task)
    if user:
        info.user = user
    return Task(info)


_COPIED_FIELDS = (
    "labels",
    "discovery",
    "container",
    "health_check",
    "kill_policy",
)


def _user_of(task: v0.TaskInfo) -> str:
    """Find the user a task runs as when it names one itself."""
    if task.HasField("command") and task.command.HasField("user"):
        return task.command.user
    if task.HasField("executor") and task.executor.command.HasField("user"):
        return task.executor.command.user
    return ""
