"""What everybody who looks for the leading master, or wants to be it, relies on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from messor.protos import v0
from messor.wire.zookeeper_nodes import NodeName

if TYPE_CHECKING:
    from messor.runtime.host import Promise


class Detector(Protocol):
    """Tell who leads."""

    async def detect(self, previous: v0.MasterInfo | None = None) -> v0.MasterInfo | None:
        """Wait until the leader differs from previous and give it; None means that nobody leads.

        Call in a loop with the last answer. A MesosError is final: detection cannot go on.
        """
        ...

    def close(self) -> None:
        """Stop detecting; pending detect() calls are cancelled."""
        ...


class Contender(Protocol):
    """Stand for election."""

    async def contend(self) -> Promise[bool]:
        """Become a candidate; the promise is kept when the candidacy is lost. A MesosError is final."""
        ...

    def close(self) -> None:
        """Withdraw."""
        ...


class Group(Protocol):
    """Members that know of each other, numbered in the order they came."""

    async def join(self, data: bytes, label: str) -> NodeName:
        """Become a member, waiting for as long as it takes; raises a MesosError that is final."""
        ...

    def lost(self, member: NodeName) -> Promise[bool]:
        """Promise to tell when a membership of ours ends: True when we cancelled it, False when we lost it."""
        ...

    async def cancel(self, member: NodeName) -> bool:
        """Leave; False when it was no membership of ours any more."""
        ...

    async def data(self, member: NodeName) -> bytes | None:
        """Read what a member announces; None when it is gone."""
        ...

    async def watch(self, previous: frozenset[NodeName]) -> frozenset[NodeName]:
        """Wait until the members differ from previous. Nobody is a member while there is no session."""
        ...

    def close(self) -> None:
        """Give up all memberships and end the session."""
        ...


# --- what a group stands on -------------------------------------------------------------------------------------------


class Node(NamedTuple):
    """What is in a znode."""

    data: bytes
    version: int
    owner: int
    """The session whose end removes it; 0 for a lasting one."""


class Session(Protocol):
    """One ZooKeeper session. Paths are absolute.

    Operations raise ConnectionLost when it is not known whether they happened, NotFound, Conflict (the node exists, is
    not empty, or has another version) and NotAuthorized.
    """

    @property
    def id(self) -> int:
        """0 as long as it was never connected."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds without a connection after which the ensemble expires it; as negotiated once connected."""
        ...

    async def create(self, path: str, data: bytes = b"", *, ephemeral: bool = False, sequence: bool = False) -> str:
        """Make a node in an existing one; gives its path, which with sequence ends in ten digits."""
        ...

    async def get(self, path: str) -> Node:
        """Read a node."""
        ...

    async def set(self, path: str, data: bytes, version: int) -> int:
        """Replace what was read as that version; gives the new version."""
        ...

    async def delete(self, path: str) -> None:
        """Remove a node without children."""
        ...

    async def children(self, path: str, changed: Callable[[], object] | None = None) -> list[str]:
        """List names; changed is called once when they change, or in doubt."""
        ...

    def close(self, *, wait: bool = False) -> None:
        """End it, and with it its ephemeral nodes; wait: give the ensemble a moment to hear of it."""
        ...


class SessionListener(Protocol):
    """Who hears what becomes of a session; called in the loop."""

    def connected(self) -> None:
        """The session has a connection, for the first time or again."""
        ...

    def suspended(self) -> None:
        """The connection is lost; it is being made again."""
        ...

    def expired(self) -> None:
        """The ensemble gave the session up: ephemeral nodes are gone."""
        ...

    def refused(self, why: str) -> None:
        """The ensemble refuses us for good."""
        ...


Connect = Callable[[SessionListener], Session]
"""Opens a session; it connects by itself and tells the listener."""
