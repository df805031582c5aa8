"""Messor: a two-level cluster scheduler, wire-compatible with Apache Mesos.

This package root holds only the version and two lazily loaded names, so that ``import messor`` stays cheap: import what
you need from its sub-packages (``messor.drivers``, ``messor.local``, …).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from messor.local.cluster import LocalCluster

__version__ = "0.1.0"

MESOS_VERSION = "1.11.0"
"""The Mesos version whose behaviour and wire Messor speaks; reported wherever Mesos reports its own."""

__all__ = ["MESOS_VERSION", "LocalCluster", "__version__"]


def __getattr__(name: str) -> Any:
    """Load LocalCluster on first use only; it needs the whole runtime."""
    if name == "LocalCluster":
        from messor.local.cluster import LocalCluster

        return LocalCluster
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
