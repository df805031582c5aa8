"""Putting what a framework says about itself into its record."""

from __future__ import annotations

from messor.master.flags import MasterFlags
from messor.master.state.framework import FrameworkRecord
from messor.model.roles import roles_of
from messor.protos import v0


def new_record(info: v0.FrameworkInfo, flags: MasterFlags) -> FrameworkRecord:
    """Make the record of a framework whose id is set."""
    framework = FrameworkRecord(
        info.id.value,
        info,
        max_completed=flags.max_completed_tasks_per_framework,
        max_unreachable=flags.max_unreachable_tasks_per_framework,
    )
    describe(framework, info)
    return framework


def describe(framework: FrameworkRecord, info: v0.FrameworkInfo) -> None:
    """Take over what a framework says about itself; info is kept and must not change any more."""
    framework.info = info
    framework.roles = roles_of(info)
    framework.capabilities = frozenset(item.type for item in info.capabilities)
    framework.principal = info.principal if info.HasField("principal") else None
    framework.fragment = None
