"""Files of the real world (the Disk port)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator

from messor.errors import DiskFailed, NotFound

PRIVATE = 0o600
"""Checkpoints may hold secrets; as recorded, they belong to the agent alone."""


class RealDisk:
    """Files by absolute path; raises DiskFailed, or NotFound when nothing is there."""

    def __init__(self) -> None:
        """Hold no locks."""
        self._locks: dict[str, int] = {}

    def read(self, path: str) -> bytes:
        """Read a whole file."""
        with _failures("read", path), open(path, "rb") as file:
            return file.read()

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Read part of a file; shorter at its end."""
        with _failures("read", path), open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def write(self, path: str, data: bytes, *, sync: bool = True) -> None:
        """Write to a temporary file only we may read, fsync if asked, rename; makes missing folders."""
        temporary = f"{path}.{os.getpid()}.tmp"
        with _failures("write", path):
            try:
                descriptor = _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
                try:
                    _write_all(descriptor, data)
                    if sync:
                        os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                os.rename(temporary, path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
            if sync:
                _sync_folder(os.path.dirname(path))

    def append(self, path: str, data: bytes, *, sync: bool = False) -> None:
        """Add to the end with one write; makes the file and missing folders."""
        with _failures("append to", path):
            descriptor = _open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                _write_all(descriptor, data)
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def truncate(self, path: str, size: int) -> None:
        """Cut a file to size bytes."""
        with _failures("truncate", path):
            os.truncate(path, size)

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        """Make a folder and its parents; fine if it exists."""
        with _failures("make folder", path):
            os.makedirs(path, mode, exist_ok=True)

    def exists(self, path: str) -> bool:
        """Whether anything is there (a dangling link counts as nothing)."""
        return os.path.exists(path)

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there, links followed."""
        return os.path.isdir(path)

    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted; empty when it does not exist."""
        try:
            with _failures("list", path):
                return sorted(os.listdir(path))
        except NotFound:
            return []

    def remove(self, path: str) -> None:
        """Remove a file, a link or a whole tree; fine if it is not there."""
        try:
            with _failures("remove", path):
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
        except NotFound:
            return

    def link(self, target: str, path: str) -> None:
        """Make path a symbolic link to target, replacing what was there, atomically."""
        temporary = f"{path}.{os.getpid()}.link"
        with _failures("link", path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            os.symlink(target, temporary)
            try:
                os.rename(temporary, path)
            except OSError:
                os.unlink(temporary)
                raise

    def read_link(self, path: str) -> str | None:
        """Where a symbolic link points; None when it is none."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def modified(self, path: str) -> float:
        """Time of last change, seconds since the epoch."""
        with _failures("look at", path):
            return os.stat(path).st_mtime

    def size(self, path: str) -> int:
        """Length of a file in bytes."""
        with _failures("look at", path):
            return os.stat(path).st_size

    def lock(self, path: str) -> bool:
        """Take an exclusive lock for this process's lifetime; False when another process holds it."""
        if path in self._locks:
            return True
        with _failures("lock", path):
            descriptor = _open(path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
        self._locks[path] = descriptor
        return True

    def close(self) -> None:
        """Release all locks; for processes that go on living (tests, drivers)."""
        for descriptor in self._locks.values():
            os.close(descriptor)
        self._locks.clear()


@contextlib.contextmanager
def _failures(what: str, path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"Failed to {what} '{path}': {error.strerror}") from error
    except OSError as error:
        raise DiskFailed(f"Failed to {what} '{path}': {error.strerror or error}") from error


def _open(path: str, flags: int, mode: int = 0o644) -> int:
    """Open a file, making its folder when that is missing: the common case costs one call."""
    try:
        return os.open(path, flags | os.O_CLOEXEC, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags | os.O_CLOEXEC, mode)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def _sync_folder(path: str) -> None:
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
