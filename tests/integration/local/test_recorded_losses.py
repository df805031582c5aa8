"""Replays how an agent was lost in every way, and compares what four kinds of frameworks heard of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interop.raw import RawScheduler, post
from messor import LocalCluster

RECORDING = Path(__file__).parent / "recorded_losses.txt"
KINDS = {"aware-ckpt": "ta", "aware-nockpt": "tb", "plain-nockpt": "tn", "plain-ckpt": "tx"}
"""Kind of framework and the name of its first task; later rounds put a number before it."""
WAIT = 60.0
SIGNALS = {"SIGSTOP": signal.SIGSTOP, "SIGCONT": signal.SIGCONT, "SIGUSR1": signal.SIGUSR1}
FLAGS = {"agent_ping_timeout": "1secs", "max_agent_ping_timeouts": "4"}
UPDATE = b"\x08\x00"
"""How a checkpointed update begins, unlike an acknowledgement."""
NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}(?:-(S\d))?")

Heard = dict[str, list[dict[str, Any]]]


def read_phases() -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Read the recording: phases with their lines, each of one framework."""
    phases = []
    for part in RECORDING.read_text().split("\n## ")[1:]:
        title, *lines = part.strip().splitlines()
        entries = [(kind, json.loads(text)) for kind, _, text in (line.partition(" ") for line in lines)]
        phases.append((title, entries))
    return phases


def normal(event: dict[str, Any]) -> dict[str, Any]:
    """Cut ids, pids and times out of an event, as they are cut out of the recording."""
    found: dict[str, Any] = json.loads(NAMES.sub(lambda match: match.group(1) or "ID", json.dumps(event)))
    status = found.get("update", {}).get("status")
    if status is not None:
        del status["timestamp"]
        status["uuid"] = "uuid" in status
        if "unreachable_time" in status:
            status["unreachable_time"] = "TIME"
        if "executor_pid" in status.get("container_status", {}):
            status["container_status"]["executor_pid"] = "PID"
    return found


def by_kind(entries: list[tuple[str, dict[str, Any]]]) -> dict[str, list[str]]:
    """Group events by framework; those of one moment have no order, but an agent's loss is told after its tasks'."""
    groups: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for kind, event in entries:
        if "type" in event:
            groups[kind].append(json.dumps(event, sort_keys=True))
    for events in groups.values():
        assert all("FAILURE" not in event for event in events[:-1])
        events.sort()
    return groups


def unacknowledged(work_dir: Path) -> int:
    """Count the updates whose acknowledgement an agent has not checkpointed."""
    logs = {
        log.resolve() for log in work_dir.glob("meta/slaves/*/frameworks/*/executors/*/runs/*/tasks/*/task.updates")
    }
    left = 0
    for log in logs:
        data = log.read_bytes()
        while data:
            length = int.from_bytes(data[:4], "little")
            left += 1 if data[4:6] == UPDATE else -1
            data = data[4 + length :]
    return left


