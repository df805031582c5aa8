"""A ZooKeeper that lives in memory, for tests and the simulator: the tree, sessions and one-time watches.

Answers come after ``latency`` on the asking host's clock, in order; everything else is at once. It can be stopped and
started, and single sessions can be cut off or expired, as an ensemble may do to its clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from messor.coordination.interfaces import Connect, Node, SessionListener
from messor.errors import Conflict, ConnectionLost, MesosError, NotFound

if TYPE_CHECKING:
    from messor.runtime.host import Host, Promise, Timer

T = TypeVar("T")

LATENCY = 0.001
"""Seconds."""


class Ensemble:
    """The tree that all sessions see."""

    def __init__(self) -> None:
        """Start with an empty root."""
        self.nodes: dict[str, Node] = {"/": Node(b"", 0, 0)}
        self.is_up = True
        self.sessions: dict[int, InMemorySession] = {}
        self._counters: dict[str, int] = {}
        self._watches: dict[str, dict[Callable[[], object], InMemorySession]] = {}
        self._next_session = 1

    def connector(self, host: Host, timeout: float = 10.0) -> Connect:
        """Give what opens sessions for the actors of a host; timeout in seconds."""
        return lambda listener: InMemorySession(self, host, timeout, listener)

    # --- what may happen to it ---------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Become unreachable; the tree is kept, as on the disks of real servers."""
        self.is_up = False
        for session in list(self.sessions.values()):
            session.cut_off()

    def start(self) -> None:
        """Be reachable again; sessions that were not given up meanwhile go on."""
        self.is_up = True
        for session in list(self.sessions.values()):
            session.reconnect()

    def admit(self, session: InMemorySession) -> int:
        """Take a new session; gives its id."""
        number, self._next_session = self._next_session, self._next_session + 1
        self.sessions[number] = session
        return number

    def end(self, number: int) -> None:
        """Forget a session, and with it its ephemeral nodes."""
        self.sessions.pop(number, None)
        for path in [path for path, node in self.nodes.items() if node.owner == number]:
            self.delete(path)

    # --- the tree ----------------------------------------------------------------------------------------------------

    def create(self, path: str, data: bytes, owner: int, *, sequence: bool) -> str:
        """Make a node."""
        parent = path.rpartition("/")[0] or "/"
        if parent not in self.nodes:
            raise NotFound(f"{parent} does not exist")
        if sequence:
            number = self._counters.get(parent, 0)
            self._counters[parent] = number + 1
            path = f"{path}{number:010d}"
        if path in self.nodes:
            raise Conflict(f"{path} exists")
        self.nodes[path] = Node(data, 0, owner)
        self._fire(parent)
        return path

    def get(self, path: str) -> Node:
        """Read a node."""
        node = self.nodes.get(path)
        if node is None:
            raise NotFound(f"{path} does not exist")
        return node

    def set(self, path: str, data: bytes, version: int) -> int:
        """Replace a node's content."""
        node = self.get(path)
        if node.version != version:
            raise Conflict(f"{path} has version {node.version}, not {version}")
        self.nodes[path] = Node(data, version + 1, node.owner)
        return version + 1

    def delete(self, path: str) -> None:
        """Remove a node."""
        self.get(path)
        if self.children(path):
            raise Conflict(f"{path} is not empty")
        del self.nodes[path]
        self._fire(path.rpartition("/")[0] or "/")

    def children(self, path: str) -> list[str]:
        """List the names in a node."""
        self.get(path)
        prefix = path.rstrip("/") + "/"
        return [
            node[len(prefix) :]
            for node in self.nodes
            if node.startswith(prefix) and "/" not in node[len(prefix) :] and node != "/"
        ]

    def watch(self, path: str, session: InMemorySession, changed: Callable[[], object]) -> None:
        """Call once when the children change."""
        self._watches.setdefault(path, {})[changed] = session

    def _fire(self, path: str) -> None:
        for changed, session in self._watches.pop(path, {}).items():
            session.notify(changed)


