"""A simulated process: the Host ports on virtual time, a seeded network and files in memory.

A process that crashed stays dead; restarting means a new SimulatedHost at the same address over the same files.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from messor.errors import DiskFailed
from messor.runtime.directory import Directory
from messor.runtime.metrics import Metrics
from messor.simulation.disk import Files, SimulatedDisk
from messor.simulation.network import Address, NetworkPort
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.actor import Actor
    from messor.runtime.host import Chance, Clock, Disk, Network, Process, Processes, Promise, Tasks
    from messor.simulation.world import World

T = TypeVar("T")

log = logging.getLogger(__name__)


class SimulatedHost:
    """One process of a simulation: everything its actors may use."""

    def __init__(self, world: World, name: str, hostname: str, address: Address, files: Files) -> None:
        """Open its port; name stands in traces and seeds its randomness."""
        self.world = world
        self.name = name
        self.hostname = hostname
        self.address = address
        self.is_alive = True
        self.is_frozen = False
        self.exit_status: int | None = None
        """What the process ended itself with; None while it runs or when it was killed."""
        self.exit_message = ""
        self.on_exit: Callable[[int], None] | None = None
        """Told the exit status when the process ends itself."""
        self.wall_clock = SimulatedClock(self)
        self.supervisor = SimulatedTasks(self)
        self.mount = SimulatedDisk(files)
        self.files = files
        port = NetworkPort(world.network, self)
        self.on_death: list[Callable[[], object]] = []
        """Called when the process ends, whatever the reason."""
        self.network: Network = port
        self.clock: Clock = self.wall_clock
        self.chance: Chance = SeededChance(f"{world.seed}/{name}/{world.incarnation(name)}")
        self.tasks: Tasks = self.supervisor
        self.disk: Disk = self.mount
        self.processes: Processes = NoProcesses()
        self.metrics = Metrics()
        self.directory = Directory(self)
        self.directory.terminated.append(port.terminated)
        self._failures_seen = 0
        self._held: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        world.network.join(self)

    def spawn(self, actor: Actor) -> Upid:
        """Start an actor in this process."""
        return self.directory.spawn(actor)

    def call(self, call: Callable[..., object], *arguments: object) -> None:
        """Call in the loop: there is only one thread."""
        self.clock.after(0, call, *arguments)

    def exit(self, status: int, message: str) -> None:
        """Stop this process and remember why."""
        if not self.is_alive:
            return
        self.exit_status = status
        self.exit_message = message
        self.world.trace.record(self.world.time, "exit", self.name, "", f"{status} {message}")
        self.die(silent=False)
        if self.on_exit is not None:
            self.on_exit(status)

    def crash(self, *, silent: bool = False, keep_unsynced: bool = False) -> None:
        """Lose memory at once, and with it unsynced files.

        silent: nobody hears of it, as when the power fails. keep_unsynced: the process was killed but its machine was
        not, so the page cache survives.
        """
        if not self.is_alive:
            return
        self.world.trace.record(self.world.time, "fault", "crash", self.name, "silent" if silent else "")
        self.die(silent=silent)
        if not keep_unsynced:
            self.files.lose_unsynced(self.world.random)

    def kill(self, *, silent: bool = False) -> None:
        """End the process as SIGKILL does: memory is lost, what it wrote to files is not."""
        self.crash(silent=silent, keep_unsynced=True)

    def die(self, *, silent: bool) -> None:
        """Take it off the network and stop everything in it."""
        self.is_alive = False
        self.mount.detach()
        self._held.clear()
        self.world.network.leave(self, silent=silent)
        self.supervisor.cancel_all()
        for told in self.on_death:
            told()

    def freeze(self) -> None:
        """Stop it without killing it, as SIGSTOP does: its timers and messages wait."""
        self.is_frozen = True
        self.world.network.fault("freeze", self.name)

    def thaw(self) -> None:
        """Let it go on with what piled up."""
        self.is_frozen = False
        self.world.network.fault("thaw", self.name)
        held, self._held = self._held, []
        for call, arguments in held:
            self.world.loop.call_soon(call, *arguments)

    def hold(self, call: Callable[..., object], *arguments: Any) -> None:
        """Keep something for when the process goes on."""
        self._held.append((call, arguments))

    def after_event(self) -> None:
        """Say that something in this process may have changed."""
        self.world.touched[self.name] = None
        failures = self.metrics.handler_failures.value
        if failures != self._failures_seen:
            self._failures_seen = failures
            self.world.loop.failures.append(f"a handler in {self.name} raised; the log says which")


class SimulatedTimer:
    """A call that is still to come."""

    __slots__ = ("_arguments", "_call", "_handle", "_host")

    def __init__(
        self, host: SimulatedHost, seconds: float, call: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        """Start it."""
        self._host = host
        self._call: Callable[..., object] | None = call
        self._arguments = arguments
        loop = host.world.loop
        self._handle = loop.call_soon(self) if seconds <= 0 else loop.call_later(seconds, self)

    @property
    def label(self) -> str:
        """What it calls, for the trace."""
        return f"{self._host.name}: {getattr(self._call, '__qualname__', type(self._call).__name__)}"

    def __call__(self) -> None:
        """Make the call, unless the process died or the timer was cancelled."""
        call = self._call
        if call is None or not self._host.is_alive:
            return
        if self._host.is_frozen:
            self._host.hold(self)
            return
        self._call = None
        self._host.after_event()
        call(*self._arguments)

    def cancel(self) -> None:
        """Forget the call."""
        self._call = None
        self._handle.cancel()


class SimulatedClock:
    """The Clock port: virtual time."""

    def __init__(self, host: SimulatedHost) -> None:
        """Start with the right time."""
        self._host = host
        self.skew = 0.0
        """Seconds by which this process's wall clock is wrong."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._host.world.epoch + self._host.world.time + self.skew

    def monotonic(self) -> float:
        """Seconds since the simulation began."""
        return self._host.world.time

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> SimulatedTimer:
        """Call once, later."""
        return SimulatedTimer(self._host, seconds, call, arguments)


