"""Quota and weights as operators set them, in the words of the recordings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler

CLUSTER = "cpus:7;mem:6144;disk:10240;ports:[31000-31099]"


PORTS = {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}}
VALIDATE = "Failed to validate update weights request JSON"
PARSE = "Failed to parse update weights request JSON"


@pytest.fixture
def start() -> Iterator[Callable[..., Cluster]]:
    """Start clusters that are checked and closed at the end."""
    clusters: list[Cluster] = []

    def make(**options: Any) -> Cluster:
        clusters.append(Cluster(**options))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.check()
        cluster.close()


@pytest.fixture
def cluster(start: Callable[..., Cluster]) -> Cluster:
    """Give a cluster with one agent."""
    return start(agent_flags={"resources": CLUSTER})


def call(cluster: Cluster, kind: str, **body: Any) -> tuple[int, str]:
    """Make an operator call."""
    request = {"type": kind, **({kind.lower(): body} if body or kind.startswith("UPDATE") else {})}
    reply = cluster.ask("POST", "/api/v1", json.dumps(request).encode())
    return reply.status, reply.body.decode()


def update(cluster: Cluster, *configs: dict[str, Any], force: bool = False) -> tuple[int, str]:
    """Make UPDATE_QUOTA."""
    return call(cluster, "UPDATE_QUOTA", force=force, quota_configs=list(configs))


def config(role: str, guarantees: dict[str, float] | None = None, limits: dict[str, float] | None = None) -> Any:
    """Make a QuotaConfig."""

    def scalars(amounts: dict[str, float] | None) -> dict[str, Any]:
        return {name: {"value": value} for name, value in (amounts or {}).items()}

    return {"role": role, "guarantees": scalars(guarantees), "limits": scalars(limits)}


def shown(cluster: Cluster, kind: str) -> Any:
    """Give the answer to a call that reads."""
    status, body = call(cluster, kind)
    assert status == 200
    return json.loads(body)[kind.lower()]


def role(cluster: Cluster, name: str) -> Any:
    """Give what /roles shows of a role."""
    reply = cluster.ask("GET", "/master/roles")
    return next(item for item in json.loads(reply.body)["roles"] if item["name"] == name)


def offered(framework: SimulatedScheduler, name: str = "cpus") -> float:
    """Add up what a framework has in offers."""
    resources = [item for offer in framework.offers.values() for item in offer.resources if item.name == name]
    return sum(item.scalar.value for item in resources)


def test_quota_is_set_shown_and_reset(cluster: Cluster) -> None:
    """A role whose quota was reset stays listed, without amounts."""
    assert update(cluster, config("qa", {"cpus": 1, "mem": 64}, {"cpus": 2})) == (200, "")
    status = shown(cluster, "GET_QUOTA")["status"]
    assert status["configs"] == [
        {
            "role": "qa",
            "guarantees": {"cpus": {"value": 1.0}, "mem": {"value": 64.0}},
            "limits": {"cpus": {"value": 2.0}},
        }
    ]
    assert [item["name"] for item in status["infos"][0]["guarantee"]] == ["cpus", "mem"]
    quota = role(cluster, "qa")["quota"]
    assert quota == {"role": "qa", "guarantee": {"cpus": 1.0, "mem": 64.0}, "limit": {"cpus": 2.0}, "consumed": {}}
    assert update(cluster, config("qa")) == (200, "")
    assert shown(cluster, "GET_QUOTA")["status"] == {"infos": [{"role": "qa"}], "configs": [{"role": "qa"}]}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (
            config("qb", {"cpus": 3}, {"cpus": 2}),
            (
                "Invalid QuotaConfig: 'QuotaConfig.guarantees' { cpus: 3 } is not contained within the"
                " 'QuotaConfig.limits' { cpus: 2 }"
            ),
        ),
        (config("/x", {}, {"cpus": 2}), "Updating quota on nested role '/x' is not supported yet"),
        (config("qa/c", {}, {"cpus": 5}), "Updating quota on nested role 'qa/c' is not supported yet"),
        (
            config("qb", {}, {"cpus": -2}),
            "Invalid QuotaConfig: Invalid limit configuration {'cpus': -2}: Negative values not supported",
        ),
        (
            config("qb", {"cpus": 1000}, {"cpus": 1000}),
            (
                "Invalid QuotaConfig: total quota guarantees 'cpus:1000' exceed cluster capacity"
                " 'cpus:7; disk:10240; mem:6144' (use 'force' flag to bypass this check)"
            ),
        ),
        (
            config("qb", {}, {"mem": 1e18}),
            (
                "Invalid QuotaConfig: Invalid 'QuotaConfig.limits': {'mem': 1e+18} is invalid: values greater than"
                " 1 exabyte (1099511627776) are not supported"
            ),
        ),
        (config("", {}, {}), "Invalid QuotaConfig: Invalid 'QuotaConfig.role': Role names cannot be the empty string"),
    ],
)
def test_a_bad_quota_is_refused_in_the_recorded_words(cluster: Cluster, wanted: Any, why: str) -> None:
    """With 400, and nothing is changed, not even by good ones beside it."""
    assert update(cluster, config("good", {}, {"cpus": 1}), wanted) == (400, why)
    assert shown(cluster, "GET_QUOTA") == {"status": {}}


def test_force_overrules_the_cluster_s_size(cluster: Cluster) -> None:
    """But as long as the cluster is overcommitted, every update must be forced (recorded)."""
    big = config("qb", {"cpus": 1000}, {"cpus": 1000})
    assert update(cluster, big, force=True) == (200, "")
    refusal = (
        "Invalid QuotaConfig: total quota guarantees 'cpus:1000' exceed cluster capacity"
        " 'cpus:7; disk:10240; mem:6144' (use 'force' flag to bypass this check)"
    )
    assert update(cluster) == (400, refusal)
    assert update(cluster, config("*", {}, {"cpus": 2}), force=True) == (200, "")


def test_limits_below_consumption_must_be_forced(cluster: Cluster) -> None:
    """What a role uses already cannot be taken from it."""
    framework = cluster.framework(http=True, roles=["golden"])
    framework.launch("sleep 100", task_id="t", cpus=0.5, mem=64)
    cluster.run_until(lambda: "RUNNING" in framework.states("t"))
    tight = config("golden", {}, {"cpus": 0.1})
    status, why = update(cluster, tight)
    assert status == 400
    assert why.startswith("Invalid QuotaConfig: Role 'golden' is already consuming 'cpus:0.5; ")
    assert why.endswith("this is more than the requested limits 'cpus:0.1' (use 'force' flag to bypass this check)")
    assert update(cluster, tight, force=True) == (200, "")


@pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])
def test_offers_beyond_a_new_limit_are_rescinded(cluster: Cluster, http: bool) -> None:
    """The next round offers no more than the limit."""
    framework = cluster.framework(http=http, roles=["a"])
    cluster.run_until(lambda: framework.offers)
    assert offered(framework) == 7
    assert update(cluster, config("a", {}, {"cpus": 3})) == (200, "")
    cluster.run_until(lambda: offered(framework) == 3)
    assert role(cluster, "a")["quota"]["consumed"] == {}


def test_offers_to_others_are_rescinded_for_a_guarantee(cluster: Cluster) -> None:
    """They keep what is left."""
    greedy = cluster.framework(http=True, roles=["greedy"])
    cluster.run_until(lambda: greedy.offers)
    assert update(cluster, config("promised", {"cpus": 5}, {"cpus": 5})) == (200, "")
    cluster.run_until(lambda: offered(greedy) == 2)
    promised = cluster.framework(http=True, roles=["promised"])
    cluster.run_until(lambda: offered(promised) == 5)


def test_quota_and_weights_survive_the_master(cluster: Cluster) -> None:
    """The registry has them, and that QUOTA_V2 is needed to read them; allocation waits for agents (A13)."""
    update(cluster, config("a", {"cpus": 1}, {"cpus": 2}))
    call(cluster, "UPDATE_WEIGHTS", weight_infos=[{"role": "a", "weight": 2.5}])
    contents = cluster.master.actor.registrar.contents
    assert [item.capability for item in contents.rest.minimum_capabilities] == ["QUOTA_V2"]
    cluster.master.kill()
    cluster.master.start()
    cluster.run_until(lambda: cluster.agents[0].is_registered)
    assert shown(cluster, "GET_QUOTA")["status"]["configs"] == [
        {"role": "a", "guarantees": {"cpus": {"value": 1.0}}, "limits": {"cpus": {"value": 2.0}}}
    ]
    assert shown(cluster, "GET_WEIGHTS") == {"weight_infos": [{"weight": 2.5, "role": "a"}]}
    framework = cluster.framework(http=True, roles=["a"])
    cluster.run_until(lambda: offered(framework) == 2)
    update(cluster, config("a"))
    assert not cluster.master.actor.registrar.contents.rest.minimum_capabilities


# --- deprecated forms --------------------------------------------------------------------------------------------


def ask(cluster: Cluster, method: str, path: str, body: Any = b"") -> tuple[int, str]:
    """Ask an old endpoint."""
    data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    reply = cluster.ask(method, path, data)
    return reply.status, reply.body.decode()


def request(role: str, **amounts: float) -> Any:
    """Make a QuotaRequest."""
    guarantee = [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in amounts.items()]
    return {"role": role, "guarantee": guarantee}


def test_the_old_quota_endpoint_sets_shows_and_removes(cluster: Cluster) -> None:
    """Guarantee and limit in one; in the recorded words."""
    assert ask(cluster, "GET", "/quota") == (200, "{}")
    assert ask(cluster, "POST", "/quota", request("qr", cpus=1)) == (200, "")
    assert ask(cluster, "GET", "/quota") == (
        200,
        (
            '{"infos":[{"role":"qr","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1.0}}]}],'
            '"configs":[{"role":"qr","guarantees":{"cpus":{"value":1.0}},"limits":{"cpus":{"value":1.0}}}]}'
        ),
    )
    again = "Failed to validate set quota request: Cannot set quota for role 'qr' which already has quota"
    assert ask(cluster, "POST", "/quota", request("qr", cpus=1)) == (400, again)
    assert ask(cluster, "DELETE", "/quota/qr") == (200, "")
    assert ask(cluster, "GET", "/quota") == (200, "{}")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        (
            "POST",
            "/quota",
            request("q2", cpus=100),
            409,
            (
                "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees"
                " 'cpus:100' exceed cluster capacity 'cpus:7; disk:10240; mem:6144'"
            ),
        ),
        ("POST", "/quota", request("*"), 400, "Failed to validate set quota request: QuotaInfo with empty 'guarantee'"),
        (
            "POST",
            "/quota",
            {
                "role": "q3",
                "guarantee": [{"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}}],
            },
            400,
            "Failed to validate set quota request: QuotaInfo must not include non-scalar resources",
        ),
        (
            "POST",
            "/quota",
            {},
            400,
            "Failed to validate set quota request: QuotaInfo with invalid role: Role names cannot be the empty string",
        ),
        ("POST", "/quota", b"x", 400, "Failed to parse set quota request JSON 'x': syntax error at line 1 near: x"),
        (
            "DELETE",
            "/quota/none",
            b"",
            400,
            "Failed to remove quota for path '/master/quota/none': Role 'none' has no quota set",
        ),
        (
            "DELETE",
            "/quota",
            b"",
            400,
            "Failed to parse remove quota request for path '/master/quota': expected 3 tokens, found 2 tokens",
        ),
        (
            "PUT",
            "/weights",
            [{"role": "golden", "weight": -1}],
            400,
            f"{VALIDATE} for role 'golden': Invalid weight '-1': Weights must be positive",
        ),
        (
            "PUT",
            "/weights",
            [{"role": "/a", "weight": 1}],
            400,
            f"{VALIDATE}: Invalid role '/a': Role '/a' cannot start with a slash",
        ),
        ("PUT", "/weights", {}, 400, PARSE + " '{}': Unexpected JSON type parsed"),
        (
            "PUT",
            "/weights",
            b"x",
            400,
            f"{PARSE} 'x': syntax error at line 1 near: x",
        ),
    ],
)
def test_bad_requests_are_refused_in_the_recorded_words(
    cluster: Cluster, method: str, path: str, body: Any, status: int, why: str
) -> None:
    """With the recorded status."""
    assert ask(cluster, method, path, body) == (status, why)


def test_set_and_remove_quota_by_calls(cluster: Cluster) -> None:
    """Removing what is not there is refused, where the original dies (T14)."""
    assert call(cluster, "SET_QUOTA", quota_request=request("qd", cpus=0.5)) == (200, "")
    assert call(cluster, "REMOVE_QUOTA", role="qd") == (200, "")
    status, why = call(cluster, "REMOVE_QUOTA", role="qd")
    assert (status, why) == (400, "Failed to remove quota: Role 'qd' has no quota set")


# --- weights -----------------------------------------------------------------------------------------------------


def test_weights_are_set_and_shown(cluster: Cluster) -> None:
    """By the call and by the old endpoint."""
    assert json.loads(call(cluster, "GET_WEIGHTS")[1]) == {"type": "GET_WEIGHTS"}
    assert ask(cluster, "GET", "/weights") == (200, "[]")
    assert call(cluster, "UPDATE_WEIGHTS", weight_infos=[{"role": "golden", "weight": 2}]) == (200, "")
    assert ask(cluster, "PUT", "/weights", [{"role": "golden", "weight": 2.5}]) == (200, "")
    assert ask(cluster, "GET", "/weights") == (200, '[{"role":"golden","weight":2.5}]')
    assert role(cluster, "golden")["weight"] == 2.5


def test_new_weights_rescind_offers_and_share_anew(start: Callable[..., Cluster]) -> None:
    """The heavier role gets the larger part of the agents."""
    cluster = start(agents=8)
    heavy, light = cluster.framework(http=True, roles=["heavy"]), cluster.framework(http=True, roles=["light"])
    cluster.run_until(lambda: len(heavy.offers) + len(light.offers) == 8)
    assert call(cluster, "UPDATE_WEIGHTS", weight_infos=[{"role": "heavy", "weight": 3.0}]) == (200, "")
    cluster.run_until(lambda: (len(heavy.offers), len(light.offers)) == (6, 2))


def test_the_weights_flag_counts_until_weights_are_changed(start: Callable[..., Cluster]) -> None:
    """Then the registry does."""
    cluster = start(master_flags={"weights": "a=2,b=3.5"})
    assert ask(cluster, "GET", "/weights") == (200, '[{"role":"a","weight":2.0},{"role":"b","weight":3.5}]')
