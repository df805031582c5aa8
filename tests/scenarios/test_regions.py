"""Fault domains: masters and agents in regions, and who is offered what is far away (H18)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from messor.cli.why import describe
from messor.protos import v0
from messor.simulation.cluster import AgentNode, Cluster
from support.clusters import AWARE, running

BOTH = pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])


def domain(region: str, zone: str = "z1") -> v0.DomainInfo:
    """Make a DomainInfo."""
    made = v0.DomainInfo()
    made.fault_domain.region.name = region
    made.fault_domain.zone.name = zone
    return made


def shown(region: str, zone: str = "z1") -> dict[str, Any]:
    """Give a domain as endpoints show it."""
    return {"fault_domain": {"region": {"name": region}, "zone": {"name": zone}}}


def get(cluster: Cluster, path: str, **options: Any) -> Any:
    """Ask for JSON."""
    reply = cluster.ask("GET", path, **options)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def restart(cluster: Cluster, agent: AgentNode) -> None:
    """Kill an agent, let the master notice it, and start it again."""
    agent.kill()
    cluster.advance(1)
    agent.start()


@pytest.fixture
def two_regions(make_cluster: Callable[..., Cluster]) -> Cluster:
    """Give a master in region near, an agent there, and one in region far."""
    cluster = make_cluster(agents=2, master_flags={"domain": domain("near")}, start=False)
    cluster.agents[0].flags = {"domain": domain("near")}
    cluster.agents[1].flags = {"domain": domain("far", "z2")}
    cluster.start_all()
    return cluster


@BOTH
def test_far_agents_are_offered_only_to_those_who_know_regions(two_regions: Cluster, *, http: bool) -> None:
    """The others hear of agents near the master."""
    near, far = (agent.id for agent in two_regions.agents)
    plain = two_regions.framework("plain", http=http)
    two_regions.run_until(lambda: plain.offers)
    two_regions.advance(20)
    assert [offer.slave_id.value for offer in plain.offers.values()] == [near]
    aware = two_regions.framework("aware", http=http, capabilities=("region_aware",))
    two_regions.run_until(lambda: aware.offers)
    (offer,) = aware.offers.values()
    assert offer.slave_id.value == far
    assert offer.domain == domain("far", "z2")


def test_why_names_the_regions(two_regions: Cluster) -> None:
    """In words, and with the missing capability as a fact."""
    two_regions.framework("plain", declines=True)
    two_regions.advance(3)
    answer = get(two_regions, f"/master/allocator/why?about=plain&agent={two_regions.agents[1].id}")
    (verdict,) = answer["verdicts"]
    reason = next(one for one in verdict["reasons"] if one["code"] == "needs_region_aware")
    assert reason["facts"] == {"capability": "REGION_AWARE", "region": "far"}
    text = "\n".join(describe(answer))
    assert "The agent is in region 'far', the master in 'near'" in text


def test_domains_are_shown_everywhere(two_regions: Cluster) -> None:
    """In the state of masters and agents, in lists of agents and in operators' answers."""
    far = two_regions.agents[1]
    state = get(two_regions, "/master/state")
    assert state["domain"] == state["leader_info"]["domain"] == shown("near")
    assert list(state)[list(state).index("unreachable_slaves") + 1] == "domain"
    for path in ("/master/state", "/master/slaves"):
        by_id = {agent["id"]: agent for agent in get(two_regions, path)["slaves"]}
        assert by_id[far.id]["domain"] == shown("far", "z2")
    own = get(two_regions, "/slave(1)/state", node=far)
    assert own["domain"] == shown("far", "z2")
    assert list(own)[list(own).index("capabilities") + 1] == "domain"
    answer = json.loads(two_regions.ask("POST", "/api/v1", b'{"type":"GET_MASTER"}').body)
    assert answer["get_master"]["master_info"]["domain"] == shown("near")
    answer = json.loads(two_regions.ask("POST", "/api/v1", b'{"type":"GET_AGENTS"}').body)
    domains = [agent["agent_info"]["domain"] for agent in answer["get_agents"]["agents"]]
    assert shown("far", "z2") in domains


def test_a_master_that_does_not_know_where_it_is_ignores_agents_that_do(make_cluster: Callable[..., Cluster]) -> None:
    """They may try again with another master; nothing is shut down."""
    cluster = make_cluster(agents=2, start=False)
    cluster.agents[1].flags = {"domain": domain("far")}
    cluster.masters[0].start()
    for agent in cluster.agents:
        agent.start()
    cluster.run_until(lambda: cluster.agents[0].is_registered)
    cluster.advance(60)
    assert not cluster.agents[1].is_registered
    assert cluster.agents[1].is_running
    cluster.agents[1].flags = {}
    cluster.agents[1].restart()
    cluster.run_until(cluster.is_complete)


