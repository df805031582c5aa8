"""Frameworks that say with their subscription which agents they want to hear of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from messor.protos import v0_scheduler
from messor.simulation.cluster import Cluster
from messor.wire.json_codec import from_dict


def only(host: str) -> dict[str, Any]:
    """Make constraints to agents of one host name."""
    condition = {
        "selector": {"pseudoattribute_type": "HOSTNAME"},
        "predicate": {"text_matches": {"regex": host}},
    }
    return {"role_constraints": {"a": {"groups": [{"attribute_constraints": [condition]}]}}}


def test_a_framework_hears_only_of_agents_it_asked_for(make_cluster: Callable[..., Cluster]) -> None:
    """Until it says otherwise with UPDATE_FRAMEWORK; operators see what it said."""
    cluster = make_cluster(agents=3)
    framework = cluster.framework(http=True, roles=["a"], failover_timeout=600)
    cluster.run_until(lambda: len(framework.offers) == 3)
    subscription = framework._subscription
    constraints = from_dict(only("agent-[12]"), v0_scheduler.OfferConstraints)

    def constrained() -> v0_scheduler.Call:
        call = subscription()
        call.subscribe.offer_constraints.CopyFrom(constraints)
        return call

    framework._subscription = constrained  # type: ignore[method-assign]
    cluster.master.kill()
    cluster.master.start()
    cluster.run_until(lambda: not framework.offers)
    cluster.run_until(lambda: len(framework.offers) == 2)
    cluster.advance(5)
    assert {offer.hostname for offer in framework.offers.values()} == {"agent-1", "agent-2"}
    (shown,) = json.loads(cluster.ask("GET", "/master/frameworks").body)["frameworks"]
    assert shown["offer_constraints"] == only("agent-[12]")
    call = v0_scheduler.Call(type=v0_scheduler.Call.UPDATE_FRAMEWORK)
    call.framework_id.value = framework.framework_id
    call.update_framework.framework_info.CopyFrom(framework.info)
    framework.call(call)
    cluster.run_until(lambda: len(framework.offers) == 3)
