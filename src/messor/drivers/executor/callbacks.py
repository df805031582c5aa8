"""The classic blocking driver: ``MesosExecutorDriver`` with the callbacks of ``mesos.interface.Executor``."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

from messor.drivers.executor.environment import read_environment
from messor.drivers.executor.session import ExecutorSession
from messor.drivers.executor.transports import check_transport, make_transport
from messor.drivers.inspection import Inspection
from messor.drivers.own import own
from messor.drivers.reporting import report_raised
from messor.drivers.scheduler.callbacks import ABORTED, NOT_STARTED, RUNNING, STOPPED
from messor.errors import ConfigurationError
from messor.protos import v0
from messor.runtime.node_thread import NodeThread

log = logging.getLogger(__name__)


class MesosExecutorDriver(Inspection):
    """Connect an executor to the agent that started it.

    environment: the variables to read instead of the process's own (S63). transport: ``libprocess`` (the classic one),
    ``http`` (v1, protobuf) or ``http+json``. Made outside an agent, start() ends with one readable line and exit status
    1, as it always did.
    """

    def __init__(
        self, executor: Any, environment: Mapping[str, str] | None = None, *, transport: str = "libprocess"
    ) -> None:
        """Raises TypeError without an executor, ConfigurationError for an unknown transport."""
        if executor is None:
            raise TypeError("an executor is required")
        check_transport(transport)
        self._executor = executor
        self._variables = environment
        self._transport_name = transport
        self._status: int = NOT_STARTED
        self._lock = threading.RLock()
        self._latch = threading.Event()
        self._thread: NodeThread | None = None
        self._session: ExecutorSession
        self._is_shut_down = False
        self._callbacks: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None] = SimpleQueue()

    # --- lifecycle ---------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Register with the agent and return; only from NOT_STARTED. Exits the process outside an agent (S57)."""
        with self._lock:
            if self._status != NOT_STARTED:
                return self._status
            try:
                environment = read_environment(os.environ if self._variables is None else self._variables)
            except ConfigurationError as error:
                sys.exit(str(error))
            for stream in (sys.stdout, sys.stderr):
                if hasattr(stream, "reconfigure"):
                    stream.reconfigure(line_buffering=True)
            thread = NodeThread("messor-executor-driver")
            node = thread.start()
            transport = make_transport(self._transport_name, environment)
            name = node.directory.numbered("executor")
            self._session = ExecutorSession(name, environment, transport, _Listener(self))
            self._thread = thread
            threading.Thread(target=self._run_callbacks, name="messor-executor-callbacks", daemon=True).start()
            thread.post(node.directory.spawn, self._session)
            self._status = RUNNING
            return self._status

    def stop(self) -> int:
        """End; honoured from RUNNING and from ABORTED."""
        with self._lock:
            if self._status not in (RUNNING, ABORTED):
                return self._status
            aborted = self._status == ABORTED
            self._status = STOPPED
            if self._thread is not None:
                self._thread.post(self._end_session)
                self._thread.stop()
            self._callbacks.put(None)
            self._latch.set()
            return ABORTED if aborted else STOPPED

    def _end_session(self) -> None:
        assert self._thread is not None
        self._thread.node.directory.terminate(self._session)

    def abort(self) -> int:
        """Stop hearing callbacks; only from RUNNING."""
        with self._lock:
            if self._status != RUNNING:
                return self._status
            self._status = ABORTED
            assert self._thread is not None
            self._thread.post(self._session.abort)
            self._latch.set()
            return self._status

    def join(self) -> int:
        """Wait for stop or abort; returns at once unless running (S58)."""
        if self._status != RUNNING:
            return self._status
        self._latch.wait()
        return self._status

    await_ = join

    def run(self) -> int:
        """Start, and join when that worked."""
        status = self.start()
        return status if status != RUNNING else self.join()

    # --- calls -------------------------------------------------------------------------------------------------------

    def sendStatusUpdate(self, status: Any) -> int:
        """Send a task's status; it is kept until the agent has it."""
        own_status = v0.TaskStatus()
        own_status.CopyFrom(own(v0.TaskStatus, status))
        return self._post("send_update", own_status)

    def sendFrameworkMessage(self, data: Any) -> int:
        """Send bytes to the scheduler, best effort."""
        return self._post("send_message", data.encode() if isinstance(data, str) else bytes(data))

    def _post(self, name: str, *arguments: object) -> int:
        with self._lock:
            if self._status == RUNNING:
                assert self._thread is not None
                self._thread.post(getattr(self._session, name), *arguments)
            return self._status

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def _run_callbacks(self) -> None:
        while True:
            entry = self._callbacks.get()
            if entry is None:
                return
            call, arguments = entry
            call(*arguments)

    def _deliver(self, name: str, *arguments: Any) -> None:
        if self._status != RUNNING or self._is_shut_down:
            return
        try:
            getattr(self._executor, name)(self, *arguments)
        except Exception as error:
            report_raised(log, f"The executor's {name} raised; aborting the driver")
            with self._lock:
                if self._status != RUNNING:
                    return
                assert self._thread is not None
                self._thread.post(self._session.abort)
            self._deliver_error(f"The executor's {name} raised {error!r}")

    def _deliver_shutdown(self) -> None:
        """Run ``shutdown``; everything after it is ignored, but join() is not released (trap 32)."""
        self._deliver("shutdown")
        self._is_shut_down = True

    def _deliver_error(self, message: str) -> None:
        with self._lock:
            if self._status == RUNNING:
                self._status = ABORTED
        try:
            self._executor.error(self, message)
        except Exception:
            report_raised(log, "The executor's error callback raised")
        finally:
            self._latch.set()


setattr(MesosExecutorDriver, "await", MesosExecutorDriver.join)


class _Listener:
    """Puts the session's events into the callback thread's queue."""

    def __init__(self, driver: MesosExecutorDriver) -> None:
        self._driver = driver
        self._put = driver._callbacks.put

    def registered(self, executor: v0.ExecutorInfo, framework: v0.FrameworkInfo, agent: v0.SlaveInfo) -> None:
        self._put((self._driver._deliver, ("registered", executor, framework, agent)))

    def reregistered(self, agent: v0.SlaveInfo) -> None:
        self._put((self._driver._deliver, ("reregistered", agent)))

    def launch(self, task: v0.TaskInfo) -> None:
        self._put((self._driver._deliver, ("launchTask", task)))

    def kill(self, task_id: v0.TaskID) -> None:
        self._put((self._driver._deliver, ("killTask", task_id)))

    def message(self, data: bytes) -> None:
        self._put((self._driver._deliver, ("frameworkMessage", data)))

    def shutdown(self) -> None:
        self._put((self._driver._deliver_shutdown, ()))

    def suicide(self) -> None:
        log.error("Still running after the grace period; killing the process group")
        os.killpg(0, signal.SIGKILL)

    def failed(self, message: str) -> None:
        self._put((self._driver._deliver_error, (message,)))
