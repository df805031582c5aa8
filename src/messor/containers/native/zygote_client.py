"""The agent's end of its zygote: find it or start it, and speak to it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from messor.containers.native import paths
from messor.containers.native.zygote_wire import VERSION, Decoder, Message, encode
from messor.errors import ConfigurationError, ConnectionLost

_KEPT_VARIABLES = (
    *("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "HOME"),
    *("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What an interpreter and the fetcher need. The zygote gets no more of the agent's environment: what it forks shows it
in /proc."""

_BACKLOG = 16
_START_DELAY = 0.5
_EXIT_SECONDS = 0.5
"""How long after its last word a zygote has surely ended."""


class ZygoteClient(asyncio.Protocol):
    """One connection. ``exited(container id, wait status)`` and ``lost()`` are called as it happens."""

    def __init__(self, exited: Callable[[str, int | None], None], lost: Callable[[], None]) -> None:
        """Prepare; ``open`` connects."""
        self.hello: Message = {}
        self._exited = exited
        self._lost = lost
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._greeted: asyncio.Future[Message] | None = None
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._number = 0
        self._closing = False
        self._gone = asyncio.Event()
        self._started: int | None = None
        self._unborn: _Unborn | None = None

    async def open(self, runtime_folder: str, owner: str, executor: str, linger: float) -> Message:
        """Connect to the zygote of this folder, starting one when there is none; gives its greeting.

        A new one is started a little later, or when it is first needed: a starting agent needs the processor more.
        Meanwhile its socket takes what is said to it.

        Raises ConfigurationError when it belongs to an agent with another work folder, ConnectionLost when it cannot
        run.
        """
        _make_runtime_folder(runtime_folder)
        path = paths.zygote_socket(runtime_folder)
        connected = _connect(path)
        if connected is None:
            self._unborn = _Unborn(_listen(path), runtime_folder, owner, executor, linger)
            asyncio.get_running_loop().call_later(_START_DELAY, self._bear)
            connected = _connect(path)
            if connected is None:
                raise ConnectionLost(f"Failed to connect to '{path}'")
        loop = asyncio.get_running_loop()
        self._greeted = loop.create_future()
        await loop.create_unix_connection(lambda: self, sock=connected)
        if self._unborn is None:
            self.hello = await self._greeted
            self._check_greeting(owner)
        return self.hello

    def _check_greeting(self, owner: str) -> None:
        """Leave a zygote that serves somebody else, or speaks otherwise, alone."""
        version = self.hello.get("version")
        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"The containers of this runtime_dir are held by a process of protocol version {version}, "
                f"this agent speaks {VERSION}; let them end first"
            )
        other = self.hello.get("owner", "")
        if other != owner:
            self.close()
            raise ConfigurationError(
                f"The runtime_dir is in use by an agent with work_dir '{other}'; give each agent its own --runtime_dir"
            )

    def _bear(self) -> None:
        """Start the zygote, if that is still to be done."""
        unborn, self._unborn = self._unborn, None
        if unborn is not None:
            self._started = _start(unborn)
            unborn.listener.close()

    @property
    def is_needless(self) -> bool:
        """Whether nothing was ever asked of this zygote, so that it was not even started."""
        return self._unborn is not None

    async def ask(self, message: Message) -> Message:
        """Send and wait for the answer; raises ConnectionLost."""
        self._number += 1
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        self.tell({**message, "n": self._number})
        return await answer

    def tell(self, message: Message) -> None:
        """Send; raises ConnectionLost when there is no connection."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLost("The container host is not connected")
        self._bear()
        self._transport.write(encode(message))

    async def ended(self) -> None:
        """Wait until the zygote closed the connection, and is gone if we started it."""
        await self._gone.wait()
        if self._started is not None:
            pid, self._started = self._started, None
            await asyncio.get_running_loop().run_in_executor(None, _reap, pid, 0)

    def close(self) -> None:
        """Leave; the zygote and its containers stay, one that was never needed vanishes."""
        self._closing = True
        if self._unborn is not None:
            self._unborn.listener.close()
            with suppress(FileNotFoundError):
                os.unlink(paths.zygote_socket(self._unborn.runtime_folder))
            self._unborn = None
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport

    def data_received(self, data: bytes) -> None:
        """Take answers and news."""
        for message in self._decoder.feed(data):
            if "answer" in message:
                waiting = self._answers.pop(message["answer"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            elif "exited" in message:
                self._exited(message["exited"], message["status"])
            elif "version" in message and self._greeted is not None and not self._greeted.done():
                self._greeted.set_result(message)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail whoever waits, and say so once unless we left ourselves."""
        self._transport = None
        self._gone.set()
        failure = ConnectionLost(f"The container host is gone{f': {error}' if error else ''}")
        for waiting in [self._greeted, *self._answers.values()]:
            if waiting is not None and not waiting.done():
                waiting.set_exception(failure)
                waiting.exception()  # nobody may be waiting for the greeting
        self._answers.clear()
        if self._started is not None:
            asyncio.get_running_loop().call_later(_EXIT_SECONDS, _reap, self._started, os.WNOHANG)
        if not self._closing:
            self._lost()


