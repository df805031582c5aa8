"""A store that is gone with the process, for tests, the simulator and ``--registry=in_memory``."""

from __future__ import annotations

from messor.storage.versioned import Variable


class InMemoryStorage:
    """Variables in a dictionary. The same object may be given to a restarted master to stand for a durable store."""

    is_durable = False

    def __init__(self) -> None:
        """Start empty."""
        self._variables: dict[str, Variable] = {}

    async def fetch(self, name: str) -> Variable:
        """Read a variable."""
        return self._variables.get(name, Variable(name, b"", 0))

    async def store(self, variable: Variable, value: bytes) -> Variable | None:
        """Replace a variable if its version is still the one that was read."""
        current = self._variables.get(variable.name)
        if (current.version if current else 0) != variable.version:
            return None
        stored = Variable(variable.name, value, variable.version + 1)
        self._variables[variable.name] = stored
        return stored

    def close(self) -> None:
        """Do nothing: there is nothing to give up."""
