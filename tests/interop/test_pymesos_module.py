"""The module of compat/pymesos beside pymesos 0.3.15: the same programs and tests run on both.

None of pymesos' sdists holds its examples or its tests, so these are ours, written the way its users write. Its own
ones, from a clone of its repository, run as well where PYMESOS_CHECKOUT says where that is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interop.conftest import CLIENTS, PROGRAMS, ROOT, STANDIN, need, run
from messor import LocalCluster

pytestmark = pytest.mark.interop

OURS = ROOT / "compat" / "pymesos" / "src"
BOTH = pytest.mark.parametrize("module", ["ours", "original"])


def path(module: str) -> str:
    """A PYTHONPATH that leads to one of the modules; the programs themselves use addict, which the clients hold."""
    folders = [STANDIN, need(CLIENTS / "site", "the Python clients")]
    if module == "ours":
        folders.insert(0, OURS)
    return os.pathsep.join(map(str, folders))


@BOTH
def test_each_path_leads_to_its_module(module: str) -> None:
    """Or these tests would compare one with itself."""
    where = run([sys.executable, "-c", "import pymesos; print(pymesos.__file__)"], PYTHONPATH=path(module))
    assert where.startswith(str(OURS if module == "ours" else CLIENTS))


@BOTH
def test_the_contract_of_pymesos_holds(module: str, tmp_path: Path) -> None:
    """Every call's body and every event's callback; private names too, which users' subclasses and mocks rely on."""
    alone = ["-c", os.devnull, "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    program = str(PROGRAMS / "pymesos_contract.py")
    assert "141 passed" in run([sys.executable, "-m", "pytest", "-q", *alone, program], PYTHONPATH=path(module))


def test_a_program_for_pymesos_schedules_executes_and_operates(cluster: LocalCluster) -> None:
    """The same program runs on the original in test_clients.py."""
    run([sys.executable, str(PROGRAMS / "pymesos_scheduler.py"), cluster.master, "12"], PYTHONPATH=path("ours"))


def test_commands_run_on_the_cluster_as_if_they_were_here(cluster: LocalCluster) -> None:
    """pymesos.subprocess, which in the original fails on Python 3."""
    master = {"MESOS_MASTER": cluster.master, "PYTHONPATH": path("ours")}
    assert run([sys.executable, str(PROGRAMS / "pymesos_subprocess.py")], **master) == ""


@BOTH
def test_minimal_programs_run_until_ctrl_c(cluster: LocalCluster, tmp_path: Path, module: str) -> None:
    """A scheduler with its executor, and an operator that hears of all they do, the end included."""
    environment = {**os.environ, "PYTHONPATH": path(module)}
    log = tmp_path / "log"
    programs = []
    with log.open("wb") as out:
        try:
            for name, first in (("operator", "'healthy': True"), ("scheduler", "TASK_FINISHED greetings")):
                command = [sys.executable, str(PROGRAMS / "pymesos_minimal.py"), name, cluster.master]
                programs.append(subprocess.Popen(command, stdout=out, stderr=out, env=environment))
                wait_for(log, [first])
            wait_for(log, ["framework added minimal", "operator: added task-1", "operator: updated TASK_RUNNING"])
            programs[1].send_signal(signal.SIGINT)
            assert programs[1].wait(60) == 0, log.read_text()
            wait_for(log, ["framework removed minimal"])
            programs[0].send_signal(signal.SIGINT)
            assert programs[0].wait(60) == 0, log.read_text()
        finally:
            for program in programs:
                program.kill()
                program.wait()


CHECKOUT = os.environ.get("PYMESOS_CHECKOUT", "")
own = pytest.mark.skipif(not CHECKOUT, reason="PYMESOS_CHECKOUT names no clone of pymesos' repository")

FIXTURE = """
import pytest
from unittest import mock

class Mocker:
    Mock = mock.Mock

    def patch(self, *arguments, **named):
        return mock.patch(*arguments, **named).start()

@pytest.fixture
def mocker():
    yield Mocker()
    mock.patch.stopall()
"""


@own
def test_pymesos_own_tests_pass(tmp_path: Path) -> None:
    """All of them; pytest-mock's fixture is stood in for, of which they use little."""
    (tmp_path / "own_fixtures.py").write_text(FIXTURE)
    options = ["-c", os.devnull, "-p", "own_fixtures", "-p", "no:cacheprovider", "--rootdir", CHECKOUT]
    paths = os.pathsep.join([str(tmp_path), path("ours")])
    said = run([sys.executable, "-m", "pytest", "-q", *options, str(Path(CHECKOUT) / "tests")], PYTHONPATH=paths)
    assert "passed" in said
    assert "failed" not in said


@own
def test_pymesos_own_tests_include_examples_that_run(tmp_path: Path) -> None:
    """Scheduler, executor and operator: a task of theirs takes half a minute."""
    examples, log = Path(CHECKOUT) / "examples", tmp_path / "log"
    environment = json.dumps({"PYTHONPATH": path("ours"), "PATH": os.environ["PATH"]})
    programs = []
    with (
        log.open("wb") as out,
        LocalCluster(1, resources="cpus:1;mem:512", agent_flags={"executor_environment_variables": environment}) as one,
    ):
        try:
            for name in ("operator_v1", "scheduler"):
                command = [sys.executable, str(examples / f"{name}.py"), one.master]
                everything = {**os.environ, "PYTHONPATH": path("ours")}
                programs.append(subprocess.Popen(command, stdout=out, stderr=out, env=everything))
            wait_for(log, ["Framework added", "Task added", "Status update TID", "TASK_RUNNING", "TASK_FINISHED"], 180)
        finally:
            for program in programs:
                program.kill()
                program.wait()


def wait_for(log: Path, texts: list[str], seconds: float = 120) -> None:
    """Poll the programs' output."""
    deadline = time.monotonic() + 60
    while missing := [text for text in texts if text not in log.read_text()]:
        assert time.monotonic() < deadline, f"{missing} never came:\n{log.read_text()[-4000:]}"
        time.sleep(0.05)