def _make_runtime_folder(runtime_folder: str) -> None:
    """Make the folders for sockets and containers; raises ConfigurationError."""
    try:
        os.makedirs(paths.containers_folder(runtime_folder), mode=0o755, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            "Failed to create a containerizer: Could not create MesosContainerizer: "
            f"Failed to make the runtime_dir '{runtime_folder}': {error.strerror}"
        ) from error


def destroy_everything(runtime_folder: str, patience: float = 10.0) -> bool:
    """Kill all containers of a runtime folder and end its zygote, from outside any loop; False when there is none.

    Waits until it is gone, at most patience seconds; raises TimeoutError.
    """
    connected = _connect(paths.zygote_socket(runtime_folder))
    if connected is None:
        return False
    with connected:
        connected.settimeout(patience)
        connected.sendall(encode({"do": "stop"}))
        with suppress(ConnectionResetError):
            while connected.recv(65536):
                pass
    return True


def _connect(path: str) -> socket.socket | None:
    """Connect to a unix socket; None when nobody listens there."""
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _through_folder(path, connecting.connect)
    except (FileNotFoundError, ConnectionRefusedError):
        connecting.close()
        return None
    except OSError:
        connecting.close()
        raise
    return connecting


def _listen(path: str) -> socket.socket:
    """Make the socket that the zygote will serve; only our user may connect."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o077)
    try:
        _through_folder(path, listener.bind)
    finally:
        os.umask(mask)
    listener.listen(_BACKLOG)
    return listener


def _through_folder(path: str, call: Callable[[str], Any]) -> None:
    """Call with an address that names the folder by descriptor: paths of more than 107 bytes are no addresses."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        call(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def _reap(pid: int, options: int) -> None:
    """Collect a zygote of ours that ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, options)


class _Unborn(NamedTuple):
    """A zygote that listens already but does not run yet."""

    listener: socket.socket
    runtime_folder: str
    owner: str
    executor: str
    linger: float


def _start(unborn: _Unborn) -> int:
    """Start a zygote in its own session, out of reach of signals to the agent's group; gives its pid."""
    environment: Mapping[str, str] = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    arguments = [
        sys.executable,
        "-m",
        "messor.containers.native.zygote",
        f"--listen_fd={unborn.listener.fileno()}",
        f"--runtime_dir={unborn.runtime_folder}",
        f"--owner={unborn.owner}",
        f"--executor={unborn.executor}",
        f"--linger={unborn.linger}",
    ]
    with open(paths.zygote_log(unborn.runtime_folder), "ab") as output:
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            pass_fds=(unborn.listener.fileno(),),
        )
    process.returncode = 0  # it outlives us; the module must neither wait for it nor complain
    return process.pid
