"""Who leads, in a simulation: an ensemble in memory, and sessions that end as those of real processes do.

A process that dies just stops: the ensemble gives its session up after the timeout, and only then somebody else leads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.coordination.detector import GroupDetector
from messor.coordination.group import SessionGroup
from messor.coordination.in_memory import Ensemble, InMemorySession
from messor.coordination.session import LastingSession

if TYPE_CHECKING:
    from messor.coordination.interfaces import Detector, Group, SessionListener
    from messor.simulation.host import SimulatedHost
    from messor.simulation.world import World

PATH = "/mesos"
SESSION_TIMEOUT = 10.0
"""Seconds; the default of ``--zk_session_timeout``."""


class Election:
    """What masters, agents and drivers know each other by."""

    def __init__(self, world: World) -> None:
        """Start with a healthy ensemble."""
        self.world = world
        self.ensemble = Ensemble()
        self._sessions: dict[SimulatedHost, list[InMemorySession]] = {}
        self._lost: dict[int, None] = {}
        """Ids of sessions without a connection, which the ensemble gives up after the timeout."""

    def group(self, host: SimulatedHost) -> Group:
        """Open a session for a process and look at the masters through it."""
        host.on_death.append(lambda: self._forget(host))

        def connect(listener: SessionListener) -> InMemorySession:
            session = InMemorySession(self.ensemble, host, SESSION_TIMEOUT, listener)
            self._sessions.setdefault(host, []).append(session)
            return session

        return SessionGroup(host, LastingSession(host, connect), PATH)

    def detector(self, host: SimulatedHost) -> Detector:
        """Follow the leading master from a process."""
        return GroupDetector(host, self.group(host))

    def cut_off(self, host: SimulatedHost) -> None:
        """Take a process's connection to the ensemble away; its session is given up after the timeout."""
        self.world.network.fault("cut off from the ensemble", host.name)
        for session in self._sessions.get(host, []):
            session.cut_off()
            self._lose(session)

    def restore(self, host: SimulatedHost) -> None:
        """Give the connection back to those sessions that are still there."""
        self.world.network.fault("sees the ensemble again", host.name)
        for session in self._sessions.get(host, []):
            self._lost.pop(session.id, None)
            if session.id in self.ensemble.sessions:
                session.reconnect()

    def _forget(self, host: SimulatedHost) -> None:
        """Let the sessions of a dead process run out."""
        for session in self._sessions.pop(host, []):
            self._lose(session)

    def _lose(self, session: InMemorySession) -> None:
        if session.id:
            self._lost[session.id] = None
            self.world.loop.call_later(SESSION_TIMEOUT, self._give_up, session.id)

    def _give_up(self, number: int) -> None:
        if number in self._lost:
            del self._lost[number]
            self.ensemble.end(number)
