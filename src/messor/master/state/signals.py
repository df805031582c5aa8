"""What happened, for whoever is above: the only upward path in the master.

The operator event stream, metrics and draining listen here. A signal is a list of callables; order is that of
subscription. Listeners must not raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.operation import OperationRecord
from messor.master.state.task import TaskRecord

P = ParamSpec("P")


class Signal(Generic[P]):
    """One kind of event."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: list[Callable[P, object]] = []

    def listen(self, listener: Callable[P, object]) -> None:
        """Be told from now on."""
        self._listeners.append(listener)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener(*arguments, **named)

    def __bool__(self) -> bool:
        """Whether anybody listens: lets hot paths skip preparing arguments."""
        return bool(self._listeners)


class Signals:
    """Everything that is told upwards."""

    def __init__(self) -> None:
        self.task_added: Signal[[TaskRecord]] = Signal()
        self.task_updated: Signal[[TaskRecord, bytes]] = Signal()
        """(task, encoded TaskStatus) after a state change or a health change."""
        self.task_removed: Signal[[TaskRecord]] = Signal()
        """The task left its agent: acknowledged terminal, unreachable or removed with its framework."""
        self.operation_removed: Signal[[OperationRecord]] = Signal()
        """It ended and nobody waits for it any more, or its agent left."""
        self.agent_added: Signal[[AgentRecord]] = Signal()
        self.agent_returned: Signal[[AgentRecord]] = Signal()
        """It re-registered, and is answered and reconciled."""
        self.agent_reported: Signal[[AgentRecord]] = Signal()
        """It told which operations it has, which it does after it has registered or re-registered."""
        self.agent_removed: Signal[[AgentRecord]] = Signal()
        self.framework_added: Signal[[FrameworkRecord]] = Signal()
        self.framework_updated: Signal[[FrameworkRecord]] = Signal()
        self.framework_removed: Signal[[FrameworkRecord]] = Signal()
