"""One machine that is in maintenance or about to be; those that are up have no record."""

from __future__ import annotations

from dataclasses import dataclass

from messor.protos import v0


@dataclass(slots=True)
class Machine:
    """What is planned for it; mode is ``MachineInfo.DRAINING`` or ``DOWN``."""

    id: v0.MachineID
    mode: int
    unavailability: v0.Unavailability
