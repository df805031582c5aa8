"""The module of compat/pymesos beside pymesos 0.3.15: the same programs and tests run on both.

None of pymesos' sdists holds its examples or its tests, so these are ours, written the way its users write. Its own
ones run from a clone of its repository: own_tests_of_pymesos.py.
"""

from __future__ import annotations

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


def wait_for(log: Path, texts: list[str], seconds: float = 120) -> None:
    """Poll the programs' output."""
    deadline = time.monotonic() + 60
    while missing := [text for text in texts if text not in log.read_text()]:
        assert time.monotonic() < deadline, f"{missing} never came:\n{log.read_text()[-4000:]}"
        time.sleep(0.05)
