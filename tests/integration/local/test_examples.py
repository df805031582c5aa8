"""The examples, run as a reader of the README would."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import time
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
        timeout=250,
        check=False,
    )


def test_wordcount_counts_on_an_existing_cluster(cluster: LocalCluster) -> None:
    """Words, tasks per agent and sandboxes are shown."""
    done = run(str(EXAMPLES / "wordcount" / "scheduler.py"), cluster.master)
    assert done.returncode == 0, done.stdout
    for words in ("self", "Tasks per agent", f"Cluster: http://{cluster.master}", "Sandbox on"):
        assert words in done.stdout


def test_s64_the_balloon_bursts_and_its_scheduler_aborts(cluster: LocalCluster) -> None:
    """TASK_FAILED for passing its memory."""
    flags = ("--task_memory_usage_limit=256MB", "--task_memory=64MB")
    done = run(str(EXAMPLES / "balloon_framework.py"), f"--master={cluster.master}", *flags)
    assert done.returncode == 1, done.stdout
    assert "TASK_FAILED Memory limit exceeded" in done.stdout


def test_s64_a_small_balloon_holds(cluster: LocalCluster) -> None:
    """TASK_FINISHED stops the scheduler."""
    flags = ("--task_memory_usage_limit=32MB", "--task_memory=512MB")
    done = run(str(EXAMPLES / "balloon_framework.py"), f"--master={cluster.master}", *flags)
    assert done.returncode == 0, done.stdout


def test_s66_the_pesos_framework_sees_all_250_tasks_end(cluster: LocalCluster) -> None:
    """Its executors are plain commands that never register; every task must end all the same."""
    done = run(str(EXAMPLES / "pesos_test_framework.py"), f"master@{cluster.master}", "127.0.0.1")
    assert done.returncode == 0, done.stdout[-3000:]
    # A task sent to an executor that is just ending is lost, not failed: how many is a matter of milliseconds.
    ended = re.findall(r"(\d+) TASK_(?:FAILED|LOST)", done.stdout.rpartition("Ended:")[2])
    assert sum(int(count) for count in ended) == 250, done.stdout[-500:]


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
    deadline = time.monotonic() + 60  # the framework does not wait for the agents
    while volumes(cluster) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert volumes(cluster) == []


def volumes(cluster: LocalCluster) -> list[Path]:
    """List the volumes of the role on all agents."""
    return [path for agent in cluster.agents for path in agent.work_dir.glob("volumes/roles/db/*")]


def ends_well(*arguments: str) -> str:
    """Run an example that must succeed and give what it printed."""
    done = run(*arguments)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_s48_hello_scheduler_runs_a_command(cluster: LocalCluster) -> None:
    """Thirty lines from registration to TASK_FINISHED."""
    assert "hello-1 TASK_FINISHED" in ends_well(str(EXAMPLES / "hello_scheduler.py"), cluster.master)


def test_hello_executor_squares_and_answers(cluster: LocalCluster) -> None:
    """One program is scheduler and executor."""
    said = ends_well(str(EXAMPLES / "hello_executor.py"), cluster.master)
    for line in ("square-3 TASK_FINISHED 9", "square-12 TASK_FINISHED 144", "The executor: you said goodbye"):
        assert line in said


def test_long_lived_replaces_what_ends(cluster: LocalCluster) -> None:
    """Three copies at once, and another one when one ended."""
    said = ends_well(str(EXAMPLES / "long_lived.py"), cluster.master, "60")
    assert "(3 of 3)" in said
    assert "TASK_FINISHED" in said


def test_asyncio_scheduler_tells_what_calls_came_to(cluster: LocalCluster) -> None:
    """Outcomes and ends."""
    said = ends_well(str(EXAMPLES / "asyncio_scheduler.py"), cluster.master)
    for line in ("launch: accepted", "one TASK_FINISHED", "two TASK_FINISHED", "three TASK_FAILED"):
        assert line in said


def test_asyncio_executor_finishes_and_is_killed(cluster: LocalCluster) -> None:
    """Many tasks in one process."""
    said = ends_well(str(EXAMPLES / "asyncio_executor.py"), cluster.master)
    assert "short TASK_FINISHED" in said
    assert "endless TASK_KILLED stopped counting" in said


def test_operator_events_shows_what_happens(cluster: LocalCluster) -> None:
    """Agents first, then a framework and its task."""
    watcher = subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / "operator_events.py"), cluster.master],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    first = [watcher.stdout.readline() for _ in range(3)]
    assert [line.startswith("agent 127.0.0.1 with cpus 8") for line in first[:2]] == [True, True]
    ends_well(str(EXAMPLES / "hello_scheduler.py"), cluster.master)
    assert first[2] == "subscribed\n"
    assert "new task hello-1\n" in iter(watcher.stdout.readline, "")
    watcher.kill()
    watcher.communicate()
    assert ends_well(str(EXAMPLES / "operator_events.py"), cluster.master, "1").endswith("subscribed\n")


def test_failover_reconciles(cluster: LocalCluster) -> None:
    """The second scheduler finds the first one's task."""
    said = ends_well(str(EXAMPLES / "failover.py"), cluster.master)
    assert "another one takes over" in said
    assert "survivor TASK_RUNNING REASON_RECONCILIATION" in said
    assert "survivor TASK_KILLED" in said


def test_a_simulated_day_passes_in_seconds() -> None:
    """A job an hour, and eight lost masters."""
    said = ends_well(str(EXAMPLES / "simulated_framework.py"), "3")
    assert "24 jobs, 8 reconnections, 24 virtual hours" in said


def test_a_simulated_cluster_loses_nothing_with_an_agent() -> None:
    """Five minutes, and the last messages of them."""
    said = ends_well(str(EXAMPLES / "simulated_cluster.py"), "3")
    assert "StatusUpdateAcknowledgementMessage" in said


def test_every_example_is_run_by_a_test() -> None:
    """An example that nobody runs is soon wrong."""
    tests = "".join(path.read_text() for path in Path(__file__).resolve().parents[2].rglob("test_*.py"))
    examples = [path for path in EXAMPLES.iterdir() if path.suffix == ".py" or path.is_dir()]
    missing = [path.name for path in examples if path.stem not in tests and not path.name.startswith("__")]
    assert missing == []
    assert len(examples) >= 10


def test_every_program_in_the_guide_is_python() -> None:
    """Parts of programs, too."""
    for page in (EXAMPLES.parent / "docs" / "guide").glob("*.md"):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            source = "async def main():\n" + textwrap.indent(block, "    ") if block.startswith("async with") else block
            compile(source, str(page), "exec")


def test_the_pytest_example_passes(tmp_path: Path) -> None:
    """With the plugin that comes with Messor."""
    example = tmp_path / "test_my_framework.py"
    example.write_text((EXAMPLES / "test_my_framework.py").read_text())
    assert "3 passed" in ends_well("-m", "pytest", "-p", "no:cacheprovider", str(example))


def test_the_guides_first_framework_runs(tmp_path: Path) -> None:
    """As it stands in docs/guide/frameworks.md, on a cluster of its own."""
    guide = (EXAMPLES.parent / "docs" / "guide" / "frameworks.md").read_text()
    program = tmp_path / "first.py"
    program.write_text(guide.split("```python\n")[1].split("```")[0])
    said = ends_well(str(program))
    assert "accepted" in said
    assert "hello-1 TASK_FINISHED" in said
