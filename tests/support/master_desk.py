"""The scheduler side of a master on a desk: real components, a clock moved by hand, everything sent kept in lists."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from google.protobuf.message import Message

from messor.errors import MesosError
from messor.master.authentication import Authentication
from messor.master.doors.messages import SchedulerMessages
from messor.master.doors.scheduler_calls import SchedulerCalls
from messor.master.flags import MasterFlags
from messor.master.frameworks.disconnect import Disconnection
from messor.master.frameworks.failover import Failover
from messor.master.frameworks.heartbeats import Heartbeats
from messor.master.frameworks.metrics import FrameworkMetrics
from messor.master.frameworks.recover import FrameworkRecovery
from messor.master.frameworks.remove import FrameworkRemoval
from messor.master.frameworks.subscribe import Subscriptions
from messor.master.frameworks.update import FrameworkUpdates
from messor.master.metrics import MasterMetrics
from messor.master.offers.accept import Accepts
from messor.master.offers.decline import Demand
from messor.master.offers.inverse import InverseOffers
from messor.master.offers.make import OfferMaker
from messor.master.offers.rescind import Rescinder
from messor.master.operations.perform import Performer
from messor.master.operations.reconcile import OperationReconciliation
from messor.master.operations.updates import OperationUpdates
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.tables import MasterState
from messor.master.tasks.acknowledge import Acknowledgements
from messor.master.tasks.executors import Executors
from messor.master.tasks.kill import Kills
from messor.master.tasks.reconcile import Reconciliation
from messor.master.tasks.updates import TaskUpdates
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.directory import error_response
from messor.runtime.http import Pipe, Request, Response
from messor.runtime.metrics import Metrics
from messor.wire.recordio import RecordDecoder
from messor.wire.upid import Upid

M = TypeVar("M", bound=Message)

MASTER = Upid("master", "10.0.0.1", 5050)
SCHEDULER = Upid("scheduler(1)", "10.0.0.9", 9000)
START = 1_000_000.0

AGENT_CAPABILITIES = frozenset(number for number in v0.SlaveInfo.Capability.Type.values() if number)


class HandClock:
    """Time that only a test moves."""

    def __init__(self) -> None:
        """Start at a round number."""
        self.time = START
        self.timers: list[tuple[float, int, HandTimer]] = []
        self._count = 0

    def now(self) -> float:
        """Give the time."""
        return self.time

    def monotonic(self) -> float:
        """Give the time."""
        return self.time

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> HandTimer:
        """Keep a call."""
        timer = HandTimer(lambda: call(*arguments))
        self._count += 1
        self.timers.append((self.time + seconds, self._count, timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on, making the calls that fall due, in order."""
        until = self.time + seconds
        while True:
            due = sorted((item for item in self.timers if item[0] <= until), key=lambda item: item[:2])
            if not due:
                break
            self.timers.remove(due[0])
            self.time = max(self.time, due[0][0])
            due[0][2].fire()
        self.time = until


class HandTimer:
    """A call that is still to come."""

    def __init__(self, call: Callable[[], object]) -> None:
        """Keep the call."""
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Forget it."""
        self.call = None

    def fire(self) -> None:
        """Make it unless cancelled."""
        if self.call is not None:
            self.call()


class Sent:
    """A network that keeps what is sent."""

    ip = MASTER.ip
    port = MASTER.port

    def __init__(self) -> None:
        """Start empty."""
        self.messages: list[tuple[Upid, str, bytes]] = []
        self.links: list[Upid] = []

    def send(self, sender: Upid, receiver: Upid, name: str, body: bytes) -> None:
        """Keep a message."""
        assert sender == MASTER
        self.messages.append((receiver, name, body))

    def link(self, sender: Upid, peer: Upid, *, reconnect: bool = False) -> None:
        """Keep a link."""
        self.links.append(peer)

    def unlink(self, sender: Upid, peer: Upid) -> None:
        """Drop a link."""
        if peer in self.links:
            self.links.remove(peer)


class SomeChance:
    """Seeded chance."""

    def __init__(self) -> None:
        """Seed it."""
        self.random = random.Random(1)

    def uuid(self) -> str:
        """Make a UUID-like text."""
        return f"{self.random.getrandbits(128):032x}"

    def uuid_bytes(self) -> bytes:
        """Make 16 bytes."""
        return self.random.randbytes(16)


class DeskHost:
    """What the components use of a host."""

    def __init__(self) -> None:
        """Make the parts."""
        self.clock = HandClock()
        self.network = Sent()
        self.chance = SomeChance()
        self.metrics = Metrics()


class NotedAllocator:
    """An allocator that only notes what it is told; tests make the offers."""

    def __init__(self) -> None:
        """Start empty."""
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*arguments: Any, **named: Any) -> None:
            self.calls.append((name, arguments, named))

        return note

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Give the arguments of all calls of a name."""
        return [arguments for called, arguments, _ in self.calls if called == name]


