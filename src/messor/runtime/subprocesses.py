"""Child processes (the Processes port): exact environment, own session, reaped through pidfds without threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping, Sequence

from messor.errors import DiskFailed

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""Where the kernel has no pidfds (before 5.3), how often a child is looked at."""


class RealProcesses:
    """Starts children of this process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch children on a loop."""
        self._loop = loop
        self._children: set[Child] = set()

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
    ) -> Child:
        """Start a program with exactly this environment; no stdin means /dev/null. Raises DiskFailed."""
        import subprocess  # most processes never start another

        with contextlib.ExitStack() as files:
            try:
                process = subprocess.Popen(  # noqa: S603  (starting what we are told to is the point)
                    list(arguments),
                    env=dict(environment),
                    cwd=folder,
                    stdin=subprocess.DEVNULL if stdin is None else stdin,
                    stdout=_output(stdout, files),
                    stderr=_output(stderr, files),
                    start_new_session=new_session,
                    pass_fds=tuple(pass_fds),
                )
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                name = getattr(error, "filename", None) or (arguments[0] if arguments else "")
                raise DiskFailed(f"Failed to start '{name}': {reason}") from error
        process.returncode = 0  # we reap it: the module must neither wait for it nor complain
        child = Child(process.pid, self._loop, self._children.discard)
        self._children.add(child)
        return child

    def close(self) -> None:
        """Stop watching; children live on."""
        for child in list(self._children):
            child.forget()


class Child:
    """A child process (``host.Process``)."""

    def __init__(self, pid: int, loop: asyncio.AbstractEventLoop, ended: object) -> None:
        """Watch a child that was just started."""
        self.pid = pid
        self.status: int | None = None
        """The raw wait(2) status word once it ended."""
        self._loop = loop
        self._ended = ended
        self._waiters: list[asyncio.Future[int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = -1
        try:
            self._descriptor = os.pidfd_open(pid)
            loop.add_reader(self._descriptor, self._reap)
        except OSError as error:
            log.debug("No pidfd for %d: %s; looking at it every %s s", pid, error, POLL_SECONDS)
            self._timer = loop.call_later(POLL_SECONDS, self._reap)

    async def wait(self) -> int:
        """Wait for its end; gives the raw wait(2) status word."""
        if self.status is not None:
            return self.status
        waiter: asyncio.Future[int] = self._loop.create_future()
        self._waiters.append(waiter)
        return await waiter

    def kill(self, signal: int, *, group: bool = False) -> None:
        """Send a signal to it, or to its whole process group; fine when it is gone.

        Once reaped its pid may belong to somebody else, but its group keeps its number while a member lives.
        """
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self.pid, signal)
            elif self.status is None:
                os.kill(self.pid, signal)

    def forget(self) -> None:
        """Stop watching it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        if callable(self._ended):
            self._ended(self)

    def _reap(self) -> None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            log.error("Somebody else reaped process %d; its exit status is unknown", self.pid)
            pid, status = self.pid, 0
        if pid == 0:
            if self._descriptor < 0:
                self._timer = self._loop.call_later(POLL_SECONDS, self._reap)
            return
        self.status = status
        self.forget()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(status)


def _output(target: int | str | None, files: contextlib.ExitStack) -> int | None:
    """Give a descriptor; a str is a file to append to."""
    if not isinstance(target, str):
        return target
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    files.callback(os.close, descriptor)
    return descriptor
