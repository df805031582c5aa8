"""How a task is asked to end, and when it is made to: SIGTERM, a grace period, SIGKILL. Pure."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL when nobody says otherwise."""


@dataclass(slots=True)
class Escalation:
    """The state of one task's killing. Times are monotonic seconds."""

    killed: bool = False
    out_of_time: bool = False
    asked_at: float = 0.0
    kill_at: float | None = None
    """When SIGKILL is due; None before the first kill and after SIGKILL was sent."""

    def request(self, now: float, grace: float) -> bool:
        """Take a kill; True when it is the first, so SIGTERM is due.

        A later one can only shorten the grace, which still counts from the first (recorded of Mesos).
        """
        if not self.killed and not self.out_of_time:
            self.killed = True
            self.asked_at = now
            self.kill_at = now + max(grace, 0.0)
            return True
        if self.kill_at is not None:
            self.kill_at = min(self.kill_at, self.asked_at + max(grace, 0.0))
        return False

    def time_is_up(self, now: float) -> bool:
        """Note that max_completion_time passed; True when SIGTERM is due. Does nothing once the task was killed."""
        if self.killed or self.out_of_time:
            return False
        self.out_of_time = True
        self.asked_at = now
        self.kill_at = now
        return True

    def force_due(self, now: float) -> bool:
        """Tell whether SIGKILL is due now; True once."""
        if self.kill_at is None or now < self.kill_at:
            return False
        self.kill_at = None
        return True


def grace_period(task_policy: float | None, call_policy: float | None, *, honours_call: bool) -> float:
    """Choose the grace in seconds: the call's policy where it counts, else the task's, else the default."""
    if honours_call and call_policy is not None:
        return call_policy
    if task_policy is not None:
        return task_policy
    return DEFAULT_GRACE


def shutdown_grace(executor_grace: float) -> float:
    """Choose the grace in seconds on SHUTDOWN: less than the executor's own, so that the last update still gets out."""
    return max(executor_grace - 2.0, 0.0) if executor_grace > 2.0 else executor_grace / 2
