"""An avmesos scheduler: command tasks with slave_id in v1 JSON, and one that is killed. avmesos_scheduler.py URL TASKS."""

import sys
import threading
import time

from avmesos.client import MesosClient

URL, TASKS = sys.argv[1], int(sys.argv[2])


class Runner:
    """Runs TASKS tasks and kills a long one."""

    def __init__(self):
        self.client = MesosClient(mesos_urls=[URL], frameworkName="avmesos", frameworkUser="root")
        self.client.set_credentials("nobody", "asked")
        for event, call in (
            (MesosClient.SUBSCRIBED, self.subscribed),
            (MesosClient.OFFERS, self.offers),
            (MesosClient.UPDATE, self.update),
        ):
            self.client.on(event, call)
        self.driver = None
        self.launched = 0
        self.finished = set()
        self.killed = threading.Event()
        self.failures = []
        self.where = {}

    def subscribed(self, driver):
        self.driver = driver

    def offers(self, offers):
        for offer in offers:
            if self.launched > TASKS:
                offer.decline()
                continue
            raw = offer.get_offer()
            name = "av-%d" % self.launched
            command = "true" if self.launched < TASKS else "sleep 600"
            self.launched += 1
            self.where[name] = raw["agent_id"]["value"]
            resources = [{"name": n, "type": "SCALAR", "scalar": {"value": v}} for n, v in (("cpus", 0.1), ("mem", 16))]
            task = {
                "name": name,
                "task_id": {"value": name},
                "agent_id": {"value": raw["agent_id"]["value"]},
                "resources": resources,
                "command": {"value": command, "shell": True},
            }
            offer.accept([task], {"filters": {"refuse_seconds": 0.1}})

    def update(self, update):
        status = update["status"]
        name, state = status["task_id"]["value"], status["state"]
        print("status", name, state, status.get("message", ""), flush=True)
        if state == "TASK_FINISHED":
            self.finished.add(name)
        elif state == "TASK_RUNNING" and name == "av-%d" % TASKS:
            self.driver.kill(self.where[name], name)
        elif state == "TASK_KILLED":
            self.killed.set()
        elif state not in ("TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"):
            self.failures.append("%s %s %s" % (name, state, status.get("message")))


runner = Runner()
threading.Thread(target=runner.client.register, daemon=True).start()
deadline = time.time() + 60
while time.time() < deadline and not (runner.killed.is_set() and len(runner.finished) == TASKS):
    time.sleep(0.05)
runner.driver.tearDown()
print("finished", len(runner.finished), "killed", runner.killed.is_set(), runner.failures)
sys.exit(0 if runner.killed.is_set() and len(runner.finished) == TASKS and not runner.failures else 1)
