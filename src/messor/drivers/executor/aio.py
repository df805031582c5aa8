"""The asyncio face of an executor: events are iterated over, updates are awaitables that end when the agent has them.

async with Executor() as executor:
    async for event in executor:
        ...
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from messor.drivers.event_queue import EventQueue
from messor.drivers.executor import events
from messor.drivers.executor.environment import read_environment
from messor.drivers.executor.session import ExecutorSession
from messor.drivers.executor.transports import check_transport, make_transport
from messor.drivers.outcomes import ACCEPTED, Outcome, What
from messor.drivers.own import own
from messor.errors import MesosError
from messor.protos import v0
from messor.runtime.address import Address
from messor.runtime.host import Host, Promise
from messor.runtime.node import Node

FAREWELL = 2.0
"""Seconds that leaving may wait until the agent has the last updates."""


class ExecutorFailed(MesosError):
    """The agent refuses this executor for good."""


class Executor:
    """An executor's connection to the agent that started it.

    Leaving the ``async with`` block waits a moment until the agent has the last updates.
    """

    def __init__(
        self, *, environment: Mapping[str, str] | None = None, transport: str = "http", host: Host | None = None
    ) -> None:
        """Read the MESOS_* variables; nothing is connected yet.

        environment: instead of the process's own. transport: ``http`` (v1, protobuf), ``http+json`` or ``libprocess``.
        host: a simulated one. Raises ConfigurationError naming the variable that is missing (the process was not
        started by an agent).
        """
        check_transport(transport)
        self._environment = read_environment(os.environ if environment is None else environment)
        self._transport_name = transport
        self._given_host = host
        self._host: Host
        self._node: Node | None = None
        self._session: ExecutorSession
        self._queue: EventQueue[events.Event]
        self._unanswered: dict[bytes, Promise[Outcome]] = {}

    async def __aenter__(self) -> Self:
        """Introduce the executor to its agent; Registered is the answer."""
        if self._given_host is not None:
            self._host = self._given_host
        else:
            self._node = Node(Address("127.0.0.1", 0) if self._transport_name != "libprocess" else None)
            await self._node.start()
            self._host = self._node
        self._queue = EventQueue(self._host.tasks)
        transport = make_transport(self._transport_name, self._environment)
        listener = _Listener(self._queue, self._unanswered)
        name = self._host.directory.numbered("executor")
        self._session = ExecutorSession(name, self._environment, transport, listener, modern=listener)
        self._host.directory.spawn(self._session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with suppress(TimeoutError):
                await self._host.tasks.within(FAREWELL, self._settled())
        finally:
            self._host.directory.terminate(self._session)
            for promise in self._unanswered.values():
                if not promise.done():
                    promise.set_result(Outcome(What.UNKNOWN, "the executor left before the agent acknowledged it"))
            if self._node is not None:
                await self._node.stop()

    async def _settled(self) -> None:
        for promise in list(self._unanswered.values()):
            while not promise.done():
                await self._host.tasks.sleep(0.005)

    @property
    def framework_id(self) -> str:
        """The framework this executor belongs to."""
        return self._environment.framework_id

    @property
    def agent_id(self) -> str:
        """The agent it runs on."""
        return self._environment.agent_id

    @property
    def sandbox(self) -> str:
        """The folder to work in."""
        return self._environment.directory

    # --- events ------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> events.Event:
        """Wait for the next event; ends after Shutdown, raises ExecutorFailed. Cancelling loses no event."""
        return await self._queue.get()

    # --- calls: made at once, in order, awaited or not ---------------------------------------------------------------

    def update(
        self, task_id: str | v0.TaskID, state: int, *, message: str = "", data: bytes = b"", healthy: bool | None = None
    ) -> Awaitable[Outcome]:
        """Report a task's state, such as ``v0.TASK_RUNNING``; kept and sent again until the agent has it.

        Awaiting waits for the agent's acknowledgement, or for its reason to refuse it (HTTP); nobody has to.
        """
        status = v0.TaskStatus(state=state)  # type: ignore[arg-type]  # enums are numbers on the wire
        status.task_id.value = task_id if isinstance(task_id, str) else task_id.value
        if message:
            status.message = message
        if data:
            status.data = data
        if healthy is not None:
            status.healthy = healthy
        return self.send(status)

    def send(self, status: v0.TaskStatus) -> Awaitable[Outcome]:
        """Report a complete status; its ids, uuid and timestamp are filled in."""
        promise: Promise[Outcome] = self._host.tasks.promise()
        self._unanswered[self._session.send_update(own(v0.TaskStatus, status))] = promise
        return promise

    def message(self, data: bytes) -> None:
        """Send bytes to the scheduler, at most once."""
        self._session.send_message(data)


class _Listener:
    """Turns what the session tells into events."""

    def __init__(self, queue: EventQueue[events.Event], unanswered: dict[bytes, Promise[Outcome]]) -> None:
        self._queue = queue
        self._put = queue.put
        self._unanswered = unanswered

    def registered(self, executor: v0.ExecutorInfo, framework: v0.FrameworkInfo, agent: v0.SlaveInfo) -> None:
        self._put(events.Registered(executor, framework, agent))

    def reregistered(self, agent: v0.SlaveInfo) -> None:
        self._put(events.Reregistered(agent))

    def disconnected(self) -> None:
        self._put(events.Disconnected())

    def launch(self, task: v0.TaskInfo) -> None:
        self._put(events.Launch(task))

    def kill(self, task_id: v0.TaskID) -> None:
        self._put(events.Kill(task_id.value))

    def kill_with(self, task_id: v0.TaskID, policy: v0.KillPolicy) -> None:
        grace = policy.grace_period.nanoseconds / 1e9 if policy.HasField("grace_period") else None
        self._put(events.Kill(task_id.value, grace))

    def acknowledged(self, uuid: bytes) -> None:
        promise = self._unanswered.pop(uuid, None)
        if promise is not None and not promise.done():
            promise.set_result(ACCEPTED)

    def refused(self, uuid: bytes, reason: str) -> None:
        promise = self._unanswered.pop(uuid, None)
        if promise is not None and not promise.done():
            promise.set_result(Outcome(What.REJECTED, reason))

    def message(self, data: bytes) -> None:
        self._put(events.Message(data))

    def shutdown(self) -> None:
        self._put(events.Shutdown())
        self._queue.end()

    def suicide(self) -> None:
        os.killpg(0, signal.SIGKILL)

    def failed(self, message: str) -> None:
        self._queue.end(ExecutorFailed(message))
