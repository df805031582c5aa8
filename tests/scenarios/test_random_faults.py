"""Hundreds of random lives: whatever happens, nothing is lost for good and the books balance.

A failing seed prints what was done and the end of the trace; ``PYTEST_SEED=n`` alone reproduces it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from messor.model.resources import Resources
from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.faults import Life
from messor.simulation.ledger import ends
from support.clusters import AWARE, ErrorLog

ONE = [int(os.environ["PYTEST_SEED"])] if "PYTEST_SEED" in os.environ else []
SEEDS = ONE or range(80)
RESERVING_SEEDS = ONE or range(3000, 3025)
ELECTION_SEEDS = ONE or range(2000, 2030)
ROUGH_SEEDS = ONE or range(1000, 1050)
STEPS = 40


@pytest.mark.parametrize("seed", SEEDS)
def test_checkpointing_frameworks_lose_nothing(
    make_cluster: Callable[..., Cluster], logged_errors: ErrorLog, seed: int
) -> None:
    """Two agents, two frameworks on both APIs, forty random things; every update made is heard in the end."""
    cluster = make_cluster(seed, agents=2)
    for http in (False, True):
        cluster.framework(
            http=http,
            driver=seed % 3 == 0,
            checkpoint=True,
            failover_timeout=100000,
            capabilities=AWARE,
            declines=True,
        ).refuse_seconds = 6
    survive(cluster, Life(cluster, seed))
    assert cluster.ledger.unheard() == []
    logged_errors.lines.clear()  # what a fault broke is an error to whoever logs it


@pytest.mark.parametrize("seed", ROUGH_SEEDS)
def test_a_cluster_survives_a_rough_life(
    make_cluster: Callable[..., Cluster], logged_errors: ErrorLog, seed: int
) -> None:
    """Machines lose power, schedulers are replaced, half of the frameworks do not checkpoint; the books balance."""
    cluster = make_cluster(seed, agents=2)
    for http in (False, True):
        cluster.framework(
            http=http, checkpoint=seed % 2 == http, failover_timeout=100000, capabilities=AWARE, declines=True
        ).refuse_seconds = 6
    survive(cluster, Life(cluster, seed, rough=True))
    logged_errors.lines.clear()


@pytest.mark.parametrize("seed", RESERVING_SEEDS)
def test_reservations_are_the_same_everywhere(
    make_cluster: Callable[..., Cluster], logged_errors: ErrorLog, seed: int
) -> None:
    """On a network that delays as TCP does, master and agent agree on what is reserved when all is mended."""
    cluster = make_cluster(seed, agents=2)
    cluster.network.retransmits = True
    for http in (False, True):
        cluster.framework(
            http=http,
            driver=seed % 3 == 0,
            checkpoint=True,
            failover_timeout=100000,
            roles=["web"],
            capabilities=[*AWARE, "reservation_refinement"],
            declines=True,
        ).refuse_seconds = 6
    survive(cluster, Life(cluster, seed, role="web"))
    for agent in cluster.agents:
        total = cluster.master.state.agents[agent.id].total
        known = [resource for resource in total.messages() if resource.reservations]
        assert Resources.of(known) == Resources.of(agent.actor.tables.checkpointed_resources)
    logged_errors.lines.clear()


@pytest.mark.parametrize("seed", ELECTION_SEEDS)
def test_three_masters_survive_what_one_would(
    make_cluster: Callable[..., Cluster], logged_errors: ErrorLog, seed: int
) -> None:
    """Leaders die and lose sight of the ensemble; at most one writes, and nothing is lost."""
    cluster = make_cluster(seed, masters=3, agents=2)
    for http in (False, True):
        cluster.framework(
            http=http, driver=True, checkpoint=True, failover_timeout=100000, capabilities=AWARE, declines=True
        ).refuse_seconds = 6
    survive(cluster, Life(cluster, seed))
    assert cluster.ledger.unheard() == []
    logged_errors.lines.clear()


def survive(cluster: Cluster, life: Life) -> None:
    """Live, calm down, and compare everybody's view; a failure lists what was done."""
    try:
        life.live(STEPS)
        life.calm()
        check_together(cluster)
    except AssertionError as error:
        error.add_note("\n".join(life.log))
        raise


def check_together(cluster: Cluster) -> None:
    """Scheduler, master and agent tell one story."""
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
