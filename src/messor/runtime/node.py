"""A real process: its loop, its address, its actors, and everything they may use of the world (the real Host)."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import inspect
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from messor.errors import ConfigurationError
from messor.runtime.actor import Actor
from messor.runtime.address import Address, advertised, choose_address, host_name, listen
from messor.runtime.directory import Directory
from messor.runtime.disk import RealDisk
from messor.runtime.front_door import FrontDoor
from messor.runtime.host import Chance, Clock, Disk, Network, Processes, Tasks
from messor.runtime.metrics import Metrics
from messor.runtime.peers import Peers
from messor.runtime.real_world import RealChance, RealClock, RealTasks
from messor.runtime.subprocesses import RealProcesses
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.virtual_files import VirtualFiles

log = logging.getLogger(__name__)

Setup = Callable[["Node"], "Awaitable[object] | object"]
"""Spawns a process's actors once its address is known."""

GC_THRESHOLD = 20_000
"""Container objects made between two looks at the youngest of them, in daemons."""

STOP_SECONDS = 1.0
"""How long stopping may wait for connections to end."""


class Node:
    """The real Host: ports on asyncio, sockets and disks, and the actors of this process.

    A daemon calls ``run``; a driver runs it in a thread (``run(setup, signals=False)``, then ``call`` and
    ``request_stop`` from outside); tests await ``start`` and ``stop`` inside a loop of their own.
    """

    clock: Clock
    network: Network
    chance: Chance
    tasks: Tasks
    disk: Disk
    processes: Processes
    metrics: Metrics
    directory: Directory
    loop: asyncio.AbstractEventLoop
    files: VirtualFiles
    """The actor behind ``/files``: attach sandboxes and logs here."""

    def __init__(
        self,
        address: Address | None = None,
        *,
        hostname: str | None = None,
        hostname_lookup: bool = True,
        environ: Mapping[str, str] | None = None,
        leave: Callable[[int, str], None] | None = None,
    ) -> None:
        """Listen on an address (default: what LIBPROCESS_* say) from ``start`` on.

        hostname: what others are told; without it the IP is looked up, or taken as it is when not hostname_lookup.
        leave: what ``exit`` does instead of ending the OS process.
        """
        self.environ = os.environ if environ is None else environ
        self.address = choose_address(self.environ) if address is None else address
        self.chance = RealChance()
        self._files = RealDisk()
        self.disk = self._files
        self.metrics = Metrics()
        self._hostname = hostname
        self._hostname_lookup = hostname_lookup
        self._leave = leave
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._door: FrontDoor | None = None
        self._stop: asyncio.Event | None = None
        self._status = 0

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the door and spawn the actors every process has; raises ConfigurationError when the port is taken."""
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._listener = listen(self.address)
        ip, port = advertised(self.address, self._listener)
        self.clock = RealClock(self.loop)
        self._tasks = RealTasks(self.loop, self.metrics.handler_failures)
        self.tasks = self._tasks
        self._children = RealProcesses(self.loop)
        self.processes = self._children
        self.directory = Directory(self)
        self._peers = Peers(self.loop, self.directory, ip, port)
        self.network = self._peers
        self._door = FrontDoor(
            self.directory, self._tasks.spawn, self._tasks.offload, verify_peer=self.address.verify_peer
        )
        self._spawn_process_actors()
        self._server = await self.loop.create_server(self._door.connect, sock=self._listener, backlog=4096)

    def _spawn_process_actors(self) -> None:
        from messor.runtime import process_actors as own  # only real processes need them
        from messor.runtime.virtual_files import VirtualFiles

        self.files = VirtualFiles()
        for actor in (
            own.MetricsActor(self.environ),
            own.VersionActor(),
            own.LoggingActor(),
            own.SystemActor(),
            own.ProcessesActor(),
            own.ProfilerActor(),
            own.HelpActor(),
            self.files,
        ):
            self.directory.spawn(actor)

    async def stop(self) -> None:
        """Stop the actors, last spawned first, and close everything; messages already sent still leave."""
        if self._server is None or self._door is None:
            return
        self._server.close()
        for actor in reversed(list(self.directory.actors.values())):
            self.directory.terminate(actor)
        await self._tasks.stop()
        await self._peers.close()
        self._door.close()
        await self._door.closed(STOP_SECONDS)
        self._children.close()
        self._files.close()
        self._server = None

    def run(self, setup: Setup, *, signals: bool = True) -> int:
        """Run until a signal, ``request_stop`` or ``exit``; gives the exit status.

        A ConfigurationError of ``start`` or ``setup`` is one line on stderr and status 1.
        """
        with asyncio.Runner(loop_factory=new_loop) as runner:
            try:
                return runner.run(self._run(setup, signals=signals))
            except ConfigurationError as error:
                sys.stderr.write(f"{error}\n")
                return 1

    async def _run(self, setup: Setup, *, signals: bool) -> int:
        await self.start()
        assert self._stop is not None
        try:
            if signals:
                faulthandler.enable()  # a crash of the interpreter or a library must leave a stack trace
                for number in (signal.SIGTERM, signal.SIGINT):
                    self.on_signal(number, self.request_stop)
            result = setup(self)
            if inspect.isawaitable(result):
                await result
            if signals:
                # Messages come and go by reference counts; looking for cycles among a million tasks every 700 of them
                # would cost more than handling them.
                gc.freeze()
                gc.set_threshold(GC_THRESHOLD, 20, 50)
            await self._stop.wait()
        finally:
            await self.stop()
        return self._status

    def on_signal(self, number: int, call: Callable[[], object]) -> None:
        """Call when the process gets a signal; only in a main thread."""
        self.loop.add_signal_handler(number, call)

    def call(self, call: Callable[..., object], *arguments: object) -> None:
        """Call in the loop, from any thread."""
        self.loop.call_soon_threadsafe(call, *arguments)

    def request_stop(self, status: int = 0) -> None:
        """End ``run`` soon, in good order; only from inside the loop (else through ``call``)."""
        self._status = status
        if self._stop is not None:
            self._stop.set()

    # --- the host ----------------------------------------------------------------------------------------------------

    @property
    def hostname(self) -> str:
        """The name this host goes by, as other machines know it."""
        if self._hostname is None:
            ip = self.network.ip
            self._hostname = host_name(ip) if self._hostname_lookup else ip
        return self._hostname

    def exit(self, status: int, message: str) -> None:
        """End the whole OS process at once with one readable line on stderr."""
        if self._leave is not None:
            self._leave(status, message)
            return
        text = f"EXIT with status {status}: {message}"
        if logging.getLogger().handlers:
            log.error(text)
        if not _logs_to_stderr():
            sys.stderr.write(f"{text}\n")
        for handler in logging.getLogger().handlers:
            handler.flush()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def spawn(self, actor: Actor) -> Upid:
        """Make an actor reachable."""
        return self.directory.spawn(actor)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the fastest loop there is: uvloop where it can be imported."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _logs_to_stderr() -> bool:
    from messor.runtime.logging import GlogHandler  # only for who fails

    return any(
        isinstance(handler, GlogHandler) and handler.stderr_from <= logging.ERROR
        for handler in logging.getLogger().handlers
    )
