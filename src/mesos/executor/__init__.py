"""``mesos.executor.MesosExecutorDriver``."""

from messor.drivers.executor.callbacks import MesosExecutorDriver

__all__ = ["MesosExecutorDriver"]
