"""LocalCluster and the programs, with real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
from messor import LocalCluster
from messor.cli.execute import main as execute
from messor.errors import ConfigurationError
from messor.local.probe import free_port, get, get_json

RESOURCES = "cpus:4;mem:2048;disk:1000;ports:[31000-31099]"


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that were started for, or work in, a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(folder) in command or where.startswith(str(folder)):
            found.append(command)
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """One master, two agents."""
    with LocalCluster(agents=2, work_dir=tmp_path / "cluster", resources=RESOURCES) as running:
        yield running


class Follower(Scheduler):
    """Launches tasks of one command and records every state."""

    def __init__(self, command: str, count: int = 1) -> None:
        self.command = command
        self.count = count
        self.launched = 0
        self.states: dict[str, list[str]] = {}
        self.changed = threading.Condition()
        self.events: list[str] = []
        self.problem = ""

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self.note("registered")

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        self.note("reregistered")

    def disconnected(self, driver: Any) -> None:
        self.note("disconnected")

    def error(self, driver: Any, message: str) -> None:
        self.problem = message
        self.note("error")

    def note(self, what: str) -> None:
        """Record and wake those who wait."""
        with self.changed:
            self.events.append(what)
            self.changed.notify_all()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            tasks = []
            while self.launched < self.count and len(tasks) < 5:
                task = mesos_pb2.TaskInfo(name="t", slave_id=offer.slave_id)
                task.task_id.value = f"t{self.launched}"
                task.command.value = self.command
                for name, amount in (("cpus", 0.1), ("mem", 32)):
                    task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
                tasks.append(task)
                self.launched += 1
            driver.launchTasks(offer.id, tasks, mesos_pb2.Filters(refuse_seconds=0.1))

    def statusUpdate(self, driver: Any, status: Any) -> None:
        with self.changed:
            self.states.setdefault(status.task_id.value, []).append(mesos_pb2.TaskState.Name(status.state))
            self.changed.notify_all()

    def wait(self, state: str, count: int | None = None, seconds: float = 60.0) -> None:
        """Wait until so many tasks have been in a state."""
        wanted = self.count if count is None else count

        def reached() -> bool:
            return sum(state in states for states in self.states.values()) >= wanted or bool(self.problem)

        with self.changed:
            assert self.changed.wait_for(reached, seconds), f"no {wanted} × {state}: {self.states} {self.events}"
        assert not self.problem

    def wait_event(self, name: str, seconds: float = 60.0) -> None:
        """Wait for a callback."""
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.events, seconds), f"no {name}: {self.events}"


def start(cluster: LocalCluster, scheduler: Scheduler, **info: Any) -> MesosSchedulerDriver:
    """Start a driver."""
    framework = mesos_pb2.FrameworkInfo(user="", name="follower", **info)
    driver = MesosSchedulerDriver(scheduler, framework, cluster.master)
    driver.start()
    return driver


def test_a_cluster_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither processes nor a temporary folder, with tasks still running at the end."""
    with LocalCluster(agents=1, resources=RESOURCES) as cluster:
        folder = cluster.work_dir
        scheduler = Follower("sleep 1000", 3)
        driver = start(cluster, scheduler, failover_timeout=60.0)
        scheduler.wait("TASK_RUNNING")
        driver.stop(True)
        driver.join()
        assert processes_of(folder)
    assert processes_of(folder) == []
    assert not folder.exists()


