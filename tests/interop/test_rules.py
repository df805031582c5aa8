"""Sixteen rules learnt by running other people's clients, one test each: what they send and what they cannot bear."""

from __future__ import annotations

import base64
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interop.raw import SECONDS, RawScheduler, post
from messor import LocalCluster
from messor.local.probe import get, get_json


@pytest.fixture
def subscribe(cluster: LocalCluster) -> Iterator[Callable[..., RawScheduler]]:
    """Subscribe frameworks that are torn down at the end."""
    made: list[RawScheduler] = []

    def subscribe(**info: Any) -> RawScheduler:
        made.append(RawScheduler(cluster.master_process.port, {"user": "", "name": "rules [x] /y", **info}))
        return made[-1]

    yield subscribe
    for one in made:
        form = f"frameworkId={one.framework_id}".encode()
        post(cluster.master_process.port, "/teardown", form, "", "application/x-www-form-urlencoded")
        one.close()


@pytest.fixture
def framework(subscribe: Callable[..., RawScheduler]) -> RawScheduler:
    """A framework without any capability."""
    return subscribe()


def task(framework: RawScheduler, name: str, command: Any = "true", **more: Any) -> dict[str, Any]:
    """A small command task on the first offer's agent."""
    resources = [{"name": n, "type": "SCALAR", "scalar": {"value": v}} for n, v in (("cpus", 0.1), ("mem", 32))]
    description = command if isinstance(command, dict) else {"value": command}
    base = {"name": name, "task_id": {"value": name}, "agent_id": framework.offer()["agent_id"]}
    return {**base, "command": description, "resources": resources, **more}


def test_q1_the_stream_is_chunked_and_records_are_single_lines(framework: RawScheduler) -> None:
    """Some clients refuse anything else, and split on newlines."""
    assert framework.headers["transfer-encoding"] == "chunked"
    framework.offer()
    assert all(b"\n" not in record for record in framework.records)


def test_q2_the_version_is_three_numbers(cluster: LocalCluster) -> None:
    """pymesos calls int() on each part before it subscribes."""
    version = get_json("127.0.0.1", cluster.master_process.port, "/version")["version"]
    assert len([int(part) for part in version.split(".")]) == 3
    assert int(version.split(".")[0]) >= 1


def test_q3_a_heartbeat_follows_subscribed_at_once(framework: RawScheduler) -> None:
    """And its interval is announced."""
    framework.wait(lambda event: event["type"] == "HEARTBEAT")
    assert [event["type"] for event in framework.events[:2]] == ["SUBSCRIBED", "HEARTBEAT"]
    assert framework.events[0]["subscribed"]["heartbeat_interval_seconds"] > 0


def test_q4_json_is_read_leniently(framework: RawScheduler) -> None:
    """null is unset, numbers and booleans may be strings, one object may stand for a list, unknown keys are ignored."""
    lenient = task(framework, "q4", {"value": "test $A = b", "shell": "true", "user": None, "nonsense": {"x": 1}})
    lenient["command"]["environment"] = {"variables": {"name": "A", "value": "b"}}
    lenient["resources"][0]["scalar"]["value"] = "0.1"
    lenient["labels"] = None
    lenient["data"] = base64.b64encode(b"\x00\xff").decode()
    assert framework.launch(lenient)[0] == 202
    framework.status("q4", "TASK_FINISHED")


def test_q4_an_array_for_a_single_field_is_an_error(framework: RawScheduler) -> None:
    """And so is a missing required field, which is named."""
    status, text = framework.call({"type": "KILL", "kill": {"task_id": [{"value": "x"}]}})
    assert status == 400
    assert b"task_id" in text
    status, text = framework.call({"type": "KILL", "kill": {"task_id": {}}})
    assert (status, b"Missing required fields" in text) == (400, True)


def test_q5_offers_are_in_the_old_format_without_capabilities(framework: RawScheduler) -> None:
    """Old clients filter on resource.role, and compare for equality."""
    offer = framework.offer()
    assert {resource["role"] for resource in offer["resources"]} == {"*"}
    assert "allocation_info" not in offer
    assert not any("allocation_info" in resource or "reservations" in resource for resource in offer["resources"])


def test_q6_zero_resources_are_dropped_and_integers_are_numbers(framework: RawScheduler) -> None:
    """``gpus: 0`` is legal."""
    one = task(framework, "q6")
    one["resources"] += [{"name": "gpus", "type": "SCALAR", "scalar": {"value": 0}}]
    one["resources"][1]["scalar"]["value"] = 32
    framework.launch(one)
    framework.status("q6", "TASK_FINISHED")


