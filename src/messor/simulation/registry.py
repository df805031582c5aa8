"""The registry's store in a simulation: it outlives masters, and notices when two of them write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.storage.in_memory import InMemoryStorage

if TYPE_CHECKING:
    from messor.simulation.host import SimulatedHost
    from messor.storage.versioned import Variable


class WatchedStorage:
    """One durable store."""

    def __init__(self) -> None:
        """Start empty."""
        self.store = InMemoryStorage()
        self.writer: SimulatedHost | None = None
        """The process that wrote last."""
        self.superseded: dict[SimulatedHost, None] = {}
        """Processes that wrote before another one did."""
        self.writes = 0
        self.faults: list[str] = []
        self.seconds = 0.001
        """How long reading or writing takes."""

    def opened_by(self, host: SimulatedHost) -> OpenStorage:
        """Open it for a master process."""
        return OpenStorage(self, host)


class OpenStorage:
    """The Storage of one master process."""

    is_durable = True

    def __init__(self, shared: WatchedStorage, host: SimulatedHost) -> None:
        """Read and write in that process's time."""
        self._shared = shared
        self._host = host

    async def fetch(self, name: str) -> Variable:
        """Read a variable."""
        await self._host.tasks.sleep(self._shared.seconds)
        return await self._shared.store.fetch(name)

    async def store(self, variable: Variable, value: bytes) -> Variable | None:
        """Replace a variable; a master that writes after another one took over is a fault."""
        await self._host.tasks.sleep(self._shared.seconds)
        stored = await self._shared.store.store(variable, value)
        if stored is not None:
            last = self._shared.writer
            if self._host in self._shared.superseded:
                self._shared.faults.append(f"{self._host.name} writes the registry after {last and last.name} did")
            elif last is not None and last is not self._host:
                self._shared.superseded[last] = None
            self._shared.writer = self._host
            self._shared.writes += 1
        return stored

    def close(self) -> None:
        """Keep everything."""
