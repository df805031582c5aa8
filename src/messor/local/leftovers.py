"""Making sure that no process of a stopped agent lives on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

DEATH_SECONDS = 10.0
"""How long the kernel of a busy machine may take to end what was killed."""


def kill_leftovers(runtime_dir: Path) -> list[int]:
    """Kill what the pid files below an agent's runtime_dir name, if it belongs to that agent; gives the pids killed.

    Returns when they are gone. Normally there is nothing: an agent that got SIGUSR1 destroys its containers and ends
    its zygote. This is for agents that were killed. A pid counts only while its process was started from this
    runtime_dir or its sandbox lies beside it, as pids are reused.
    """
    killed = []
    for path in [*runtime_dir.glob("**/pid"), *runtime_dir.glob("*.pid")]:
        try:
            pid = int(path.read_text())
        except (OSError, ValueError):
            continue
        if _belongs(pid, runtime_dir):
            _kill_session(pid)
            killed.append(pid)
    deadline = time.monotonic() + DEATH_SECONDS
    while any(_belongs(pid, runtime_dir) for pid in killed) and time.monotonic() < deadline:
        time.sleep(0.005)
    return killed


def _belongs(pid: int, runtime_dir: Path) -> bool:
    """Tell whether a process works in, or was started for, the agent of this runtime_dir."""
    root = str(runtime_dir.parent)
    try:
        folder = os.readlink(f"/proc/{pid}/cwd")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return folder.startswith(root) or root.encode() in command


def _kill_session(pid: int) -> None:
    """Kill a process, its process group and every process of its session."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.getsid(int(entry)) == pid:
                os.kill(int(entry), signal.SIGKILL)
        except OSError:
            continue
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
