"""A recorded story of the real thing, told again: restarts and silences of master and agent, message by message.

Recorded with one agent, pings every second of which two may be missed, and a checkpointing, partition-aware framework
with one task under a custom v0 executor. Pings, offers and what the scheduler does with them are left out.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.protos import internal
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from messor.simulation.registry import WatchedStorage
from messor.simulation.trace import Entry
from support.clusters import AWARE, running, told

LEFT_OUT = {
    "PingSlaveMessage",
    "PongSlaveMessage",
    "ResourceOffersMessage",
    "RescindResourceOfferMessage",
}

RETURN = "Unreachable agent re-reregistered"


class Story:
    """The cluster of the recording."""

    def __init__(self, cluster: Cluster) -> None:
        """Run the task."""
        self.cluster = cluster
        self.framework: SimulatedScheduler = cluster.framework(
            checkpoint=True, failover_timeout=60, capabilities=AWARE, acknowledges=True
        )
        self.task = running(cluster, self.framework, executor="v0-executor", task_id="ex-1")
        self._seen = len(cluster.trace.entries)

    def told(self) -> list[str]:
        """Give what was said since the last time."""
        entries = self.cluster.trace.entries[self._seen :]
        self._seen = len(self.cluster.trace.entries)
        return [line for line in map(spoken, entries) if line]


def spoken(entry: Entry) -> str:
    """Write a delivered message as the recording's summary does."""
    name = entry.name.rpartition(".")[2]
    if entry.kind != "message" or name in LEFT_OUT:
        return ""
    if name == "StatusUpdateMessage":
        state, reason, message = told(internal.StatusUpdateMessage.FromString(entry.body).update.status)
        return " ".join(word for word in (name, state, reason, message) if word)
    return name


@pytest.fixture
def story(make_cluster: Callable[..., Cluster]) -> Story:
    """Give the recorded cluster."""
    return Story(make_cluster(master_flags={"agent_ping_timeout": 1.0, "max_agent_ping_timeouts": 2}))


def test_a_master_without_memory_takes_the_agent_as_it_is(story: Story) -> None:
    """Its registry is empty: agent and framework come back under their ids, and the task is told to run."""
    story.cluster.master.storage = WatchedStorage()
    agent = story.cluster.agents[0]
    agent.freeze()  # so that the scheduler comes first, as in the recording
    story.cluster.master.restart()
    story.cluster.run_until(lambda: len(story.framework.subscriptions) == 2)
    assert story.told() == ["Call", "FrameworkRegisteredMessage"]
    agent.thaw()
    story.cluster.run_until(story.cluster.is_complete)
    story.cluster.settle()
    heard = story.told()
    assert heard[0] == "ReregisterSlaveMessage"
    assert sorted(heard[1:]) == sorted(
        [
            "StatusUpdateMessage RUNNING SLAVE_REREGISTERED Unknown agent reregistered",
            "SlaveReregisteredMessage",
            "UpdateFrameworkMessage",
            "UpdateSlaveMessage",
        ]
    )
    assert heard.index("SlaveReregisteredMessage") < heard.index("UpdateSlaveMessage")


def test_a_restarted_agent_finds_its_executors_before_its_master(story: Story) -> None:
    """The scheduler hears nothing of it; unlike the real one, ours does not wait two seconds when all are back."""
    agent = story.cluster.agents[0]
    agent.kill()
    story.cluster.settle()
    agent.start()
    story.cluster.run_until(story.cluster.is_complete, within=4)
    story.cluster.settle()
    assert story.told() == [
        "ReconnectExecutorMessage",
        "ReregisterExecutorMessage",
        "ExecutorReregisteredMessage",
        "ReregisterSlaveMessage",
        "SlaveReregisteredMessage",
        "UpdateFrameworkMessage",
        "UpdateSlaveMessage",
    ]


def test_a_stopped_agent_is_given_up_and_comes_back_as_soon_as_it_goes_on(story: Story) -> None:
    """Unreachable after two missed pings; it registers again at once, as its own patience has run out too."""
    agent = story.cluster.agents[0]
    agent.freeze()
    story.cluster.run_until(lambda: story.framework.lost_agents)
    assert story.told() == ["StatusUpdateMessage UNREACHABLE SLAVE_REMOVED health check timed out", "LostSlaveMessage"]
    agent.thaw()
    began = story.cluster.time
    story.cluster.run_until(story.cluster.is_complete)
    assert story.cluster.time - began <= 1.1
    story.cluster.settle()
    heard = story.told()
    assert heard[0] == "ReregisterSlaveMessage"
    assert sorted(heard[1:]) == sorted(
        [
            f"StatusUpdateMessage RUNNING SLAVE_REREGISTERED {RETURN}",
            "SlaveReregisteredMessage",
            "UpdateFrameworkMessage",
            "UpdateSlaveMessage",
        ]
    )


def test_an_agent_that_died_is_unreachable_until_it_is_started_again(story: Story) -> None:
    """All its executors were waiting for it."""
    agent = story.cluster.agents[0]
    agent.kill()
    story.cluster.run_until(lambda: story.framework.lost_agents)
    assert story.told() == ["StatusUpdateMessage UNREACHABLE SLAVE_REMOVED health check timed out", "LostSlaveMessage"]
    agent.start()
    story.cluster.run_until(story.cluster.is_complete)
    story.cluster.settle()
    heard = story.told()
    assert heard[:4] == [
        "ReconnectExecutorMessage",
        "ReregisterExecutorMessage",
        "ExecutorReregisteredMessage",
        "ReregisterSlaveMessage",
    ]
    assert sorted(heard[4:]) == sorted(
        [
            f"StatusUpdateMessage RUNNING SLAVE_REREGISTERED {RETURN}",
            "SlaveReregisteredMessage",
            "UpdateFrameworkMessage",
            "UpdateSlaveMessage",
        ]
    )


def test_a_kill_travels_to_the_executor_and_its_end_back(story: Story) -> None:
    """Each update is acknowledged on both legs."""
    story.framework.kill(story.task)
    story.cluster.run_until(lambda: story.framework.states(story.task)[-1] == "KILLED")
    story.cluster.settle()
    killed = "StatusUpdateMessage KILLED Command terminated with signal Terminated"
    heard = story.told()
    assert heard[:3] == ["Call", "KillTaskMessage", "KillTaskMessage"]
    assert heard.count(killed) == 3
    assert heard[-2:] == ["Call", "StatusUpdateAcknowledgementMessage"]
    assert heard.count("StatusUpdateAcknowledgementMessage") == 2
