"""Offers that no longer count (S25)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support import builders
from support.clusters import AWARE, told

PREFIX = "Task launched with invalid offers: "


@pytest.fixture(params=[False, True], ids=["v0", "v1"])
def framework(cluster: Cluster, request: pytest.FixtureRequest) -> SimulatedScheduler:
    """Give a framework with an offer in hand, on either API."""
    framework = cluster.framework(http=request.param)
    cluster.run_until(lambda: framework.offers)
    return framework


def launch_on(cluster: Cluster, framework: SimulatedScheduler, offer_ids: list[str], agent_id: str = "") -> None:
    """Accept with one task."""
    task = builders.task("t", agent_id=agent_id or cluster.agents[0].id)
    framework.accept(offer_ids, [task])
    cluster.run_until(lambda: framework.updates("t"))


def test_an_unknown_offer_loses_the_task(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """With the reason and the offer's id."""
    launch_on(cluster, framework, ["no-such-offer"])
    state, reason, message = told(framework.last("t"))
    assert (state, reason) == ("LOST", "INVALID_OFFERS")
    assert message.startswith(PREFIX)
    assert "no-such-offer" in message


def test_one_bad_offer_poisons_the_call_and_gives_the_good_one_back(
    cluster: Cluster, framework: SimulatedScheduler
) -> None:
    """The good one is discarded too and its resources are offered again."""
    (good,) = list(framework.offers)
    launch_on(cluster, framework, [good, "bad"])
    assert told(framework.last("t"))[0] == "LOST"
    cluster.run_until(lambda: framework.offers)
    assert good not in framework.offers


def test_the_same_offer_twice_is_invalid(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """It would count twice."""
    (offer,) = list(framework.offers)
    launch_on(cluster, framework, [offer, offer])
    assert told(framework.last("t"))[1] == "INVALID_OFFERS"


def test_an_offer_that_was_used_is_gone(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """The second ACCEPT comes too late."""
    (offer,) = list(framework.offers)
    framework.accept([offer], [builders.task("first", agent_id=cluster.agents[0].id)])
    launch_on(cluster, framework, [offer])
    assert told(framework.last("t"))[1] == "INVALID_OFFERS"
    cluster.run_until(lambda: "RUNNING" in framework.states("first"))


def test_another_framework_s_offer_is_invalid(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """Nothing runs on it; it is taken back from its owner too, as the original does, and offered anew."""
    (offer,) = list(framework.offers)
    thief = cluster.framework("thief")
    launch_on(cluster, thief, [offer])
    state, reason, message = told(thief.last("t"))
    assert (state, reason) == ("LOST", "INVALID_OFFERS")
    owner = f"has invalid framework {framework.framework_id} while framework {thief.framework_id} is expected"
    assert message == f"{PREFIX}Offer {offer} {owner}"
    assert offer not in cluster.master.state.offers


def test_no_offers_at_all_is_invalid(cluster: Cluster, framework: SimulatedScheduler) -> None:
    """There is nothing to run on."""
    launch_on(cluster, framework, [])
    state, reason, message = told(framework.last("t"))
    assert (state, reason) == ("LOST", "INVALID_OFFERS")
    assert message == PREFIX + "No offers specified"


def test_a_partition_aware_framework_hears_dropped(cluster: Cluster) -> None:
    """It can tell that the task never started."""
    framework = cluster.framework(capabilities=AWARE)
    launch_on(cluster, framework, ["no-such-offer"])
    assert told(framework.last("t"))[:2] == ("DROPPED", "INVALID_OFFERS")


def test_offers_of_two_agents_cannot_be_combined(make_cluster: Callable[..., Cluster]) -> None:
    """A task runs on one of them."""
    cluster = make_cluster(agents=2)
    framework = cluster.framework()
    cluster.run_until(lambda: len(framework.offers) == 2)
    launch_on(cluster, framework, list(framework.offers))
    assert told(framework.last("t"))[1] == "INVALID_OFFERS"
    cluster.run_until(lambda: len(framework.offers) == 2)


def test_an_offer_of_an_agent_that_left_is_invalid(make_cluster: Callable[..., Cluster]) -> None:
    """Its rescission was on the way when the scheduler accepted."""
    cluster = make_cluster(agents=2)
    framework = cluster.framework()
    cluster.run_until(lambda: len(framework.offers) == 2)
    offer = next(offer for offer in framework.offers.values() if offer.hostname == "agent-2")
    cluster.network.drop("mesos.internal.RescindResourceOfferMessage")
    cluster.agents[1].kill()
    cluster.settle()
    launch_on(cluster, framework, [offer.id.value], offer.slave_id.value)
    assert told(framework.last("t"))[1] == "INVALID_OFFERS"
