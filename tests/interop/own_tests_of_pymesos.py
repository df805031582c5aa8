"""pymesos' own tests and examples with our module in its place.

They are in its repository only, not in what it ships on PyPI, so nothing can fetch them for the suite, and pytest does
not collect this file by itself: ``PYMESOS_CHECKOUT=<a clone> pytest tests/interop/own_tests_of_pymesos.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from interop.test_pymesos_module import path, run, wait_for
from messor import LocalCluster

CHECKOUT = os.environ["PYMESOS_CHECKOUT"]

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


def test_pymesos_own_tests_pass(tmp_path: Path) -> None:
    """All of them; pytest-mock's fixture is stood in for, of which they use little."""
    (tmp_path / "own_fixtures.py").write_text(FIXTURE)
    options = ["-c", os.devnull, "-p", "own_fixtures", "-p", "no:cacheprovider", "--rootdir", CHECKOUT]
    paths = os.pathsep.join([str(tmp_path), path("ours")])
    said = run([sys.executable, "-m", "pytest", "-q", *options, str(Path(CHECKOUT) / "tests")], PYTHONPATH=paths)
    assert "passed" in said
    assert "failed" not in said


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
