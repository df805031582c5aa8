"""What is going on while one ACCEPT is applied: whose it is, what is left of the offers, what was launched."""

from __future__ import annotations

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.model.conversions import Conversion
from messor.model.resources import EMPTY, Resources


class Transaction:
    """The running pool of one ACCEPT."""

    __slots__ = (
        "agent",
        "conversions",
        "framework",
        "launched",
        "offered",
        "remaining",
        "resized",
        "role",
        "shared",
        "used_by_tasks",
    )

    def __init__(self, framework: FrameworkRecord, agent: AgentRecord, role: str, offered: Resources) -> None:
        """Start with everything that was offered, allocated to role."""
        self.framework = framework
        self.agent = agent
        self.role = role
        self.offered = offered
        self.remaining = offered
        self.shared = offered.shared() if offered.has_shared else EMPTY
        """Shared volumes that any number of tasks may still use."""
        self.resized = EMPTY
        """Volumes that were grown or shrunk: not to be used by what comes behind."""
        self.conversions: list[Conversion] = []
        """What operations did to the offered resources, in order."""
        self.launched = EMPTY
        """What tasks and new executors took: allocated from now on."""
        self.used_by_tasks = EMPTY
        """The tasks' part of it, which is booked once at the end; executors book theirs themselves."""

    @property
    def available(self) -> Resources:
        """What a task may use."""
        return self.remaining.nonshared() + self.shared if self.shared else self.remaining

    def take(self, total: Resources) -> None:
        """Take resources out of the pool for a launch; a shared volume that ran out gets one more copy."""
        if total.has_shared:
            additional = total.shared() - self.remaining.shared()
            if additional:
                self.conversions.append(Conversion(EMPTY, additional))
        self.remaining -= total
        self.launched += total

    def convert(self, steps: list[Conversion]) -> None:
        """Convert within the pool; raises InvalidRequest, with nothing changed, when it lacks what is consumed."""
        remaining = self.remaining
        for step in steps:
            remaining = step.apply(remaining)
        self.remaining = remaining
        self.shared = remaining.shared() if remaining.has_shared else EMPTY
        self.conversions += steps

    def consume(self, resources: Resources) -> None:
        """Take resources out of the pool that an operation keeps: they stay with the framework as offered."""
        self.remaining -= resources

    def resize(self, step: Conversion) -> None:
        """Grow or shrink a volume that the pool holds."""
        self.remaining -= step.consumed
        self.resized += step.converted
        self.conversions.append(step)
