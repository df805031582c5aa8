"""Replays what a real agent was given and compares every status that came of it, key by key."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interop.raw import RawScheduler
from messor import LocalCluster

RECORDING = Path(__file__).parent / "recorded_sequences.txt"
TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_DROPPED", "TASK_LOST", "TASK_ERROR"}
CAPABLE = [{"type": "PARTITION_AWARE"}, {"type": "TASK_KILLING_STATE"}]
WAIT = 60.0


class Case(NamedTuple):
    """One recorded task: what it was, when it was killed, and its statuses with their seconds."""

    name: str
    agent: str
    title: str
    task: dict[str, Any]
    kills: list[tuple[float, dict[str, Any]]]
    statuses: list[tuple[float, dict[str, Any]]]


def read_cases() -> list[Case]:
    """Read the recording."""
    cases = []
    for part in RECORDING.read_text().split("\n## ")[1:]:
        heading, task, kills, *statuses = part.strip().splitlines()
        name, agent, title = heading.split(" ", 2)
        timed = [(float(seconds), json.loads(text)) for seconds, _, text in (line.partition(" ") for line in statuses)]
        cases.append(Case(name, agent.strip("[]"), title, json.loads(task), json.loads(kills), timed))
    return cases


CASES = read_cases()


def normal(status: dict[str, Any], work_dir: Path) -> dict[str, Any]:
    """Cut ids, pids and times out of a status, as they are cut out of the recording."""
    kept = {key: value for key, value in status.items() if key not in ("agent_id", "timestamp")}
    kept["uuid"] = "uuid" in status
    if "uuid" in status:
        assert len(base64.b64decode(status["uuid"])) == 16
    if "container_status" in kept:
        container = dict(kept["container_status"], container_id="ID")
        if "executor_pid" in container:
            container["executor_pid"] = "PID"
        kept["container_status"] = container
    if "message" in kept:
        text = kept["message"].replace(str(work_dir), "WORK")
        kept["message"] = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}(-\w\d+|-\d{4})?", "ID", text)
    return kept


def seconds_left_alone(case: Case) -> float:
    """Say how long a task that ignores SIGTERM lives at least, after the first call that kills it."""
    if 'trap \\"\\"' not in json.dumps(case.task):
        return 0.0
    grace = case.task.get("kill_policy", {}).get("grace_period", {}).get("nanoseconds", 3e9) / 1e9
    if case.agent == "http":
        # Only there calls are heard, and later ones can only shorten.
        for seconds, call in case.kills:
            told = call.get("kill_policy", {}).get("grace_period", {}).get("nanoseconds")
            grace = grace if told is None else told / 1e9 if seconds == 0 else min(grace, max(seconds, told / 1e9))
    return float(grace)


class Replay:
    """Runs many cases at once on one agent and keeps what was heard of each."""

    def __init__(self, cluster: LocalCluster, folder: Path, capabilities: list[dict[str, str]]) -> None:
        """Subscribe."""
        info = {"user": "root", "name": "replay", "capabilities": capabilities}
        self.framework = RawScheduler(cluster.master_process.port, info)
        self.folder = folder
        self.heard: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        self.zero: dict[str, float] = {}
        self._seen = 0

    def run(self, cases: list[Case]) -> None:
        """Launch them all, kill those that were killed, and listen until every one has ended."""
        offer = self.framework.offer()
        tasks = [self._task(case, offer) for case in cases]
        begun = time.monotonic()
        self.framework.launch(*tasks)
        waiting = {case.name: list(case.kills) for case in cases}
        for case in cases:
            self.heard[case.name] = []
            self.zero[case.name] = begun
        if "killearly" in waiting:
            self._kill(offer, "killearly", waiting["killearly"].pop(0)[1])
        while not all(self._is_done(case.name) for case in cases):
            assert time.monotonic() < begun + WAIT, [case.name for case in cases if not self._is_done(case.name)]
            self._listen()
            for case in cases:
                self._kill_when_due(case, offer, waiting[case.name])

    def _task(self, case: Case, offer: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(case.task).replace("FILES", str(self.folder / "files")).replace("TMP", str(self.folder))
        task: dict[str, Any] = dict(json.loads(text), agent_id=offer["agent_id"])
        if "executor" in task:
            task["executor"]["framework_id"] = {"value": self.framework.framework_id}
        return task

    def _is_done(self, name: str) -> bool:
        return any(status["state"] in TERMINAL for _, status in self.heard[name])

    def _kill_when_due(self, case: Case, offer: dict[str, Any], kills: list[tuple[float, dict[str, Any]]]) -> None:
        """The first kill comes when the task says that it is ready, the others after it."""
        if not kills:
            return
        if len(kills) == len(case.kills):
            ready = self.folder / f"ready.{case.name}"
            is_running = any(status["state"] == "TASK_RUNNING" for _, status in self.heard[case.name])
            if not (ready.exists() if "ready." in json.dumps(case.task) else is_running):
                return
            self.zero[case.name] = time.monotonic()
        elif time.monotonic() < self.zero[case.name] + kills[0][0]:
            return
        self._kill(offer, case.name, kills.pop(0)[1])

    def _kill(self, offer: dict[str, Any], name: str, policy: dict[str, Any]) -> None:
        call = {"task_id": {"value": name}, "agent_id": offer["agent_id"], **policy}
        assert self.framework.call({"type": "KILL", "kill": call})[0] == 202

    def _listen(self) -> None:
        self.framework.read_for(0.02)
        for event in self.framework.events[self._seen :]:
            if event["type"] != "UPDATE":
                continue
            status = event["update"]["status"]
            name = status["task_id"]["value"]
            self.heard[name].append((time.monotonic(), status))
            if name == "exkill" and status["state"] == "TASK_RUNNING":
                os.kill(status["container_status"]["executor_pid"], signal.SIGKILL)
            if "uuid" in status:
                keys = {"agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"]}
                assert self.framework.call({"type": "ACKNOWLEDGE", "acknowledge": keys})[0] == 202
        self._seen = len(self.framework.events)


def make_files(folder: Path) -> None:
    """What the fetched cases fetch."""
    files = folder / "files"
    (files / "x").mkdir(parents=True)
    (files / "x" / "hello.txt").write_text("hello\n")
    (files / "script.sh").write_text("#!/bin/sh\necho script\n")
    with tarfile.open(files / "arch.tar.gz", "w:gz") as archive:
        archive.add(files / "x" / "hello.txt", "hello.txt")


@pytest.fixture(scope="module")
def replays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Replay, LocalCluster]]]:
    """One cluster per kind of agent, with all its cases played."""
    done: dict[str, tuple[Replay, LocalCluster]] = {}
    clusters = []
    try:
        for kind, flags in (("plain", {}), ("http", {"http_command_executor": "true"})):
            folder = tmp_path_factory.mktemp(kind)
            folder.chmod(0o755)
            make_files(folder)
            cluster = LocalCluster(agents=1, resources="cpus:16;mem:8192", agent_flags=flags)
            clusters.append(cluster.start())
            replay = Replay(cluster, folder, CAPABLE)
            replay.run([case for case in CASES if case.agent == kind and case.name != "k18"])
            replay.framework.close()  # or it would hold what the next framework waits for
            done[kind] = (replay, cluster)
            if kind == "plain":
                modest = Replay(cluster, folder, CAPABLE[:1])
                modest.run([case for case in CASES if case.name == "k18"])
                replay.heard.update(modest.heard)
                replay.zero.update(modest.zero)
                modest.framework.close()
        yield done
    finally:
        for cluster in clusters:
            cluster.stop()


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case.name}: {case.title}", marks=[pytest.mark.root] if "user" in case.name else [])
        for case in CASES
    ],
)
def test_a_task_gets_the_recorded_statuses(case: Case, replays: dict[str, tuple[Replay, LocalCluster]]) -> None:
    """Every status, every key, in order; what ignores SIGTERM lives at least as long as its grace lasts."""
    replay, cluster = replays[case.agent]
    work_dir = cluster.agents[0].work_dir
    heard = replay.heard[case.name]
    assert [normal(status, work_dir) for _, status in heard] == [status for _, status in case.statuses]
    if case.kills and case.name != "killearly":
        assert heard[-1][0] - replay.zero[case.name] > seconds_left_alone(case)
