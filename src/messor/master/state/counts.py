"""What was counted of one framework: plain numbers that hot paths add to, and metrics read when somebody asks."""

from __future__ import annotations

from messor.protos import v0, v0_scheduler

CALLS = tuple(number for number in v0_scheduler.Call.Type.values() if number)
EVENTS = tuple(number for number in v0_scheduler.Event.Type.values() if number)
OPERATIONS = tuple(number for number in v0.Offer.Operation.Type.values() if number)


class FrameworkCounts:
    """Counters since this master knows the framework, by number of the enum each is about."""

    __slots__ = (
        "calls",
        "events",
        "offers_accepted",
        "offers_declined",
        "offers_rescinded",
        "offers_sent",
        "operations",
        "terminal",
    )

    def __init__(self) -> None:
        """Start at zero."""
        self.calls = [0] * (max(CALLS) + 1)
        self.events = [0] * (max(EVENTS) + 1)
        self.operations = [0] * (max(OPERATIONS) + 1)
        self.terminal = [0] * (max(v0.TaskState.values()) + 1)
        """Tasks that ended, by state."""
        self.offers_sent = 0
        self.offers_accepted = 0
        self.offers_declined = 0
        self.offers_rescinded = 0
