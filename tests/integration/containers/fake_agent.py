"""An agent's executor API, just enough of it: subscriptions, launches, acknowledgements, a record of all updates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from messor.protos import v1, v1_executor

OK_STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-protobuf\r\n\r\n"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
RECOVERING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 33\r\n\r\nAgent has not finished recovery.\n"
DEADLINE = 15.0


class Subscription:
    """One executor's event stream."""

    def __init__(self, call: Any, writer: asyncio.StreamWriter) -> None:
        """Remember what it said when it came."""
        self.call = call
        self.writer = writer

    def send(self, event: Any) -> None:
        """Send one event as a record in a chunk."""
        data = event.SerializeToString()
        record = b"%d\n%b" % (len(data), data)
        self.writer.write(b"%x\r\n%b\r\n" % (len(record), record))


class FakeAgent:
    """Serves many executors; ``updates[task id]`` lists the statuses in order of arrival."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.updates: dict[str, list[Any]] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.tasks: dict[str, Any] = {}
        self.capabilities: list[int] = []
        self.acknowledges = True
        self.refusals = 0
        """How many subscriptions are still to be refused, as by an agent that recovers."""

        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Listen; the same port again after a stop."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Vanish, as a killed agent does."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        self.subscriptions.clear()
        await asyncio.sleep(0)

    def environment(self, executor_id: str, **more: str) -> dict[str, str]:
        """Give what an executor of ours finds in its environment."""
        return {
            "MESOS_SLAVE_PID": f"slave(1)@127.0.0.1:{self.port}",
            "MESOS_AGENT_ENDPOINT": f"127.0.0.1:{self.port}",
            "MESOS_FRAMEWORK_ID": "framework",
            "MESOS_EXECUTOR_ID": executor_id,
            "MESOS_CHECKPOINT": "0",
            "MESOS_HTTP_COMMAND_EXECUTOR": "0",
            "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
            **more,
        }

    async def until(self, happened: Callable[[], object], what: str) -> None:
        """Wait until something is true of what arrived; fails with what is missing."""
        async with asyncio.timeout(DEADLINE) as limit:
            while not happened():
                self._changed.clear()
                try:
                    await self._changed.wait()
                except asyncio.CancelledError:
                    if limit.expired():
                        raise AssertionError(f"{what} did not happen; updates: {self.states()}") from None
                    raise

    def states(self) -> dict[str, list[str]]:
        """Give the state names seen so far, per task."""
        return {task: [v1.TaskState.Name(status.state) for status in seen] for task, seen in self.updates.items()}

    async def until_state(self, task_id: str, state: str) -> Any:
        """Wait for an update with that state; gives it."""
        wanted = v1.TaskState.Value(state)
        await self.until(
            lambda: any(status.state == wanted for status in self.updates.get(task_id, [])), f"{task_id} {state}"
        )
        return next(status for status in self.updates[task_id] if status.state == wanted)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                call = v1_executor.Call.FromString(await reader.readexactly(length))
                self._answer(call, writer)
                self._changed.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._writers.discard(writer)

    def _answer(self, call: Any, writer: asyncio.StreamWriter) -> None:
        name = call.executor_id.value
        if call.type == v1_executor.Call.SUBSCRIBE:
            self._subscribe(name, call, writer)
            return
        writer.write(ACCEPTED)
        if call.type == v1_executor.Call.UPDATE:
            self._update(name, call.update.status)

    def _subscribe(self, name: str, call: Any, writer: asyncio.StreamWriter) -> None:
        if self.refusals > 0:
            self.refusals -= 1
            writer.write(RECOVERING)
            return
        writer.write(OK_STREAM)
        subscription = Subscription(call, writer)
        self.subscriptions[name] = subscription
        subscribed = v1_executor.Event(type=v1_executor.Event.SUBSCRIBED)
        subscribed.subscribed.executor_info.executor_id.value = name
        subscribed.subscribed.framework_info.user = "root"
        subscribed.subscribed.framework_info.name = "test"
        for capability in self.capabilities:
            subscribed.subscribed.framework_info.capabilities.add().type = capability
        subscribed.subscribed.agent_info.hostname = "localhost"
        subscription.send(subscribed)
        for update in call.subscribe.unacknowledged_updates:
            self._update(name, update.status)
        task = self.tasks.pop(name, None)
        if task is not None:
            launch = v1_executor.Event(type=v1_executor.Event.LAUNCH)
            launch.launch.task.CopyFrom(task)
            subscription.send(launch)

    def _update(self, name: str, status: Any) -> None:
        self.updates.setdefault(status.task_id.value, []).append(status)
        if self.acknowledges:
            self.acknowledge(name, status)

    def acknowledge(self, name: str, status: Any) -> None:
        """Acknowledge one update."""
        event = v1_executor.Event(type=v1_executor.Event.ACKNOWLEDGED)
        event.acknowledged.task_id.CopyFrom(status.task_id)
        event.acknowledged.uuid = status.uuid
        self.subscriptions[name].send(event)

    def kill(self, name: str, grace: float | None = None) -> None:
        """Send KILL for the executor's task (of the same id)."""
        event = v1_executor.Event(type=v1_executor.Event.KILL)
        event.kill.task_id.value = name
        if grace is not None:
            event.kill.kill_policy.grace_period.nanoseconds = int(grace * 1e9)
        self.subscriptions[name].send(event)

    def shut_down(self, name: str) -> None:
        """Send SHUTDOWN."""
        self.subscriptions[name].send(v1_executor.Event(type=v1_executor.Event.SHUTDOWN))


def task(task_id: str, command: str = "true", **command_fields: Any) -> Any:
    """Make a command task."""
    made = v1.TaskInfo(name=task_id)
    made.task_id.value = task_id
    made.agent_id.value = "agent"
    made.command.CopyFrom(v1.CommandInfo(value=command, **command_fields))
    resource = made.resources.add(name="cpus", type=v1.Value.SCALAR)
    resource.scalar.value = 0.1
    resource.allocation_info.role = "*"
    return made
