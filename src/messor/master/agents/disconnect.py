"""Agents whose connection broke, although they may answer pings (H5)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.agents.removal_limit import RemovalLimit
from messor.master.agents.unreachable import Unreachable
from messor.master.flags import MasterFlags
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.state.agent import AgentRecord
from messor.master.state.tables import MasterState
from messor.master.tasks.executors import Executors
from messor.master.tasks.updates import TaskUpdates
from messor.model.durations import duration_text
from messor.protos import v0
from messor.runtime.host import Clock

log = logging.getLogger(__name__)


class AgentDisconnection:
    """Takes agents out of the offers until they re-register."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: Allocator,
        metrics: MasterMetrics,
        flags: MasterFlags,
        clock: Clock,
        limit: RemovalLimit,
        updates: TaskUpdates,
        executors: Executors,
        rescinder: Rescinder,
        unreachable: Unreachable,
    ) -> None:
        """limit: the one that health uses, as both give agents up."""
        self.state = state
        self.allocator = allocator
        self.metrics = metrics
        self.flags = flags
        self.clock = clock
        self.limit = limit
        self.updates = updates
        self.executors = executors
        self.rescinder = rescinder
        self.unreachable = unreachable

    def agent_disconnected(self, agent: AgentRecord) -> None:
        """Stop offering an agent; tasks of frameworks that do not checkpoint are lost at once.

        Tasks of checkpointing frameworks wait: pings fail (75 s), or tell the agent to re-register. An agent that hangs
        in recovery answers pings and never re-registers; ``--agent_reregister_timeout`` is for that one (MESOS-6286).
        """
        if not agent.is_connected:
            return  # it does not change its pid by restarting, so its new connection may break as well (MESOS-675)
        log.info("Agent %s at %s (%s) disconnected", agent.id, agent.pid, agent.hostname)
        agent.is_connected = False
        agent.fragment = None
        self.allocator.deactivate_agent(agent.id)
        self.rescinder.rescind_agent(agent)
        self.rescinder.withdraw_agent(agent)
        for framework_id in list(agent.tasks.keys() | agent.executors.keys()):
            if not self.state.frameworks[framework_id].info.checkpoint:
                self._lose(agent, framework_id)
        agent.reregistration_timer = self.clock.after(
            self.flags.agent_reregister_timeout, self._did_not_return, agent.id
        )

    def _lose(self, agent: AgentRecord, framework_id: str) -> None:
        """Lose what a framework that does not checkpoint has on an agent."""
        for task in list(agent.tasks.get(framework_id, {}).values()):
            self.updates.made_by_master(
                task,
                v0.TASK_LOST,
                v0.TaskStatus.REASON_SLAVE_DISCONNECTED,
                f"Agent {agent.hostname} disconnected",
            )
            self.updates.remove(task)
        for executor_id in list(agent.executors.get(framework_id, {})):
            self.executors.remove(agent, framework_id, executor_id)

    def _did_not_return(self, agent_id: str) -> None:
        agent = self.state.agents.get(agent_id)
        if agent is None or agent.is_connected:
            return
        agent.reregistration_timer = None
        self.metrics.unreachable_scheduled.increment()
        self.limit.acquire(lambda: self._give_up(agent_id))

    def _give_up(self, agent_id: str) -> None:
        agent = self.state.agents.get(agent_id)
        if agent is None or agent.is_connected:
            self.metrics.unreachable_canceled.increment()
            return
        self.metrics.unreachable_completed.increment()
        timeout = duration_text(self.flags.agent_reregister_timeout)
        self.unreachable.mark(agent_id, f"agent did not reregister within {timeout} after disconnecting")
