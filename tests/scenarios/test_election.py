"""Several masters, one of which leads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from messor.simulation.cluster import Cluster
from support.clusters import AWARE, ErrorLog, running

BOTH = pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])


@pytest.fixture
def trio(make_cluster: Callable[..., Cluster]) -> Cluster:
    """Give three masters and two agents."""
    return make_cluster(masters=3, agents=2)


def leaders(cluster: Cluster) -> list[str]:
    """Name the masters that lead."""
    return [node.name for node in cluster.masters if node.is_leading]


def test_one_of_several_masters_leads(trio: Cluster) -> None:
    """The one that came first; the agents are with it."""
    assert leaders(trio) == ["master"]
    assert len(trio.master.state.agents) == 2


def test_the_others_lead_those_who_ask_to_the_leader(trio: Cluster) -> None:
    """307, scheme-relative (H16)."""
    reply = trio.ask("GET", "/state?a=b", node=trio.masters[2])
    assert (reply.status, reply.headers["location"]) == (307, "//master:5050/master/state?a=b")
    assert trio.ask("GET", "/health", node=trio.masters[2]).status == 200


@pytest.mark.parametrize("path", ["/teardown", "/reserve", "/weights", "/quota", "/machine/down", "/api/v1"])
def test_the_others_know_nothing_of_methods(trio: Cluster, path: str) -> None:
    """Askers with a wrong one are sent to the leader, too: there they get 405 (protocols c.2)."""
    reply = trio.ask("PATCH", path, node=trio.masters[1])
    assert (reply.status, reply.headers["location"]) == (307, f"//master:5050/master{path}")
    assert trio.ask("PATCH", path).status == 405


@BOTH
def test_everybody_follows_a_new_leader(trio: Cluster, *, http: bool) -> None:
    """Ten seconds after the old one died; tasks run on, under the ids they had."""
    framework = trio.framework(driver=True, http=http, checkpoint=True, failover_timeout=1e5, capabilities=AWARE)
    task = running(trio, framework, "sleep 120; exit 0", executor="v0-driver")
    ids = [agent.id for agent in trio.agents]
    trio.masters[0].kill()
    trio.advance(5)
    assert leaders(trio) == []
    trio.run_until(lambda: leaders(trio), within=15)
    trio.run_until(trio.is_complete, within=60)
    trio.run_until(lambda: framework.is_connected, within=60)
    assert [agent.id for agent in trio.agents] == ids
    assert framework.subscriptions == ["registered", "reregistered"]
    trio.run_until(lambda: "FINISHED" in framework.states(task), within=300)
    assert framework.states(task) == ["RUNNING", "FINISHED"]


def test_a_leader_that_loses_the_ensemble_ends_itself_before_another_one_leads(trio: Cluster) -> None:
    """It cannot know whether it still leads, so it must not go on (b.3)."""
    trio.election.cut_off(trio.masters[0].host)  # type: ignore[union-attr]
    trio.run_until(lambda: not trio.masters[0].is_running, within=11)
    assert trio.masters[0].host.exit_status == 1
    trio.run_until(lambda: leaders(trio), within=15)
    assert leaders(trio) != ["master"]
    trio.run_until(trio.is_complete, within=60)


def test_a_leader_that_sees_the_ensemble_again_in_time_stays(trio: Cluster) -> None:
    """A connection may break without the session being lost."""
    host = trio.masters[0].host
    trio.election.cut_off(host)  # type: ignore[union-attr]
    trio.advance(5)
    trio.election.restore(host)  # type: ignore[union-attr]
    trio.advance(30)
    assert leaders(trio) == ["master"]
    assert trio.is_complete()


def test_a_leader_that_was_stopped_finds_out_that_it_leads_no_more(trio: Cluster, logged_errors: ErrorLog) -> None:
    """Its session ran out meanwhile; it writes nothing after its successor did."""
    old = trio.masters[0]
    old.host.freeze()
    trio.election.cut_off(old.host)  # type: ignore[union-attr]
    trio.run_until(lambda: leaders(trio) not in ([], ["master"]), within=20)
    trio.run_until(trio.is_complete, within=120)
    old.host.thaw()
    trio.election.restore(old.host)  # type: ignore[union-attr]
    trio.run_until(lambda: not old.is_running, within=30)
    trio.check()
    logged_errors.lines.clear()


def test_a_master_that_comes_back_stands_in_line(trio: Cluster) -> None:
    """It does not take the lead back."""
    trio.masters[0].kill()
    trio.run_until(lambda: leaders(trio), within=15)
    (new,) = leaders(trio)
    trio.masters[0].start()
    trio.advance(30)
    assert leaders(trio) == [new]


def test_without_an_ensemble_nobody_leads_for_long(trio: Cluster) -> None:
    """The leader ends itself; when the ensemble is back a standby leads (errata 12)."""
    trio.election.ensemble.stop()  # type: ignore[union-attr]
    trio.run_until(lambda: not trio.masters[0].is_running, within=15)
    assert [node.is_running for node in trio.masters] == [False, True, True]
    assert trio.ask("GET", "/state", node=trio.masters[1]).status == 503
    trio.advance(30)
    trio.election.ensemble.start()  # type: ignore[union-attr]
    trio.run_until(lambda: leaders(trio), within=30)
    trio.run_until(trio.is_complete, within=120)


def test_two_changes_of_leader_in_a_row_lose_nothing(trio: Cluster) -> None:
    """The last of three masters has everything."""
    framework = trio.framework(driver=True, http=True, checkpoint=True, failover_timeout=1e5, capabilities=AWARE)
    task = running(trio, framework, "sleep 200; exit 0", executor="v1-driver")
    for _ in range(2):
        trio.master.kill()
        trio.run_until(lambda: leaders(trio), within=15)
        trio.run_until(lambda: trio.is_complete() and framework.is_connected, within=120)
    assert leaders(trio) == ["master-3"]
    trio.run_until(lambda: "FINISHED" in framework.states(task), within=400)
    assert trio.ledger.unheard() == []
