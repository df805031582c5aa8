"""Reservations and persistent volumes with real processes: data outlives tasks, agents and masters (V5, V7)."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from messor import LocalCluster

SECONDS = 60.0
ROLE = "db"
RESERVATIONS = [{"type": "DYNAMIC", "role": ROLE}]
VOLUME_INFO = {"persistence": {"id": "v1"}, "volume": {"mode": "RW", "container_path": "data"}}


class Framework:
    """A v1 scheduler that reads its events when asked for one."""

    def __init__(self, address: str) -> None:
        """Subscribe."""
        self.address = address
        self.seen: list[dict[str, Any]] = []
        """Events that nobody has asked for yet: task and operation updates come in any order."""
        self.offers: dict[str, dict[str, Any]] = {}
        """Those in hand, by id."""
        capabilities = [{"type": kind} for kind in ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE")]
        info = {"user": "root", "name": "volumes", "roles": [ROLE], "checkpoint": True, "failover_timeout": 3600.0}
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {**info, "capabilities": capabilities}}}
        self.connection = http.client.HTTPConnection(address, timeout=SECONDS)
        self.connection.request("POST", "/api/v1/scheduler", json.dumps(call), {"Content-Type": "application/json"})
        self.stream = self.connection.getresponse()
        self.stream_id = self.stream.headers["Mesos-Stream-Id"]
        self.id = self.event("SUBSCRIBED")["framework_id"]

    def event(self, kind: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Give the body of the first event of a kind that fits; task updates are acknowledged as they come."""
        deadline = time.monotonic() + SECONDS
        looked = 0
        while time.monotonic() < deadline:
            for number, event in enumerate(self.seen[looked:], looked):
                body: dict[str, Any] = event.get(event["type"].lower(), {})
                if event["type"] == kind and fits(body):
                    del self.seen[number]
                    return body
            looked = len(self.seen)
            self._read()
        raise AssertionError(f"no {kind} among {self.seen}")

    def _read(self) -> None:
        size = self.stream.readline()
        event = json.loads(self.stream.read(int(size)))
        self.seen.append(event)
        body = event.get(event["type"].lower(), {})
        if event["type"] == "OFFERS":
            self.offers.update({offer["id"]["value"]: offer for offer in body["offers"]})
        if event["type"] == "RESCIND":
            self.offers.pop(body["offer_id"]["value"], None)
        if event["type"] == "UPDATE" and "uuid" in body["status"]:
            status = body["status"]
            named = {key: status[key] for key in ("agent_id", "task_id", "uuid")}
            self.call("ACKNOWLEDGE", acknowledge=named)

    def close(self) -> None:
        """Disconnect."""
        self.stream.close()
        self.connection.close()

    def call(self, kind: str, **body: Any) -> None:
        """Make a call."""
        call = {"framework_id": self.id, "type": kind, **body}
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        headers = {"Content-Type": "application/json", "Mesos-Stream-Id": self.stream_id}
        connection.request("POST", "/api/v1/scheduler", json.dumps(call), headers)
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        connection.close()

    def offer(self, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Give a fitting offer in hand, or the first one to come."""
        while not (found := [offer for offer in self.offers.values() if fits(offer)]):
            self.event("OFFERS")
        return found[0]

    def offer_after(self, deed: Callable[[], None], fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Do what makes the master rescind a fitting offer, and wait for the next one."""
        old = self.offer(fits)["id"]
        deed()
        self.event("RESCIND", lambda body: bool(body["offer_id"] == old))
        return self.offer(fits)

    def accept(self, offer: dict[str, Any], *operations: dict[str, Any]) -> None:
        """Accept an offer."""
        del self.offers[offer["id"]["value"]]
        accept = {"offer_ids": [offer["id"]], "operations": operations, "filters": {"refuse_seconds": 0.0}}
        self.call("ACCEPT", accept=accept)

    def hears_of(self, *operations: str) -> None:
        """Wait until operations are finished, in order, and acknowledge that."""
        for name in operations:
            status = self.event("UPDATE_OPERATION_STATUS")["status"]
            assert status["operation_id"]["value"] == name
            assert status["state"] == "OPERATION_FINISHED", status
            named = {"agent_id": status["agent_id"], "uuid": status["uuid"]["value"]}
            self.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status={
                **named, "operation_id": status["operation_id"],
            })  # fmt: skip

    def ends(self, task: str) -> str:
        """Give the state in which a task ended."""
        states = ("TASK_FINISHED", "TASK_FAILED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED")
        status = self.event(
            "UPDATE", lambda body: body["status"]["task_id"]["value"] == task and body["status"]["state"] in states
        )["status"]
        state: str = status["state"]
        return state if "message" not in status or state == "TASK_FINISHED" else f"{state}: {status['message']}"


