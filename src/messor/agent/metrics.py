"""The agent's metrics, under Mesos' names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.agent.state.lifecycles import AgentState, ExecutorState
from messor.protos import v0

if TYPE_CHECKING:
    from collections.abc import Callable

    from messor.agent.state.tables import Tables
    from messor.runtime.host import Clock
    from messor.runtime.metrics import Metrics

_COUNTED_STATES = {
    v0.TASK_FINISHED: "finished",
    v0.TASK_FAILED: "failed",
    v0.TASK_KILLED: "killed",
    v0.TASK_LOST: "lost",
    v0.TASK_GONE: "gone",
}


class AgentMetrics:
    """Counters as attributes; gauges read the tables when asked."""

    def __init__(self, metrics: Metrics, tables: Tables, clock: Clock) -> None:
        """Register all."""
        self._tables = tables
        counter = metrics.counter
        self.recovery_errors = counter("slave/recovery_errors")
        """Checkpoints that could not be read at start."""
        self.executors_terminated = counter("slave/executors_terminated")
        """Executors whose container ended."""
        self.executors_preempted = counter("slave/executors_preempted")
        """Executors destroyed to give back revocable resources."""
        self.container_launch_errors = counter("slave/container_launch_errors")
        """Containers that could not be started."""
        self.valid_status_updates = counter("slave/valid_status_updates")
        self.invalid_status_updates = counter("slave/invalid_status_updates")
        self.valid_framework_messages = counter("slave/valid_framework_messages")
        self.invalid_framework_messages = counter("slave/invalid_framework_messages")
        self.gc_succeeded = counter("gc/path_removals_succeeded")
        """Sandboxes removed."""
        self.gc_failed = counter("gc/path_removals_failed")
        self.recovery_seconds = 0.0
        """How long recovery took."""
        self.max_allowed_age = 0.0
        """Seconds a sandbox may grow old at the present disk usage."""
        self.gc_pending: Callable[[], int] = int
        for name in ("executors_preempted", "invalid_framework_messages"):
            counter(f"slave/{name}")
        self.task_ends = {state: counter(f"slave/tasks_{name}") for state, name in _COUNTED_STATES.items()}
        """Terminal states reported, by state."""
        for name in (
            "containerizer/mesos/container_destroy_errors",
            "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
            "containerizer/mesos/provisioner/remove_container_errors",
            "containerizer/fetcher/task_fetches_failed",
            "containerizer/fetcher/task_fetches_succeeded",
            "resource_provider_manager/events/disconnect",
            "resource_provider_manager/events/subscribe",
        ):
            counter(name)
        gauge = metrics.gauge
        gauge("slave/uptime_secs", lambda: clock.now() - tables.start_time)
        gauge("slave/registered", lambda: float(tables.state is AgentState.RUNNING))
        gauge("slave/recovery_time_secs", lambda: self.recovery_seconds)
        gauge("slave/executor_directory_max_allowed_age_secs", lambda: self.max_allowed_age)
        gauge("slave/frameworks_active", lambda: float(len(tables.frameworks)))
        gauge("gc/path_removals_pending", lambda: float(self.gc_pending()))
        gauge("resource_provider_manager/subscribed", float)
        for state in (ExecutorState.REGISTERING, ExecutorState.RUNNING, ExecutorState.TERMINATING):
            gauge(f"slave/executors_{state.value.lower()}", _executors_in(tables, state))
        gauge("slave/tasks_staging", self._tasks_staging)
        for name, task_state in (
            ("starting", v0.TASK_STARTING),
            ("running", v0.TASK_RUNNING),
            ("killing", v0.TASK_KILLING),
        ):
            gauge(f"slave/tasks_{name}", self._tasks_in(task_state))
        for name in ("cpus", "gpus", "mem", "disk"):
            self._register_resource(metrics, name)

    def task_ended(self, state: int) -> None:
        """Count a terminal state."""
        counter = self.task_ends.get(state)  # type: ignore[call-overload]
        if counter is not None:
            counter.increment()

    def _tasks_staging(self) -> float:
        """Count tasks that are queued, or launched and not heard of."""
        count = sum(len(executor.queued) for _, executor in self._tables.executors())
        return count + self._tasks_in(v0.TASK_STAGING)()

    def _tasks_in(self, state: int) -> Callable[[], float]:
        def read() -> float:
            return float(
                sum(
                    1
                    for _, executor in self._tables.executors()
                    for task in executor.live_tasks()
                    if task.state == state
                )
            )

        return read

    def _register_resource(self, metrics: Metrics, name: str) -> None:
        total = self._total(name)
        used = self._used(name)
        metrics.gauge(f"slave/{name}_total", total)
        metrics.gauge(f"slave/{name}_used", used)
        metrics.gauge(f"slave/{name}_percent", lambda: used() / total() if total() else 0.0)
        # Revocable resources come from a resource estimator, which no built-in one offers.
        for what in ("total", "used", "percent"):
            metrics.gauge(f"slave/{name}_revocable_{what}", float)

    def _total(self, name: str) -> Callable[[], float]:
        return lambda: self._tables.total.scalar(name) or 0.0

    def _used(self, name: str) -> Callable[[], float]:
        def read() -> float:
            amounts = (
                executor.resources.nonrevocable().scalar(name) or 0.0 for _, executor in self._tables.executors()
            )
            return round(sum(amounts), 3)

        return read


def _executors_in(tables: Tables, state: ExecutorState) -> Callable[[], float]:
    return lambda: float(sum(1 for _, executor in tables.executors() if executor.state is state))
