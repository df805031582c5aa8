"""``PesosExecutorDriver``: the executor driver with snake_case methods."""

from __future__ import annotations

from typing import Any

from messor.drivers.executor.callbacks import MesosExecutorDriver


class PesosExecutorDriver(MesosExecutorDriver):
    """A MesosExecutorDriver made and called the way pesos was; the camelCase names work too."""

    def __init__(self, executor: Any, context: Any = None) -> None:
        """Take pesos' arguments; context belonged to its own libprocess and must be left out."""
        if context is not None:
            raise TypeError("a compactor context cannot be shared: leave the second argument out")
        super().__init__(executor)

    send_status_update = MesosExecutorDriver.sendStatusUpdate
    send_framework_message = MesosExecutorDriver.sendFrameworkMessage
