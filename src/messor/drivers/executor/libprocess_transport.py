"""An executor session over libprocess (protocols b.4, b.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from messor.drivers.executor.environment import ExecutorEnvironment
from messor.drivers.executor.interfaces import ExecutorTransportEvents
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.actor import Actor


class LibprocessExecutorTransport(Component):
    """Talks to the agent's actor."""

    def __init__(self, environment: ExecutorEnvironment) -> None:
        """Take the agent's address from the environment."""
        self._environment = environment
        self._agent = environment.agent
        self._framework_id = v0.FrameworkID(value=environment.framework_id)
        self._executor_id = v0.ExecutorID(value=environment.executor_id)
        self._session: ExecutorTransportEvents
        self._actor: Actor

    # --- what the session asks ---------------------------------------------------------------------------------------

    def attach(self, session: ExecutorTransportEvents) -> None:
        """Take the session, which is also the actor that sends."""
        self._session = session
        self._actor = session  # type: ignore[assignment]  # the session is the actor on this transport

    def register(self) -> None:
        """Link the agent and register."""
        self._actor.link(self._agent)
        message = internal.RegisterExecutorMessage(framework_id=self._framework_id, executor_id=self._executor_id)
        self._actor.send(self._agent, message)

    def retry(self, tasks: Sequence[v0.TaskInfo], updates: Sequence[internal.StatusUpdate]) -> None:
        """Do nothing: a restarted agent sends ReconnectExecutorMessage."""

    def send_update(self, update: internal.StatusUpdate) -> None:
        """Send the update with our own address, to be acknowledged there."""
        self._actor.send(self._agent, internal.StatusUpdateMessage(update=update, pid=str(self._actor.upid)))

    def send_message(self, data: bytes) -> None:
        """Send bytes through the agent."""
        message = internal.ExecutorToFrameworkMessage(
            slave_id=v0.SlaveID(value=self._environment.agent_id),
            framework_id=self._framework_id,
            executor_id=self._executor_id,
            data=data,
        )
        self._actor.send(self._agent, message)

    def close(self) -> None:
        """Let go of the link."""
        self._actor.host.network.unlink(self._actor.upid, self._agent)

    # --- what arrives ------------------------------------------------------------------------------------------------

    @on(internal.ExecutorRegisteredMessage)
    def registered(self, sender: Upid, message: internal.ExecutorRegisteredMessage) -> None:  # noqa: ARG002
        """The agent accepted the executor."""
        self._session.on_registered(message.executor_info, message.framework_info, message.slave_info)

    @on(internal.ExecutorReregisteredMessage)
    def reregistered(self, sender: Upid, message: internal.ExecutorReregisteredMessage) -> None:  # noqa: ARG002
        """The restarted agent accepted the executor."""
        self._session.on_reregistered(message.slave_info)

    @on(internal.ReconnectExecutorMessage)
    def reconnect(self, sender: Upid, message: internal.ReconnectExecutorMessage) -> None:
        """A restarted agent asks who is there; its address may have changed."""
        if message.slave_id.value != self._environment.agent_id:
            self.ignore(message, f"it is from agent {message.slave_id.value}, not {self._environment.agent_id}")
            return
        self._agent = sender
        self._actor.link(sender, reconnect=True)
        tasks, updates = self._session.unacknowledged
        answer = internal.ReregisterExecutorMessage(
            executor_id=self._executor_id, framework_id=self._framework_id, tasks=tasks, updates=updates
        )
        self._actor.send(sender, answer)

    @on(internal.RunTaskMessage)
    def launched(self, sender: Upid, message: internal.RunTaskMessage) -> None:  # noqa: ARG002
        """A task to start."""
        self._session.on_launch(message.task)

    @on(internal.KillTaskMessage)
    def killed(self, sender: Upid, message: internal.KillTaskMessage) -> None:  # noqa: ARG002
        """A task to kill."""
        self._session.on_kill(message.task_id, message.kill_policy if message.HasField("kill_policy") else None)

    @on(internal.StatusUpdateAcknowledgementMessage)
    def acknowledged(self, sender: Upid, message: internal.StatusUpdateAcknowledgementMessage) -> None:  # noqa: ARG002
        """The agent has an update."""
        self._session.on_acknowledged(message.task_id, message.uuid)

    @on(internal.FrameworkToExecutorMessage)
    def message_arrived(self, sender: Upid, message: internal.FrameworkToExecutorMessage) -> None:  # noqa: ARG002
        """The scheduler sent bytes."""
        self._session.on_message(message.data)

    @on(internal.ShutdownExecutorMessage)
    def shut_down(self, sender: Upid, message: internal.ShutdownExecutorMessage) -> None:  # noqa: ARG002
        """The executor has to end."""
        self._session.on_shutdown()
