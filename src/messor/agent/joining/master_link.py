"""Finding the leading master, again and again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.state.lifecycles import AgentState
from messor.errors import MesosError, RemoteProtocolError
from messor.runtime.actor import Component
from messor.wire.upid import parse_upid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from messor.agent.joining.register import Registration
    from messor.agent.outbox import Outbox
    from messor.agent.state.tables import Tables
    from messor.agent.updates.manager import UpdateManager
    from messor.coordination.interfaces import Detector
    from messor.protos import v0
    from messor.runtime.host import Host

log = logging.getLogger(__name__)


class MasterLink(Component):
    """Follows the detector; every new leader, and every doubt about the present one, starts a registration."""

    def __init__(
        self,
        host: Host,
        tables: Tables,
        outbox: Outbox,
        updates: Sequence[UpdateManager],
        registration: Registration,
        detector: Detector,
    ) -> None:
        """Nothing is detected before ``start``."""
        self._host = host
        self._tables = tables
        self._outbox = outbox
        self._updates = updates
        self._registration = registration
        self._detector = detector

    def start(self) -> None:
        """Detect from now on."""
        self._host.tasks.spawn(self._follow(), "detect the master")

    async def _follow(self) -> None:
        leader: v0.MasterInfo | None = None
        while True:
            try:
                leader = await self._detector.detect(leader)
            except MesosError as error:
                self._host.exit(1, f"Failed to detect a master: {error}")
                return
            self.detected(leader)

    def detected(self, leader: v0.MasterInfo | None) -> None:
        """Turn to a leader, or wait when there is none."""
        if self._tables.state is AgentState.TERMINATING:
            return
        self._disconnect()
        self._tables.master = None
        self._tables.master_info = leader
        if leader is None:
            log.info("Lost leading master")
            return
        try:
            self._tables.master = parse_upid(leader.pid)
        except RemoteProtocolError as error:
            log.error("Ignoring a leader with a bad pid: %s", error)
            return
        log.info("New master detected at %s", leader.pid)
        self._registration.begin()

    def lost(self) -> None:
        """Register again when the connection to the master broke: it may have restarted where it was."""
        if self._tables.state is AgentState.RUNNING:
            log.warning("Master disconnected! Registering with whoever leads now")
            self._disconnect()
            self._registration.begin()

    def detect_again(self, why: str) -> None:
        """Doubt the present leader: register with whoever leads now, most likely the same."""
        log.info("%s; detecting the master again", why)
        self.detected(self._tables.master_info)

    def _disconnect(self) -> None:
        if self._tables.state is AgentState.RUNNING:
            self._tables.become(AgentState.DISCONNECTED)
        for manager in self._updates:
            manager.pause()

    def stop(self) -> None:
        """Detect no more."""
        self._detector.close()
