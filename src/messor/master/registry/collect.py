"""Forgetting agents that have been unreachable or gone for very long (H7)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from messor.master.registry import edits
from messor.master.registry.registrar import Registrar
from messor.master.state.tables import MasterState
from messor.protos import v0
from messor.runtime.host import Host, Timer

log = logging.getLogger(__name__)


class Collector:
    """Prunes the registry's lists now and then."""

    def __init__(
        self,
        *,
        state: MasterState,
        registrar: Registrar,
        host: Host,
        interval: float,
        max_age: float,
        max_count: int,
    ) -> None:
        """interval and max_age are seconds; max_count applies to the unreachable and to the gone ones separately."""
        self.state = state
        self.registrar = registrar
        self.host = host
        self.interval = interval
        self.max_age = max_age
        self.max_count = max_count
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Collect every interval from now on."""
        self._timer = self.host.clock.after(self.interval, self._due)

    def stop(self) -> None:
        """Collect no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> None:
        self.begin()
        self.host.tasks.spawn(self.collect(), "registry collection")

    async def collect(self) -> None:
        """Forget what is too old or too much, in the registry first.

        Agents that return while the registry is written are left alone by the edit and by what follows it.
        """
        now = self.host.clock.now()
        unreachable = expired(self.state.unreachable_agents, now, self.max_age, self.max_count)
        gone = expired(self.state.gone_agents, now, self.max_age, self.max_count)
        if not unreachable and not gone:
            return
        await self.registrar.apply(edits.prune(unreachable, gone))
        for agent_id in unreachable:
            if self.state.unreachable_agents.pop(agent_id, None) is not None:
                self.state.forget_unreachable(agent_id)
                self.state.deactivated_agents.discard(agent_id)
                self.state.draining_agents.pop(agent_id, None)
        for agent_id in gone:
            self.state.gone_agents.pop(agent_id, None)
        log.info("Forgot %d unreachable and %d gone agents", len(unreachable), len(gone))


def expired(agents: Mapping[str, v0.TimeInfo], now: float, max_age: float, max_count: int) -> list[str]:
    """Name the agents to forget: the oldest beyond max_count, and all that are older than max_age seconds.

    agents: in order of becoming so. The whole list is checked for age, as clocks of several leaders may disagree.
    """
    surplus = len(agents) - max_count
    return [
        agent_id
        for position, (agent_id, since) in enumerate(agents.items())
        if position < surplus or now - since.nanoseconds / 1e9 > max_age
    ]
