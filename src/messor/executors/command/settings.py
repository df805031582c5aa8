"""What the agent tells an executor through its environment (MESOS_* variables)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messor.errors import ConfigurationError, InvalidRequest
from messor.model.durations import parse_duration
from messor.wire.upid import Upid, parse_upid

DEFAULT_SHUTDOWN_GRACE = 5.0
DEFAULT_RECOVERY_TIMEOUT = 15 * 60.0
DEFAULT_BACKOFF_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the agent is and how patient to be. Durations are seconds."""

    agent: Upid
    framework_id: str
    executor_id: str
    environment: Mapping[str, str]
    """All variables: the task gets them too."""

    checkpoint: bool = False
    recovery_timeout: float = DEFAULT_RECOVERY_TIMEOUT
    backoff_max: float = DEFAULT_BACKOFF_MAX
    shutdown_grace: float = DEFAULT_SHUTDOWN_GRACE
    honours_kill_policy_of_calls: bool = False
    """Only the executor of ``--http_command_executor`` does; the other one knows the task's policy alone."""

    token: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read them; raises ConfigurationError that names the variable at fault."""
        return cls(
            agent=_agent(environment),
            framework_id=_needed(environment, "MESOS_FRAMEWORK_ID"),
            executor_id=_needed(environment, "MESOS_EXECUTOR_ID"),
            environment=environment,
            checkpoint=environment.get("MESOS_CHECKPOINT") == "1",
            recovery_timeout=_seconds(environment, "MESOS_RECOVERY_TIMEOUT", DEFAULT_RECOVERY_TIMEOUT),
            backoff_max=_seconds(environment, "MESOS_SUBSCRIPTION_BACKOFF_MAX", DEFAULT_BACKOFF_MAX),
            shutdown_grace=_seconds(environment, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", DEFAULT_SHUTDOWN_GRACE),
            honours_kill_policy_of_calls=environment.get("MESOS_HTTP_COMMAND_EXECUTOR") == "1",
            token=environment.get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"),
        )


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise ConfigurationError(f"Expecting '{name}' to be set in the environment")
    return value


def _agent(environment: Mapping[str, str]) -> Upid:
    text = _needed(environment, "MESOS_SLAVE_PID")
    try:
        return parse_upid(text)
    except Exception as error:
        raise ConfigurationError(f"Failed to parse 'MESOS_SLAVE_PID': {error}") from error


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    if text is None:
        return default
    try:
        return parse_duration(text)
    except InvalidRequest as error:
        raise ConfigurationError(f"Failed to parse value '{text}' of '{name}': {error}") from error
