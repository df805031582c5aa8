"""Frameworks on clients that others wrote, unmodified, against a cluster of real processes."""

from __future__ import annotations

import pytest

from interop.conftest import CLIENTS, PROGRAMS, need, run, run_python
from messor import LocalCluster

pytestmark = pytest.mark.interop


def test_pymesos_schedules_executes_and_operates(cluster: LocalCluster) -> None:
    """Its scheduler, executor and operator drivers speak the v1 APIs in JSON."""
    run_python("pymesos_scheduler.py", cluster.master, "12")


def test_avmesos_runs_command_tasks(cluster: LocalCluster) -> None:
    """It puts slave_id into v1 tasks and credentials into SUBSCRIBE; both are ignored."""
    run_python("avmesos_scheduler.py", cluster.url, "5")


def test_mesos_go_v0_schedules_and_executes(cluster: LocalCluster) -> None:
    """Its v0 drivers speak libprocess with Content-Length and their own User-Agent."""
    run([str(need(CLIENTS / "go-v0", "mesos-go's v0 program")), cluster.master, "12"])


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_mesos_go_v1_schedules_and_executes(cluster: LocalCluster, encoding: str) -> None:
    """Its v1 library checks every answer's class, media type and stream id."""
    run([str(need(CLIENTS / "go-v1", "mesos-go's v1 program")), cluster.master, encoding, "12"])


def test_mesos_framework_from_npm_runs_command_tasks(cluster: LocalCluster) -> None:
    """It sends nulls for everything unset."""
    modules = need(CLIENTS / "node_modules" / "mesos-framework", "the npm client").parent
    host, port = cluster.master.split(":")
    run(["node", str(PROGRAMS / "mesos_framework.js"), host, port, "3"], NODE_PATH=str(modules))
