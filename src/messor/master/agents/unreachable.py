"""Agents that stopped answering, and those that did not return: marked unreachable, their tasks with them (H4)."""

from __future__ import annotations

import logging

from messor.errors import Conflict
from messor.master.agents.health import Health
from messor.master.agents.remove import AgentRemoval
from messor.master.metrics import MasterMetrics
from messor.master.registry import edits
from messor.master.registry.registrar import Registrar
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.tables import MasterState
from messor.model.durations import nanoseconds_of
from messor.protos import v0
from messor.runtime.host import Host

log = logging.getLogger(__name__)


class Unreachable:
    """Moves agents to the unreachable ones."""

    def __init__(
        self,
        *,
        state: MasterState,
        registrar: Registrar,
        metrics: MasterMetrics,
        host: Host,
        health: Health,
        removal: AgentRemoval,
    ) -> None:
        """Take over those that health gives up."""
        self.state = state
        self.registrar = registrar
        self.metrics = metrics
        self.host = host
        self.removal = removal
        health.gave_up = self.mark

    def mark(self, agent_id: str, why: str) -> None:
        """Mark a registered agent unreachable in the background."""
        self.host.tasks.spawn(self._mark(agent_id, why), "mark unreachable")

    async def _mark(self, agent_id: str, why: str) -> None:
        agent = self.state.agents.get(agent_id)
        if agent is None or agent.state is not AgentState.ACTIVE:
            # Unregistered, re-registering, or being marked already: pings go on while the registry is written.
            log.info("Not marking agent %s unreachable: it is already going or coming", agent_id)
            return
        log.info("Marking agent %s (%s) unreachable: %s", agent.id, agent.hostname, why)
        agent.become(AgentState.MARKING_UNREACHABLE)
        since = v0.TimeInfo(nanoseconds=nanoseconds_of(self.host.clock.now()))
        await self._store(agent_id, since)
        agent.become(AgentState.UNREACHABLE)
        self._count(agent_id, since)
        self.removal.take_down(
            agent,
            _outcome,
            why,
            unreachable_time=since,
            operation_state=v0.OPERATION_UNREACHABLE,
            operation_message="Agent was marked unreachable",
        )
        log.info("Marked agent %s (%s) unreachable: %s", agent.id, agent.hostname, why)

    async def mark_recovered(self, info: v0.SlaveInfo, why: str) -> bool:
        """Mark an agent unreachable that is known only from the registry; False when it returned meanwhile."""
        agent_id = info.id.value
        if agent_id not in self.state.recovered_agents or agent_id in self.state.rejoining_agents:
            return False
        log.info("Marking agent %s (%s) unreachable: %s", agent_id, info.hostname, why)
        self.state.marking_unreachable.add(agent_id)
        since = v0.TimeInfo(nanoseconds=nanoseconds_of(self.host.clock.now()))
        await self._store(agent_id, since)
        self.state.marking_unreachable.discard(agent_id)
        del self.state.recovered_agents[agent_id]
        self._count(agent_id, since)
        self.metrics.recovery_removals.increment()
        self.removal.tell_lost(agent_id)
        return True

    async def _store(self, agent_id: str, since: v0.TimeInfo) -> None:
        try:
            await self.registrar.apply(edits.mark_unreachable(agent_id, since))
        except Conflict as error:
            log.warning("Agent %s was not in the registry: %s", agent_id, error)

    def _count(self, agent_id: str, since: v0.TimeInfo) -> None:
        self.state.unreachable_agents[agent_id] = since
        self.metrics.slave_removals.increment()
        self.metrics.removals_unhealthy.increment()


def _outcome(framework: FrameworkRecord) -> tuple[int, int]:
    """Say what tasks become: only frameworks that know partitions hear TASK_UNREACHABLE."""
    state = v0.TASK_UNREACHABLE if framework.is_partition_aware else v0.TASK_LOST
    return state, v0.TaskStatus.REASON_SLAVE_REMOVED
