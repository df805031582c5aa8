"""Agents that fall silent, and come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from messor.protos import internal
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support.clusters import AWARE, reason, running, told

KINDS = {
    "aware-ckpt": (True, AWARE),
    "aware-nockpt": (False, AWARE),
    "plain-ckpt": (True, ()),
    "plain-nockpt": (False, ()),
}
"""The four frameworks of the recording: (checkpoint, capabilities)."""


class Story:
    """One agent and the four frameworks, one task each."""

    def __init__(self, cluster: Cluster, *, http: bool) -> None:
        """Launch everything."""
        self.cluster = cluster
        self.frameworks: dict[str, SimulatedScheduler] = {}
        self.tasks: dict[str, str] = {}
        for name, (checkpoint, capabilities) in KINDS.items():
            framework = cluster.framework(
                name, http=http, checkpoint=checkpoint, capabilities=capabilities, declines=True, failover_timeout=1e6
            )
            framework.refuse_seconds = 0.1
            self.frameworks[name] = framework
            self.tasks[name] = running(cluster, framework, task_id=name)

    def forget(self) -> None:
        """Look only at what comes from now on."""
        for framework in self.frameworks.values():
            framework.statuses.clear()
            framework.lost_agents.clear()

    def heard(self) -> dict[str, list[tuple[str, str, str]]]:
        """Give what each framework heard."""
        return {name: [told(status) for status in one.statuses] for name, one in self.frameworks.items()}

    def reconcile(self, *, explicit: bool, with_agent: bool = True) -> dict[str, list[tuple[str, str, str]]]:
        """Ask for all and give the answers."""
        self.forget()
        agent_id = self.cluster.agents[0].id if with_agent else ""
        for name, framework in self.frameworks.items():
            framework.reconcile(*([(self.tasks[name], agent_id)] if explicit else []))
        self.cluster.settle()
        return self.heard()


@pytest.fixture(params=[False, True], ids=["v0", "v1"])
def story(request: pytest.FixtureRequest, make_cluster: Callable[..., Cluster]) -> Iterator[Story]:
    """Give the four frameworks, on either API."""
    return Story(make_cluster(), http=request.param)


def test_an_agent_is_unreachable_after_seventy_five_seconds(story: Story) -> None:
    """Five pings of fifteen seconds; the states and words of the recording (H3, H4)."""
    cluster = story.cluster
    cluster.agents[0].freeze()
    story.forget()
    began = cluster.time
    cluster.run_until(lambda: story.frameworks["aware-ckpt"].statuses, within=100)
    assert 60 <= cluster.time - began <= 90
    cluster.settle()
    lost = [("LOST", "SLAVE_REMOVED", "health check timed out")]
    unreachable = [("UNREACHABLE", "SLAVE_REMOVED", "health check timed out")]
    assert story.heard() == {
        "aware-ckpt": unreachable,
        "aware-nockpt": unreachable,
        "plain-ckpt": lost,
        "plain-nockpt": lost,
    }
    for framework in story.frameworks.values():
        assert framework.lost_agents == [cluster.agents[0].id]
        assert framework.statuses[0].unreachable_time.nanoseconds > 0
        assert not framework.statuses[0].uuid
    cluster.agents[0].thaw()


def test_reconciliation_tells_what_is_unreachable(story: Story) -> None:
    """With the agent's id it is unreachable, without unknown; implicitly nothing (M16, M17; recording)."""
    cluster = story.cluster
    cluster.agents[0].freeze()
    cluster.advance(100)
    known = "Reconciliation: Task is unreachable"
    assert story.reconcile(explicit=True) == {
        "aware-ckpt": [("UNREACHABLE", "RECONCILIATION", known)],
        "aware-nockpt": [("UNREACHABLE", "RECONCILIATION", known)],
        "plain-ckpt": [("LOST", "RECONCILIATION", known)],
        "plain-nockpt": [("LOST", "RECONCILIATION", known)],
    }
    unknown = "Reconciliation: Task is unknown"
    assert story.reconcile(explicit=True, with_agent=False) == {
        "aware-ckpt": [("UNKNOWN", "RECONCILIATION", unknown)],
        "aware-nockpt": [("UNKNOWN", "RECONCILIATION", unknown)],
        "plain-ckpt": [("LOST", "RECONCILIATION", unknown)],
        "plain-nockpt": [("LOST", "RECONCILIATION", unknown)],
    }
    assert story.reconcile(explicit=False) == {name: [] for name in KINDS}
    cluster.agents[0].thaw()