def test_domains_can_be_required_of_agents(make_cluster: Callable[..., Cluster]) -> None:
    """An agent without one is ignored until it is given one."""
    flags = {"domain": domain("near"), "require_agent_domain": True}
    cluster = make_cluster(agents=2, master_flags=flags, start=False)
    cluster.agents[0].flags = {"domain": domain("near")}
    cluster.masters[0].start()
    for agent in cluster.agents:
        agent.start()
    cluster.run_until(lambda: cluster.agents[0].is_registered)
    cluster.advance(60)
    assert not cluster.agents[1].is_registered
    cluster.agents[1].flags = {"domain": domain("far")}
    cluster.agents[1].restart()
    cluster.run_until(cluster.is_complete)


def test_an_agent_without_a_domain_is_near(make_cluster: Callable[..., Cluster]) -> None:
    """Most clusters say nothing of regions."""
    cluster = make_cluster(master_flags={"domain": domain("near")})
    framework = cluster.framework()
    cluster.run_until(lambda: framework.offers)
    (offer,) = framework.offers.values()
    assert not offer.HasField("domain")


def test_a_domain_survives_restarts_of_agent_and_master(two_regions: Cluster) -> None:
    """Same id, same region, the task runs on, and the far agent stays hidden from those who do not know regions."""
    framework = two_regions.framework(checkpoint=True, failover_timeout=1e5, capabilities=(*AWARE, "region_aware"))
    task = running(two_regions, framework, "sleep 100000")
    ids = [agent.id for agent in two_regions.agents]
    for agent in two_regions.agents:
        restart(two_regions, agent)
    two_regions.run_until(two_regions.is_complete, within=120)
    two_regions.masters[0].restart()
    recovered = {agent["id"]: agent for agent in get(two_regions, "/master/state").get("recovered_slaves", [])}
    assert {agent["domain"]["fault_domain"]["region"]["name"] for agent in recovered.values()} <= {"near", "far"}
    two_regions.run_until(two_regions.is_complete, within=120)
    assert [agent.id for agent in two_regions.agents] == ids
    assert "LOST" not in framework.states(task)
    plain = two_regions.framework("plain")
    two_regions.advance(20)
    assert ids[1] not in {offer.slave_id.value for offer in plain.offers.values()}


@pytest.mark.parametrize("policy", ["equal", "additive"])
def test_an_agent_that_moved_does_not_keep_its_id(two_regions: Cluster, policy: str) -> None:
    """Its tasks would be elsewhere than frameworks believe: it ends, and says how to start anew (G4)."""
    far = two_regions.agents[1]
    far.flags = {"domain": domain("near"), "reconfiguration_policy": policy}
    restart(two_regions, far)
    two_regions.run_until(lambda: not far.is_running)
    assert far.host.exit_status == 1
    text = far.host.exit_message
    expected = {
        "equal": "Incompatible agent info detected",
        "additive": "Domain changed from region 'far', zone 'z2' to region 'near', zone 'z1'",
    }
    assert expected[policy] in text
    assert "rm -f" in text


def test_an_agent_may_be_given_a_domain_under_the_additive_policy(make_cluster: Callable[..., Cluster]) -> None:
    """The master takes it over: the agent is far from now on, under the id it has."""
    cluster = make_cluster(master_flags={"domain": domain("near")})
    agent = cluster.agents[0]
    before = agent.id
    agent.flags = {"domain": domain("far"), "reconfiguration_policy": "additive"}
    restart(cluster, agent)
    cluster.run_until(cluster.is_complete, within=120)
    assert agent.id == before
    assert get(cluster, "/master/slaves")["slaves"][0]["domain"] == shown("far")
    plain = cluster.framework("plain")
    aware = cluster.framework("aware", capabilities=("region_aware",))
    cluster.run_until(lambda: aware.offers)
    assert not plain.offers


def test_masters_of_one_cluster_share_a_region(make_cluster: Callable[..., Cluster]) -> None:
    """One that is elsewhere ends as soon as it hears who leads; one that does not say where it is may stay."""
    cluster = make_cluster(masters=3, start=False)
    for node, flags in zip(cluster.masters, ({"domain": domain("near")}, {"domain": domain("far")}, {}), strict=True):
        node.flags = flags
    cluster.start_all()
    cluster.run_until(lambda: not cluster.masters[1].is_running)
    assert [node.is_running for node in cluster.masters] == [True, False, True]
    line = cluster.masters[1].host.exit_message
    assert "Leading master uses domain region 'near', zone 'z1'" in line
    assert "all masters in the same cluster must use the same region" in line
