"""What everybody who looks for the leading master relies on."""

from __future__ import annotations

from typing import Protocol

from messor.protos import v0


class Detector(Protocol):
    """Tell who leads."""

    async def detect(self, previous: v0.MasterInfo | None = None) -> v0.MasterInfo | None:
        """Wait until the leader differs from previous and give it; None means that nobody leads.

        Call in a loop with the last answer. A MesosError is final: detection cannot go on.
        """
        ...

    def close(self) -> None:
        """Stop detecting; pending detect() calls are cancelled."""
        ...
