"""From TaskInfo to the Task the master keeps: the same parts under other numbers, carried over encoded."""

from __future__ import annotations

from messor.master.validation.resources import Bundle
from messor.protos import v0
from messor.wire.splicing import nested

MOVED = (("labels", 11), ("discovery", 12), ("container", 13), ("health_check", 15), ("kill_policy", 16))
"""Optional messages of TaskInfo and their numbers in Task."""


def task_base(task: v0.TaskInfo, framework_field: bytes, bundle: Bundle) -> bytes:
    """Encode what of a mesos.Task never changes; framework_field is its encoded field 3, bundle holds its resources."""
    parts = [
        nested(1, task.name.encode()),
        nested(2, nested(1, task.task_id.value.encode())),
        framework_field,
        nested(5, nested(1, task.slave_id.value.encode())),
        bundle.encoded(7),
    ]
    executor_id: str | None = None
    user: str | None = None
    if task.HasField("command"):
        if task.command.HasField("user"):
            user = task.command.user
    elif task.HasField("executor") and task.executor.command.HasField("user"):
        user = task.executor.command.user
    if task.HasField("executor"):
        executor_id = task.executor.executor_id.value
        parts.append(nested(4, nested(1, executor_id.encode())))
    for name, number in MOVED:
        if task.HasField(name):
            parts.append(nested(number, getattr(task, name).SerializePartialToString()))
    if user is not None:
        parts.append(nested(14, user.encode()))
    if task.limits:
        limits = v0.Task()
        for name, limit in task.limits.items():
            limits.limits[name].CopyFrom(limit)
        parts.append(limits.SerializePartialToString())
    return b"".join(parts)
