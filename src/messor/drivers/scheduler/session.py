"""A scheduler's session with the leading master: find it, subscribe, track, call.

One actor, whichever transport carries it and whichever face sits on top. Rules are rows S1-S46 of the contract.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from messor.coordination.interfaces import Detector
from messor.drivers.backoff import Backoff
from messor.drivers.outcomes import DROPPED, SENT, Outcome, Told, What
from messor.drivers.scheduler.interfaces import ModernListener, SchedulerListener, Transport
from messor.errors import MesosError
from messor.protos import v0, v0_scheduler
from messor.runtime.actor import Actor, Component
from messor.runtime.host import Running, Timer
from messor.wire.upid import Upid, parse_upid

log = logging.getLogger(__name__)

Call = v0_scheduler.Call

MAXIMUM_BACKOFF = 60.0
"""Seconds; the cap between two SUBSCRIBE attempts (Y1)."""

DISCONNECTED = "Framework disconnected"
"""What a master tells a libprocess scheduler whose connection broke on its side; classic drivers abort on it."""

NOTHING_TO_ACKNOWLEDGE = Outcome(What.DROPPED, "it has no uuid or no agent: nobody waits for its acknowledgement")
NO_ROLES = Outcome(What.DROPPED, "an empty list of roles means none")
UNREGISTERED = Outcome(What.DROPPED, "the framework has no id yet: describe it as wanted before it subscribes")


class SchedulerSession(Actor):
    """Keeps one framework subscribed and carries its calls."""

    def __init__(
        self,
        name: str,
        framework: v0.FrameworkInfo,
        detector: Detector,
        transport: Transport,
        listener: SchedulerListener,
        *,
        backoff_factor: float = 2.0,
        suppressed_roles: Iterable[str] = (),
        offer_constraints: v0_scheduler.OfferConstraints | None = None,
        modern: ModernListener | None = None,
    ) -> None:
        """framework is copied; its id, when set, means failover (S35). backoff_factor in seconds.

        modern: who hears of inverse offers and operations; without it they are ignored.
        """
        super().__init__(name)
        self.framework = v0.FrameworkInfo()
        self.framework.CopyFrom(framework)
        self.master: v0.MasterInfo | None = None
        self._leader: v0.MasterInfo | None = None
        """Who leads, as the detector said it; ``master`` is how that master describes itself."""
        self._detector = detector
        self._transport = transport
        self._listener = listener
        self._modern = modern
        self._backoff_factor = backoff_factor
        self._backoff: Backoff | None = None
        self._suppressed = set(suppressed_roles)
        self._constraints = offer_constraints
        self._failover = bool(framework.id.value)
        self._was_registered = False
        self._connected = False
        self._running = True
        self._detecting: Running | None = None
        self._retry: Timer | None = None
        self._offers: dict[str, tuple[str, str]] = {}
        """Per live offer: its agent's id and pid, to message executors directly once something was launched (S33)."""
        self._agents: dict[str, Upid] = {}

    def components(self) -> Iterable[Component]:
        """The transport's handlers count as the session's."""
        return (self._transport,) if isinstance(self._transport, Component) else ()

    def started(self) -> None:
        """Begin detecting the master."""
        cap = MAXIMUM_BACKOFF
        if self.framework.failover_timeout > 0:
            cap = min(cap, self.framework.failover_timeout / 10)
        self._backoff = Backoff(self.host.chance.random, self._backoff_factor, cap)
        self._transport.attach(self)
        self._detecting = self.host.tasks.spawn(self._detect(), "detect the leading master")

    def exited(self, peer: Upid) -> None:
        """Notice a broken link to the master: subscribe again.

        The C++ driver waits for its detector here, which with a fixed ``host:port`` means for ever (protocols a.4).
        """
        if self.master is not None and peer == parse_upid(self.master.pid):
            self.on_broken(f"the link to {peer} broke")

    def stopping(self) -> None:
        """Let go of timers and the detector."""
        self._running = False
        self._cancel_retry()
        if self._detecting is not None:
            self._detecting.cancel()
        self._detector.close()
        self._transport.disconnect()

    @property
    def is_connected(self) -> bool:
        """Whether the framework is subscribed (G: Connected())."""
        return self._connected

    # --- finding the master and subscribing --------------------------------------------------------------------------

    async def _detect(self) -> None:
        leader: v0.MasterInfo | None = None
        while self._running:
            try:
                leader = await self._detector.detect(leader)
            except MesosError as error:
                self._fail(f"Failed to detect a master: {error}")
                return
            self._detected(leader)

    def _detected(self, leader: v0.MasterInfo | None) -> None:
        """Follow a new leader; any change while connected counts as a disconnection (S3)."""
        self._lose_connection()
        self.master = self._leader = leader
        if leader is None:
            log.info("No master leads; waiting for one")
            self._transport.disconnect()
            return
        log.info("New master detected at %s", leader.pid)
        self._transport.connect(leader)
        assert self._backoff is not None
        self._backoff.reset()
        self._subscribe()

    def _lose_connection(self) -> None:
        self._cancel_retry()
        was_connected, self._connected = self._connected, False
        self._offers.clear()
        if was_connected and self._running:
            self._listener.disconnected()

    def _subscribe(self) -> None:
        """Send SUBSCRIBE and again after a random delay until it is answered (S42)."""
        self._retry = None
        if not self._running or self._connected or self.master is None:
            return
        call = Call(type=Call.SUBSCRIBE)
        call.subscribe.framework_info.CopyFrom(self.framework)
        if self.framework.id.value:
            call.framework_id.CopyFrom(self.framework.id)
        call.subscribe.force = self._failover
        call.subscribe.suppressed_roles.extend(sorted(self._suppressed))
        if self._constraints is not None:
            call.subscribe.offer_constraints.CopyFrom(self._constraints)
        self._transport.subscribe(call)
        assert self._backoff is not None
        self._retry = self.host.clock.after(self._backoff.next(), self._subscribe)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    # --- what the transport tells ------------------------------------------------------------------------------------

    def on_ready(self) -> None:
        """Subscribe at once: the master knows who we are."""
        self._cancel_retry()
        self._subscribe()

    def on_subscribed(self, framework_id: v0.FrameworkID, master: v0.MasterInfo | None) -> None:
        """Become connected; the first time in this session is ``registered``, even with an id given (trap 2)."""
        if self._connected or not self._running:
            return
        self._cancel_retry()
        if master is not None:
            self.master = master
        assert self.master is not None
        self.framework.id.CopyFrom(framework_id)
        self._connected = True
        self._failover = False
        assert self._backoff is not None
        self._backoff.reset()
        if self._was_registered:
            self._listener.reregistered(self.master)
        else:
            self._was_registered = True
            self._listener.registered(framework_id, self.master)

    def on_offers(self, offers: Sequence[v0.Offer], pids: Sequence[str]) -> None:
        """Remember where each offer's agent lives, then tell."""
        if not offers:
            return
        for offer, pid in zip(offers, pids, strict=False):
            self._offers[offer.id.value] = (offer.slave_id.value, pid)
        self._listener.offers(offers)

    def on_rescinded(self, offer_id: v0.OfferID) -> None:
        """Forget the offer, then tell."""
        self._offers.pop(offer_id.value, None)
        self._listener.rescinded(offer_id)

    def on_update(self, status: v0.TaskStatus) -> None:
        """Tell."""
        self._listener.update(status)

    def on_message(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, data: bytes) -> None:
        """Tell."""
        self._listener.message(executor_id, agent_id, data)

    def on_agent_lost(self, agent_id: v0.SlaveID) -> None:
        """Forget where the agent lived (S8), then tell."""
        self._agents.pop(agent_id.value, None)
        self._listener.agent_lost(agent_id)

    def on_executor_lost(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, status: int) -> None:
        """Tell."""
        self._listener.executor_lost(executor_id, agent_id, status)

    def on_inverse_offers(self, offers: Sequence[v0.InverseOffer]) -> None:
        """Tell, if anybody listens."""
        if self._modern is not None and offers:
            self._modern.inverse_offers(offers)

    def on_inverse_rescinded(self, offer_id: v0.OfferID) -> None:
        """Tell, if anybody listens."""
        if self._modern is not None:
            self._modern.inverse_rescinded(offer_id)

    def on_operation_updated(self, status: v0.OperationStatus) -> None:
        """Tell, if anybody listens."""
        if self._modern is not None:
            self._modern.operation_updated(status)

    def on_error(self, message: str) -> None:
        """Abort, then tell; modern faces subscribe again when all that happened is a broken connection."""
        if message == DISCONNECTED and self._modern is not None:
            self.on_broken("the master saw the connection break")
        else:
            self._fail(message)

    def on_broken(self, why: str) -> None:
        """Subscribe again after a delay; the leader may be the same."""
        if not self._running:
            return
        log.warning("Lost the connection to the master: %s", why)
        retry, self._retry = self._retry, None  # of an attempt that failed: its delay was drawn when it was made
        self._lose_connection()
        if self.master is not None:
            assert self._backoff is not None
            self._retry = retry or self.host.clock.after(self._backoff.next(), self._subscribe)
        elif retry is not None:
            retry.cancel()

    def reconnect(self) -> None:
        """Give the connection up and subscribe again on a new one, to the same leader (C12)."""
        if self._running and self._leader is not None:
            self._transport.connect(self._leader)
            self.on_broken("a new connection was asked for")

    def _fail(self, message: str) -> None:
        if self._running:
            self.abort()
            self._listener.failed(message)

    # --- ending ------------------------------------------------------------------------------------------------------

    def stop(self, *, failover: bool) -> None:
        """End; without failover, and only while connected, the framework is torn down (S17)."""
        if self._connected and not failover:
            self._transport.send(self._call(Call.TEARDOWN))
        self._halt()

    async def drained(self) -> None:
        """Wait until the master has what was sent."""
        await self._transport.drained()

    def abort(self) -> None:
        """Stop hearing events; the master stops offering but keeps the framework (S18)."""
        if self._connected:
            self._transport.deactivate(self.framework.id)
        self._halt()

    def _halt(self) -> None:
        self._running = False
        self._connected = False
        self._cancel_retry()
        if self._detecting is not None:
            self._detecting.cancel()

    # --- calls (S15: dropped silently while disconnected, but for launches) ------------------------------------------

    def _call(self, kind: Call.Type) -> Call:
        call = Call(type=kind)
        call.framework_id.CopyFrom(self.framework.id)
        return call

    def call(self, kind: Call.Type, fill: Callable[[Call], object] | None = None, told: Told | None = None) -> bool:
        """Send a call when connected; tells whether it was sent. fill completes it, told hears what became of it."""
        if not self._connected:
            log.debug("Dropping %s: not connected", Call.Type.Name(kind))
            if told is not None:
                told(DROPPED)
            return False
        call = self._call(kind)
        if fill is not None:
            fill(call)
        self._transport.send(call, told)
        return True

    def accept(
        self,
        offer_ids: Sequence[v0.OfferID],
        operations: Sequence[v0.Offer.Operation],
        filters: v0.Filters | None,
        told: Told | None = None,
    ) -> None:
        """Accept offers; while disconnected told hears, or each task of a LAUNCH is lost at once (S15, trap 7)."""
        if not self._connected:
            if told is not None:
                told(DROPPED)
                return
            for operation in operations:
                if operation.type == v0.Offer.Operation.LAUNCH:
                    for task in operation.launch.task_infos:
                        self._listener.update(self._lost(task))
            return
        call = self._call(Call.ACCEPT)
        call.accept.offer_ids.extend(offer_ids)
        call.accept.operations.extend(operations)
        if filters is not None:
            call.accept.filters.CopyFrom(filters)
        self._remember_agents(offer_ids, operations)
        self._transport.send(call, told)

    def _lost(self, task: v0.TaskInfo) -> v0.TaskStatus:
        aware = v0.FrameworkInfo.Capability.PARTITION_AWARE
        is_aware = any(capability.type == aware for capability in self.framework.capabilities)
        status = v0.TaskStatus(
            task_id=task.task_id,
            state=v0.TASK_DROPPED if is_aware else v0.TASK_LOST,
            source=v0.TaskStatus.SOURCE_MASTER,
            reason=v0.TaskStatus.REASON_MASTER_DISCONNECTED,
            message="Master disconnected",
            timestamp=self.host.clock.now(),
        )
        if task.HasField("slave_id"):
            status.slave_id.CopyFrom(task.slave_id)
        return status

    def _remember_agents(self, offer_ids: Sequence[v0.OfferID], operations: Sequence[v0.Offer.Operation]) -> None:
        """Keep an agent's pid once a task was launched there, so that messages may go straight to it (S33)."""
        launched = {
            task.slave_id.value
            for operation in operations
            for task in (*operation.launch.task_infos, *operation.launch_group.task_group.tasks)
        }
        for offer_id in offer_ids:
            agent_id, pid = self._offers.pop(offer_id.value, ("", ""))
            if agent_id in launched:
                self._agents[agent_id] = parse_upid(pid)

    def acknowledge(self, status: v0.TaskStatus, told: Told | None = None) -> None:
        """Acknowledge a status; nothing happens unless it has a uuid and an agent id (S31)."""
        if not self._connected or not status.uuid or not status.HasField("slave_id"):
            if told is not None:
                told(DROPPED if not self._connected else NOTHING_TO_ACKNOWLEDGE)
            return
        call = self._call(Call.ACKNOWLEDGE)
        call.acknowledge.slave_id.CopyFrom(status.slave_id)
        call.acknowledge.task_id.CopyFrom(status.task_id)
        call.acknowledge.uuid = status.uuid
        self._transport.send(call, told)

    def message(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, data: bytes, told: Told | None = None) -> None:
        """Send bytes to an executor: straight to its agent when known, else through the master."""
        if not self._connected:
            if told is not None:
                told(DROPPED)
            return
        call = self._call(Call.MESSAGE)
        call.message.executor_id.CopyFrom(executor_id)
        call.message.slave_id.CopyFrom(agent_id)
        call.message.data = data
        agent = self._agents.get(agent_id.value)
        if agent is None or not self._transport.message_agent(agent, self.framework.id, call):
            self._transport.send(call, told)
        elif told is not None:
            told(SENT)

    def revive(self, roles: Sequence[str] | None = None, told: Told | None = None) -> None:
        """Ask for offers again: all roles for None, nothing for an empty sequence (trap 8). Kept for reconnects."""
        self._suppressed -= set(self._own_roles() if roles is None else roles)
        if roles is None or roles:
            self.call(Call.REVIVE, lambda call: call.revive.roles.extend(roles or ()), told)
        elif told is not None:
            told(NO_ROLES)

    def suppress(self, roles: Sequence[str] | None = None, told: Told | None = None) -> None:
        """Ask for no more offers: all roles for None, nothing for an empty sequence. Kept for reconnects."""
        self._suppressed |= set(self._own_roles() if roles is None else roles)
        if roles is None or roles:
            self.call(Call.SUPPRESS, lambda call: call.suppress.roles.extend(roles or ()), told)
        elif told is not None:
            told(NO_ROLES)

    def update_framework(
        self,
        framework: v0.FrameworkInfo,
        suppressed_roles: Sequence[str],
        offer_constraints: v0_scheduler.OfferConstraints | None = None,
        told: Told | None = None,
    ) -> None:
        """Change what was subscribed with; remembered and sent with the next SUBSCRIBE when disconnected (S30)."""
        identifier = v0.FrameworkID()
        identifier.CopyFrom(self.framework.id)
        if not identifier.value:
            if told is not None:
                told(UNREGISTERED)
            else:
                self._fail("MesosSchedulerDriver::updateFramework must not be called prior to registration")
            return
        self.framework.CopyFrom(framework)
        self.framework.id.CopyFrom(identifier)
        self._suppressed = set(suppressed_roles)
        self._constraints = offer_constraints

        def fill(call: Call) -> None:
            call.update_framework.framework_info.CopyFrom(self.framework)
            call.update_framework.suppressed_roles.extend(suppressed_roles)
            if offer_constraints is not None:
                call.update_framework.offer_constraints.CopyFrom(offer_constraints)

        self.call(Call.UPDATE_FRAMEWORK, fill, told)

    def _own_roles(self) -> list[str]:
        multi_role = v0.FrameworkInfo.Capability.MULTI_ROLE
        if any(capability.type == multi_role for capability in self.framework.capabilities):
            return list(self.framework.roles)
        return [self.framework.role]
