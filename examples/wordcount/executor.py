"""The executor of wordcount: counts the words of the files a task names and returns the partial counts.

Started by an agent. A task's data is a JSON list of file names; its result travels in the data of TASK_FINISHED.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver

WORD = re.compile(r"[a-z_][a-z_]+")


def count_words(names: list[str]) -> Counter[str]:
    """Count the words of some files, in lower case; bytes that are not UTF-8 are skipped."""
    counts: Counter[str] = Counter()
    for name in names:
        counts.update(WORD.findall(Path(name).read_text(encoding="utf-8", errors="ignore").lower()))
    return counts


class WordCountExecutor(Executor):
    """Runs each task in a thread, so that callbacks return at once."""

    def launchTask(self, driver: Any, task: Any) -> None:
        """Begin a task."""
        threading.Thread(target=self.run, args=(driver, task)).start()

    def run(self, driver: Any, task: Any) -> None:
        """Count, and send the counts with the terminal update; a file that cannot be read fails the task."""
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_RUNNING))
        status = mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_FINISHED)
        try:
            counts = count_words(json.loads(task.data))
            print(f"task {task.task_id.value}: {sum(counts.values())} words, {len(counts)} different")
            status.data = json.dumps(counts).encode()
        except (OSError, ValueError) as error:
            status.state = mesos_pb2.TASK_FAILED
            status.message = str(error)
        driver.sendStatusUpdate(status)

    def killTask(self, driver: Any, taskId: Any) -> None:
        """Say that the task is killed; the thread's late result is ignored by everybody."""
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=taskId, state=mesos_pb2.TASK_KILLED))

    def shutdown(self, driver: Any) -> None:
        """End."""
        driver.stop()


if __name__ == "__main__":
    sys.exit(0 if MesosExecutorDriver(WordCountExecutor()).run() == mesos_pb2.DRIVER_STOPPED else 1)
