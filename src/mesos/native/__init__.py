"""``mesos.native``: both drivers, as the C++ bindings had them."""

from mesos.executor import MesosExecutorDriver
from mesos.scheduler import MesosSchedulerDriver

__all__ = ["MesosExecutorDriver", "MesosSchedulerDriver"]
