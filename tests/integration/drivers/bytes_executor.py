"""An executor that sends back every byte it gets: a task's data as a message and as the data of its status.

bytes_executor.py TRANSPORT
"""

import sys

from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2


class Echo(Executor):
    """Ends each task when a message comes."""

    def __init__(self) -> None:
        self.task = None
        self.greeting = b""

    def registered(self, driver, executorInfo, frameworkInfo, slaveInfo) -> None:
        self.greeting = executorInfo.data

    def launchTask(self, driver, task) -> None:
        self.task = task
        self.update(driver, mesos_pb2.TASK_RUNNING, task.data)

    def frameworkMessage(self, driver, message) -> None:
        driver.sendFrameworkMessage(self.greeting + message)
        self.update(driver, mesos_pb2.TASK_FINISHED, message)

    def update(self, driver, state, data) -> None:
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=self.task.task_id, state=state, data=data))


MesosExecutorDriver(Echo(), transport=sys.argv[1]).run()
