"""A ZooKeeper session that is always there: opened again when it expires, and expired by us when we cannot know.

A client that cannot reach the ensemble does not hear that its session expired. Whoever leads must then assume the
worst in time, so after the negotiated timeout without a connection the session is given up here too (H15).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from messor.coordination.interfaces import Connect, Session
from messor.errors import Conflict, ConnectionLost, MesosError, NotAuthenticated, NotFound

if TYPE_CHECKING:
    from messor.runtime.host import Host, Promise, Timer

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_RETRY = 0.1
LONGEST_RETRY = 2.0
"""Seconds between attempts of an operation whose connection broke."""


class LastingSession:
    """Keeps a session open and runs operations on whichever there is."""

    def __init__(self, host: Host, connect: Connect) -> None:
        """Open nothing before ``start``."""
        self._host = host
        self._connect = connect
        self._session: Session | None = None
        self._current: _Events | None = None
        self._is_connected = False
        self._is_closed = False
        self._refusal: MesosError | None = None
        self._timer: Timer | None = None
        """Gives the session up when it was without a connection for too long."""
        self._reminder: Timer | None = None
        """Says that there is no connection yet."""
        self._waiting: list[Promise[None]] = []
        self.on_connected: list[Callable[[], object]] = []
        """Called whenever there is a connection again."""
        self.on_expired: list[Callable[[], object]] = []
        """Called when the session is over, before another one is opened."""
        self.on_refused: list[Callable[[MesosError], object]] = []
        """Called when there will never be a session."""

    @property
    def id(self) -> int:
        """The present session's id; 0 while there is none."""
        return self._session.id if self._session is not None else 0

    def start(self) -> None:
        """Open a session; harmless when there is one."""
        if self._session is None and not self._is_closed:
            self._open()

    def close(self) -> None:
        """End the session, and let the ensemble know if that is quick."""
        self._is_closed = True
        self._stop_timers()
        if self._session is not None:
            session, self._session, self._current = self._session, None, None
            session.close(wait=self._is_connected)
        for promise in self._waiting:
            promise.cancel()
        self._waiting.clear()

    # --- operations --------------------------------------------------------------------------------------------------

    async def run(self, operation: Callable[[Session], Awaitable[T]]) -> T:
        """Do something with the session as soon as there is a connection, and again when that broke meanwhile.

        The operation must bear being repeated: a broken connection does not tell whether the first attempt worked.
        """
        pause = FIRST_RETRY
        while True:
            session = await self._connected()
            try:
                return await operation(session)
            except ConnectionLost as error:
                if self._is_closed:
                    raise
                log.info("Trying again: %s", error)
            await self._host.tasks.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY)

    async def make_path(self, path: str) -> None:
        """Make a node and those it is in, where they do not exist; raises NotAuthorized."""
        await self.run(lambda session: _make_path(session, path))

    async def _connected(self) -> Session:
        """Wait for a connection; raises what makes that hopeless."""
        while True:
            if self._refusal is not None:
                raise self._refusal
            if self._is_closed:
                raise ConnectionLost("the ZooKeeper session was closed")
            if self._session is not None and self._is_connected:
                return self._session
            promise: Promise[None] = self._host.tasks.promise()
            self._waiting.append(promise)
            await promise

    # --- what becomes of the session ---------------------------------------------------------------------------------

    def _open(self) -> None:
        self._is_connected = False
        self._current = _Events(self)
        self._session = self._connect(self._current)
        self._remind_later()

    def _remind_later(self) -> None:
        if self._session is not None:
            self._reminder = self._host.clock.after(self._session.timeout, self._remind)

    def _remind(self) -> None:
        """Say what would look like a program that hangs: a wrong name, a firewall, an ensemble that is down."""
        log.warning("No connection to ZooKeeper yet; still trying")
        self._remind_later()

    def connected(self) -> None:
        """Go on; operations that waited are run."""
        self._stop_timers()
        self._is_connected = True
        assert self._session is not None
        log.info("Connected to ZooKeeper (sessionId=%x)", self._session.id)
        self._wake()
        for call in self.on_connected:
            call()

    def suspended(self) -> None:
        """Count down to giving the session up."""
        self._is_connected = False
        if self._timer is None and self._session is not None:
            log.warning("Lost connection to ZooKeeper, attempting to reconnect ...")
            self._timer = self._host.clock.after(self._session.timeout, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        log.warning(
            "Timed out waiting to connect to ZooKeeper. Forcing ZooKeeper session (sessionId=%x) expiration", self.id
        )
        self.expired()

    def expired(self) -> None:
        """Tell everybody and open another session."""
        if self._session is None or self._is_closed:
            return
        log.info("ZooKeeper session expired")
        self._stop_timers()
        session, self._session, self._current = self._session, None, None
        self._is_connected = False
        session.close()
        for call in self.on_expired:
            call()
        if not self._is_closed:
            self._open()

    def refused(self, why: str) -> None:
        """Give up for good."""
        self._refusal = NotAuthenticated(f"Failed to authenticate with ZooKeeper: {why}")
        self._wake()
        for call in self.on_refused:
            call(self._refusal)

    def is_current(self, events: _Events) -> bool:
        """Whether it is the present session that speaks, not one that was given up."""
        return self._current is events

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for promise in waiting:
            if not promise.done():
                promise.set_result(None)

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._reminder):
            if timer is not None:
                timer.cancel()
        self._timer = self._reminder = None


class _Events:
    """Passes on what becomes of one session, as long as it is the present one."""

    def __init__(self, owner: LastingSession) -> None:
        self._owner = owner

    def connected(self) -> None:
        if self._owner.is_current(self):
            self._owner.connected()

    def suspended(self) -> None:
        if self._owner.is_current(self):
            self._owner.suspended()

    def expired(self) -> None:
        if self._owner.is_current(self):
            self._owner.expired()

    def refused(self, why: str) -> None:
        if self._owner.is_current(self):
            self._owner.refused(why)


async def _make_path(session: Session, path: str) -> None:
    """Make a node and its parents. Looked for first: who may not create in a parent may still find the child there."""
    try:
        await session.get(path)
    except NotFound:
        parent = path.rpartition("/")[0]
        if parent:
            await _make_path(session, parent)
        try:
            await session.create(path)
        except Conflict:
            log.debug("Somebody else made %s first", path)
