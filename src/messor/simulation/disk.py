"""Files in memory, shared by the processes of one simulated machine.

A crash loses what was not synced: a file written without sync goes back to its last synced content, and an unsynced
tail that was appended is cut somewhere, as a torn write would leave it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from random import Random

from messor.errors import DiskFailed, NotFound

MOST_LINKS_TO_FOLLOW = 40


class File:
    """One file: what programs see, and what a crash would leave."""

    __slots__ = ("data", "modified", "synced")

    def __init__(self, modified: float) -> None:
        """Start empty, and not on the platter at all."""
        self.data = bytearray()
        self.synced: bytes | None = None
        self.modified = modified


class Files:
    """The file system of one machine; survives the processes that use it."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start with only ``/``; now gives seconds since the epoch."""
        self.now = now
        self.files: dict[str, File] = {}
        self.folders: dict[str, float] = {"/": now()}
        self.links: dict[str, str] = {}
        self.locks: dict[str, object] = {}
        self.full = False
        """Set to make every write fail, as a full disk does."""

    def lose_unsynced(self, random: Random) -> None:
        """Leave what a power failure would leave."""
        for path in sorted(self.files):
            file = self.files[path]
            if file.synced is None:
                del self.files[path]
            elif bytes(file.data) != file.synced:
                tail = len(file.data) - len(file.synced)
                if tail > 0 and file.data.startswith(file.synced):
                    del file.data[len(file.synced) + random.randrange(tail) :]
                else:
                    file.data[:] = file.synced
                file.synced = bytes(file.data)

    def resolve(self, path: str, *, last: bool = True) -> str:
        """Follow symbolic links; the last component too unless told not to. Raises DiskFailed on a loop."""
        if not self.links:
            return posixpath.normpath(path)
        todo = [part for part in posixpath.normpath(path).split("/") if part][::-1]
        done = ""
        hops = 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = posixpath.dirname(done).rstrip("/")
                continue
            candidate = f"{done}/{part}"
            target = self.links.get(candidate)
            if target is None or (not todo and not last):
                done = candidate
                continue
            hops += 1
            if hops > MOST_LINKS_TO_FOLLOW:
                raise DiskFailed(f"Too many levels of symbolic links: '{path}'")
            if target.startswith("/"):
                done = ""
            todo.extend([piece for piece in target.split("/") if piece and piece != "."][::-1])
        return done or "/"

    def make_folders(self, path: str) -> None:
        """Make a folder and its parents; raises DiskFailed when a file is in the way."""
        missing = []
        while path not in self.folders:
            if path in self.files:
                raise DiskFailed(f"Not a directory: '{path}'")
            missing.append(path)
            path = posixpath.dirname(path)
        for folder in reversed(missing):
            self.folders[folder] = self.now()
            self.folders[posixpath.dirname(folder)] = self.now()


class SimulatedDisk:
    """The Disk port of one simulated process; ``detach`` makes it powerless when the process dies."""

    def __init__(self, files: Files) -> None:
        """Work on a machine's files."""
        self.files = files
        self.attached = True

    def detach(self) -> None:
        """Let go of all locks; later writes of the dead process change nothing."""
        self.attached = False
        self.files.locks = {path: owner for path, owner in self.files.locks.items() if owner is not self}

    def read(self, path: str) -> bytes:
        """Read a whole file."""
        return bytes(self._file(path).data)

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Read part of a file."""
        return bytes(self._file(path).data[offset : offset + length])

    def write(self, path: str, data: bytes, *, sync: bool = True) -> None:
        """Replace a file as a whole."""
        if not self._may_write(path):
            return
        file = self._make(path)
        file.data = bytearray(data)
        if sync:
            file.synced = bytes(data)

    def append(self, path: str, data: bytes, *, sync: bool = False) -> None:
        """Add to the end."""
        if not self._may_write(path):
            return
        file = self._make(path)
        file.data += data
        if sync:
            file.synced = bytes(file.data)

    def truncate(self, path: str, size: int) -> None:
        """Cut a file."""
        if not self._may_write(path):
            return
        file = self._file(path)
        del file.data[size:]
        file.synced = bytes(file.data)
        file.modified = self.files.now()

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        """Make a folder and its parents; modes are not kept."""
        del mode
        if self._may_write(path):
            self.files.make_folders(self.files.resolve(path))

    def exists(self, path: str) -> bool:
        """Whether anything is there."""
        found = self.files.resolve(path)
        return found in self.files.files or found in self.files.folders

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        return self.files.resolve(path) in self.files.folders

    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted."""
        prefix = self.files.resolve(path).rstrip("/") + "/"
        names = {
            known[len(prefix) :]
            for table in (self.files.files, self.files.folders, self.files.links)
            for known in table
            if known.startswith(prefix) and len(known) > len(prefix) and "/" not in known[len(prefix) :]
        }
        return sorted(names)

    def remove(self, path: str) -> None:
        """Remove a file, a link or a tree."""
        if not self._may_write(path):
            return
        found = self.files.resolve(path, last=False)
        below = found.rstrip("/") + "/"
        for table in (self.files.files, self.files.folders, self.files.links):
            for known in [known for known in table if known == found or known.startswith(below)]:
                table.pop(known)
        self.files.folders.setdefault("/", self.files.now())

    def link(self, target: str, path: str) -> None:
        """Make a symbolic link, replacing what was there."""
        if not self._may_write(path):
            return
        found = self.files.resolve(path, last=False)
        if found in self.files.folders:
            raise DiskFailed(f"Is a directory: '{path}'")
        self.files.make_folders(posixpath.dirname(found))
        self.files.files.pop(found, None)
        self.files.links[found] = target

    def read_link(self, path: str) -> str | None:
        """Where a symbolic link points."""
        return self.files.links.get(self.files.resolve(path, last=False))

    def modified(self, path: str) -> float:
        """Time of last change."""
        found = self.files.resolve(path)
        if found in self.files.folders:
            return self.files.folders[found]
        return self._file(path).modified

    def size(self, path: str) -> int:
        """Length of a file."""
        return len(self._file(path).data)

    def lock(self, path: str) -> bool:
        """Take a lock that lasts as long as this process."""
        found = self.files.resolve(path)
        owner = self.files.locks.setdefault(found, self)
        return owner is self

    def _may_write(self, path: str) -> bool:
        if self.attached and self.files.full:
            raise DiskFailed(f"No space left on device: '{path}'")
        return self.attached

    def _file(self, path: str) -> File:
        found = self.files.resolve(path)
        file = self.files.files.get(found)
        if file is None:
            if found in self.files.folders:
                raise DiskFailed(f"Is a directory: '{path}'")
            raise NotFound(f"No such file or directory: '{path}'")
        return file

    def _make(self, path: str) -> File:
        found = self.files.resolve(path)
        file = self.files.files.get(found)
        if file is None:
            if found in self.files.folders:
                raise DiskFailed(f"Is a directory: '{path}'")
            folder = posixpath.dirname(found)
            self.files.make_folders(folder)
            self.files.folders[folder] = self.files.now()
            file = self.files.files[found] = File(self.files.now())
        file.modified = self.files.now()
        return file
