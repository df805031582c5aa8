"""Who is offered what, and when again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support.clusters import running

BOTH = pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])


def cpus(framework: SimulatedScheduler) -> float:
    """Add up the cpus of all offers in hand."""
    every = [resource for offer in framework.offers.values() for resource in offer.resources]
    return sum(resource.scalar.value for resource in every if resource.name == "cpus")


@BOTH
def test_a_declined_offer_comes_back_after_its_filter(cluster: Cluster, *, http: bool) -> None:
    """Five seconds unless said otherwise (S26)."""
    framework = cluster.framework(http=http)
    cluster.run_until(lambda: framework.offers)
    began = cluster.time
    framework.decline(refuse_seconds=30)
    cluster.run_until(lambda: framework.offers, within=60)
    assert 30 <= cluster.time - began <= 32


@BOTH
def test_a_revived_framework_is_offered_everything_at_once(cluster: Cluster, *, http: bool) -> None:
    """Filters are forgotten (S28)."""
    framework = cluster.framework(http=http)
    cluster.run_until(lambda: framework.offers)
    framework.decline(refuse_seconds=100000)
    cluster.advance(20)
    assert framework.offers == {}
    framework.revive()
    cluster.run_until(lambda: framework.offers, within=2)


@BOTH
def test_a_suppressed_framework_is_offered_nothing_until_it_revives(cluster: Cluster, *, http: bool) -> None:
    """Its outstanding offers stay valid (S29)."""
    framework = cluster.framework(http=http)
    cluster.run_until(lambda: framework.offers)
    framework.suppress()
    task = framework.launch("sleep 1")
    cluster.run_until(lambda: "FINISHED" in framework.states(task))
    framework.decline(refuse_seconds=0)
    cluster.advance(20)
    assert framework.offers == {}
    framework.revive()
    cluster.run_until(lambda: framework.offers, within=2)


def test_what_one_framework_declines_is_offered_to_another(cluster: Cluster) -> None:
    """Its filter is its own."""
    first, second = cluster.framework(), cluster.framework()
    cluster.run_until(lambda: first.offers or second.offers)
    holder, other = (first, second) if first.offers else (second, first)
    holder.decline(refuse_seconds=1000)
    cluster.run_until(lambda: other.offers, within=5)
    assert cpus(other) == 4


def test_two_hungry_frameworks_share_the_cluster(make_cluster: Callable[..., Cluster]) -> None:
    """Each new agent goes to the one that has less (A6)."""
    cluster = make_cluster(agents=4, start=False)
    cluster.master.start()
    frameworks = [cluster.framework(declines=True) for _ in range(2)]
    for framework in frameworks:
        framework.refuse_seconds = 1000  # what is left of an agent would count as a share of its holder
        for _ in range(20):
            framework.launch("sleep 100000", cpus=1)
    for agent in cluster.agents:
        agent.start()
        cluster.advance(5)
    assert [20 - len(framework.wanted) for framework in frameworks] == [8, 8]


def test_an_offer_that_is_held_too_long_is_rescinded(make_cluster: Callable[..., Cluster]) -> None:
    """``--offer_timeout``; it is offered again at once, without a filter (M10)."""
    cluster = make_cluster(master_flags={"offer_timeout": 30.0})
    framework = cluster.framework()
    cluster.run_until(lambda: framework.offers)
    (held,) = list(framework.offers)
    cluster.advance(29)
    assert held in framework.offers
    cluster.advance(4)
    assert framework.rescinded == [held]
    assert cpus(framework) == 4


def test_a_used_part_leaves_the_rest(cluster: Cluster) -> None:
    """What a task does not take comes back in a smaller offer."""
    framework = cluster.framework()
    running(cluster, framework, cpus=1.5)
    cluster.run_until(lambda: cpus(framework) == 2.5)


def test_slivers_are_not_offered(cluster: Cluster) -> None:
    """An agent with neither a hundredth cpu nor 32 MB left is not worth an offer (A3)."""
    framework = cluster.framework()
    running(cluster, framework, cpus=4, mem=4096)
    cluster.advance(10)
    assert framework.offers == {}


def test_a_new_agent_is_offered_as_soon_as_it_registers(make_cluster: Callable[..., Cluster]) -> None:
    """No framework waits for the next round."""
    cluster = make_cluster(agents=2, start=False)
    cluster.master.start()
    cluster.agents[0].start()
    framework = cluster.framework()
    cluster.run_until(lambda: len(framework.offers) == 1)
    cluster.agents[1].start()
    cluster.run_until(lambda: cluster.agents[1].id, within=5)
    cluster.run_until(lambda: len(framework.offers) == 2, within=1.5)