def test_q7_kill_and_reconcile_need_no_agent_id(framework: RawScheduler) -> None:
    """An empty list of tasks reconciles everything."""
    framework.launch(task(framework, "q7", "sleep 600"))
    framework.status("q7", "TASK_RUNNING")
    assert framework.call({"type": "RECONCILE", "reconcile": {"tasks": []}})[0] == 202
    reason = "REASON_RECONCILIATION"
    framework.wait(lambda event: event.get("update", {}).get("status", {}).get("reason") == reason)
    assert framework.call({"type": "KILL", "kill": {"task_id": {"value": "q7"}}})[0] == 202
    framework.status("q7", "TASK_KILLED")


def test_q7_decline_takes_many_offers_and_gpu_capability_is_fine(subscribe: Callable[..., RawScheduler]) -> None:
    """pymesos adds GPU_RESOURCES to every framework."""
    framework = subscribe(capabilities=[{"type": "GPU_RESOURCES"}])
    framework.offer()
    ids = [offer["id"] for event in framework.events for offer in event.get("offers", {}).get("offers", ())]
    assert framework.call({"type": "DECLINE", "decline": {"offer_ids": ids}})[0] == 202


def test_q8_slave_id_and_credentials_are_ignored(subscribe: Callable[..., RawScheduler]) -> None:
    """avmesos puts both where v1 has neither, and sends basic auth nobody asked for."""
    framework = subscribe(user="root", principal="p")
    framework.launch(
        task(framework, "q8", slave_id={"value": "nonsense"}, credential={"principal": "p", "secret": "s"})
    )
    framework.status("q8", "TASK_FINISHED")


def test_q9_the_agent_serves_its_state_and_its_files(cluster: LocalCluster, framework: RawScheduler) -> None:
    """Toil's executor reads /state before it subscribes; tools read sandboxes."""
    framework.launch(task(framework, "q9", "echo hello; sleep 600"))
    framework.status("q9", "TASK_RUNNING")
    address = framework.offer()["url"]["address"]
    socket.gethostbyname(address["hostname"])
    port = address["port"]
    state = get_json("127.0.0.1", port, "/state")
    mine = next(one for one in state["frameworks"] if one["id"] == framework.framework_id)
    folder = urllib.parse.quote(mine["executors"][0]["directory"])
    files = [entry["path"] for entry in get_json("127.0.0.1", port, f"/files/browse?path={folder}")]
    assert any(path.endswith("/stdout") for path in files)
    deadline = time.monotonic() + SECONDS
    while b"hello" not in get("127.0.0.1", port, f"/files/download?path={folder}/stdout")[1]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    read = get_json("127.0.0.1", port, f"/files/read?path={folder}/stdout&offset=0&length=5")
    assert read["offset"] == 0
    assert get_json("127.0.0.1", port, "/files/debug")


def test_q10_executors_get_the_documented_environment(cluster: LocalCluster, framework: RawScheduler) -> None:
    """Durations in Mesos' grammar, an endpoint without scheme, a PATH; nothing of the agent's own."""
    executor = {"executor_id": {"value": "env"}, "type": "CUSTOM", "command": {"value": "env > environment; exit 0"}}
    one = task(framework, "q10", executor=executor)
    del one["command"]
    framework.launch(one)
    framework.status("q10", "TASK_FAILED")
    port = framework.offer()["url"]["address"]["port"]
    state = get_json("127.0.0.1", port, "/state")
    frameworks = state["frameworks"] + state["completed_frameworks"]
    mine = next(one for one in frameworks if one["id"] == framework.framework_id)
    folder = (mine["executors"] + mine["completed_executors"])[0]["directory"]
    text = get("127.0.0.1", port, f"/files/download?path={urllib.parse.quote(folder)}/environment")[1].decode()
    variables = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert variables["MESOS_FRAMEWORK_ID"] == framework.framework_id
    assert variables["MESOS_EXECUTOR_ID"] == "env"
    assert variables["MESOS_SLAVE_ID"] == framework.offer()["agent_id"]["value"]
    assert variables["MESOS_AGENT_ENDPOINT"] == f"127.0.0.1:{port}"
    assert variables["MESOS_DIRECTORY"] == variables["MESOS_SANDBOX"] == folder
    assert variables["MESOS_CHECKPOINT"] == "0"
    assert variables["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"].endswith("secs")
    assert variables["PATH"]
    assert "HOME" not in variables
    assert "VIRTUAL_ENV" not in variables


def test_q11_the_tasks_own_mesos_variables_win(framework: RawScheduler) -> None:
    """task_processing sets MESOS_TASK_ID and MESOS_SANDBOX itself."""
    names = ("MESOS_TASK_ID", "MESOS_SANDBOX", "MESOS_TASK_ID")
    variables = [{"name": name, "value": f"mine-{number}"} for number, name in enumerate(names)]
    command = {"value": "test $MESOS_TASK_ID = mine-2 && test $MESOS_SANDBOX = mine-1"}
    framework.launch(task(framework, "q11", {**command, "environment": {"variables": variables}}))
    framework.status("q11", "TASK_FINISHED")


