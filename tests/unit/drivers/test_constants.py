"""Row Y1: times and sizes that operators of Mesos know by heart."""

from __future__ import annotations

from typing import Any

import pytest

from messor.agent.executors import generate
from messor.agent.joining import pings, register
from messor.agent.updates import manager
from messor.allocator import filters
from messor.drivers.executor import environment, http_transport
from messor.drivers.scheduler import session
from messor.executors.command import escalation
from messor.master.agents import whitelist
from messor.master.state import tables
from messor.protos import v0
from messor.wire import legacy_executor, legacy_scheduler

CONSTANTS: list[tuple[str, Any, Any]] = [
    ("heartbeat to HTTP schedulers", legacy_scheduler.HEARTBEAT_INTERVAL, 15),
    ("heartbeat to executors", legacy_executor.HEARTBEAT_INTERVAL, 30 * 60),
    ("heartbeat of executors", http_transport.HEARTBEAT, 30 * 60),
    ("first retry of an update", manager.FIRST_RESEND, 10),
    ("longest retry of an update", manager.LONGEST_RESEND, 600),
    ("agent's longest back-off", register.LONGEST_BACKOFF, 60),
    ("driver's longest back-off", session.MAXIMUM_BACKOFF, 60),
    ("silence after which an agent registers again", pings.DEFAULT_SILENCE, 75),
    ("refusal in the allocator", filters.DEFAULT_REFUSE_SECONDS, 5),
    ("refusal in messages", v0.Filters().refuse_seconds, 5),
    ("removed agents that are remembered", tables.MOST_REMOVED_AGENTS, 100_000),
    ("whitelist", whitelist.POLL_SECONDS, 5),
    ("cpus of a command executor", generate.EXECUTOR_CPUS, 0.1),
    ("memory of a command executor", generate.EXECUTOR_MEM, 32),
    ("grace of a killed command", escalation.DEFAULT_GRACE, 3),
    ("grace of an executor's shutdown", environment.DEFAULT_GRACE, 5),
    ("wait for an agent to recover", environment.DEFAULT_RECOVERY, 15 * 60),
    ("failover timeout", v0.FrameworkInfo().failover_timeout, 0),
]


@pytest.mark.parametrize(("name", "ours", "theirs"), CONSTANTS, ids=[name for name, _, _ in CONSTANTS])
def test_y1_constants_are_those_of_mesos(name: str, ours: Any, theirs: Any) -> None:
    """Other times differ from what operators expect."""
    assert ours == theirs, name
