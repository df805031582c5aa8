"""What is going on while one ACCEPT is applied: whose it is, what is left of the offers, what was launched."""

from __future__ import annotations

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.model.resources import Resources


class Transaction:
    """The running pool of one ACCEPT."""

    __slots__ = ("agent", "framework", "launched", "remaining", "role", "used_by_tasks")

    def __init__(self, framework: FrameworkRecord, agent: AgentRecord, role: str, offered: Resources) -> None:
        """Start with everything that was offered, allocated to role."""
        self.framework = framework
        self.agent = agent
        self.role = role
        self.remaining = offered
        self.launched = Resources()
        """What tasks and new executors took: allocated from now on."""
        self.used_by_tasks = Resources()
        """The tasks' part of it, which is booked once at the end; executors book theirs themselves."""

    def take(self, total: Resources) -> None:
        """Take resources out of the pool for a launch."""
        self.remaining -= total
        self.launched += total
