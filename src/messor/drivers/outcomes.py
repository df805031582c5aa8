"""What became of a call, and why a framework was refused: told where the classic driver says nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from messor.errors import MesosError
from messor.protos import v0


class What(Enum):
    """What became of a call."""

    ACCEPTED = "accepted"
    """The master took it (HTTP 202); whether it changes anything shows in events."""
    SENT = "sent"
    """It was written to the master; libprocess has no answers."""
    DROPPED = "dropped"
    """It was not sent: the framework was not subscribed."""
    REJECTED = "rejected"
    """The master refused it; the reason is in its words."""
    UNKNOWN = "unknown"
    """The connection broke before the answer; it may have arrived."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call; true when it is on its way or taken."""

    what: What
    reason: str = ""

    def __bool__(self) -> bool:
        return self.what in (What.ACCEPTED, What.SENT)

    def __str__(self) -> str:
        return f"{self.what.value}: {self.reason}" if self.reason else self.what.value


ACCEPTED = Outcome(What.ACCEPTED)
SENT = Outcome(What.SENT)
DROPPED = Outcome(What.DROPPED, "not subscribed to a master")

Told = Callable[[Outcome], object]
"""Hears of a call's outcome, once."""


class FrameworkFailed(MesosError):
    """The master refuses this framework for good, or detection of the master cannot go on."""


class FrameworkRemoved(FrameworkFailed):
    """The master has removed this framework: it was torn down, or was away longer than its failover_timeout.

    Its tasks are gone and its id is used up; ``renewed(framework)`` describes it as a new one.
    """


REMOVED = ("framework has been removed", "completed framework", "framework has been torn down")
"""Parts of the texts in which masters say that an id is used up, in lower case."""


def failure(message: str) -> FrameworkFailed:
    """Make the typed error for the text of a master's ERROR event or FrameworkErrorMessage."""
    text = message.lower()
    return FrameworkRemoved(message) if any(part in text for part in REMOVED) else FrameworkFailed(message)


def is_removal(message: str) -> bool:
    """Tell whether the text given to a classic ``error`` callback means that the framework's id is used up."""
    return isinstance(failure(message), FrameworkRemoved)


def renewed(framework: v0.FrameworkInfo) -> v0.FrameworkInfo:
    """Copy a framework's description without its id, so that subscribing makes a new framework of it."""
    info = v0.FrameworkInfo()
    info.CopyFrom(framework)
    info.ClearField("id")
    return info
