"""Ready-made schedulers that drive scenarios: they subscribe, launch what is asked, acknowledge, and remember events.

One speaks libprocess with v0 Calls, one the v1 HTTP API. They do less than a driver on purpose: what a test does not
ask for does not happen, so that each message in a trace has a reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from messor.errors import ConnectionLost, InvalidRequest
from messor.model.resource_formats import upgraded
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import internal, v0, v0_scheduler, v1_scheduler
from messor.runtime.actor import Actor
from messor.runtime.handlers import on
from messor.wire.recordio import RecordDecoder
from messor.wire.upid import Upid
from messor.wire.versions import devolve, evolve

if TYPE_CHECKING:
    from messor.runtime.host import ReplyStream, Running, Timer
    from messor.simulation.ledger import Ledger

Call = v0_scheduler.Call
Plan = Callable[[v0.Offer], list[v0.Offer.Operation]]
PROTOBUF = "application/x-protobuf"
RETRY = 1.0
"""Seconds between attempts to subscribe."""


class SimulatedScheduler(Actor):
    """A framework's scheduler: what both transports have in common."""

    def __init__(self, name: str, info: v0.FrameworkInfo, master: Upid, ledger: Ledger) -> None:
        """name: the actor's id. info is copied; its id, when set, means failover."""
        super().__init__(name)
        self.info = v0.FrameworkInfo()
        self.info.CopyFrom(info)
        self.master = master
        self.ledger = ledger
        self.force = bool(info.id.value)
        self.acknowledges = True
        """Whether updates are acknowledged as they come."""
        self.declines = False
        """Whether offers that nothing is to be launched on are given back at once."""
        self.refuse_seconds = 5.0
        self.is_connected = False
        self.resubscribes = True
        """Whether to subscribe again when the connection breaks."""
        self.subscriptions: list[str] = []
        """What answered each subscription: ``registered`` or ``reregistered``."""
        self.offers: dict[str, v0.Offer] = {}
        self.statuses: list[v0.TaskStatus] = []
        self.operations: list[v0.OperationStatus] = []
        """Statuses of operations that were given an id."""
        self.rescinded: list[str] = []
        self.lost_agents: list[str] = []
        self.lost_executors: list[tuple[str, int]] = []
        """(executor id, wait status)"""
        self.messages: list[bytes] = []
        self.errors: list[str] = []
        self.wanted: deque[v0.TaskInfo] = deque()
        """Tasks to launch on the next offers that fit."""
        self.plans: deque[Plan] = deque()
        """Each makes operations of the next offer; one that makes none waits for a better offer."""
        self._launched = 0
        self._retry: Timer | None = None

    @property
    def framework_id(self) -> str:
        """The id the master gave, empty before."""
        return self.info.id.value

    # --- what tests ask -----------------------------------------------------------------------------------------------

    def launch(
        self,
        script: str = "sleep 1000",
        *,
        cpus: float = 1,
        mem: float = 32,
        task_id: str = "",
        executor: str = "",
        executor_id: str = "",
        role: str = "*",
    ) -> str:
        """Launch a task on the next offer that fits, or on one in hand; gives its id.

        executor: the name of a registered executor to run it under, none for a command task.
        """
        self._launched += 1
        info = v0.TaskInfo(name="task")
        info.task_id.value = task_id or f"task-{self._launched}"
        info.resources.extend(parse_resources(f"cpus:{cpus};mem:{mem}", role).messages())
        if executor:
            info.executor.executor_id.value = executor_id or executor
            info.executor.command.value = executor
            info.executor.resources.extend(parse_resources("cpus:0.1;mem:32", role).messages())
            info.data = script.encode()
        else:
            info.command.value = script
        self.wanted.append(info)
        self._use_offers()
        return info.task_id.value

    def states(self, task_id: str) -> list[str]:
        """Give the states reported for a task, without the TASK_ prefix, repetitions included."""
        return [_short(status) for status in self.updates(task_id)]

    def updates(self, task_id: str) -> list[v0.TaskStatus]:
        """Give the statuses reported for a task."""
        return [status for status in self.statuses if status.task_id.value == task_id]

    def last(self, task_id: str) -> v0.TaskStatus:
        """Give the latest status of a task; raises IndexError when there is none."""
        return self.updates(task_id)[-1]

    def accept(self, offer_ids: Iterable[str], tasks: Sequence[v0.TaskInfo], refuse_seconds: float = 0.0) -> None:
        """Call ACCEPT with one LAUNCH; forgets the offers."""
        launch = v0.Offer.Operation(type=v0.Offer.Operation.LAUNCH)
        launch.launch.task_infos.extend(tasks)
        self.perform(offer_ids, [launch], refuse_seconds)

    def perform(
        self, offer_ids: Iterable[str], operations: Iterable[v0.Offer.Operation], refuse_seconds: float = 0.0
    ) -> None:
        """Call ACCEPT with any operations; forgets the offers."""
        call = self._call(Call.ACCEPT)
        for offer_id in offer_ids:
            call.accept.offer_ids.add().value = offer_id
            self.offers.pop(offer_id, None)
        call.accept.operations.extend(operations)
        call.accept.filters.refuse_seconds = refuse_seconds
        self.call(call)

    def decline(self, refuse_seconds: float | None = None) -> None:
        """Call DECLINE for every offer in hand."""
        call = self._call(Call.DECLINE)
        for offer_id in self.offers:
            call.decline.offer_ids.add().value = offer_id
        self.offers.clear()
        call.decline.filters.refuse_seconds = self.refuse_seconds if refuse_seconds is None else refuse_seconds
        if call.decline.offer_ids:
            self.call(call)

    def acknowledge(self, status: v0.TaskStatus) -> None:
        """Call ACKNOWLEDGE; a status without uuid needs none."""
        if status.uuid:
            call = self._call(Call.ACKNOWLEDGE)
            call.acknowledge.task_id.CopyFrom(status.task_id)
            call.acknowledge.slave_id.CopyFrom(status.slave_id)
            call.acknowledge.uuid = status.uuid
            self.call(call)

    def acknowledge_operation(self, status: v0.OperationStatus) -> None:
        """Call ACKNOWLEDGE_OPERATION_STATUS; a status without uuid, or of an operation without id, needs none."""
        if status.HasField("uuid") and status.HasField("operation_id"):
            call = self._call(Call.ACKNOWLEDGE_OPERATION_STATUS)
            call.acknowledge_operation_status.operation_id.CopyFrom(status.operation_id)
            call.acknowledge_operation_status.slave_id.CopyFrom(status.slave_id)
            call.acknowledge_operation_status.uuid = status.uuid.value
            self.call(call)

    def reconcile_operations(self, *operations: tuple[str, str]) -> None:
        """Call RECONCILE_OPERATIONS for (operation id, agent id or ""); none at all means for everything."""
        call = self._call(Call.RECONCILE_OPERATIONS)
        call.reconcile_operations.SetInParent()
        for operation_id, agent_id in operations:
            asked = call.reconcile_operations.operations.add()
            asked.operation_id.value = operation_id
            if agent_id:
                asked.slave_id.value = agent_id
        self.call(call)

    def kill(self, task_id: str, agent_id: str = "") -> None:
        """Call KILL."""
        call = self._call(Call.KILL)
        call.kill.task_id.value = task_id
        if agent_id:
            call.kill.slave_id.value = agent_id
        self.call(call)

    def reconcile(self, *tasks: tuple[str, str]) -> None:
        """Call RECONCILE for (task id, agent id or ""); none at all means implicitly for everything."""
        call = self._call(Call.RECONCILE)
        call.reconcile.SetInParent()
        for task_id, agent_id in tasks:
            asked = call.reconcile.tasks.add()
            asked.task_id.value = task_id
            if agent_id:
                asked.slave_id.value = agent_id
        self.call(call)

    def say(self, executor_id: str, agent_id: str, data: bytes) -> None:
        """Call MESSAGE."""
        call = self._call(Call.MESSAGE)
        call.message.executor_id.value = executor_id
        call.message.slave_id.value = agent_id
        call.message.data = data
        self.call(call)

    def shut_down_executor(self, executor_id: str, agent_id: str) -> None:
        """Call SHUTDOWN."""
        call = self._call(Call.SHUTDOWN)
        call.shutdown.executor_id.value = executor_id
        call.shutdown.slave_id.value = agent_id
        self.call(call)

    def revive(self) -> None:
        """Call REVIVE."""
        self.call(self._call(Call.REVIVE))

    def suppress(self) -> None:
        """Call SUPPRESS."""
        self.call(self._call(Call.SUPPRESS))

    def teardown(self) -> None:
        """Call TEARDOWN and stay away."""
        self.resubscribes = False
        self.call(self._call(Call.TEARDOWN))

    def call(self, call: Call) -> None:
        """Send a call."""
        raise NotImplementedError

    # --- subscribing --------------------------------------------------------------------------------------------------

    def started(self) -> None:
        """Subscribe until somebody answers."""
        self.subscribe()

    def subscribe(self) -> None:
        """Send SUBSCRIBE now, and again until it is answered."""
        self._retry = None
        if self.is_connected or not self.resubscribes:
            return
        self.send_subscribe(self._subscription())
        self._retry = self.host.clock.after(RETRY, self.subscribe)

    def send_subscribe(self, call: Call) -> None:
        """Send SUBSCRIBE."""
        raise NotImplementedError

    def subscribed(self, how: str, framework_id: str) -> None:
        """Note the answer."""
        self.subscriptions.append(how)
        self.info.id.value = framework_id
        self.is_connected = True
        self.force = False
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def disconnected(self) -> None:
        """Forget the offers and subscribe again."""
        self.is_connected = False
        self.offers.clear()
        if self.resubscribes and self._retry is None:
            self._retry = self.host.clock.after(RETRY, self.subscribe)

    def _subscription(self) -> Call:
        call = Call(type=Call.SUBSCRIBE)
        call.subscribe.framework_info.CopyFrom(self.info)
        if self.info.id.value:
            call.framework_id.CopyFrom(self.info.id)
        call.subscribe.force = self.force
        return call

    def _call(self, kind: Call.Type) -> Call:
        call = Call(type=kind)
        call.framework_id.CopyFrom(self.info.id)
        return call

    # --- events -------------------------------------------------------------------------------------------------------

    def offered(self, offers: Iterable[v0.Offer]) -> None:
        """Keep offers, and use them for what is wanted."""
        for offer in offers:
            self.offers[offer.id.value] = offer
        self._use_offers()
        if self.declines:
            self.decline()

    def offer_rescinded(self, offer_id: str) -> None:
        """Forget an offer."""
        self.rescinded.append(offer_id)
        self.offers.pop(offer_id, None)

    def updated(self, status: v0.TaskStatus) -> None:
        """Keep a status and acknowledge it if that is our way."""
        self.ledger.heard_by_scheduler(self.framework_id, status)
        self.statuses.append(status)
        if self.acknowledges:
            self.acknowledge(status)

    def operation_updated(self, status: v0.OperationStatus) -> None:
        """Keep an operation's status and acknowledge it if that is our way."""
        self.operations.append(status)
        if self.acknowledges:
            self.acknowledge_operation(status)

    def failed(self, message: str) -> None:
        """Note an error; a real driver aborts."""
        self.errors.append(message)
        self.is_connected = False
        self.resubscribes = False

    def _carry_out(self) -> None:
        """Let the first plan have an offer."""
        for offer_id, offer in list(self.offers.items()):
            operations = self.plans[0](offer) if self.plans else []
            if operations:
                self.plans.popleft()
                self.perform([offer_id], operations)

    def _use_offers(self) -> None:
        self._carry_out()
        for offer_id, offer in list(self.offers.items()):
            left = Resources.of(upgraded(offer.resources)).unallocated()
            chosen = []
            executors: set[str] = set()
            for info in list(self.wanted):
                needed = Resources.of(info.resources)
                if info.HasField("executor") and info.executor.executor_id.value not in executors:
                    needed += Resources.of(info.executor.resources)
                if left.contains(needed):
                    left -= needed
                    self.wanted.remove(info)
                    info.slave_id.CopyFrom(offer.slave_id)
                    chosen.append(info)
                    if info.HasField("executor"):
                        executors.add(info.executor.executor_id.value)
                        info.executor.framework_id.CopyFrom(self.info.id)
            if chosen:
                self.accept([offer_id], chosen)


