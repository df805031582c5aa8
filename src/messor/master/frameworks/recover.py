"""Frameworks this master has not heard of but agents have: known from their tasks after a failover (M24)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.flags import MasterFlags
from messor.master.frameworks.records import new_record
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.protos import v0
from messor.runtime.actor import Component

log = logging.getLogger(__name__)


class FrameworkRecovery(Component):
    """Adds recovered frameworks: neither connected nor active, until they subscribe."""

    def __init__(self, *, state: MasterState, allocator: Allocator, flags: MasterFlags) -> None:
        """Collaborators."""
        self.state = state
        self.allocator = allocator
        self.flags = flags

    def recover(self, info: v0.FrameworkInfo) -> FrameworkRecord:
        """Add a framework as recovered and give its record; gives the existing one when it is known."""
        known = self.state.frameworks.get(info.id.value)
        if known is not None:
            return known
        log.info("Recovering framework %s", info.id.value)
        copy = v0.FrameworkInfo()
        copy.CopyFrom(info)
        framework = new_record(copy, self.flags)
        self.state.add_framework(framework)
        # What its operations keep was taken out of the agents' totals as long as it was not known (S98).
        for agent_id, resources in framework.used.items():
            self.allocator.add_resource_provider(agent_id, resources.unallocated(), {})
        used = dict(framework.used)
        self.allocator.add_framework(framework.id, copy, used, active=False, suppressed_roles=frozenset())
        self.state.signals.framework_added(framework)
        return framework
