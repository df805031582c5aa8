"""The durable store of one machine: one SQLite file, write-ahead log, fsync on every commit."""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from messor.errors import RegistryFailed
from messor.runtime.host import Tasks
from messor.storage.versioned import Variable

SCHEMA = "CREATE TABLE IF NOT EXISTS variables (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL)"


CLOSE_SECONDS = 5.0
"""How long closing waits for a call that is under way."""


class SqliteStorage:
    """Variables in a file. Calls run off the loop one at a time, as an fsync may take many milliseconds."""

    is_durable = True

    def __init__(self, path: str, tasks: Tasks) -> None:
        """Open or create the file, whose folder must exist; raises RegistryFailed when that cannot be done."""
        self._path = path
        self._tasks = tasks
        self._token: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Whoever holds what is in it may use the database."""
        try:
            # Each call runs on whatever thread is free, but never two at once.
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(SCHEMA)
        except sqlite3.Error as error:
            raise RegistryFailed(f"Failed to open the registry '{path}': {error}") from error
        self._token.put(None)

    async def fetch(self, name: str) -> Variable:
        """Read a variable; raises RegistryFailed."""
        return await self._tasks.blocking(self._fetch, name)

    async def store(self, variable: Variable, value: bytes) -> Variable | None:
        """Replace a variable and fsync; raises RegistryFailed."""
        return await self._tasks.blocking(self._store, variable, value)

    def close(self) -> None:
        """Close the file, once a call that nobody waits for any more has ended: closing under it would crash."""
        try:
            self._token.get(timeout=CLOSE_SECONDS)
        except queue.Empty:
            return  # the disk hangs; the end of the process closes the file
        self._database.close()
        self._token.put(None)

    @contextmanager
    def _using(self, what: str) -> Iterator[sqlite3.Connection]:
        self._token.get()
        try:
            yield self._database
        except sqlite3.Error as error:
            raise RegistryFailed(f"Failed to {what} '{self._path}': {error}") from error
        finally:
            self._token.put(None)

    def _fetch(self, name: str) -> Variable:
        with self._using("read") as database:
            row = database.execute("SELECT version, value FROM variables WHERE name = ?", (name,)).fetchone()
        return Variable(name, bytes(row[1]), int(row[0])) if row else Variable(name, b"", 0)

    def _store(self, variable: Variable, value: bytes) -> Variable | None:
        """Compare and set in one statement each, so that two processes can never both believe they stored."""
        with self._using("write") as database:
            if variable.version == 0:
                done = database.execute(
                    "INSERT OR IGNORE INTO variables (name, version, value) VALUES (?, 1, ?)", (variable.name, value)
                )
            else:
                done = database.execute(
                    "UPDATE variables SET version = version + 1, value = ? WHERE name = ? AND version = ?",
                    (value, variable.name, variable.version),
                )
            changed = done.rowcount
        return Variable(variable.name, value, variable.version + 1) if changed == 1 else None
