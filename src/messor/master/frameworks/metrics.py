"""Metrics of each framework, live or completed, under ``master/frameworks/<name>/<id>/``."""

from __future__ import annotations

from urllib.parse import quote

from messor.master.flags import MasterFlags
from messor.master.metrics import MasterMetrics
from messor.master.state.counts import CALLS, EVENTS, OPERATIONS
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.model.task_states import TERMINAL_STATES
from messor.protos import v0, v0_scheduler
from messor.wire.upid import Upid

LIVING = tuple(sorted(number for number in v0.TaskState.values() if number not in TERMINAL_STATES))


class FrameworkMetrics:
    """Writes the counts of frameworks as metrics, when a snapshot is asked for."""

    def __init__(self, *, state: MasterState, metrics: MasterMetrics, flags: MasterFlags) -> None:
        """Register with the process's metrics unless --publish_per_framework_metrics is off."""
        self.state = state
        if flags.publish_per_framework_metrics:
            metrics.metrics.source("master/frameworks", self.read)

    def read(self) -> dict[str, float]:
        """Give all numbers of all frameworks this master remembers."""
        values: dict[str, float] = {}
        for framework in (*self.state.frameworks.values(), *self.state.completed_frameworks.values()):
            values.update(of_framework(framework))
        return values


class PrincipalMetrics:
    """Counts the messages of pid frameworks by principal, as ``frameworks/<principal>/messages_…`` (X4).

    A principal is shown while a framework with it is registered.
    """

    def __init__(self, *, state: MasterState, metrics: MasterMetrics) -> None:
        """Register with the process's metrics."""
        self.state = state
        self._counts: dict[str, list[int]] = {}
        metrics.metrics.source("frameworks/", self.read)

    def of(self, sender: Upid) -> list[int] | None:
        """Give the counts of received and processed messages to increment for a sender; None for most senders."""
        framework = self.state.frameworks_by_pid.get(sender)
        if framework is None or not framework.info.principal:
            return None
        return self._counts.setdefault(framework.info.principal, [0, 0])

    def read(self) -> dict[str, float]:
        """Give the numbers of all principals that have a framework, and forget those of others."""
        present = {framework.info.principal for framework in self.state.frameworks.values()} - {""}
        self._counts = {principal: self._counts.get(principal, [0, 0]) for principal in present}
        values: dict[str, float] = {}
        for principal, (received, processed) in self._counts.items():
            values[f"frameworks/{principal}/messages_received"] = float(received)
            values[f"frameworks/{principal}/messages_processed"] = float(processed)
        return values


def of_framework(framework: FrameworkRecord) -> dict[str, float]:
    """Give the metrics of one framework by full name."""
    prefix = f"master/frameworks/{quote(framework.info.name, safe='')}/{framework.id}/"
    counts = framework.counts
    values: dict[str, float] = {
        "subscribed": float(framework.is_connected),
        "calls": sum(counts.calls),
        "events": sum(counts.events),
        "operations": sum(counts.operations),
        "offers/sent": counts.offers_sent,
        "offers/accepted": counts.offers_accepted,
        "offers/declined": counts.offers_declined,
        "offers/rescinded": counts.offers_rescinded,
    }
    for kind, numbers, counted, name in (
        ("calls", CALLS, counts.calls, v0_scheduler.Call.Type.Name),
        ("events", EVENTS, counts.events, v0_scheduler.Event.Type.Name),
        ("operations", OPERATIONS, counts.operations, v0.Offer.Operation.Type.Name),
        ("tasks/terminal", sorted(TERMINAL_STATES), counts.terminal, v0.TaskState.Name),
    ):
        for number in numbers:
            values[f"{kind}/{name(number).lower()}"] = counted[number]
    living = dict.fromkeys(LIVING, 0)
    for task in framework.tasks.values():
        if task.state in living:
            living[task.state] += 1
    living[v0.TASK_UNREACHABLE] += len(framework.unreachable_tasks)
    for state, number in living.items():
        values[f"tasks/active/{v0.TaskState.Name(state).lower()}"] = number
    for role in framework.roles:
        values[f"roles/{role}/suppressed"] = float(role in framework.suppressed_roles)
    return {prefix + name: float(value) for name, value in values.items()}
