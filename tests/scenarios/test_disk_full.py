"""A disk that is full for a while loses nothing."""

from __future__ import annotations

import pytest

from messor.protos import internal
from messor.simulation.cluster import Cluster
from support.clusters import ErrorLog, running


@pytest.mark.parametrize("executor", ["v0-executor", "v1-executor"])
def test_an_update_waits_until_it_can_be_written(cluster: Cluster, logged_errors: ErrorLog, executor: str) -> None:
    """Its executor is not answered before, so a restarted agent would hear of it again."""
    framework = cluster.framework(checkpoint=True)
    task = running(cluster, framework, "sleep 10; exit 0", executor=executor)
    cluster.agents[0].host.files.full = True
    acknowledged = cluster.network.expect(internal.StatusUpdateAcknowledgementMessage, to="executor(1)")
    cluster.advance(60)
    assert framework.states(task) == ["RUNNING"]
    assert not acknowledged
    cluster.agents[0].host.files.full = False
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=60)
    assert framework.states(task) == ["RUNNING", "FINISHED"]
    assert logged_errors.lines
    logged_errors.lines.clear()


def test_an_agent_restarted_on_a_full_disk_still_knows_its_tasks(cluster: Cluster, logged_errors: ErrorLog) -> None:
    """It reads what was written and serves on; what it cannot write it says."""
    framework = cluster.framework(checkpoint=True)
    task = running(cluster, framework, "sleep 30; exit 0", executor="v0-executor")
    cluster.agents[0].kill()
    cluster.settle()
    cluster.agents[0].runtime.world.machines[cluster.agents[0].ip].full = True
    cluster.agents[0].start()
    cluster.advance(20)
    cluster.agents[0].host.files.full = False
    if not cluster.agents[0].is_running:  # it may also refuse to run, readably, until somebody makes room
        assert cluster.agents[0].host.exit_message
        cluster.agents[0].start()
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=200)
    assert framework.states(task) == ["RUNNING", "FINISHED"]
    logged_errors.lines.clear()
