"""``mesos.v1.scheduler.MesosSchedulerDriver``: the blocking driver with v1 messages, over the v1 HTTP API."""

from __future__ import annotations

from typing import Any

from mesos.v1.twins import to_v1
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver as ClassicDriver

__all__ = ["MesosSchedulerDriver"]


class MesosSchedulerDriver(ClassicDriver):
    """A scheduler driver whose callbacks get v1 messages and whose calls take them."""

    def __init__(self, scheduler: Any, framework: Any, master: str, *arguments: Any, **settings: Any) -> None:
        """Take what the classic driver takes; the transport is v1 HTTP unless another is named."""
        settings["transport"] = settings.get("transport") or "http"
        super().__init__(scheduler, framework, master, *arguments, **settings)

    def _deliver(self, name: str, *arguments: Any) -> bool:
        return super()._deliver(name, *map(to_v1, arguments))
