"""Which agents are offered at all: ``--whitelist``, a file of host names that may change at any time."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.errors import DiskFailed, NotFound
from messor.runtime.host import Host, Timer

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""Y1."""

EVERYBODY = "*"
"""What old configurations write instead of leaving the flag out."""


class Whitelist:
    """Reads the file now and then and tells the allocator what changed."""

    def __init__(self, *, host: Host, allocator: Allocator, path: str | None) -> None:
        """path: the file, as ``/path`` or ``file:///path``; None to offer all agents."""
        self.host = host
        self.allocator = allocator
        self.path = path.removeprefix("file://") if path not in (None, EVERYBODY) else None
        self._known: frozenset[str] | None = None
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Read the file and come back."""
        if self.path is not None:
            self._read(self.path)
            self._timer = self.host.clock.after(POLL_SECONDS, self.begin)

    def stop(self) -> None:
        """Read no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _read(self, path: str) -> None:
        try:
            text = self.host.disk.read(path).decode(errors="replace")
        except (DiskFailed, NotFound) as error:
            log.error("Error reading whitelist file: %s. Retrying", error)
            return
        hostnames = frozenset(line for line in text.split("\n") if line)
        if hostnames != self._known:
            self._known = hostnames
            log.info("Only %d agents are offered, as %s says", len(hostnames), path)
            self.allocator.update_whitelist(sorted(hostnames))
