"""Fake peers: real actors that record everything they get and have one method per message they can send."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.message import Message

from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Actor
from messor.simulation.network import Envelope, decode
from messor.wire.upid import NOBODY, Upid
from support import builders

M = TypeVar("M", bound=Message)


class Recorder(Actor):
    """An actor without handlers: it keeps every message and every exit."""

    def __init__(self, name: str) -> None:
        """Start with nothing."""
        super().__init__(name)
        self.envelopes: list[Envelope] = []
        self.lost: list[Upid] = []

    def unknown(self, sender: Upid, name: str, body: bytes) -> None:
        """Keep a message."""
        envelope = Envelope(sender, self.upid, name, body)
        self.envelopes.append(envelope)
        self.answer(sender, decode(envelope))

    def answer(self, sender: Upid, message: Any) -> None:
        """Do what this peer does on its own; nothing unless overridden."""

    def exited(self, peer: Upid) -> None:
        """Keep an exit."""
        self.lost.append(peer)

    def received(self, kind: type[M]) -> list[M]:
        """Give all messages of a type, in order."""
        name = kind.DESCRIPTOR.full_name
        return [kind.FromString(envelope.body) for envelope in self.envelopes if envelope.name == name]

    def last(self, kind: type[M]) -> M:
        """Give the latest message of a type; fails when there was none."""
        found = self.received(kind)
        assert found, f"{self.name} got no {kind.DESCRIPTOR.name}, only {self.names()}"
        return found[-1]

    def last_sender(self, kind: type[Message]) -> Upid:
        """Give who sent the latest message of a type."""
        return [envelope.sender for envelope in self.envelopes if envelope.name == kind.DESCRIPTOR.full_name][-1]

    def names(self) -> list[str]:
        """Give the short names of all messages, in order."""
        return [envelope.name.rpartition(".")[2] for envelope in self.envelopes]

    def forget(self) -> None:
        """Start recording afresh."""
        self.envelopes.clear()


class FakeMaster(Recorder):
    """A master for agents and drivers under test."""

    def __init__(self, name: str = "master") -> None:
        """Answer registrations unless told not to."""
        super().__init__(name)
        self.registers = True
        """Whether Register and Reregister are answered."""
        self.next_agent = 0
        self.agents: dict[Upid, str] = {}
        """Ids given to registered agents: a repeated Register is answered with the same one."""

    def answer(self, sender: Upid, message: Any) -> None:
        """Register agents."""
        if not self.registers:
            return
        if isinstance(message, internal.RegisterSlaveMessage):
            if sender not in self.agents:
                self.agents[sender] = f"M-S{self.next_agent}"
                self.next_agent += 1
            self.agent_registered(sender, self.agents[sender])
        elif isinstance(message, internal.UnregisterSlaveMessage):
            self.agents.pop(sender, None)
        elif isinstance(message, internal.ReregisterSlaveMessage):
            self.agent_reregistered(sender, message.slave.id.value)

    def info(self) -> v0.MasterInfo:
        """What a detector says of it."""
        ip = int.from_bytes(bytes(int(part) for part in self.upid.ip.split(".")), "little")
        info = v0.MasterInfo(id="M", ip=ip, port=self.upid.port, pid=str(self.upid), hostname=self.upid.ip)
        info.address.ip = self.upid.ip
        info.address.port = self.upid.port
        return info

    def agent_registered(self, agent: Upid, agent_id: str) -> None:
        """Send SlaveRegisteredMessage."""
        message = internal.SlaveRegisteredMessage()
        message.slave_id.value = agent_id
        message.connection.total_ping_timeout_seconds = 75
        self.send(agent, message)

    def agent_reregistered(
        self, agent: Upid, agent_id: str, reconciliations: Iterable[internal.ReconcileTasksMessage] = ()
    ) -> None:
        """Send SlaveReregisteredMessage."""
        message = internal.SlaveReregisteredMessage(reconciliations=list(reconciliations))
        message.slave_id.value = agent_id
        message.connection.total_ping_timeout_seconds = 75
        self.send(agent, message)

    def ping(self, agent: Upid, *, connected: bool = True) -> None:
        """Send PingSlaveMessage."""
        self.send(agent, internal.PingSlaveMessage(connected=connected))

    def run_task(
        self,
        agent: Upid,
        framework: v0.FrameworkInfo,
        task: v0.TaskInfo,
        pid: Upid | None = None,
        *,
        launch: bool = True,
    ) -> None:
        """Send RunTaskMessage; pid is the scheduler's, None for an HTTP framework."""
        message = internal.RunTaskMessage(framework=framework, task=task, launch_executor=launch)
        message.framework_id.CopyFrom(framework.id)
        message.pid = str(pid) if pid is not None else ""
        self.send(agent, message)

    def kill_task(self, agent: Upid, framework_id: str, task_id: str) -> None:
        """Send KillTaskMessage."""
        message = internal.KillTaskMessage()
        message.framework_id.value = framework_id
        message.task_id.value = task_id
        self.send(agent, message)

    def acknowledge(self, agent: Upid, update: internal.StatusUpdate) -> None:
        """Send StatusUpdateAcknowledgementMessage."""
        message = internal.StatusUpdateAcknowledgementMessage(uuid=update.uuid)
        message.slave_id.CopyFrom(update.slave_id)
        message.framework_id.CopyFrom(update.framework_id)
        message.task_id.CopyFrom(update.status.task_id)
        self.send(agent, message)

    def shut_down_framework(self, agent: Upid, framework_id: str) -> None:
        """Send ShutdownFrameworkMessage."""
        message = internal.ShutdownFrameworkMessage()
        message.framework_id.value = framework_id
        self.send(agent, message)

    def shut_down(self, agent: Upid, text: str = "") -> None:
        """Send ShutdownMessage."""
        self.send(agent, internal.ShutdownMessage(message=text))

    def update_framework(self, agent: Upid, framework_id: str, pid: Upid | None = None) -> None:
        """Send UpdateFrameworkMessage."""
        message = internal.UpdateFrameworkMessage(pid=str(pid or NOBODY))
        message.framework_id.value = framework_id
        self.send(agent, message)

    def framework_registered(self, scheduler: Upid, framework_id: str) -> None:
        """Send FrameworkRegisteredMessage."""
        message = internal.FrameworkRegisteredMessage(master_info=self.info())
        message.framework_id.value = framework_id
        self.send(scheduler, message)

    def framework_reregistered(self, scheduler: Upid, framework_id: str) -> None:
        """Send FrameworkReregisteredMessage."""
        message = internal.FrameworkReregisteredMessage(master_info=self.info())
        message.framework_id.value = framework_id
        self.send(scheduler, message)

    def offer(self, scheduler: Upid, *offers: v0.Offer, agent: Upid = NOBODY) -> None:
        """Send ResourceOffersMessage, all from one agent."""
        self.send(scheduler, internal.ResourceOffersMessage(offers=offers, pids=[str(agent)] * len(offers)))

    def rescind(self, scheduler: Upid, offer_id: str) -> None:
        """Send RescindResourceOfferMessage."""
        message = internal.RescindResourceOfferMessage()
        message.offer_id.value = offer_id
        self.send(scheduler, message)

    def update(self, scheduler: Upid, update: internal.StatusUpdate, agent: Upid | None = None) -> None:
        """Send StatusUpdateMessage; without an agent it counts as made by the master."""
        self.send(scheduler, internal.StatusUpdateMessage(update=update, pid=str(agent) if agent else None))

    def fail(self, scheduler: Upid, text: str) -> None:
        """Send FrameworkErrorMessage."""
        self.send(scheduler, internal.FrameworkErrorMessage(message=text))


