"""Who is refused what, and in which words: as a real master and agent with the same rules did (K3, K7)."""

from __future__ import annotations

import ast
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .test_access_control import running
from .test_secure_cluster import ALICE, SECONDS, Secure, ask, basic

RECORDED = Path(__file__).parent / "recorded_refusals.txt"
BOB = basic("bob", "s3")

ANY: dict[str, Any] = {"type": "ANY"}


def some(*values: str) -> dict[str, Any]:
    """Make an entity."""
    return {"values": list(values)}


RULES = {
    "permissive": False,
    "register_frameworks": [{"principals": some("alice"), "roles": some("*", "golden")}],
    "run_tasks": [{"principals": some("alice"), "users": some("nobody", "root")}],
    "view_frameworks": [{"principals": some("alice"), "users": ANY}],
    "teardown_frameworks": [{"principals": some("bob"), "framework_principals": ANY}],
    "register_agents": [{"principals": some("agentp"), "agents": ANY}],
    "update_weights": [{"principals": some("alice"), "roles": some("golden")}],
    "view_roles": [{"principals": some("alice"), "roles": ANY}],
}
"""Those of the recording, as far as its answers tell."""


class Recorded(NamedTuple):
    """One request and its answer."""

    where: str
    title: str
    request: bytes
    status: int
    headers: dict[str, str]
    body: bytes


def recorded() -> list[Recorded]:
    """Read the recording."""
    lines = RECORDED.read_text().splitlines()
    return [Recorded(*ast.literal_eval(line)) for line in lines if not line.startswith("#")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """Start a master and an agent as they were recorded."""
    more = {"authenticate_http_frameworks": "true", "http_framework_authenticators": "basic"}
    with running(tmp_path_factory.mktemp("recorded"), RULES, {}, **more) as found:
        yield found


def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes; gives status, headers and as much of the body as there is before the stream waits."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@pytest.mark.parametrize("case", recorded(), ids=lambda case: case.title)
def test_refusals_are_those_of_the_recording(cluster: Secure, case: Recorded) -> None:
    """Status, challenge, media type and text."""
    daemon = cluster.master if case.where == "master" else cluster.agent
    status, headers, body = exchange(daemon.port, case.request)
    assert status == case.status
    assert {name: headers.get(name) for name in case.headers} == case.headers
    assert body == case.body


class Framework:
    """Alice's framework, over HTTP."""

    def __init__(self, port: int) -> None:
        """Subscribe."""
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        info = {"user": "root", "name": "auth", "principal": "alice", "failover_timeout": 1000.0}
        self.stream = self._send({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}, ALICE, self.connection)
        self.stream_id = self.stream.headers["Mesos-Stream-Id"]
        self.id: dict[str, str] = self.event("SUBSCRIBED")["framework_id"]

    def _send(
        self, call: dict[str, Any], who: str, connection: http.client.HTTPConnection, **more: str
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Authorization": who, **more}
        connection.request("POST", "/api/v1/scheduler", json.dumps(call), headers)
        return connection.getresponse()

    def call(self, kind: str, who: str = ALICE, **parts: Any) -> tuple[int, str]:
        """Make a call as somebody; gives status and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        call = {"type": kind, "framework_id": self.id, **parts}
        answer = self._send(call, who, connection, **{"Mesos-Stream-Id": self.stream_id})
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def event(self, kind: str) -> dict[str, Any]:
        """Give the body of the next event of a kind."""
        while True:
            size = self.stream.readline()
            assert size, f"no {kind} came"
            event = json.loads(self.stream.read(int(size)))
            if event["type"] == kind:
                body: dict[str, Any] = event[kind.lower()]
                return body

    def ends(self) -> bool:
        """Read until the stream ends."""
        while self.stream.readline():
            pass
        return True


def test_a_frameworks_life_under_rules_is_that_of_the_recording(cluster: Secure) -> None:
    """What it may not launch, who may not speak for it, and who may end it."""
    port = cluster.master.port
    framework = Framework(port)
    assert framework.call("REVIVE") == (202, "")
    wrong = "Authenticated principal 'bob' does not match principal 'alice' set in `FrameworkInfo`"
    assert framework.call("REVIVE", BOB) == (400, wrong)
    offer = framework.event("OFFERS")["offers"][0]
    needs = [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in (("cpus", 0.1), ("mem", 32))
    ]
    command = {"value": "true", "user": "daemon"}
    task = {"name": "au1", "task_id": {"value": "au1"}, "resources": needs, "agent_id": offer["agent_id"]}
    reservation = {"type": "DYNAMIC", "role": "other", "principal": "alice"}
    reserved = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}, "reservations": [reservation]}
    operations = [
        {"type": "LAUNCH", "launch": {"task_infos": [{**task, "command": command}]}},
        {"type": "RESERVE", "id": {"value": "opr"}, "reserve": {"resources": [reserved]}},
    ]
    accept = {"offer_ids": [offer["id"]], "operations": operations, "filters": {"refuse_seconds": 0.0}}
    assert framework.call("ACCEPT", accept=accept) == (202, "")
    status = framework.event("UPDATE")["status"]
    assert (status["state"], status["source"], status["reason"]) == (
        "TASK_ERROR",
        "SOURCE_MASTER",
        "REASON_TASK_UNAUTHORIZED",
    )
    name = framework.id["value"]
    assert status["message"] == (
        f"Principal 'alice' no authorized to launch task au1 of framework {name} under user 'daemon'"
    )
    told = framework.event("UPDATE_OPERATION_STATUS")["status"]
    assert told["state"] == "OPERATION_ERROR"
    where = f"agent {offer['agent_id']['value']} at slave(1)@127.0.0.1:{cluster.agent.port} (localhost)"
    assert told["message"] == (
        "A reserve operation was attempted for a resource with role 'other', but the resource was allocated to role"
        f" '*'; on {where}"
    )
    body = f"frameworkId={name}".encode()
    refused = ask(port, "/teardown", ALICE, "POST", body)
    assert (refused.status, refused.body) == (403, b"403 Forbidden.")
    assert ask(port, "/teardown", BOB, "POST", body).status == 200
    assert framework.ends()
    framework.stream.close()
    framework.connection.close()


def test_the_state_has_no_flags_for_those_who_may_not_see_them(cluster: Secure) -> None:
    """Whoever asks: nobody may; agents are shown to all."""
    for who in (ALICE, BOB):
        state = json.loads(ask(cluster.master.port, "/state", who).body)
        assert "flags" not in state
        assert len(state["slaves"]) == 1
