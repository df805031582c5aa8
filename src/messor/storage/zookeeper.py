"""The durable store of several masters: variables as znodes, replaced by compare-and-set.

A znode holds at most a megabyte and a registry of thousands of agents is larger. So the node of a variable holds either
the value or the names of chunks beside it; chunks are written first, then the node that names them is replaced, which
is the moment the value changes; then the old chunks go.

A master that lost leadership cannot write: the new leader wrote when it recovered, so the old one's version is stale.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar

from messor.errors import Conflict, ConnectionLost, MesosError, NotFound, RegistryFailed
from messor.storage.versioned import Variable

T = TypeVar("T")

CHUNK = 512 * 1024
"""Bytes; half of what ZooKeeper takes by default, as names and headers count too."""

INLINE = b"0"
CHUNKED = b"1"
"""The first byte of a variable's node: its value follows, or the names of its chunks, one per line."""


class Node(Protocol):
    """What is in a znode."""

    @property
    def data(self) -> bytes:
        """Its content."""
        ...

    @property
    def version(self) -> int:
        """How often it was replaced."""
        ...


class Session(Protocol):
    """What is used of a ZooKeeper session; raises ConnectionLost, NotFound and Conflict."""

    async def create(self, path: str, data: bytes = b"") -> str:
        """Make a node."""
        ...

    async def get(self, path: str) -> Node:
        """Read a node."""
        ...

    async def set(self, path: str, data: bytes, version: int) -> int:
        """Replace what was read as that version; gives the new version."""
        ...

    async def delete(self, path: str) -> None:
        """Remove a node."""
        ...

    async def children(self, path: str) -> list[str]:
        """List the names in a node."""
        ...


class Sessions(Protocol):
    """Runs operations on whichever session there is, again when its connection broke."""

    def start(self) -> None:
        """Open a session if there is none."""
        ...

    async def run(self, operation: Callable[[Session], Awaitable[T]]) -> T:
        """Do something; it must bear being repeated."""
        ...

    async def make_path(self, path: str) -> None:
        """Make a node and those it is in."""
        ...


class Stored(NamedTuple):
    """A variable's node: its version and what it holds."""

    version: int
    head: bytes

    @property
    def chunks(self) -> list[str]:
        """Give the names of its chunks."""
        return self.head[1:].decode().split("\n") if self.head[:1] == CHUNKED else []