def test_killing_an_unreachable_task_reconciles_it(story: Story) -> None:
    """The master cannot kill it, so it says what it knows: nothing, without the agent's id (recording)."""
    cluster = story.cluster
    cluster.agents[0].freeze()
    cluster.advance(100)
    story.forget()
    for name, framework in story.frameworks.items():
        framework.kill(story.tasks[name])
    cluster.settle()
    assert {name: [state for state, _, _ in heard] for name, heard in story.heard().items()} == {
        "aware-ckpt": ["UNKNOWN"],
        "aware-nockpt": ["UNKNOWN"],
        "plain-ckpt": ["LOST"],
        "plain-nockpt": ["LOST"],
    }
    cluster.agents[0].thaw()


def test_a_returning_agent_brings_its_tasks_back(story: Story) -> None:
    """All of them run on, also those of frameworks that know nothing of partitions (H4, recording)."""
    cluster = story.cluster
    cluster.agents[0].freeze()
    cluster.advance(100)
    story.forget()
    cluster.agents[0].thaw()
    cluster.run_until(cluster.is_complete, within=60)
    cluster.settle()
    back = [("RUNNING", "SLAVE_REREGISTERED", "Unreachable agent re-reregistered")]
    assert story.heard() == dict.fromkeys(KINDS, back)
    latest = [("RUNNING", "RECONCILIATION", "Reconciliation: Latest task state")]
    assert story.reconcile(explicit=True) == dict.fromkeys(KINDS, latest)
    assert story.reconcile(explicit=False) == dict.fromkeys(KINDS, latest)
    assert cluster.agents[0].id.endswith("-S0")


def test_a_killed_agent_costs_only_frameworks_without_checkpoints_their_tasks(story: Story) -> None:
    """Its broken connection is noticed at once; checkpointing frameworks wait for its return (H5, recording)."""
    cluster = story.cluster
    story.forget()
    cluster.agents[0].kill()
    cluster.settle()
    lost = [("LOST", "SLAVE_DISCONNECTED", "Agent agent-1 disconnected")]
    assert story.heard() == {"aware-ckpt": [], "aware-nockpt": lost, "plain-ckpt": [], "plain-nockpt": lost}
    latest = ("RUNNING", "RECONCILIATION", "Reconciliation: Latest task state")
    unknown = "Reconciliation: Task is unknown to the agent"
    assert story.reconcile(explicit=True) == {
        "aware-ckpt": [latest],
        "aware-nockpt": [("GONE", "RECONCILIATION", unknown)],
        "plain-ckpt": [latest],
        "plain-nockpt": [("LOST", "RECONCILIATION", unknown)],
    }
    story.forget()
    cluster.advance(100)
    assert {name: [reason(status) for status in one.statuses] for name, one in story.frameworks.items()} == {
        "aware-ckpt": ["SLAVE_REMOVED"],
        "aware-nockpt": [],
        "plain-ckpt": ["SLAVE_REMOVED"],
        "plain-nockpt": [],
    }
    assert all(framework.lost_agents for framework in story.frameworks.values())


def test_an_agent_that_was_cut_off_registers_again_when_told_so(make_cluster: Callable[..., Cluster]) -> None:
    """A reset connection makes the master call it disconnected; the next ping says so, and it re-registers (H5)."""
    cluster = make_cluster()
    framework = cluster.framework(checkpoint=True)
    task = running(cluster, framework)
    cluster.network.reset("master", "agent-1")
    cluster.settle()
    assert not cluster.agents[0].is_registered
    cluster.run_until(cluster.is_complete, within=60)
    cluster.settle()
    assert framework.states(task)[-1] == "RUNNING"
    assert framework.lost_agents == []


def test_a_partition_shorter_than_the_timeout_goes_unnoticed(make_cluster: Callable[..., Cluster]) -> None:
    """Fifty seconds of silence lose neither task nor update."""
    cluster = make_cluster()
    framework = cluster.framework(checkpoint=True)
    task = running(cluster, framework, "sleep 20; exit 0")
    cluster.network.partition(["master"], ["agent-1"])
    cluster.advance(50)
    cluster.network.heal()
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=120)
    assert framework.states(task) == ["STARTING", "RUNNING", "FINISHED"]
    assert framework.lost_agents == []


