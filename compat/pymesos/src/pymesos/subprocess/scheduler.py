"""The scheduler behind Popen: one task per command, on one executor per agent."""

from __future__ import annotations

import getpass
import logging
import os
import pickle
import random
import socket
import sys
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from pymesos.interface import Scheduler
from pymesos.scheduler import MesosSchedulerDriver
from pymesos.utils import decode_data, encode_data

if TYPE_CHECKING:
    from pymesos.subprocess.popen import Popen

log = logging.getLogger(__name__)

CONFIG: dict[str, Any] = {}
"""Settings: master, principal, secret, hostname (what agents connect to), default_cpus, default_mem, default_gpus."""

SIGNAL = 0
"""Kind of a framework message that asks for a signal."""

FOREVER = 0xFFFFFFFF
EXECUTOR_CPUS = 0.01
EXECUTOR_MEM = 32
NOT_TERMINAL = frozenset({"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_UNREACHABLE"})


class ProcScheduler(Scheduler):
    """Places commands on offers and tells them what becomes of them."""

    def __init__(self) -> None:
        """Raise RuntimeError when no master is configured."""
        master = CONFIG.get("master") or os.environ.get("MESOS_MASTER")
        if not master:
            raise RuntimeError("No master is known: set CONFIG['master'] or MESOS_MASTER to 'host:5050' or 'zk://…'")
        principal = CONFIG.get("principal") or os.environ.get("DEFAULT_PRINCIPAL")
        secret = CONFIG.get("secret") or os.environ.get("DEFAULT_SECRET")
        self.framework = {"user": getpass.getuser(), "name": repr(self), "hostname": socket.gethostname()}
        self.driver = MesosSchedulerDriver(self, self.framework, master, principal=principal, secret=secret)
        self._lock = RLock()
        self._pending: dict[int, Popen] = {}
        self._launched: dict[int, Popen] = {}
        self._agents: dict[int, str] = {}
        """Where each launched command is."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{os.getpid()}]: {' '.join(sys.argv)}"

    # --- what Popen asks ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect."""
        self.driver.start()

    def stop(self) -> None:
        """End, with all commands."""
        if not self.driver.aborted:
            self.driver.stop()
            self.driver.join()

    def submit(self, process: Popen) -> None:
        """Run a command on the next offer that is large enough; raises RuntimeError when the driver has ended."""
        if self.driver.aborted:
            raise RuntimeError("the driver has ended")
        with self._lock:
            self._pending[process.id] = process
        self.driver.reviveOffers()

    def cancel(self, process: Popen) -> None:
        """Take a command back, or kill its task."""
        with self._lock:
            is_launched = self._launched.pop(process.id, None) is not None
            self._pending.pop(process.id, None)
            self._agents.pop(process.id, None)
        if is_launched:
            self.driver.killTask({"value": str(process.id)})

    def send_data(self, number: int, kind: int, data: Any) -> None:
        """Send something to a command's executor; raises RuntimeError when it does not run."""
        with self._lock:
            agent = self._agents.get(number)
        if agent is None:
            raise RuntimeError(f"Command {number} does not run")
        message = encode_data(pickle.dumps((number, kind, data)))
        self.driver.sendFrameworkMessage({"value": "default"}, {"value": agent}, message)

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        """Note it."""
        log.info("Registered as %s at %s", frameworkId, masterInfo)

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        """Place what waits; give the rest back, for ever when nothing waits."""
        with self._lock:
            random.shuffle(offers)
            for offer in offers:
                tasks = self._place(offer)
                if tasks:
                    driver.launchTasks(offer["id"], tasks, {"refuse_seconds": 5})
                else:
                    driver.declineOffer(offer["id"], {"refuse_seconds": 5 if self._pending else FOREVER})

    def _place(self, offer: dict[str, Any]) -> list[dict[str, Any]]:
        left = dict.fromkeys(("cpus", "mem", "gpus"), 0.0)
        for resource in offer["resources"]:
            if resource["name"] in left and "scalar" in resource:
                left[resource["name"]] += float(resource["scalar"]["value"])
        left["cpus"] -= EXECUTOR_CPUS
        left["mem"] -= EXECUTOR_MEM
        tasks = []
        for process in list(self._pending.values()):
            needs = {"cpus": process.cpus, "mem": process.mem, "gpus": process.gpus}
            if all(left[name] >= need for name, need in needs.items()):
                for name, need in needs.items():
                    left[name] -= need
                self._launched[process.id] = self._pending.pop(process.id)
                self._agents[process.id] = offer["agent_id"]["value"]
                tasks.append(self._task(process, offer, needs))
        return tasks

    def _task(self, process: Popen, offer: dict[str, Any], needs: dict[str, float]) -> dict[str, Any]:
        return {
            "task_id": {"value": str(process.id)},
            "name": repr(process),
            "agent_id": offer["agent_id"],
            "executor": self._executor(),
            "data": encode_data(pickle.dumps(process.params)),
            "resources": _scalars({name: need for name, need in needs.items() if need > 0}),
        }

    def _executor(self) -> dict[str, Any]:
        path = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        variables = [{"name": "PYTHONPATH", "value": os.pathsep.join(filter(None, path))}]
        return {
            "executor_id": {"value": "default"},
            "type": "CUSTOM",
            "command": {
                "value": f"exec {sys.executable} -m pymesos.subprocess.executor",
                "environment": {"variables": variables},
            },
            "resources": _scalars({"cpus": EXECUTOR_CPUS, "mem": EXECUTOR_MEM}),
        }

    def statusUpdate(self, driver: Any, status: Any) -> None:
        """Tell a command that it runs, or how it ended."""
        number, state = int(status["task_id"]["value"]), status["state"]
        with self._lock:
            process = self._launched.get(number)
            if process is None:
                return
            if state not in NOT_TERMINAL:
                del self._launched[number]
                self._agents.pop(number, None)
        if state == "TASK_RUNNING":
            process._started()
        elif state not in NOT_TERMINAL:
            data = pickle.loads(decode_data(status["data"])) if status.get("data") else None  # noqa: S301  (our executor's)
            process._finished(state == "TASK_FINISHED", status.get("message") or state, data)

    def offerRescinded(self, driver: Any, offerId: Any) -> None:
        """Ask for other offers."""
        if self._pending:
            driver.reviveOffers()

    def executorLost(self, driver: Any, executorId: Any, slaveId: Any, status: Any) -> None:
        """Give up what ran there."""
        self._lost(slaveId["value"], "Executor lost")

    def slaveLost(self, driver: Any, slaveId: Any) -> None:
        """Give up what ran there."""
        self._lost(slaveId["value"], "Agent lost")

    def _lost(self, agent: str, why: str) -> None:
        with self._lock:
            numbers = [number for number, where in self._agents.items() if where == agent]
            lost = [self._launched.pop(number) for number in numbers]
            for number in numbers:
                del self._agents[number]
        for process in lost:
            process._finished(False, why, None)

    def error(self, driver: Any, message: Any) -> None:
        """Give everything up."""
        with self._lock:
            several = [*self._pending.values(), *self._launched.values()]
            self._pending.clear()
            self._launched.clear()
            self._agents.clear()
        for process in several:
            process._finished(False, message, None)
        driver.abort()


def _scalars(amounts: dict[str, float]) -> list[dict[str, Any]]:
    return [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in amounts.items()]