class OpenGate:
    """A leadership that always serves, unless told an error."""

    error: MesosError | None = None

    def check(self, request: Request) -> None:
        """Raise the error, if any."""
        if self.error is not None:
            raise self.error


class Stream:
    """The reading end of a SUBSCRIBE stream."""

    def __init__(self, response: Response) -> None:
        """Attach to a response's pipe."""
        assert isinstance(response.body, Pipe), response.body
        self.response = response
        self.pipe = response.body
        self.id = response.headers["Mesos-Stream-Id"]
        self.records: list[bytes] = []
        self.ended = False
        self._decoder = RecordDecoder()
        self.pipe.attach(self)

    def write_chunk(self, data: bytes) -> None:
        """Take a chunk, which is one record."""
        records = self._decoder.feed(data)
        assert len(records) == 1
        self.records += records

    def end(self) -> None:
        """Take the end."""
        self.ended = True

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Read all events, or those of a type, from JSON."""
        events = [json.loads(record) for record in self.records]
        return [event for event in events if kind is None or event["type"] == kind]

    def statuses(self) -> list[dict[str, Any]]:
        """Give the statuses of all UPDATE events."""
        return [event["update"]["status"] for event in self.events("UPDATE")]

    def forget(self) -> None:
        """Start over."""
        self.records.clear()


class Desk:
    """The components of a master that deal with schedulers, wired as the master wires them."""

    def __init__(self, **flags: Any) -> None:
        """Build them with these flags."""
        host: Any = DeskHost()
        self.host = host
        self.flags = flags_ = MasterFlags(**flags)
        info = v0.MasterInfo(id="M", ip=1, port=5050, pid=str(MASTER), hostname="master")
        self.state = state = MasterState(info)
        state.is_recovered = True
        allocator: Any = NotedAllocator()
        self.allocator = allocator
        self.metrics = metrics = MasterMetrics(host.metrics, state, host.clock)
        self.outbox = outbox = Outbox(host=host, upid=MASTER, state=state)
        self.updates = updates = TaskUpdates(
            state=state, outbox=outbox, allocator=allocator, metrics=metrics, host=host
        )
        acknowledgements = Acknowledgements(state=state, outbox=outbox, metrics=metrics, updates=updates)
        reconciliation = Reconciliation(state=state, outbox=outbox, metrics=metrics, host=host)
        kills = Kills(state=state, outbox=outbox, metrics=metrics, reconciliation=reconciliation)
        self.executors = executors = Executors(state=state, outbox=outbox, allocator=allocator, metrics=metrics)
        self.rescinder = rescinder = Rescinder(state=state, outbox=outbox, allocator=allocator)
        self.offer_maker = OfferMaker(
            state=state, outbox=outbox, allocator=allocator, flags=flags_, host=host, rescinder=rescinder
        )
        demand = Demand(state=state, allocator=allocator, metrics=metrics, rescinder=rescinder)
        self.performer = performer = Performer(state=state, outbox=outbox, metrics=metrics, host=host)
        self.operation_updates = OperationUpdates(
            state=state, outbox=outbox, allocator=allocator, metrics=metrics, host=host
        )
        accepts = Accepts(
            state=state, outbox=outbox, allocator=allocator, metrics=metrics, updates=updates, rescinder=rescinder,
            performer=performer,
        )  # fmt: skip
        FrameworkMetrics(state=state, metrics=metrics, flags=flags_)
        self.heartbeats = heartbeats = Heartbeats(host=host, outbox=outbox, flags=flags_)
        self.recovery = recovery = FrameworkRecovery(state=state, allocator=allocator, flags=flags_)
        self.removal = removal = FrameworkRemoval(
            state=state, outbox=outbox, allocator=allocator, metrics=metrics, host=host, updates=updates,
            executors=executors, rescinder=rescinder,
        )  # fmt: skip
        self.disconnection = disconnection = Disconnection(
            state=state, outbox=outbox, allocator=allocator, metrics=metrics, host=host, rescinder=rescinder,
            removal=removal,
        )  # fmt: skip
        framework_updates = FrameworkUpdates(
            state=state, outbox=outbox, allocator=allocator, flags=flags_, rescinder=rescinder
        )
        failover = Failover(
            state=state, outbox=outbox, allocator=allocator, host=host, rescinder=rescinder,
            disconnection=disconnection, heartbeats=heartbeats,
        )  # fmt: skip
        self.authentication = authentication = Authentication(
            host=host, upid=MASTER, flags=flags_, outbox=outbox, metrics=metrics, secrets=None
        )
        subscriptions = Subscriptions(
            state=state, outbox=outbox, allocator=allocator, host=host, flags=flags_, metrics=metrics,
            recovery=recovery, framework_updates=framework_updates, failover=failover,
            authentication=authentication,
        )  # fmt: skip
        self.gate = OpenGate()
        self.inverse_offers = inverse_offers = InverseOffers(
            state=state, outbox=self.outbox, allocator=allocator, host=host, flags=flags_, rescinder=rescinder
        )
        self.calls = SchedulerCalls(
            inverse_offers=inverse_offers,
            state=state, host=host, metrics=metrics, leadership=self.gate, subscriptions=subscriptions,
            framework_updates=framework_updates, removal=removal, accepts=accepts, demand=demand,
            acknowledgements=acknowledgements, kills=kills, reconciliation=reconciliation, executors=executors,
            operation_updates=self.operation_updates,
            operation_reconciliation=OperationReconciliation(state=state, outbox=outbox, metrics=metrics),
        )  # fmt: skip
        self.messages = SchedulerMessages(
            state=state, outbox=outbox, calls=self.calls, subscriptions=subscriptions,
            framework_updates=framework_updates, disconnection=disconnection, authentication=authentication,
        )  # fmt: skip

    # --- agents ------------------------------------------------------------------------------------------------------

    def agent(self, text: str = "cpus:4;mem:4096;disk:10240;ports:[31000-31099]") -> AgentRecord:
        """Register an agent with all capabilities."""
        number = self.state.next_agent
        info = v0.SlaveInfo(hostname=f"agent-{number}")
        info.id.value = self.state.new_agent_id()
        pid = Upid("slave(1)", f"10.0.1.{number}", 5051)
        agent = AgentRecord(info, pid, "1.12.0", parse_resources(text))
        agent.capabilities = AGENT_CAPABILITIES
        agent.resource_version = b"v" * 16
        agent.become(AgentState.ACTIVE)
        self.state.add_agent(agent)
        return agent

    def offer(self, framework: FrameworkRecord, agent: AgentRecord, text: str | None = None, role: str = "*") -> str:
        """Offer an agent's resources, or those given; gives the offer's id."""
        resources = agent.total if text is None else parse_resources(text)
        self.offer_maker.offer(framework.id, {role: {agent.id: resources.allocated_to(role)}})
        return f"M-O{self.state.next_offer - 1}"

    def update(
        self, task_id: str, state: v0.TaskState, uuid: bytes = b"5" * 16, **status: Any
    ) -> internal.StatusUpdateMessage:
        """Deliver an update of a known task from its agent."""
        task = next(task for task in self.state.tasks() if task.id == task_id)
        agent = self.state.agents[task.agent_id]
        update = internal.StatusUpdate(timestamp=self.host.clock.now(), uuid=uuid)
        update.framework_id.value = task.framework_id
        update.slave_id.value = task.agent_id
        update.status.MergeFrom(v0.TaskStatus(state=state, uuid=uuid, timestamp=self.host.clock.now(), **status))
        update.status.task_id.value = task_id
        update.status.slave_id.value = task.agent_id
        update.status.source = v0.TaskStatus.SOURCE_EXECUTOR
        message = internal.StatusUpdateMessage(update=update, pid=str(agent.pid))
        self.updates.received(agent.pid, message, message.SerializeToString())
        return message

    # --- schedulers over HTTP ----------------------------------------------------------------------------------------

    def post(self, body: Any, stream_id: str | None = None, **headers: str) -> Response:
        """Send a call as JSON (or raw bytes) and give the reply, errors turned into theirs."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("content-type", "application/json")
        if stream_id is not None:
            named["mesos-stream-id"] = stream_id
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            return self.calls.serve(Request("POST", "/api/v1/scheduler", named, data))
        except MesosError as error:
            return error_response(error)

    def subscribe(self, capabilities: Iterable[str] = (), **info: Any) -> tuple[FrameworkRecord, Stream]:
        """Subscribe a framework over HTTP in JSON."""
        described = {"user": "root", "name": "desk", "capabilities": [{"type": name} for name in capabilities], **info}
        call: dict[str, Any] = {"type": "SUBSCRIBE", "subscribe": {"framework_info": described}}
        if "id" in info:
            call["framework_id"] = info["id"]
        stream = Stream(self.post(call))
        subscribed = stream.events("SUBSCRIBED")
        assert subscribed, stream.events()
        return self.state.frameworks[subscribed[0]["subscribed"]["framework_id"]["value"]], stream

    def call(self, framework: FrameworkRecord, stream: Stream, kind: str, **part: Any) -> Response:
        """Make a call of a subscribed framework."""
        body = {"type": kind, "framework_id": {"value": framework.id}, **part}
        return self.post(body, stream.id)

    # --- schedulers over libprocess ----------------------------------------------------------------------------------

    def subscribe_pid(self, capabilities: Iterable[str] = (), sender: Upid = SCHEDULER, **info: Any) -> FrameworkRecord:
        """Subscribe a framework by pid."""
        call = v0_scheduler.Call(type=v0_scheduler.Call.SUBSCRIBE)
        described = call.subscribe.framework_info
        described.MergeFrom(v0.FrameworkInfo(user="root", name="desk", **info))
        if described.HasField("id"):
            call.framework_id.CopyFrom(described.id)
        for name in capabilities:
            described.capabilities.add().type = v0.FrameworkInfo.Capability.Type.Value(name)
        self.messages.call(sender, call)
        return self.state.frameworks_by_pid[sender]

    def legacy(self, sender: Upid, message: Message) -> None:
        """Deliver a message from before there were calls."""
        self.messages.legacy(sender, message, message.SerializeToString())

    def received(self, pid: Upid, kind: type[M]) -> list[M]:
        """Give the messages of a type sent to a pid."""
        name = kind.DESCRIPTOR.full_name
        return [
            kind.FromString(body) for receiver, sent, body in self.host.network.messages
            if receiver == pid and sent == name
        ]  # fmt: skip

    def recovered(self) -> Resources:
        """Add up what the allocator got back that was only offered."""
        total = Resources()
        for name, arguments, named in self.allocator.calls:
            if name == "recover_resources" and not named["is_allocated"]:
                total += arguments[2]
        return total
