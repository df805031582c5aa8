"""Taking agents out of the offers and back (N5, O15)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.cluster.edits import deactivated_in, set_deactivated
from messor.master.offers.rescind import Rescinder
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.state.tables import MasterState
from messor.protos import v0_master
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
        self.state.deactivated_agents = deactivated_in(contents)

    async def _deactivate(self, call: v0_master.Call, request: Request) -> Response:  # noqa: ARG002
        agent_id = self._known(call.deactivate_agent.slave_id.value)
        await self.registrar.apply(set_deactivated(agent_id, deactivated=True))
        self.state.deactivated_agents.add(agent_id)
        agent = self.state.agents.get(agent_id)
        if agent is not None and not agent.is_deactivated:
            agent.is_deactivated = True
            agent.fragment = None
            self.allocator.deactivate_agent(agent_id)
            self.rescinder.rescind_agent(agent)
        log.info("Deactivated agent %s", agent_id)
        return Response(200)

    async def _reactivate(self, call: v0_master.Call, request: Request) -> Response:  # noqa: ARG002
        agent_id = self._known(call.reactivate_agent.slave_id.value)
        if agent_id not in self.state.deactivated_agents:
            raise InvalidRequest("Agent is not deactivated")
        await self.registrar.apply(set_deactivated(agent_id, deactivated=False))
        self.state.deactivated_agents.discard(agent_id)
        agent = self.state.agents.get(agent_id)
        if agent is not None:
            agent.is_deactivated = False
            agent.fragment = None
            if agent.is_active:
                self.allocator.activate_agent(agent_id)
        log.info("Reactivated agent %s", agent_id)
        return Response(200)

    def _known(self, agent_id: str) -> str:
        """Check that there is such an agent, here or expected back; raises InvalidRequest."""
        state = self.state
        if agent_id in state.agents or agent_id in state.recovered_agents or agent_id in state.unreachable_agents:
            return agent_id
        raise InvalidRequest("Unknown agent")
