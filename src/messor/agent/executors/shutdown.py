"""Executors, frameworks and the whole agent are asked to end; what does not end in time is destroyed (b.6, G15)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.executors.environment import grace_period
from messor.agent.state.lifecycles import AgentState, ExecutorState, FrameworkState
from messor.errors import ConnectionLost
from messor.protos import internal
from messor.runtime.actor import Component
from messor.runtime.handlers import on

if TYPE_CHECKING:
    from collections.abc import Callable

    from messor.agent.executors.terminate import Terminations
    from messor.agent.flags import AgentFlags
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.runtime.host import Host
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class Shutdowns(Component):
    """Ends things politely first."""

    def __init__(
        self,
        host: Host,
        flags: AgentFlags,
        tables: Tables,
        outbox: Outbox,
        signals: Signals,
        updates: Updates,
        terminations: Terminations,
        finished: Callable[[str], None],
    ) -> None:
        """finished: called with the reason when the last framework of a terminating agent is gone."""
        self._host = host
        self._flags = flags
        self._tables = tables
        self._outbox = outbox
        self._updates = updates
        self._terminations = terminations
        self._finished = finished
        self._why = ""
        signals.misbehaved = lambda _, executor: self.shut_down(executor)
        signals.framework_removed = self._framework_removed

    # --- executors ---------------------------------------------------------------------------------------------------

    @on(internal.ShutdownExecutorMessage)
    def executor_asked(self, sender: Upid, message: internal.ShutdownExecutorMessage) -> None:
        """Shut one executor down for its scheduler (M20)."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        executor = self._tables.executor(message.framework_id.value, message.executor_id.value)
        if executor is None:
            self.ignore(message, "the executor is unknown")
            return
        self.shut_down(executor)

    def shut_down(self, executor: Executor) -> None:
        """Ask an executor to end, and destroy it when its grace period is over."""
        if not executor.is_alive:
            log.info("Executor '%s' is %s already", executor.id, executor.state.value)
            return
        log.info("Shutting down executor '%s' of framework %s", executor.id, executor.framework_id)
        executor.become(ExecutorState.TERMINATING)
        try:
            self._outbox.to_executor(executor, internal.ShutdownExecutorMessage())
        except ConnectionLost as error:
            log.info("%s; it is killed when its grace period is over", error)
        grace = grace_period(executor.info, self._flags.executor_shutdown_grace_period)
        self._host.clock.after(grace, self._overdue, executor)

    def _overdue(self, executor: Executor) -> None:
        if executor.state is ExecutorState.TERMINATING:
            log.info("Killing executor '%s' of framework %s", executor.id, executor.framework_id)
            self._terminations.destroy(executor)

    # --- frameworks --------------------------------------------------------------------------------------------------

    @on(internal.ShutdownFrameworkMessage)
    def framework_asked(self, sender: Upid, message: internal.ShutdownFrameworkMessage) -> None:
        """Shut a removed framework down."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        if self._tables.state is not AgentState.RUNNING:
            self.ignore(message, f"the agent is {self._tables.state.value}")
            return
        self.shut_down_framework(message.framework_id.value)

    def shut_down_framework(self, framework_id: str) -> None:
        """End all executors of a framework; nobody is told of its tasks any more."""
        framework = self._tables.frameworks.get(framework_id)
        if framework is None:
            log.info("Cannot shut down unknown framework %s", framework_id)
            return
        if framework.state is FrameworkState.TERMINATING:
            return
        log.info("Shutting down framework %s", framework_id)
        framework.become(FrameworkState.TERMINATING)
        self._updates.manager.forget_framework(framework_id)
        for executor in list(framework.executors.values()):
            if executor.state is ExecutorState.TERMINATED:
                self._terminations.remove_executor(framework, executor)
            else:
                self.shut_down(executor)
        self._terminations.remove_if_idle(framework)

    # --- the agent ---------------------------------------------------------------------------------------------------

    @on(internal.ShutdownMessage)
    def agent_asked(self, sender: Upid, message: internal.ShutdownMessage) -> None:
        """End the agent because the master says so: gone, or refused (b.3)."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        why = f": {message.message}" if message.message else ""
        self.shut_down_agent(f"Agent asked to shut down by {sender}{why}")

    def shut_down_agent(self, why: str) -> None:
        """Kill everything and end the process when the last framework is gone."""
        if self._tables.state is AgentState.TERMINATING:
            return
        log.info("%s", why)
        self._why = why
        self._tables.become(AgentState.TERMINATING)
        for framework_id in list(self._tables.frameworks):
            self.shut_down_framework(framework_id)
        self._framework_removed()

    def _framework_removed(self) -> None:
        if self._tables.state is AgentState.TERMINATING and not self._tables.frameworks:
            self._finished(self._why)