TWICE = r"""
import http.client, json, os, uuid, base64
host, port = os.environ["MESOS_AGENT_ENDPOINT"].split(":")
ids = {"framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
       "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]}}
kind = {"Content-Type": "application/json", "Accept": "application/json"}
stream = http.client.HTTPConnection(host, int(port))
stream.request("POST", "/api/v1/executor", json.dumps({**ids, "type": "SUBSCRIBE", "subscribe": {}}), kind)
answer = stream.getresponse()
while True:
    event = json.loads(answer.read(int(answer.readline())))
    if event["type"] == "LAUNCH":
        for _ in range(2):
            status = {"task_id": event["launch"]["task"]["task_id"], "state": "TASK_FINISHED",
                      "source": "SOURCE_EXECUTOR", "uuid": base64.b64encode(uuid.uuid4().bytes).decode()}
            calls = http.client.HTTPConnection(host, int(port))
            call = {**ids, "type": "UPDATE", "update": {"status": status}}
            calls.request("POST", "/api/v1/executor", json.dumps(call), kind)
            assert calls.getresponse().status == 202
    elif event["type"] == "SHUTDOWN":
        break
"""


def test_q12_a_second_terminal_update_is_swallowed(framework: RawScheduler) -> None:
    """Toil's executor sends two, with different uuids."""
    import shlex
    import sys

    command = {"value": f"exec {sys.executable} -c {shlex.quote(TWICE)}"}
    one = task(framework, "q12", executor={"executor_id": {"value": "twice"}, "type": "CUSTOM", "command": command})
    del one["command"]
    framework.launch(one)
    framework.status("q12", "TASK_FINISHED")
    framework.launch(task(framework, "q12-after"))
    framework.status("q12-after", "TASK_FINISHED")
    terminal = [e for e in framework.events if e.get("update", {}).get("status", {}).get("task_id") == {"value": "q12"}]
    assert len(terminal) == 1


def test_q13_odd_but_legal_names_survive(framework: RawScheduler) -> None:
    """dpark's task ids have colons, framework names brackets, blanks and slashes."""
    framework.launch(task(framework, "2:7:1"), task(framework, "a.b[0]"))
    framework.status("2:7:1", "TASK_FINISHED")
    framework.status("a.b[0]", "TASK_FINISHED")


def test_q14_offers_of_a_client_that_vanished_come_back_at_once(subscribe: Callable[..., RawScheduler]) -> None:
    """Otherwise the next framework starves."""
    gone = subscribe(failover_timeout=600)
    gone.offer()
    gone.close()
    subscribe().offer()


def test_q15_a_docker_task_is_refused_with_a_reason_and_loses_nothing(framework: RawScheduler) -> None:
    """Containers of images are a later feature: the task fails saying so, and its resources come back."""
    docker = {"type": "DOCKER", "docker": {"image": "busybox"}}
    framework.launch(task(framework, "q15", container=docker))

    def has_ended(event: dict[str, Any]) -> bool:
        status = event.get("update", {}).get("status", {})
        return status.get("task_id") == {"value": "q15"} and status["state"] in (
            "TASK_FAILED",
            "TASK_ERROR",
            "TASK_LOST",
        )

    status = framework.wait(has_ended)["update"]["status"]
    # The words of an original agent that runs no Docker containerizer.
    assert status["message"] == "Abnormal executor termination: unknown container"
    assert status["reason"] == "REASON_EXECUTOR_TERMINATED"
    framework.launch(task(framework, "q15-after"))
    framework.status("q15-after", "TASK_FINISHED")


def test_q16_a_message_over_http_1_0_without_libprocess_user_agent_is_taken(cluster: LocalCluster) -> None:
    """pesos sends Libprocess-From only."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)
        sender = f"scheduler(1)@127.0.0.1:{listener.getsockname()[1]}"
        from messor.protos import internal, v0

        body = internal.RegisterFrameworkMessage(framework=v0.FrameworkInfo(user="", name="q16")).SerializeToString()
        head = (
            "POST /master/mesos.internal.RegisterFrameworkMessage HTTP/1.0\r\nConnection: Keep-Alive\r\n"
            f"Libprocess-From: {sender}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", cluster.master_process.port), SECONDS) as connection:
            connection.sendall(head.encode() + body)
            connection.settimeout(SECONDS)
            assert b" 202 " in connection.recv(1000)
            answer, _ = listener.accept()
            with answer:
                answer.settimeout(SECONDS)
                assert b"mesos.internal.FrameworkRegisteredMessage" in answer.recv(1000)
