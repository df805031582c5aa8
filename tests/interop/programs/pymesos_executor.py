"""A pymesos executor: echoes each task's data in its terminal update and as a framework message."""

import sys
from threading import Thread

from addict import Dict
from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data


class Echo(Executor):
    """Runs each task in a thread."""

    def launchTask(self, driver, task):
        Thread(target=self.run, args=(driver, task)).start()

    def run(self, driver, task):
        self.update(driver, task, "TASK_RUNNING")
        driver.sendFrameworkMessage(encode_data(b"echo " + decode_data(task.data)))
        self.update(driver, task, "TASK_FINISHED", task.data)

    def update(self, driver, task, state, data=None):
        update = Dict(task_id=task.task_id, state=state)
        update.timestamp = 0
        if data is not None:
            update.data = data
        driver.sendStatusUpdate(update)


if __name__ == "__main__":
    driver = MesosExecutorDriver(Echo(), use_addict=True)
    driver.run()
    sys.exit(0)
