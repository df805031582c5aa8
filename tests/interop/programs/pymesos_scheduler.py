"""A pymesos scheduler: tasks on its own executor, a killed task, reconciliation, both operator drivers.

pymesos_scheduler.py MASTER TASKS [HOST:PORT]

HOST:PORT: the master for the operator drivers, which do not understand zk://.
"""

import os
import sys
import threading
import time

from addict import Dict
from pymesos import (
    MesosOperatorAgentDriver,
    MesosOperatorMasterDriver,
    MesosSchedulerDriver,
    OperatorMaster,
    Scheduler,
    decode_data,
    encode_data,
)

MASTER, TASKS = sys.argv[1], int(sys.argv[2])
OPERATED = sys.argv[3] if len(sys.argv) > 3 else MASTER
EXECUTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pymesos_executor.py")


class Runner(Scheduler):
    """Runs TASKS tasks, then one long one that is killed."""

    def __init__(self):
        self.launched = 0
        self.finished = {}
        self.messages = []
        self.killed = threading.Event()
        self.problems = []
        self.agents = set()
        self.reconciled = threading.Event()
        self.asked = False
        self.last = None

    def registered(self, driver, framework_id, master_info):
        print("registered", framework_id.value, flush=True)

    def resourceOffers(self, driver, offers):
        for offer in offers:
            self.agents.add("%s:%d" % (offer.url.address.ip, offer.url.address.port))
            if {resource.role for resource in offer.resources} != {"*"}:
                self.problems.append("resources are not in the old format: %r" % offer.resources)
            tasks = []
            while self.launched < TASKS and len(tasks) < 5:
                self.launched += 1
                tasks.append(self.task(offer, "py-%d" % self.launched))
            if not tasks and len(self.finished) == TASKS and self.last is None:
                self.last = self.task(offer, "long")
                del self.last["executor"]
                self.last.command = Dict(value="sleep 600", shell="true")
                tasks = [self.last]
            filters = Dict(refuse_seconds=0.1)
            if tasks:
                driver.launchTasks(offer.id, tasks, filters)
            else:
                driver.declineOffer(offer.id, filters)

    def task(self, offer, name):
        task = Dict()
        task.task_id.value = name
        task.agent_id.value = offer.agent_id.value
        task.name = "task [%s] /x" % name
        task.data = encode_data(name.encode())
        task.executor.executor_id.value = "echo"
        task.executor.type = "CUSTOM"
        task.executor.command.value = "exec %s %s" % (sys.executable, EXECUTOR)
        task.executor.command.environment.variables = [Dict(name="PYTHONPATH", value=os.environ["PYTHONPATH"])]
        task.resources = [
            dict(name="cpus", type="SCALAR", scalar={"value": 0.1}),
            dict(name="mem", type="SCALAR", scalar={"value": 16}),
            dict(name="gpus", type="SCALAR", scalar={"value": 0}),
        ]
        return task

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        self.messages.append(decode_data(message))

    def statusUpdate(self, driver, update):
        name = update.task_id.value
        print("status", name, update.state, update.get("message", ""), flush=True)
        if update.get("reason") == "REASON_RECONCILIATION":
            self.reconciled.set()
            return
        if name == "long":
            if update.state == "TASK_RUNNING":
                driver.reconcileTasks([Dict(task_id=Dict(value="long"))])
                self.reconciled.wait(0)
                driver.killTask(Dict(value="long"))
            elif update.state == "TASK_KILLED":
                self.killed.set()
        elif update.state == "TASK_FINISHED":
            if decode_data(update.data) != name.encode():
                self.problems.append("data of %s is lost" % name)
            self.finished[name] = update
        elif update.state not in ("TASK_STARTING", "TASK_RUNNING"):
            self.problems.append("%s is %s: %s" % (name, update.state, update.get("message")))


class Watcher(OperatorMaster):
    """Hears the operator events."""

    def __init__(self):
        self.added = []

    def taskAdded(self, task_info):
        self.added.append(task_info)


def operator_calls(runner):
    """Call what both operator drivers offer for reading."""
    watcher = Watcher()
    master = MesosOperatorMasterDriver(OPERATED, watcher)
    master.start()
    assert master.getHealth()["get_health"]["healthy"] is True
    assert master.getVersion()["get_version"]["version_info"]["version"].count(".") == 2
    assert len(master.getAgents()["get_agents"]["agents"]) >= 1
    for call in (
        master.getFlags,
        master.getState,
        master.getFrameworks,
        master.getExecutors,
        master.getTasks,
        master.getRoles,
        master.getMaster,
    ):
        assert call(), call
    assert master.getMetrics(5 * 10**9)["get_metrics"]["metrics"]
    for address in runner.agents:
        agent = MesosOperatorAgentDriver(address)
        agent._lock = threading.RLock()  # pymesos 0.3.15 forgets to make it
        assert agent.getHealth()["get_health"]["healthy"] is True
        assert agent.getState() and agent.getFlags() and agent.getFrameworks() is not None
        assert agent.getExecutors() is not None and agent.getTasks() is not None
    return master, watcher


def main():
    framework = Dict(user="", name="pymesos [x] /y", hostname="localhost")
    runner = Runner()
    driver = MesosSchedulerDriver(runner, framework, MASTER, use_addict=True)
    thread = threading.Thread(target=driver.run, daemon=True)
    thread.start()
    deadline = time.time() + 60
    while not runner.agents and time.time() < deadline:
        time.sleep(0.05)
    master, watcher = operator_calls(runner)
    done = runner.killed.wait(60)
    while len(runner.messages) < TASKS and time.time() < deadline:
        time.sleep(0.05)
    driver.stop()
    driver.join()
    master.stop()
    print("finished", len(runner.finished), "messages", len(runner.messages), "killed", done, runner.problems)
    if not watcher.added:
        runner.problems.append("the operator stream told of no task")
    ok = done and len(runner.finished) == TASKS and len(runner.messages) == TASKS and not runner.problems
    sys.exit(0 if ok and runner.reconciled.is_set() else 1)


main()
