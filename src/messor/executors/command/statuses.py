"""What the end of a command means for its task: state, reason and the exact words."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

REASON_MAX_COMPLETION_TIME = "REASON_MAX_COMPLETION_TIME_REACHED"


class Outcome(NamedTuple):
    """The terminal status of a task, by the names of the enums."""

    state: str
    message: str
    reason: str | None = None


def describe_exit(status: int) -> str:
    """Put a wait(2) status word into words: ``exited with status 3``, ``terminated with signal Killed``."""
    if os.WIFEXITED(status):
        return f"exited with status {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    core = " (core dumped)" if os.WCOREDUMP(status) else ""
    return f"terminated with signal {signal.strsignal(number) or f'Unknown signal {number}'}{core}"


def outcome(status: int, *, killed: bool, out_of_time: bool) -> Outcome:
    """Judge a command's end.

    A command that was asked to die is KILLED however it exits, even with 0; one that ran past max_completion_time
    FAILED, whatever its exit status.
    """
    message = f"Command {describe_exit(status)}"
    if out_of_time:
        return Outcome("TASK_FAILED", message, REASON_MAX_COMPLETION_TIME)
    if killed:
        return Outcome("TASK_KILLED", message)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        return Outcome("TASK_FINISHED", message)
    return Outcome("TASK_FAILED", message)
