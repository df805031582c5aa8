#!/usr/bin/env python3
"""Persistent volumes: shards of a data base, each with a volume of its own that outlives its tasks.

A shard's first task comes in one call with what it needs, in this order: RESERVE disk for the role, CREATE a volume of
it, LAUNCH a task that writes into the volume. The shard's other tasks, launched when the volume is offered again, find
what those before them wrote. At the end DESTROY deletes the volume and all that is in it, and UNRESERVE frees the disk.

    python examples/persistent_volume.py --master=127.0.0.1:5050 --role=db [--shards=2] [--tasks_per_shard=3]
"""

from __future__ import annotations

import argparse
import logging
import sys

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

log = logging.getLogger("volumes")

CPUS = 0.1
MEMORY = 32
DISK = 8
ENDED = {mesos_pb2.TASK_FAILED, mesos_pb2.TASK_LOST, mesos_pb2.TASK_ERROR, mesos_pb2.TASK_KILLED}
Operation = mesos_pb2.Offer.Operation
Reservation = mesos_pb2.Resource.ReservationInfo

SOON = mesos_pb2.Filters(refuse_seconds=0)
"""What is left over may be offered again at once."""


def scalar(name, amount):
    """Make a scalar resource that nobody reserved."""
    resource = mesos_pb2.Resource(name=name, type=mesos_pb2.Value.SCALAR)
    resource.scalar.value = amount
    return resource


class Shard:
    """One part of the data base: a volume and the tasks that use it, one after the other."""

    def __init__(self, number, role, tasks):
        """tasks: how many are to run."""
        self.name = f"shard-{number}"
        self.tasks = tasks
        self.launched = 0
        self.is_running = False
        self.is_destroyed = False
        self.disk = scalar("disk", DISK)
        self.disk.reservations.add(type=Reservation.DYNAMIC, role=role)
        self.volume = mesos_pb2.Resource()
        self.volume.CopyFrom(self.disk)
        self.volume.disk.persistence.id = self.name
        self.volume.disk.volume.container_path = "data"
        self.volume.disk.volume.mode = mesos_pb2.Volume.RW

    def is_in(self, offer):
        """Whether an offer holds the shard's volume."""
        return any(one.disk.persistence.id == self.name for one in offer.resources if one.disk.HasField("persistence"))

    def make_volume(self):
        """Make the operations that turn free disk into the volume."""
        reserve, create = Operation(type=Operation.RESERVE), Operation(type=Operation.CREATE)
        reserve.reserve.resources.append(self.disk)
        create.create.volumes.append(self.volume)
        return [reserve, create]

    def destroy_volume(self):
        """Make the operations that delete the volume and free its disk."""
        self.is_destroyed = True
        destroy, unreserve = Operation(type=Operation.DESTROY), Operation(type=Operation.UNRESERVE)
        destroy.destroy.volumes.append(self.volume)
        unreserve.unreserve.resources.append(self.disk)
        return [destroy, unreserve]

    def next_task(self, agent_id):
        """Make the operation that launches the next task: it counts the lines of those before it, and adds one."""
        task = mesos_pb2.TaskInfo(name=self.name, slave_id=agent_id)
        task.task_id.value = f"{self.name}-task-{self.launched}"
        task.resources.extend([scalar("cpus", CPUS), scalar("mem", MEMORY), self.volume])
        count = f"test $(cat data/log 2>/dev/null | wc -l) = {self.launched}"
        task.command.value = f"{count} && echo written by {task.task_id.value} >> data/log"
        self.launched += 1
        self.is_running = True
        launch = Operation(type=Operation.LAUNCH)
        launch.launch.task_infos.append(task)
        return launch


class VolumeScheduler(Scheduler):
    """Takes each shard through its life."""

    def __init__(self, shards):
        """Take the shards."""
        self.shards = shards

    def registered(self, driver, frameworkId, masterInfo):
        """Say who we are."""
        log.info("Registered as %s", frameworkId.value)

    def resourceOffers(self, driver, offers):
        """Use each offer for as many shards as it has room for."""
        for offer in offers:
            free = {}
            for one in offer.resources:
                if not one.reservations and not one.disk.ByteSize():
                    free[one.name] = free.get(one.name, 0) + one.scalar.value
            operations = []
            for shard in self.shards:
                operations += self.step(shard, offer, free)
            driver.acceptOffers([offer.id], operations, SOON if operations else mesos_pb2.Filters(refuse_seconds=1))
        if all(shard.is_destroyed for shard in self.shards):
            log.info("Done: %d volumes made, used and destroyed", len(self.shards))
            driver.stop()

    def step(self, shard, offer, free):
        """Make a shard's next operations on an offer; none when there is nothing to do or no room."""
        is_new = shard.launched == 0
        if shard.is_running or shard.is_destroyed or (not is_new and not shard.is_in(offer)):
            return []
        if shard.launched == shard.tasks:
            log.info("Destroying the volume of %s", shard.name)
            return shard.destroy_volume()
        needs = {"cpus": CPUS, "mem": MEMORY, **({"disk": DISK} if is_new else {})}
        if any(free.get(name, 0) < amount for name, amount in needs.items()):
            return []
        for name, amount in needs.items():
            free[name] -= amount
        log.info("Launching task %d of %s on %s", shard.launched, shard.name, offer.hostname)
        return [*(shard.make_volume() if is_new else []), shard.next_task(offer.slave_id)]

    def statusUpdate(self, driver, status):
        """Note the end of tasks; a task that did not find what it expected fails, which aborts."""
        name = mesos_pb2.TaskState.Name(status.state)
        log.info("Task %s is %s %s", status.task_id.value, name, status.message)
        if status.state in ENDED:
            driver.abort()
        elif status.state == mesos_pb2.TASK_FINISHED:
            for shard in self.shards:
                if status.task_id.value.startswith(f"{shard.name}-"):
                    shard.is_running = False

    def error(self, driver, message):
        """Say why the driver gave up."""
        log.error("%s", message)


def main() -> int:
    """Run the framework; 0 when every shard's tasks found their data and the volumes are gone again."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--master", default="127.0.0.1:5050")
    parser.add_argument("--role", required=True)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--tasks_per_shard", type=int, default=3)
    options = parser.parse_args()
    framework = mesos_pb2.FrameworkInfo(user="", name="Persistent Volume", role=options.role, checkpoint=True)
    framework.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.RESERVATION_REFINEMENT)
    shards = [Shard(number, options.role, options.tasks_per_shard) for number in range(options.shards)]
    driver = MesosSchedulerDriver(VolumeScheduler(shards), framework, options.master)
    status = driver.run()
    driver.stop()
    return 0 if status == mesos_pb2.DRIVER_STOPPED else 1


if __name__ == "__main__":
    sys.exit(main())
