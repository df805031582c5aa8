"""Fixtures that make simulated clusters and look after them: at the end invariants hold and nothing logged an error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler

Reason = v0.TaskStatus
AWARE = ("partition_aware",)


class ErrorLog(logging.Handler):
    """Keep what is logged as an error in this thread, in which the simulation runs."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if threading.get_ident() == self._thread:
            self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture
def logged_errors() -> Iterator[ErrorLog]:
    """Collect logged errors; a test that provokes one on purpose clears ``lines``."""
    handler = ErrorLog()
    logging.getLogger("messor").addHandler(handler)
    yield handler
    logging.getLogger("messor").removeHandler(handler)


@pytest.fixture
def make_cluster(logged_errors: ErrorLog) -> Iterator[Callable[..., Cluster]]:
    """Make clusters that are checked and closed at the end of the test."""
    made: list[Cluster] = []

    def make(seed: int = 0, **options: Any) -> Cluster:
        cluster = Cluster(seed, **options)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.check()
        cluster.close()
    assert logged_errors.lines == []


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """Give a cluster of one master and one agent."""
    return make_cluster()


def running(cluster: Cluster, framework: SimulatedScheduler, script: str = "sleep 100000", **options: Any) -> str:
    """Launch a task and run until its scheduler has heard that it runs."""
    task_id = framework.launch(script, **options)
    cluster.run_until(lambda: "RUNNING" in framework.states(task_id), what=f"{task_id} runs")
    cluster.settle()
    return task_id


def reason(status: v0.TaskStatus) -> str:
    """Name a status's reason, without the prefix; empty when it has none."""
    if not status.HasField("reason"):
        return ""
    return v0.TaskStatus.Reason.Name(status.reason).removeprefix("REASON_")


def told(status: v0.TaskStatus) -> tuple[str, str, str]:
    """Give a status as (state, reason, message), as recordings of the real thing list them."""
    return v0.TaskState.Name(status.state).removeprefix("TASK_"), reason(status), status.message
