"""The asyncio face of a scheduler: events are iterated over, calls are awaitables that say what became of them.

async with Scheduler(framework="hello", master="127.0.0.1:5050") as scheduler:
    async for event in scheduler:
        ...

It runs in the caller's loop, without threads, and in a simulation on a simulated host.
"""

from __future__ import annotations

import getpass
import importlib
import os
import platform
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import Message as Protobuf

from messor.coordination.interfaces import Detector
from messor.drivers.detection import detector_for
from messor.drivers.event_queue import EventQueue
from messor.drivers.outcomes import Outcome, Told, failure, renewed
from messor.drivers.own import own, own_all
from messor.drivers.scheduler import events
from messor.drivers.scheduler.session import SchedulerSession
from messor.drivers.scheduler.settings import make_transport, own_credential, read_settings
from messor.errors import ConfigurationError
from messor.protos import v0, v0_scheduler
from messor.runtime.address import Address
from messor.runtime.host import Host
from messor.runtime.node import Node

Call = v0_scheduler.Call
Operation = v0.Offer.Operation
Offered = Iterable[v0.Offer | v0.OfferID | str] | v0.Offer | v0.OfferID | str
"""One offer or several, as offers or ids."""

WEEK = 7 * 24 * 3600.0
"""Seconds: how long tasks outlive their scheduler unless the framework says otherwise."""

FAREWELL = 2.0
"""Seconds that leaving may wait for the last calls to be answered."""

LOOPBACK = "127.0.0.1"

TRANSPORTS = ("http", "http+json", "libprocess")


