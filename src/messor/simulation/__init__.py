"""A whole cluster in one thread: virtual time, and a network made of a seed.

The same Master, Agent, executors and driver sessions run here as in production; only their Host differs. Nothing in
this package opens a socket, starts a process or looks at the real clock, so a run is a function of its seed. It may
import everything below; nothing but tests and tools imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from messor.simulation.cluster import Cluster
    from messor.simulation.driver import SimulatedDriver, SimulatedScheduler
    from messor.simulation.world import SimulationFailed

PLACES = {
    "Cluster": "messor.simulation.cluster",
    "SimulatedDriver": "messor.simulation.driver",
    "SimulatedScheduler": "messor.simulation.driver",
    "SimulationFailed": "messor.simulation.world",
}
"""What framework authors need, and where it is: loaded when asked for, as clusters need everything below."""

__all__ = ["Cluster", "SimulatedDriver", "SimulatedScheduler", "SimulationFailed"]


def __getattr__(name: str) -> Any:
    """Load a name on first use."""
    if name in PLACES:
        import importlib

        return getattr(importlib.import_module(PLACES[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