class SeededChance:
    """The Chance port: all randomness from one seed."""

    def __init__(self, seed: str) -> None:
        """Take a seed."""
        self.random = Random(seed)  # noqa: S311  (repeatable on purpose)

    def uuid(self) -> str:
        """Make a UUID in text form."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def uuid_bytes(self) -> bytes:
        """Make a UUID as bytes."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4).bytes


class SimulatedTasks:
    """The Tasks port."""

    def __init__(self, host: SimulatedHost) -> None:
        """Start with none."""
        self._host = host
        self._running: dict[asyncio.Task[Any], None] = {}

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str = "") -> asyncio.Task[Any]:
        """Run in the background; a failure is logged and fails the test."""
        task = self._host.world.loop.create_task(self._supervised(coroutine, name), name=name)
        if not self._host.is_alive:
            task.cancel()
        self._running[task] = None
        task.add_done_callback(self._ended)
        task.add_done_callback(lambda _: coroutine.close())  # it may have been cancelled before its first step
        return task

    def promise(self) -> Promise[Any]:
        """Make an unsupplied value."""
        return self._host.world.loop.create_future()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        woken = self._host.world.loop.create_future()
        timer = self._host.clock.after(seconds, _supply, woken)
        try:
            await woken
        finally:
            timer.cancel()

    async def all(self, awaitables: Iterable[Awaitable[T]]) -> list[T]:
        """Wait for all."""
        results = await asyncio.gather(*awaitables, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]

    async def within(self, seconds: float, awaitable: Awaitable[T]) -> T:
        """Wait at most that long."""
        # Not wait_for, which in Python 3.11 forgets a cancellation that comes together with the result.
        async with asyncio.timeout(seconds):
            return await awaitable

    async def blocking(self, call: Callable[..., T], *arguments: object) -> T:
        """Run at once: nothing blocks in virtual time."""
        return call(*arguments)

    def cancel_all(self) -> None:
        """Stop everything, as the end of the process does."""
        for task in list(self._running):
            task.cancel()

    async def _supervised(self, coroutine: Coroutine[Any, Any, object], name: str) -> object:
        try:
            return await coroutine
        except Exception as error:
            if self._host.is_alive:
                log.exception("%s of %s failed", name, self._host.name)
                self._host.world.loop.failures.append(f"{name} of {self._host.name}: {error!r}")
            return None
        finally:
            self._host.after_event()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.pop(task, None)


class NoProcesses:
    """The Processes port: refused, since simulated containers run scripts instead."""

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
        """Refuse."""
        del environment, folder, stdin, stdout, stderr, new_session, pass_fds
        raise DiskFailed(f"a simulated host starts no programs: {' '.join(arguments)}")


def _supply(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
