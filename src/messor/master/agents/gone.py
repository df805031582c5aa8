"""Agents that never come back: MARK_AGENT_GONE, and draining that ends so (H6).

Unlike an unreachable agent, one that is gone is never taken back: should it return it is told to end itself.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from messor.errors import Conflict, NotFound
from messor.master.agents.remove import AgentRemoval
from messor.master.outbox import Outbox
from messor.master.registry import edits
from messor.master.registry.registrar import Registrar
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.tables import MasterState
from messor.model.durations import nanoseconds_of
from messor.protos import internal, v0, v0_master
from messor.runtime.host import Clock
from messor.runtime.http import Request, Response

log = logging.getLogger(__name__)

MESSAGE = "Agent has been marked gone"


class Gone:
    """Marks agents gone."""

    def __init__(
        self, *, state: MasterState, outbox: Outbox, registrar: Registrar, clock: Clock, removal: AgentRemoval
    ) -> None:
        """See the modules of the collaborators."""
        self.state = state
        self.outbox = outbox
        self.registrar = registrar
        self.clock = clock
        self.removal = removal
        self.deeds: dict[int, Callable[[Any, Request], Awaitable[Response]]] = {
            v0_master.Call.MARK_AGENT_GONE: self._called
        }

    async def _called(self, call: v0_master.Call, request: Request) -> Response:  # noqa: ARG002
        await self.mark(call.mark_agent_gone.slave_id.value)
        return Response(200)

    async def mark(self, agent_id: str) -> None:
        """Mark an agent gone, in the registry first; nothing happens when it is gone already.

        Raises NotFound for an agent nobody knows, Conflict for one that is just coming, leaving or being marked.
        """
        state = self.state
        if agent_id in state.gone_agents:
            return
        agent = state.agents.get(agent_id)
        if agent is None and agent_id not in state.recovered_agents and agent_id not in state.unreachable_agents:
            raise NotFound(f"Agent '{agent_id}' not found")
        self._check_steady(agent_id)
        log.info("Marking agent %s gone", agent_id)
        if agent is not None:
            agent.become(AgentState.MARKING_GONE)
        state.marking_gone.add(agent_id)
        since = v0.TimeInfo(nanoseconds=nanoseconds_of(self.clock.now()))
        try:
            await self.registrar.apply(edits.mark_gone(agent_id, since))
        except Conflict as error:
            log.warning("Agent %s was not in the registry: %s", agent_id, error)
        state.marking_gone.discard(agent_id)
        state.gone_agents[agent_id] = since
        state.deactivated_agents.discard(agent_id)
        state.draining_agents.pop(agent_id, None)
        if agent is None:
            self._forget(agent_id)
            return
        agent.become(AgentState.GONE)
        self.outbox.to_agent(agent, internal.ShutdownMessage(message=MESSAGE))
        self.removal.take_down(
            agent, _outcome, MESSAGE, operation_state=v0.OPERATION_GONE_BY_OPERATOR, operation_message=MESSAGE
        )
        log.info("Marked agent %s gone", agent_id)

    def _check_steady(self, agent_id: str) -> None:
        """Refuse while the registry is being written for another reason; the operator can try again."""
        state = self.state
        agent = state.agents.get(agent_id)
        if agent_id in state.marking_gone:
            raise Conflict(f"Agent '{agent_id}' is already being marked gone")
        if agent_id in state.marking_unreachable or (agent and agent.state is AgentState.MARKING_UNREACHABLE):
            raise Conflict(f"Agent '{agent_id}' is being marked unreachable")
        if agent_id in state.rejoining_agents or (agent and agent.state is AgentState.REJOINING):
            raise Conflict(f"Agent '{agent_id}' is re-registering")
        if agent is not None and agent.state is not AgentState.ACTIVE:
            raise Conflict(f"Agent '{agent_id}' is being removed")

    def _forget(self, agent_id: str) -> None:
        """Forget an agent that was not registered: unreachable, or not back since the failover."""
        self.state.forget_unreachable(agent_id)
        self.state.unreachable_agents.pop(agent_id, None)
        if self.state.recovered_agents.pop(agent_id, None) is not None:
            self.removal.tell_lost(agent_id)


def _outcome(framework: FrameworkRecord) -> tuple[int, int]:
    """Say what tasks become: only frameworks that know partitions hear TASK_GONE_BY_OPERATOR."""
    if framework.is_partition_aware:
        return v0.TASK_GONE_BY_OPERATOR, v0.TaskStatus.REASON_SLAVE_REMOVED_BY_OPERATOR
    return v0.TASK_LOST, v0.TaskStatus.REASON_SLAVE_REMOVED