def test_a_cluster_whose_agent_was_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its zygote and its containers outlive it; they are found and ended."""
    with LocalCluster(agents=1, resources=RESOURCES) as cluster:
        folder = cluster.work_dir
        scheduler = Follower("sleep 1000")
        driver = start(cluster, scheduler, checkpoint=True, failover_timeout=60.0)
        scheduler.wait("TASK_RUNNING")
        cluster.agents[0].kill()
        driver.stop(True)
        driver.join()
    assert processes_of(folder) == []


def test_a_killed_agent_comes_back_with_its_running_tasks(cluster: LocalCluster) -> None:
    """Checkpointing: same agent id, no update is lost, the tasks finish."""
    before = {slave["id"] for slave in get_json("127.0.0.1", cluster.master_process.port, "/slaves")["slaves"]}
    scheduler = Follower("sleep 3", 6)
    driver = start(cluster, scheduler, checkpoint=True, failover_timeout=60.0)
    scheduler.wait("TASK_RUNNING")
    for agent in cluster.agents:
        agent.kill()
    for agent in cluster.agents:
        agent.restart()
    scheduler.wait("TASK_FINISHED")
    driver.stop()
    driver.join()
    assert all(states[-1] == "TASK_FINISHED" for states in scheduler.states.values())
    assert not any("TASK_LOST" in states or "TASK_FAILED" in states for states in scheduler.states.values())
    after = {slave["id"] for slave in get_json("127.0.0.1", cluster.master_process.port, "/slaves")["slaves"]}
    assert after == before


def test_a_restarted_master_readmits_agents_tasks_and_frameworks(cluster: LocalCluster) -> None:
    """The registry is durable; agents and drivers come back by themselves."""
    before = {slave["id"] for slave in get_json("127.0.0.1", cluster.master_process.port, "/slaves")["slaves"]}
    scheduler = Follower("sleep 4", 4)
    driver = start(cluster, scheduler, checkpoint=True, failover_timeout=60.0)
    scheduler.wait("TASK_RUNNING")
    cluster.restart_master()
    scheduler.wait_event("reregistered")
    cluster.wait_for_agents(2)
    scheduler.wait("TASK_FINISHED")
    slaves = get_json("127.0.0.1", cluster.master_process.port, "/slaves")["slaves"]
    assert {slave["id"] for slave in slaves} == before
    driver.stop()
    driver.join()


def test_a_taken_port_is_one_readable_line(tmp_path: Path) -> None:
    """The reason of the master's end is in the error."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        cluster = LocalCluster(agents=1, port=taken.getsockname()[1], work_dir=tmp_path)
        with pytest.raises(ConfigurationError, match="Address already in use"):
            cluster.start()
    assert processes_of(tmp_path) == []


