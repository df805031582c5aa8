"""The durable store of one machine: one SQLite file, write-ahead log, fsync on every commit."""

from __future__ import annotations

import sqlite3

from messor.errors import RegistryFailed
from messor.runtime.host import Tasks
from messor.storage.versioned import Variable

SCHEMA = "CREATE TABLE IF NOT EXISTS variables (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL)"


class SqliteStorage:
    """Variables in a file. Calls run off the loop one at a time, as an fsync may take many milliseconds."""

    is_durable = True

    def __init__(self, path: str, tasks: Tasks) -> None:
        """Open or create the file, whose folder must exist; raises RegistryFailed when that cannot be done."""
        self._path = path
        self._tasks = tasks
        try:
            # Each call runs on whatever thread is free, but never two at once: the registrar waits for its store.
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(SCHEMA)
        except sqlite3.Error as error:
            raise RegistryFailed(f"Failed to open the registry '{path}': {error}") from error

    async def fetch(self, name: str) -> Variable:
        """Read a variable; raises RegistryFailed."""
        return await self._tasks.blocking(self._fetch, name)

    async def store(self, variable: Variable, value: bytes) -> Variable | None:
        """Replace a variable and fsync; raises RegistryFailed."""
        return await self._tasks.blocking(self._store, variable, value)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _fetch(self, name: str) -> Variable:
        try:
            row = self._database.execute("SELECT version, value FROM variables WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            raise RegistryFailed(f"Failed to read '{self._path}': {error}") from error
        return Variable(name, bytes(row[1]), int(row[0])) if row else Variable(name, b"", 0)

    def _store(self, variable: Variable, value: bytes) -> Variable | None:
        """Compare and set in one statement each, so that two processes can never both believe they stored."""
        try:
            if variable.version == 0:
                done = self._database.execute(
                    "INSERT OR IGNORE INTO variables (name, version, value) VALUES (?, 1, ?)", (variable.name, value)
                )
            else:
                done = self._database.execute(
                    "UPDATE variables SET version = version + 1, value = ? WHERE name = ? AND version = ?",
                    (value, variable.name, variable.version),
                )
        except sqlite3.Error as error:
            raise RegistryFailed(f"Failed to write '{self._path}': {error}") from error
        return Variable(variable.name, value, variable.version + 1) if done.rowcount == 1 else None
