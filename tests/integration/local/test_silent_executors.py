"""Custom executors that never register, are killed or end before, or do not come back: as recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interop.raw import SECONDS, RawScheduler, post
from messor import LocalCluster

FLAGS = {
    "executor_registration_timeout": "8secs",
    "executor_reregistration_timeout": "1secs",
    "executor_shutdown_grace_period": "1secs",
    "hostname": "localhost",
}
AGENT = {"source": "SOURCE_AGENT", "uuid": True}


def resources() -> list[dict[str, Any]]:
    """Give what tasks and executors take."""
    return [{"name": n, "type": "SCALAR", "scalar": {"value": v}} for n, v in (("cpus", 0.1), ("mem", 32))]


class Desk:
    """A checkpointing, partition-aware framework on one agent."""

    def __init__(self, cluster: LocalCluster) -> None:
        """Subscribe."""
        capabilities = [{"type": "PARTITION_AWARE"}]
        info = {"user": "root", "name": "x", "checkpoint": True, "failover_timeout": 60.0, "capabilities": capabilities}
        self.cluster = cluster
        self.framework = RawScheduler(cluster.master_process.port, info)
        self.agent_id = self.framework.offer()["agent_id"]

    def task(self, name: str, command: str, cpus: float = 0.1) -> dict[str, Any]:
        """Describe a task ``name`` of an executor ``e-name``; cpus: of the executor."""
        executor = {
            "executor_id": {"value": f"e-{name}"},
            "framework_id": {"value": self.framework.framework_id},
            "command": {"value": command},
            "resources": [dict(r, scalar={"value": cpus}) if r["name"] == "cpus" else r for r in resources()],
        }
        base = {"name": name, "task_id": {"value": name}, "agent_id": self.agent_id}
        return {**base, "executor": executor, "resources": resources()}

    def end_of(self, name: str) -> tuple[dict[str, Any], list[str]]:
        """Wait for a task's only status; gives it and what kinds of events about it came, in order."""

        def about(event: dict[str, Any]) -> bool:
            status = event.get("update", {}).get("status", {})
            executor = event.get("failure", {}).get("executor_id", {})
            return name in (status.get("task_id", {}).get("value"), executor.get("value", "")[2:])

        self.framework.wait(lambda event: event["type"] == "UPDATE" and about(event))
        events = [event for event in self.framework.events if about(event)]
        updates = [event["update"]["status"] for event in events if event["type"] == "UPDATE"]
        assert len(updates) == 1
        status = {key: updates[0][key] for key in updates[0] if key not in ("agent_id", "timestamp", "task_id")}
        status["uuid"] = "uuid" in status
        kinds = [f"FAILURE {event['failure']['status']}" if "failure" in event else "UPDATE" for event in events]
        return status, kinds


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A cluster with little patience."""
    with LocalCluster(agents=1, work_dir=tmp_path, resources="cpus:8;mem:4096", agent_flags=FLAGS) as cluster:
        one = Desk(cluster)
        yield one
        one.framework.close()


def expected(name: str, state: str, reason: str, message: str) -> dict[str, Any]:
    """Give a status as recorded: without a word about the container, which is not there any more, or not yet."""
    return {**AGENT, "state": state, "reason": reason, "message": message, "executor_id": {"value": f"e-{name}"}}


def test_executors_that_do_not_register_end_as_recorded(desk: Desk) -> None:
    """By timeout, by themselves, by KILL of their task, and by SHUTDOWN; their loss is told before the task's end."""
    framework = desk.framework
    framework.launch(
        desk.task("silent", "sleep 600"),
        desk.task("brief", "exit 0"),
        desk.task("killed", "touch begun; sleep 600"),
        desk.task("shut", "touch begun; sleep 600"),
    )
    deadline = time.monotonic() + SECONDS
    while len(set(desk.cluster.work_dir.glob("agent-0/slaves/*/frameworks/*/executors/*/runs/latest/begun"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    framework.call({"type": "KILL", "kill": {"task_id": {"value": "killed"}}})
    framework.call({"type": "SHUTDOWN", "shutdown": {"executor_id": {"value": "e-shut"}, "agent_id": desk.agent_id}})
    gone = "REASON_EXECUTOR_TERMINATED"
    assert desk.end_of("brief") == (
        expected("brief", "TASK_FAILED", gone, "Executor terminated"),
        ["FAILURE 0", "UPDATE"],
    )
    status, kinds = desk.end_of("killed")
    text = "Killed before delivery to the executor"
    assert status == expected("killed", "TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH", text)
    assert kinds[0] == "UPDATE"
    assert desk.end_of("shut") == (
        expected("shut", "TASK_FAILED", gone, "Executor terminated"),
        ["FAILURE 9", "UPDATE"],
    )
    text = "Executor did not register within 8secs"
    assert desk.end_of("silent") == (
        expected("silent", "TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT", text),
        ["FAILURE 9", "UPDATE"],
    )


def test_an_executor_that_does_not_come_back_is_gone(desk: Desk) -> None:
    """It subscribed over HTTP, and its agent was restarted."""
    desk.framework.launch(desk.task("x", "sleep 600"))
    agent = desk.cluster.agents[0]
    ids = f'"framework_id":{{"value":"{desk.framework.framework_id}"}},"executor_id":{{"value":"e-x"}}'
    body = f'{{"type":"SUBSCRIBE",{ids},"subscribe":{{}}}}'.encode()
    deadline = time.monotonic() + SECONDS
    while not list(agent.work_dir.glob("meta/slaves/*/frameworks/*/executors/e-x/runs/*/http.marker")):
        assert time.monotonic() < deadline
        _subscribe(agent.port, body)
    agent.kill()
    agent.restart()
    assert desk.end_of("x") == (
        expected(
            "x", "TASK_GONE", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT", "Executor did not reregister within 1secs"
        ),
        ["FAILURE 9", "UPDATE"],
    )


def _subscribe(port: int, body: bytes) -> None:
    """Subscribe as an executor and hang up soon."""
    with contextlib.suppress(TimeoutError):
        post(port, "/api/v1/executor", body, "Accept: application/json\r\n", seconds=0.3)


def test_a_different_executor_of_the_same_name_is_refused(desk: Desk) -> None:
    """The first task's description counts; both are shown."""
    first, second = desk.task("a", "sleep 600"), desk.task("b", "sleep 600", cpus=0.2)
    second["executor"]["executor_id"] = first["executor"]["executor_id"]
    desk.framework.launch(first, second)
    status = desk.framework.status("b", "TASK_ERROR")
    assert status["reason"] == "REASON_TASK_INVALID"
    lines = status["message"].split("\n")
    assert lines[0] == "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID."
    assert lines[1] == "-" * 60
    assert lines[2:4] == ["Existing ExecutorInfo:", "executor_id {"]
    assert "    value: 0.2" in lines[lines.index("ExecutorInfo:") :]
