"""What a forked child of the zygote does before it becomes a container: session, user, folder, output, pid files."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from messor.linux import processes

Entry = Callable[[Mapping[str, str]], int]
"""A program that is loaded already: takes its environment, gives its exit code."""

_HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FIRST_INHERITED = 3
_HIGHEST = 1 << 16
_FAILED = 1
"""Exit code of a container whose program could not be started, as the original's launch helper has it."""


@dataclass(frozen=True, slots=True)
class Birth:
    """How one container is to be started."""

    environment: Mapping[str, str]
    folder: str
    stdout: str
    stderr: str
    pid_files: Sequence[str]
    path: str | None
    """Program to execute; None to run a loaded entry instead."""

    arguments: Sequence[str] = ()
    preamble: str = ""
    """Lines for stderr before anything runs."""

    user: tuple[int, int, tuple[int, ...]] | None = None
    """uid, gid and supplementary groups to take on."""


def fork(birth: Birth, entry: Entry) -> int:
    """Fork and give the child's pid; the child never returns. Raises OSError when there can be no more processes."""
    # Until the child has its own, the zygote's handlers would run in it: a SIGTERM meant for the container would make
    # the child kill all containers.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        pid = os.fork()
        if pid == 0:
            _become(birth, entry)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _become(birth: Birth, entry: Entry) -> NoReturn:
    """Turn this child into the container's first process."""
    try:
        signal.set_wakeup_fd(-1)
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.closerange(_FIRST_INHERITED, _HIGHEST)
        os.setsid()
        # Whatever this container orphans stays below it, so that killing its tree is enough.
        processes.become_subreaper()
        os.umask(0o022)
        _redirect(birth)
        if birth.preamble:
            _say(birth.preamble)
        _write_pid(birth.pid_files)
        os.chdir(birth.folder)
        if birth.user is not None:
            _take_on(*birth.user)
        if birth.path is None:
            processes.rename("mesos-executor")
            os._exit(entry(birth.environment))
        _execute(birth.path, birth.arguments, birth.environment)
    except OSError as error:
        _say(f"Failed to start the container: {error}\n")
    except BaseException:
        _say(traceback.format_exc())
    finally:
        os._exit(_FAILED)


def _redirect(birth: Birth) -> None:
    """Point the standard descriptors at /dev/null and the sandbox's files, which belong to the container's user."""
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for path, descriptor in ((birth.stdout, 1), (birth.stderr, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
        if birth.user is not None:
            os.fchown(opened, birth.user[0], birth.user[1])
        os.dup2(opened, descriptor)
        os.close(opened)


def _write_pid(paths: Sequence[str]) -> None:
    """Record our pid before anything of the container runs; renamed into place, so that it is never read torn."""
    text = str(os.getpid()).encode()
    for path in paths:
        temporary = f"{path}.new"
        try:
            opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(opened, text)
        os.close(opened)
        os.rename(temporary, path)


def _take_on(uid: int, gid: int, groups: tuple[int, ...]) -> None:
    if os.geteuid() == 0:
        os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)


def _execute(path: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with suppress(AttributeError):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execve(path, list(arguments), environment)  # noqa: S606  (a shell only where the command asks for one)
    except OSError as error:
        _say(f"Failed to execute '{path}': {error.strerror}\n")
    os._exit(_FAILED)


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(2, text.encode())


def log(message: str) -> None:
    """Write a line to the zygote's own log, its stderr."""
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime())
    sys.stderr.write(f"I{stamp} {os.getpid()} zygote] {message}\n")
    sys.stderr.flush()
