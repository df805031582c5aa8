"""Losing a framework's connection: its link broke, its stream closed, or it asked to be left alone (M5)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.frameworks.remove import FrameworkRemoval
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord, HttpStream
from messor.master.state.lifecycles import FrameworkState
from messor.master.state.tables import MasterState
from messor.protos import internal
from messor.runtime.actor import Component
from messor.runtime.host import Host

log = logging.getLogger(__name__)

DISCONNECTED = "Framework disconnected"


class Disconnection(Component):
    """Notices that frameworks went, and removes those that do not come back."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        metrics: MasterMetrics,
        host: Host,
        rescinder: Rescinder,
        removal: FrameworkRemoval,
    ) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.clock = host.clock
        self.rescinder = rescinder
        self.removal = removal
        self._deactivated = metrics.counter("messages_deactivate_framework")

    def framework_disconnected(self, framework: FrameworkRecord) -> None:
        """Notice that the link to a framework's pid broke; a scheduler that lives after all must hear of it."""
        if framework.pid is None or framework.stream is not None:
            return
        self.outbox.to_framework(framework, internal.FrameworkErrorMessage(message=DISCONNECTED))
        self._lost(framework)

    def stream_closed(self, framework_id: str, stream: HttpStream) -> None:
        """Notice that a framework closed its stream, unless it has another one already."""
        framework = self.state.frameworks.get(framework_id)
        if framework is None or framework.stream is not stream:
            log.info("Ignoring disconnection of framework %s: it is gone or has reconnected", framework_id)
            return
        self._lost(framework)

    def deactivate(self, framework: FrameworkRecord) -> None:
        """Stop offering to a connected framework that said DeactivateFramework, and take its offers back."""
        self._deactivated.value += 1
        if framework.is_active:
            log.info("Deactivating framework %s", framework.id)
            framework.become(FrameworkState.INACTIVE)
            self.allocator.deactivate_framework(framework.id)
            self.rescinder.rescind_framework(framework)
            self.state.signals.framework_updated(framework)

    def _lost(self, framework: FrameworkRecord) -> None:
        """Give it its failover timeout; 0, the default, removes it at once."""
        log.info("Framework %s disconnected", framework.id)
        if framework.is_connected:
            if framework.is_active:
                self.allocator.deactivate_framework(framework.id)
            framework.become(FrameworkState.DISCONNECTED)
            self.rescinder.discard_framework(framework)
            self.state.signals.framework_updated(framework)
        if framework.stream is not None:
            framework.stream.pipe.close()
            framework.stream = None
        if framework.failover_timer is not None:
            return  # a second exit does not give it more time
        timeout = max(0.0, framework.info.failover_timeout)
        log.info("Giving framework %s %s seconds to failover", framework.id, timeout)
        framework.failover_timer = self.clock.after(timeout, self._timed_out, framework.id)

    def _timed_out(self, framework_id: str) -> None:
        framework = self.state.frameworks.get(framework_id)
        if framework is not None and not framework.is_connected:
            log.info("Framework failover timeout, removing framework %s", framework_id)
            framework.failover_timer = None
            self.removal.remove(framework)
