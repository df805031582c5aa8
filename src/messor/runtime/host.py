"""Host: all that an actor may use of the world.

``runtime.node`` implements these ports on asyncio, sockets and disks; ``simulation.host`` on virtual time and a seeded
network. Nothing above ``runtime`` imports asyncio, time, random, uuid, socket or subprocess.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from messor.runtime.metrics import Metrics
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.directory import Directory

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Forget the call; harmless when it already happened."""
        ...


class Clock(Protocol):
    """Time. All durations are float seconds."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> Timer:
        """Call once, that many seconds from now (0: as soon as what runs now is done, in order)."""
        ...


class Promise(Protocol[T]):
    """A value that somebody will supply: what ``asyncio.Future`` is, under a name that needs no asyncio."""

    def set_result(self, value: T, /) -> None:
        """Supply the value and wake those who wait."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """Fail those who wait."""
        ...

    def done(self) -> bool:
        """Whether it was supplied, failed or cancelled."""
        ...

    def cancel(self) -> bool:
        """Give up waiting."""
        ...

    def result(self) -> T:
        """Give the value; raises if failed or not done."""
        ...

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the value."""
        ...


class Running(Protocol):
    """A coroutine that runs in the background."""

    def cancel(self) -> bool:
        """Stop it at its next await."""
        ...

    def done(self) -> bool:
        """Whether it ended."""
        ...


class Tasks(Protocol):
    """Concurrency. A spawned coroutine that raises is logged with its name and counted; it never vanishes silently."""

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str = "") -> Running:
        """Run in the background until done; all are cancelled when the host stops."""
        ...

    def promise(self) -> Promise[Any]:
        """Make an unsupplied value."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def all(self, awaitables: Iterable[Awaitable[T]]) -> list[T]:
        """Wait for all; the first exception is raised after all ended."""
        ...

    async def within(self, seconds: float, awaitable: Awaitable[T]) -> T:
        """Wait at most that long; raises TimeoutError."""
        ...

    async def blocking(self, call: Callable[..., T], *arguments: object) -> T:
        """Run a call that blocks (removing a tree, fetching a file) off the loop; at once when simulated."""
        ...


class Reply:
    """A complete HTTP reply. Header names are lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Hold what arrived."""
        self.status = status
        self.headers = headers
        self.body = body


class ReplyStream(Protocol):
    """A reply whose body is still arriving. Header names are lower case."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over body bytes as read from the socket; ends at the body's end, raises ConnectionLost on a break."""
        ...

    def close(self) -> None:
        """Close the connection under it."""
        ...


class HttpConnection(Protocol):
    """One client connection, opened on first use; requests are pipelined and answered in order."""

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send and wait for the whole reply; raises ConnectionLost when it cannot be had."""
        ...

    async def stream(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> ReplyStream:
        """Send and wait for the reply's head; nothing else may be sent on this connection afterwards."""
        ...

    def close(self) -> None:
        """Close; pending requests fail with ConnectionLost."""
        ...


class Network(Protocol):
    """Messages to actors, and HTTP to anybody."""

    ip: str
    port: int
    """What goes into our UPIDs (the advertised address)."""

    def send(self, sender: Upid, receiver: Upid, name: str, body: bytes) -> None:
        """Send one libprocess message, at most once, in order per (sender's process, receiver's process)."""
        ...

    def link(self, sender: Upid, peer: Upid, *, reconnect: bool = False) -> None:
        """Keep a connection to peer's process; its end calls the sending actor's ``exited(peer)`` once.

        reconnect: replace the socket without an exited event (protocols a.4).
        """
        ...

    def unlink(self, sender: Upid, peer: Upid) -> None:
        """Stop being told; used when an actor no longer cares."""
        ...

    def resolve(self, host: str) -> str:
        """Turn a host name into IPv4 text (addresses stay as they are); raises ConfigurationError when unknown."""
        ...

    def http(self, host: str, port: int) -> HttpConnection:
        """Make a client connection (nothing is opened yet)."""
        ...


class Chance(Protocol):
    """Randomness; seeded when simulated."""

    random: random.Random

    def uuid(self) -> str:
        """Make a random (version 4) UUID in text form."""
        ...

    def uuid_bytes(self) -> bytes:
        """Make a random (version 4) UUID as 16 bytes."""
        ...


class Disk(Protocol):
    """Files, by absolute path. Raises DiskFailed where it cannot do what was asked, NotFound when nothing is there."""

    def read(self, path: str) -> bytes:
        """Read a whole file."""
        ...

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Read part of a file; shorter at its end."""
        ...

    def write(self, path: str, data: bytes, *, sync: bool = True) -> None:
        """Write to a temporary file beside it, fsync if asked, rename; makes missing folders."""
        ...

    def append(self, path: str, data: bytes, *, sync: bool = False) -> None:
        """Add to the end with one write; makes the file and missing folders."""
        ...

    def truncate(self, path: str, size: int) -> None:
        """Cut a file to size bytes."""
        ...

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        """Make a folder and its parents; fine if it exists."""
        ...

    def exists(self, path: str) -> bool:
        """Whether anything is there (a dangling link counts as nothing)."""
        ...

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there, links followed."""
        ...

    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted; empty when it does not exist."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, a link or a whole tree; fine if it is not there."""
        ...

    def link(self, target: str, path: str) -> None:
        """Make path a symbolic link to target, replacing what was there, atomically."""
        ...

    def read_link(self, path: str) -> str | None:
        """Where a symbolic link points; None when it is none."""
        ...

    def modified(self, path: str) -> float:
        """Time of last change, seconds since the epoch."""
        ...

    def size(self, path: str) -> int:
        """Length of a file in bytes."""
        ...

    def lock(self, path: str) -> bool:
        """Take an exclusive lock for this process's lifetime; False when another process holds it."""
        ...


class Process(Protocol):
    """A child process."""

    pid: int

    async def wait(self) -> int:
        """Wait for its end; gives the raw wait(2) status word."""
        ...

    def kill(self, signal: int, *, group: bool = False) -> None:
        """Send a signal to it, or to its whole process group; fine when it is gone."""
        ...


class Processes(Protocol):
    """Child processes."""

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: str | None = None,
        stdin: int | None = None,
        stdout: int | str | None = None,
        stderr: int | str | None = None,
        new_session: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> Process:
        """Start a program with exactly this environment; a str for stdout/stderr is a file to append to.

        Raises DiskFailed when the program or folder does not exist.
        """
        ...


class Host(Protocol):
    """What an actor may use, and all it may use."""

    clock: Clock
    network: Network
    chance: Chance
    tasks: Tasks
    disk: Disk
    processes: Processes
    metrics: Metrics
    directory: Directory
    """The actors of this process: to spawn more, or to answer under more names."""

    @property
    def hostname(self) -> str:
        """The name this host goes by, as other machines know it."""
        ...

    def call(self, call: Callable[..., object], *arguments: object) -> None:
        """Call in the loop, from any thread; raises RuntimeError when the loop ended."""
        ...

    def exit(self, status: int, message: str) -> None:
        """End the whole OS process with one readable line on stderr; the simulated host stops and records it."""
        ...
