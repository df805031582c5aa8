"""The smallest framework: run one command as a task and say how it ended.

    python examples/hello_scheduler.py [MASTER]

Without a master it starts a cluster of its own.
"""

import sys

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver


class Hello(Scheduler):
    """Launches one task on the first offer."""

    launched = False

    def registered(self, driver, framework_id, master):
        """Say our id."""
        print("Registered as", framework_id.value)

    def resourceOffers(self, driver, offers):
        """Use what is offered."""
        for offer in offers:
            if self.launched:
                driver.declineOffer(offer.id)
                continue
            self.launched = True
            task = mesos_pb2.TaskInfo(name="hello", slave_id=offer.slave_id)
            task.task_id.value = "hello-1"
            task.command.value = "echo hello from $HOSTNAME"
            task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 0.1
            task.resources.add(name="mem", type=mesos_pb2.Value.SCALAR).scalar.value = 32
            driver.launchTasks(offer.id, [task])

    def statusUpdate(self, driver, status):
        """Follow the task."""
        print(status.task_id.value, mesos_pb2.TaskState.Name(status.state), status.message)
        if status.state not in (mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING):
            driver.stop()

    def error(self, driver, message):
        """Say what is wrong."""
        print("error:", message)


framework = mesos_pb2.FrameworkInfo(user="", name="hello", failover_timeout=3600)
driver = MesosSchedulerDriver(Hello(), framework, sys.argv[1] if len(sys.argv) > 1 else "local")
sys.exit(0 if driver.run() == mesos_pb2.DRIVER_STOPPED else 1)
