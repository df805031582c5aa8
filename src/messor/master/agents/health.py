"""Who is still there: pings every agent, and gives up those that stop answering (H3).

Every agent has its own observer on the wire, ``slave-observer(N)``, but all observers are this one actor: as all wait
equally long between pings, a queue in order of time and one timer do for any number of agents (B10).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from messor.master.agents.removal_limit import Permit, RemovalLimit
from messor.master.metrics import MasterMetrics
from messor.master.state.agent import AgentRecord
from messor.master.state.tables import MasterState
from messor.protos import internal
from messor.runtime.actor import Actor
from messor.runtime.handlers import on
from messor.runtime.host import Host, Timer
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

PREFIX = "slave-observer"
PING = internal.PingSlaveMessage.DESCRIPTOR.full_name
PING_CONNECTED = internal.PingSlaveMessage(connected=True).SerializeToString()
PING_DISCONNECTED = internal.PingSlaveMessage(connected=False).SerializeToString()

ROUNDING = 0.05
"""Seconds a ping may be late, so that a thousand agents do not mean a thousand timers."""

GaveUp = Callable[[str, str], None]
"""Told the agent id and why, when an agent did not answer for too long."""


class Watch:
    """What is known of one agent's answers."""

    __slots__ = ("agent", "due", "is_over", "is_waiting", "missed", "observer", "permit")

    def __init__(self, agent: AgentRecord, observer: Upid) -> None:
        """Start before the first ping."""
        self.agent = agent
        self.observer = observer
        self.due = 0.0
        self.missed = 0
        self.is_waiting = False
        """Whether the last ping is not answered yet."""
        self.is_over = False
        self.permit: Permit | None = None
        """Set while it waits to be given up."""


class Health(Actor):
    """All observers."""

    def __init__(
        self,
        *,
        host: Host,
        state: MasterState,
        metrics: MasterMetrics,
        limit: RemovalLimit,
        ping_timeout: float,
        max_ping_timeouts: int,
    ) -> None:
        """ping_timeout: seconds between pings; max_ping_timeouts: unanswered ones until an agent is given up."""
        super().__init__(PREFIX)
        self.state = state
        self.metrics = metrics
        self.limit = limit
        self.ping_timeout = ping_timeout
        self.max_ping_timeouts = max_ping_timeouts
        self.gave_up: GaveUp | None = None
        """Set by whoever marks agents unreachable."""
        self._watches: dict[str, Watch] = {}
        self._queue: deque[Watch] = deque()
        self._timer: Timer | None = None
        self.bind(host, Upid(PREFIX, host.network.ip, host.network.port))

    # --- from the other components -----------------------------------------------------------------------------------

    def watch(self, agent: AgentRecord) -> None:
        """Ping an agent from now on."""
        self.forget(agent.id)
        name = self.host.directory.numbered(PREFIX)
        self.host.directory.alias(name, self)
        watch = Watch(agent, Upid(name, self.upid.ip, self.upid.port))
        self._watches[agent.id] = watch
        self._ping(watch)

    def forget(self, agent_id: str) -> None:
        """Stop pinging an agent; fine if it is not watched."""
        watch = self._watches.pop(agent_id, None)
        if watch is not None:
            watch.is_over = True
            self.host.directory.unalias(watch.observer.id)
            if watch.permit is not None:
                watch.permit.cancel()

    def stopping(self) -> None:
        """Stop all pings."""
        for agent_id in list(self._watches):
            self.forget(agent_id)
        if self._timer is not None:
            self._timer.cancel()

    # --- from the agents ---------------------------------------------------------------------------------------------

    @on(internal.PongSlaveMessage)
    def answered(self, sender: Upid, message: internal.PongSlaveMessage) -> None:  # noqa: ARG002  (it is empty)
        """Note that an agent is there, and keep it if it was about to be given up."""
        agent = self.state.agents_by_pid.get(sender)
        watch = self._watches.get(agent.id) if agent is not None else None
        if watch is None:
            return
        watch.missed = 0
        watch.is_waiting = False
        if watch.permit is not None:
            log.info("Not giving up agent %s: it answered", watch.agent.id)
            watch.permit.cancel()
            watch.permit = None
            self.metrics.unreachable_canceled.increment()

    # --- time --------------------------------------------------------------------------------------------------------

    def _ping(self, watch: Watch) -> None:
        """Send a ping and come back when the next one is due."""
        watch.due = self.host.clock.monotonic() + self.ping_timeout
        self._queue.append(watch)
        if self._timer is None:
            self._timer = self.host.clock.after(self.ping_timeout, self._turn)
        self._send(watch)

    def _send(self, watch: Watch) -> None:
        agent = watch.agent
        body = PING_CONNECTED if agent.is_connected else PING_DISCONNECTED
        watch.is_waiting = True
        self.host.network.send(watch.observer, agent.pid, PING, body)

    def _turn(self) -> None:
        """Handle every agent whose next ping is due."""
        now = self.host.clock.monotonic()
        queue = self._queue
        try:
            while queue and (queue[0].is_over or queue[0].due <= now + 1e-6):
                watch = queue.popleft()
                if watch.is_over:
                    continue
                watch.due = now + self.ping_timeout
                queue.append(watch)
                self._judge(watch)
                if not watch.is_over:
                    self._send(watch)
        finally:  # whatever one agent made go wrong, the others must be watched on
            self._timer = None
            if queue:
                self._timer = self.host.clock.after(max(queue[0].due - now, ROUNDING), self._turn)

    def _judge(self, watch: Watch) -> None:
        """Count a ping that was not answered."""
        if watch.is_waiting:
            watch.missed += 1
            if watch.missed >= self.max_ping_timeouts and watch.permit is None:
                self._give_up(watch)

    def _give_up(self, watch: Watch) -> None:
        """Let an agent be marked unreachable, as soon as the limit on removals allows; a pong until then saves it."""
        self.metrics.unreachable_scheduled.increment()

        def permitted() -> None:
            watch.permit = None
            self.metrics.unreachable_completed.increment()
            assert self.gave_up is not None
            self.gave_up(watch.agent.id, "health check timed out")

        watch.permit = self.limit.acquire(permitted)
