"""Sessions with a real ensemble: kazoo's threads on one side, the host's loop on the other.

The only place that knows kazoo, which is imported when the first session is opened: most programs never need it. Every
session here is one kazoo client; a client that lost its session is thrown away, ``session.LastingSession`` opens the
next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from messor.coordination.interfaces import Connect, Node, SessionListener
from messor.coordination.urls import ZooKeeperUrl
from messor.errors import Conflict, ConnectionLost, MesosError, NotAuthorized, NotFound

if TYPE_CHECKING:
    from messor.runtime.host import Host, Promise

log = logging.getLogger(__name__)

quiet_log = log.getChild("kazoo")
quiet_log.setLevel(logging.ERROR)
"""Kazoo tells of every attempt to connect; ``session`` says all that matters of it."""

LONGEST_RECONNECT = 1.0
"""Seconds between attempts to connect: an ensemble that restarts must not wait for its clients."""

FAREWELL_SECONDS = 0.3
"""How long the end of a process waits for the ensemble to hear that its nodes may go."""


def connector(host: Host, url: ZooKeeperUrl, timeout: float) -> Connect:
    """Give what opens sessions with the ensemble of a URL; timeout in seconds, to be negotiated."""
    return lambda listener: KazooSession(host, url, timeout, listener)


class KazooSession:
    """One session with an ensemble."""

    def __init__(self, host: Host, url: ZooKeeperUrl, timeout: float, listener: SessionListener) -> None:
        """Begin connecting."""
        from kazoo.client import KazooClient
        from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

        self._host = host
        self._listener = listener
        self._is_closed = False
        self._requested = timeout
        credentials = [("digest", url.authentication)] if url.authentication else []
        self._client = KazooClient(
            hosts=url.servers,
            timeout=timeout,
            auth_data=credentials,
            logger=quiet_log,
            default_acl=[*CREATOR_ALL_ACL, *READ_ACL_UNSAFE] if credentials else OPEN_ACL_UNSAFE,
            connection_retry={"max_tries": -1, "delay": 0.1, "backoff": 2, "max_delay": LONGEST_RECONNECT},
        )
        self._negotiated = _remember_timeout(self._client)
        self._client.add_listener(self._state_changed)
        self._client.start_async()

    @property
    def id(self) -> int:
        """0 as long as it was never connected."""
        return int(self._client._session_id or 0)  # its client_id is None while there is no connection

    @property
    def timeout(self) -> float:
        """Seconds without a connection after which the ensemble expires it; as negotiated once connected."""
        return self._negotiated[-1] if self._negotiated else self._requested

    def close(self, *, wait: bool = False) -> None:
        """End it, and with it its ephemeral nodes; wait: give the ensemble a moment to hear of it."""
        if self._is_closed:
            return
        self._is_closed = True
        thread = self._client.handler.spawn(self._stop)
        if wait:
            thread.join(FAREWELL_SECONDS)

    def _stop(self) -> None:
        """Run in a thread: kazoo waits for the ensemble's answer."""
        try:
            self._client.stop()
            self._client.close()
        except Exception as error:
            log.info("Closing a ZooKeeper session: %s", error)

    # --- what kazoo tells, in threads of its own ---------------------------------------------------------------------

    def _state_changed(self, state: str) -> None:
        from kazoo.protocol.states import KazooState, KeeperState

        if self._is_closed:
            return
        if state == KazooState.CONNECTED:
            self._post(self._listener.connected)
        elif state == KazooState.SUSPENDED:
            self._post(self._listener.suspended)
        elif self._client._state == KeeperState.AUTH_FAILED:
            self._post(self._listener.refused, "the credentials were refused")
        else:
            self._post(self._listener.expired)

    def _post(self, call: Callable[..., object], *arguments: object) -> None:
        """Have something done in the loop; a loop that ended needs to know nothing any more."""
        try:
            self._host.call(call, *arguments)
        except RuntimeError:
            log.debug("The loop ended before ZooKeeper's answer came")

    # --- operations --------------------------------------------------------------------------------------------------

    async def create(self, path: str, data: bytes = b"", *, ephemeral: bool = False, sequence: bool = False) -> str:
        """Make a node in an existing one; gives its path, which with sequence ends in ten digits."""
        made: str = await self._ask(self._client.create_async, path, data, None, ephemeral, sequence)
        return made

    async def get(self, path: str) -> Node:
        """Read a node."""
        data, stat = await self._ask(self._client.get_async, path)
        return Node(data or b"", stat.version, stat.ephemeralOwner)

    async def set(self, path: str, data: bytes, version: int) -> int:
        """Replace what was read as that version; gives the new version."""
        return int((await self._ask(self._client.set_async, path, data, version)).version)

    async def delete(self, path: str) -> None:
        """Remove a node without children."""
        await self._ask(self._client.delete_async, path)

    async def children(self, path: str, changed: Callable[[], object] | None = None) -> list[str]:
        """List names; changed is called once when they change, or in doubt."""
        watch = None if changed is None else _Watch(self, changed)
        return list(await self._ask(self._client.get_children_async, path, watch))

    async def _ask(self, operation: Callable[..., Any], *arguments: object) -> Any:
        """Have kazoo do something and wait for its answer, in our words."""
        from kazoo.exceptions import KazooException

        if self._is_closed:
            raise ConnectionLost("the ZooKeeper session was closed")
        promise: Promise[Any] = self._host.tasks.promise()
        try:
            operation(*arguments).rawlink(lambda answer: self._post(_supply, promise, answer))
            answer = await promise
            return answer.get(block=False)
        except KazooException as error:
            raise _translated(error, str(arguments[0])) from error


class _Watch:
    """A one-time watch. Equal ones are one: listing again before it fired must not make it fire twice."""

    def __init__(self, session: KazooSession, changed: Callable[[], object]) -> None:
        self._session = session
        self._changed = changed

    def __call__(self, event: object) -> None:
        del event
        self._session._post(self._changed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Watch) and other._changed == self._changed

    def __hash__(self) -> int:
        return hash(self._changed)


def _supply(promise: Promise[Any], answer: Any) -> None:
    if not promise.done():
        promise.set_result(answer)


def _translated(error: Exception, path: str) -> MesosError:
    """Say in our words what went wrong; what is not listed may be tried again on another connection or session."""
    from kazoo import exceptions as theirs

    name = type(error).__name__
    if isinstance(error, theirs.NoNodeError):
        return NotFound(f"{path} does not exist")
    if isinstance(error, (theirs.NodeExistsError, theirs.BadVersionError, theirs.NotEmptyError)):
        return Conflict(f"{path}: {name}")
    if isinstance(error, (theirs.NoAuthError, theirs.InvalidACLError, theirs.AuthFailedError)):
        return NotAuthorized(f"ZooKeeper does not let us use '{path}': {name}")
    return ConnectionLost(f"ZooKeeper failed at '{path}': {name} {error}".rstrip())


def _remember_timeout(client: Any) -> list[float]:
    """Note the session timeout that servers grant, in seconds: kazoo uses it but keeps it to itself."""
    granted: list[float] = []
    connection = client._connection
    connect = connection._connect

    def remembering(*arguments: Any) -> Any:
        read_timeout, connect_timeout = connect(*arguments)
        granted[:] = [read_timeout * 1.5 / 1000.0]  # kazoo reads for two thirds of it, in milliseconds
        return read_timeout, connect_timeout

    connection._connect = remembering
    return granted
