"""The pytest plugin, run as its users do: in a pytest process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from messor import LocalCluster
from messor.local.leftovers import kill_leftovers

pytest_plugins = ["pytester"]

SCHEDULER = """
import asyncio
from messor import aio
from messor.protos import v0

def launch(master, task_id, command, leave=False):
    async def main():
        async with aio.Scheduler(framework=task_id, master=master) as scheduler:
            async for event in scheduler:
                if isinstance(event, aio.Offers):
                    task = v0.TaskInfo(name=task_id, slave_id=event.offers[0].slave_id)
                    task.task_id.value = task_id
                    task.command.value = command
                    for name, amount in (("cpus", 0.1), ("mem", 32.0)):
                        task.resources.add(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=amount))
                    scheduler.launch(event.offers[0], [task])
                    scheduler.suppress()
                if isinstance(event, aio.Update) and (event.is_terminal or leave):
                    scheduler.stop(failover=leave)
                    return event.state
    return asyncio.run(main())
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with a scheduler to test, and nothing of ours configured."""
    pytester.makepyfile(scheduler=SCHEDULER)
    pytester.makeini("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    return pytester


def leftovers() -> list[str]:
    """Command lines of daemons whose work_dir is a temporary one of the plugin."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"--work_dir={os.environ['MESSOR_TEST_TMP']}" in line:
            found.append(line)
    return found


@pytest.fixture(autouse=True)
def own_tmp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let clusters live where this test finds them."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("MESSOR_TEST_TMP", str(folder))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


def test_the_sessions_cluster_is_shared_and_clean_for_each_test(project: pytest.Pytester) -> None:
    """A framework that the first test leaves is gone in the second, on the same cluster."""
    project.makepyfile(
        """
        from scheduler import launch
        masters = []

        def test_one(mesos_cluster):
            masters.append(mesos_cluster.master)
            launch(mesos_cluster.master, "t1", "sleep 100", leave=True)
            mesos_cluster.wait_task("t1", "TASK_RUNNING")
            assert len(mesos_cluster.state()["frameworks"]) == 1

        def test_two(mesos_cluster):
            assert masters == [mesos_cluster.master]
            assert mesos_cluster.state()["frameworks"] == []
            assert launch(mesos_cluster.master, "t2", "true") == "TASK_FINISHED"
            mesos_cluster.wait_task("t2", "TASK_FINISHED")
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)
    assert leftovers() == []


def test_a_marked_cluster_can_be_broken_and_mended(project: pytest.Pytester) -> None:
    """Agents by attributes and resources; kill, restart, partition and fail over."""
    project.makepyfile(
        """
        import pytest
        from scheduler import launch

        @pytest.mark.mesos(
            agents=2, attributes=[{"rack": "a"}, {"rack": "b"}], resources="cpus:2;mem:512",
            master_flags={"allocation_interval": "50ms", "agent_ping_timeout": "1secs", "max_agent_ping_timeouts": 4},
        )
        def test_it(mesos):
            slaves = mesos.state()["slaves"]
            assert sorted(slave["attributes"]["rack"] for slave in slaves) == ["a", "b"]
            assert [slave["resources"]["cpus"] for slave in slaves] == [2, 2]
            assert mesos.state()["flags"]["allocation_interval"] == "50ms"
            mesos.failover()
            mesos.wait_agents(2)
            mesos.agents[0].kill()
            mesos.wait_for(lambda: sum(slave["active"] for slave in mesos.state()["slaves"]) == 1)
            mesos.agents[0].restart()
            mesos.wait_agents(2)
            with mesos.partition(mesos.agents[1]):
                mesos.wait_for(lambda: len(mesos.state()["slaves"]) == 1)
                assert launch(mesos.master, "t", "true") == "TASK_FINISHED"
            mesos.wait_agents(2)
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)
    assert leftovers() == []


