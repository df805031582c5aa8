"""Checks and health checks of a task: one shape, two spellings."""

from __future__ import annotations

from messor.errors import InvalidRequest
from messor.master.validation.commands import validate_command
from messor.protos import v0


def validate_check(check: v0.CheckInfo) -> None:
    """Check a CheckInfo; raises InvalidRequest."""
    if not check.HasField("type"):
        raise InvalidRequest("CheckInfo must specify 'type'")
    match check.type:
        case v0.CheckInfo.COMMAND:
            if not check.HasField("command"):
                raise InvalidRequest("Expecting 'command' to be set for COMMAND check")
            _validate_command(check.command.command, "Command check", "Check")
        case v0.CheckInfo.HTTP:
            if not check.HasField("http"):
                raise InvalidRequest("Expecting 'http' to be set for HTTP check")
            if check.http.HasField("path") and not check.http.path.startswith("/"):
                raise InvalidRequest(f"The path '{check.http.path}' of HTTP check must start with '/'")
        case v0.CheckInfo.TCP:
            if not check.HasField("tcp"):
                raise InvalidRequest("Expecting 'tcp' to be set for TCP check")
        case _:
            raise InvalidRequest("'UNKNOWN' is not a valid check type")
    for field in ("delay_seconds", "interval_seconds", "timeout_seconds"):
        if getattr(check, field) < 0:
            raise InvalidRequest(f"Expecting '{field}' to be non-negative")


def validate_health_check(check: v0.HealthCheck) -> None:
    """Check a HealthCheck; raises InvalidRequest."""
    if not check.HasField("type"):
        raise InvalidRequest("HealthCheck must specify 'type'")
    match check.type:
        case v0.HealthCheck.COMMAND:
            if not check.HasField("command"):
                raise InvalidRequest("Expecting 'command' to be set for COMMAND health check")
            _validate_command(check.command, "Command health check", "Health check")
        case v0.HealthCheck.HTTP:
            _validate_http(check)
        case v0.HealthCheck.TCP:
            if not check.HasField("tcp"):
                raise InvalidRequest("Expecting 'tcp' to be set for TCP health check")
        case _:
            raise InvalidRequest("'UNKNOWN' is not a valid health check type")
    for field in ("delay_seconds", "grace_period_seconds", "interval_seconds", "timeout_seconds"):
        if getattr(check, field) < 0:
            raise InvalidRequest(f"Expecting '{field}' to be non-negative")


def _validate_http(check: v0.HealthCheck) -> None:
    if not check.HasField("http"):
        raise InvalidRequest("Expecting 'http' to be set for HTTP health check")
    http = check.http
    if http.HasField("scheme") and http.scheme not in ("http", "https"):
        raise InvalidRequest(f"Unsupported HTTP health check scheme: '{http.scheme}'")
    if http.HasField("path") and not http.path.startswith("/"):
        raise InvalidRequest(f"The path '{http.path}' of HTTP health check must start with '/'")


def _validate_command(command: v0.CommandInfo, what: str, whose: str) -> None:
    if not command.HasField("value"):
        kind = "'shell command'" if command.shell else "'executable path'"
        raise InvalidRequest(f"{what} must contain {kind}")
    try:
        validate_command(command)
    except InvalidRequest as error:
        raise InvalidRequest(f"{whose}'s `CommandInfo` is invalid: {error}") from None
