"""What operators ask, recorded with a real cluster and asked again of ours: same answers, to the last resource."""

from __future__ import annotations

import ast
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from messor.local.cluster import LocalCluster

RECORDED = Path(__file__).parent / "recorded_administration.txt"
RESOURCES = "cpus:6;cpus(stat):1;mem:6144;disk:10240;ports:[31000-31099]"
PATIENCE = 60
"""Seconds to wait for what comes at once unless the machine is very busy."""

VOLATILE = {"registered_time", "timestamp", "estimated_drain_start_time_seconds", "estimated_drain_start_time", "pid"}
"""Members whose values are of that hour and place."""
UNORDERED = {"configs", "infos", "draining_machines", "minimum_capabilities", "capabilities", "machine_ids"}
"""Lists that the original fills from hash maps."""

LABELS = {"labels": [{"key": "rk", "value": "rv"}]}
RESERVATION = [{"type": "DYNAMIC", "role": "golden", "labels": LABELS}]


class Recorded(NamedTuple):
    """One request and what a real master answered."""

    title: str
    request: bytes
    status: int
    headers: dict[str, str]
    body: bytes


def recorded(section: str) -> Iterator[Recorded]:
    """Read one section of the recording."""
    part = RECORDED.read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    for line in part.splitlines():
        yield Recorded(*ast.literal_eval(line))


