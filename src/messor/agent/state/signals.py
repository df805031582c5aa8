"""The only way something low tells something high: who listens is decided in ``agent.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework


def _nobody(*_: object) -> None:
    """Stand in for a listener that is not connected."""


class Signals:
    """One attribute per thing that may happen; each has one listener."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self.resources_changed: Callable[[Executor], None] = _nobody
        """An executor's tasks changed, so its container should."""
        self.task_completed: Callable[[Framework, Executor], None] = _nobody
        """The last update of an ended task was acknowledged."""
        self.misbehaved: Callable[[Framework, Executor], None] = _nobody
        """An executor did what none may do; it is to be shut down."""
        self.framework_removed: Callable[[], None] = _nobody
        """A framework left; a terminating agent ends with the last one."""
        self.nothing_left: Callable[[], None] = _nobody
        """The last framework left: an agent that drains has drained."""
        self.sandbox_added: Callable[[Executor], None] = _nobody
        """An executor's sandbox exists and may be browsed."""
        self.sandbox_retired: Callable[[Framework, Executor], None] = _nobody
        """An executor is over; its folders are to be collected one day."""
        self.framework_retired: Callable[[Framework], None] = _nobody
        """A framework is over; its folders are to be collected one day."""
