"""Where pesos kept the interfaces; they are those of ``mesos.interface``."""

from mesos.interface import Executor, ExecutorDriver, Scheduler, SchedulerDriver

__all__ = ["Executor", "ExecutorDriver", "Scheduler", "SchedulerDriver"]