def scalar(name: str, value: float) -> dict[str, Any]:
    """Make an amount of something, as JSON."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def reserved_disk(megabytes: float, **disk: Any) -> dict[str, Any]:
    """Make disk that is reserved as in the recording."""
    resource = {**scalar("disk", megabytes), "reservations": RESERVATION}
    return {**resource, "disk": disk} if disk else resource


DRAINING = {"reason": "REASON_AGENT_DRAINING"}
UNDELIVERED = "Killed before delivery to the executor"
TERMINATED = "Command terminated with signal Terminated"
KILLED = [
    {"state": "TASK_KILLING", "source": "SOURCE_EXECUTOR", **DRAINING},
    {"state": "TASK_KILLED", "message": TERMINATED, "source": "SOURCE_EXECUTOR", **DRAINING},
]
DRAINED = {
    "cust": [{"state": "TASK_KILLED", "message": UNDELIVERED, "source": "SOURCE_AGENT", **DRAINING}],
    "run": KILLED,
    "volt": KILLED,
    "rest": KILLED,
}
"""What the framework was told of tasks that were killed because their agent drained."""
DRAIN_CONFIG = b"\n\x00\x00\x00\n\x06\x08\x80\xa8\xd6\xb9\x07\x10\x00"
"""The recorded file: a length and a DrainConfig of two seconds."""

VOLUME = reserved_disk(64, persistence={"id": "vol-1"}, volume={"mode": "RW", "container_path": "data"})


class Framework:
    """The framework that runs while the operator works: in role golden, with a reservation, a volume and tasks."""

    def __init__(self, port: int) -> None:
        """Subscribe."""
        self.port = port
        info = {
            "user": "root",
            "name": "running",
            "roles": ["golden"],
            "checkpoint": True,
            "failover_timeout": 1000,
            "capabilities": [
                {"type": name}
                for name in ("MULTI_ROLE", "TASK_KILLING_STATE", "PARTITION_AWARE", "RESERVATION_REFINEMENT")
            ],
        }
        self.stream = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.stream.sendall(post("/api/v1/scheduler", {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}))
        self.file = self.stream.makefile("rb")
        head = b"".join(iter(self.file.readline, b"\r\n"))
        found = re.search(rb"Mesos-Stream-Id: (\S+)", head)
        assert found, head
        self.stream_id = found.group(1).decode()
        self._kept = b""
        self.id: str = self.next("SUBSCRIBED")["framework_id"]["value"]

    def next(self, kind: str) -> Any:
        """Give the next event of a kind; others before it are dropped."""
        while True:
            event = self._event()
            if event["type"] == kind:
                return event[kind.lower()]

    def _event(self) -> Any:
        """Read one event of the chunked stream of records."""
        while True:
            size, newline, rest = self._kept.partition(b"\n")
            if newline and len(rest) >= int(size):
                self._kept = rest[int(size) :]
                return json.loads(rest[: int(size)])
            length = int(self.file.readline(), 16)
            self._kept += self.file.read(length)
            self.file.readline()

    def call(self, kind: str, **body: Any) -> None:
        """Make a call."""
        call = {"type": kind, "framework_id": {"value": self.id}, **({kind.lower(): body} if body else {})}
        answer = ask(self.port, post("/api/v1/scheduler", call, f"Mesos-Stream-Id: {self.stream_id}\r\n"))
        assert answer.status == 202, answer

    def settle_in(self) -> str:
        """Reserve, make the volume and run tasks, which use what the recorded ones used; gives the agent.

        One is for an executor that never registers; one stands for the recorded pod.
        """
        offer = self.next("OFFERS")["offers"][0]
        agent_id = offer["agent_id"]
        small = [scalar("cpus", 0.1), scalar("mem", 32)]
        rest = [scalar("cpus", 0.3), scalar("mem", 96), scalar("disk", 32)]
        silent = {"type": "CUSTOM", "executor_id": {"value": "cust-ex"}, "command": {"value": "exec sleep 2000"}}
        command = {"command": {"value": "exec sleep 1000"}}
        tasks = [
            {**_task("cust", agent_id, small), "executor": {**silent, "resources": small}},
            {**_task("run", agent_id, small), **command},
            {**_task("volt", agent_id, [*small, VOLUME]), **command},
            {**_task("rest", agent_id, rest), **command},
        ]
        reserved = [{**scalar("cpus", 0.5), "reservations": RESERVATION}, reserved_disk(128)]
        operations = [
            {"type": "RESERVE", "reserve": {"resources": reserved}},
            {"type": "CREATE", "create": {"volumes": [VOLUME]}},
            {"type": "LAUNCH", "launch": {"task_infos": tasks}},
        ]
        self.call("ACCEPT", offer_ids=[offer["id"]], operations=operations, filters={"refuse_seconds": 0})
        running: set[str] = set()
        while len(running) < len(tasks) - 1:
            status = self.next("UPDATE")["status"]
            self.acknowledge(status)
            assert status["state"] in {"TASK_STARTING", "TASK_RUNNING"}, status
            if status["state"] == "TASK_RUNNING":
                running.add(status["task_id"]["value"])
        return str(agent_id["value"])

    def acknowledge(self, status: Any) -> None:
        """Acknowledge an update."""
        known = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
        self.call("ACKNOWLEDGE", **known)

    def take_offers(self) -> None:
        """Ask for offers, and have them."""
        self.call("REVIVE")
        self.next("OFFERS")

    def acknowledge_ends(self, tasks: int) -> dict[str, list[dict[str, str]]]:
        """Acknowledge updates until so many tasks have ended; gives what was told, by task."""
        told: dict[str, list[dict[str, str]]] = {}
        ended = 0
        while ended < tasks:
            status = self.next("UPDATE")["status"]
            self.acknowledge(status)
            ended += status["state"] == "TASK_KILLED"
            words = {name: status[name] for name in ("state", "message", "source", "reason") if name in status}
            told.setdefault(status["task_id"]["value"], []).append(words)
        return told

    def asked_to_leave(self) -> tuple[Any, Any]:
        """Give the event that asks, and that of the last offers before."""
        offers: Any = None
        while True:
            event = self._event()
            if event["type"] == "OFFERS":
                offers = event
            elif event["type"] == "INVERSE_OFFERS":
                return event, offers

    def accept_inverse_offers(self, event: Any) -> None:
        """Agree to an agent's going."""
        identifiers = [one["id"] for one in event["inverse_offers"]["inverse_offers"]]
        self.call("ACCEPT_INVERSE_OFFERS", inverse_offer_ids=identifiers)

    def close(self) -> None:
        """Hang up."""
        self.file.close()
        self.stream.close()


def _task(name: str, agent_id: Any, resources: list[Any]) -> dict[str, Any]:
    return {"name": name, "task_id": {"value": name}, "agent_id": agent_id, "resources": resources}


class Answer(NamedTuple):
    """What our master answered."""

    status: int
    headers: dict[str, str]
    body: bytes


