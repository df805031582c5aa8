"""After an election: who is expected back, and what happens to those that do not come (H8)."""

from __future__ import annotations

import logging

from messor.master.agents.removal_limit import RemovalLimit
from messor.master.agents.unreachable import Unreachable
from messor.master.flags import MasterFlags
from messor.master.metrics import MasterMetrics
from messor.master.registry.contents import Contents
from messor.master.state.tables import MasterState
from messor.model.durations import duration_text
from messor.model.resource_formats import upgrade_all
from messor.protos import v0
from messor.runtime.host import Host

log = logging.getLogger(__name__)


class AgentRecovery:
    """Waits for the agents of the registry to re-register."""

    def __init__(
        self,
        *,
        state: MasterState,
        metrics: MasterMetrics,
        flags: MasterFlags,
        host: Host,
        limit: RemovalLimit,
        unreachable: Unreachable,
    ) -> None:
        """limit: the one that health uses."""
        self.state = state
        self.metrics = metrics
        self.flags = flags
        self.host = host
        self.limit = limit
        self.unreachable = unreachable
        self._expected = 0

    def begin(self, contents: Contents) -> None:
        """Note who was admitted, unreachable and gone, and give the admitted ones time to return."""
        for info in contents.agents():
            upgrade_all(info)
            self.state.recovered_agents[info.id.value] = info
        self.state.unreachable_agents.update(contents.unreachable_since())
        self.state.gone_agents.update(contents.gone_since())
        self._expected = len(self.state.recovered_agents)
        log.info(
            "Recovered %d agents from the registry; allowing %s for them to re-register",
            self._expected,
            duration_text(self.flags.agent_reregister_timeout),
        )
        self.host.clock.after(self.flags.agent_reregister_timeout, self._time_is_up)

    def _time_is_up(self) -> None:
        """Give up those that did not return, one by one; end the process if that would be too many."""
        missing = self.state.recovered_agents
        limit = float(self.flags.recovery_agent_removal_limit.removesuffix("%"))
        percentage = 100 * len(missing) / self._expected if self._expected else 0.0
        timeout = duration_text(self.flags.agent_reregister_timeout)
        if percentage > limit:
            self.host.exit(
                1,
                f"Post-recovery agent removal limit exceeded! After {timeout} there were {len(missing)}"
                f" ({percentage:g}%) agents recovered from the registry that did not reregister:"
                f" {', '.join(missing)}. The configured removal limit is {limit:g}%."
                " Please investigate or increase this limit to proceed further",
            )
            return
        for info in list(missing.values()):
            if info.id.value not in self.state.rejoining_agents:
                self.metrics.unreachable_scheduled.increment()
                self._schedule(info, f"did not reregister within {timeout} after master failover")

    def _schedule(self, info: v0.SlaveInfo, why: str) -> None:
        self.limit.acquire(lambda: self.host.tasks.spawn(self._give_up(info, why), "mark unreachable"))

    async def _give_up(self, info: v0.SlaveInfo, why: str) -> None:
        if await self.unreachable.mark_recovered(info, why):
            self.metrics.unreachable_completed.increment()
        else:
            self.metrics.unreachable_canceled.increment()
