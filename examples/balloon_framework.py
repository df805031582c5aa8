#!/usr/bin/env python3
"""The balloon framework: one task whose memory grows until a limit.

An executor is launched with some memory; its task allocates more and more. When the task passes the limit it is killed
and fails: the scheduler then aborts its driver, as the founding example does; any other end stops it.

    python examples/balloon_framework.py --master=127.0.0.1:5050 --task_memory_usage_limit=128MB [--task_memory=64MB]

Where memory is not isolated (posix), the executor itself watches its resident size and fails the task, so that the
example shows the same thing on every machine.
"""

from __future__ import annotations

import argparse
import logging
import resource
import shlex
import sys
import threading
import time
from pathlib import Path

from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver

log = logging.getLogger("balloon")

MEGABYTE = 1024 * 1024
STEP = 16 * MEGABYTE
PAUSE = 0.02

TERMINAL = {
    mesos_pb2.TASK_FINISHED,
    mesos_pb2.TASK_FAILED,
    mesos_pb2.TASK_KILLED,
    mesos_pb2.TASK_LOST,
    mesos_pb2.TASK_ERROR,
    mesos_pb2.TASK_DROPPED,
    mesos_pb2.TASK_GONE,
    mesos_pb2.TASK_GONE_BY_OPERATOR,
}


def megabytes(text: str) -> int:
    """Read ``128MB`` or ``1GB`` as megabytes."""
    units = {"MB": 1, "GB": 1024}
    unit = text[-2:].upper()
    if unit not in units or not text[:-2].isdigit():
        raise argparse.ArgumentTypeError(f"expecting a size such as 128MB, not '{text}'")
    return int(text[:-2]) * units[unit]


class BalloonExecutor(Executor):
    """Grows in a thread; the task's data is the limit in megabytes, its resources what it may use."""

    def launchTask(self, driver, task):
        """Start growing."""
        threading.Thread(target=self.grow, args=(driver, task), daemon=True).start()

    def grow(self, driver, task):
        """Allocate until the limit, or until more is used than the task was given."""
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_RUNNING))
        limit = int(task.data)
        allowed = sum(r.scalar.value for r in task.resources if r.name == "mem")
        balloon = []
        status = mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_FINISHED)
        while len(balloon) * STEP < limit * MEGABYTE:
            balloon.append(bytearray(b"x" * STEP))
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{len(balloon) * STEP // MEGABYTE} MB allocated, {used:.0f} MB resident", flush=True)
            if used > allowed:
                status.state = mesos_pb2.TASK_FAILED
                status.reason = mesos_pb2.TaskStatus.REASON_CONTAINER_LIMITATION_MEMORY
                status.message = f"Memory limit exceeded: {used:.0f} MB used, {allowed:.0f} MB allowed"
                break
            time.sleep(PAUSE)
        driver.sendStatusUpdate(status)
        time.sleep(1)  # the update leaves before the driver does
        driver.stop()

    def killTask(self, driver, taskId):
        """End at once."""
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=taskId, state=mesos_pb2.TASK_KILLED))

    def shutdown(self, driver):
        """End."""
        driver.stop()


class BalloonScheduler(Scheduler):
    """Launches the one task on the first offer that is big enough."""

    def __init__(self, executor, limit, memory):
        """Take the ExecutorInfo, the balloon's limit and the task's memory, both in megabytes."""
        self.executor = executor
        self.limit = limit
        self.memory = memory
        self.task_launched = False
        self.final = None

    def registered(self, driver, frameworkId, masterInfo):
        """Say who we are."""
        log.info("Registered as %s", frameworkId.value)

    def resourceOffers(self, driver, offers):
        """Launch once."""
        for offer in offers:
            amounts = {one.name: one.scalar.value for one in offer.resources}
            fits = amounts.get("mem", 0) >= self.memory + 32 and amounts.get("cpus", 0) >= 0.2
            if self.task_launched or not fits:
                driver.declineOffer(offer.id)
                continue
            task = mesos_pb2.TaskInfo(name="Balloon Task", slave_id=offer.slave_id, executor=self.executor)
            task.task_id.value = "1"
            task.data = str(self.limit).encode()
            for name, amount in (("cpus", 0.1), ("mem", self.memory)):
                one = task.resources.add(name=name, type=mesos_pb2.Value.SCALAR)
                one.scalar.value = amount
            log.info("Launching the balloon on %s", offer.hostname)
            driver.launchTasks(offer.id, [task])
            self.task_launched = True

    def statusUpdate(self, driver, status):
        """Abort when the task failed, stop at any other end."""
        name = mesos_pb2.TaskState.Name(status.state)
        log.info("Task is %s %s", name, status.message)
        if status.state in TERMINAL:
            self.final = status
            if status.state == mesos_pb2.TASK_FAILED:
                driver.abort()
            else:
                driver.stop()

    def error(self, driver, message):
        """Say why the driver gave up."""
        log.error("%s", message)


def main() -> int:
    """Run the framework; 0 when the task ended by itself, 1 when it failed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--master", default="127.0.0.1:5050")
    parser.add_argument("--name", default="Balloon Framework")
    parser.add_argument("--task_memory_usage_limit", type=megabytes, required=True)
    parser.add_argument("--task_memory", type=megabytes, default=megabytes("64MB"))
    options = parser.parse_args()
    executor = mesos_pb2.ExecutorInfo(name="Balloon Executor")
    executor.executor_id.value = "default"
    program = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).resolve()))}"
    executor.command.value = f"exec {program} executor"
    for name, amount in (("cpus", 0.1), ("mem", 32)):
        one = executor.resources.add(name=name, type=mesos_pb2.Value.SCALAR)
        one.scalar.value = amount
    scheduler = BalloonScheduler(executor, options.task_memory_usage_limit, options.task_memory)
    framework = mesos_pb2.FrameworkInfo(user="", name=options.name)
    driver = MesosSchedulerDriver(scheduler, framework, options.master)
    status = driver.run()
    driver.stop()
    return 0 if status == mesos_pb2.DRIVER_STOPPED else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["executor"]:
        sys.exit(0 if MesosExecutorDriver(BalloonExecutor()).run() == mesos_pb2.DRIVER_STOPPED else 1)
    sys.exit(main())
