"""Agents that leave: unregistered, or replaced by a new one at the same address; and what leaving means for tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable

from messor.allocator.interfaces import Allocator
from messor.errors import Conflict
from messor.master.agents.health import Health
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.operations.updates import OperationUpdates
from messor.master.outbox import Outbox
from messor.master.registry import edits
from messor.master.registry.registrar import Registrar
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.tables import MasterState
from messor.master.tasks.executors import Executors
from messor.master.tasks.updates import TaskUpdates
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.runtime.host import Clock
from messor.runtime.metrics import Counter
from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class AgentRemoval(Component):
    """Takes agents and all that is on them off the books."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        registrar: Registrar,
        metrics: MasterMetrics,
        clock: Clock,
        health: Health,
        updates: TaskUpdates,
        executors: Executors,
        rescinder: Rescinder,
        operations: OperationUpdates,
    ) -> None:
        """See the modules of the collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.registrar = registrar
        self.metrics = metrics
        self.clock = clock
        self.health = health
        self.updates = updates
        self.executors = executors
        self.rescinder = rescinder
        self.operations = operations
        self.messages = metrics.counter("messages_unregister_slave")

    @on(internal.UnregisterSlaveMessage)
    async def unregistered(self, sender: Upid, message: internal.UnregisterSlaveMessage) -> None:
        """Remove an agent that says good-bye (SIGUSR1)."""
        self.messages.increment()
        agent = self.state.agents.get(message.slave_id.value)
        if agent is None:
            self.ignore(message, f"{sender} speaks of an unknown agent {message.slave_id.value}")
        elif agent.pid != sender:
            self.ignore(message, f"{sender} is not agent {agent.id} at {agent.pid}")
        else:
            await self.remove(agent.id, "the agent unregistered", self.metrics.removals_unregistered)

    async def remove(self, agent_id: str, cause: str, reason: Counter | None = None) -> None:
        """Remove a registered agent for good: from the registry first, then from memory."""
        agent = self.state.agents.get(agent_id)
        if agent is None or agent.state is not AgentState.ACTIVE:
            log.warning("Not removing agent %s (%s): it is already going or coming", agent_id, cause)
            return
        agent.become(AgentState.LEAVING)
        log.info("Removing agent %s at %s: %s", agent.id, agent.pid, cause)
        try:
            await self.registrar.apply(edits.remove(agent_id))
        except Conflict as error:
            log.warning("Agent %s was not in the registry: %s", agent_id, error)
        agent.become(AgentState.REMOVED)
        self.state.deactivated_agents.discard(agent_id)
        self.state.draining_agents.pop(agent_id, None)
        self.metrics.slave_removals.increment()
        if reason is not None:
            reason.increment()
        self.take_down(
            agent,
            lambda framework: (v0.TASK_LOST, v0.TaskStatus.REASON_SLAVE_REMOVED),  # noqa: ARG005
            f"Agent {agent.hostname} removed: {cause}",
        )
        self.state.signals.agent_removed(agent)
        log.info("Removed agent %s: %s", agent_id, cause)

    def take_down(
        self,
        agent: AgentRecord,
        outcome: Callable[[FrameworkRecord], tuple[int, int]],
        message: str,
        *,
        unreachable_time: v0.TimeInfo | None = None,
        operation_state: int | None = None,
        operation_message: str = "",
    ) -> None:
        """End everything on an agent and forget it.

        outcome: state and reason of its tasks, by framework. unreachable_time: set when it may come back; its tasks are
        remembered then. operation_state: what frameworks are told of their operations, None for nothing. The allocator
        forgets the agent first, lest it offers what is freed here.
        """
        self.allocator.remove_agent(agent.id)
        for framework_id, tasks in list(agent.tasks.items()):
            framework = self.state.frameworks[framework_id]
            state, reason = outcome(framework)
            for task in list(tasks.values()):
                self.updates.made_by_master(task, state, reason, message, unreachable_time=unreachable_time)
                self.updates.remove(task, unreachable=unreachable_time is not None)
        for framework_id, executors in list(agent.executors.items()):
            for executor_id in list(executors):
                self.executors.remove(agent, framework_id, executor_id)
        self.operations.agent_left(agent, operation_state, operation_message)
        self.rescinder.rescind_agent(agent)
        self.rescinder.withdraw_agent(agent)
        self.state.remove_agent(agent, self.clock.now())
        if agent.reregistration_timer is not None:
            agent.reregistration_timer.cancel()
            agent.reregistration_timer = None
        self.health.forget(agent.id)
        if agent.pid not in self.state.agents_by_pid:
            self.outbox.unlink(agent.pid)
        self.tell_lost(agent.id)

    def tell_lost(self, agent_id: str) -> None:
        """Tell every connected framework that an agent is lost."""
        lost = internal.LostSlaveMessage(slave_id=v0.SlaveID(value=agent_id))
        for framework in list(self.state.frameworks.values()):
            if framework.is_connected:
                self.outbox.to_framework(framework, lost)
