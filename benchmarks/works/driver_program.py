"""A framework on Messor's drivers that measures its own CPU; prints one JSON object.

    python -m benchmarks.works.driver_program WORK FACE TRANSPORT MASTER AMOUNT

WORK: reconcile (answers for unknown tasks), launch (tasks to their end), offers (print when a callback begins).
FACE: classic or aio.
"""

import asyncio
import json
import os
import sys
import threading
import time

from messor import aio
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.protos import v0

HOUR = 3600.0
"""Seconds for which leftovers are refused: how often they are offered again must not count."""


def info():
    framework = v0.FrameworkInfo(user="root", name="bench", failover_timeout=60)
    return framework


def task(offer, number):
    one = v0.TaskInfo(name="t")
    one.task_id.value = f"t{number}"
    one.slave_id.CopyFrom(offer.slave_id)
    one.command.value = "true"
    for name, amount in (("cpus", 0.1), ("mem", 32.0)):
        one.resources.add(name=name, type=v0.Value.SCALAR).scalar.value = amount
    return one


def room(offer):
    return int(min(r.scalar.value / 0.1 for r in offer.resources if r.name == "cpus") + 1e-6)


def unknown(total):
    statuses = []
    for number in range(total):
        status = v0.TaskStatus(state=v0.TASK_RUNNING)
        status.task_id.value = f"unknown-{number}"
        status.slave_id.value = "nobody-S0"
        statuses.append(status)
    return statuses


class Classic:
    """Counts in callbacks."""

    def __init__(self, work, total):
        self.work, self.total, self.left, self.launched = work, total, total, 0
        self.statuses = unknown(total) if work == "reconcile" else []
        self.done = threading.Event()
        self.c0 = None

    def registered(self, driver, framework_id, master):
        if self.work == "reconcile":
            self.c0, self.w0 = time.process_time(), time.perf_counter()
            driver.reconcileTasks(self.statuses)
            self.c1 = time.process_time()

    def resourceOffers(self, driver, offers):
        now = time.monotonic()
        if self.work == "offers":
            print(json.dumps({"begun": now, "offers": len(offers)}), flush=True)
            return
        for offer in offers:
            n = min(room(offer), self.total - self.launched, 1) if self.work == "launch" else 0
            if n <= 0:
                driver.declineOffer(offer.id, v0.Filters(refuse_seconds=HOUR))
                continue
            if self.c0 is None:
                self.c0, self.w0 = time.process_time(), time.perf_counter()
            tasks = [task(offer, self.launched + i) for i in range(n)]
            driver.launchTasks(offer.id, tasks, v0.Filters(refuse_seconds=HOUR))
            self.launched += n

    def statusUpdate(self, driver, status):
        if self.work == "reconcile" or status.state == v0.TASK_FINISHED:
            self.left -= 1
            if self.left == 0:
                self.c2, self.w2 = time.process_time(), time.perf_counter()
                self.done.set()

    def error(self, driver, message):
        print(message, file=sys.stderr, flush=True)
        os._exit(1)  # sys.exit would end the thread of callbacks only, and the program would wait for it in vain

    def __getattr__(self, name):
        if name.startswith("_") or name in ("c1",):
            raise AttributeError(name)
        return lambda *arguments: None


def classic(work, transport, master, total):
    scheduler = Classic(work, total)
    driver = MesosSchedulerDriver(scheduler, info(), master, transport=transport)
    driver.start()
    if not scheduler.done.wait(300):
        sys.exit(f"{scheduler.left} of {total} are missing")
    driver.stop()
    driver.join()
    answers = scheduler.c2 - getattr(scheduler, "c1", scheduler.c0)
    return scheduler.c2 - scheduler.c0, answers, scheduler.w2 - scheduler.w0


async def modern(work, transport, master, total):
    launched, left = 0, total
    c0 = c1 = None
    known = [(status.task_id.value, status.slave_id.value) for status in unknown(total)] if work == "reconcile" else []
    async with aio.Scheduler(framework=info(), master=master, transport=transport) as scheduler:
        async for event in scheduler:
            match event:
                case aio.Registered() if work == "reconcile":
                    c0, w0 = time.process_time(), time.perf_counter()
                    scheduler.reconcile(known)
                    c1 = time.process_time()
                case aio.Offers(offers=offers) if work == "launch":
                    for offer in offers:
                        n = min(room(offer), total - launched, 1)
                        if n <= 0:
                            scheduler.decline(offer, refuse_seconds=HOUR)
                            continue
                        if c0 is None:
                            c0, w0 = time.process_time(), time.perf_counter()
                        tasks = [task(offer, launched + i) for i in range(n)]
                        scheduler.launch(offer, tasks, refuse_seconds=HOUR)
                        launched += n
                case aio.Update(status=status) if work == "reconcile" or status.state == v0.TASK_FINISHED:
                    left -= 1
                    if left == 0:
                        c2, w2 = time.process_time(), time.perf_counter()
                        break
    return c2 - c0, c2 - (c1 or c0), w2 - w0


def main():
    work, face, transport, master, total = sys.argv[1:]
    total = int(total)
    if face == "classic":
        cpu, answers, wall = classic(work, transport, master, total)
    else:
        cpu, answers, wall = asyncio.run(modern(work, transport, master, total))
    print(json.dumps({"cpu_us": cpu / total * 1e6, "answers_us": answers / total * 1e6, "wall_s": wall}))


if __name__ == "__main__":
    main()
