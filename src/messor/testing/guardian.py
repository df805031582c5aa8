"""Ends a test's cluster when the tests themselves were killed, so that nothing is left behind even then.

A shell waits at the end of a pipe whose other end only the process of the tests holds; it costs next to nothing. When
the pipe breaks, the shell becomes this program.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from messor.local.leftovers import kill_leftovers

SECONDS = 30.0
"""How long it goes on looking for processes."""

WAIT = 'cat >/dev/null; exec "$0" -m messor.testing.guardian "$1"'


class Guardian:
    """Watches over a cluster for as long as this process lives."""

    def __init__(self, work_dir: Path) -> None:
        """Begin; everything that runs below work_dir ends when this process does, and work_dir is removed."""
        self._process = subprocess.Popen(  # noqa: S603  (a program of ours, and a path)
            ["/bin/sh", "-c", WAIT, sys.executable, str(work_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End without doing anything: the cluster was stopped, or is to be kept."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


def clean_up(work_dir: Path) -> None:
    """Kill the daemons and containers of a cluster, in any order they may be born, and remove its folder."""
    for agent in work_dir.glob("agent-*"):
        kill_leftovers(agent / "runtime")
    deadline = time.monotonic() + SECONDS
    while kill_those_of(work_dir) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(work_dir, ignore_errors=True)


def kill_those_of(work_dir: Path) -> int:
    """Kill the processes that work below a folder or were started with a flag that names it; gives how many."""
    killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            where = Path(os.readlink(folder / "cwd"))
            if f"={work_dir}/".encode() in command or where.is_relative_to(work_dir):
                os.kill(int(folder.name), signal.SIGKILL)
                killed += 1
        except OSError:  # it ended meanwhile
            continue
    return killed


if __name__ == "__main__":
    clean_up(Path(sys.argv[1]))
