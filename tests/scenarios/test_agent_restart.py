"""An agent dies and starts again on its work_dir."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from messor.protos import internal, v0
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support.clusters import AWARE, running, told

EXECUTORS = pytest.mark.parametrize("executor", ["", "v0-executor", "v1-executor"])


def restarted(cluster: Cluster, *, down: float = 1.0) -> None:
    """Kill the agent, wait, start it, and run until it is registered."""
    cluster.agents[0].kill()
    cluster.advance(down)
    cluster.agents[0].start()
    cluster.run_until(cluster.is_complete, within=120)
    cluster.settle()


@pytest.fixture
def framework(cluster: Cluster) -> SimulatedScheduler:
    """Give a checkpointing framework."""
    return cluster.framework(checkpoint=True, capabilities=AWARE)


@EXECUTORS
def test_tasks_run_on_through_a_restart(cluster: Cluster, framework: SimulatedScheduler, executor: str) -> None:
    """Same agent id, same task, same executor process, not a word to the scheduler (G2, G3)."""
    task = running(cluster, framework, "sleep 60; exit 0", executor=executor)
    before = cluster.agents[0].id
    heard = list(framework.states(task))
    restarted(cluster)
    assert cluster.agents[0].id == before
    assert framework.states(task) == heard
    assert framework.lost_agents == []
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=120)
    assert framework.states(task) == [*heard, "FINISHED"]


@EXECUTORS
def test_a_task_that_ends_meanwhile_is_reported_afterwards(
    cluster: Cluster, framework: SimulatedScheduler, executor: str
) -> None:
    """The executor keeps the update until the agent is back."""
    task = running(cluster, framework, "sleep 5; exit 0", executor=executor)
    restarted(cluster, down=10)
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=60)
    assert cluster.ledger.unheard() == []


def test_an_unacknowledged_update_is_sent_again_by_the_new_process(cluster: Cluster) -> None:
    """It was on disk before its executor was answered (G5)."""
    framework = cluster.framework(checkpoint=True, acknowledges=False)
    task = framework.launch(executor="v0-executor")
    cluster.run_until(lambda: framework.updates(task))
    restarted(cluster)
    assert framework.states(task) == ["RUNNING", "RUNNING"]
    first, second = framework.updates(task)
    assert first.uuid == second.uuid


def test_an_acknowledged_update_is_not_sent_again(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """The acknowledgement was on disk too."""
    task = running(cluster, framework, executor="v0-executor")
    restarted(cluster)
    cluster.advance(100)
    assert framework.states(task) == ["RUNNING"]


def test_an_executor_that_died_meanwhile_is_noticed(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """Its task is gone, and the scheduler hears so when the agent is back (errata)."""
    task = running(cluster, framework, executor="v0-executor")
    cluster.agents[0].kill()
    (executor,) = [host for name, host in cluster.hosts.items() if name.startswith("executor-")]
    executor.exit(1, "dies")
    cluster.agents[0].start()
    cluster.run_until(lambda: framework.states(task)[-1] != "RUNNING", within=60)
    assert framework.states(task)[-1] in ("GONE", "FAILED")
    assert cluster.agents[0].id.endswith("-S0")


def test_an_executor_that_does_not_come_back_is_given_up(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """After two seconds: TASK_GONE with its own reason, and the container is destroyed (errata)."""
    task = running(cluster, framework, executor="v0-executor")
    cluster.network.drop(internal.ReconnectExecutorMessage, times=None)
    restarted(cluster)
    cluster.run_until(lambda: framework.states(task)[-1] == "GONE", within=60)
    assert told(framework.last(task))[1] == "EXECUTOR_REREGISTRATION_TIMEOUT"
    assert cluster.agents[0].runtime.programs
    assert all(program.termination for program in cluster.agents[0].runtime.programs.values())


def test_without_checkpoints_nothing_survives(cluster: Cluster) -> None:
    """The task is lost at once; when the agent is back its resources are free."""
    framework = cluster.framework()
    task = running(cluster, framework, cpus=4)
    cluster.agents[0].kill()
    cluster.settle()
    assert told(framework.last(task))[:2] == ("LOST", "SLAVE_DISCONNECTED")
    cluster.agents[0].start()
    cluster.run_until(cluster.is_complete, within=60)
    again = running(cluster, framework, cpus=4)
    assert framework.states(again) == ["STARTING", "RUNNING"]


def test_a_restart_before_registration_was_answered_is_harmless(make_cluster: Callable[..., Cluster]) -> None:
    """It registers as a new agent, as it had no id yet; the one at the same address is replaced (H1)."""
    cluster = make_cluster(start=False)
    cluster.network.drop(internal.SlaveRegisteredMessage, times=1)
    cluster.master.start()
    cluster.agents[0].start()
    cluster.run_until(lambda: cluster.master.state.agents)
    cluster.settle()
    cluster.agents[0].restart()
    cluster.run_until(lambda: cluster.agents[0].id and cluster.is_complete(), within=60)
    assert list(cluster.master.state.agents) == [cluster.agents[0].id]


def test_a_machine_that_lost_power_comes_back_without_its_tasks(
    cluster: Cluster, framework: SimulatedScheduler
) -> None:
    """Containers and unsynced files are gone; the agent recovers what it can and says the rest."""
    task = running(cluster, framework, executor="v0-executor")
    cluster.agents[0].power_off()
    cluster.advance(5)
    cluster.agents[0].start()
    cluster.run_until(cluster.is_complete, within=120)
    cluster.run_until(lambda: framework.states(task)[-1] != "RUNNING", within=900)
    assert framework.states(task)[-1] in ("GONE", "LOST", "FAILED", "DROPPED", "UNREACHABLE")
    again = running(cluster, framework)
    assert "RUNNING" in framework.states(again)


def test_two_restarts_in_a_row_are_like_one(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """The second comes while executors are reconnecting."""
    task = running(cluster, framework, "sleep 60; exit 0", executor="v0-executor")
    cluster.agents[0].restart()
    cluster.advance(0.5)
    restarted(cluster)
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=120)
    assert framework.states(task) == ["RUNNING", "FINISHED"]


def test_a_kill_while_the_agent_is_down_is_carried_out_later(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """The master remembers it (S27, H2)."""
    task = running(cluster, framework, executor="v0-executor")
    cluster.agents[0].kill()
    cluster.settle()
    framework.kill(task)
    cluster.advance(1)
    assert framework.states(task)[-1] == "RUNNING"
    cluster.agents[0].start()
    cluster.run_until(lambda: framework.states(task)[-1] == "KILLED", within=60)


def test_a_task_that_waits_for_its_executor_is_told_of_after_a_restart(
    cluster: Cluster, framework: SimulatedScheduler
) -> None:
    """It was checkpointed when it was queued, so the agent itself knows what became of it (G2)."""
    cluster.network.drop(internal.RegisterExecutorMessage, times=1)
    task = framework.launch("sleep 60; exit 0", executor="v0-executor")
    cluster.advance(1)
    assert framework.states(task) == []
    restarted(cluster)
    cluster.run_until(lambda: framework.states(task), within=60)
    assert framework.states(task) == ["GONE"]
    (status,) = framework.updates(task)
    assert status.source == v0.TaskStatus.SOURCE_SLAVE


@pytest.mark.parametrize("message", [internal.RegisterExecutorMessage, internal.ReregisterExecutorMessage])
def test_an_executor_that_is_heard_twice_runs_on(
    cluster: Cluster, framework: SimulatedScheduler, message: type[Message]
) -> None:
    """Refusing what arrives a second time would end an executor that is well."""
    cluster.network.duplicate(message)
    task = running(cluster, framework, "sleep 60; exit 0", executor="v0-driver")
    restarted(cluster)
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=120)
