"""Agents and frameworks join."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.protos import internal, v0_scheduler
from messor.simulation.cluster import Cluster


def test_an_agent_gets_an_id_made_from_the_master_s(cluster: Cluster) -> None:
    """``<master id>-S0`` (protocols g), which is in the registry before the agent hears it."""
    agent = cluster.agents[0]
    assert agent.id == f"{cluster.master.state.info.id}-S0"
    assert cluster.master.storage.writes >= 1


def test_an_agent_tries_again_until_it_is_answered(make_cluster: Callable[..., Cluster]) -> None:
    """The answer is lost twice; the master answers a repeated request with the same id."""
    cluster = make_cluster(start=False)
    lost = cluster.network.drop(internal.SlaveRegisteredMessage, times=2)
    cluster.start_all()
    cluster.run_until(lambda: cluster.agents[0].id)
    assert len(lost.envelopes) == 2
    assert len({message.slave_id.value for message in lost.messages} | {cluster.agents[0].id}) == 1
    assert list(cluster.master.state.agents) == [cluster.agents[0].id]


def test_an_agent_waits_for_a_master_that_is_not_there_yet(make_cluster: Callable[..., Cluster]) -> None:
    """Order of starting does not matter."""
    cluster = make_cluster(start=False)
    cluster.master.start()
    cluster.master.kill()
    cluster.agents[0].start()
    cluster.advance(30)
    cluster.master.start()
    cluster.run_until(cluster.is_complete, within=120)


@pytest.mark.parametrize("http", [False, True])
def test_a_framework_is_offered_every_agent(make_cluster: Callable[..., Cluster], *, http: bool) -> None:
    """One offer per agent, with everything the agent has."""
    cluster = make_cluster(agents=3)
    framework = cluster.framework(http=http)
    cluster.run_until(lambda: len(framework.offers) == 3)
    assert framework.framework_id == f"{cluster.master.state.info.id}-0000"
    assert {offer.slave_id.value for offer in framework.offers.values()} == {agent.id for agent in cluster.agents}
    for offer in framework.offers.values():
        assert {r.name: r.scalar.value for r in offer.resources if r.HasField("scalar")} == {
            "cpus": 4.0,
            "mem": 4096.0,
            "disk": 10000.0,
        }


def test_a_repeated_subscription_is_answered_alike(make_cluster: Callable[..., Cluster]) -> None:
    """The first answer is lost; the same scheduler does not become a second framework (protocols b.1)."""
    cluster = make_cluster()
    cluster.network.drop(internal.FrameworkRegisteredMessage, times=1)
    framework = cluster.framework()
    assert framework.subscriptions == ["registered"]
    assert list(cluster.master.state.frameworks) == [framework.framework_id]


def test_an_http_framework_hears_a_heartbeat_every_fifteen_seconds(cluster: Cluster) -> None:
    """The first one comes at once (protocols c.3)."""
    framework = cluster.framework(http=True)
    cluster.settle()
    assert framework.heartbeats == 1
    cluster.advance(60)
    assert framework.heartbeats == 5


def test_an_offer_lists_the_resources_by_role(make_cluster: Callable[..., Cluster]) -> None:
    """A framework without MULTI_ROLE sees neither allocation info nor reservations stacks (M9)."""
    cluster = make_cluster()
    framework = cluster.framework(roles=["web"])
    cluster.run_until(lambda: framework.offers)
    (offer,) = framework.offers.values()
    assert not offer.HasField("allocation_info")
    assert [resource.role for resource in offer.resources] == ["*"] * len(offer.resources)
    assert offer.url.path == "/slave(1)"


def test_messages_before_recovery_are_dropped_without_a_word(make_cluster: Callable[..., Cluster]) -> None:
    """A subscription that comes too early is answered later, when it is repeated."""
    cluster = make_cluster(start=False)
    cluster.master.storage.seconds = 5.0
    cluster.master.start()
    subscribed = cluster.network.expect(v0_scheduler.Call)
    framework = cluster.framework()
    assert len(subscribed.envelopes) >= 5
    assert framework.subscriptions == ["registered"]
