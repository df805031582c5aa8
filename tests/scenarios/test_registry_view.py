"""``/registrar(1)/registry``: what is stored, for whoever looks for the reason of something (U13)."""

from __future__ import annotations

import json
from collections.abc import Callable

from messor.simulation.cluster import Cluster


def test_the_registry_is_shown_as_it_is_stored(cluster: Cluster) -> None:
    """Master and agents, quota and weights; the same after a failover, but for who leads."""
    body = json.dumps({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": [{"role": "prod", "weight": 3.0}]}})
    assert cluster.ask("POST", "/api/v1", body.encode()).status == 200
    reply = cluster.ask("GET", "/registrar(1)/registry")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    shown = json.loads(reply.body)
    assert shown["master"]["info"]["id"] == cluster.master.state.info.id
    (agent,) = shown["slaves"]["slaves"]
    assert agent["info"]["id"]["value"] == cluster.agents[0].id
    assert shown["weights"] == [{"info": {"role": "prod", "weight": 3.0}}]
    cluster.masters[0].restart()
    cluster.run_until(cluster.is_complete, within=120)
    again = json.loads(cluster.ask("GET", "/registrar(1)/registry").body)
    assert again["master"]["info"]["id"] != shown["master"]["info"]["id"]
    assert (again["slaves"], again["weights"]) == (shown["slaves"], shown["weights"])


def test_a_callback_may_be_named(cluster: Cluster) -> None:
    """As for every old endpoint that gives JSON."""
    body = cluster.ask("GET", "/registrar(1)/registry?jsonp=show").body.decode()
    assert body.startswith("show(")
    assert body.endswith(")")


def test_a_master_that_has_not_read_the_registry_shows_nothing(make_cluster: Callable[..., Cluster]) -> None:
    """It answers all the same, also where another master leads."""
    cluster = make_cluster(masters=2)
    standby = next(node for node in cluster.masters if not node.is_leading)
    assert json.loads(cluster.ask("GET", "/registrar(1)/registry", node=standby).body).get("slaves", {}) == {}
