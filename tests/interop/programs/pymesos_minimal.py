"""The three smallest programs on pymesos, as its users start them from a shell.

pymesos_minimal.py scheduler|operator MASTER, until Ctrl-C; pymesos_minimal.py executor, started by an agent.
"""

import os
import signal
import sys
import time
from threading import Thread

from addict import Dict
from pymesos import (
    Executor,
    MesosExecutorDriver,
    MesosOperatorMasterDriver,
    MesosSchedulerDriver,
    OperatorMaster,
    Scheduler,
    decode_data,
    encode_data,
)


class SleepingExecutor(Executor):
    def launchTask(self, driver, task):
        Thread(target=self.work, args=(driver, task)).start()

    def work(self, driver, task):
        for state, seconds in (("TASK_RUNNING", 0.1), ("TASK_FINISHED", 0)):
            update = Dict(task_id=task.task_id, state=state)
            update.timestamp = time.time()
            update.message = decode_data(task.data).decode()
            driver.sendStatusUpdate(update)
            time.sleep(seconds)


class GreedyScheduler(Scheduler):
    def __init__(self):
        self.count = 0

    def resourceOffers(self, driver, offers):
        for offer in offers:
            if sum(one.scalar.value for one in offer.resources if one.name == "cpus") < 0.2:
                continue  # keeps it: the master takes such offers back when the framework ends
            self.count += 1
            task = Dict()
            task.task_id.value = "task-%d" % self.count
            task.agent_id.value = offer.agent_id.value
            task.name = "task"
            task.data = encode_data(b"greetings")
            task.resources = [
                dict(name="cpus", type="SCALAR", scalar={"value": 0.1}),
                dict(name="mem", type="SCALAR", scalar={"value": 16}),
            ]
            task.executor.executor_id.value = "minimal"
            task.executor.name = "minimal"
            task.executor.command.value = "exec %s %s executor" % (sys.executable, os.path.abspath(__file__))
            task.executor.command.environment.variables = [
                dict(name="PYTHONPATH", value=os.environ["PYTHONPATH"]),
            ]
            driver.launchTasks(offer.id, [task], {"refuse_seconds": 0.1})

    def statusUpdate(self, driver, update):
        print("scheduler:", update.task_id.value, update.state, update.message, flush=True)


class PrintingOperator(OperatorMaster):
    def taskAdded(self, task_info):
        print("operator: added", task_info.task_id.value, flush=True)

    def taskUpdated(self, task_info):
        print("operator: updated", task_info.state, flush=True)

    def frameworkAdded(self, framework_info):
        print("operator: framework added", framework_info.framework_info.name, flush=True)

    def frameworkRemoved(self, framework_info):
        print("operator: framework removed", framework_info.name, flush=True)


def main():
    if sys.argv[1] == "executor":
        MesosExecutorDriver(SleepingExecutor(), use_addict=True).run()
        return
    master = sys.argv[2]
    if sys.argv[1] == "operator":
        driver = MesosOperatorMasterDriver(master, PrintingOperator(), use_addict=True)
        print("operator:", driver.getHealth()["get_health"], flush=True)
    else:
        framework = Dict(user="", name="minimal", hostname="localhost")
        driver = MesosSchedulerDriver(GreedyScheduler(), framework, master, use_addict=True)
    signal.signal(signal.SIGINT, lambda number, frame: driver.stop())
    thread = Thread(target=driver.run)
    thread.start()
    while thread.is_alive():
        time.sleep(0.05)


main()
