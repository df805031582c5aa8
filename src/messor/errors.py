"""Errors by whose fault they are; the class says which HTTP status and which task reason it means.

Validators raise these; doors translate them into replies. Nothing else in Messor maps an error to a status.
"""

from __future__ import annotations

from typing import ClassVar


class MesosError(Exception):
    """Anything Messor reports on purpose."""

    status: ClassVar[int] = 500
    """HTTP status that a door answers with."""

    reason: ClassVar[str | None] = None
    """Name of the TaskStatus.Reason this means for a task, if it means one."""


class InvalidRequest(MesosError):
    """The asker sent something that cannot be done as asked."""

    status = 400
    reason = "REASON_TASK_INVALID"


class NotAuthenticated(InvalidRequest):
    """The asker did not prove who they are."""

    status = 401


class NotAuthorized(InvalidRequest):
    """The asker may not do this."""

    status = 403
    reason = "REASON_TASK_UNAUTHORIZED"


class NotFound(InvalidRequest):
    """What was asked for does not exist."""

    status = 404


class MethodNotAllowed(InvalidRequest):
    """The path exists but not for this HTTP method; ``allowed`` lists those it exists for."""

    status = 405

    def __init__(self, allowed: tuple[str, ...], received: str) -> None:
        """Say it in the words of libprocess (protocols a.7)."""
        self.allowed = allowed
        names = ", ".join(f"'{method}'" for method in allowed)
        super().__init__(f"405 Method Not Allowed. Expecting one of {{ {names} }}, but received '{received}'.")


class NotAcceptable(InvalidRequest):
    """None of the media types the asker accepts can be produced."""

    status = 406


class Conflict(InvalidRequest):
    """The request is well formed but the current state does not allow it."""

    status = 409


class UnsupportedMedia(InvalidRequest):
    """The body is in a media type nobody here reads."""

    status = 415


class Unsupported(MesosError):
    """Nobody can be answered that here."""

    status = 501


class NotNow(MesosError):
    """Try again later: recovering, or nobody leads."""

    status = 503


class NotLeading(NotNow):
    """Another master leads; ``leader`` is its ``//host:port`` when known."""

    status = 307

    def __init__(self, leader: str) -> None:
        """Remember where to send the asker."""
        self.leader = leader
        super().__init__(f"The leading master is {leader}")


class ProtocolError(MesosError):
    """Bytes make no sense."""

    status = 400


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that make no sense."""


class LocalProtocolError(ProtocolError):
    """We were asked to send something the protocol cannot express."""

    status = 500


class Lost(MesosError):
    """The world failed us."""


class ConnectionLost(Lost):
    """A connection could not be made or broke."""


class RegistryFailed(Lost):
    """The registry could not be read or written; the master must not go on."""


class DiskFailed(Lost):
    """A file could not be read or written."""


class ContainerError(MesosError):
    """A container could not be run; ``reason`` is the TaskStatus.Reason name its tasks get."""

    def __init__(self, message: str, reason: str = "REASON_CONTAINER_LAUNCH_FAILED") -> None:
        """Keep the reason on the instance: it differs per failure."""
        super().__init__(message)
        self.reason = reason  # type: ignore[misc]  # per instance on purpose


class ConfigurationError(MesosError):
    """Flags or files are wrong: one readable line on stderr and exit status 1."""


class Broken(MesosError):
    """An invariant does not hold: a bug of ours."""
