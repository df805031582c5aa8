"""What v1 schedulers and executors implement, and the messages they exchange with ``/api/v1``.

The callbacks are the classic ones under v1 names; run them with ``mesos.v1.scheduler.MesosSchedulerDriver`` and
``mesos.v1.executor.MesosExecutorDriver``.
"""

from __future__ import annotations

from typing import Any

from mesos.interface import Executor as ClassicExecutor
from mesos.interface import ExecutorDriver, SchedulerDriver
from mesos.interface import Scheduler as ClassicScheduler
from mesos.v1.interface import executor_pb2, mesos_pb2, scheduler_pb2

__all__ = [
    "Executor",
    "ExecutorDriver",
    "Scheduler",
    "SchedulerDriver",
    "executor_pb2",
    "mesos_pb2",
    "scheduler_pb2",
]


class Scheduler(ClassicScheduler):
    """Base class for schedulers that get v1 messages: ``agent_id`` where the classic ones have ``slave_id``."""

    def agentLost(self, driver: Any, agentId: Any) -> None:
        """Hear that an agent is gone; slaveLost calls it."""

    def slaveLost(self, driver: Any, slaveId: Any) -> None:
        """Hear that an agent is gone, under its classic name."""
        self.agentLost(driver, slaveId)


class Executor(ClassicExecutor):
    """Base class for executors that get v1 messages."""
