"""The module of compat/pymesos in the place of pymesos: programs written for pymesos, its examples, its own tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.conftest import CLIENTS, PROGRAMS, ROOT, STANDIN, need, run
from messor import LocalCluster

pytestmark = pytest.mark.interop

OURS = ROOT / "compat" / "pymesos" / "src"
SOURCE = CLIENTS / "pymesos-source"


def path(*folders: Path) -> str:
    """A PYTHONPATH with our module first; the programs themselves use addict, which the fetched clients hold."""
    return os.pathsep.join(str(folder) for folder in (OURS, *folders, need(CLIENTS / "site", "the Python clients")))


def test_the_path_of_these_tests_leads_to_our_module() -> None:
    """The original is on the same path, behind ours."""
    where = run([sys.executable, "-c", "import pymesos; print(pymesos.__file__)"], PYTHONPATH=path())
    assert where.strip().startswith(str(OURS))


def test_a_program_for_pymesos_schedules_executes_and_operates(cluster: LocalCluster) -> None:
    """The same program runs on the original in test_clients.py."""
    run([sys.executable, str(PROGRAMS / "pymesos_scheduler.py"), cluster.master, "12"], PYTHONPATH=path())


def test_commands_run_on_the_cluster_as_if_they_were_here(cluster: LocalCluster) -> None:
    """pymesos.subprocess, which in the original fails on Python 3."""
    master = {"MESOS_MASTER": cluster.master, "PYTHONPATH": path()}
    assert run([sys.executable, str(PROGRAMS / "pymesos_subprocess.py")], **master) == ""


def test_pymesos_own_tests_pass(tmp_path: Path) -> None:
    """All of them, the ones of private methods too: users' subclasses and mocks rely on those."""
    tests = need(SOURCE / "tests", "pymesos' repository")
    plain = ["-c", os.devnull, "-p", "mocker_plugin", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    out = run([sys.executable, "-m", "pytest", "-q", *plain, str(tests)], PYTHONPATH=path(STANDIN, PROGRAMS))
    assert "87 passed" in out


@pytest.fixture
def cluster_with_path(tmp_path: Path) -> Iterator[LocalCluster]:
    """An agent whose executors find our module: the example does not tell them where it is."""
    variables = json.dumps({"PYTHONPATH": path(), "PATH": os.environ["PATH"]})
    flags = {"executor_environment_variables": variables}
    with LocalCluster(agents=1, work_dir=tmp_path / "cluster", agent_flags=flags) as running:
        yield running


def test_pymesos_own_examples_run(cluster_with_path: LocalCluster, tmp_path: Path) -> None:
    """The scheduler runs tasks on the example's executor until Ctrl-C; the operator hears of them.

    The original cannot run its own scheduler on Python 3: it encodes text where it takes bytes only.
    """
    examples = need(SOURCE / "examples", "pymesos' repository")
    environment = {**os.environ, "PYTHONPATH": path(), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "log"
    programs = []
    with log.open("wb") as out:
        for name in ("operator_v1.py", "scheduler.py"):
            command = [sys.executable, str(examples / name), cluster_with_path.master]
            programs.append(subprocess.Popen(command, stdout=out, stderr=out, env=environment))
        _, scheduler = programs
        try:
            wait_for(log, ["Task added", "Task updated", "TASK_RUNNING"])
            scheduler.send_signal(signal.SIGINT)
            assert scheduler.wait(20) == 0, log.read_text()
            wait_for(log, ["Framework removed"])
        finally:
            for program in programs:
                program.kill()
                program.wait()
    assert "'healthy': True" in log.read_text()


def wait_for(log: Path, texts: list[str]) -> None:
    """Poll a program's output."""
    deadline = time.monotonic() + 40
    while missing := [text for text in texts if text not in log.read_text()]:
        assert time.monotonic() < deadline, f"{missing} never came:\n{log.read_text()[-4000:]}"
        time.sleep(0.05)
