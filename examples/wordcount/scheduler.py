"""The scheduler of wordcount: counts the words of Python's own standard library on a cluster.

python examples/wordcount/scheduler.py HOST:PORT
"""

from __future__ import annotations

import json
import shlex
import sys
import sysconfig
import threading
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

EXECUTOR = Path(__file__).resolve().parent / "executor.py"
TASKS = 60
CPUS = 0.5
MEM = 64.0
MAX_ATTEMPTS = 3

Progress = Callable[[int, int, int], object]


def source_files() -> list[Path]:
    """Find the source files of the running Python's standard library, without installed packages."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return sorted(path for path in root.rglob("*.py") if "-packages" not in str(path) and path.is_file())


def cut(files: list[Path], count: int) -> list[list[str]]:
    """Share files out over count tasks of about equal size, biggest files first."""
    bins: list[tuple[int, list[str]]] = [(0, []) for _ in range(count)]
    for path in sorted(files, key=lambda path: path.stat().st_size, reverse=True):
        index = min(range(count), key=lambda number: bins[number][0])
        size, names = bins[index]
        bins[index] = (size + path.stat().st_size, [*names, str(path)])
    return [names for _, names in bins if names]


class WordCount(Scheduler):
    """Launches tasks on whatever is offered, merges their counts and retries what failed."""

    def __init__(self, tasks: list[list[str]], progress: Progress) -> None:
        """Take one list of file names per task; progress(done, running, total) hears of every change."""
        self.total = len(tasks)
        self.waiting = deque(enumerate(tasks))
        self.running: dict[str, tuple[int, list[str], str]] = {}
        self.attempts: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()
        self.per_agent: Counter[str] = Counter()
        self.agents: dict[str, str] = {}
        self.done = 0
        self.failure = ""
        self.framework_id = ""
        self.progress = progress
        self.finished = threading.Event()

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        """Remember our id, to find the sandboxes with."""
        self.framework_id = frameworkId.value

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        """Fill every offer with tasks; give back what is not needed."""
        for offer in offers:
            self.agents[offer.slave_id.value] = f"{offer.url.address.ip}:{offer.url.address.port}"
            amounts = {resource.name: resource.scalar.value for resource in offer.resources}
            room = int(min(amounts.get("cpus", 0) / CPUS, amounts.get("mem", 0) / MEM))
            tasks = [self.task(offer, *self.waiting.popleft()) for _ in range(min(room, len(self.waiting)))]
            if tasks:
                driver.launchTasks(offer.id, tasks, mesos_pb2.Filters(refuse_seconds=0))
            elif self.waiting:
                driver.declineOffer(offer.id, mesos_pb2.Filters(refuse_seconds=0))
            else:
                driver.declineOffer(offer.id)
        self.tell()

    def statusUpdate(self, driver: Any, status: Any) -> None:
        """Merge a finished task's counts; try others again, a few times."""
        if status.state in (mesos_pb2.TASK_STAGING, mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING):
            return
        number, files, agent = self.running.pop(status.task_id.value, (0, [], ""))
        if not files:
            return  # a repeated update
        if status.state == mesos_pb2.TASK_FINISHED:
            self.counts.update(json.loads(status.data))
            self.per_agent[agent] += 1
            self.done += 1
        else:
            self.retry(driver, number, files, status)
        if self.done == self.total:
            self.finished.set()
            driver.stop()
        self.tell()

    def error(self, driver: Any, message: str) -> None:
        """Give up."""
        self.failure = message
        self.finished.set()

    # --- what the callbacks use --------------------------------------------------------------------------------------

    def task(self, offer: Any, number: int, files: list[str]) -> Any:
        """Describe one task; its id tells number and attempt."""
        self.attempts[number] += 1
        task = mesos_pb2.TaskInfo(name=f"wordcount {number}", slave_id=offer.slave_id)
        task.task_id.value = f"{number}.{self.attempts[number]}"
        task.data = json.dumps(files).encode()
        task.executor.executor_id.value = "wordcount"
        task.executor.name = "wordcount"
        task.executor.command.value = f"exec {shlex.quote(sys.executable)} {shlex.quote(str(EXECUTOR))}"
        for name, amount in (("cpus", CPUS), ("mem", MEM)):
            resource = task.resources.add(name=name, type=mesos_pb2.Value.SCALAR)
            resource.scalar.value = amount
        self.running[task.task_id.value] = (number, files, offer.slave_id.value)
        return task

    def retry(self, driver: Any, number: int, files: list[str], status: Any) -> None:
        """Put a failed task back, or give up."""
        if self.attempts[number] < MAX_ATTEMPTS:
            self.waiting.append((number, files))
            driver.reviveOffers()
        else:
            state = mesos_pb2.TaskState.Name(status.state)
            self.failure = f"task {number} ended as {state} {MAX_ATTEMPTS} times: {status.message}"
            self.finished.set()
            driver.stop()

    def tell(self) -> None:
        """Report progress."""
        self.progress(self.done, len(self.running), self.total)


def run(master: str, progress: Progress) -> tuple[WordCount, float, int]:
    """Run the whole job on a cluster; gives the scheduler with its results, seconds taken and files read."""
    begun = time.monotonic()
    files = source_files()
    scheduler = WordCount(cut(files, TASKS), progress)
    driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="wordcount"), master)
    driver.start()
    scheduler.finished.wait()
    directories = sandboxes(scheduler)
    driver.stop()
    driver.join()
    scheduler.directories = directories  # type: ignore[attr-defined]
    return scheduler, time.monotonic() - begun, len(files)


def sandboxes(scheduler: WordCount) -> dict[str, str]:
    """Ask each agent where our executor's sandbox is."""
    found = {}
    for agent, address in scheduler.agents.items():
        with urllib.request.urlopen(f"http://{address}/state", timeout=5) as answer:
            state = json.load(answer)
        for framework in state["frameworks"] + state["completed_frameworks"]:
            if framework["id"] == scheduler.framework_id:
                for executor in framework["executors"] + framework["completed_executors"]:
                    found[agent] = executor["directory"]
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from report import main

    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:5050"))
