"""Hundreds of random lives: whatever happens, nothing is lost for good and the books balance.

A failing seed prints what was done and the end of the trace; ``PYTEST_SEED=n`` alone reproduces it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.faults import Life
from messor.simulation.ledger import ends
from support.clusters import AWARE, ErrorLog

SEEDS = [int(os.environ["PYTEST_SEED"])] if "PYTEST_SEED" in os.environ else range(200)
STEPS = 40


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cluster_survives(make_cluster: Callable[..., Cluster], logged_errors: ErrorLog, seed: int) -> None:
    """Two agents, two checkpointing frameworks on both APIs, forty random things."""
    cluster = make_cluster(seed, agents=2)
    for http in (False, True):
        cluster.framework(
            http=http, checkpoint=True, failover_timeout=100000, capabilities=AWARE, declines=True
        ).refuse_seconds = 3
    life = Life(cluster, seed)
    try:
        life.live(STEPS)
        life.calm()
        check_together(cluster)
    except AssertionError as error:
        error.add_note("\n".join(life.log))
        raise
    logged_errors.lines.clear()  # containers that a dead agent left are errors to whoever logs them


def check_together(cluster: Cluster) -> None:
    """Scheduler, master and agent tell one story; every update that an executor made was heard."""
    assert cluster.ledger.unheard() == []
    for framework in cluster.frameworks:
        record = cluster.master.state.frameworks[framework.framework_id]
        framework.statuses.clear()
        framework.reconcile()
        cluster.settle()
        heard = {status.task_id.value: status.state for status in framework.statuses}
        assert heard == {task.id: task.state for task in record.tasks.values()}
        on_agents = {
            task_id
            for agent in cluster.agents
            for one in agent.actor.tables.frameworks.values()
            if one.id == framework.framework_id
            for executor in one.executors.values()
            for task_id in executor.launched
        }
        alive = {task_id for task_id, state in heard.items() if not ends(state) and state != v0.TASK_STAGING}
        assert alive == on_agents
