"""What the agent tells an executor through its environment (protocols d.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messor.errors import ConfigurationError, MesosError
from messor.model.durations import parse_duration
from messor.wire.upid import Upid, parse_upid

DEFAULT_GRACE = 5.0
DEFAULT_RECOVERY = 15 * 60.0
DEFAULT_BACKOFF = 2.0


@dataclass(frozen=True, slots=True)
class ExecutorEnvironment:
    """The variables as values; durations in seconds."""

    agent: Upid
    agent_id: str
    framework_id: str
    executor_id: str
    directory: str
    endpoint: tuple[str, int]
    """Host and port of the agent's HTTP API."""
    is_checkpointing: bool
    is_local: bool
    recovery_timeout: float
    subscription_backoff: float
    shutdown_grace: float


def read_environment(variables: Mapping[str, str]) -> ExecutorEnvironment:
    """Read the MESOS_* variables; raises ConfigurationError naming the one that is missing or malformed."""

    def required(name: str) -> str:
        value = variables.get(name)
        if not value:
            raise ConfigurationError(
                f"Expecting '{name}' to be set in the environment: an executor must be started by an agent"
            )
        return value

    def duration(name: str, default: float) -> float:
        text = variables.get(name)
        if text is None:
            return default
        try:
            return parse_duration(text)
        except MesosError as error:
            raise ConfigurationError(f"Failed to parse '{name}' ('{text}'): {error}") from error

    pid = required("MESOS_SLAVE_PID")
    try:
        agent = parse_upid(pid)
    except MesosError as error:
        raise ConfigurationError(f"Cannot parse MESOS_SLAVE_PID '{pid}': {error}") from error
    host, _, port = variables.get("MESOS_AGENT_ENDPOINT", f"{agent.ip}:{agent.port}").rpartition(":")
    if not port.isdigit():
        raise ConfigurationError(
            f"Cannot parse MESOS_AGENT_ENDPOINT '{variables['MESOS_AGENT_ENDPOINT']}' as host:port"
        )
    return ExecutorEnvironment(
        agent=agent,
        agent_id=required("MESOS_SLAVE_ID"),
        framework_id=required("MESOS_FRAMEWORK_ID"),
        executor_id=required("MESOS_EXECUTOR_ID"),
        directory=required("MESOS_DIRECTORY"),
        endpoint=(host, int(port)),
        is_checkpointing=variables.get("MESOS_CHECKPOINT") == "1",
        is_local="MESOS_LOCAL" in variables,
        recovery_timeout=duration("MESOS_RECOVERY_TIMEOUT", DEFAULT_RECOVERY),
        subscription_backoff=duration("MESOS_SUBSCRIPTION_BACKOFF_MAX", DEFAULT_BACKOFF),
        shutdown_grace=duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", DEFAULT_GRACE),
    )
