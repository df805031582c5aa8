"""The operator API of the master, as recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from messor.protos import v0, v1_master
from messor.wire.media_types import PROTOBUF

PARTS = {
    "GET_TASKS": ["tasks", "unreachable_tasks", "completed_tasks"],
    "GET_EXECUTORS": ["executors"],
    "GET_FRAMEWORKS": ["frameworks", "completed_frameworks"],
    "GET_AGENTS": ["agents", "recovered_agents"],
}


def answer_to(cluster: Any, kind: str, **body: Any) -> Any:
    """Make a call and give the part of the JSON answer that is about it."""
    answer = cluster.operate({"type": kind, **body})
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/json"
    found = json.loads(answer.body)
    assert found["type"] == kind
    return found[kind.lower()]


@pytest.mark.parametrize("kind", PARTS)
def test_the_lists_of_an_empty_cluster_are_shown_empty(cluster: Any, kind: str) -> None:
    """Tools index them without asking."""
    cluster.world.settle()
    assert answer_to(cluster, kind) == {name: [] for name in PARTS[kind]}
    state = answer_to(cluster, "GET_STATE")
    assert list(state) == ["get_tasks", "get_executors", "get_frameworks", "get_agents"]
    assert state[kind.lower()] == {name: [] for name in PARTS[kind]}


def test_agents_are_shown_with_resources_in_both_forms(busy: Any) -> None:
    """Keys in the recorded order."""
    (agent,) = answer_to(busy, "GET_AGENTS")["agents"]
    assert [key for key in agent if key != "capabilities"] == [
        "agent_info",
        "active",
        "deactivated",
        "version",
        "pid",
        "registered_time",
        "total_resources",
        "allocated_resources",
        "offered_resources",
    ]
    assert agent["agent_info"]["checkpoint"] is True
    assert "role" not in agent["agent_info"]["resources"][0]
    assert agent["total_resources"][0]["role"] == "*"
    assert agent["allocated_resources"][0]["allocation_info"] == {"role": "*"}


def test_frameworks_are_shown_with_their_offers(busy: Any) -> None:
    """Keys in the recorded order; an offer as the scheduler got it."""
    (framework,) = answer_to(busy, "GET_FRAMEWORKS")["frameworks"]
    assert list(framework) == [
        "framework_info",
        "active",
        "connected",
        "recovered",
        "registered_time",
        "reregistered_time",
        "offers",
        "allocated_resources",
        "offered_resources",
        "offer_constraints",
    ]
    (offer,) = framework["offers"]
    assert offer["url"]["path"] == "/slave(1)"
    assert offer["allocation_info"] == {"role": "*"}


def test_tasks_are_shown_with_their_whole_history(busy: Any) -> None:
    """Also in the state as a whole."""
    tasks = {task["task_id"]["value"]: task for task in answer_to(busy, "GET_TASKS")["tasks"]}
    assert [status["state"] for status in tasks["run"]["statuses"]] == ["TASK_STARTING", "TASK_RUNNING"]
    assert tasks["run"]["status_update_state"] == "TASK_RUNNING"
    assert "statuses" not in tasks["wait"]
    assert answer_to(busy, "GET_STATE")["get_tasks"]["tasks"] == list(tasks.values())


def test_answers_come_in_protobuf_when_only_that_is_accepted(busy: Any) -> None:
    """From a request in protobuf."""
    call = v1_master.Call(type=v1_master.Call.GET_STATE).SerializeToString()
    answer = busy.operate(call, **{"content-type": PROTOBUF, "accept": PROTOBUF})
    assert answer.headers["Content-Type"] == PROTOBUF
    response = v1_master.Response.FromString(answer.body)
    assert response.IsInitialized()
    assert {task.task_id.value for task in response.get_state.get_tasks.tasks} == {"run", "wait", "fin"}
    assert response.get_state.get_agents.agents[0].agent_info.hostname == "10.0.0.2"


def test_the_master_says_who_and_how_it_is(busy: Any) -> None:
    """Health, version, flags, metrics, leader, roles."""
    assert answer_to(busy, "GET_HEALTH") == {"healthy": True}
    assert len(answer_to(busy, "GET_VERSION")["version_info"]["version"].split(".")) == 3
    flags = {flag["name"]: flag["value"] for flag in answer_to(busy, "GET_FLAGS")["flags"]}
    assert flags["registry"] == "in_memory"
    metrics = {each["name"]: each["value"] for each in answer_to(busy, "GET_METRICS", get_metrics={})["metrics"]}
    assert metrics["master/tasks_running"] == 1.0
    found = answer_to(busy, "GET_MASTER")
    assert found["master_info"]["pid"] == "master@10.0.0.1:5050"
    assert list(found) == ["master_info", "start_time", "elected_time"]
    (role,) = answer_to(busy, "GET_ROLES")["roles"]
    assert [key for key in role if key != "resources"] == ["name", "weight", "frameworks"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        (b"{", {}, 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (b'{"type":"NO_SUCH"}', {}, 400, "Failed to validate master::Call: Expecting 'type' to be present"),
        (b"{}", {}, 400, "Failed to validate master::Call: Expecting 'type' to be present"),
        (b'{"type":"UNKNOWN"}', {}, 501, "501 Not Implemented."),
        (
            b'{"type":"GET_METRICS"}',
            {},
            400,
            "Failed to validate master::Call: Expecting 'get_metrics' to be present",
        ),
        (b'{"type":"TEARDOWN"}', {}, 400, "Failed to validate master::Call: Expecting 'teardown' to be present"),
        (
            b'{"type":"TEARDOWN","teardown":{"framework_id":{"value":"x"}}}',
            {},
            400,
            "No framework found with specified ID",
        ),
        (
            b"{}",
            {"content-type": "application/json; charset=utf-8"},
            415,
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        ),
        (b"{}", {"content-type": ""}, 400, "Expecting 'Content-Type' to be present"),
        (b"\xff\xff", {"content-type": PROTOBUF}, 400, "Failed to parse body into Call protobuf"),
        (
            b'{"type":"GET_HEALTH"}',
            {"accept": "text/html"},
            406,
            "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
        ),
        (
            b'{"type":"START_MAINTENANCE"}',
            {},
            400,
            "Failed to validate master::Call: Expecting 'start_maintenance' to be present",
        ),
    ],
)
def test_a_bad_call_is_refused_in_the_recorded_words(
    cluster: Any, body: bytes, headers: dict[str, str], status: int, text: str
) -> None:
    """In the recorded order of checks."""
    cluster.world.settle()
    answer = cluster.operate(body, **headers)
    assert (answer.status, answer.body.decode()) == (status, text)


def test_only_post_is_allowed(cluster: Any) -> None:
    """After it was found out who leads."""
    cluster.world.settle()
    answer = cluster.ask("/api/v1")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    cluster.master.leadership.leader = v0.MasterInfo(id="other", ip=1, port=5050, hostname="other")
    assert cluster.ask("/api/v1").headers["Location"] == "//other:5050/master/api/v1"


def test_teardown_ends_a_framework(busy: Any) -> None:
    """And answers 200 with nothing."""
    answer = busy.operate({"type": "TEARDOWN", "teardown": {"framework_id": {"value": _framework(busy)}}})
    assert (answer.status, answer.body) == (200, b"")
    busy.world.settle()
    found = answer_to(busy, "GET_FRAMEWORKS")
    assert found["frameworks"] == []
    assert found["completed_frameworks"][0]["framework_info"]["name"] == "busy"
    assert len(answer_to(busy, "GET_TASKS")["completed_tasks"]) == 3


def _framework(cluster: Any) -> str:
    """Give the id of the cluster's first framework."""
    return str(cluster.first_scheduler.info.id.value)


