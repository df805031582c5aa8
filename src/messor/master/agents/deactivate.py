"""Taking agents out of the offers and back (N5, O15)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.errors import Conflict, InvalidRequest
from messor.master.offers.rescind import Rescinder
from messor.master.registry import edits
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.state.tables import MasterState
from messor.protos import v0, v0_master
from messor.runtime.http import Request, Response

log = logging.getLogger(__name__)

Call = v0_master.Call


class Activation:
    """Which agents operators took out of the offers."""

    def __init__(self, *, state: MasterState, allocator: Allocator, registrar: Registrar, rescinder: Rescinder) -> None:
        """See the modules of the collaborators."""
        self.state = state
        self.allocator = allocator
        self.registrar = registrar
        self.rescinder = rescinder
        self.deeds: dict[int, Callable[[Any, Request], Awaitable[Response]]] = {
            Call.DEACTIVATE_AGENT: self._deactivate,
            Call.REACTIVATE_AGENT: self._reactivate,
        }

    def recover(self, contents: Contents) -> None:
        """Take over what the registry knows."""
        self.state.deactivated_agents = contents.deactivated()
        self.state.draining_agents = contents.draining()

    async def _deactivate(self, call: v0_master.Call, request: Request) -> Response:  # noqa: ARG002
        agent_id = self.known(call.deactivate_agent.slave_id.value)
        await self.registrar.apply(edits.deactivate(agent_id))
        self.take_out(agent_id)
        log.info("Deactivated agent %s", agent_id)
        return Response(200)

    def take_out(self, agent_id: str) -> None:
        """Offer nothing of an agent any more; the registry knows it already."""
        self.state.deactivated_agents.add(agent_id)
        agent = self.state.agents.get(agent_id)
        if agent is None:
            return
        agent.drain = self.state.draining_agents.get(agent_id)
        agent.fragment = None
        if not agent.is_deactivated:
            agent.is_deactivated = True
            self.allocator.deactivate_agent(agent_id)
            self.rescinder.rescind_agent(agent)
            self.rescinder.withdraw_agent(agent)

    async def _reactivate(self, call: v0_master.Call, request: Request) -> Response:  # noqa: ARG002
        agent_id = self.known(call.reactivate_agent.slave_id.value)
        if agent_id not in self.state.deactivated_agents:
            raise InvalidRequest("Agent is not deactivated")
        info = self.state.draining_agents.get(agent_id)
        if info is not None and info.state == v0.DRAINING:
            raise InvalidRequest("Agent is still in the DRAINING state")
        await self.registrar.apply(edits.reactivate(agent_id))
        self.state.deactivated_agents.discard(agent_id)
        self.state.draining_agents.pop(agent_id, None)
        agent = self.state.agents.get(agent_id)
        if agent is None:
            # Its registry entry is active again: so will it be when it comes back.
            raise Conflict("Agent removed while processing the call")
        agent.is_deactivated = False
        agent.drain = agent.drain_began = None
        agent.fragment = None
        if agent.is_active:
            self.allocator.activate_agent(agent_id)
        log.info("Reactivated agent %s", agent_id)
        return Response(200)

    def known(self, agent_id: str) -> str:
        """Check that there is such an agent, here or expected back; raises InvalidRequest."""
        state = self.state
        if agent_id in state.agents or agent_id in state.recovered_agents or agent_id in state.unreachable_agents:
            return agent_id
        raise InvalidRequest("Unknown agent")