def scalar(name: str, value: float, **more: Any) -> dict[str, Any]:
    """Make a scalar resource of the role."""
    allocated = {"allocation_info": {"role": ROLE}, **more}
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **allocated}


DISK = scalar("disk", 64, reservations=RESERVATIONS)
VOLUME = scalar("disk", 64, reservations=RESERVATIONS, disk=VOLUME_INFO)


def launch(offer: dict[str, Any], task: str, command: str, **volume: Any) -> dict[str, Any]:
    """Launch a task on the volume."""
    resources = [scalar("cpus", 0.1), scalar("mem", 32), {**VOLUME, **volume}]
    info = {"name": task, "task_id": {"value": task}, "agent_id": offer["agent_id"], "resources": resources}
    return {"type": "LAUNCH", "launch": {"task_infos": [{**info, "command": {"value": command}}]}}


def has_volume(offer: dict[str, Any]) -> bool:
    """Whether an offer has the volume, and enough to run a task."""
    names = {resource["name"] for resource in offer["resources"] if "disk" not in resource}
    return {"cpus", "mem"} <= names and any("persistence" in one.get("disk", {}) for one in offer["resources"])


def is_spoken_of(cluster: LocalCluster) -> int:
    """Count the operations that master and agent still know."""
    return sum(
        len(operator(address, "GET_OPERATIONS").get("operations", ()))
        for address in (cluster.master, f"127.0.0.1:{cluster.agents[0].port}")
    )


def wait_until_nothing_is_spoken_of(cluster: LocalCluster) -> None:
    """Wait until all operations are acknowledged everywhere."""
    deadline = time.monotonic() + SECONDS
    while spoken := is_spoken_of(cluster):
        assert time.monotonic() < deadline, f"{spoken} operations are still known"
        time.sleep(0.05)