class PidScheduler(SimulatedScheduler):
    """A scheduler on libprocess: Calls out, the pre-1.0 messages in."""

    def send_subscribe(self, call: Call) -> None:
        """Send SUBSCRIBE as a message, over a link."""
        self.link(self.master)
        self.send(self.master, call)

    def call(self, call: Call) -> None:
        """Send a Call message."""
        self.send(self.master, call)

    def exited(self, peer: Upid) -> None:
        """Notice the end of the master."""
        if peer == self.master and self.resubscribes:
            self.disconnected()

    @on(internal.FrameworkRegisteredMessage)
    def registered(self, sender: Upid, message: internal.FrameworkRegisteredMessage) -> None:
        """Begin."""
        del sender
        self.subscribed("registered", message.framework_id.value)

    @on(internal.FrameworkReregisteredMessage)
    def reregistered(self, sender: Upid, message: internal.FrameworkReregisteredMessage) -> None:
        """Go on."""
        del sender
        self.subscribed("reregistered", message.framework_id.value)

    @on(internal.ResourceOffersMessage)
    def resource_offers(self, sender: Upid, message: internal.ResourceOffersMessage) -> None:
        """Take offers."""
        del sender
        self.offered(message.offers)

    @on(internal.RescindResourceOfferMessage)
    def rescind(self, sender: Upid, message: internal.RescindResourceOfferMessage) -> None:
        """Lose an offer."""
        del sender
        self.offer_rescinded(message.offer_id.value)

    @on(internal.StatusUpdateMessage)
    def status_update(self, sender: Upid, message: internal.StatusUpdateMessage) -> None:
        """Take an update; one without pid was made by the master and has no uuid to acknowledge."""
        del sender
        status = message.update.status
        if message.pid and message.update.uuid:
            status.uuid = message.update.uuid
        else:
            status.ClearField("uuid")
        if message.update.HasField("slave_id"):
            status.slave_id.CopyFrom(message.update.slave_id)
        self.updated(status)

    @on(internal.LostSlaveMessage)
    def agent_lost(self, sender: Upid, message: internal.LostSlaveMessage) -> None:
        """Note it."""
        del sender
        self.lost_agents.append(message.slave_id.value)

    @on(internal.ExitedExecutorMessage)
    def executor_lost(self, sender: Upid, message: internal.ExitedExecutorMessage) -> None:
        """Note it."""
        del sender
        self.lost_executors.append((message.executor_id.value, message.status))

    @on(internal.ExecutorToFrameworkMessage)
    def executor_message(self, sender: Upid, message: internal.ExecutorToFrameworkMessage) -> None:
        """Keep it."""
        del sender
        self.messages.append(message.data)

    @on(internal.FrameworkErrorMessage)
    def framework_error(self, sender: Upid, message: internal.FrameworkErrorMessage) -> None:
        """Stop."""
        del sender
        self.failed(message.message)