def test_a_work_dir_in_use_is_one_readable_line(cluster: LocalCluster, tmp_path: Path) -> None:
    """A second agent on the same folder exits 1 and says why."""
    agent = cluster.agents[0]
    done = subprocess.run(
        [sys.executable, "-m", "messor.cli.main", "agent", f"--master={cluster.master}", f"--work_dir={agent.work_dir}",
         f"--runtime_dir={tmp_path}/run", f"--port={free_port()}", "--ip=127.0.0.1", "--launcher=posix"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(agent.work_dir) in done.stderr.strip().splitlines()[-1]


def test_flags_may_be_booleans_and_a_wrong_one_is_named() -> None:
    """The reason counts, not the line after it that points to ``--help``."""
    with LocalCluster(agents=1, agent_flags={"switch_user": False}) as cluster:
        assert get_json("127.0.0.1", cluster.agents[0].port, "/flags")["flags"]["switch_user"] == "false"
    with pytest.raises(ConfigurationError, match="switch_user"):
        LocalCluster(agents=1, agent_flags={"switch_user": "maybe"}).start()


def test_w11_closed_endpoints_answer_403() -> None:
    """With and without their actor's name, whoever asks; others, and what lies below, stay open."""
    rules = '{"disabled_endpoints": {"paths": ["/state", "/metrics/snapshot"]}}'
    with LocalCluster(
        agents=1, master_flags={"firewall_rules": rules}, agent_flags={"firewall_rules": rules}
    ) as cluster:
        for part, name in ((cluster.master_process, "master"), (cluster.agents[0], "slave(1)")):
            for path in ("/state", f"/{name}/state", "//state/"):
                assert get(part.host, part.port, path) == (403, f"Endpoint '/{name}/state' is disabled".encode())
            assert get(part.host, part.port, "/metrics/snapshot")[0] == 403
            for path in ("/health", "/flags", "/nothing"):
                assert get(part.host, part.port, path)[0] == (404 if path == "/nothing" else 200)
        assert get_json("127.0.0.1", cluster.agents[0].port, "/flags")["flags"]["firewall_rules"] == rules.replace(
            " ", ""
        )


def test_a_negative_number_of_agents_is_refused() -> None:
    """So is a list of resources of another length."""
    with pytest.raises(ConfigurationError, match="-1 agents"):
        LocalCluster(agents=-1)
    with pytest.raises(ConfigurationError, match="1 values for 2 agents"):
        LocalCluster(agents=2, resources=["cpus:1"])


def execute_on(cluster: LocalCluster, *flags: str) -> int:
    """Run messor execute."""
    needs = "--resources=cpus:0.1;mem:32"
    return execute(["mesos-execute", f"--master={cluster.master}", needs, *flags])


def test_execute_exits_0_only_for_a_finished_task(cluster: LocalCluster, capfd: pytest.CaptureFixture[str]) -> None:
    """And prints every status."""
    assert execute_on(cluster, "--name=good", "--command=test $X = 1", '--env={"X": "1"}') == 0
    output = capfd.readouterr().out
    for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"):
        assert f"Received status update {state} for task 'good'" in output
    assert execute_on(cluster, "--name=bad", "--command=exit 3", "--content_type=json") == 1
    assert "Command exited with status 3" in capfd.readouterr().out


def test_execute_kills_after_a_while(cluster: LocalCluster, capfd: pytest.CaptureFixture[str]) -> None:
    """--kill_after counts from TASK_RUNNING."""
    assert execute_on(cluster, "--name=long", "--command=sleep 600", "--kill_after=100ms") == 1
    assert "TASK_KILLED" in capfd.readouterr().out


def test_execute_takes_a_whole_task(cluster: LocalCluster) -> None:
    """As v1 JSON, without an agent."""
    task = (
        '{"name": "whole", "task_id": {"value": "whole"}, "command": {"value": "true"}, "resources": ['
        '{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},'
        '{"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}]}'
    )
    assert execute(["mesos-execute", f"--master={cluster.master}", f"--task={task}"]) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "--name is missing"),
        (("--name=x",), "--command is missing"),
        (("--name=x", "--command=true", "--docker_image=busybox"), "not supported"),
        (("--name=x", "--command=true", "--framework_capabilities=FLYING"), "no framework capability"),
        (("--name=x", "--command=true", "--nonsense=1"), "nonsense"),
        (("--name=x", "--command=true", "--resources=cpus"), "cpus"),
    ],
)
def test_execute_refuses_bad_flags_in_one_line(
    flags: tuple[str, ...], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and the reason on stderr."""
    assert execute(["mesos-execute", "--master=127.0.0.1:1", *flags]) == 1
    assert words in capfd.readouterr().err


def test_messor_local_says_what_to_try_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    """Nothing is left after SIGINT, as Ctrl-C sends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "messor.cli.main", "local", "--agents", "1", "--port", "0", f"--work_dir={tmp_path}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        seen.append(line)
        if "Ctrl-C stops everything" in line:
            break
    text = "".join(seen)
    assert "master at http://127.0.0.1:" in text
    assert "agent 0 at http://127.0.0.1:" in text
    assert "messor execute --master=127.0.0.1:" in text
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "no process is left" in rest
    assert processes_of(tmp_path) == []


START = """
import sys
print("begun", flush=True)
from messor.cli.main import main
sys.exit(main())
"""
"""The interpreter itself exits with 1 when it is interrupted while it starts; nothing of ours can help that."""


@pytest.mark.parametrize("seconds", [0.08, 0.11, 0.14, 0.18, 0.23, 0.33, 0.48])
def test_ctrl_c_leaves_nothing_behind_at_any_moment_of_the_start(tmp_path: Path, seconds: float) -> None:
    """Not even a process that was being started, whose object nobody had yet."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, "local", "--agents", "2", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGINT)
    assert "Traceback" not in said or "starting one master" not in said
    assert (processes_of(tmp_path), list(tmp_path.iterdir())) == ([], [])


LOCAL = """
import sys
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

class Ending(Scheduler):
    def resourceOffers(self, driver, offers):
        getattr(driver, sys.argv[1])()

driver = MesosSchedulerDriver(Ending(), mesos_pb2.FrameworkInfo(user="", name="x"), "local")
print(driver.run())
"""


@pytest.mark.parametrize(("ending", "status"), [("stop", 4), ("abort", 3)])
def test_a_driver_s_own_cluster_ends_with_its_program(tmp_path: Path, ending: str, status: int) -> None:
    """Also when the program ends as soon as run() returns, or never stops what it aborted (S36, C2)."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", LOCAL, ending]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(status)]
    assert (processes_of(tmp_path), list(tmp_path.iterdir())) == ([], [])
