"""``Popen``: one command on some agent."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from itertools import count
from subprocess import PIPE, STDOUT, TimeoutExpired
from threading import Condition, RLock, Thread
from typing import Any, ClassVar, Self

from pymesos.subprocess.scheduler import CONFIG, SIGNAL, ProcScheduler
from pymesos.subprocess.streams import Streams

log = logging.getLogger(__name__)

UNKNOWN_ERROR = -255
STARTING_SECONDS = 5 * 60.0


class Popen:
    """Start a command on an agent and wait until it runs; raises what starting it raised there.

    args, executable, cwd, env, shell, stdin, stdout, stderr: as the standard subprocess.Popen's. cpus, mem (MB), gpus:
    what it needs; 1 and 1024 unless CONFIG says otherwise. Other arguments must have their defaults.
    """

    _ids: ClassVar[Iterator[int]] = count(1)
    _scheduler: ClassVar[ProcScheduler | None] = None
    _lock = RLock()

    def __init__(
        self,
        args: Any,
        bufsize: int = 0,
        executable: Any = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        preexec_fn: Any = None,
        close_fds: Any = None,
        shell: bool = False,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        universal_newlines: bool = False,
        startupinfo: Any = None,
        creationflags: int = 0,
        cpus: float | None = None,
        mem: float | None = None,
        gpus: int | None = None,
    ) -> None:
        if preexec_fn is not None or startupinfo is not None or creationflags or universal_newlines:
            raise ValueError("preexec_fn, startupinfo, creationflags and universal_newlines do not work from afar")
        if close_fds is False:
            log.warning("No file descriptors are inherited from afar: close_fds=False is ignored")
        self.id = next(self._ids)
        self.args = args
        self.cpus = float(cpus or CONFIG.get("default_cpus", 1.0))
        self.mem = float(mem or CONFIG.get("default_mem", 1024.0))
        self.gpus = int(gpus or CONFIG.get("default_gpus", 0))
        self.pid: int | None = None
        self.returncode: int | None = None
        self.stdin: Any = None
        self.stdout: Any = None
        self.stderr: Any = None
        self._changed = Condition()
        self._has_started = self._has_ended = self._has_output = False
        self._code: int | None = None
        self._failure: BaseException | None = None
        self._streams = self._open_streams(stdin, stdout, stderr)
        self.params = {
            "args": args,
            "settings": {
                "executable": executable,
                "shell": shell,
                "cwd": cwd or os.getcwd(),
                "env": dict(os.environ) if env is None else env,
            },
            "ports": self._streams.ports,
            "hostname": CONFIG.get("hostname") or socket.gethostname(),
        }
        self._run()

    def _open_streams(self, stdin: Any, stdout: Any, stderr: Any) -> Streams:
        remote_in, self.stdin = _end(stdin, sys.stdin, is_input=True)
        remote_out, self.stdout = _end(stdout, sys.stdout, is_input=False)
        if stderr == STDOUT:
            remote_error: int = os.dup(remote_out)
        else:
            remote_error, self.stderr = _end(stderr, sys.stderr, is_input=False)
        return Streams(remote_in, remote_out, remote_error, self._all_output)

    def _run(self) -> None:
        with Popen._lock:
            if Popen._scheduler is None or Popen._scheduler.driver.aborted:
                Popen._scheduler = ProcScheduler()
                Popen._scheduler.start()
                atexit.register(Popen._scheduler.stop)
            scheduler = Popen._scheduler
        scheduler.submit(self)
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_started or self._has_ended, STARTING_SECONDS):
                scheduler.cancel(self)
                self._streams.close()
                raise TimeoutError(
                    f"{self!r} did not start within {STARTING_SECONDS:g} seconds: no offer is large enough"
                )
        if self._failure is not None:
            raise self._failure

    # --- what the scheduler tells ------------------------------------------------------------------------------------

    def _all_output(self) -> None:
        with self._changed:
            self._has_output = True
            self._changed.notify_all()

    def _started(self) -> None:
        with self._changed:
            self._has_started = True
            self._changed.notify_all()

    def _finished(self, success: bool, message: str | None, data: Any) -> None:
        """Take the end: data is (exit code, exception)."""
        code, failure = data or (UNKNOWN_ERROR, None)
        if not success:
            log.warning("%r ended: %s", self, message)
        if not data or failure is not None:  # it never ran, or nobody knows: no output will come
            self._streams.close()
        with self._changed:
            self._code = UNKNOWN_ERROR if code is None else code
            self._failure = failure
            self._has_ended = True
            self._changed.notify_all()

    # --- subprocess.Popen's methods ----------------------------------------------------------------------------------

    def poll(self) -> int | None:
        """Give the exit code when the command has ended and all its output has arrived."""
        with self._changed:
            if self._has_ended and self._has_output:
                self.returncode = self._code
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and give the exit code; raises subprocess.TimeoutExpired after so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.poll() is not None, timeout):
                raise TimeoutExpired(self.args, timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, input: bytes | None = None) -> tuple[bytes | None, bytes | None]:
        """Write input, read all output of the streams that are pipes, and wait for the end."""
        found: dict[str, bytes] = {}
        threads = []
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if stream is not None:
                threads.append(Thread(target=_read_all, args=(name, stream, found), daemon=True))
                threads[-1].start()
        if self.stdin is not None:
            try:
                if input:
                    self.stdin.write(input)
                self.stdin.close()
            except BrokenPipeError:
                log.debug("The command did not read all its input")
        for thread in threads:
            thread.join()
        self.wait()
        return found.get("stdout"), found.get("stderr")

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        assert Popen._scheduler is not None
        Popen._scheduler.send_data(self.id, SIGNAL, int(number))

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def cancel(self) -> None:
        """Take it back, or kill its task; the exit code is UNKNOWN_ERROR then."""
        assert Popen._scheduler is not None
        Popen._scheduler.cancel(self)
        self._finished(False, "cancelled", None)
        self.returncode = UNKNOWN_ERROR

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def __repr__(self) -> str:
        command = self.args if isinstance(self.args, str) else " ".join(map(str, self.args))
        return f"{type(self).__name__}: {command}"


def _end(wish: Any, own: Any, *, is_input: bool) -> tuple[int, Any]:
    """Give the descriptor for the remote side and, of a pipe, the file for this one."""
    if wish != PIPE:
        source = own if wish is None else wish
        try:
            return os.dup(source if isinstance(source, int) else source.fileno()), None
        except (AttributeError, OSError, ValueError):
            if wish is not None:
                raise
            # Our own stream is no file (a notebook, a daemon): it is as good as none.
            return os.open(os.devnull, os.O_RDONLY if is_input else os.O_WRONLY), None
    reading, writing = os.pipe()
    if is_input:
        return reading, os.fdopen(writing, "wb", 0)
    return writing, os.fdopen(reading, "rb", 0)


def _read_all(name: str, stream: Any, found: dict[str, bytes]) -> None:
    parts = []
    while part := stream.read(64 * 1024):
        parts.append(part)
    found[name] = b"".join(parts)
