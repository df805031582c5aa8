"""An executor driver and a fake agent, the same play on every transport."""

from __future__ import annotations

from typing import Any

from integration.drivers.conftest import Heard, Stage, wait_for
from messor.drivers.executor.callbacks import MesosExecutorDriver
from messor.protos import internal, v0, v1_executor
from messor.wire.versions import devolve, evolve
from support import builders
from support.fakes import Recorder
from support.http_peer import HttpPeer

Event = v1_executor.Event
TRANSPORTS = ("libprocess", "http", "http+json")


def executor_info() -> v0.ExecutorInfo:
    """The executor, with data of its scheduler."""
    return v0.ExecutorInfo(executor_id=v0.ExecutorID(value="E"), data=b"from the scheduler")


class LibprocessAgent:
    """A fake agent on a node of its own."""

    transport = "libprocess"

    def __init__(self, stage: Stage) -> None:
        """Listen."""
        self.stage = stage
        self.agent = Recorder("slave(1)")
        stage.spawn(self.agent)
        self.address = f"127.0.0.1:{self.agent.upid.port}"

    def send(self, message: Any) -> None:
        """Send anything to the executor."""
        pid = self.agent.last_sender(internal.RegisterExecutorMessage)
        self.stage.do(lambda: self.agent.send(pid, message))

    def introductions(self) -> int:
        """Count how often the executor introduced itself."""
        return sum(
            len(self.agent.received(kind))
            for kind in (internal.RegisterExecutorMessage, internal.ReregisterExecutorMessage)
        )

    def registered(self) -> None:
        """Accept the executor."""
        message = internal.ExecutorRegisteredMessage(
            executor_info=executor_info(),
            framework_id=v0.FrameworkID(value="F"),
            framework_info=builders.framework_info(framework_id="F"),
            slave_id=v0.SlaveID(value="A"),
            slave_info=builders.agent_info(agent_id="A"),
        )
        self.send(message)

    def break_off(self, driver: MesosExecutorDriver) -> None:
        """Let the driver see that the agent died."""
        assert driver._thread is not None
        driver._thread.post(driver._session.exited, self.agent.upid)

    def return_(self) -> tuple[list[str], list[str]]:
        """Come back and give the tasks of unacknowledged launches and updates that the driver tells of."""
        self.send(internal.ReconnectExecutorMessage(slave_id=v0.SlaveID(value="A")))
        wait_for(lambda: self.agent.received(internal.ReregisterExecutorMessage), "the executor to reregister")
        message = self.agent.last(internal.ReregisterExecutorMessage)
        self.send(
            internal.ExecutorReregisteredMessage(
                slave_info=builders.agent_info(agent_id="A"), slave_id=v0.SlaveID(value="A")
            )
        )
        return (
            [task.task_id.value for task in message.tasks],
            [update.status.task_id.value for update in message.updates],
        )

    def launch(self, task: v0.TaskInfo) -> None:
        """Launch a task."""
        message = internal.RunTaskMessage(framework=builders.framework_info(framework_id="F"), task=task, pid="")
        message.framework_id.value = "F"
        self.send(message)

    def kill(self, task_id: str) -> None:
        """Kill a task."""
        message = internal.KillTaskMessage()
        message.framework_id.value, message.task_id.value = "F", task_id
        self.send(message)

    def message(self, data: bytes) -> None:
        """Send the scheduler's bytes."""
        message = internal.FrameworkToExecutorMessage(data=data)
        message.slave_id.value, message.framework_id.value, message.executor_id.value = "A", "F", "E"
        self.send(message)

    def acknowledge(self, status: v0.TaskStatus) -> None:
        """Acknowledge an update."""
        message = internal.StatusUpdateAcknowledgementMessage(uuid=status.uuid, task_id=status.task_id)
        message.slave_id.value, message.framework_id.value = "A", "F"
        self.send(message)

    def shut_down(self) -> None:
        """End the executor."""
        self.send(internal.ShutdownExecutorMessage())

    def updates(self) -> list[v0.TaskStatus]:
        """Give the statuses that came, as one would see them in a v1 call."""
        found = []
        for message in self.agent.received(internal.StatusUpdateMessage):
            update = message.update
            assert (update.framework_id.value, update.executor_id.value, update.slave_id.value) == ("F", "E", "A")
            assert update.uuid == update.status.uuid
            assert update.timestamp == update.status.timestamp
            assert message.pid == str(self.agent.last_sender(internal.StatusUpdateMessage))
            found.append(update.status)
        return found

    def messages(self) -> list[bytes]:
        """Give the bytes for the scheduler."""
        return [message.data for message in self.agent.received(internal.ExecutorToFrameworkMessage)]