class Scheduler:
    """A framework's connection to the leading master, kept up for ever.

    Leaving the ``async with`` block normally tears the framework down, unless ``stop(failover=True)`` was called;
    leaving it with an exception, a cancellation included, does not: its tasks wait ``failover_timeout`` for a scheduler
    with the same framework id.
    """

    def __init__(
        self,
        framework: v0.FrameworkInfo | str,
        master: str,
        *,
        transport: str = "http",
        explicit_acknowledgements: bool = False,
        suppressed_roles: Sequence[str] = (),
        offer_constraints: v0_scheduler.OfferConstraints | None = None,
        credential: Any = None,
        host: Host | None = None,
    ) -> None:
        """Describe it; nothing is connected yet.

        framework: its description (with an id set: failover) or just a name; without a ``failover_timeout`` it gets a
        week. master: as for the classic driver. transport: ``http`` (v1, protobuf), ``http+json`` or ``libprocess``,
        which has neither inverse offers nor operation feedback. explicit_acknowledgements: leave acknowledging updates
        to the caller; else an update counts as handled when the next event is asked for. offer_constraints: which
        agents to be offered. credential: a Credential message, a pair of principal and secret, or a callable that gives
        one when it is needed. host: a simulated one.

        Raises TypeError for a wrong type, ConfigurationError for an empty master or an unknown transport.
        """
        if not isinstance(master, str):
            raise TypeError(f"master must be a string such as 'host:5050', not {type(master).__name__}")
        if master.startswith("http://"):
            master = master.removeprefix("http://").rstrip("/")
        if not master.strip():
            raise ConfigurationError("master is empty; give an address such as 'host:5050'")
        if transport not in TRANSPORTS:
            raise ConfigurationError(f"Unknown transport '{transport}'; expecting one of {', '.join(TRANSPORTS)}")
        self.framework = describe(framework)
        self._master = master
        self._transport_name = transport
        self._credential = own_credential(credential)
        self._explicit = explicit_acknowledgements
        self._suppressed = list(suppressed_roles)
        self._constraints = offer_constraints
        self._given_host = host
        self._host: Host
        self._node: Node | None = None
        self._cluster: Any = None
        self._session: SchedulerSession
        self._queue: EventQueue[events.Event]
        self._handled: events.Update | events.OperationUpdate | None = None
        self._stopped = False

    # --- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Begin connecting; the first event tells when that worked. Raises ConfigurationError for a bad master."""
        if self._given_host is not None:
            self._host = self._given_host
        else:
            # Only libprocess masters connect back.
            self._node = Node(Address(LOOPBACK, 0) if self._transport_name != "libprocess" else None)
            await self._node.start()
            self._host = self._node
        try:
            if self._master == "local":
                # By name: drivers stand below the local cluster, which is needed for this one master string only.
                self._cluster = importlib.import_module("messor.local.cluster").LocalCluster(agents=1)
                await self._host.tasks.blocking(self._cluster.start)
                self._master = self._cluster.master
            self._begin()
        except BaseException:
            await self._leave_host()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                self._handled = None  # what could not be handled comes again
            self.stop(failover=kind is not None)
            with suppress(TimeoutError):  # the master may not be there to hear the last words
                await self._host.tasks.within(FAREWELL, self._session.drained())
        finally:
            self._host.directory.terminate(self._session)
            await self._leave_host()

    def _begin(self) -> None:
        settings = read_settings(os.environ)
        listener = _Listener(self._host)
        self._queue = listener.queue
        self._session = SchedulerSession(
            f"scheduler-{self._host.chance.uuid()}",
            self.framework,
            self._make_detector(),
            make_transport(self._transport_name, settings, self._credential),
            listener,
            backoff_factor=settings.backoff_factor,
            suppressed_roles=self._suppressed,
            offer_constraints=self._constraints,
            modern=listener,
        )
        self._host.directory.spawn(self._session)

    def _make_detector(self) -> Detector:
        return detector_for(self._host, self._master)

    async def _leave_host(self) -> None:
        if self._cluster is not None:
            cluster, self._cluster = self._cluster, None
            await self._host.tasks.blocking(cluster.stop)
        if self._node is not None:
            await self._node.stop()

    def stop(self, *, failover: bool = False) -> None:
        """End: the update that was handed out last counts as handled; iteration stops after what is already here.

        Unless failover, the framework is torn down and its tasks are killed.
        """
        if not self._stopped:
            self._stopped = True
            self._acknowledge_handled()
            self._session.stop(failover=failover)
            self._queue.end()

    def reconnect(self) -> None:
        """Give the connection up and subscribe again on a new one: Disconnected and then Reregistered follow."""
        self._session.reconnect()

    def renew(self) -> None:
        """Start over as a new framework under a new id: what is left to do after FrameworkRemoved.

        Events that were not taken yet are gone; the next one is Registered.
        """
        self._host.directory.terminate(self._session)
        self.framework = renewed(self._session.framework)
        self._handled = None
        self._stopped = False
        self._begin()

    # --- events ------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> events.Event:
        """Acknowledge the update that was handed out before, then wait for the next event.

        Raises FrameworkRemoved when the framework's id is used up (see ``renew``), FrameworkFailed for any other
        refusal that retrying cannot mend. Cancelling loses no event.
        """
        self._acknowledge_handled()
        event = await self._queue.get()
        if not self._explicit and isinstance(event, (events.Update, events.OperationUpdate)):
            self._handled = event
        return event

    def _acknowledge_handled(self) -> None:
        handled, self._handled = self._handled, None
        if isinstance(handled, events.Update):
            if handled.status.uuid:
                self._session.acknowledge(handled.status)
        elif handled is not None and handled.status.HasField("uuid"):
            self.acknowledge_operation(handled.status)

    @property
    def is_connected(self) -> bool:
        """Whether the framework is subscribed right now."""
        return self._session.is_connected

    @property
    def framework_id(self) -> str:
        """The id the master gave, empty before. Keep it somewhere safe: a successor needs it."""
        return self._session.framework.id.value

    # --- calls: made at once, in order, awaited or not ---------------------------------------------------------------

    def _asked(self, make: Callable[[Told], object]) -> Awaitable[Outcome]:
        promise = self._host.tasks.promise()

        def told(outcome: Outcome) -> None:
            if not promise.done():  # whoever waited may have given up
                promise.set_result(outcome)

        make(told)
        return promise

    def _call(self, kind: Call.Type, fill: Callable[[Call], object] | None = None) -> Awaitable[Outcome]:
        return self._asked(lambda told: self._session.call(kind, fill, told))

    def accept(
        self, offers: Offered, operations: Iterable[v0.Offer.Operation], *, refuse_seconds: float | None = None
    ) -> Awaitable[Outcome]:
        """Run operations, in order, on offers of one agent; what is left over is refused for so long (5 s if None).

        An operation that has an id is reported on by OperationUpdate events.
        """
        identifiers = offer_ids(offers)
        listed = own_all(Operation, operations)
        return self._asked(lambda told: self._session.accept(identifiers, listed, _filters(refuse_seconds), told))

    def launch(
        self, offers: Offered, tasks: Iterable[v0.TaskInfo], *, refuse_seconds: float | None = None
    ) -> Awaitable[Outcome]:
        """Launch tasks on offers of one agent."""
        operation = Operation(type=Operation.LAUNCH)
        operation.launch.task_infos.extend(own_all(v0.TaskInfo, tasks))
        return self.accept(offers, [operation], refuse_seconds=refuse_seconds)

    def launch_group(
        self,
        offers: Offered,
        executor: v0.ExecutorInfo,
        tasks: Iterable[v0.TaskInfo],
        *,
        refuse_seconds: float | None = None,
    ) -> Awaitable[Outcome]:
        """Launch tasks together, under one executor: all or none."""
        operation = Operation(type=Operation.LAUNCH_GROUP)
        operation.launch_group.executor.CopyFrom(own(v0.ExecutorInfo, executor))
        operation.launch_group.task_group.tasks.extend(own_all(v0.TaskInfo, tasks))
        return self.accept(offers, [operation], refuse_seconds=refuse_seconds)

    def decline(self, offers: Offered, *, refuse_seconds: float | None = None) -> Awaitable[Outcome]:
        """Give offers back; their resources are not offered again for so long (5 s if None)."""

        def fill(call: Call) -> None:
            call.decline.offer_ids.extend(offer_ids(offers))
            call.decline.filters.CopyFrom(_filters(refuse_seconds))

        return self._call(Call.DECLINE, fill)

    def kill(self, task_id: str, *, agent_id: str = "", grace_seconds: float | None = None) -> Awaitable[Outcome]:
        """Kill a task; repeat until a terminal update comes. grace_seconds overrides the task's own kill policy."""

        def fill(call: Call) -> None:
            call.kill.task_id.value = task_id
            if agent_id:
                call.kill.slave_id.value = agent_id
            if grace_seconds is not None:
                call.kill.kill_policy.grace_period.nanoseconds = round(grace_seconds * 1e9)

        return self._call(Call.KILL, fill)

    def acknowledge(self, update: events.Update | v0.TaskStatus) -> Awaitable[Outcome]:
        """Acknowledge an update: for schedulers with explicit acknowledgements."""
        status = update.status if isinstance(update, events.Update) else own(v0.TaskStatus, update)
        return self._asked(lambda told: self._session.acknowledge(status, told))

    def acknowledge_operation(self, update: events.OperationUpdate | v0.OperationStatus) -> Awaitable[Outcome]:
        """Acknowledge feedback on an operation."""
        status = update.status if isinstance(update, events.OperationUpdate) else own(v0.OperationStatus, update)

        def fill(call: Call) -> None:
            body = call.acknowledge_operation_status
            body.uuid = status.uuid.value
            body.operation_id.CopyFrom(status.operation_id)
            if status.HasField("slave_id"):
                body.slave_id.CopyFrom(status.slave_id)
            if status.HasField("resource_provider_id"):
                body.resource_provider_id.CopyFrom(status.resource_provider_id)

        return self._call(Call.ACKNOWLEDGE_OPERATION_STATUS, fill)

    def reconcile(self, tasks: Iterable[tuple[str, str]] = ()) -> Awaitable[Outcome]:
        """Ask for the state of tasks, as (task id, agent id or ""), or of all tasks when there are none."""
        listed = list(tasks)

        def fill(call: Call) -> None:
            call.reconcile.SetInParent()
            for task_id, agent_id in listed:
                task = call.reconcile.tasks.add()
                task.task_id.value = task_id
                if agent_id:
                    task.slave_id.value = agent_id

        return self._call(Call.RECONCILE, fill)

    def reconcile_operations(self, operations: Iterable[tuple[str, str]] = ()) -> Awaitable[Outcome]:
        """Ask for the state of operations, as (operation id, agent id or ""), or of all when there are none."""
        listed = list(operations)

        def fill(call: Call) -> None:
            call.reconcile_operations.SetInParent()
            for operation_id, agent_id in listed:
                operation = call.reconcile_operations.operations.add()
                operation.operation_id.value = operation_id
                if agent_id:
                    operation.slave_id.value = agent_id

        return self._call(Call.RECONCILE_OPERATIONS, fill)

    def revive(self, roles: Sequence[str] | None = None) -> Awaitable[Outcome]:
        """Clear all filters and be offered again, for all roles or some. Remembered while disconnected."""
        return self._asked(lambda told: self._session.revive(roles, told))

    def suppress(self, roles: Sequence[str] | None = None) -> Awaitable[Outcome]:
        """Be offered nothing until revived, for all roles or some. Remembered while disconnected."""
        return self._asked(lambda told: self._session.suppress(roles, told))

    def request(self, requests: Iterable[v0.Request]) -> Awaitable[Outcome]:
        """Ask the allocator for resources; the built-in one does not react."""
        listed = own_all(v0.Request, requests)
        return self._call(Call.REQUEST, lambda call: call.request.requests.extend(listed))

    def message(self, executor_id: str, agent_id: str, data: bytes) -> Awaitable[Outcome]:
        """Send bytes to an executor, at most once."""
        executor, agent = v0.ExecutorID(value=executor_id), v0.SlaveID(value=agent_id)
        return self._asked(lambda told: self._session.message(executor, agent, data, told))

    def shut_down_executor(self, executor_id: str, agent_id: str) -> Awaitable[Outcome]:
        """End an executor and its tasks."""

        def fill(call: Call) -> None:
            call.shutdown.executor_id.value = executor_id
            call.shutdown.slave_id.value = agent_id

        return self._call(Call.SHUTDOWN, fill)

    def accept_inverse_offers(self, offers: Iterable[v0.InverseOffer | str]) -> Awaitable[Outcome]:
        """Agree to give resources back for maintenance."""
        identifiers = offer_ids(offers)
        return self._call(
            Call.ACCEPT_INVERSE_OFFERS,
            lambda call: call.accept_inverse_offers.inverse_offer_ids.extend(identifiers),
        )

    def decline_inverse_offers(
        self, offers: Iterable[v0.InverseOffer | str], *, refuse_seconds: float | None = None
    ) -> Awaitable[Outcome]:
        """Decline to give resources back; the master asks again after so long (5 s if None)."""
        identifiers = offer_ids(offers)

        def fill(call: Call) -> None:
            call.decline_inverse_offers.inverse_offer_ids.extend(identifiers)
            call.decline_inverse_offers.filters.CopyFrom(_filters(refuse_seconds))

        return self._call(Call.DECLINE_INVERSE_OFFERS, fill)

    def update_framework(
        self,
        framework: v0.FrameworkInfo,
        suppressed_roles: Sequence[str] = (),
        offer_constraints: v0_scheduler.OfferConstraints | None = None,
    ) -> Awaitable[Outcome]:
        """Change what was subscribed with, all of it, without subscribing again."""
        info, suppressed = describe(framework), list(suppressed_roles)
        return self._asked(lambda told: self._session.update_framework(info, suppressed, offer_constraints, told))


