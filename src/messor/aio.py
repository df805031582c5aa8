"""The asyncio API for framework authors: ``Scheduler``, ``Executor``, their events and what calls come to.

Scheduler events stand here by name (``Offers``, ``Update``, …); executor events in ``executor_events``.
"""

from __future__ import annotations

from messor.drivers.executor import events as executor_events
from messor.drivers.executor.aio import Executor, ExecutorFailed
from messor.drivers.outcomes import FrameworkFailed, FrameworkRemoved, Outcome, What, renewed
from messor.drivers.scheduler.aio import Scheduler
from messor.drivers.scheduler.events import (
    AgentLost,
    Disconnected,
    Event,
    ExecutorLost,
    InverseOffers,
    InverseRescinded,
    Message,
    Offers,
    OperationUpdate,
    Registered,
    Reregistered,
    Rescinded,
    Update,
)
from messor.drivers.scheduler.spread import Part, accept_across, share_out

__all__ = [
    "AgentLost",
    "Disconnected",
    "Event",
    "Executor",
    "ExecutorFailed",
    "ExecutorLost",
    "FrameworkFailed",
    "FrameworkRemoved",
    "InverseOffers",
    "InverseRescinded",
    "Message",
    "Offers",
    "OperationUpdate",
    "Outcome",
    "Part",
    "Registered",
    "Reregistered",
    "Rescinded",
    "Scheduler",
    "Update",
    "What",
    "accept_across",
    "executor_events",
    "renewed",
    "share_out",
]