def test_an_update_made_behind_a_partition_arrives_after_the_return(make_cluster: Callable[..., Cluster]) -> None:
    """The task ended while its agent was unreachable."""
    cluster = make_cluster()
    framework = cluster.framework(checkpoint=True, capabilities=AWARE)
    task = running(cluster, framework, "sleep 120; exit 0")
    cluster.network.partition(["master"], ["agent-1"])
    cluster.advance(200)
    assert framework.states(task)[-1] == "UNREACHABLE"
    cluster.network.heal()
    cluster.run_until(lambda: "FINISHED" in framework.states(task), within=700)
    cluster.settle()
    assert cluster.ledger.unheard() == []


def test_unreachable_resources_are_not_offered(make_cluster: Callable[..., Cluster]) -> None:
    """Offers of a silent agent are taken back when its connection breaks."""
    cluster = make_cluster(agents=2)
    framework = cluster.framework()
    cluster.run_until(lambda: len(framework.offers) == 2)
    cluster.agents[1].kill()
    cluster.settle()
    assert [offer.hostname for offer in framework.offers.values()] == ["agent-1"]
    assert len(framework.rescinded) == 1


def test_a_task_given_up_with_its_connection_does_not_run_on(make_cluster: Callable[..., Cluster]) -> None:
    """Its framework keeps no checkpoints, so it was told TASK_LOST (H5); the agent lived and must end it."""
    cluster = make_cluster()
    framework = cluster.framework()
    tasks = [running(cluster, framework, cpus=1, executor=name) for name in ("", "v0-executor")]
    cluster.network.reset("master", "agent-1")
    cluster.settle()
    assert [framework.states(task)[-1] for task in tasks] == ["LOST", "LOST"]
    cluster.run_until(cluster.is_complete, within=60)
    cluster.advance(120)
    assert all(program.termination for program in cluster.agents[0].runtime.programs.values())
    assert running(cluster, framework, cpus=4)


def launched_too_late(cluster: Cluster) -> tuple[SimulatedScheduler, str]:
    """Launch a task whose launch waits in the network while its agent is given up and comes back without it."""
    cluster.network.retransmits = True
    agent = cluster.agents[0]
    framework = cluster.framework("f", checkpoint=True, capabilities=AWARE, failover_timeout=1e6, declines=True)
    framework.refuse_seconds = 1.0
    cluster.network.partition([cluster.master.name], [agent.name], one_way=True)
    cluster.run_until(lambda: not agent.is_registered, within=100, what="the agent is given up")
    cluster.run_until(lambda: agent.is_registered, within=200, what="it is back: what it says does arrive")
    task_id = framework.launch("sleep 100000")
    cluster.run_until(lambda: "UNREACHABLE" in framework.states(task_id), within=200)
    cluster.run_until(lambda: agent.is_registered, within=200, what="it is back once more, without the task")
    return framework, task_id


def test_a_launch_that_arrives_after_its_agent_was_given_up_leaves_nothing_unknown(
    make_cluster: Callable[..., Cluster],
) -> None:
    """The master forgot the task, and then believed an attempt to register from before it arrived."""
    cluster = make_cluster()
    framework, _ = launched_too_late(cluster)
    cluster.network.heal()
    cluster.advance(100)
    framework.statuses.clear()
    framework.reconcile()
    cluster.settle()
    on_agent = [task for _, executor in cluster.agents[0].actor.tables.executors() for task in executor.launched]
    assert [status.task_id.value for status in framework.statuses] == on_agent


def test_a_launch_that_arrives_late_is_killed_until_it_is_over(make_cluster: Callable[..., Cluster]) -> None:
    """Its scheduler was told that it is unreachable, and its resources are being offered; one kill may get lost."""
    cluster = make_cluster()
    framework, task_id = launched_too_late(cluster)
    cluster.network.drop(internal.KillTaskMessage)
    cluster.network.heal()
    cluster.run_until(lambda: "KILLED" in framework.states(task_id), within=100)
    cluster.settle()
    assert cluster.master.state.agents[cluster.agents[0].id].given_up_tasks == set()
