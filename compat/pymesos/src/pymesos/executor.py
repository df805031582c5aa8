"""``MesosExecutorDriver``: an executor on the v1 API in JSON, with dicts in and out."""

from __future__ import annotations

import logging
import os
import signal
import time
import uuid
from threading import Thread
from typing import Any

from pymesos.attributes import Dict
from pymesos.interface import ExecutorDriver
from pymesos.process import Caller, Process, subscribe_request
from pymesos.utils import DAY, decode_data, encode_data, parse_duration

logger = logging.getLogger(__name__)

PATH = "/api/v1/executor"
RECOVERY_SECONDS = 15 * 60.0


class MesosExecutorDriver(Caller, Process, ExecutorDriver):
    """Connect an executor to the agent that started it, found in the environment (MESOS_AGENT_ENDPOINT and others).

    timeout: seconds of vain attempts after which it gives up; http_timeout: seconds a call may take.
    """

    _path = PATH

    def __init__(self, executor: Any, use_addict: bool = False, timeout: float = DAY, http_timeout: float = 10) -> None:
        """Raise RuntimeError outside an agent, naming the variable that is missing."""
        super().__init__(master=_required("MESOS_AGENT_ENDPOINT"), timeout=timeout)
        self.framework_id = {"value": _required("MESOS_FRAMEWORK_ID")}
        self.executor_id = {"value": _required("MESOS_EXECUTOR_ID")}
        grace = os.environ.get("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD")
        self.grace_shutdown_period = parse_duration(grace) if grace else 0.0
        self.checkpoint = os.environ.get("MESOS_CHECKPOINT", "").lower() in {"1", "true"}
        self.local = bool(os.environ.get("MESOS_LOCAL"))
        if self.checkpoint:
            recovery = os.environ.get("MESOS_RECOVERY_TIMEOUT")
            self._timeout = min(timeout, parse_duration(recovery) if recovery else RECOVERY_SECONDS)
        self.executor = executor
        self.framework_info: Any = None
        self.executor_info: Any = None
        self.tasks: dict[str, Any] = {}
        """Launched tasks of which no update was acknowledged yet."""
        self.updates: dict[uuid.UUID, Any] = {}
        """Updates that are not acknowledged yet."""
        self._dict_cls: Any = Dict if use_addict else dict
        self._http_timeout = http_timeout

    # --- lifecycle ---------------------------------------------------------------------------------------------------

    def gen_request(self) -> bytes:
        """Give the SUBSCRIBE request."""
        subscribe = {
            "unacknowledged_tasks": list(self.tasks.values()),
            "unacknowledged_updates": list(self.updates.values()),
        }
        return subscribe_request(self.master, PATH, self._call("SUBSCRIBE", "subscribe", subscribe))

    def _call(self, kind: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"type": kind, "framework_id": self.framework_id, "executor_id": self.executor_id, name: body}

    def start(self) -> None:
        """Begin connecting."""
        super().start()
        self._notify()

    def on_close(self) -> None:
        """Tell; without checkpointing the agent's end is the executor's."""
        with self._lock:
            self._close_calls()
        self.executor.disconnected(self)
        if not self.checkpoint and self._started:
            self.on_shutdown()

    def on_failed(self, failure: BaseException) -> None:
        """Tell; an agent that did not come back in time means shutdown."""
        if isinstance(failure, TimeoutError):
            self.on_shutdown()
        self.executor.error(self, f"{type(failure).__name__}: {failure}")

    def on_shutdown(self) -> None:
        """Tell, end, and kill the process group after the grace period (unless MESOS_LOCAL is set)."""
        if not self.local:
            Thread(target=self._kill_late, name="pymesos-suicide", daemon=True).start()
        self.executor.shutdown(self)
        self.abort()

    def _kill_late(self) -> None:
        time.sleep(self.grace_shutdown_period)
        logger.error("Still running after the grace period; killing the process group")
        os.killpg(0, signal.SIGKILL)

    # --- events ------------------------------------------------------------------------------------------------------

    def on_event(self, event: dict[str, Any]) -> None:
        """Hand an event to its handler."""
        name = str(event.get("type")).lower()
        if name == "heartbeat":
            return
        if name == "shutdown":
            self.on_shutdown()
            return
        handler = getattr(self, f"on_{name}", None) if name not in {"event", "close", "failed"} else None
        if handler is None or name not in event:
            logger.error("Ignoring an event of unknown type: %s", event)
        else:
            handler(event[name])

    def on_subscribed(self, info: dict[str, Any]) -> None:
        """Tell: the first time it is ``registered``."""
        agent = self._dict_cls(info["agent_info"])
        if self.executor_info is not None:
            self.executor.reregistered(self, agent)
            return
        self.executor_info, self.framework_info = info["executor_info"], info["framework_info"]
        self.executor.registered(self, self._dict_cls(self.executor_info), self._dict_cls(self.framework_info), agent)

    def on_launch(self, event: dict[str, Any]) -> None:
        """Tell of a task."""
        task = event["task"]
        if self._is_new(task):
            self.executor.launchTask(self, self._dict_cls(task))

    def on_launch_group(self, event: dict[str, Any]) -> None:
        """Tell of a group of tasks."""
        tasks = [self._dict_cls(task) for task in event["task_group"]["tasks"] if self._is_new(task)]
        if tasks:
            self.executor.launchTaskGroup(self, tasks)

    def _is_new(self, task: dict[str, Any]) -> bool:
        task_id = task["task_id"]["value"]
        if task_id in self.tasks:
            logger.error("Ignoring task %s: it was launched before", task_id)
            return False
        self.tasks[task_id] = task
        return True

    def on_kill(self, event: dict[str, Any]) -> None:
        """Tell."""
        self.executor.killTask(self, self._dict_cls(event["task_id"]))

    def on_acknowledged(self, event: dict[str, Any]) -> None:
        """Forget an update that the agent has."""
        self.updates.pop(uuid.UUID(bytes=decode_data(event["uuid"])), None)
        self.tasks.pop(event["task_id"]["value"], None)

    def on_message(self, event: dict[str, Any]) -> None:
        """Tell of the scheduler's message."""
        self.executor.frameworkMessage(self, event["data"])

    def on_error(self, event: dict[str, Any]) -> None:
        """Tell of an unrecoverable error."""
        self.executor.error(self, event["message"])

    # --- calls -------------------------------------------------------------------------------------------------------

    def _target(self) -> str | None:
        return self.master if self.connected else None

    def _extra_headers(self) -> dict[str, str]:
        return {"Mesos-Stream-Id": self._stream_id} if self._stream_id else {}

    def sendStatusUpdate(self, status: Any) -> None:
        """Send a status, given a timestamp, uuid and source where it has none; sent again until acknowledged.

        While the agent is away, the status is kept and goes with the next subscription. Raises RuntimeError when the
        agent refuses it.
        """
        if "timestamp" not in status:
            status["timestamp"] = int(time.time())
        if "uuid" not in status:
            status["uuid"] = encode_data(uuid.uuid4().bytes)
        if "source" not in status:
            status["source"] = "SOURCE_EXECUTOR"
        identifier = uuid.UUID(bytes=decode_data(status["uuid"]))
        update = self._call("UPDATE", "update", {"status": status})
        self.updates[identifier] = {"status": dict(status)}
        try:
            self._send(update)
        except (OSError, RuntimeError) as error:
            if self.connected and isinstance(error, RuntimeError):
                self.updates.pop(identifier, None)
                raise
            logger.warning("The agent is away; the update will be sent when it is back: %s", error)

    def sendFrameworkMessage(self, data: Any) -> None:
        """Send base64 data to the scheduler; raises RuntimeError when not connected."""
        self._send(self._call("MESSAGE", "message", {"data": data}))


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"Expecting '{name}' in the environment: an executor must be started by an agent")
    return value