class FakeAgent(Recorder):
    """An agent for a master under test; it answers pings."""

    def __init__(self, master: Upid, info: v0.SlaveInfo | None = None, name: str = "slave(1)") -> None:
        """Take the master to talk to."""
        super().__init__(name)
        self.master = master
        self.info = v0.SlaveInfo()
        self.info.CopyFrom(info or builders.agent_info())
        self.pongs = True
        """Whether pings are answered."""

    @property
    def id(self) -> str:
        """The id the master gave, empty before."""
        return self.info.id.value

    def answer(self, sender: Upid, message: Any) -> None:
        """Answer pings and keep the id."""
        if isinstance(message, internal.PingSlaveMessage) and self.pongs:
            self.send(sender, internal.PongSlaveMessage())
        elif isinstance(message, internal.SlaveRegisteredMessage | internal.SlaveReregisteredMessage):
            self.info.id.CopyFrom(message.slave_id)

    def register(self, version: str = "1.11.0") -> None:
        """Send RegisterSlaveMessage."""
        self.link(self.master)
        self.send(self.master, internal.RegisterSlaveMessage(slave=self.info, version=version))

    def reregister(
        self,
        *,
        tasks: Iterable[v0.Task] = (),
        frameworks: Iterable[v0.FrameworkInfo] = (),
        executors: Iterable[v0.ExecutorInfo] = (),
        version: str = "1.11.0",
    ) -> None:
        """Send ReregisterSlaveMessage."""
        self.link(self.master)
        message = internal.ReregisterSlaveMessage(
            slave=self.info,
            tasks=list(tasks),
            frameworks=list(frameworks),
            executor_infos=list(executors),
            version=version,
        )
        self.send(self.master, message)

    def unregister(self) -> None:
        """Send UnregisterSlaveMessage."""
        self.send(self.master, internal.UnregisterSlaveMessage(slave_id=self.info.id))

    def update(self, update: internal.StatusUpdate) -> None:
        """Send StatusUpdateMessage."""
        self.send(self.master, internal.StatusUpdateMessage(update=update, pid=str(self.upid)))

    def executor_exited(self, framework_id: str, executor_id: str, status: int = 256) -> None:
        """Send ExitedExecutorMessage."""
        message = internal.ExitedExecutorMessage(slave_id=self.info.id, status=status)
        message.framework_id.value = framework_id
        message.executor_id.value = executor_id
        self.send(self.master, message)


