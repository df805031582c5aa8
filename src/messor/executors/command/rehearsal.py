"""Going through a task's whole life once, in the zygote, before any executor is forked from it.

What Python does on the first pass only (message classes, specialised bytecode, time zone data) is then shared by all
forks instead of being done, and paid for in copied pages, by each of them.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

from messor.executors.command.executor import CommandExecutor
from messor.executors.command.link import AgentLink
from messor.executors.command.replies import ReplyReader
from messor.executors.command.settings import Settings
from messor.executors.command.task_process import TaskProcess
from messor.protos import v1_executor
from messor.wire.recordio import encode_record

_ENVIRONMENT = {
    "MESOS_SLAVE_PID": "slave(1)@127.0.0.1:1",
    "MESOS_FRAMEWORK_ID": "rehearsal",
    "MESOS_EXECUTOR_ID": "rehearsal",
    "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
    "PATH": "/usr/bin:/bin",
}
_TIMES = 3
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nDate: Fri, 20 Nov 2026 15:10:58 GMT\r\nContent-Length: 0\r\n\r\n"


def rehearse() -> None:
    """Run a task that does nothing for an agent that does not exist; leaves nothing behind.

    Takes over the children's signal and standard error while it runs; the caller sets its own up afterwards.
    """
    saved = os.dup(2)
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        for _ in range(_TIMES):
            settings = Settings.from_environment(_ENVIRONMENT)
            CommandExecutor(settings, _RehearsalLink(settings), _RehearsalProcess()).run()
            left = signal.set_wakeup_fd(-1)
            if left != -1:
                os.close(left)
    finally:
        os.dup2(saved, 2)
        os.close(saved)


class _RehearsalProcess(TaskProcess):
    """The rehearsed task and nothing else: whoever else ends here is a container, whose end the zygote must hear of."""

    def reap(self) -> None:
        if self.pid is not None and self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == self.pid:
                self.status = status

    def signal(self, number: int) -> None:
        if self.pid is not None and self.status is None:
            os.kill(self.pid, number)


class _RehearsalLink(AgentLink):
    """Both ends of the connections: what the executor sends is answered on the spot."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.agent, settings.token)
        self._ends: list[socket.socket] = []

    def _connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._ends.append(theirs)
        return ours

    def subscribe(self, body: bytes) -> None:
        super().subscribe(body)
        subscribed = v1_executor.Event(type="SUBSCRIBED")
        subscribed.subscribed.framework_info.user = "nobody"
        subscribed.subscribed.framework_info.name = "rehearsal"
        subscribed.subscribed.framework_info.capabilities.add(type="TASK_KILLING_STATE")
        subscribed.subscribed.agent_info.hostname = "localhost"
        subscribed.subscribed.executor_info.executor_id.value = "rehearsal"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-protobuf\r\n\r\n"
        self._ends[0].sendall(head)
        self._tell(subscribed)
        launch = v1_executor.Event(type="LAUNCH")
        launch.launch.task.name = "rehearsal"
        launch.launch.task.task_id.value = "rehearsal"
        launch.launch.task.agent_id.value = "rehearsal"
        launch.launch.task.command.value = "true"
        launch.launch.task.command.environment.variables.add(name="A", value="B")
        resource = launch.launch.task.resources.add(name="cpus", type="SCALAR")
        resource.scalar.value = 1
        resource.allocation_info.role = "*"
        self._tell(launch)

    def call(self, bodies: list[bytes]) -> None:
        super().call(bodies)
        self._ends[1].sendall(_ACCEPTED * len(bodies))
        for body in bodies:
            update = v1_executor.Call.FromString(body).update
            acknowledged = v1_executor.Event(type="ACKNOWLEDGED")
            acknowledged.acknowledged.task_id.CopyFrom(update.status.task_id)
            acknowledged.acknowledged.uuid = update.status.uuid
            self._tell(acknowledged)

    def _tell(self, event: v1_executor.Event) -> None:
        record = encode_record(event.SerializeToString())
        self._ends[0].sendall(b"%x\r\n%b\r\n" % (len(record), record))

    def close(self) -> None:
        super().close()
        self._replies = ReplyReader()
        for end in self._ends:
            with suppress(OSError):
                end.close()
        self._ends.clear()
