"""The v0 endpoints, compared with what Mesos 1.11 sends."""

from __future__ import annotations

from typing import Any

import pytest

from messor.protos import v0
from support import builders


def words(text: str) -> list[str]:
    """Split a list of keys."""
    return text.split()


# Keys in the order in which a recorded 1.11 master wrote them; what depends on flags and builds is left out.
STATE = words(
    "version build_date build_time build_user start_time elected_time id pid hostname capabilities activated_slaves"
    " deactivated_slaves unreachable_slaves leader leader_info flags slaves recovered_slaves frameworks"
    " completed_frameworks orphan_tasks unregistered_frameworks"
)
AGENT = words(
    "id hostname port attributes pid registered_time resources used_resources offered_resources reserved_resources"
    " unreserved_resources active deactivated version capabilities"
)
COUNTS = words(
    "TASK_STAGING TASK_STARTING TASK_RUNNING TASK_KILLING TASK_FINISHED TASK_KILLED TASK_FAILED TASK_LOST TASK_ERROR"
    " TASK_UNREACHABLE"
)
SUMMARY = words(
    "id name pid used_resources offered_resources capabilities hostname webui_url active connected recovered"
)
FRAMEWORK = [
    *SUMMARY,
    *words(
        "user failover_timeout checkpoint registered_time unregistered_time resources role tasks unreachable_tasks"
        " completed_tasks offers executors offer_constraints"
    ),
]
TASK = words("id name framework_id executor_id slave_id state resources role statuses")
FULL = words("reserved_resources_full unreserved_resources_full used_resources_full offered_resources_full")


def keys(value: dict[str, Any]) -> list[str]:
    """Give the keys in order, less what this build has more or less of."""
    return [key for key in value if key not in ("git_sha", "git_tag", "git_branch", "labels")]


def test_state_has_every_key_in_the_recorded_order(busy: Any) -> None:
    """From the master down to a task's statuses."""
    state = busy.get("/state")
    assert keys(state) == STATE
    assert [keys(agent) for agent in state["slaves"]] == [AGENT]
    (framework,) = state["frameworks"]
    assert keys(framework) == FRAMEWORK
    assert [keys(task) for task in framework["tasks"]] == [TASK] * 3
    assert {task["id"]: task["state"] for task in framework["tasks"]} == {
        "run": "TASK_RUNNING",
        "wait": "TASK_STAGING",
        "fin": "TASK_FINISHED",  # nobody acknowledged it yet
    }
    assert keys(framework["offers"][0]) == ["id", "framework_id", "allocation_info", "slave_id", "resources"]


def test_resources_are_sums_by_name_with_the_usual_four_always(busy: Any) -> None:
    """Ranges are text; what is used and offered adds up to the whole."""
    (agent,) = busy.get("/state")["slaves"]
    cpus = next(each.scalar.value for each in builders.agent_info("h").resources if each.name == "cpus")
    assert list(agent["resources"])[:4] == ["disk", "mem", "gpus", "cpus"]
    assert agent["resources"]["cpus"] == cpus
    assert agent["resources"]["gpus"] == 0.0
    assert agent["resources"]["ports"].startswith("[")
    assert agent["used_resources"]["cpus"] + agent["offered_resources"]["cpus"] == cpus


def test_a_task_is_written_again_when_it_changes(busy: Any) -> None:
    """And the agent with what it uses."""
    before = busy.get("/state")
    busy.report(busy.first_scheduler, busy.first_agent, "wait", v0.TASK_RUNNING)
    after = busy.get("/state")
    states = {task["id"]: task["state"] for task in after["frameworks"][0]["tasks"]}
    assert states["wait"] == "TASK_RUNNING"
    assert before["frameworks"][0]["tasks"] != after["frameworks"][0]["tasks"]
    (task,) = busy.get("/tasks?task_id=wait")["tasks"]
    assert [status["state"] for status in task["statuses"]] == ["TASK_RUNNING"]


