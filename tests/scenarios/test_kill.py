"""Tasks are killed, wherever they are at that moment."""

from __future__ import annotations

import pytest

from messor.protos import internal, v0_scheduler
from messor.simulation.cluster import Cluster
from support.clusters import AWARE, running, told

BOTH = pytest.mark.parametrize("http", [False, True])
EXECUTORS = pytest.mark.parametrize("executor", ["", "v0-executor", "v1-executor"])


@BOTH
@EXECUTORS
def test_a_running_task_is_killed_by_its_executor(cluster: Cluster, executor: str, *, http: bool) -> None:
    """With its words, and the resources come back (M19)."""
    framework = cluster.framework(http=http)
    task = running(cluster, framework, executor=executor)
    framework.kill(task)
    cluster.run_until(lambda: "KILLED" in framework.states(task))
    assert framework.last(task).message == "Command terminated with signal Terminated"
    cluster.advance(2)
    assert cluster.master.state.frameworks[framework.framework_id].tasks == {}


def test_a_task_that_ignores_sigterm_is_killed_three_seconds_later(cluster: Cluster) -> None:
    """SIGKILL cannot be ignored (E2)."""
    framework = cluster.framework()
    task = running(cluster, framework, "trap '' TERM; sleep 100000")
    began = cluster.time
    framework.kill(task)
    cluster.run_until(lambda: "KILLED" in framework.states(task))
    assert 3 <= cluster.time - began <= 3.2
    assert framework.last(task).message == "Command terminated with signal Killed"


def test_a_task_whose_executor_is_not_registered_yet_never_starts(cluster: Cluster) -> None:
    """It is killed in the agent's queue (M19)."""
    framework = cluster.framework()
    cluster.network.drop(internal.RegisterExecutorMessage, times=None)
    task = framework.launch(executor="v0-executor")
    cluster.run_until(lambda: cluster.agents[0].runtime.programs)
    cluster.settle()
    framework.kill(task)
    cluster.run_until(lambda: "KILLED" in framework.states(task))
    assert told(framework.last(task))[1] in ("TASK_KILLED_DURING_LAUNCH", "EXECUTOR_UNREGISTERED")


def test_killing_an_unknown_task_tells_what_is_known_of_it(cluster: Cluster) -> None:
    """The answer is that of a reconciliation (S27)."""
    framework = cluster.framework(capabilities=AWARE)
    framework.kill("never-launched")
    framework.kill("never-launched", cluster.agents[0].id)
    cluster.settle()
    assert [told(status)[:2] for status in framework.statuses] == [
        ("UNKNOWN", "RECONCILIATION"),
        ("GONE", "RECONCILIATION"),
    ]


def test_a_kill_on_the_wrong_agent_is_dropped(cluster: Cluster) -> None:
    """The task goes on (M19)."""
    framework = cluster.framework()
    task = running(cluster, framework)
    framework.kill(task, "another-agent")
    cluster.advance(10)
    assert framework.states(task)[-1] == "RUNNING"


def test_a_repeated_kill_is_forwarded_again(cluster: Cluster) -> None:
    """The first one was lost on the way to the agent."""
    framework = cluster.framework()
    task = running(cluster, framework)
    cluster.network.drop(internal.KillTaskMessage, times=1)
    framework.kill(task)
    cluster.advance(5)
    assert framework.states(task)[-1] == "RUNNING"
    framework.kill(task)
    cluster.run_until(lambda: "KILLED" in framework.states(task))


@EXECUTORS
def test_an_executor_is_shut_down_on_request(cluster: Cluster, executor: str) -> None:
    """Its tasks are killed, its container ends (M20)."""
    framework = cluster.framework()
    task = running(cluster, framework, executor=executor)
    framework.shut_down_executor(executor or task, cluster.agents[0].id)
    cluster.run_until(lambda: "KILLED" in framework.states(task), within=30)
    cluster.advance(120)
    assert all(program.termination for program in cluster.agents[0].runtime.programs.values())


def test_an_executor_that_does_not_obey_is_destroyed_after_its_grace(cluster: Cluster) -> None:
    """Five seconds (G7)."""
    framework = cluster.framework()
    task = running(cluster, framework, executor="v0-executor")
    cluster.network.drop(internal.ShutdownExecutorMessage, times=None, to="executor(1)")
    framework.shut_down_executor("v0-executor", cluster.agents[0].id)
    cluster.advance(4)
    assert framework.states(task)[-1] == "RUNNING"
    cluster.advance(3)
    assert framework.states(task)[-1] in ("FAILED", "KILLED", "LOST", "GONE")


def test_a_kill_in_flight_with_its_launch_finds_the_task(cluster: Cluster) -> None:
    """ACCEPT and KILL come right behind each other; the task does not survive."""
    framework = cluster.framework()
    cluster.run_until(lambda: framework.offers)
    task = framework.launch()
    framework.kill(task)
    cluster.run_until(lambda: framework.states(task))
    cluster.advance(10)
    assert framework.states(task)[-1] == "KILLED"
    assert [p for p in cluster.agents[0].runtime.programs.values() if p.termination is None] == []


def test_calls_name_their_type_on_the_wire(cluster: Cluster) -> None:
    """A v0 scheduler sends Calls, as current drivers do (protocols b.1)."""
    framework = cluster.framework()
    calls = cluster.network.expect(v0_scheduler.Call)
    task = running(cluster, framework)
    framework.kill(task)
    cluster.settle()
    kinds = [v0_scheduler.Call.Type.Name(call.type) for call in calls.messages]
    assert kinds[0] == "ACCEPT"
    assert "KILL" in kinds
    assert "ACKNOWLEDGE" in kinds


@pytest.mark.parametrize("executor", ["v1-executor", "v1-driver"])
def test_a_kill_that_an_executor_missed_is_repeated_when_it_is_back(cluster: Cluster, executor: str) -> None:
    """Its event stream broke just when the kill came."""
    framework = cluster.framework(checkpoint=True)
    task = running(cluster, framework, executor=executor)
    (host,) = [host for name, host in cluster.hosts.items() if name.startswith("executor-")]
    cluster.network.reset_http(host)
    framework.kill(task)
    cluster.run_until(lambda: "KILLED" in framework.states(task), within=30)
