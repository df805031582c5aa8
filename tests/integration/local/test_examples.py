"""The examples, run as a reader of the README would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from messor import LocalCluster

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master, two agents."""
    folder = tmp_path_factory.mktemp("examples")
    with LocalCluster(agents=2, work_dir=folder, resources="cpus:8;mem:2048") as running:
        yield running


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example."""
    return subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )


def test_wordcount_counts_on_an_existing_cluster(cluster: LocalCluster) -> None:
    """Words, tasks per agent and sandboxes are shown."""
    done = run(str(EXAMPLES / "wordcount" / "scheduler.py"), cluster.master)
    assert done.returncode == 0, done.stdout
    for words in ("self", "Tasks per agent", f"Cluster: http://{cluster.master}", "Sandbox on"):
        assert words in done.stdout


def test_the_balloon_bursts_and_its_scheduler_aborts(cluster: LocalCluster) -> None:
    """TASK_FAILED for passing its memory."""
    flags = ("--task_memory_usage_limit=256MB", "--task_memory=64MB")
    done = run(str(EXAMPLES / "balloon_framework.py"), f"--master={cluster.master}", *flags)
    assert done.returncode == 1, done.stdout
    assert "TASK_FAILED Memory limit exceeded" in done.stdout


def test_a_small_balloon_holds(cluster: LocalCluster) -> None:
    """TASK_FINISHED stops the scheduler."""
    flags = ("--task_memory_usage_limit=32MB", "--task_memory=512MB")
    done = run(str(EXAMPLES / "balloon_framework.py"), f"--master={cluster.master}", *flags)
    assert done.returncode == 0, done.stdout


def test_the_pesos_framework_sees_all_250_tasks_end(cluster: LocalCluster) -> None:
    """Its executors are plain commands that never register; every task must end all the same."""
    done = run(str(EXAMPLES / "pesos_test_framework.py"), f"master@{cluster.master}", "127.0.0.1")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "250 TASK_" in done.stdout


def test_resources_are_reserved_used_and_given_back(cluster: LocalCluster) -> None:
    """On both agents, by a framework of the classic API."""
    done = run(str(EXAMPLES / "dynamic_reservation.py"), f"--master={cluster.master}", "--role=web", "--tasks=2")
    assert done.returncode == 0, done.stdout
    assert "Done: 4 tasks on 2 agents" in done.stdout


def test_shards_keep_their_data_in_volumes(cluster: LocalCluster) -> None:
    """Each task finds what those before it wrote; at the end the volumes are gone."""
    done = run(str(EXAMPLES / "persistent_volume.py"), f"--master={cluster.master}", "--role=db")
    assert done.returncode == 0, done.stdout
    assert "Done: 2 volumes made, used and destroyed" in done.stdout
    assert not [path for agent in cluster.agents for path in agent.work_dir.glob("volumes/roles/db/*")]
