"""A group of members kept in ZooKeeper: ephemeral sequential children of one node (H14, H15)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.coordination.interfaces import Session
from messor.coordination.session import LastingSession
from messor.errors import ConnectionLost, MesosError, NotFound
from messor.wire.zookeeper_nodes import NodeName, parse_node_name

if TYPE_CHECKING:
    from messor.runtime.host import Host, Promise, Running

log = logging.getLogger(__name__)

Members = frozenset[NodeName]

NOBODY: Members = frozenset()


class SessionGroup:
    """The members below one path, and those of them that are ours."""

    def __init__(self, host: Host, session: LastingSession, path: str) -> None:
        """Take a session, shared with others or not; the path is made, parents included, when somebody joins."""
        self._host = host
        self._session = session
        self._path = path
        self._members: Members = NOBODY
        self._owned: dict[NodeName, Promise[bool]] = {}
        self._watching: list[tuple[Members, Promise[Members]]] = []
        self._failure: MesosError | None = None
        self._following: Running | None = None
        self._poke: Promise[None] | None = None
        self._sessions_seen = 0
        session.on_connected.append(self._look_again)
        session.on_expired.append(self._expired)
        session.on_refused.append(self._fail)

    # --- ours --------------------------------------------------------------------------------------------------------

    async def join(self, data: bytes, label: str) -> NodeName:
        """Become a member, waiting for as long as it takes; raises a MesosError that is final."""
        self._begin()
        await self._session.make_path(self._path)
        prefix = f"{self._path}/{label}_" if label else f"{self._path}/"
        in_doubt = False

        async def attempt(session: Session) -> str:
            nonlocal in_doubt
            if in_doubt and (name := await self._find(session, data, label)) is not None:
                return name
            try:
                return await session.create(prefix, data, ephemeral=True, sequence=True)
            except ConnectionLost:
                in_doubt = True
                raise

        member = parse_node_name((await self._session.run(attempt)).rpartition("/")[2])
        assert member is not None
        log.info("Joined group %s as %s", self._path, member)
        self._owned[member] = self._host.tasks.promise()
        self._look_again()
        return member

    async def _find(self, session: Session, data: bytes, label: str) -> str | None:
        """Find the node that an attempt made whose answer got lost; otherwise one master would stand twice."""
        for child in await session.children(self._path):
            name = parse_node_name(child)
            if name is None or name.label != label or name in self._owned:
                continue
            try:
                node = await session.get(f"{self._path}/{child}")
            except NotFound:
                continue
            if node.owner == session.id and node.data == data:
                return child
        return None

    def lost(self, member: NodeName) -> Promise[bool]:
        """Promise to tell when a membership of ours ends: True when we cancelled it, False when we lost it."""
        promise = self._owned.get(member)
        if promise is None:
            promise = self._host.tasks.promise()
            promise.set_result(False)
        return promise

    async def cancel(self, member: NodeName) -> bool:
        """Leave; False when it was no membership of ours any more."""
        promise = self._owned.pop(member, None)
        if promise is None:
            return False
        try:
            await self._session.run(lambda session: session.delete(f"{self._path}/{member}"))
        except NotFound:
            log.info("%s was gone from group %s already", member, self._path)
        if not promise.done():
            promise.set_result(True)
        return True

    # --- everybody ---------------------------------------------------------------------------------------------------

    async def data(self, member: NodeName) -> bytes | None:
        """Read what a member announces; None when it is gone."""
        self._begin()
        try:
            return (await self._session.run(lambda session: session.get(f"{self._path}/{member}"))).data
        except NotFound:
            return None

    async def watch(self, previous: Members) -> Members:
        """Wait until the members differ from previous. Nobody is a member while there is no session."""
        if self._failure is not None:
            raise self._failure
        self._begin()
        if self._members != previous:
            return self._members
        promise: Promise[Members] = self._host.tasks.promise()
        self._watching.append((previous, promise))
        return await promise

    def close(self) -> None:
        """Give up all memberships and end the session."""
        if self._following is not None:
            self._following.cancel()
        self._session.close()
        for _, promise in self._watching:
            promise.cancel()
        self._watching.clear()

    # --- following the members ---------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._following is None:
            self._session.start()
            self._following = self._host.tasks.spawn(self._follow(), f"follow the group {self._path}")

    async def _follow(self) -> None:
        """List the members whenever they change, or whenever the connection is new."""
        try:
            while True:
                self._poke = self._host.tasks.promise()
                poke, sessions = self._poke, self._sessions_seen
                names = await self._session.run(self._list)
                if sessions == self._sessions_seen:
                    self._listed(names)
                await poke
        except ConnectionLost:
            return  # closed
        except MesosError as error:
            self._fail(error)

    async def _list(self, session: Session) -> list[str]:
        try:
            return await session.children(self._path, self._look_again)
        except NotFound:
            # Watching needs the node; masters that come will find it there.
            await self._session.make_path(self._path)
            return await session.children(self._path, self._look_again)

    def _look_again(self) -> None:
        if self._poke is not None and not self._poke.done():
            self._poke.set_result(None)

    def _listed(self, names: list[str]) -> None:
        members = frozenset(name for child in names if (name := parse_node_name(child)) is not None)
        for member in [owned for owned in self._owned if owned not in members]:
            log.warning("Membership %s in group %s was taken away", member, self._path)
            self._lose(member)
        self._change(members)

    def _expired(self) -> None:
        """Nothing of ours is left, and of others nothing is known."""
        self._sessions_seen += 1
        for member in list(self._owned):
            log.info("Membership cancelled: %d", member.sequence)
            self._lose(member)
        self._change(NOBODY)

    def _lose(self, member: NodeName) -> None:
        promise = self._owned.pop(member)
        if not promise.done():
            promise.set_result(False)

    def _change(self, members: Members) -> None:
        self._members = members
        still = []
        for previous, promise in self._watching:
            if promise.done():
                continue
            if previous != members:
                promise.set_result(members)
            else:
                still.append((previous, promise))
        self._watching = still

    def _fail(self, error: MesosError) -> None:
        """Nobody will ever hear of members again."""
        log.error("Group %s failed: %s", self._path, error)
        self._failure = error
        for _, promise in self._watching:
            if not promise.done():
                promise.set_exception(error)
        self._watching.clear()
