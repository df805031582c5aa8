"""Process trees: who descends from whom, who adopts orphans, what they used, and how to end them all.

Reads /proc; nothing here waits or sleeps.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")

_libc = ctypes.CDLL(None, use_errno=True)
_prctl: Callable[..., int] = _libc.prctl


class ProcessUsage(NamedTuple):
    """What a set of processes used so far."""

    user_seconds: float
    """CPU time in user mode, with that of children already waited for."""

    system_seconds: float
    """CPU time in the kernel, likewise."""

    resident_bytes: int
    """Memory in RAM now."""

    processes: int
    threads: int


class ProcessFacts(NamedTuple):
    """One line of /proc/<pid>/stat, the parts used here."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    user_ticks: int
    system_ticks: int
    threads: int
    started: int
    """Clock ticks after boot: with the pid it names a process for good, even when the pid is used again."""

    resident_pages: int


def become_subreaper() -> None:
    """Adopt orphaned descendants from now on; raises OSError. Kept by exec, not inherited by fork."""
    if _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def rename(name: str) -> None:
    """Set the name that ``ps`` shows for this process in its short form; at most 15 bytes count."""
    _prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def parse_stat(pid: int, text: str) -> ProcessFacts:
    """Read the content of /proc/<pid>/stat; the name in parentheses may itself hold spaces and parentheses."""
    fields = text[text.rindex(")") + 2 :].split()
    return ProcessFacts(
        pid=pid,
        state=fields[0],
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        user_ticks=int(fields[11]) + int(fields[13]),
        system_ticks=int(fields[12]) + int(fields[14]),
        threads=int(fields[17]),
        started=int(fields[19]),
        resident_pages=int(fields[21]),
    )


def facts(pid: int) -> ProcessFacts | None:
    """Look a process up; None when it is gone (a zombie is still there, with state ``Z``)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return parse_stat(pid, file.read())
    except (FileNotFoundError, ProcessLookupError):
        return None


def all_facts() -> list[ProcessFacts]:
    """Look up every process of this host."""
    found = (facts(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [fact for fact in found if fact is not None]


def children(pid: int) -> list[int]:
    """List the direct children of a process, zombies included; empty when it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found.extend(map(int, file.read().split()))
        except FileNotFoundError:
            if not _HAS_CHILDREN_FILES:
                return [fact.pid for fact in all_facts() if fact.parent == pid]
        except ProcessLookupError:
            continue
    return found


_HAS_CHILDREN_FILES = os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
"""Kernels built without CONFIG_PROC_CHILDREN lack these files; then all of /proc is read instead."""


def descendants(pid: int) -> list[int]:
    """List all below a process, parents before their children."""
    found: list[int] = []
    seen = {pid}
    waiting = deque([pid])
    while waiting:
        for child in children(waiting.popleft()):
            if child not in seen:
                seen.add(child)
                found.append(child)
                waiting.append(child)
    return found


def started_with(name: str, value: str) -> list[int]:
    """List the processes whose environment had a variable of exactly that value when they were started.

    This finds what no tree or session leads to any more. Costs a look at every process; ours is never listed.
    """
    wanted = f"{name}={value}".encode()
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(int(entry))
        except OSError:
            continue
    return found


def send_signal(pid: int, number: int) -> bool:
    """Send a signal; False when the process is gone. Raises PermissionError when it is not ours to signal."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def signal_all(pids: Iterable[int], number: int) -> int:
    """Send a signal to each, in order; gives how many were there. One that may not be signalled is passed over."""
    reached = 0
    for pid in pids:
        with suppress(PermissionError):
            reached += send_signal(pid, number)
    return reached


def kill_tree(pid: int, *, with_session: bool = False) -> int:
    """Send SIGKILL to a process and all below it; gives how many were there.

    with_session also reaches the members of its session, for trees whose orphans nobody kept together.
    """
    tree = [pid, *descendants(pid)]
    if with_session:
        known = set(tree)
        tree += [fact.pid for fact in all_facts() if fact.session == pid and fact.pid not in known]
    return signal_all(tree, signal.SIGKILL)


def usage(pids: Iterable[int]) -> ProcessUsage:
    """Add up what these processes used; those that ended meanwhile count nothing."""
    user = system = resident = processes = threads = 0
    for pid in pids:
        fact = facts(pid)
        if fact is None:
            continue
        user += fact.user_ticks
        system += fact.system_ticks
        resident += fact.resident_pages
        processes += 1
        threads += fact.threads
    return ProcessUsage(user / _TICKS_PER_SECOND, system / _TICKS_PER_SECOND, resident * _PAGE_SIZE, processes, threads)
