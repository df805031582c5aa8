"""A scheduler takes over a framework that is known already, from another scheduler or from its former self (M4)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.frameworks.disconnect import Disconnection
from messor.master.frameworks.heartbeats import Heartbeats
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord, HttpStream
from messor.master.state.lifecycles import FrameworkState
from messor.master.state.tables import MasterState
from messor.protos import internal
from messor.runtime.actor import Component
from messor.runtime.host import Host
from messor.wire.legacy_scheduler import subscribed
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

FAILED_OVER = "Framework failed over"


class Failover(Component):
    """Changes where a framework is reached, and makes it active."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        host: Host,
        rescinder: Rescinder,
        disconnection: Disconnection,
        heartbeats: Heartbeats,
    ) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.clock = host.clock
        self.rescinder = rescinder
        self.disconnection = disconnection
        self.heartbeats = heartbeats

    def to_pid(self, framework: FrameworkRecord, pid: Upid) -> None:
        """Let a scheduler at a pid take over; the one before hears of it, its offers are forgotten."""
        if framework.is_connected and framework.pid != pid:
            self._tell_former(framework)
        self.attach_pid(framework, pid)
        self.rescinder.discard_framework(framework)
        self.activate(framework)
        self.tell_registered(framework)

    def to_stream(self, framework: FrameworkRecord, stream: HttpStream) -> None:
        """Let a scheduler with a new stream take over; the newest one always wins."""
        if framework.is_connected:
            self._tell_former(framework)
        self.attach_stream(framework, stream)
        self.rescinder.discard_framework(framework)
        self.activate(framework)
        self.tell_registered(framework)
        self.heartbeats.begin(stream)

    def again(self, framework: FrameworkRecord, pid: Upid) -> None:
        """Let the same scheduler, at the same pid, re-register: its offers are rescinded, as it may still know them."""
        self.rescinder.rescind_framework(framework)
        self.attach_pid(framework, pid)
        self.activate(framework)
        message = internal.FrameworkReregisteredMessage(master_info=self.state.info)
        message.framework_id.value = framework.id
        self.outbox.to_framework(framework, message)

    def recovered(self, framework: FrameworkRecord, pid: Upid | None, stream: HttpStream | None) -> None:
        """Connect a framework that was known only from agents."""
        framework.registered_at = framework.reregistered_at = self.clock.now()
        if stream is not None:
            self.attach_stream(framework, stream)
        elif pid is not None:
            self.attach_pid(framework, pid)
        self.activate(framework)
        self.tell_registered(framework)
        if stream is not None:
            self.heartbeats.begin(stream)

    def attach_pid(self, framework: FrameworkRecord, pid: Upid) -> None:
        """Reach a framework at a pid from now on, and hear when it ends."""
        self._drop_stream(framework)
        self.state.connect_pid(framework, pid)
        self.outbox.link(pid)
        self._keep(framework)

    def attach_stream(self, framework: FrameworkRecord, stream: HttpStream) -> None:
        """Reach a framework through a stream from now on, and hear when it closes."""
        self._drop_stream(framework)
        if framework.pid is not None:
            self.state.connect_pid(framework, None)
        framework.stream = stream
        stream.counts = framework.counts
        framework_id = framework.id
        stream.pipe.on_close = lambda: self.disconnection.stream_closed(framework_id, stream)
        self._keep(framework)

    def activate(self, framework: FrameworkRecord) -> None:
        """Offer to a framework again."""
        if not framework.is_active:
            framework.become(FrameworkState.ACTIVE)
            self.allocator.activate_framework(framework.id)

    def tell_registered(self, framework: FrameworkRecord) -> None:
        """Tell a framework that it is subscribed, one over HTTP also how often it hears a heartbeat."""
        if framework.stream is not None:
            event = subscribed(framework.info.id, self.state.info, self.heartbeats.interval)
            self.outbox.event(framework, event)
            return
        message = internal.FrameworkRegisteredMessage(master_info=self.state.info)
        message.framework_id.value = framework.id
        self.outbox.to_framework(framework, message)

    def _tell_former(self, framework: FrameworkRecord) -> None:
        self.outbox.to_framework(framework, internal.FrameworkErrorMessage(message=FAILED_OVER))

    def _drop_stream(self, framework: FrameworkRecord) -> None:
        former = framework.stream
        framework.stream = None
        if former is not None:
            former.pipe.close()

    def _keep(self, framework: FrameworkRecord) -> None:
        """Stop waiting for it to come back."""
        if framework.failover_timer is not None:
            framework.failover_timer.cancel()
            framework.failover_timer = None
