"""The interface of all stores: named values that are replaced only when nobody else replaced them meanwhile."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Variable(NamedTuple):
    """One stored value as it was when it was read or written."""

    name: str
    value: bytes
    version: int
    """0 when nothing has been stored under the name."""


class Storage(Protocol):
    """Where variables live. Raises RegistryFailed when the store cannot be read or written."""

    is_durable: bool
    """Whether what was stored is there after a restart."""

    async def fetch(self, name: str) -> Variable:
        """Read a variable; empty with version 0 when it was never stored."""
        ...

    async def store(self, variable: Variable, value: bytes) -> Variable | None:
        """Replace what ``variable`` was read as; None when somebody else stored in between. Durable on return."""
        ...

    def close(self) -> None:
        """Give up files and connections."""
        ...
