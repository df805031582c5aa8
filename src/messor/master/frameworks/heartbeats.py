"""Heartbeats of HTTP frameworks: every --heartbeat_interval each, one timer for all of them."""

from __future__ import annotations

from collections import deque

from messor.master.flags import MasterFlags
from messor.master.outbox import Outbox
from messor.master.state.framework import HttpStream
from messor.runtime.actor import Component
from messor.runtime.host import Host, Timer


class Heartbeats(Component):
    """Keeps streams from looking dead.

    All wait equally long, so the next one due is always the first of a queue; one timer waits for that one. A closed
    stream leaves the queue when its turn comes.
    """

    def __init__(self, *, host: Host, outbox: Outbox, flags: MasterFlags) -> None:
        """Start with no stream."""
        self.clock = host.clock
        self.outbox = outbox
        self.interval: float = flags.heartbeat_interval
        self._due: deque[tuple[float, HttpStream]] = deque()
        self._timer: Timer | None = None

    def begin(self, stream: HttpStream) -> None:
        """Send the first heartbeat now and go on until the stream closes."""
        self.outbox.heartbeat(stream)
        self._due.append((self.clock.monotonic() + self.interval, stream))
        self._wait()

    def stop(self) -> None:
        """End; nothing is sent afterwards."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        if self._timer is None and self._due:
            self._timer = self.clock.after(max(0.0, self._due[0][0] - self.clock.monotonic()), self._beat)

    def _beat(self) -> None:
        self._timer = None
        now = self.clock.monotonic()
        while self._due and self._due[0][0] <= now:
            _, stream = self._due.popleft()
            if stream.pipe.is_open:
                self.outbox.heartbeat(stream)
                self._due.append((now + self.interval, stream))
        self._wait()