def test_summary_counts_tasks_by_agent_and_by_framework(busy: Any) -> None:
    """In ten states, and says who runs where."""
    summary = busy.get("/state-summary")
    (agent,), (framework,) = summary["slaves"], summary["frameworks"]
    assert keys(agent) == [*AGENT, *COUNTS, "framework_ids"]
    assert keys(framework) == [*SUMMARY, *COUNTS, "slave_ids"]
    for counted in (agent, framework):
        assert counted["TASK_RUNNING"] == 1
        assert counted["TASK_STAGING"] == 1
        assert counted["TASK_FINISHED"] == 1
    assert agent["framework_ids"] == [framework["id"]]
    assert framework["slave_ids"] == [agent["id"]]


def test_slaves_shows_resources_in_full_and_one_agent_when_asked(busy: Any) -> None:
    """In both forms of reservations."""
    busy.agent()
    slaves = busy.get("/slaves")
    assert keys(slaves) == ["slaves", "recovered_slaves"]
    assert [keys(agent) for agent in slaves["slaves"]] == [[*AGENT, *FULL]] * 2
    first = slaves["slaves"][0]
    assert first["unreserved_resources_full"][0]["role"] == "*"
    assert first["used_resources_full"][0]["allocation_info"] == {"role": "*"}
    (one,) = busy.get(f"/slaves?slave_id={first['id']}")["slaves"]
    assert one["id"] == first["id"]
    assert busy.get("/slaves?slave_id=nope") == {"slaves": [], "recovered_slaves": []}


def test_frameworks_shows_live_and_completed_ones(busy: Any) -> None:
    """And one when asked."""
    framework_id = busy.first_scheduler.info.id.value
    assert busy.get("/frameworks?framework_id=nope") == {
        "frameworks": [],
        "completed_frameworks": [],
        "unregistered_frameworks": [],
    }
    assert busy.ask("/teardown", "POST", f"frameworkId={framework_id}".encode()).status == 200
    busy.world.settle()
    found = busy.get(f"/frameworks?framework_id={framework_id}")
    assert found["frameworks"] == []
    (completed,) = found["completed_frameworks"]
    assert completed["unregistered_time"] > 0
    assert {task["id"]: task["state"] for task in completed["completed_tasks"]} == {
        "run": "TASK_KILLED",
        "wait": "TASK_KILLED",
        "fin": "TASK_FINISHED",
    }


def test_tasks_come_in_pages_sorted_by_their_first_status(busy: Any) -> None:
    """Newest first unless asked otherwise; tasks without status count as the oldest."""

    def ids(query: str = "") -> list[str]:
        return [task["id"] for task in busy.get(f"/tasks{query}")["tasks"]]

    assert ids() == ["fin", "run", "wait"]
    assert ids("?order=des") == ids("?order=sideways") == ids("?limit=abc") == ids()
    assert ids("?order=asc") == ["wait", "run", "fin"]
    assert ids("?limit=1") == ["fin"]
    assert ids("?limit=1&offset=1") == ["run"]
    assert ids("?limit=-1") == ids()
    assert ids("?offset=1000") == ids("?offset=-1") == []
    assert ids("?task_id=run") == ["run"]
    assert ids("?framework_id=nope") == []


def test_roles_add_up_what_frameworks_have_and_agents_reserve(busy: Any) -> None:
    """Below each role, the roles under it count as well."""
    (role,) = busy.get("/roles")["roles"]
    assert list(role) == ["name", "weight", "quota", "resources", "allocated", "offered", "reserved", "frameworks"]
    assert role["name"] == "*"
    assert role["quota"] == {"role": "*", "guarantee": {}, "limit": {}, "consumed": role["allocated"]}
    assert role["resources"]["cpus"] == role["allocated"]["cpus"] + role["offered"]["cpus"]
    assert role["frameworks"] == [busy.first_scheduler.info.id.value]


