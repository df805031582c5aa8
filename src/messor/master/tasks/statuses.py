"""Status updates the master makes itself: without uuid, so that nobody acknowledges them (trap 6)."""

from __future__ import annotations

from messor.protos import internal, v0

NO_PID = "@0.0.0.0:0"
"""How a message says that nobody waits for its acknowledgement."""


def made_update(
    *,
    framework_id: str,
    agent_id: str | None,
    task_id: str,
    state: int,
    reason: int | None,
    message: str,
    now: float,
    executor_id: str = "",
    latest: v0.TaskStatus | None = None,
    unreachable_time: v0.TimeInfo | None = None,
) -> internal.StatusUpdate:
    """Make a StatusUpdate of SOURCE_MASTER; latest: an earlier status whose health and container still hold."""
    update = internal.StatusUpdate(timestamp=now)
    update.framework_id.value = framework_id
    status = update.status
    status.task_id.value = task_id
    status.state = state  # type: ignore[assignment]
    status.source = v0.TaskStatus.SOURCE_MASTER
    status.timestamp = now
    status.message = message
    if agent_id is not None:
        update.slave_id.value = agent_id
        status.slave_id.value = agent_id
    if executor_id:
        update.executor_id.value = executor_id
    if reason is not None:
        status.reason = reason  # type: ignore[assignment]
    if latest is not None:
        if latest.HasField("healthy"):
            status.healthy = latest.healthy
        if latest.HasField("check_status"):
            status.check_status.CopyFrom(latest.check_status)
        if latest.HasField("container_status"):
            status.container_status.CopyFrom(latest.container_status)
    if unreachable_time is not None:
        status.unreachable_time.CopyFrom(unreachable_time)
    return update
