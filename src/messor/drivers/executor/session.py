"""An executor's session with its agent: register, run, keep updates until the agent has them.

Rules are rows S49-S63 of the contract.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from messor.drivers.executor.environment import ExecutorEnvironment
from messor.drivers.executor.interfaces import ExecutorListener, ExecutorTransport, ModernExecutorListener
from messor.protos import internal, v0
from messor.runtime.actor import Actor, Component
from messor.runtime.host import Timer
from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class ExecutorSession(Actor):
    """Keeps one executor connected to its agent."""

    def __init__(
        self,
        name: str,
        environment: ExecutorEnvironment,
        transport: ExecutorTransport,
        listener: ExecutorListener,
        modern: ModernExecutorListener | None = None,
    ) -> None:
        """Take what the agent said in the environment. modern: who hears what classic callbacks leave out."""
        super().__init__(name)
        self.environment = environment
        self._transport = transport
        self._listener = listener
        self._modern = modern
        self._connected = False
        self._was_registered = False
        self._running = True
        self._connection = 0
        self._timers: list[Timer] = []
        self._tasks: dict[str, v0.TaskInfo] = {}
        """Launched and not acknowledged yet: told to a restarted agent."""
        self._updates: dict[bytes, internal.StatusUpdate] = {}
        """Sent and not acknowledged by the agent, in order of sending."""

    def components(self) -> Iterable[Component]:
        """The transport's handlers count as the session's."""
        return (self._transport,) if isinstance(self._transport, Component) else ()

    def started(self) -> None:
        """Introduce the executor; once, as the agent either knows it or has given up on it (S57)."""
        self._transport.attach(self)
        self._transport.register()

    def stopping(self) -> None:
        """Let go of the agent."""
        self._running = False
        for timer in self._timers:
            timer.cancel()
        self._transport.close()

    def exited(self, peer: Upid) -> None:
        """Notice that the agent died."""
        if peer == self.environment.agent:
            self.on_broken(f"the agent at {peer} exited")

    @property
    def unacknowledged(self) -> tuple[Sequence[v0.TaskInfo], Sequence[internal.StatusUpdate]]:
        """What a restarted agent must be told."""
        return list(self._tasks.values()), list(self._updates.values())

    # --- what the transport tells ------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether the agent knows this executor now."""
        return self._connected

    def on_registered(self, executor: v0.ExecutorInfo, framework: v0.FrameworkInfo, agent: v0.SlaveInfo) -> None:
        """Become connected; over HTTP a second time means that the agent restarted."""
        if not self._running:
            return
        if self._was_registered:
            self.on_reregistered(agent)
            return
        self._was_registered = True
        self._connect()
        self._listener.registered(executor, framework, agent)

    def on_reregistered(self, agent: v0.SlaveInfo) -> None:
        """Become connected again."""
        if self._running:
            self._was_registered = True
            self._connect()
            self._listener.reregistered(agent)

    def _connect(self) -> None:
        self._connected = True
        self._connection += 1

    def on_launch(self, task: v0.TaskInfo) -> None:
        """Start a task; ignored when not connected (S52)."""
        if not self._running or not self._connected:
            self.ignore(task, "the driver is not connected to the agent")
            return
        if task.task_id.value in self._tasks:
            self.ignore(task, f"task {task.task_id.value} was launched already")
            return
        self._tasks[task.task_id.value] = task
        self._listener.launch(task)

    def on_kill(self, task_id: v0.TaskID, policy: v0.KillPolicy | None = None) -> None:
        """Kill a task, also while disconnected (S53)."""
        if not self._running:
            return
        if policy is not None and self._modern is not None:
            self._modern.kill_with(task_id, policy)
        else:
            self._listener.kill(task_id)

    def on_acknowledged(self, task_id: v0.TaskID, uuid: bytes) -> None:
        """Forget an update the agent has taken over, and its task: the agent knows it now."""
        self._updates.pop(uuid, None)
        self._tasks.pop(task_id.value, None)
        if self._modern is not None:
            self._modern.acknowledged(uuid)

    def on_refused(self, uuid: bytes, reason: str) -> None:
        """Forget an update that the agent does not take: it would not take it after a restart either."""
        self._updates.pop(uuid, None)
        if self._modern is not None:
            self._modern.refused(uuid, reason)

    def on_message(self, data: bytes) -> None:
        """Hand bytes on; dropped while disconnected (S54)."""
        if self._running and self._connected:
            self._listener.message(data)

    def on_shutdown(self) -> None:
        """Tell the executor to end, and end it by force after the grace period unless MESOS_LOCAL (S55)."""
        if not self._running:
            return
        if not self.environment.is_local:
            grace = self.environment.shutdown_grace
            log.info("Shutting down; the process group is killed in %g seconds", grace)
            self.host.clock.after(grace, self._listener.suicide)
        self._listener.shutdown()
        self._running = False

    def on_error(self, message: str) -> None:
        """Abort, then tell."""
        if self._running:
            self.abort()
            self._listener.failed(message)

    def on_broken(self, why: str) -> None:
        """Wait for the agent when checkpointing, shut down otherwise (S51: ``disconnected`` is never called)."""
        if not self._running:
            return
        if not self.environment.is_checkpointing:
            log.info("Shutting down: %s and the framework does not checkpoint", why)
            self.on_shutdown()
            return
        if self._connected or not self._was_registered:
            if self._connected and self._modern is not None:
                self._modern.disconnected()
            self._connected = False
            timeout = self.environment.recovery_timeout
            log.info("Waiting %g seconds for the agent: %s", timeout, why)
            self._timers.append(self.host.clock.after(timeout, self._give_up, self._connection))
        self._transport.retry(*self.unacknowledged)

    def _give_up(self, connection: int) -> None:
        if self._running and not self._connected and connection == self._connection:
            log.info("The agent did not come back within the recovery timeout; shutting down")
            self.on_shutdown()

    # --- what the executor asks --------------------------------------------------------------------------------------

    def abort(self) -> None:
        """Stop hearing events."""
        self._running = False
        self._connected = False

    def send_update(self, status: v0.TaskStatus) -> bytes:
        """Send a status; ids, timestamp and a fresh uuid are filled in here (S59); gives the uuid."""
        environment = self.environment
        update = internal.StatusUpdate(
            framework_id=v0.FrameworkID(value=environment.framework_id),
            executor_id=v0.ExecutorID(value=environment.executor_id),
            slave_id=v0.SlaveID(value=environment.agent_id),
            timestamp=self.host.clock.now(),
            uuid=self.host.chance.uuid_bytes(),
        )
        update.status.CopyFrom(status)
        update.status.uuid = update.uuid
        update.status.timestamp = update.timestamp
        update.status.source = v0.TaskStatus.SOURCE_EXECUTOR
        update.status.executor_id.value = environment.executor_id
        update.status.slave_id.value = environment.agent_id
        self._updates[update.uuid] = update
        self._transport.send_update(update)
        return update.uuid

    def send_message(self, data: bytes) -> None:
        """Send bytes to the scheduler, best effort."""
        self._transport.send_message(data)
