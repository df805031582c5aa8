"""The executor of pymesos.subprocess: starts each task's command with its streams connected to the asker."""

from __future__ import annotations

import logging
import pickle
import socket
import subprocess
import sys
from threading import Lock, Thread
from typing import Any

from pymesos.executor import MesosExecutorDriver
from pymesos.interface import Executor
from pymesos.subprocess.scheduler import SIGNAL
from pymesos.utils import decode_data, encode_data

log = logging.getLogger(__name__)


class ProcExecutor(Executor):
    """Runs commands."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def launchTask(self, driver: Any, task: Any) -> None:
        """Start a command; a failure to start is sent back as the exception it is."""
        number = int(task["task_id"]["value"])
        params = pickle.loads(decode_data(task["data"]))  # noqa: S301  (our scheduler's)
        streams: list[socket.socket] = []
        try:
            streams.extend(socket.create_connection((params["hostname"], port)) for port in params["ports"])
            stdin, stdout, stderr = streams
            settings: dict[str, Any] = {**params["settings"], "start_new_session": True}
            settings.update(stdin=stdin, stdout=stdout, stderr=stderr)
            process = subprocess.Popen(params["args"], **settings)  # noqa: S603  (that is the point)
        except Exception as error:
            log.exception("Task %d cannot be started", number)
            _reply(driver, number, "TASK_FAILED", message=str(error), data=(None, error))
            return
        finally:
            for stream in streams:
                stream.close()
        _reply(driver, number, "TASK_RUNNING")
        with self._lock:
            self._processes[number] = process
        Thread(target=self._watch, args=(driver, number, process), daemon=True).start()

    def _watch(self, driver: Any, number: int, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._lock:
            self._processes.pop(number, None)
        state = "TASK_FINISHED" if code >= 0 else "TASK_KILLED"
        _reply(driver, number, state, message=f"exit code {code}", data=(code, None))

    def killTask(self, driver: Any, taskId: Any) -> None:
        """Kill a command."""
        with self._lock:
            process = self._processes.get(int(taskId["value"]))
        if process is not None:
            process.kill()

    def frameworkMessage(self, driver: Any, message: Any) -> None:
        """Send a signal to a command."""
        number, kind, data = pickle.loads(decode_data(message))  # noqa: S301  (our scheduler's)
        with self._lock:
            process = self._processes.get(number)
        if process is None:
            log.warning("Command %s does not run here", number)
        elif kind == SIGNAL:
            process.send_signal(data)

    def shutdown(self, driver: Any) -> None:
        """Kill all commands."""
        with self._lock:
            for process in self._processes.values():
                process.kill()


def _reply(driver: Any, number: int, state: str, message: str = "", data: Any = None) -> None:
    status: dict[str, Any] = {"task_id": {"value": str(number)}, "state": state}
    if message:
        status["message"] = message
    if data is not None:
        try:
            status["data"] = encode_data(pickle.dumps(data))
        except Exception as error:
            status["data"] = encode_data(pickle.dumps((data[0], RuntimeError(f"{data[1]!r} ({error!r})"))))
    driver.sendStatusUpdate(status)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    MesosExecutorDriver(ProcExecutor()).run()
