"""The framework of B9d, written as pymesos' users write: counts status updates and prints its CPU per update.

pymesos_framework.py MASTER UPDATES reconcile|acknowledge

reconcile: asks for the state of unknown tasks, whose answers need no acknowledgement. acknowledge: launches tasks on
every offer and counts the updates that come, which are acknowledged implicitly.
"""

import json
import sys
import threading
import time

from pymesos import MesosSchedulerDriver, Scheduler

MASTER, UPDATES, MODE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
BATCH = 1000
TASKS_PER_AGENT = 10


class Counter(Scheduler):
    """Counts."""

    def __init__(self):
        self.seen = 0
        self.launched = set()
        self.began = None
        self.done = threading.Event()

    def begin(self):
        self.began = time.process_time()

    def registered(self, driver, framework_id, master_info):
        if MODE == "reconcile":
            for first in range(0, UPDATES, BATCH):
                driver.reconcileTasks([{"task_id": {"value": f"unknown-{n}"}} for n in range(first, first + BATCH)])
            self.begin()  # the answers are handled after this callback

    def resourceOffers(self, driver, offers):
        for offer in offers:
            agent = offer["agent_id"]["value"]
            if MODE != "acknowledge" or agent in self.launched:
                continue
            self.launched.add(agent)
            tasks = [
                {
                    "name": "t",
                    "task_id": {"value": f"{agent}-{number}"},
                    "agent_id": {"value": agent},
                    "command": {"value": "true"},
                    "resources": [
                        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                        {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
                    ],
                }
                for number in range(TASKS_PER_AGENT)
            ]
            driver.launchTasks(offer["id"], tasks)

    def statusUpdate(self, driver, update):
        if self.began is None:
            self.begin()
        assert update["task_id"]["value"] and update["state"]
        self.seen += 1
        if self.seen == UPDATES:
            self.done.set()


counter = Counter()
driver = MesosSchedulerDriver(counter, {"user": "root", "name": "B9d", "hostname": "localhost"}, MASTER)
driver.start()
if not counter.done.wait(240):
    sys.exit(f"only {counter.seen} updates came")
cpu = time.process_time() - counter.began
time.sleep(0.2)  # the last acknowledgements
driver.stop()
driver.join()
print(json.dumps({"cpu_us_per_update": cpu / UPDATES * 1e6, "module": sys.modules["pymesos"].__file__}))