class FakeScheduler(Recorder):
    """A scheduler for a master under test: calls go out, nothing happens on its own."""

    def __init__(self, master: Upid, info: v0.FrameworkInfo | None = None, name: str = "scheduler-1") -> None:
        """Take the master to talk to."""
        super().__init__(name)
        self.master = master
        self.info = v0.FrameworkInfo()
        self.info.CopyFrom(info or builders.framework_info())

    def answer(self, sender: Upid, message: Any) -> None:
        """Keep the id."""
        if isinstance(message, internal.FrameworkRegisteredMessage | internal.FrameworkReregisteredMessage):
            self.info.id.CopyFrom(message.framework_id)

    def call(self, call: v0_scheduler.Call) -> None:
        """Send a Call, with our framework id if it has none."""
        if not call.HasField("framework_id") and self.info.id.value:
            call.framework_id.CopyFrom(self.info.id)
        self.send(self.master, call)

    def subscribe(self, *, force: bool = False) -> None:
        """Call SUBSCRIBE."""
        self.link(self.master)
        call = v0_scheduler.Call(type=v0_scheduler.Call.SUBSCRIBE)
        call.subscribe.framework_info.CopyFrom(self.info)
        call.subscribe.force = force
        self.call(call)

    def offers(self) -> list[v0.Offer]:
        """Give all offers so far."""
        return [offer for message in self.received(internal.ResourceOffersMessage) for offer in message.offers]

    def statuses(self) -> list[v0.TaskStatus]:
        """Give all statuses so far."""
        return [message.update.status for message in self.received(internal.StatusUpdateMessage)]


class FakeExecutor(Recorder):
    """A v0 executor for an agent under test."""

    def __init__(self, agent: Upid, framework_id: str, executor_id: str, name: str = "executor(1)") -> None:
        """Take the agent to talk to."""
        super().__init__(name)
        self.agent = agent
        self.framework_id = framework_id
        self.executor_id = executor_id

    def register(self) -> None:
        """Send RegisterExecutorMessage."""
        self.link(self.agent)
        message = internal.RegisterExecutorMessage()
        message.framework_id.value = self.framework_id
        message.executor_id.value = self.executor_id
        self.send(self.agent, message)

    def reregister(self, tasks: Iterable[v0.TaskInfo] = (), updates: Iterable[internal.StatusUpdate] = ()) -> None:
        """Send ReregisterExecutorMessage."""
        message = internal.ReregisterExecutorMessage(tasks=list(tasks), updates=list(updates))
        message.framework_id.value = self.framework_id
        message.executor_id.value = self.executor_id
        self.send(self.agent, message)

    def update(self, status: v0.TaskStatus) -> internal.StatusUpdate:
        """Send StatusUpdateMessage; gives the update."""
        made = builders.update(status, framework_id=self.framework_id, executor_id=self.executor_id)
        self.send(self.agent, internal.StatusUpdateMessage(update=made, pid=str(self.upid)))
        return made

    def say(self, agent_id: str, data: bytes) -> None:
        """Send ExecutorToFrameworkMessage."""
        message = internal.ExecutorToFrameworkMessage(data=data)
        message.slave_id.value = agent_id
        message.framework_id.value = self.framework_id
        message.executor_id.value = self.executor_id
        self.send(self.agent, message)