def test_a_failure_shows_logs_and_sandboxes(project: pytest.Pytester) -> None:
    """What the task wrote and what master and agent logged; nothing stays behind."""
    project.makepyfile(
        """
        from scheduler import launch

        def test_it(mesos):
            launch(mesos.master, "t", "echo out of $((6 * 7)); exit 3")
            mesos.wait_task("t", "TASK_FINISHED", timeout=0.3)
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "*waited 0.3 seconds for task t to be TASK_FINISHED; it was TASK_FAILED*",
            "*mesos master log*",
            "*mesos agent-0 log*",
            "*mesos sandbox t stdout*",
            "out of 42",
        ]
    )
    assert leftovers() == []


def test_clusters_of_failed_tests_can_be_kept(project: pytest.Pytester) -> None:
    """``--mesos-keep`` says where they are, and they are there."""
    project.makepyfile("def test_it(mesos):\n    assert False\n")
    result = project.runpytest_subprocess("--mesos-keep")
    result.assert_outcomes(failed=1)
    said = re.search(r"left running at http://127.0.0.1:(\d+), logs and sandboxes in (\S+)", result.stdout.str())
    assert said
    try:
        assert len(leftovers()) == 2
    finally:
        stop_kept(Path(said.group(2)))
    assert leftovers() == []


def stop_kept(work_dir: Path) -> None:
    """End a cluster that was left running."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"--work_dir={work_dir}".encode() in line:
            os.kill(int(folder.name), 9)
            while folder.exists() and b"Z" not in (folder / "stat").read_bytes().split(b") ")[-1][:1]:
                pass
    kill_leftovers(work_dir / "agent-0" / "runtime")


ENDLESS = """
import time
from pathlib import Path
from scheduler import launch

def test_it(mesos):
    launch(mesos.master, "t", "sleep 1000", leave=True)
    mesos.wait_task("t", "TASK_RUNNING")
    Path("running").write_text("")
    time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["INT", "TERM", "KILL"])
def test_nothing_is_left_behind_by_tests_that_are_killed(project: pytest.Pytester, number: int) -> None:
    """CI systems do that; not even a task or a folder stays."""
    project.makepyfile(ENDLESS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    process = subprocess.Popen(
        command, cwd=project.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        eventually((project.path / "running").exists, "the task to run")
        process.send_signal(number)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    eventually(lambda: not anything_left(), "the end of everything")


def eventually(condition: Callable[[], object], what: str) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited 60 s for {what}: {anything_left()}"
        time.sleep(0.05)


def anything_left() -> list[str]:
    """Processes that work in, or were started for, the temporary folder of this test, and clusters' folders in it."""
    folder = os.environ["MESSOR_TEST_TMP"]
    found = [str(path) for path in Path(folder).glob("messor-*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(process / "cwd")
        except OSError:
            continue
        if folder in line or where.startswith(folder):
            found.append(line)
    return found


def test_an_existing_cluster_is_used_and_not_broken(project: pytest.Pytester) -> None:
    """``--mesos-master``: what needs processes of ours is skipped with a reason."""
    project.makepyfile(
        """
        from scheduler import launch

        def test_shared(mesos_cluster):
            assert launch(mesos_cluster.master, "t", "true") == "TASK_FINISHED"

        def test_breaking(mesos):
            mesos.failover()
        """
    )
    with LocalCluster(agents=1) as cluster:
        result = project.runpytest_subprocess(f"--mesos-master={cluster.master}", "-rs")
        result.assert_outcomes(passed=1, skipped=1)
        result.stdout.fnmatch_lines(["*not ours to break*"])
        assert cluster.master_process.pid


def test_workers_have_clusters_of_their_own(project: pytest.Pytester) -> None:
    """Under xdist, free ports and folders for each."""
    project.makepyfile(
        """
        import pytest
        from scheduler import launch

        @pytest.mark.parametrize("n", range(4))
        def test_it(mesos_cluster, n):
            assert launch(mesos_cluster.master, f"t{n}", "true") == "TASK_FINISHED"
        """
    )
    project.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)
    assert leftovers() == []


def test_loading_the_plugin_loads_nothing_else() -> None:
    """Every pytest run in an environment with Messor imports it."""
    code = (
        "import sys, messor.testing.pytest_plugin\n"
        "print(sorted(name for name in sys.modules if name.startswith(('messor.', 'google', 'asyncio'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = [name for name in eval(done.stdout) if not name.startswith("asyncio")]
    assert loaded == ["messor.testing", "messor.testing.pytest_plugin"]


def test_a_misspelt_argument_of_the_marker_is_named(project: pytest.Pytester) -> None:
    """With those it has."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.mesos(atributes="rack:a")
        def test_it(mesos):
            raise AssertionError("it ran")
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the marker mesos takes no 'atributes'; it takes agents, attributes, *"])


def test_the_marker_is_listed(project: pytest.Pytester) -> None:
    """``pytest --markers`` tells what it takes."""
    project.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.mesos(agents=1, attributes=*"])
