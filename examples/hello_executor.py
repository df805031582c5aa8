"""An executor of one's own: it squares numbers that arrive as task data, and answers messages.

    python examples/hello_executor.py [MASTER]

Started by an agent (MESOS_SLAVE_PID is set then) it is the executor; started by you it is the scheduler.
"""

import os
import sys
import threading

from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver

NUMBERS = (3, 7, 12)


class Squares(Executor):
    """Works in threads: callbacks must not block."""

    def launchTask(self, driver, task):
        """Start a thread."""
        threading.Thread(target=self.work, args=(driver, task)).start()

    def work(self, driver, task):
        """Square the number."""
        self.tell(driver, task, mesos_pb2.TASK_RUNNING)
        self.tell(driver, task, mesos_pb2.TASK_FINISHED, str(int(task.data) ** 2).encode())

    def tell(self, driver, task, state, data=b""):
        """Report a state."""
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=state, data=data))

    def frameworkMessage(self, driver, message):
        """Answer."""
        driver.sendFrameworkMessage(b"you said " + message)


class Asker(Scheduler):
    """Launches a task per number under one executor."""

    def __init__(self):
        self.left = list(NUMBERS)
        self.running = 0

    def resourceOffers(self, driver, offers):
        """Use what is offered."""
        for offer in offers:
            tasks = [self.task(offer, self.left.pop()) for _ in list(self.left)]
            self.running += len(tasks)
            driver.launchTasks(offer.id, tasks)

    def task(self, offer, number):
        """Describe a task for our executor."""
        task = mesos_pb2.TaskInfo(name=f"square {number}", slave_id=offer.slave_id, data=str(number).encode())
        task.task_id.value = f"square-{number}"
        task.executor.executor_id.value = "squares"
        task.executor.command.value = f"exec '{sys.executable}' '{os.path.abspath(__file__)}'"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 0.1
        task.resources.add(name="mem", type=mesos_pb2.Value.SCALAR).scalar.value = 32
        return task

    def statusUpdate(self, driver, status):
        """Follow the task."""
        state = mesos_pb2.TaskState.Name(status.state)
        print(status.task_id.value, state, status.data.decode())
        if state not in ("TASK_STARTING", "TASK_RUNNING"):
            self.running -= 1
            if not self.running:
                driver.sendFrameworkMessage(status.executor_id, status.slave_id, b"goodbye")

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        """End with the answer."""
        print("The executor:", message.decode())
        driver.stop()


if "MESOS_SLAVE_PID" in os.environ:
    MesosExecutorDriver(Squares()).run()
else:
    framework = mesos_pb2.FrameworkInfo(user="", name="squares", failover_timeout=3600)
    driver = MesosSchedulerDriver(Asker(), framework, sys.argv[1] if len(sys.argv) > 1 else "local")
    sys.exit(0 if driver.run() == mesos_pb2.DRIVER_STOPPED else 1)
