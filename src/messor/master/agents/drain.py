"""Agents that drain: everything on them is killed, nothing is offered, and it is known when nothing is left (N4, N6).

Draining is in the registry, so that it goes on after a failover and when the agent returns from wherever it was. It
cannot be cancelled; when it is over the agent stays out of the offers until an operator puts it back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from messor.errors import Conflict, InvalidRequest
from messor.master.agents.deactivate import Activation
from messor.master.agents.gone import Gone
from messor.master.outbox import Outbox
from messor.master.registry import edits
from messor.master.registry.registrar import Registrar
from messor.master.state.agent import AgentRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.operation import OperationRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.protos import internal, v0, v0_master
from messor.runtime.host import Host
from messor.runtime.http import Request, Response

log = logging.getLogger(__name__)

LONGEST_GRACE = 2**63 - 1
"""Nanoseconds."""


class Draining:
    """Tells agents to drain and notices when they have."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        registrar: Registrar,
        host: Host,
        activation: Activation,
        gone: Gone,
    ) -> None:
        """activation: takes agents out of the offers; gone: ends those that shall not come back."""
        self.state = state
        self.outbox = outbox
        self.registrar = registrar
        self.host = host
        self.activation = activation
        self.gone = gone
        self._ending: set[str] = set()
        """Agents whose end of draining is being stored."""
        self.deeds: dict[int, Callable[[Any, Request], Awaitable[Response]]] = {
            v0_master.Call.DRAIN_AGENT: self._called
        }
        state.signals.task_removed.listen(self._task_removed)
        state.signals.operation_removed.listen(self._operation_removed)
        state.signals.agent_returned.listen(self._returned)
        state.signals.agent_reported.listen(self._reported)

    async def _called(self, call: v0_master.Call, request: Request) -> Response:  # noqa: ARG002
        body = call.drain_agent
        agent_id = self.activation.known(body.slave_id.value)
        config = v0.DrainConfig(mark_gone=body.mark_gone)
        if body.HasField("max_grace_period"):
            if not 0 <= body.max_grace_period.nanoseconds <= LONGEST_GRACE:
                raise InvalidRequest("Failed to validate master::Call: 'max_grace_period' must not be negative")
            config.max_grace_period.nanoseconds = body.max_grace_period.nanoseconds
        self._check_able(agent_id)
        await self.registrar.apply(edits.drain(agent_id, config))
        log.info("Draining agent %s", agent_id)
        self.state.draining_agents[agent_id] = v0.DrainInfo(state=v0.DRAINING, config=config)
        self.activation.take_out(agent_id)
        agent = self.state.agents.get(agent_id)
        if agent is not None:
            self._begin(agent)
            self._check(agent)
        return Response(200)

    def _check_able(self, agent_id: str) -> None:
        """Refuse agents that cannot drain or leave anyway; what unreachable ones can do is not known.

        Raises InvalidRequest or Conflict.
        """
        agent = self.state.agents.get(agent_id)
        if agent is not None:
            machine = self.state.machines.get((agent.hostname.lower(), agent.pid.ip))
            if machine is not None:
                where = f"{machine.id.hostname} ({machine.id.ip})"
                raise InvalidRequest(f"Agent {agent_id} is part of a maintenance schedule under Machine {where}")
            if not agent.has(v0.SlaveInfo.Capability.AGENT_DRAINING):
                raise InvalidRequest(f"Agent {agent_id} is not capable of draining")
        if agent_id in self.state.marking_gone:
            raise Conflict("Agent is currently being marked gone")

    def _begin(self, agent: AgentRecord) -> None:
        """Tell an agent to drain."""
        agent.drain_began = self.host.clock.now()
        agent.fragment = None
        config = self.state.draining_agents[agent.id].config
        self.outbox.to_agent(agent, internal.DrainSlaveMessage(config=config))

    # --- noticing the end --------------------------------------------------------------------------------------------

    def _task_removed(self, task: TaskRecord) -> None:
        if self.state.draining_agents:
            self._check(self.state.agents.get(task.agent_id))

    def _operation_removed(self, operation: OperationRecord) -> None:
        if self.state.draining_agents:
            self._check(self.state.agents.get(operation.agent_id))

    def _returned(self, agent: AgentRecord) -> None:
        """Say it again to an agent that was away: the message may have been lost, and more may run now.

        Those that know operations tell of them later.
        """
        info = self.state.draining_agents.get(agent.id)
        if info is not None and info.state == v0.DRAINING:
            self._begin(agent)
            if not agent.has(v0.SlaveInfo.Capability.RESOURCE_PROVIDER):
                self._check(agent)

    def _reported(self, agent: AgentRecord) -> None:
        if self.state.draining_agents:
            self._check(agent)

    def _check(self, agent: AgentRecord | None) -> None:
        """End the draining of an agent that nothing is left on, as soon as what runs now is done."""
        if agent is not None and self._is_over(agent) and agent.id not in self._ending:
            self._ending.add(agent.id)
            self.host.tasks.spawn(self._end(agent), "end of draining")

    def _is_over(self, agent: AgentRecord) -> bool:
        """Tell whether an agent has drained.

        One that is away or leaving has lost tasks in the books only, so it is not asked.
        """
        info = self.state.draining_agents.get(agent.id)
        if info is None or info.state != v0.DRAINING:
            return False
        if agent.state is not AgentState.ACTIVE or not agent.is_connected:
            return False
        return not agent.tasks and not agent.operations

    async def _end(self, agent: AgentRecord) -> None:
        try:
            if self.state.agents.get(agent.id) is not agent or not self._is_over(agent):
                return
            info = self.state.draining_agents[agent.id]
            if info.config.mark_gone:
                await self.gone.mark(agent.id)
                return
            await self.registrar.apply(edits.drained(agent.id))
            if self.state.draining_agents.get(agent.id) is info:
                info.state = v0.DRAINED
                agent.fragment = None
                log.info("Agent %s has drained", agent.id)
        except Conflict as error:
            log.warning("Agent %s has drained, but: %s", agent.id, error)
        finally:
            self._ending.discard(agent.id)
