"""What containers use and how they are, for endpoints and operator calls (U15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from messor.errors import MesosError
from messor.protos import v0

if TYPE_CHECKING:
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.tables import Tables
    from messor.containers.containerizer import Containerizer


class ContainerUse(NamedTuple):
    """One executor's container. A part that cannot be measured is None."""

    framework: Framework
    executor: Executor
    statistics: v0.ResourceStatistics | None
    status: v0.ContainerStatus | None


class Usage:
    """Asks the containerizer about executors' containers, one after the other."""

    def __init__(self, tables: Tables, containerizer: Containerizer) -> None:
        """Measure the executors in those tables."""
        self._tables = tables
        self._containerizer = containerizer

    async def containers(self, container_id: str | None = None) -> list[ContainerUse]:
        """Measure all executors' containers, or one of them; those that ended meanwhile are left out."""
        found = []
        for framework, executor in self._tables.executors():
            if not executor.is_alive or executor.container_id not in self._containerizer.containers():
                continue
            if container_id is not None and executor.container_id != container_id:
                continue
            found.append(await self._measure(framework, executor))
        return found

    async def _measure(self, framework: Framework, executor: Executor) -> ContainerUse:
        statistics: v0.ResourceStatistics | None = None
        status: v0.ContainerStatus | None = None
        try:
            statistics = await self._containerizer.usage(executor.container_id)
            status = await self._containerizer.status(executor.container_id)
        except MesosError:
            # It ended while it was measured; what is known of it is shown.
            pass
        return ContainerUse(framework, executor, statistics, status)
