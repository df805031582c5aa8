"""Removing a framework: by its own TEARDOWN, by an operator, or because it did not come back in time (M6)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import FrameworkState
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.master.tasks.executors import Executors
from messor.master.tasks.statuses import made_update
from messor.master.tasks.updates import TaskUpdates
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.host import Host

log = logging.getLogger(__name__)


class FrameworkRemoval(Component):
    """Ends frameworks."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        metrics: MasterMetrics,
        host: Host,
        updates: TaskUpdates,
        executors: Executors,
        rescinder: Rescinder,
    ) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.clock = host.clock
        self.updates = updates
        self.executors = executors
        self.rescinder = rescinder
        self._torn_down = metrics.counter("messages_unregister_framework")

    def tear_down(self, framework: FrameworkRecord) -> None:
        """Remove a framework that asked for it."""
        log.info("Processing TEARDOWN call for framework %s", framework.id)
        self._torn_down.value += 1
        self.remove(framework)

    def remove(self, framework: FrameworkRecord) -> None:
        """Remove a framework: its tasks count as killed although agents only now hear of it (trap 13)."""
        log.info("Removing framework %s", framework.id)
        if framework.is_active:
            self.allocator.deactivate_framework(framework.id)
        self.rescinder.discard_framework(framework)
        message = internal.ShutdownFrameworkMessage()
        message.framework_id.value = framework.id
        for agent in self.state.agents.values():
            self.outbox.to_agent(agent, message)
        for task in list(framework.tasks.values()):
            self.updates.apply(task, self._killed(task))
            self.updates.remove(task)
        for task in framework.unreachable_tasks.values():
            self.updates.apply(task, self._killed(task))
            framework.completed_tasks.append(task)
        framework.unreachable_tasks.clear()
        for agent_id, executors in list(framework.executors.items()):
            holder = self.state.agents.get(agent_id)
            if holder is not None:
                for executor_id in list(executors):
                    self.executors.remove(holder, framework.id, executor_id)
        self._complete(framework)

    def _killed(self, task: TaskRecord) -> internal.StatusUpdate:
        return made_update(
            framework_id=task.framework_id,
            agent_id=task.agent_id,
            task_id=task.id,
            state=v0.TASK_KILLED,
            reason=v0.TaskStatus.REASON_FRAMEWORK_REMOVED,
            message=f"Framework {task.framework_id} removed",
            now=self.clock.now(),
            executor_id=task.executor_id,
        )

    def _complete(self, framework: FrameworkRecord) -> None:
        if framework.failover_timer is not None:
            framework.failover_timer.cancel()
            framework.failover_timer = None
        if framework.stream is not None:
            framework.stream.pipe.close()
            framework.stream = None
        pid = framework.pid
        framework.unregistered_at = self.clock.now()
        framework.become(FrameworkState.COMPLETED)
        self.allocator.remove_framework(framework.id)
        for agent_id in sorted(self.state.complete_framework(framework)):
            agent = self.state.agents[agent_id]
            self.allocator.update_agent(agent.id, agent.info, agent.total, agent.capabilities)
        framework.pid = pid  # completed frameworks still show where they were
        if pid is not None:
            self.outbox.unlink(pid)
        self.state.signals.framework_removed(framework)
