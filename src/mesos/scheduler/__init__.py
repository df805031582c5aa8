"""``mesos.scheduler.MesosSchedulerDriver``."""

from messor.drivers.scheduler.callbacks import MesosSchedulerDriver

__all__ = ["MesosSchedulerDriver"]
