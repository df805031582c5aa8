"""Starting, watching and stopping one daemon of a local cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from messor.errors import ConfigurationError, ConnectionLost
from messor.local.probe import get

STOP_SECONDS = 2.0
"""How long a daemon may take to end before it is killed; its executors hear of the end within that time."""

SECRET_PREFIXES = ("MESOS_", "LIBPROCESS_")
"""Settings of the surrounding environment that must not leak into the cluster's daemons."""

HINT = "See `mesos-"
"""How the line after a complaint about flags begins."""


@contextmanager
def signals_wait() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM until the block ended: what it makes must be known to those who clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    arrived: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda received, _: arrived.append(received)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if arrived:
            signal.raise_signal(arrived[0])


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Daemon:
    """One master or agent process."""

    def __init__(
        self,
        module: str,
        name: str,
        flags: Mapping[str, object],
        folder: Path,
        port: int,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take the module to run, its flags, where its output goes, and MESOS_* variables it shall see."""
        self.module = module
        self.name = name
        self.flags = dict(flags)
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = port
        self.settings = dict(settings or {})
        self.log = folder / "stderr.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def url(self) -> str:
        """Where its HTTP API is."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start the process; does not wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [f"--{name}={_written(value)}" for name, value in self.flags.items()]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(SECRET_PREFIXES)}
        with self.log.open("ab") as output, signals_wait():
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", self.module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment | self.settings,
                # Its own session: a Ctrl-C at the terminal reaches only us, and we stop the parts in order.
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ConfigurationError with its last words when the process ended."""
        if self._process is None:
            raise ConfigurationError(f"{self.name} was not started")
        status = self._process.poll()
        if status is not None:
            lines = self.log.read_text(errors="replace").strip().splitlines()
            words = [line for line in lines if line and not line.startswith(HINT)]
            last = words[-1] if words else "it said nothing"
            raise ConfigurationError(f"{self.name} ended with status {status}: {last}")

    def is_up(self) -> bool:
        """Whether it answers and has finished recovery: the operator API says 503 until then."""
        try:
            return get(self.host, self.port, "/api/v1")[0] != 503
        except ConnectionLost:
            return False

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would; its containers live on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask_to_stop(self, how: signal.Signals) -> None:
        """Send a signal; fine when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)

    def finish(self, deadline: float) -> None:
        """Wait for its end until a monotonic time, then kill it."""
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        self.kill()