class _Listener:
    """Turns what the session tells into events."""

    def __init__(self, host: Host) -> None:
        self.queue: EventQueue[events.Event] = EventQueue(host.tasks)
        self._put = self.queue.put

    def registered(self, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        self._put(events.Registered(framework_id.value, master))

    def reregistered(self, master: v0.MasterInfo) -> None:
        self._put(events.Reregistered(master))

    def disconnected(self) -> None:
        self._put(events.Disconnected())

    def offers(self, offers: Sequence[v0.Offer]) -> None:
        self._put(events.Offers(tuple(offers)))

    def rescinded(self, offer_id: v0.OfferID) -> None:
        self._put(events.Rescinded(offer_id.value))

    def update(self, status: v0.TaskStatus) -> None:
        self._put(events.Update(status))

    def message(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, data: bytes) -> None:
        self._put(events.Message(executor_id.value, agent_id.value, data))

    def agent_lost(self, agent_id: v0.SlaveID) -> None:
        self._put(events.AgentLost(agent_id.value))

    def executor_lost(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, status: int) -> None:
        self._put(events.ExecutorLost(executor_id.value, agent_id.value, status))

    def inverse_offers(self, offers: Sequence[v0.InverseOffer]) -> None:
        self._put(events.InverseOffers(tuple(offers)))

    def inverse_rescinded(self, offer_id: v0.OfferID) -> None:
        self._put(events.InverseRescinded(offer_id.value))

    def operation_updated(self, status: v0.OperationStatus) -> None:
        self._put(events.OperationUpdate(status))

    def failed(self, message: str) -> None:
        self.queue.end(failure(message))


def describe(framework: v0.FrameworkInfo | str) -> v0.FrameworkInfo:
    """Complete a framework's description: user, host name and a failover timeout of a week where nothing is said."""
    info = v0.FrameworkInfo()
    if isinstance(framework, str):
        info.name = framework
    else:
        info.CopyFrom(own(v0.FrameworkInfo, framework, partial=True))
    if not info.name:
        raise ConfigurationError("framework.name is empty; give the framework a name")
    if not info.user:
        info.user = getpass.getuser()
    if not info.hostname:
        info.hostname = platform.node()
    if not info.HasField("failover_timeout"):
        info.failover_timeout = WEEK
    return info


def offer_ids(offers: Iterable[Any] | Any) -> list[v0.OfferID]:
    """Take one offer or several, inverse ones too, as messages or as ids."""
    if isinstance(offers, (str, Protobuf)):
        offers = [offers]
    return [_offer_id(offer) for offer in offers]


def _offer_id(offer: Any) -> v0.OfferID:
    if isinstance(offer, str):
        return v0.OfferID(value=offer)
    return own(v0.OfferID, offer.id if offer.DESCRIPTOR.name in ("Offer", "InverseOffer") else offer)


def _filters(refuse_seconds: float | None) -> v0.Filters:
    return v0.Filters() if refuse_seconds is None else v0.Filters(refuse_seconds=refuse_seconds)