class HttpScheduler(SimulatedScheduler):
    """A scheduler on the v1 API, in protobuf."""

    def __init__(self, name: str, info: v0.FrameworkInfo, master: Upid, ledger: Ledger) -> None:
        """Start unsubscribed."""
        super().__init__(name, info, master, ledger)
        self.refusals: list[tuple[str, int, str]] = []
        """(call, status, text) of every answer but 200 and 202."""
        self.inverse_offers: dict[str, v0.InverseOffer] = {}
        """What it was asked to leave and did not answer, by id."""
        self.heartbeats = 0
        self._silence = 0.0
        """Seconds without an event after which the stream counts as broken."""
        self._heard = 0.0
        self._stream: ReplyStream | None = None
        self._stream_id = ""
        self._following: Running | None = None

    def send_subscribe(self, call: Call) -> None:
        """Open the event stream, unless an attempt is under way."""
        if self._following is None or self._following.done():
            self._following = self.host.tasks.spawn(self._subscribe(call), "SUBSCRIBE")

    def call(self, call: Call) -> None:
        """Send a call on a second connection."""
        self.host.tasks.spawn(self._post(call), Call.Type.Name(call.type))

    async def _subscribe(self, call: Call) -> None:
        with suppress(ConnectionLost):
            await self._follow(call)
        if self.is_connected:
            self.disconnected()

    async def _follow(self, call: Call) -> None:
        self._calls = self.host.network.http(self.master.ip, self.master.port)
        stream = await self.host.network.http(self.master.ip, self.master.port).stream(
            "POST", "/api/v1/scheduler", self._headers(), evolve(call).SerializeToString()
        )
        if stream.status != 200:
            text = b"".join([chunk async for chunk in stream.chunks()])
            self.refusals.append(("SUBSCRIBE", stream.status, text.decode()))
            return
        self._stream_id = stream.headers["mesos-stream-id"]
        self._stream = stream
        decoder = RecordDecoder()
        async for chunk in stream.chunks():
            for record in decoder.feed(chunk):
                self._event(devolve(v1_scheduler.Event.FromString(record)))

    async def _post(self, call: Call) -> None:
        kind = Call.Type.Name(call.type)
        headers = {**self._headers(), "Mesos-Stream-Id": self._stream_id}
        with suppress(ConnectionLost):
            reply = await self._calls.request("POST", "/api/v1/scheduler", headers, evolve(call).SerializeToString())
            if reply.status not in (200, 202):
                self.refusals.append((kind, reply.status, reply.body.decode()))

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": PROTOBUF, "Accept": PROTOBUF}

    def _watch(self) -> None:
        """Close a stream that fell silent: its other end may have lost power without a word."""
        if self._stream is None or not self.is_connected:
            return
        left = self._heard + self._silence - self.host.clock.monotonic()
        if left > 0:
            self.host.clock.after(left, self._watch)
        else:
            self._stream.close()

    def _asked_to_leave(self, event: v0_scheduler.Event) -> None:
        self.inverse_offers.update({offer.id.value: offer for offer in event.inverse_offers.inverse_offers})
        self.inverse_offers.pop(event.rescind_inverse_offer.inverse_offer_id.value, None)

    def _event(self, event: v0_scheduler.Event) -> None:
        kinds = v0_scheduler.Event
        self._heard = self.host.clock.monotonic()
        match event.type:
            case kinds.SUBSCRIBED:
                self.subscribed("registered", event.subscribed.framework_id.value)
                self._silence = 5 * event.subscribed.heartbeat_interval_seconds
                self.host.clock.after(self._silence, self._watch)
            case kinds.OFFERS:
                self.offered(event.offers.offers)
            case kinds.RESCIND:
                self.offer_rescinded(event.rescind.offer_id.value)
            case kinds.INVERSE_OFFERS | kinds.RESCIND_INVERSE_OFFER:
                self._asked_to_leave(event)
            case kinds.UPDATE:
                self.updated(event.update.status)
            case kinds.UPDATE_OPERATION_STATUS:
                self.operation_updated(event.update_operation_status.status)
            case kinds.MESSAGE:
                self.messages.append(event.message.data)
            case kinds.FAILURE if event.failure.HasField("executor_id"):
                self.lost_executors.append((event.failure.executor_id.value, event.failure.status))
            case kinds.FAILURE:
                self.lost_agents.append(event.failure.slave_id.value)
            case kinds.ERROR:
                self.failed(event.error.message)
            case kinds.HEARTBEAT:
                self.heartbeats += 1
            case _:
                raise InvalidRequest(f"unexpected event {event.type}")


def _short(status: v0.TaskStatus) -> str:
    return v0.TaskState.Name(status.state).removeprefix("TASK_")
