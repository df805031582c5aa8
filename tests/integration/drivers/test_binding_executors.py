"""Executors of every binding under real tasks of a real agent (C11)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesos.native import MesosSchedulerDriver
from messor import LocalCluster
from messor.protos import v0
from messor.testing.mocks import MockScheduler

PROGRAM = Path(__file__).with_name("binding_executor.py")
AGENT = {"v1": "mesos.v1.AgentInfo", "v1-libprocess": "mesos.v1.AgentInfo", "v1-json": "mesos.v1.AgentInfo"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master and one agent, kept for all tests of this file."""
    folder = tmp_path_factory.mktemp("cluster")
    with LocalCluster(agents=1, work_dir=folder, resources="cpus:4;mem:2048") as running:
        yield running


def task(offer: v0.Offer, kind: str) -> v0.TaskInfo:
    """A task of the executor."""
    info = v0.TaskInfo(name="t", task_id=v0.TaskID(value="t"), slave_id=offer.slave_id)
    info.executor.executor_id.value = kind
    info.executor.data = b"\x00data"
    info.executor.command.value = f"exec {sys.executable} {PROGRAM} {kind}"
    for name, value in (("cpus", 0.1), ("mem", 32.0)):
        info.resources.add(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=value))
    return info


@pytest.mark.parametrize("kind", ["v1", "v1-libprocess", "v1-json", "pesos", "json"])
def test_c11_an_executor_of_every_binding_runs_a_task(cluster: LocalCluster, kind: str) -> None:
    """Launch, update, message both ways, kill, and a shutdown that ends its process well."""
    scheduler = MockScheduler()

    def launch(driver: Any, offers: Any) -> None:
        driver.launchTasks(offers[0].id, [task(offers[0], kind)])

    scheduler.expect("resourceOffers", do=launch)
    framework = v0.FrameworkInfo(user="", name=kind, failover_timeout=60.0)
    driver = MesosSchedulerDriver(scheduler, framework, cluster.master)
    driver.start()
    try:
        (status,) = scheduler.wait_for("statusUpdate", within=60)
        assert (status.state, status.data.decode()) == (
            v0.TASK_RUNNING,
            f"\x00data {AGENT.get(kind, 'mesos.SlaveInfo')}",
        )
        executor_id = v0.ExecutorID(value=kind)
        driver.sendFrameworkMessage(executor_id, status.slave_id, b"hi \xff")
        assert scheduler.wait_for("frameworkMessage", within=60)[2] == b"you said hi \xff"
        driver.killTask(status.task_id)
        (status,) = scheduler.wait_for("statusUpdate", 2, within=60)
        assert status.state == v0.TASK_KILLED
    finally:
        driver.stop()
        driver.join()
        driver.wait_for_end(60)
