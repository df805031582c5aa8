"""The commands that ask a master, as people type them, against a real cluster."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from messor import LocalCluster
from messor.local.probe import get_json

RESOURCES = "cpus:4;mem:2048;disk:1000"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master, two agents."""
    with LocalCluster(agents=2, work_dir=tmp_path_factory.mktemp("asking"), resources=RESOURCES) as running:
        yield running


@pytest.fixture(scope="module")
def sleeper(cluster: LocalCluster) -> Iterator[str]:
    """A task that sleeps; gives its id."""
    command = "import sys; from messor.cli.main import execute; sys.exit(execute())"
    flags = [f"--master={cluster.master}", "--name=sleeper", "--command=sleep 10000", "--resources=cpus:1;mem:64"]
    running = subprocess.Popen(
        [sys.executable, "-u", "-c", command, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "TASK_RUNNING" in line:
            break
    yield "sleeper"
    running.terminate()
    running.communicate(timeout=60)


def messor(cluster: LocalCluster, *arguments: str, environment: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command against the cluster."""
    where = {"MESOS_MASTER": cluster.master} if environment else {}
    flags = [] if environment else [f"--master={cluster.master}"]
    return subprocess.run(
        [sys.executable, "-m", "messor.cli.main", *arguments, *flags],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", **where},
    )


def test_why_tells_of_a_task_and_its_framework(cluster: LocalCluster, sleeper: str) -> None:
    """Running, and that its framework suppressed offers."""
    done = messor(cluster, "why", sleeper, environment=True)
    assert done.returncode == 0, done.stderr
    assert "is TASK_RUNNING; it was launched" in done.stdout
    assert "suppressed offers for role '*'" in done.stdout
    assert "The framework uses cpus:1; mem:64 here" in done.stdout


def test_why_gives_json_and_narrows_to_an_agent(cluster: LocalCluster, sleeper: str) -> None:
    """For programs."""
    del sleeper
    agent = get_json(*_address(cluster), "/slaves")["slaves"][0]["id"]
    answer = json.loads(messor(cluster, "why", "*", "--as=role", f"--agent={agent}", "--json").stdout)
    assert [verdict["agent"] for verdict in answer["verdicts"]] == [agent]
    assert answer["round"]["number"] > 0


def test_why_of_nothing_fails_with_a_sentence(cluster: LocalCluster) -> None:
    """On stderr, with status 2."""
    done = messor(cluster, "why", "nobody-knows")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no framework, task or role 'nobody-knows'" in done.stderr


@pytest.mark.parametrize(
    ("resources", "count", "status", "words"),
    [
        ("cpus:1;mem:64", 1, 0, "Yes: 1 × cpus:1; mem:64"),
        ("cpus:4;mem:64", 2, 1, "Not now: 2 × cpus:4; mem:64"),
        ("cpus:5", 1, 3, "Never on the agents there are"),
        ("cpus:", 1, 2, ""),
    ],
)
def test_fit_tells_by_its_status(
    cluster: LocalCluster, sleeper: str, resources: str, count: int, status: int, words: str
) -> None:
    """0 now, 1 if others end, 3 never, 2 for nonsense."""
    del sleeper
    done = messor(cluster, "fit", f"--resources={resources}", f"--count={count}")
    assert done.returncode == status, done
    assert words in done.stdout


def test_validate_checks_against_what_agents_have(cluster: LocalCluster, tmp_path: Path) -> None:
    """Valid by itself, too large for any of them."""
    task = {
        "name": "t",
        "task_id": {"value": "t1"},
        "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 5}}],
        "command": {"value": "true"},
    }
    path = tmp_path / "task.json"
    path.write_text(json.dumps(task))
    done = messor(cluster, "validate", str(path))
    assert done.returncode == 1
    assert "is more than available" in done.stdout
    task["resources"][0]["scalar"]["value"] = 2  # type: ignore[index]
    path.write_text(json.dumps(task))
    done = messor(cluster, "validate", str(path))
    assert done.returncode == 0, done.stdout
    assert "on 2 of 2 agents" in done.stdout


def test_top_prints_one_table(cluster: LocalCluster, sleeper: str) -> None:
    """Roles and frameworks."""
    del sleeper
    done = messor(cluster, "top", "--once")
    assert done.returncode == 0, done.stderr
    assert "2 agents" in done.stdout
    assert "mesos-execute instance" in done.stdout
    assert "cpus:1 mem:64" in done.stdout


def test_top_refreshes_a_terminal_until_it_is_interrupted(cluster: LocalCluster, sleeper: str) -> None:
    """On the screen's other page, which is left behind as it was."""
    del sleeper
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "messor.cli.main", "top", f"--master={cluster.master}", "--interval=0.1"]
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "20"}
    )
    os.close(theirs)
    seen = b""
    while seen.count(b"mesos-execute instance") < 3:
        assert select.select([ours], [], [], 60)[0], seen
        seen += os.read(ours, 65536)
    running.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # a terminal without a program gives an error
        while select.select([ours], [], [], 60)[0]:
            seen += os.read(ours, 65536)
    os.close(ours)
    assert running.wait(timeout=60) == 0
    assert seen.rstrip().endswith(b"\x1b[?1049l")


def test_record_writes_a_page(cluster: LocalCluster, sleeper: str, tmp_path: Path) -> None:
    """With the framework on it."""
    del sleeper
    path = tmp_path / "run.html"
    done = messor(cluster, "record", f"--output={path}", "--seconds=1", "--interval=0.25")
    assert done.returncode == 0, done.stderr
    text = path.read_text()
    assert text.startswith("<!doctype html>")
    assert "mesos-execute instance" in text
    assert messor(cluster, "record", "--output=/does/not/exist/run.html", "--seconds=1").returncode == 2


def test_a_master_that_is_not_there_is_told() -> None:
    """With its address."""
    done = subprocess.run(
        [sys.executable, "-m", "messor.cli.main", "why", "x", "--master=127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no usable answer from http://127.0.0.1:1" in done.stderr


def _address(cluster: LocalCluster) -> tuple[str, int]:
    host, _, port = cluster.master.partition(":")
    return host, int(port)
