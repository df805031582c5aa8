"""An executor written for one of the bindings: it runs a task, answers a message and ends the task when it is killed.

binding_executor.py v1|v1-libprocess|v1-json|pesos|json
"""

import sys


def v1(transport):
    """Give the parts of mesos.v1."""
    from mesos.v1.executor import MesosExecutorDriver
    from mesos.v1.interface import Executor
    from mesos.v1.interface import mesos_pb2 as messages

    return MesosExecutorDriver, Executor, messages, {"transport": transport}


def pesos():
    """Give the parts of pesos."""
    from pesos.api import Executor
    from pesos.executor import PesosExecutorDriver
    from pesos.vendor.mesos import mesos_pb2 as messages

    return PesosExecutorDriver, Executor, messages, {}


def json():
    """Give the parts of the classic binding, over JSON."""
    from mesos.executor import MesosExecutorDriver
    from mesos.interface import Executor
    from mesos.interface import mesos_pb2 as messages

    return MesosExecutorDriver, Executor, messages, {"transport": "http+json"}


KINDS = {
    "v1": lambda: v1("http"),
    "v1-libprocess": lambda: v1("libprocess"),
    "v1-json": lambda: v1("http+json"),
    "pesos": pesos,
    "json": json,
}
DRIVER, EXECUTOR, messages, ARGUMENTS = KINDS[sys.argv[1]]()


class Answering(EXECUTOR):
    """Says in the data of its updates what it was given."""

    def registered(self, driver, executorInfo, frameworkInfo, agentInfo):
        self.agent = agentInfo.DESCRIPTOR.full_name
        self.data = executorInfo.data

    def launchTask(self, driver, task):
        assert isinstance(task, messages.TaskInfo), type(task)
        self.update(driver, task.task_id, messages.TASK_RUNNING, self.data + b" " + self.agent.encode())

    def frameworkMessage(self, driver, message):
        send = getattr(driver, "send_framework_message", driver.sendFrameworkMessage)
        send(b"you said " + message)

    def killTask(self, driver, taskId):
        assert isinstance(taskId, messages.TaskID), type(taskId)
        self.update(driver, taskId, messages.TASK_KILLED, b"")

    def shutdown(self, driver):
        driver.stop()

    def update(self, driver, task_id, state, data):
        status = messages.TaskStatus(task_id=task_id, state=state, data=data)
        getattr(driver, "send_status_update", driver.sendStatusUpdate)(status)


sys.exit(0 if DRIVER(Answering(), **ARGUMENTS).run() == messages.DRIVER_STOPPED else 1)