class Play:
    """The cluster, the four frameworks, and what they heard in the present phase."""

    def __init__(self, cluster: LocalCluster) -> None:
        """Subscribe all four."""
        self.cluster = cluster
        self.agent = cluster.agents[0]
        self.frameworks: dict[str, RawScheduler] = {}
        self.seen: dict[str, int] = {}
        for kind in KINDS:
            capabilities = [{"type": "PARTITION_AWARE"}] if kind.startswith("aware") else []
            info = {"user": "root", "name": kind, "checkpoint": kind.endswith("-ckpt"), "capabilities": capabilities}
            self.frameworks[kind] = RawScheduler(cluster.master_process.port, {**info, "failover_timeout": 100.0})
            self.frameworks[kind].call({"type": "SUPPRESS"})
            self.seen[kind] = 0
        self.round = 0
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.agent_id = ""

    def listen(self, until: Callable[[], bool]) -> None:
        """Take in events, acknowledging them, until something holds."""
        deadline = time.monotonic() + WAIT
        while not until():
            assert time.monotonic() < deadline, self.heard
            for kind, framework in self.frameworks.items():
                framework.read_for(0.01)
                for event in framework.events[self.seen[kind] :]:
                    self._take(kind, framework, event)
                self.seen[kind] = len(framework.events)

    def _take(self, kind: str, framework: RawScheduler, event: dict[str, Any]) -> None:
        if event["type"] == "OFFERS":
            ids = [offer["id"] for offer in event["offers"]["offers"]]
            framework.call({"type": "DECLINE", "decline": {"offer_ids": ids, "filters": {"refuse_seconds": 0}}})
        if event["type"] not in ("UPDATE", "FAILURE"):
            return
        self.heard.append((kind, normal(event)))
        status = event.get("update", {}).get("status", {})
        if "uuid" in status:
            keys = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
            framework.call({"type": "ACKNOWLEDGE", "acknowledge": keys})

    def count(self, expected: list[tuple[str, dict[str, Any]]]) -> Callable[[], bool]:
        """Tell whether as many events came as were recorded."""
        wanted = sum("type" in event for _, event in expected)
        return lambda: len(self.heard) >= wanted

    def launch(self, kind: str) -> None:
        """Revive one framework, launch a task, and suppress it again."""
        framework = self.frameworks[kind]
        del framework.events[: self.seen[kind]]
        framework.call({"type": "REVIVE"})
        offer = framework.offer()
        self.seen[kind] = len(framework.events)
        self.agent_id = offer["agent_id"]["value"]
        framework.call({"type": "SUPPRESS"})
        resources = [{"name": n, "type": "SCALAR", "scalar": {"value": v}} for n, v in (("cpus", 0.1), ("mem", 32))]
        task = {"name": "t", "task_id": {"value": self.task(kind)}, "command": {"value": "sleep 500"}}
        framework.launch({**task, "agent_id": offer["agent_id"], "resources": resources}, filters={"refuse_seconds": 0})

    def task(self, kind: str) -> str:
        """Name the task of the present round."""
        return (str(self.round) if self.round > 1 else "") + KINDS[kind]

    def reconcile(self) -> None:
        """Ask three times per framework, as recorded."""
        for kind, framework in self.frameworks.items():
            task = {"task_id": {"value": self.task(kind)}}
            for tasks in ([{**task, "agent_id": {"value": self.agent_id}}], [task], []):
                assert framework.call({"type": "RECONCILE", "reconcile": {"tasks": tasks}})[0] == 202

    def renew_agent(self) -> None:
        """Start the agent as another one."""
        self.agent.kill()
        shutil.rmtree(self.agent.work_dir)
        self.agent.restart()

    def mark_gone(self) -> None:
        """Have the operator mark the agent gone."""
        call = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": self.agent_id}}}
        assert post(self.cluster.master_process.port, "/api/v1", json.dumps(call).encode())[0] == 200

    def act(self, title: str) -> None:
        """Do what was done at the beginning of a phase."""
        beginning = next((words for words in SIGNALS if title.startswith(words)), None)
        if beginning is not None:
            self._signal(SIGNALS[beginning])
        elif title.startswith(("each framework", "second", "third", "new agent")):
            self._next_round(title)
        elif title.startswith("RECONCILE"):
            self.reconcile()
        elif title.startswith("KILL"):
            for kind, framework in self.frameworks.items():
                framework.call({"type": "KILL", "kill": {"task_id": {"value": self.task(kind)}}})
        elif title.startswith("agent process SIGKILLed"):
            deadline = time.monotonic() + WAIT
            while unacknowledged(self.agent.work_dir):  # they would come again
                assert time.monotonic() < deadline
                time.sleep(0.02)
            self.agent.kill()
        elif title.startswith("agent restarted"):
            self.agent.restart()
        elif title.startswith("MARK_AGENT_GONE"):
            self.mark_gone()

    def _next_round(self, title: str) -> None:
        self.round += 1
        if title.startswith("new agent"):
            self.renew_agent()
        for kind in KINDS:
            self.launch(kind)
        if title.endswith("SIGTERM to the agent"):
            self.listen(lambda: len(self.heard) == 2 * len(KINDS))
            self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        assert self.agent.pid is not None
        os.kill(self.agent.pid, number)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """A cluster whose agents are soon given up."""
    flags = {"hostname": "localhost"}
    with LocalCluster(
        agents=1, work_dir=tmp_path, resources="cpus:4;mem:2048", master_flags=FLAGS, agent_flags=flags
    ) as cluster:
        playing = Play(cluster)
        yield playing
        for framework in playing.frameworks.values():
            framework.close()


def test_the_loss_of_an_agent_is_told_as_recorded(play: Play) -> None:
    """Unreachable, back, dead, restarted, gone, unregistered, terminated: each status of each kind of framework."""
    for title, expected in read_phases():
        if title.startswith(("master counters", "agent exit")):
            continue
        play.heard.clear()
        play.act(title)
        play.listen(play.count(expected))
        heard, recorded = by_kind(play.heard), by_kind(expected)
        for kind in KINDS:
            assert "\n".join(heard[kind]) == "\n".join(recorded[kind]), f"{kind}: {title}"