class InMemorySession:
    """One session with an ensemble in memory."""

    def __init__(self, ensemble: Ensemble, host: Host, timeout: float, listener: SessionListener) -> None:
        """Connect as soon as the ensemble is up."""
        self.id = 0
        self.timeout = timeout
        self._ensemble = ensemble
        self._host = host
        self._listener = listener
        self._is_connected = False
        self._is_over = False
        self._expiry: Timer | None = None
        self._pending: list[Promise[object]] = []
        host.clock.after(LATENCY, self._first_connect)

    def _first_connect(self) -> None:
        if self._is_over:
            return
        self.id = self._ensemble.admit(self)
        self.reconnect()

    # --- what the ensemble does to it --------------------------------------------------------------------------------

    def cut_off(self) -> None:
        """Lose the connection; the ensemble gives the session up after its timeout."""
        if not self._is_connected:
            return
        self._is_connected = False
        for promise in self._pending:
            if not promise.done():
                promise.set_exception(ConnectionLost("the connection to ZooKeeper broke"))
        self._pending.clear()
        self._listener.suspended()

    def reconnect(self) -> None:
        """Have the connection again, if the ensemble is up."""
        if self._ensemble.is_up and not self._is_connected and not self._is_over:
            self._is_connected = True
            self._listener.connected()

    def expire(self) -> None:
        """Be given up by the ensemble."""
        if self._is_over:
            return
        self.cut_off()
        self._finish()
        self._listener.expired()

    def notify(self, changed: Callable[[], object]) -> None:
        """Deliver a watch."""
        if self._is_connected:
            self._host.clock.after(LATENCY, changed)

    # --- operations --------------------------------------------------------------------------------------------------

    async def create(self, path: str, data: bytes = b"", *, ephemeral: bool = False, sequence: bool = False) -> str:
        """Make a node in an existing one."""
        owner = self.id if ephemeral else 0
        return await self._answer(lambda: self._ensemble.create(path, data, owner, sequence=sequence))

    async def get(self, path: str) -> Node:
        """Read a node."""
        return await self._answer(lambda: self._ensemble.get(path))

    async def set(self, path: str, data: bytes, version: int) -> int:
        """Replace what was read as that version."""
        return await self._answer(lambda: self._ensemble.set(path, data, version))

    async def delete(self, path: str) -> None:
        """Remove a node without children."""
        await self._answer(lambda: self._ensemble.delete(path))

    async def children(self, path: str, changed: Callable[[], object] | None = None) -> list[str]:
        """List names and watch them."""

        def listing() -> list[str]:
            names = self._ensemble.children(path)
            if changed is not None:
                self._ensemble.watch(path, self, changed)
            return names

        return await self._answer(listing)

    def close(self, *, wait: bool = False) -> None:  # noqa: ARG002  (the interface's)
        """End it; an ensemble that cannot be reached hears of it by its own timeout."""
        if self._is_over:
            return
        if self._is_connected or not self.id:
            self._finish()
        else:
            self._is_over = True
            self._host.clock.after(self.timeout, self._ensemble.end, self.id)

    def _finish(self) -> None:
        self._is_over = True
        self._is_connected = False
        self._ensemble.end(self.id)

    async def _answer(self, operation: Callable[[], T]) -> T:
        """Do it now and answer a moment later: the answer may get lost, what was done is not."""
        if not self._is_connected:
            raise ConnectionLost("there is no connection to ZooKeeper")
        promise: Promise[object] = self._host.tasks.promise()
        self._pending.append(promise)
        try:
            result: object = operation()
        except MesosError as error:
            result = error
        self._host.clock.after(LATENCY, self._deliver, promise, result)
        answer = await promise
        if isinstance(answer, MesosError):
            raise answer
        return answer  # type: ignore[return-value]  # it is what the operation gave

    def _deliver(self, promise: Promise[object], result: object) -> None:
        if promise in self._pending:
            self._pending.remove(promise)
        if not promise.done():
            promise.set_result(result)
