"""The master's metrics, under the names of Mesos.

Counters are attributes that whoever counts increments. Gauges are worked out from the state when somebody asks: a
snapshot is rare, an event is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from messor.master.state.agent import AgentRecord
from messor.master.state.tables import MasterState
from messor.model.resources import Resources
from messor.protos import v0
from messor.runtime.host import Clock
from messor.runtime.metrics import Counter, Metrics

RESOURCES = ("cpus", "gpus", "mem", "disk")

ENDED: dict[int, str] = {
    v0.TASK_FINISHED: "tasks_finished",
    v0.TASK_FAILED: "tasks_failed",
    v0.TASK_KILLED: "tasks_killed",
    v0.TASK_LOST: "tasks_lost",
    v0.TASK_ERROR: "tasks_error",
    v0.TASK_DROPPED: "tasks_dropped",
    v0.TASK_GONE: "tasks_gone",
    v0.TASK_GONE_BY_OPERATOR: "tasks_gone_by_operator",
}
"""Counter of each terminal state."""

LIVING: dict[int, str] = {
    v0.TASK_STAGING: "tasks_staging",
    v0.TASK_STARTING: "tasks_starting",
    v0.TASK_RUNNING: "tasks_running",
    v0.TASK_KILLING: "tasks_killing",
}
"""Gauge of each state a task on an agent can be in; TASK_UNREACHABLE ones are kept elsewhere."""

OPERATIONS = (
    "create",
    "create_disk",
    "destroy",
    "destroy_disk",
    "grow_volume",
    "reserve",
    "shrink_volume",
    "unreserve",
)
"""Offer operations that are counted one by one."""

OUTCOMES = (
    "dropped",
    "error",
    "failed",
    "finished",
    "gone_by_operator",
    "pending",
    "recovering",
    "total",
    "unreachable",
)
"""How many offer operations there were, and what became of them."""

COUNTERS = (
    "dropped_messages",
    "http_cache_hits",
    *(
        f"messages_{kind}"
        for kind in (
            "register_framework",
            "reregister_framework",
            "unregister_framework",
            "deactivate_framework",
            "kill_task",
            "status_update_acknowledgement",
            "operation_status_update_acknowledgement",
            "resource_request",
            "launch_tasks",
            "decline_offers",
            "revive_offers",
            "suppress_offers",
            "reconcile_tasks",
            "reconcile_operations",
            "framework_to_executor",
            "executor_to_framework",
            "register_slave",
            "reregister_slave",
            "unregister_slave",
            "status_update",
            "operation_status_update",
            "exited_executor",
            "update_slave",
            "authenticate",
        )
    ),
    *(
        f"{validity}_{kind}"
        for validity in ("valid", "invalid")
        for kind in (
            "framework_to_executor_messages",
            "executor_to_framework_messages",
            "status_updates",
            "status_update_acknowledgements",
            "operation_status_updates",
            "operation_status_update_acknowledgements",
        )
    ),
    *ENDED.values(),
    "slave_registrations",
    "slave_reregistrations",
    "slave_removals",
    "slave_removals/reason_unhealthy",
    "slave_removals/reason_unregistered",
    "slave_removals/reason_registered",
    "slave_shutdowns_scheduled",
    "slave_shutdowns_completed",
    "slave_shutdowns_canceled",
    "slave_unreachable_scheduled",
    "slave_unreachable_completed",
    "slave_unreachable_canceled",
    "recovery_slave_removals",
    *(f"operations/{outcome}" for outcome in OUTCOMES),
    *(f"operations/{kind}/{outcome}" for kind in OPERATIONS for outcome in OUTCOMES),
)
"""Counters below ``master/`` that a snapshot shows from the start, with or without events."""


class MasterMetrics:
    """All metrics below ``master/`` and those of the machine."""

    def __init__(self, metrics: Metrics, state: MasterState, clock: Clock) -> None:
        """Register everything, at zero."""
        self.metrics = metrics
        self.state = state
        self.clock = clock
        for name in COUNTERS:
            self.counter(name)
        self.slave_registrations = self.counter("slave_registrations")
        self.slave_reregistrations = self.counter("slave_reregistrations")
        self.slave_removals = self.counter("slave_removals")
        self.removals_unhealthy = self.counter("slave_removals/reason_unhealthy")
        self.removals_unregistered = self.counter("slave_removals/reason_unregistered")
        self.removals_registered = self.counter("slave_removals/reason_registered")
        self.unreachable_scheduled = self.counter("slave_unreachable_scheduled")
        self.unreachable_completed = self.counter("slave_unreachable_completed")
        self.unreachable_canceled = self.counter("slave_unreachable_canceled")
        self.recovery_removals = self.counter("recovery_slave_removals")
        self.event_stream_subscribers: Callable[[], int] = lambda: 0
        """Whoever serves the operator event stream tells how many read it."""
        self._reasons: dict[tuple[int, int, int], Counter] = {}
        self._ended: dict[int, Counter] = {state: self.counter(name) for state, name in ENDED.items()}
        self._register_gauges()

    def counter(self, name: str) -> Counter:
        """Get or make the counter ``master/<name>``."""
        return self.metrics.counter(f"master/{name}")

    def task_ended(self, state: int, source: int, reason: int | None) -> None:
        """Count a task that became terminal (or unreachable), in total and by source and reason."""
        ended = self._ended.get(state)
        if ended is not None:
            ended.value += 1
        if reason is None:
            return
        key = (state, source, reason)
        counter = self._reasons.get(key)
        if counter is None:
            kinds = v0.TaskStatus
            counter = self._reasons[key] = self.counter(
                "/".join(
                    (
                        v0.TaskState.Name(state).lower(),
                        kinds.Source.Name(source).lower(),
                        kinds.Reason.Name(reason).lower(),
                    )
                )
            )
        counter.value += 1

    # --- gauges ------------------------------------------------------------------------------------------------------

    def _register_gauges(self) -> None:
        gauges: dict[str, Callable[[], float]] = {
            "uptime_secs": lambda: self.clock.now() - self.state.started_at,
            "elected": lambda: float(self.state.elected_at is not None),
            "event_queue_messages": lambda: 0.0,
            "event_queue_dispatches": lambda: 0.0,
            "event_queue_http_requests": lambda: 0.0,
            "outstanding_offers": lambda: float(len(self.state.offers)),
            "operator_event_stream_subscribers": lambda: float(self.event_stream_subscribers()),
            "slaves_connected": lambda: self._agents(lambda agent: agent.is_connected),
            "slaves_disconnected": lambda: self._agents(lambda agent: not agent.is_connected),
            "slaves_active": lambda: self._agents(lambda agent: agent.is_active),
            "slaves_inactive": lambda: self._agents(lambda agent: not agent.is_active),
            "slaves_unreachable": lambda: float(len(self.state.unreachable_agents)),
            "frameworks_connected": lambda: float(sum(f.is_connected for f in self.state.frameworks.values())),
            "frameworks_disconnected": lambda: float(sum(not f.is_connected for f in self.state.frameworks.values())),
            "frameworks_active": lambda: float(sum(f.is_active for f in self.state.frameworks.values())),
            "frameworks_inactive": lambda: float(sum(not f.is_active for f in self.state.frameworks.values())),
            "tasks_unreachable": lambda: float(
                sum(len(framework.unreachable_tasks) for framework in self.state.frameworks.values())
            ),
        }
        for name, read in gauges.items():
            self.metrics.gauge(f"master/{name}", read)
        for state, name in LIVING.items():
            self.metrics.gauge(f"master/{name}", lambda state=state: self._tasks(state))  # type: ignore[misc]
        for name in RESOURCES:
            self._register_resource(name, "", Resources.nonrevocable)
            self._register_resource(name, "_revocable", Resources.revocable)

    def _register_resource(self, name: str, kind: str, part: Callable[[Resources], Resources]) -> None:
        def total() -> float:
            return _sum(name, (part(agent.total) for agent in self.state.agents.values()))

        def used() -> float:
            return _sum(name, (part(used) for agent in self.state.agents.values() for used in agent.used.values()))

        def percent() -> float:
            there = total()
            return used() / there if there > 0 else 0.0

        self.metrics.gauge(f"master/{name}{kind}_total", total)
        self.metrics.gauge(f"master/{name}{kind}_used", used)
        self.metrics.gauge(f"master/{name}{kind}_percent", percent)

    def _agents(self, condition: Callable[[AgentRecord], bool]) -> float:
        return float(sum(condition(agent) for agent in self.state.agents.values()))

    def _tasks(self, state: int) -> float:
        return float(sum(task.state == state for task in self.state.tasks()))


def _sum(name: str, bags: Iterable[Resources]) -> float:
    """Add up one scalar; thousandths are added as integers, so that 0.1 + 0.2 is 0.3."""
    return sum(bag.scalars().get(name, 0) for bag in bags) / 1000
