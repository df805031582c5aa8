"""``mesos.v1.executor.MesosExecutorDriver``: the blocking driver with v1 messages, over the v1 HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesos.v1.twins import to_v1
from messor.drivers.executor.callbacks import MesosExecutorDriver as ClassicDriver

__all__ = ["MesosExecutorDriver"]


class MesosExecutorDriver(ClassicDriver):
    """An executor driver whose callbacks get v1 messages and whose calls take them."""

    def __init__(self, executor: Any, environment: Mapping[str, str] | None = None, *, transport: str = "http") -> None:
        """Take what the classic driver takes; the transport is v1 HTTP unless another is named."""
        super().__init__(executor, environment, transport=transport)

    def _deliver(self, name: str, *arguments: Any) -> None:
        super()._deliver(name, *map(to_v1, arguments))
