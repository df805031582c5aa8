"""The master's pings: answered at once, missed when they stop (H3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.agent.state.lifecycles import AgentState
from messor.model.durations import duration_text
from messor.protos import internal
from messor.runtime.actor import Component
from messor.runtime.handlers import on

if TYPE_CHECKING:
    from messor.agent.joining.master_link import MasterLink
    from messor.agent.outbox import Outbox
    from messor.agent.state.tables import Tables
    from messor.runtime.host import Host, Timer
    from messor.wire.upid import Upid

DEFAULT_SILENCE = 75.0
"""Seconds without a ping after which the agent looks for a master again; masters may say otherwise."""


class Pings(Component):
    """Notices a master that went away or thinks that we did."""

    def __init__(self, host: Host, tables: Tables, outbox: Outbox) -> None:
        """The link is set by ``agent.py``: it needs the registration, which needs us."""
        self._host = host
        self._tables = tables
        self._outbox = outbox
        self.link: MasterLink | None = None
        self._silence = DEFAULT_SILENCE
        self._timer: Timer | None = None
        self._last = 0.0

    @on(internal.PingSlaveMessage)
    def pinged(self, sender: Upid, message: internal.PingSlaveMessage) -> None:
        """Answer; register again when the master lost track of us although we think we are registered."""
        if self._timer is not None and self._host.clock.monotonic() - self._last > self._silence:
            # This process was stopped: pings that waited in its socket are old news, the master may have given us up.
            self._timer.cancel()
            self._check()
        elif not message.connected and self._tables.state is AgentState.RUNNING and self.link is not None:
            self.link.detect_again("The master marked this agent as disconnected")
        self._heard()
        self._outbox.to_pid(sender, internal.PongSlaveMessage())

    def connected(self, silence: float | None) -> None:
        """Expect pings, at least one in that many seconds."""
        if silence is not None:
            self._silence = silence
        self.stop()
        self._heard()

    def stop(self) -> None:
        """Expect no more pings."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _heard(self) -> None:
        """Note the time; the timer looks at it when it fires, instead of being replaced at every ping."""
        self._last = self._host.clock.monotonic()
        if self._timer is None:
            self._timer = self._host.clock.after(self._silence, self._check)

    def _check(self) -> None:
        self._timer = None
        remaining = self._last + self._silence - self._host.clock.monotonic()
        if remaining > 0:
            self._timer = self._host.clock.after(remaining, self._check)
        elif self.link is not None:
            self.link.detect_again(f"No pings from master received within {duration_text(self._silence)}")
