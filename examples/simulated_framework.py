"""Your own scheduler in virtual time: a day of a nightly job on a cluster that loses its master every few hours.

    python examples/simulated_framework.py [SEED]

The same seed gives the same day, fault by fault.
"""

import sys
import time

from mesos.interface import Scheduler, mesos_pb2
from messor.simulation import Cluster, SimulatedDriver

HOUR = 3600


class Hourly(Scheduler):
    """Runs a ten-minute job every hour."""

    def __init__(self):
        self.started, self.finished, self.reconnections = 0, 0, 0

    def resourceOffers(self, driver, offers):
        """Use what is offered."""
        self.started += 1
        task = mesos_pb2.TaskInfo(name="job", slave_id=offers[0].slave_id)
        task.task_id.value = f"job-{self.started}"
        task.command.value = "sleep 600"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 1
        task.resources.add(name="mem", type=mesos_pb2.Value.SCALAR).scalar.value = 128
        driver.launchTasks(offers[0].id, [task])
        for offer in offers[1:]:
            driver.declineOffer(offer.id)
        driver.suppressOffers()

    def statusUpdate(self, driver, status):
        """Follow the task."""
        if status.state == mesos_pb2.TASK_FINISHED:
            self.finished += 1
            driver.after(HOUR - 600, driver.reviveOffers)

    def reregistered(self, driver, master):
        """Count."""
        self.reconnections += 1


cluster = Cluster(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 1, agents=1, keep_trace=False)
scheduler = Hourly()
framework = mesos_pb2.FrameworkInfo(user="nobody", name="hourly", checkpoint=True, failover_timeout=HOUR)
driver = SimulatedDriver(scheduler, framework, cluster)
begun = time.perf_counter()
driver.start()
for _ in range(8):
    cluster.advance(3 * HOUR)
    cluster.master.restart()
cluster.advance(60)
driver.stop()
cluster.settle()
cluster.close()
print(f"{scheduler.finished} jobs, {scheduler.reconnections} reconnections, {cluster.time / HOUR:.0f} virtual hours")
print(f"in {time.perf_counter() - begun:.1f} real seconds")
