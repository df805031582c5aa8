"""The agent drains: everything is killed, politely, and reported as such."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.state.lifecycles import AgentState
from messor.errors import DiskFailed
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on

if TYPE_CHECKING:
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.agent.tasks.kill import Kills
    from messor.runtime.host import Clock
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class Drains(Component):
    """Kills what runs here when the master drains the agent."""

    def __init__(self, clock: Clock, tables: Tables, checkpoints: Checkpoints, kills: Kills, signals: Signals) -> None:
        """Take what kills."""
        signals.nothing_left = self.finish_if_empty
        self._clock = clock
        self._tables = tables
        self._checkpoints = checkpoints
        self._kills = kills

    @on(internal.DrainSlaveMessage)
    def drained(self, sender: Upid, message: internal.DrainSlaveMessage) -> None:
        """Remember to drain, and kill every task with at most the given grace."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        if self._tables.state is not AgentState.RUNNING:
            self.ignore(message, f"the agent is {self._tables.state.value}")
            return
        log.info("Draining")
        self._tables.drain_config = message.config
        self._tables.drain_start_time = self._clock.now()
        try:
            self._checkpoints.drain(message.config)
        except DiskFailed as error:
            # The master says it again when the agent re-registers.
            log.error("Failed to checkpoint that the agent drains: %s", error)
        self._kill_all(message.config)

    def resume(self) -> None:
        """Go on draining after a restart, without waiting for a master: the last process may have died too early."""
        if self._tables.drain_config is not None:
            log.info("Going on draining")
            self._tables.drain_start_time = self._clock.now()
            self._kill_all(self._tables.drain_config)

    def _kill_all(self, config: v0.DrainConfig) -> None:
        for framework, executor in self._tables.executors():
            for task_id in [*executor.queued, *executor.launched]:
                kill = internal.KillTaskMessage()
                kill.framework_id.value = framework.id
                kill.task_id.value = task_id
                if config.HasField("max_grace_period"):
                    task = executor.launched.get(task_id)
                    own = task.info.kill_policy.grace_period.nanoseconds if task is not None else 0
                    _limit_grace(kill, own, config.max_grace_period.nanoseconds)
                self._kills.carry_out(kill)
        self.finish_if_empty()

    def finish_if_empty(self) -> None:
        """End draining when nothing is left here: what is killed from then on is killed for other reasons."""
        if self._tables.drain_config is None or self._tables.frameworks:
            return
        log.info("Finished draining")
        self._tables.drain_config = None
        try:
            self._checkpoints.drained()
        except DiskFailed as error:
            # Read again after a restart, it ends as now: the agent is empty then, too.
            log.error("Failed to forget that the agent drained: %s", error)


def _limit_grace(kill: internal.KillTaskMessage, own: int, most: int) -> None:
    """Give a task its own grace period, in nanoseconds, but no more than what draining allows."""
    kill.kill_policy.grace_period.nanoseconds = min(own, most) if own else most