def post(path: str, call: Any, headers: str = "") -> bytes:
    """Write a request with JSON."""
    body = json.dumps(call).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
    return f"{head}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(port: int, request: bytes) -> Answer:
    """Send a request on a connection of its own and read the answer."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection, connection.makefile("rb") as file:
        connection.sendall(request)
        status = int(file.readline().split(b" ")[1])
        lines = iter(file.readline, b"\r\n")
        pairs = (line.decode().rstrip("\r\n").partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs if name.lower() != "date"}
        return Answer(status, headers, file.read(int(headers["content-length"])))


class Operator:
    """Asks what was asked, with our ids, and compares what is answered."""

    def __init__(self, cluster: LocalCluster, agent_id: str, framework_id: str) -> None:
        """Learn what our things are called."""
        self.port = cluster.master_process.port
        agent = f"slave(1)@127.0.0.1:{cluster.agents[0].port}"
        self.ours = ((agent_id, "-S0"), (framework_id, "-0002"), (agent, "slave(1)@127.0.0.1:163"))
        self.differences: list[str] = []

    def replay(self, row: Recorded, ignored: frozenset[str] = frozenset()) -> None:
        """Ask, and note what is different. ignored: members that depend on how fast something was."""
        request = self._with_our_ids(row.request)
        answer = ask(self.port, request)
        wanted = row.status, {**row.headers, "content-length": ""}
        if (answer.status, {**answer.headers, "content-length": ""}) != wanted:
            self.differences.append(f"{row.title}: {answer} instead of {wanted}, {row.body!r}")
            return
        theirs, ours = in_order(self._plain(row.body)), in_order(self._plain(answer.body))
        if row.headers.get("content-type") == "application/json":
            theirs, ours = comparable(json.loads(theirs), ignored), comparable(json.loads(ours), ignored)
        if theirs != ours:
            self.differences.append(f"{row.title}:\n  {ours}\n  instead of\n  {theirs}")

    def compare(self, row: Recorded, event: Any) -> None:
        """Note what is different in an event; ids of offers count up."""
        ignored = frozenset({"id", "executor_ids"})
        theirs = comparable(json.loads(self._plain(row.body)), ignored)
        ours = comparable(json.loads(self._plain(json.dumps(event).encode())), ignored)
        if theirs != ours:
            self.differences.append(f"{row.title}:\n  {ours}\n  instead of\n  {theirs}")

    def _with_our_ids(self, request: bytes) -> bytes:
        """Put our agent's id into a request."""
        ours = re.sub(rb"[0-9a-f-]{36}-S0", self.ours[0][0].encode(), request)
        head, _, body = ours.partition(b"\r\n\r\n")
        return re.sub(rb"(?<=Content-Length: )\d+", str(len(body)).encode(), head) + b"\r\n\r\n" + body

    def _plain(self, body: bytes) -> str:
        """Write ids and ports in a way that is the same for theirs and ours."""
        text = body.decode()
        for ours, plain in self.ours:
            text = text.replace(ours, plain)
        text = re.sub(r"[0-9a-f-]{36}(?=-S0|-0002)", "", text)
        return re.sub(r"(slave\(1\)@127.0.0.1:163)\d\d", r"\1", text)


def in_order(text: str) -> str:
    """Sort what is left of "does not contain": the resources of a bag have no order."""
    left, verb, right = text.partition(" does not contain ")
    return "; ".join(sorted(left.split("; "))) + verb + right if verb else text


def comparable(value: Any, ignored: frozenset[str], name: str = "") -> Any:
    """Leave out what cannot be the same, and put into order what has none."""
    if isinstance(value, dict):
        left = {key: part for key, part in value.items() if key not in ignored}
        return {
            key: "volatile" if key in VOLATILE or is_place(key, part) else comparable(part, ignored, key)
            for key, part in left.items()
        }
    if isinstance(value, list):
        parts = [comparable(part, ignored) for part in value]
        return sorted(parts, key=json.dumps) if name in UNORDERED or is_resources(parts) else parts
    return value


def is_place(key: str, value: Any) -> bool:
    """Tell whether a member says which build this is or where it listens."""
    return key == "version" or (key == "port" and isinstance(value, int))


