"""The zygote: parent of all containers of one agent.

Started once per agent by ``python -m messor.containers.native.zygote``; single-threaded, with the executor's code
loaded and frozen, so that a fork is an executor. It is a subreaper: a process that survives its container's first
process ends up here and is killed. It writes how containers ended, and outlives the agent: the next agent with the same
runtime folder finds it by its socket.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from messor.containers.native import paths
from messor.containers.native.zygote_children import Birth, Entry, fork, log
from messor.containers.native.zygote_wire import VERSION, Decoder, Message, encode
from messor.linux import processes

_READ_SIZE = 256 * 1024

_PREPARATION_DELAY = 1.0
"""Seconds to wait with loading the executor, unless one is wanted: starting agents need the processor more."""


@dataclass(slots=True)
class Container:
    """One container. It stays listed until the agent has seen its end and says ``forget``."""

    id: str
    pid: int
    folder: str | None
    """Where its status file goes; None for a fetcher, which has none."""

    is_child: bool = True
    ended: bool = False
    status: int | None = None
    sandbox: str = ""
    """Known for adopted ones only: with it their orphans are found, which went to init instead of us."""

    pidfd: int | None = None
    """Watches a process that is not our child: one that an earlier zygote started."""


@dataclass(slots=True)
class Connection:
    """One agent, or somebody who wants everything destroyed."""

    socket: socket.socket
    decoder: Decoder = field(default_factory=Decoder)
    outgoing: bytearray = field(default_factory=bytearray)


class Zygote:
    """The loop. Everything it does is an answer to a message, to the end of a child, or to having nothing left."""

    def __init__(self, listener: socket.socket, runtime_folder: str, owner: str, executor: str, linger: float) -> None:
        """Serve on a listening socket. executor is the ``module:function`` to load for forked executors."""
        self._listener = listener
        self._socket_path = paths.zygote_socket(runtime_folder)
        self._pid_path = paths.zygote_pid(runtime_folder)
        self._owner = owner
        self._executor = executor
        self._entries: dict[str, Entry] = {"fetch": fetch}
        self._linger = linger
        self._selector = selectors.DefaultSelector()
        self._containers: dict[str, Container] = {}
        self._connections: list[Connection] = []
        self._dead_leaders: list[Container] = []
        self._stopping = False
        self._idle_since = time.monotonic()
        self._prepare_at = 0.0

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until told to stop or nobody needs us any more."""
        wakeup = self._watch_signals()
        _write_number(self._pid_path, os.getpid())
        self._prepare_at = time.monotonic() + _PREPARATION_DELAY
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._woken(wakeup))
        while not self._is_done():
            for key, _ in self._selector.select(self._patience()):
                try:
                    key.data()
                except Exception:
                    # The parent of all containers does not end because of one bad message.
                    log(traceback.format_exc())
            self._finish_dead()
            if "executor" not in self._entries and time.monotonic() >= self._prepare_at:
                self._prepare()
        with suppress(OSError):
            os.unlink(self._pid_path)
            os.unlink(self._socket_path)

    def _is_done(self) -> bool:
        alive = any(not container.ended for container in self._containers.values())
        if alive or self._dead_leaders:
            return False
        if self._stopping:
            return True
        return not self._connections and time.monotonic() - self._idle_since >= self._linger

    def _patience(self) -> float | None:
        if self._dead_leaders:
            return 0.02  # members of an ended container are still dying
        if "executor" not in self._entries:
            return max(0.0, self._prepare_at - time.monotonic())
        if self._connections or any(not container.ended for container in self._containers.values()):
            return None
        return max(0.0, self._idle_since + self._linger - time.monotonic())

    def _prepare(self) -> None:
        """Load the executor, warm it up, and freeze everything, so that forks copy as little as possible."""
        name, _, function = self._executor.partition(":")
        module = importlib.import_module(name)
        prepare = getattr(module, "prepare", None)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGTERM)}
        if prepare is not None:
            with signal_wakeup_kept():
                prepare()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        self._entries["executor"] = getattr(module, function)
        gc.collect()
        gc.freeze()
        # Ends that came while the executor had its hands on the signals.
        self._reap()

    def _watch_signals(self) -> int:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._stop("SIGTERM"))
        # Ctrl-C and a closed terminal are for the agent; what runs here is meant to outlive it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return reader

    def _woken(self, wakeup: int) -> None:
        with suppress(BlockingIOError):
            os.read(wakeup, 4096)
        self._reap()

    # --- ends --------------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Collect ended children; what an ended container leaves behind is killed before its end is told."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for container in self._containers.values():
                if container.pid == pid and container.is_child and not container.ended:
                    container.status = status
                    self._dead_leaders.append(container)
                    break

    def _finish_dead(self) -> None:
        """Kill orphans until none is left, then tell of the ends.

        Every container is the subreaper of its own tree, so a child here that is no container's first process was
        orphaned by one that ended.
        """
        if not self._dead_leaders:
            return
        leaders = {container.pid for container in self._containers.values() if not container.ended}
        leaders -= {container.pid for container in self._dead_leaders}
        orphans = [pid for pid in processes.children(os.getpid()) if pid not in leaders]
        for orphan in orphans:
            processes.kill_tree(orphan)
        if orphans:
            return  # their own ends wake us again
        dead, self._dead_leaders = self._dead_leaders, []
        for container in dead:
            self._ended(container)

    def _ended(self, container: Container) -> None:
        container.ended = True
        if container.status is not None and container.folder is not None:
            # For an agent that comes back later; the folder may be gone when nobody will ask.
            with suppress(OSError):
                _write_number(paths.status_file(container.folder), container.status)
        self._idle_since = time.monotonic()
        self._tell_all({"exited": container.id, "status": container.status})

    def _kill(self, container: Container) -> None:
        if not container.ended:
            processes.kill_tree(container.pid, with_session=not container.is_child)

    def _stop(self, why: str) -> None:
        log(f"Stopping on {why}: killing {len(self._containers)} containers")
        self._stopping = True
        for container in self._containers.values():
            self._kill(container)

    # --- connections -------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        accepted, _ = self._listener.accept()
        accepted.setblocking(False)
        connection = Connection(accepted)
        self._connections.append(connection)
        self._selector.register(accepted, selectors.EVENT_READ, lambda: self._readable(connection))
        self._send(connection, self._hello())

    def _hello(self) -> Message:
        containers = {
            container.id: {"pid": container.pid, "ended": container.ended, "status": container.status}
            for container in self._containers.values()
        }
        return {
            "version": VERSION,
            "owner": self._owner,
            "pid": os.getpid(),
            "containers": containers,
        }

    def _readable(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        for message in connection.decoder.feed(data):
            self._handle(connection, message)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()
            self._idle_since = time.monotonic()

    def _send(self, connection: Connection, message: Message) -> None:
        connection.outgoing += encode(message)
        self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            sent = connection.socket.send(connection.outgoing)
            del connection.outgoing[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.outgoing else 0)
        if self._selector.get_key(connection.socket).events != wanted:
            self._selector.modify(connection.socket, wanted, lambda: self._ready(connection))

    def _ready(self, connection: Connection) -> None:
        if connection.outgoing:
            self._flush(connection)
        self._readable(connection)

    def _tell_all(self, message: Message) -> None:
        for connection in list(self._connections):
            self._send(connection, message)

    # --- messages ----------------------------------------------------------------------------------------------------

    def _handle(self, connection: Connection, message: Message) -> None:
        kind = message.get("do")
        if kind == "launch":
            self._send(connection, {"answer": message["n"], **self._launch(message)})
        elif kind == "destroy":
            container = self._containers.get(message["id"])
            if container is not None:
                self._kill(container)
        elif kind == "forget":
            self._forget(message["id"])
        elif kind == "adopt":
            self._adopt(message)
        elif kind == "stop":
            self._stop("request")

    def _launch(self, message: Message) -> Message:
        container_id = message["id"]
        if self._stopping:
            return {"error": "The container host is stopping"}
        if container_id in self._containers:
            return {"error": f"Container {container_id} exists already"}
        folder: str | None = message.get("container_folder")
        user = message.get("user")
        birth = Birth(
            environment=message["environment"],
            folder=message["folder"],
            stdout=message["stdout"],
            stderr=message["stderr"],
            pid_files=message["pid_files"],
            path=message.get("path"),
            arguments=message.get("arguments", ()),
            preamble=message.get("preamble", ""),
            user=(user[0], user[1], tuple(user[2])) if user is not None else None,
        )
        try:
            if folder is not None:
                os.makedirs(folder, mode=0o755, exist_ok=True)
                os.close(os.open(paths.status_file(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            entry = message.get("entry", "executor")
            if entry not in self._entries:
                self._prepare()
            pid = fork(birth, self._entries[entry])
        except OSError as error:
            return {"error": f"Failed to fork: {error}"}
        self._containers[container_id] = Container(container_id, pid, folder)
        return {"pid": pid}

    def _forget(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is not None and container.ended:
            del self._containers[container_id]

    def _adopt(self, message: Message) -> None:
        """Watch a container that an earlier zygote started; its exit status cannot be known."""
        container = Container(
            message["id"], message["pid"], message["folder"], is_child=False, sandbox=message.get("sandbox", "")
        )
        self._containers[container.id] = container
        try:
            container.pidfd = os.pidfd_open(container.pid)
        except OSError:
            self._adopted_ended(container)
            return
        self._selector.register(container.pidfd, selectors.EVENT_READ, lambda: self._adopted_ended(container))

    def _adopted_ended(self, container: Container) -> None:
        if container.pidfd is not None:
            self._selector.unregister(container.pidfd)
            os.close(container.pidfd)
            container.pidfd = None
        if container.sandbox:
            processes.signal_all(processes.started_with("MESOS_SANDBOX", container.sandbox), signal.SIGKILL)
        self._ended(container)


def _write_number(path: str, number: int) -> None:
    """Write a decimal, renamed into place, so that it is never read torn."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="ascii", opener=_private) as file:
        file.write(str(number))
    os.rename(temporary, path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def signal_wakeup_kept() -> Iterator[None]:
    """Put our wake-up descriptor back after something else set its own."""
    ours = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        theirs = signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
        if theirs not in (-1, ours):
            os.close(theirs)


def fetch(environment: Mapping[str, str]) -> int:
    """Run the fetcher in a forked child; its code is loaded only there, and only when something is to be fetched."""
    from messor.containers.fetcher.main import run

    return run(environment)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve on the listening socket that the agent made and handed down, so that it need not wait for us."""
    parser = argparse.ArgumentParser(prog="messor-zygote")
    parser.add_argument("--listen_fd", type=int, required=True)
    parser.add_argument("--runtime_dir", required=True)
    parser.add_argument("--owner", default="", help="work_dir of the agent this belongs to")
    parser.add_argument("--executor", required=True, help="module:function that a forked executor runs")
    parser.add_argument("--linger", type=float, required=True, help="seconds to stay without containers and agent")
    flags = parser.parse_args(arguments)
    os.chdir("/")
    processes.become_subreaper()
    processes.rename("messor-zygote")
    listener = socket.socket(fileno=flags.listen_fd)
    listener.setblocking(False)
    os.set_inheritable(flags.listen_fd, False)
    Zygote(listener, flags.runtime_dir, flags.owner, flags.executor, flags.linger).run()


if __name__ == "__main__":
    main()
