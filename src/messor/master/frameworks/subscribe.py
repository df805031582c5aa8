"""SUBSCRIBE: who may, and whether it is a new framework or one that is known (M1, protocols b.1)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.authentication import Authentication
from messor.master.flags import MasterFlags
from messor.master.frameworks.failover import FAILED_OVER, Failover
from messor.master.frameworks.records import new_record
from messor.master.frameworks.recover import FrameworkRecovery
from messor.master.frameworks.update import FrameworkUpdates
from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord, HttpStream
from messor.master.state.lifecycles import FrameworkState
from messor.master.state.tables import MasterState
from messor.master.validation.frameworks import keep_immutable, validate_update
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Component
from messor.runtime.host import Host
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

SUBSCRIBE = v0_scheduler.Call.SUBSCRIBE


class Subscriptions(Component):
    """Admits frameworks."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        host: Host,
        flags: MasterFlags,
        metrics: MasterMetrics,
        recovery: FrameworkRecovery,
        framework_updates: FrameworkUpdates,
        failover: Failover,
        authentication: Authentication,
    ) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.clock = host.clock
        self.flags = flags
        self.recovery = recovery
        self.framework_updates = framework_updates
        self.failover = failover
        self.authentication = authentication
        self._first = metrics.counter("messages_register_framework")
        self._again = metrics.counter("messages_reregister_framework")

    # --- the two ways in ---------------------------------------------------------------------------------------------

    def subscribe_stream(self, stream: HttpStream, call: v0_scheduler.Call.Subscribe) -> None:
        """Subscribe a framework over HTTP; a refusal is an ERROR event and the end of the stream."""
        info = call.framework_info
        self._count(info)
        try:
            suppressed = self._admit(call)
            self.framework_updates.authorization.check_framework(info)
            if not info.id.value:
                self._add(info, suppressed, None, stream)
                self.framework_updates.constrain(self.state.frameworks[info.id.value], call.offer_constraints)
                return
            framework = self._known(info)
        except InvalidRequest as error:
            log.info("Refusing subscription of framework '%s': %s", info.name, error)
            self.outbox.to_stream(stream, internal.FrameworkErrorMessage(message=str(error)))
            stream.pipe.close()
            return
        framework.counts.calls[SUBSCRIBE] += 1
        self.framework_updates.apply(framework, info, suppressed)
        self.framework_updates.constrain(framework, call.offer_constraints)
        if framework.is_recovered:
            self.failover.recovered(framework, None, stream)
        else:
            framework.reregistered_at = self.clock.now()
            self.failover.to_stream(framework, stream)
        self.framework_updates.broadcast(framework)

    def subscribe_pid(self, sender: Upid, call: v0_scheduler.Call.Subscribe) -> None:
        """Subscribe a framework over libprocess; a refusal is a FrameworkErrorMessage."""
        info = call.framework_info
        self._count(info)
        try:
            suppressed = self._admit(call)
            self.authentication.check_framework(info, sender)
            self.framework_updates.authorization.check_framework(info)
            if not info.id.value:
                self._subscribe_new_pid(sender, info, suppressed)
                if info.id.value:
                    self.framework_updates.constrain(self.state.frameworks[info.id.value], call.offer_constraints)
                return
            holder = self.state.frameworks_by_pid.get(sender)
            if holder is not None and holder.id != info.id.value:
                self.ignore(f"SUBSCRIBE of framework '{info.name}'", f"framework {holder.id} is at {sender} already")
                return
            framework = self._known(info)
            if not framework.is_recovered and framework.pid != sender and not call.force:
                raise InvalidRequest(FAILED_OVER)
        except InvalidRequest as error:
            log.info("Refusing subscription of framework '%s' at %s: %s", info.name, sender, error)
            self.outbox.to_pid(sender, internal.FrameworkErrorMessage(message=str(error)))
            return
        framework.counts.calls[SUBSCRIBE] += 1
        self.framework_updates.apply(framework, info, suppressed)
        self.framework_updates.constrain(framework, call.offer_constraints)
        if framework.is_recovered:
            self.failover.recovered(framework, sender, None)
        else:
            framework.reregistered_at = self.clock.now()
            if call.force:
                self.failover.to_pid(framework, sender)
            else:
                self.failover.again(framework, sender)
        self.framework_updates.broadcast(framework)

    # --- steps -------------------------------------------------------------------------------------------------------

    def _admit(self, call: v0_scheduler.Call.Subscribe) -> frozenset[str]:
        """Check what a framework says about itself and its offers; raises InvalidRequest."""
        self.framework_updates.validate(call.framework_info)
        return self.framework_updates.validate_wishes(
            call.framework_info, call.suppressed_roles, call.offer_constraints
        )

    def _known(self, info: v0.FrameworkInfo) -> FrameworkRecord:
        """Give the framework of an id; one this master does not know fails over from an earlier one.

        Raises InvalidRequest when what may not change has changed. Completes info with what is kept from before.
        """
        framework = self.state.frameworks.get(info.id.value)
        if framework is None:
            framework = self.recovery.recover(info)
        keep_immutable(framework.info, info)
        validate_update(framework.info, info)
        return framework

    def _subscribe_new_pid(self, sender: Upid, info: v0.FrameworkInfo, suppressed: frozenset[str]) -> None:
        known = self.state.frameworks_by_pid.get(sender)
        if known is not None:
            log.info("Framework %s already subscribed, resending acknowledgement", known.id)
            self.failover.tell_registered(known)
            return
        self._add(info, suppressed, sender, None)

    def _add(
        self, info: v0.FrameworkInfo, suppressed: frozenset[str], pid: Upid | None, stream: HttpStream | None
    ) -> None:
        """Add a new framework and tell it its id."""
        info.id.value = self.state.new_framework_id()
        framework = new_record(info, self.flags)
        framework.registered_at = self.clock.now()
        framework.suppressed_roles = set(suppressed)
        framework.counts.calls[SUBSCRIBE] += 1
        self.state.add_framework(framework)
        log.info("Adding framework %s ('%s')", framework.id, info.name)
        self.allocator.add_framework(framework.id, info, {}, active=True, suppressed_roles=suppressed)
        if stream is not None:
            self.failover.attach_stream(framework, stream)
        elif pid is not None:
            self.failover.attach_pid(framework, pid)
        framework.become(FrameworkState.ACTIVE)
        self.failover.tell_registered(framework)
        if stream is not None:
            self.failover.heartbeats.begin(stream)
        self.state.signals.framework_added(framework)

    def _count(self, info: v0.FrameworkInfo) -> None:
        (self._again if info.id.value else self._first).value += 1