class ZooKeeperStorage:
    """Variables below a path of an ensemble."""

    is_durable = True

    def __init__(self, sessions: Sessions, path: str, unique: Callable[[], str]) -> None:
        """Make the path when something is stored. unique: makes a new name for chunks at every call."""
        self._sessions = sessions
        self._path = path
        self._unique = unique
        self._known: dict[str, Stored] = {}
        """What was last seen in each variable's node."""
        self._swept: set[str] = set()
        """Variables whose leftovers were looked for."""

    async def fetch(self, name: str) -> Variable:
        """Read a variable; raises RegistryFailed."""
        self._sessions.start()
        try:
            while True:
                stored = await self._head(name)
                if stored is None:
                    return Variable(name, b"", 0)
                try:
                    value = await self._value(stored)
                except NotFound:
                    continue  # it was replaced while it was read
                self._known[name] = stored
                return Variable(name, value, stored.version + 1)
        except MesosError as error:
            raise RegistryFailed(f"Failed to read '{self._path}/{name}' from ZooKeeper: {error}") from error

    async def store(self, variable: Variable, value: bytes) -> Variable | None:
        """Replace a variable if its version is still the one that was read; raises RegistryFailed."""
        self._sessions.start()
        path = f"{self._path}/{variable.name}"
        try:
            old = self._known.get(variable.name)
            if variable.version and (old is None or old.version + 1 != variable.version):
                old = await self._head(variable.name)
            head, chunks = await self._write_chunks(variable, value)
            version = await self._replace(path, head, variable.version)
            if version is None:
                await self._remove(chunks)
            else:
                self._known[variable.name] = Stored(version, head)
                await self._remove(old.chunks if old is not None else [])
                await self._sweep(variable)
        except MesosError as error:
            raise RegistryFailed(f"Failed to write '{path}' to ZooKeeper: {error}") from error
        return None if version is None else Variable(variable.name, value, version + 1)

    def close(self) -> None:
        """Do nothing: the session belongs to whoever stands for election with it."""

    # --- steps -------------------------------------------------------------------------------------------------------

    async def _head(self, name: str) -> Stored | None:
        try:
            node = await self._sessions.run(lambda session: session.get(f"{self._path}/{name}"))
        except NotFound:
            return None
        return Stored(node.version, node.data)

    async def _value(self, stored: Stored) -> bytes:
        if stored.head[:1] == INLINE:
            return stored.head[1:]
        if stored.head[:1] != CHUNKED:
            raise RegistryFailed("it was not written by this version of Messor")
        pieces = [await self._sessions.run(_getting(f"{self._path}/{name}")) for name in stored.chunks]
        return b"".join(pieces)

    async def _write_chunks(self, variable: Variable, value: bytes) -> tuple[bytes, list[str]]:
        """Write what does not fit into the variable's own node; gives that node's content and the chunks' names."""
        if len(value) < CHUNK:
            return INLINE + value, []
        unique = self._unique()
        names = []
        for number, start in enumerate(range(0, len(value), CHUNK)):
            chunk = f"{variable.name}-{variable.version}-{unique}-{number}"
            names.append(chunk)
            await self._sessions.make_path(self._path)
            await self._sessions.run(_making(f"{self._path}/{chunk}", value[start : start + CHUNK]))
        return CHUNKED + "\n".join(names).encode(), names

    async def _replace(self, path: str, head: bytes, version: int) -> int | None:
        """Make the value change, or not when somebody else changed it; gives the node's new version."""
        in_doubt = False

        async def attempt(session: Session) -> int | None:
            nonlocal in_doubt
            try:
                if version == 0:
                    await session.create(path, head)
                    return 0
                return await session.set(path, head, version - 1)
            except Conflict:
                # Our own write may have worked although its answer got lost.
                node = await session.get(path) if in_doubt else None
                return version if node is not None and node.version == version and node.data == head else None
            except ConnectionLost:
                in_doubt = True
                raise

        if version == 0:
            await self._sessions.make_path(self._path)
        return await self._sessions.run(attempt)

    async def _sweep(self, variable: Variable) -> None:
        """Remove, once, what masters left that ended between writing chunks and naming them, or removing them.

        Whoever wrote such a chunk wanted to replace the version that we have just replaced, or an older one, and cannot
        any more. Chunks for a later version are somebody's who leads after us.
        """
        if variable.name in self._swept:
            return
        self._swept.add(variable.name)
        names = await self._sessions.run(lambda session: session.children(self._path))
        current = self._known[variable.name].chunks
        await self._remove([name for name in names if name not in current and _replaced(variable, name)])

    async def _remove(self, names: list[str]) -> None:
        for name in names:
            try:
                await self._sessions.run(_deleting(f"{self._path}/{name}"))
            except NotFound:
                continue


def _replaced(variable: Variable, child: str) -> bool:
    """Tell a chunk of somebody who meant to replace the version that we replaced, or an older one."""
    prefix = f"{variable.name}-"
    version = child.removeprefix(prefix).partition("-")[0]
    return child.startswith(prefix) and version.isdigit() and int(version) <= variable.version


def _getting(path: str) -> Callable[[Session], Awaitable[bytes]]:
    async def get(session: Session) -> bytes:
        return (await session.get(path)).data

    return get


def _making(path: str, data: bytes) -> Callable[[Session], Awaitable[None]]:
    async def make(session: Session) -> None:
        try:
            await session.create(path, data)
        except Conflict:
            return  # a first attempt whose answer got lost: the name is nobody else's

    return make


def _deleting(path: str) -> Callable[[Session], Awaitable[None]]:
    return lambda session: session.delete(path)