def test_files_are_listed_and_read_as_recorded(cluster: Any, tmp_path: Any) -> None:
    """By virtual paths; an unknown one is not found, without a word."""
    from messor.runtime.virtual_files import VirtualFiles

    cluster.world.settle()
    files = VirtualFiles()
    cluster.host.spawn(files)
    (tmp_path / "log").write_bytes(b"0123456789")
    (tmp_path / "log").chmod(0o644)
    files.attach("/master/log", str(tmp_path / "log"))
    files.attach("/folder", str(tmp_path))
    assert answer_to(cluster, "LIST_FILES", list_files={"path": "/master/log"}) == {}
    (found,) = answer_to(cluster, "LIST_FILES", list_files={"path": "/folder"})["file_infos"]
    assert (found["path"], found["size"], found["mode"]) == ("/folder/log", 10, 0o100644)
    read = answer_to(cluster, "READ_FILE", read_file={"path": "/master/log", "offset": 2, "length": 3})
    assert read == {"size": 10, "data": "MjM0"}
    assert answer_to(cluster, "READ_FILE", read_file={"path": "/master/log", "offset": 99}) == {"size": 10, "data": ""}
    answer = cluster.operate({"type": "LIST_FILES", "list_files": {"path": "/nope"}})
    assert (answer.status, answer.body, answer.headers) == (404, b"", {"Content-Type": "text/plain; charset=utf-8"})


def test_the_logging_level_is_shown_and_set_for_a_while(cluster: Any) -> None:
    """Then it is as before."""
    from messor.runtime.process_actors import LoggingActor

    cluster.world.settle()
    cluster.host.spawn(LoggingActor())
    assert answer_to(cluster, "GET_LOGGING_LEVEL") == {"level": 0}
    body = {"level": 1, "duration": {"nanoseconds": 5_000_000_000}}
    answer = cluster.operate({"type": "SET_LOGGING_LEVEL", "set_logging_level": body})
    assert (answer.status, answer.body) == (200, b"")
    assert answer_to(cluster, "GET_LOGGING_LEVEL") == {"level": 1}
    cluster.world.advance(6)
    assert answer_to(cluster, "GET_LOGGING_LEVEL") == {"level": 0}