def operator(address: str, kind: str, **body: Any) -> Any:
    """Make an operator call; gives its answer's body, or status and text when there is none."""
    connection = http.client.HTTPConnection(address, timeout=SECONDS)
    call = {"type": kind, **({kind.lower(): body} if body else {})}
    connection.request("POST", "/api/v1", json.dumps(call), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return json.loads(text)[kind.lower()] if answer.status == 200 and text else (answer.status, text.decode())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """One master, one agent."""
    with LocalCluster(agents=1, work_dir=tmp_path / "cluster", resources="cpus:2;mem:1024;disk:1000") as running:
        yield running


def test_what_a_task_writes_into_a_volume_stays(cluster: LocalCluster) -> None:
    """Through the task's end, the agent's death and the master's; DESTROY deletes it, and what was reserved is free."""
    framework = Framework(cluster.master)
    offer = framework.offer()
    framework.accept(
        offer,
        {"type": "RESERVE", "id": {"value": "reserve"}, "reserve": {"resources": [DISK]}},
        {"type": "CREATE", "id": {"value": "create"}, "create": {"volumes": [VOLUME]}},
        launch(offer, "writer", "echo precious > data/file"),
    )
    framework.hears_of("reserve", "create")
    assert framework.ends("writer") == "TASK_FINISHED"
    (file,) = Path(cluster.agents[0].work_dir).glob("volumes/roles/db/v1/file")
    assert file.read_text() == "precious\n"
    wait_until_nothing_is_spoken_of(cluster)

    offer = framework.offer_after(cluster.agents[0].restart, has_volume)
    read_only = {**VOLUME_INFO, "volume": {"mode": "RO", "container_path": "data"}}
    framework.accept(offer, launch(offer, "reader", "grep precious data/file", disk=read_only))
    assert framework.ends("reader") == "TASK_FINISHED"

    framework.close()
    cluster.restart_master()
    cluster.wait_for_agents(1)
    framework = Framework(cluster.master)
    offer = framework.offer(has_volume)
    assert file.read_text() == "precious\n"
    framework.accept(
        offer,
        {"type": "DESTROY", "id": {"value": "destroy"}, "destroy": {"volumes": [VOLUME]}},
        {"type": "UNRESERVE", "id": {"value": "unreserve"}, "unreserve": {"resources": [DISK]}},
    )
    framework.hears_of("destroy", "unreserve")
    assert not file.parent.exists()
    offer = framework.offer(lambda offer: any(one["name"] == "disk" for one in offer["resources"]))
    assert [(one["name"], one.get("reservations")) for one in offer["resources"] if one["name"] == "disk"] == [
        ("disk", None)
    ]
    framework.close()


def test_operators_take_what_is_offered_but_not_what_is_used(cluster: LocalCluster, tmp_path: Path) -> None:
    """Offers are rescinded to make room; volumes in use and resources in use are refused (O12, O13)."""
    framework = Framework(cluster.master)
    offer = framework.offer()
    agent_id = offer["agent_id"]
    plain = [{key: value for key, value in one.items() if key != "allocation_info"} for one in (DISK, VOLUME)]
    assert operator(cluster.master, "RESERVE_RESOURCES", agent_id=agent_id, resources=plain[:1]) == (202, "")
    assert framework.event("RESCIND")["offer_id"] == offer["id"]
    assert operator(cluster.master, "CREATE_VOLUMES", agent_id=agent_id, volumes=plain[1:]) == (202, "")
    offer = framework.offer(has_volume)
    end = tmp_path / "end"
    framework.accept(offer, launch(offer, "user", f"touch data/mine; until test -e {end}; do sleep 0.1; done"))
    framework.event("UPDATE", lambda body: body["status"]["state"] == "TASK_RUNNING")
    refused = operator(cluster.master, "DESTROY_VOLUMES", agent_id=agent_id, volumes=plain[1:])
    assert refused == (400, "Invalid DESTROY operation: Persistent volumes in use")
    status, text = operator(cluster.master, "UNRESERVE_RESOURCES", agent_id=agent_id, resources=plain[:1])
    assert status == 409
    assert text.endswith(" does not contain disk(reservations: [(DYNAMIC,db)]):64")
    end.touch()
    assert framework.ends("user") == "TASK_FINISHED"
    assert operator(cluster.master, "DESTROY_VOLUMES", agent_id=agent_id, volumes=plain[1:]) == (202, "")
    assert operator(cluster.master, "UNRESERVE_RESOURCES", agent_id=agent_id, resources=plain[:1]) == (202, "")
    wait_until_nothing_is_spoken_of(cluster)
    assert not list(Path(cluster.agents[0].work_dir).glob("volumes/roles/db/*"))
    framework.close()


def test_a_path_disk_holds_volumes_below_its_root(tmp_path: Path) -> None:
    """Beside the agent's own disk, told apart in offers by its root (V8)."""
    source = {"source": {"type": "PATH", "path": {"root": str(tmp_path / "second")}}}
    numbers = {"cpus": 2, "mem": 1024, "disk": 500}
    resources = [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in numbers.items()]
    resources.append({"name": "disk", "type": "SCALAR", "scalar": {"value": 300}, "disk": source})
    disk = {**DISK, "disk": source}
    volume = {**DISK, "disk": {**source, **VOLUME_INFO}}
    with LocalCluster(agents=1, work_dir=tmp_path / "cluster", resources=json.dumps(resources)) as cluster:
        framework = Framework(cluster.master)
        offer = framework.offer()
        assert {one["scalar"]["value"]: one.get("disk") for one in offer["resources"] if one["name"] == "disk"} == {
            500.0: None,
            300.0: source,
        }
        framework.accept(
            offer,
            {"type": "RESERVE", "id": {"value": "reserve"}, "reserve": {"resources": [disk]}},
            {"type": "CREATE", "id": {"value": "create"}, "create": {"volumes": [volume]}},
            launch(offer, "writer", "echo precious > data/file", disk=volume["disk"]),
        )
        framework.hears_of("reserve", "create")
        assert framework.ends("writer") == "TASK_FINISHED"
        file = tmp_path / "second/volumes/roles/db/v1/file"
        assert file.read_text() == "precious\n"
        offer = framework.offer_after(cluster.agents[0].restart, has_volume)
        framework.accept(offer, {"type": "DESTROY", "id": {"value": "destroy"}, "destroy": {"volumes": [volume]}})
        framework.hears_of("destroy")
        assert not file.parent.exists()
        framework.close()
