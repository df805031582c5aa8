#!/usr/bin/env python3
"""The test framework of the pesos driver: 250 tasks over 5 executors, launched from a thread of its own.

Each task names an executor that is plain ``ping``: it never registers, so its tasks end as TASK_FAILED when ping exits
or after the registration timeout. What is shown is the driver: strings as offer ids, snake_case calls, calls from
another thread, tasks that share an executor.

    python examples/pesos_test_framework.py [MASTER] [HOST TO PING]
"""

from __future__ import annotations

import logging
import queue
import sys
import threading

from mesos.interface import Scheduler
from pesos.scheduler import PesosSchedulerDriver
from pesos.vendor.mesos import mesos_pb2

log = logging.getLogger("pesos_test_framework")

TASKS = 50
EXECUTORS = 5

TERMINAL = {mesos_pb2.TASK_FINISHED, mesos_pb2.TASK_FAILED, mesos_pb2.TASK_KILLED, mesos_pb2.TASK_LOST}


class TestScheduler(Scheduler):
    """Launches everything in its queue and stops when all of it ended."""

    TASK_CPU = 0.1
    TASK_MEM = 2

    def __init__(self, tasks: queue.Queue) -> None:
        """Take (executor number, task number, arguments) triples."""
        self.tasks = tasks
        self.total = tasks.qsize()
        self.ended: dict[str, int] = {}
        self.lock = threading.Lock()

    def registered(self, driver, frameworkId, masterInfo):
        """Say who we are."""
        log.info("Registered framework %s", frameworkId.value)

    def resourceOffers(self, driver, offers):
        """Handle offers in a thread of our own, as a scheduler that must not block does."""
        threading.Thread(target=self.handle_offers, args=(driver, list(offers)), daemon=True).start()

    def handle_offers(self, driver, offers):
        """Fill each offer with as many tasks as fit."""
        with self.lock:
            for offer in offers:
                amounts = {resource.name: resource.scalar.value for resource in offer.resources}
                cpus, mem = amounts.get("cpus", 0), amounts.get("mem", 0)
                batch = []
                while cpus >= self.TASK_CPU and mem >= self.TASK_MEM and not self.tasks.empty():
                    cpus -= self.TASK_CPU
                    mem -= self.TASK_MEM
                    batch.append(self.build_task(offer, *self.tasks.get()))
                if batch:
                    driver.launch_tasks([offer.id.value], batch)
                else:
                    driver.decline_offer(offer.id.value)

    def build_task(self, offer, executor, number, arguments):
        """Build one task of one of the executors."""
        task = mesos_pb2.TaskInfo()
        task.name = "Test Task of Silence"
        task.task_id.value = f"{executor}:{number}"
        task.slave_id.MergeFrom(offer.slave_id)
        for name, amount in (("cpus", self.TASK_CPU), ("mem", self.TASK_MEM)):
            resource = task.resources.add()
            resource.name = name
            resource.type = mesos_pb2.Value.SCALAR
            resource.scalar.value = amount
        task.executor.executor_id.value = str(executor)
        task.executor.framework_id.value = offer.framework_id.value
        task.executor.command.value = f"ping {arguments[0]} -c 20"
        return task

    def statusUpdate(self, driver, status):
        """Count ends; stop when everything ended."""
        name = mesos_pb2.TaskState.Name(status.state)
        log.info("Task %s is %s %s", status.task_id.value, name, status.message)
        if status.state in TERMINAL:
            self.ended[status.task_id.value] = status.state
            if len(self.ended) == self.total:
                driver.stop()

    def error(self, driver, message):
        """Say why the driver gave up."""
        log.error("There was an error: %s", message)


def main() -> int:
    """Run the framework; 0 when every task ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    master = sys.argv[1] if len(sys.argv) > 1 else "master@127.0.0.1:5050"
    target = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    tasks: queue.Queue = queue.Queue()
    for number in range(TASKS):
        for executor in range(EXECUTORS):
            tasks.put((executor, number, [target]))
    framework = mesos_pb2.FrameworkInfo(name="Test Python Framework of Silence", user="root")
    scheduler = TestScheduler(tasks)
    driver = PesosSchedulerDriver(scheduler, framework, master)
    driver.start()
    driver.join()
    counts = {name: list(scheduler.ended.values()).count(state) for name, state in mesos_pb2.TaskState.items()}
    log.info("Ended: %s", ", ".join(f"{count} {name}" for name, count in counts.items() if count))
    return 0 if len(scheduler.ended) == scheduler.total else 1


if __name__ == "__main__":
    sys.exit(main())