def test_an_unreachable_agents_tasks_stay_with_their_framework(busy: Any) -> None:
    """As unreachable tasks; the agent is only counted."""
    busy.machines["10.0.0.2"].freeze()
    busy.world.advance(100)
    state = busy.get("/state")
    assert (state["slaves"], state["unreachable_slaves"]) == ([], 1.0)
    (framework,) = state["frameworks"]
    found = {task["id"]: task["state"] for task in framework["unreachable_tasks"]}
    assert (found["run"], found["wait"]) == ("TASK_LOST", "TASK_LOST")  # the framework is not partition aware


def test_health_flags_and_redirect_are_answered_by_everybody(cluster: Any) -> None:
    """Also before anybody leads."""
    assert cluster.ask("/health", "DELETE").status == 200
    assert cluster.ask("/health").body == b""
    assert cluster.get("/flags")["flags"]["registry"] == "in_memory"
    for path in ("/redirect", "/master/redirect", "/redirect?jsonp=cb"):
        answer = cluster.ask(path)
        assert (answer.status, answer.headers["Location"]) == (307, "//master:5050")
    assert cluster.ask("/redirect/state").status == 404


def test_a_script_is_given_when_a_callback_is_named(cluster: Any) -> None:
    """The web UI fetches everything so."""
    cluster.world.settle()
    answer = cluster.ask("/tasks?jsonp=angular.callbacks._0")
    assert answer.headers["Content-Type"] == "text/javascript"
    assert b"".join(answer.body) == b'angular.callbacks._0({"tasks":[]})'


@pytest.mark.parametrize("path", ["/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles"])
def test_a_master_that_does_not_lead_sends_the_asker_on(cluster: Any, path: str) -> None:
    """Scheme-relative, below /master, with the query's keys sorted (feature H16)."""
    leader = v0.MasterInfo(id="other", ip=1, port=5050, hostname="other.example")
    cluster.world.settle()
    cluster.master.leadership.leader = leader
    answer = cluster.ask(path + "?b=2&a=1")
    assert (answer.status, answer.headers["Location"]) == (307, f"//other.example:5050/master{path}?a=1&b=2")
    cluster.master.leadership.leader = None
    answer = cluster.ask(path)
    assert (answer.status, answer.body) == (503, b"No leader elected")


def test_state_is_answered_before_the_registry_was_read(cluster: Any) -> None:
    """Unlike the operator API (recorded)."""
    cluster.world.settle()
    cluster.master.state.is_recovered = False
    assert cluster.ask("/state").status == 200
    answer = cluster.operate({"type": "GET_HEALTH"})
    assert (answer.status, answer.body) == (503, b"Master has not finished recovery")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", b"Missing 'frameworkId' query parameter in the request body"),
        (b"foo=bar", b"Missing 'frameworkId' query parameter in the request body"),
        (b"frameworkId=nope", b"No framework found with specified ID"),
    ],
)
def test_a_bad_teardown_is_refused_in_the_recorded_words(cluster: Any, body: bytes, text: bytes) -> None:
    """With 400."""
    cluster.world.settle()
    answer = cluster.ask("/teardown", "POST", body)
    assert (answer.status, answer.body) == (400, text)


def test_teardown_wants_a_post(cluster: Any) -> None:
    """Others are told so."""
    answer = cluster.ask("/teardown")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert answer.body == b"405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."


def test_a_recovered_agent_is_listed_until_it_returns(cluster: Any) -> None:
    """With what the registry knows of it."""
    cluster.world.settle()
    info = builders.agent_info("10.0.0.9")
    info.id.value = "S9"
    cluster.master.state.recovered_agents["S9"] = info
    (found,) = cluster.get("/state")["recovered_slaves"]
    assert found == {"id": "S9", "hostname": "10.0.0.9", "port": 5051, "attributes": {}}
