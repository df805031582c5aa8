#!/usr/bin/env python3
"""Dynamic reservation: keep resources on every agent for one role, run tasks on them, give them back.

On each agent the framework goes through the same steps, each an operation on an offer:

    RESERVE   cpus and memory become its role's: nobody else is offered them, whether it is running or not
    LAUNCH    tasks run on what is reserved, one after the other
    UNRESERVE they become everybody's again

    python examples/dynamic_reservation.py --master=127.0.0.1:5050 --role=web [--tasks=3]
"""

from __future__ import annotations

import argparse
import logging
import sys

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

log = logging.getLogger("reservation")

CPUS = 0.2
MEMORY = 32
ENDED = {mesos_pb2.TASK_FAILED, mesos_pb2.TASK_LOST, mesos_pb2.TASK_ERROR, mesos_pb2.TASK_KILLED}
Operation = mesos_pb2.Offer.Operation
Reservation = mesos_pb2.Resource.ReservationInfo

AFTER_OPERATION = mesos_pb2.Filters(refuse_seconds=0)
"""What is left over may be offered again at once, together with what was reserved."""


def reserved(role, principal):
    """Describe what is reserved on each agent."""
    found = []
    for name, amount in (("cpus", CPUS), ("mem", MEMORY)):
        resource = mesos_pb2.Resource(name=name, type=mesos_pb2.Value.SCALAR)
        resource.scalar.value = amount
        reservation = resource.reservations.add(type=Reservation.DYNAMIC, role=role)
        if principal:
            reservation.principal = principal
        found.append(resource)
    return found


def amounts(offer, wanted):
    """Add up an offer's resources by name: those reserved at run time, or those nobody reserved."""
    found = {}
    for resource in offer.resources:
        dynamic = any(one.type == Reservation.DYNAMIC for one in resource.reservations)
        if resource.type == mesos_pb2.Value.SCALAR and dynamic == wanted:
            found[resource.name] = found.get(resource.name, 0) + resource.scalar.value
    return found


class ReservationScheduler(Scheduler):
    """Knows for each agent how many tasks are still to run there."""

    def __init__(self, resources, tasks):
        """resources: what to reserve on each agent. tasks: how many to run there in all."""
        self.resources = resources
        self.tasks = tasks
        self.left = {}
        """Tasks still to start, by agent."""
        self.running = {}
        """The agent of each task that runs."""
        self.launched = 0
        self.freed = set()
        """Agents that have been given back."""
        self.failure = None

    def registered(self, driver, frameworkId, masterInfo):
        """Say who we are."""
        log.info("Registered as %s", frameworkId.value)

    def resourceOffers(self, driver, offers):
        """Take the next step on each agent that is offered."""
        for offer in offers:
            agent = offer.slave_id.value
            mine = amounts(offer, wanted=True)
            has_reserved = mine.get("cpus", 0) >= CPUS and mine.get("mem", 0) >= MEMORY
            if agent in self.freed:
                driver.declineOffer(offer.id)
            elif agent not in self.left:
                self.reserve(driver, offer)
            elif has_reserved and self.left[agent]:
                self.launch(driver, offer)
            elif has_reserved:
                self.unreserve(driver, offer)
            else:
                driver.declineOffer(offer.id, AFTER_OPERATION)

    def reserve(self, driver, offer):
        """Reserve, if there is enough that nobody reserved."""
        free = amounts(offer, wanted=False)
        if free.get("cpus", 0) < CPUS or free.get("mem", 0) < MEMORY:
            driver.declineOffer(offer.id)
            return
        log.info("Reserving on %s", offer.hostname)
        self.left[offer.slave_id.value] = self.tasks
        operation = Operation(type=Operation.RESERVE)
        operation.reserve.resources.extend(self.resources)
        driver.acceptOffers([offer.id], [operation], AFTER_OPERATION)

    def launch(self, driver, offer):
        """Run the next task on what is reserved."""
        agent = offer.slave_id.value
        task = mesos_pb2.TaskInfo(name="reserved", slave_id=offer.slave_id, resources=self.resources)
        task.task_id.value = str(self.launched)
        task.command.value = "true"
        log.info("Running task %s on %s", task.task_id.value, offer.hostname)
        self.launched += 1
        self.left[agent] -= 1
        self.running[task.task_id.value] = agent
        operation = Operation(type=Operation.LAUNCH)
        operation.launch.task_infos.append(task)
        driver.acceptOffers([offer.id], [operation], AFTER_OPERATION)

    def unreserve(self, driver, offer):
        """Give back what was reserved; end when that is done everywhere."""
        log.info("Unreserving on %s", offer.hostname)
        self.freed.add(offer.slave_id.value)
        operation = Operation(type=Operation.UNRESERVE)
        operation.unreserve.resources.extend(self.resources)
        driver.acceptOffers([offer.id], [operation])
        if self.freed == set(self.left):
            log.info("Done: %d tasks on %d agents", self.launched, len(self.freed))
            driver.stop()

    def statusUpdate(self, driver, status):
        """Note the end of tasks; any bad end aborts."""
        if status.state in ENDED:
            self.failure = f"Task {status.task_id.value} ended as {mesos_pb2.TaskState.Name(status.state)}"
            log.error("%s: %s", self.failure, status.message)
            driver.abort()
        elif status.state == mesos_pb2.TASK_FINISHED:
            self.running.pop(status.task_id.value, None)

    def error(self, driver, message):
        """Say why the driver gave up."""
        log.error("%s", message)


def main() -> int:
    """Run the framework; 0 when every agent's resources were reserved, used and given back."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--master", default="127.0.0.1:5050")
    parser.add_argument("--role", required=True)
    parser.add_argument("--principal", default="")
    parser.add_argument("--tasks", type=int, default=3, help="tasks per agent")
    options = parser.parse_args()
    framework = mesos_pb2.FrameworkInfo(user="", name="Dynamic Reservation", role=options.role)
    framework.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.RESERVATION_REFINEMENT)
    if options.principal:
        framework.principal = options.principal
    scheduler = ReservationScheduler(reserved(options.role, options.principal), options.tasks)
    driver = MesosSchedulerDriver(scheduler, framework, options.master)
    status = driver.run()
    driver.stop()
    return 0 if status == mesos_pb2.DRIVER_STOPPED else 1


if __name__ == "__main__":
    sys.exit(main())