def is_resources(parts: list[Any]) -> bool:
    """Tell whether a list is one of resources, whose order means nothing."""
    return bool(parts) and all(isinstance(part, dict) and {"name", "type"} <= part.keys() for part in parts)


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """The recorded cluster. Its rounds are an hour apart: nothing is offered but when something happens."""
    with LocalCluster(
        agents=1,
        resources=RESOURCES,
        attributes="rack:r1;num:4.5;rng:[1-10]",
        master_flags={"hostname": "localhost", "registry": "in_memory", "allocation_interval": "1hrs"},
        agent_flags={"hostname": "localhost", "executor_registration_timeout": "1hrs"},
    ) as cluster:
        yield cluster


@pytest.fixture
def framework(cluster: LocalCluster) -> Iterator[Framework]:
    """The framework that runs meanwhile."""
    framework = Framework(cluster.master_process.port)
    yield framework
    framework.close()


def test_recorded_forms_are_answered_as_recorded(cluster: LocalCluster, framework: Framework) -> None:
    """The v0 endpoints for reservations, volumes, weights, quota and maintenance."""
    agent_id = framework.settle_in()
    framework.take_offers()
    operator = Operator(cluster, agent_id, framework.id)
    for row in recorded("endpoints"):
        if row.title in {"POST /unreserve again", "GET /slaves with unavailability"}:
            framework.take_offers()
        operator.replay(row)
    assert not operator.differences, "\n".join(operator.differences)


def test_recorded_calls_are_answered_as_recorded(cluster: LocalCluster, framework: Framework) -> None:
    """The v1 calls for the same, and those that deactivate, drain and end an agent."""
    agent_id = framework.settle_in()
    framework.take_offers()
    operator = Operator(cluster, agent_id, framework.id)
    port = operator.port
    told: dict[str, Any] = {}
    before: dict[str, Callable[[], None]] = {
        "GET_OPERATIONS": lambda: wait_until(lambda: asked(port, "GET_OPERATIONS") == {}),  # all are acknowledged
        "UNRESERVE_RESOURCES again": framework.take_offers,
        "GET_AGENTS drained": lambda: told.update(framework.acknowledge_ends(4)),
        "GET_AGENTS after drain+mark_gone": lambda: wait_until(lambda: asked(port, "GET_AGENTS")["agents"] == []),
    }
    ignored = {
        "GET_AGENTS while draining": {"allocated_resources"},  # some tasks have ended already
        "registry after gone": {"machines", "slaves", "schedules", "id"},  # those that are there are empty
    }
    for row in recorded("operator"):
        before.get(row.title, lambda: None)()
        if row.title in {"GET_AGENTS drained", "v0 /slaves drained"}:
            wait_until(lambda: asked(port, "GET_AGENTS")["agents"][0]["drain_info"]["state"] == "DRAINED")
        if row.title == "GET_AGENTS drained":
            shows_that_it_drained(cluster)
        if row.request:
            operator.replay(row, frozenset(ignored.get(row.title, ())))
        elif row.title == "event OFFERS":
            told["asked"], told["offered"] = framework.asked_to_leave()
            operator.compare(row, told.pop("offered"))
        elif row.title == "event INVERSE_OFFERS":
            operator.compare(row, told["asked"])
        else:
            framework.accept_inverse_offers(told.pop("asked"))
    assert not operator.differences, "\n".join(operator.differences)
    assert told == DRAINED


def shows_that_it_drained(cluster: LocalCluster) -> None:
    """Look at the agent: its endpoint and its disk."""
    agent = cluster.agents[0]
    state = json.loads(ask(agent.port, b"GET /state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").body)
    assert state["drain_config"] == {"max_grace_period": {"nanoseconds": 2000000000}, "mark_gone": False}
    assert isinstance(state["estimated_drain_start_time_seconds"], int)
    (file,) = agent.work_dir.rglob("drain.config")
    assert file.read_bytes() == DRAIN_CONFIG


def asked(port: int, kind: str) -> Any:
    """Make a call that asks for something."""
    return json.loads(ask(port, post("/api/v1", {"type": kind})).body)[kind.lower()]


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
