"""Messages between schedulers and executors, which the agent only passes on (M21, S60)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.agent.state.lifecycles import AgentState, ExecutorState, FrameworkState
from messor.errors import ConnectionLost
from messor.protos import internal
from messor.runtime.actor import Component
from messor.runtime.handlers import on

if TYPE_CHECKING:
    from messor.agent.metrics import AgentMetrics
    from messor.agent.outbox import Outbox
    from messor.agent.state.tables import Tables
    from messor.wire.upid import Upid


class ExecutorMessages(Component):
    """Best effort in both directions."""

    def __init__(self, tables: Tables, outbox: Outbox, metrics: AgentMetrics) -> None:
        """Count what is passed on and what is dropped."""
        self._tables = tables
        self._outbox = outbox
        self._metrics = metrics

    @on(internal.FrameworkToExecutorMessage)
    def to_executor(self, sender: Upid, message: internal.FrameworkToExecutorMessage) -> None:
        """Pass a message of a scheduler, which may come straight from it, to an executor."""
        why = self._undeliverable(message)
        if why is not None:
            self._metrics.invalid_framework_messages.increment()
            self.ignore(message, f"{why} (from {sender})")
            return
        executor = self._tables.executor(message.framework_id.value, message.executor_id.value)
        assert executor is not None
        try:
            self._outbox.to_executor(executor, message)
        except ConnectionLost as error:
            self._metrics.invalid_framework_messages.increment()
            self.ignore(message, str(error))
            return
        self._metrics.valid_framework_messages.increment()

    def _undeliverable(self, message: internal.FrameworkToExecutorMessage) -> str | None:
        if self._tables.state is not AgentState.RUNNING:
            return f"the agent is {self._tables.state.value}"
        framework = self._tables.frameworks.get(message.framework_id.value)
        if framework is None or framework.state is FrameworkState.TERMINATING:
            return "its framework is unknown or terminating"
        executor = framework.executors.get(message.executor_id.value)
        if executor is None:
            return "the executor is unknown"
        if executor.state is not ExecutorState.RUNNING:
            return f"the executor is {executor.state.value}"
        return None

    @on(internal.ExecutorToFrameworkMessage)
    def from_executor(self, sender: Upid, message: internal.ExecutorToFrameworkMessage) -> None:
        """Pass a message of an executor that speaks libprocess to its scheduler."""
        self.to_framework(message, str(sender))

    def to_framework(self, message: internal.ExecutorToFrameworkMessage, source: str) -> None:
        """Pass a message to a scheduler: straight to its pid, by the master when it subscribed over HTTP."""
        framework = self._tables.frameworks.get(message.framework_id.value)
        if framework is None or framework.state is FrameworkState.TERMINATING:
            self._metrics.invalid_framework_messages.increment()
            self.ignore(message, f"its framework is unknown or terminating (from {source})")
            return
        if self._tables.state is not AgentState.RUNNING:
            self._metrics.invalid_framework_messages.increment()
            self.ignore(message, f"the agent is {self._tables.state.value}")
            return
        self._metrics.valid_framework_messages.increment()
        if framework.pid is not None:
            self._outbox.to_pid(framework.pid, message)
        else:
            self._outbox.to_master(message)