class HttpAgent:
    """A fake agent that speaks the executor API."""

    def __init__(self, transport: str) -> None:
        """Listen."""
        self.transport = transport
        self.peer = HttpPeer(v1_executor.Call)
        self.address = f"127.0.0.1:{self.peer.port}"

    def send(self, event: v1_executor.Event) -> None:
        """Send an event."""
        self.peer.stream().send(event)

    def introductions(self) -> int:
        """Count how often the executor introduced itself."""
        return len(self.peer.of(v1_executor.Call.SUBSCRIBE))

    def registered(self) -> None:
        """Accept the executor."""
        event = Event(type=Event.SUBSCRIBED)
        event.subscribed.executor_info.CopyFrom(evolve(executor_info()))
        event.subscribed.framework_info.CopyFrom(evolve(builders.framework_info(framework_id="F")))
        event.subscribed.agent_info.CopyFrom(evolve(builders.agent_info(agent_id="A")))
        self.send(event)

    def break_off(self, driver: MesosExecutorDriver) -> None:
        """End the event stream; nothing listens for a while, as far as the executor can tell."""
        self.peer.refusals = [(503, "Agent has not finished recovery", {})]
        self.peer.stream().end()

    def return_(self) -> tuple[list[str], list[str]]:
        """Come back and give the tasks of unacknowledged launches and updates that the driver tells of."""
        count = len(self.peer.streams)
        self.peer.streams[-1].end()
        wait_for(lambda: len(self.peer.streams) > count, "the executor to subscribe again")
        call = self.peer.of(v1_executor.Call.SUBSCRIBE)[-1].subscribe
        self.registered()
        return (
            [task.task_id.value for task in call.unacknowledged_tasks],
            [update.status.task_id.value for update in call.unacknowledged_updates],
        )

    def launch(self, task: v0.TaskInfo) -> None:
        """Launch a task."""
        event = Event(type=Event.LAUNCH)
        event.launch.task.CopyFrom(evolve(task))
        self.send(event)

    def kill(self, task_id: str) -> None:
        """Kill a task."""
        event = Event(type=Event.KILL)
        event.kill.task_id.value = task_id
        self.send(event)

    def message(self, data: bytes) -> None:
        """Send the scheduler's bytes."""
        event = Event(type=Event.MESSAGE)
        event.message.data = data
        self.send(event)

    def acknowledge(self, status: v0.TaskStatus) -> None:
        """Acknowledge an update."""
        event = Event(type=Event.ACKNOWLEDGED)
        event.acknowledged.uuid, event.acknowledged.task_id.value = status.uuid, status.task_id.value
        self.send(event)

    def shut_down(self) -> None:
        """End the executor."""
        self.send(Event(type=Event.SHUTDOWN))

    def updates(self) -> list[v0.TaskStatus]:
        """Give the statuses that came."""
        calls = self.peer.of(v1_executor.Call.UPDATE)
        for call in calls:
            assert (call.framework_id.value, call.executor_id.value) == ("F", "E")
        return [devolve(call.update.status) for call in calls]

    def messages(self) -> list[bytes]:
        """Give the bytes for the scheduler."""
        return [call.message.data for call in self.peer.of(v1_executor.Call.MESSAGE)]


AgentSide = LibprocessAgent | HttpAgent


class ExecutorPlay:
    """A driver, its executor and the agent it talks to."""

    def __init__(self, agent: AgentSide, **variables: str) -> None:
        """Make a driver; variables are added to the agent's."""
        self.agent = agent
        self.heard = Heard()
        self.driver = MesosExecutorDriver(self.heard, environment(agent, **variables), transport=agent.transport)

    def register(self) -> None:
        """Start and register."""
        assert self.driver.start() == v0.DRIVER_RUNNING
        wait_for(self.agent.introductions, "the registration")
        self.agent.registered()
        self.heard.wait("registered")

    def wait_updates(self, count: int = 1) -> list[v0.TaskStatus]:
        """Wait for updates and give all."""
        wait_for(lambda: len(self.agent.updates()) >= count, f"{count} updates")
        return self.agent.updates()

    def end(self) -> None:
        """Stop."""
        self.driver.stop()
        if self.driver._thread is not None:
            self.driver._thread.join(60)


def environment(agent: AgentSide, **more: str) -> dict[str, str]:
    """What an agent gives its executors."""
    return {
        "MESOS_SLAVE_PID": f"slave(1)@{agent.address}",
        "MESOS_SLAVE_ID": "A",
        "MESOS_FRAMEWORK_ID": "F",
        "MESOS_EXECUTOR_ID": "E",
        "MESOS_DIRECTORY": "/tmp",
        "MESOS_AGENT_ENDPOINT": agent.address,
        "MESOS_CHECKPOINT": "0",
        "MESOS_LOCAL": "1",
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": "20ms",
        **more,
    }
