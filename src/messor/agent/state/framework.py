"""One framework as the agent knows it."""

from __future__ import annotations

from collections import deque

from messor.agent.state.executor import Executor
from messor.agent.state.lifecycles import FRAMEWORK_CHANGES, FrameworkState, moved
from messor.protos import v0
from messor.wire.upid import Upid


class Framework:
    """A framework with executors or pending tasks here."""

    __slots__ = (
        "_partition_aware",
        "completed_executors",
        "executors",
        "id",
        "info",
        "owners",
        "pid",
        "state",
    )

    def __init__(self, info: v0.FrameworkInfo, pid: Upid | None, max_completed_executors: int) -> None:
        """Take over the info; pid is None for frameworks that subscribed over HTTP."""
        self.id = info.id.value
        self.pid = pid
        self.state = FrameworkState.RUNNING
        self.executors: dict[str, Executor] = {}
        self.completed_executors: deque[Executor] = deque(maxlen=max_completed_executors)
        self.owners: dict[str, Executor] = {}
        """Executors by the ids of their queued, launched and unacknowledged tasks: every update looks one up."""
        self.update(info)

    def update(self, info: v0.FrameworkInfo) -> None:
        """Take over a changed description."""
        self.info = info
        self._partition_aware = any(
            capability.type == v0.FrameworkInfo.Capability.PARTITION_AWARE for capability in info.capabilities
        )

    def become(self, state: FrameworkState) -> None:
        """Change state; raises Broken when the change is illegal."""
        self.state = moved(FRAMEWORK_CHANGES, self.state, state)

    @property
    def is_partition_aware(self) -> bool:
        """Whether it is told the finer terminal states instead of TASK_LOST."""
        return self._partition_aware

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is left here."""
        return not self.executors

    def told(self, state: v0.TaskState) -> v0.TaskState:
        """Give the state to report: TASK_LOST unless the framework is PARTITION_AWARE."""
        return state if self._partition_aware else v0.TASK_LOST

    def knows_task(self, task_id: str) -> bool:
        """Whether a task is queued, launched or unacknowledged here."""
        return task_id in self.owners
