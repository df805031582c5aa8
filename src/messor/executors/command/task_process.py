"""The one process tree of a task: start it, signal it, notice its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from messor.containers.command_line import DEFAULT_PATH, Program
from messor.linux import processes

_EXIT_OF_FAILED_EXEC = 1 << 8
"""Wait status of a task whose program cannot be executed: as if it had exited with 1 (recorded of Mesos)."""

_DEFAULT_AGAIN = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What Python or this executor changed and a program expects untouched."""


class TaskProcess:
    """A started command. Everything below this executor belongs to it, orphans too (we are their subreaper)."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.pid: int | None = None
        self.status: int | None = None
        """Raw wait status once the command itself ended."""

    def start(self, program: Program, environment: Mapping[str, str]) -> None:
        """Start in an own session, in the current folder, with our stdout and stderr.

        A program that cannot be executed counts as one that exited with 1; the system's words go to stderr.
        """
        try:
            self.pid = os.posix_spawn(
                program.path,
                program.arguments,
                dict(environment),
                setsid=True,
                setsigdef=_DEFAULT_AGAIN,
                setsigmask=(),
            )
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            os.write(2, f"Failed to execute '{program.path}': {words}\n".encode())
            self.status = _EXIT_OF_FAILED_EXEC

    def reap(self) -> None:
        """Collect whoever ended, adopted orphans included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def signal(self, number: int) -> None:
        """Signal the command first, then all below us; who is stopped is woken to notice."""
        targets = processes.descendants(os.getpid())
        if self.pid is not None and self.pid in targets:
            targets.remove(self.pid)
            targets.insert(0, self.pid)
        processes.signal_all(targets, number)
        processes.signal_all(targets, signal.SIGCONT)


def task_environment(
    inherited: Mapping[str, str], variables: Mapping[str, str], allocation_role: str | None
) -> dict[str, str]:
    """Give the variables of a task: the executor's, the allocation role, then the command's own, which win."""
    environment = dict(inherited)
    if allocation_role is not None:
        environment["MESOS_ALLOCATION_ROLE"] = allocation_role
    environment.update(variables)
    environment.setdefault("PATH", DEFAULT_PATH)
    return environment
