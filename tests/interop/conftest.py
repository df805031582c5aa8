"""A real cluster, and the third-party clients that scripts/setup-interop fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from messor import LocalCluster

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "build" / "interop"
PROGRAMS = Path(__file__).resolve().parent / "programs"
STANDIN = Path(__file__).resolve().parent / "standin"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master and two agents, kept for all tests of a module."""
    with LocalCluster(agents=2, work_dir=tmp_path_factory.mktemp("interop"), resources="cpus:4;mem:2048") as running:
        yield running


def need(path: Path, what: str) -> Path:
    """Give a fetched client; a missing one fails in CI and is skipped, with the reason, elsewhere."""
    if path.exists():
        return path
    reason = f"{what} is not there; scripts/setup-interop fetches it (Debian packages need root)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(arguments: list[str], seconds: float = 250, **environment: str) -> str:
    """Run a client program and give its output; fails with the output when it does not exit 0."""
    done = subprocess.run(
        arguments,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
        text=True,
    )
    assert done.returncode == 0, f"exit status {done.returncode} of {arguments}:\n{done.stdout[-6000:]}"
    return done.stdout


def run_python(program: str, *arguments: str) -> str:
    """Run a program of this folder with the fetched Python clients on its path."""
    site = need(CLIENTS / "site", "the Python clients")
    path = os.pathsep.join([str(STANDIN), str(site)])
    return run([sys.executable, str(PROGRAMS / program), *arguments], PYTHONPATH=path)
