"""The variables an executor is started with (d.1, G9). Pure; nothing of the agent's own environment is inherited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.model.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from messor.protos import v0
    from messor.wire.upid import Upid


def executor_environment(
    info: v0.ExecutorInfo,
    *,
    directory: str,
    agent_id: str,
    agent_pid: Upid,
    checkpoint: bool,
    libprocess_ip: str | None,
    http_command_executor: bool,
    shutdown_grace_period: float,
    recovery_timeout: float,
    reregistration_timeout: float,
    more: Mapping[str, str],
) -> dict[str, str]:
    """Build the variables; times are seconds. ``more`` is ``--executor_environment_variables``, which ours override."""
    variables = dict(more)
    if libprocess_ip is not None:
        variables["LIBPROCESS_IP"] = libprocess_ip
    variables.update(
        {
            "LIBPROCESS_PORT": "0",
            "MESOS_FRAMEWORK_ID": info.framework_id.value,
            "MESOS_EXECUTOR_ID": info.executor_id.value,
            "MESOS_DIRECTORY": directory,
            "MESOS_SANDBOX": directory,
            "MESOS_SLAVE_ID": agent_id,
            "MESOS_SLAVE_PID": str(agent_pid),
            "MESOS_AGENT_ENDPOINT": f"{agent_pid.ip}:{agent_pid.port}",
            "MESOS_CHECKPOINT": "1" if checkpoint else "0",
            "MESOS_HTTP_COMMAND_EXECUTOR": "1" if http_command_executor else "0",
            "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": duration_text(shutdown_grace_period),
        }
    )
    if checkpoint:
        variables["MESOS_RECOVERY_TIMEOUT"] = duration_text(recovery_timeout)
        variables["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = duration_text(reregistration_timeout)
    return variables


def grace_period(info: v0.ExecutorInfo, default: float) -> float:
    """Give the seconds between asking an executor to shut down and destroying it."""
    if info.HasField("shutdown_grace_period"):
        return info.shutdown_grace_period.nanoseconds / 1e9
    return default
