"""Executors that outlived the agent come back, or are killed when they do not in time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.state.executor import PendingTermination
from messor.agent.state.lifecycles import AgentState, ExecutorState
from messor.model.durations import duration_text
from messor.protos import internal, v0
from messor.runtime.actor import Component

if TYPE_CHECKING:
    from messor.agent.executors.shutdown import Shutdowns
    from messor.agent.executors.terminate import Terminations
    from messor.agent.flags import AgentFlags
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.tables import Tables
    from messor.runtime.host import Host

log = logging.getLogger(__name__)

LOOK_AGAIN = 0.05
"""Seconds between two looks at who is back: registration need not wait for a time-out that nobody needs."""


class Reconnection(Component):
    """Asks executors back, or ends them with ``--recover=cleanup``."""

    def __init__(
        self,
        host: Host,
        flags: AgentFlags,
        tables: Tables,
        outbox: Outbox,
        terminations: Terminations,
        shutdowns: Shutdowns,
    ) -> None:
        """Take what recovered executors are told with."""
        self._host = host
        self._flags = flags
        self._tables = tables
        self._outbox = outbox
        self._terminations = terminations
        self._shutdowns = shutdowns

    async def run(self) -> None:
        """Ask, and wait until the time for answers is over; at once when there is nobody to wait for."""
        executors = [executor for _, executor in self._tables.executors()]
        if not executors:
            return
        if self._flags.recover == "cleanup":
            for executor in executors:
                self._clean_up(executor)
            return
        for executor in executors:
            self._ask(executor, reconnect=False)
        await self._wait(executors)
        self._give_up()

    async def _wait(self, executors: list[Executor]) -> None:
        """Wait until all are back or the time is over, asking again now and then if so configured."""
        clock = self._host.clock
        deadline = clock.monotonic() + self._flags.executor_reregistration_timeout
        interval = self._flags.executor_reregistration_retry_interval
        next_asking = clock.monotonic() + interval if interval else deadline
        while clock.monotonic() < deadline:
            missing = [executor for executor in executors if executor.state is ExecutorState.REGISTERING]
            if not missing:
                return
            if interval and clock.monotonic() >= next_asking:
                next_asking += interval
                for executor in missing:
                    self._ask(executor, reconnect=True)
            await self._host.tasks.sleep(min(LOOK_AGAIN, deadline - clock.monotonic()))

    def _ask(self, executor: Executor, *, reconnect: bool) -> None:
        """Ask an executor that speaks libprocess; those that speak HTTP subscribe by themselves."""
        if executor.pid is None:
            return
        log.info("Sending reconnect request to executor '%s' of framework %s", executor.id, executor.framework_id)
        self._outbox.link(executor.pid, reconnect=reconnect)
        self._outbox.to_executor(executor, internal.ReconnectExecutorMessage(slave_id=self._tables.info.id))

    def _clean_up(self, executor: Executor) -> None:
        if executor.pid is not None:
            self._shutdowns.shut_down(executor)
        else:
            self._terminations.destroy(executor)

    def _give_up(self) -> None:
        """Kill executors that did not come back."""
        timeout = duration_text(self._flags.executor_reregistration_timeout)
        for framework, executor in self._tables.executors():
            if executor.state is not ExecutorState.REGISTERING:
                continue
            log.info("Killing executor '%s' of framework %s: it did not reregister", executor.id, framework.id)
            self._terminations.destroy(
                executor,
                PendingTermination(
                    framework.told(v0.TASK_GONE),
                    v0.TaskStatus.REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
                    f"Executor did not reregister within {timeout}",
                ),
            )

    def leave(self) -> None:
        """End the process when the last executor is cleaned up."""
        if self._tables.state is not AgentState.TERMINATING:
            self._shutdowns.shut_down_agent("Recovered with --recover=cleanup: all executors are cleaned up")
