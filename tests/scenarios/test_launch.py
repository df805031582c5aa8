"""Tasks run and end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.protos import internal, v0
from messor.simulation.cluster import Cluster
from support.clusters import ErrorLog, running, told

BOTH = pytest.mark.parametrize("http", [False, True])


@BOTH
def test_a_command_runs_to_its_end(cluster: Cluster, *, http: bool) -> None:
    """STARTING, RUNNING, FINISHED, each once, all acknowledged."""
    framework = cluster.framework(http=http)
    task = framework.launch("sleep 5; exit 0")
    cluster.run_until(lambda: "FINISHED" in framework.states(task))
    cluster.advance(60)
    assert framework.states(task) == ["STARTING", "RUNNING", "FINISHED"]
    assert cluster.master.state.frameworks[framework.framework_id].tasks == {}
    assert [record.id for record in cluster.master.state.frameworks[framework.framework_id].completed_tasks] == [task]


@BOTH
def test_a_command_that_fails_says_how(cluster: Cluster, *, http: bool) -> None:
    """The message is Mesos' own (E1)."""
    framework = cluster.framework(http=http)
    task = framework.launch("exit 3")
    cluster.run_until(lambda: "FAILED" in framework.states(task))
    assert framework.last(task).message == "Command exited with status 3"


@BOTH
@pytest.mark.parametrize("executor", ["v0-executor", "v1-executor"])
def test_custom_executors_of_both_apis_run_tasks(cluster: Cluster, executor: str, *, http: bool) -> None:
    """Two tasks share one executor, which stays for more."""
    framework = cluster.framework(http=http)
    tasks = [framework.launch("sleep 5", executor=executor) for _ in range(2)]
    cluster.run_until(lambda: all(framework.states(task) == ["RUNNING", "FINISHED"] for task in tasks))
    third = running(cluster, framework, executor=executor)
    assert framework.states(third) == ["RUNNING"]
    assert len([host for host in cluster.hosts if host.startswith("executor-")]) == 1


@BOTH
@pytest.mark.parametrize("executor", ["v0-executor", "v1-executor"])
def test_messages_reach_an_executor_and_come_back(cluster: Cluster, executor: str, *, http: bool) -> None:
    """Bytes travel unchanged both ways (M21)."""
    framework = cluster.framework(http=http)
    running(cluster, framework, executor=executor)
    framework.say(executor, cluster.agents[0].id, b"\x00hello\xff")
    cluster.run_until(lambda: framework.messages)
    assert framework.messages == [b"echo: \x00hello\xff"]


def test_resources_of_an_ended_task_are_offered_again(cluster: Cluster) -> None:
    """All of the agent, twice over."""
    framework = cluster.framework()
    for _ in range(2):
        task = framework.launch("sleep 1", cpus=4)
        cluster.run_until(lambda task=task: "FINISHED" in framework.states(task))

    def offered() -> float:
        every = [resource for offer in framework.offers.values() for resource in offer.resources]
        return sum(resource.scalar.value for resource in every if resource.name == "cpus")

    cluster.run_until(lambda: offered() == 4)


def test_a_container_that_cannot_be_launched_fails_its_task(cluster: Cluster, logged_errors: ErrorLog) -> None:
    """With the containerizer's own words (M23)."""
    framework = cluster.framework()
    task = framework.launch("sleep 1", executor="fail to launch")
    cluster.run_until(lambda: "FAILED" in framework.states(task))
    state, reason, message = told(framework.last(task))
    assert (state, reason) == ("FAILED", "CONTAINER_LAUNCH_FAILED")
    assert "fail to launch" in message
    assert len(logged_errors.lines) == 1
    logged_errors.lines.clear()


def test_an_executor_that_dies_takes_its_tasks_along(cluster: Cluster) -> None:
    """TASK_FAILED for each, and the scheduler hears of the executor with its wait status."""
    framework = cluster.framework()
    tasks = [running(cluster, framework, executor="v0-executor") for _ in range(2)]
    (executor,) = [host for name, host in cluster.hosts.items() if name.startswith("executor-")]
    executor.exit(1, "dies")
    cluster.run_until(lambda: all("FAILED" in framework.states(task) for task in tasks))
    cluster.settle()
    assert [told(framework.last(task))[:2] for task in tasks] == [("FAILED", "EXECUTOR_TERMINATED")] * 2
    assert framework.lost_executors == [("v0-executor", 256)]


def test_many_tasks_share_several_agents(make_cluster: Callable[..., Cluster]) -> None:
    """Forty tasks on three agents, four at a time each; none is lost, none runs twice."""
    cluster = make_cluster(agents=3)
    framework = cluster.framework()
    tasks = [framework.launch("sleep 2") for _ in range(40)]
    cluster.run_until(lambda: all("FINISHED" in framework.states(task) for task in tasks), within=120)
    assert {tuple(framework.states(task)) for task in tasks} == {("STARTING", "RUNNING", "FINISHED")}


def test_a_task_larger_than_its_offer_is_an_error(cluster: Cluster) -> None:
    """TASK_ERROR, and the resources come back (M12)."""
    framework = cluster.framework()
    cluster.run_until(lambda: framework.offers)
    (offer,) = list(framework.offers.values())
    framework.launch("sleep 1", cpus=5, task_id="big")
    info = framework.wanted.pop()
    info.slave_id.CopyFrom(offer.slave_id)
    framework.accept([offer.id.value], [info])
    cluster.run_until(lambda: framework.updates("big"))
    state, reason, message = told(framework.last("big"))
    assert (state, reason) == ("ERROR", "TASK_INVALID")
    assert "more than" in message
    cluster.run_until(lambda: framework.offers)


def test_a_task_id_may_not_be_used_twice(cluster: Cluster) -> None:
    """While the first one lives (M12)."""
    framework = cluster.framework()
    running(cluster, framework, task_id="twin")
    framework.launch("sleep 1", task_id="twin")
    cluster.run_until(lambda: "ERROR" in framework.states("twin"))
    assert told(framework.last("twin")) == ("ERROR", "TASK_INVALID", "Task has duplicate ID: twin")


def test_a_framework_that_declines_for_ever_is_left_alone(make_cluster: Callable[..., Cluster]) -> None:
    """The filter holds until it is revived."""
    cluster = make_cluster()
    framework = cluster.framework(declines=True)
    framework.refuse_seconds = 100000.0
    cluster.run_until(lambda: cluster.trace.messages("ResourceOffersMessage"))
    before = len(cluster.trace.messages("ResourceOffersMessage"))
    cluster.advance(600)
    assert len(cluster.trace.messages("ResourceOffersMessage")) == before
    framework.declines = False
    framework.revive()
    cluster.run_until(lambda: framework.offers, within=5)


def test_the_agent_is_told_everything_about_the_framework(cluster: Cluster) -> None:
    """RunTaskMessage names the scheduler's pid for libprocess and nobody's for HTTP (protocols a.3)."""
    run = cluster.network.expect(internal.RunTaskMessage, to=cluster.agents[0].actor.upid)
    running(cluster, cluster.framework())
    running(cluster, cluster.framework(http=True))
    pids = [message.pid for message in run.messages]
    assert pids[0].startswith("scheduler-1@10.0.2.1:")
    assert pids[1] == "@0.0.0.0:0"
    assert [message.framework.name for message in run.messages] == ["framework-1", "framework-2"]
    assert all(isinstance(message.task, v0.TaskInfo) for message in run.messages)
