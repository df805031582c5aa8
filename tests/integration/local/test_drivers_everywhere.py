"""The classic drivers against a real cluster over every transport: what framework authors rely on, row by row."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
from messor import LocalCluster
from messor.local.probe import get, get_json

SECONDS = 60.0
TRANSPORTS = pytest.mark.parametrize("transport", ["libprocess", "http", "http+json"])

EXECUTOR = """
import os, sys, threading, time
from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver

class Echo(Executor):
    def say(self, driver, line):
        with open("heard", "a") as file:
            file.write(line + "\\\\n")

    def registered(self, driver, executor, framework, agent):
        self.say(driver, "registered " + executor.data.decode())

    def reregistered(self, driver, agent):
        self.say(driver, "reregistered")

    def launchTask(self, driver, task):
        self.say(driver, "launch " + task.task_id.value)
        self.update(driver, task.task_id, mesos_pb2.TASK_RUNNING, b"\\\\x00data")
        if task.data:
            threading.Thread(target=self.finish, args=(driver, task), daemon=True).start()

    def finish(self, driver, task):
        while not os.path.exists(task.data):
            time.sleep(0.02)
        self.update(driver, task.task_id, mesos_pb2.TASK_FINISHED, b"end")

    def update(self, driver, task_id, state, data):
        status = mesos_pb2.TaskStatus(state=state, data=data, message="said by the executor")
        status.task_id.CopyFrom(task_id)
        driver.sendStatusUpdate(status)

    def killTask(self, driver, task_id):
        self.update(driver, task_id, mesos_pb2.TASK_KILLED, b"")

    def frameworkMessage(self, driver, data):
        driver.sendFrameworkMessage(b"echo: " + data)

    def shutdown(self, driver):
        self.say(driver, "shutdown")
        driver.stop()

driver = MesosExecutorDriver(Echo(), transport=sys.argv[1])
sys.exit(0 if driver.run() == mesos_pb2.DRIVER_STOPPED else 1)
""".replace("\\\\", "\\")


class Recorder(Scheduler):  # type: ignore[misc]
    """Records what it hears and declines nothing."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self._changed = threading.Condition()

    def __getattribute__(self, name: str) -> Any:
        """Give a recording callback for every callback of the interface."""
        if not hasattr(Scheduler, name) or name.startswith("_"):
            return object.__getattribute__(self, name)

        def record(_driver: Any, *arguments: Any) -> None:
            with self._changed:
                self.heard.append((name, arguments))
                self._changed.notify_all()

        return record

    def names(self) -> list[str]:
        """Names of the callbacks so far, offers left out."""
        return [name for name, _ in self.heard if name not in ("resourceOffers", "offerRescinded")]

    def wait(self, name: str, wanted: Callable[..., bool] = lambda *_: True) -> tuple[Any, ...]:
        """Wait for a callback with certain arguments and give them."""
        deadline = time.monotonic() + SECONDS
        with self._changed:
            while True:
                for heard, arguments in self.heard:
                    if heard == name and wanted(*arguments):
                        return arguments
                assert self._changed.wait(deadline - time.monotonic()), f"no such {name}, heard {self.names()}"

    def status(self, task_id: str, state: int) -> Any:
        """Wait for a state of a task."""
        return self.wait("statusUpdate", lambda s: s.task_id.value == task_id and s.state == state)[0]

    def states(self, task_id: str) -> list[str]:
        """Give the states of a task as they were heard."""
        return [
            mesos_pb2.TaskState.Name(arguments[0].state)
            for name, arguments in self.heard
            if name == "statusUpdate" and arguments[0].task_id.value == task_id
        ]


class Play:
    """A driver, its scheduler, and what tests do with them."""

    def __init__(self, cluster: LocalCluster, transport: str, folder: Path, **more: Any) -> None:
        """Describe the framework; it is not started."""
        self.cluster = cluster
        self.folder = folder
        self.scheduler = Recorder()
        info = mesos_pb2.FrameworkInfo(user="", name=f"play {transport}", checkpoint=True, failover_timeout=60)
        for name, value in more.pop("info", {}).items():
            if name == "id":
                info.id.value = value
            else:
                setattr(info, name, value)
        self.driver = MesosSchedulerDriver(self.scheduler, info, cluster.master, transport=transport, **more)

    def start(self) -> str:
        """Start and wait for the first offer; gives the framework's id."""
        assert self.driver.start() == mesos_pb2.DRIVER_RUNNING
        framework_id, _ = self.scheduler.wait("registered")
        return str(framework_id.value)

    def task(self, task_id: str, executor: str | None = None, data: bytes = b"", command: str = "sleep 600") -> Any:
        """Describe a task for the latest offer, of a custom executor over a transport if one is given."""
        task = mesos_pb2.TaskInfo(name=task_id, data=data)
        task.task_id.value = task_id
        for name, value in (("cpus", 0.1), ("mem", 32)):
            task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = value
        if executor is None:
            task.command.value = command
            return task
        script = self.folder / "executor.py"
        script.write_text(EXECUTOR)
        task.executor.executor_id.value = f"echo-{executor}"
        task.executor.command.value = f"exec {sys.executable} {script} {executor}"
        task.executor.command.environment.variables.add(name="PYTHONPATH", value=":".join(sys.path))
        task.executor.data = b"from the scheduler"
        for name, value in (("cpus", 0.1), ("mem", 32)):
            task.executor.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = value
        return task

    def launch(self, *tasks: Any) -> Any:
        """Launch on an offer, the latest; gives the agent's id."""
        used = getattr(self, "used", set())
        (offers,) = self.scheduler.wait("resourceOffers", lambda offers: offers[-1].id.value not in used)
        offer = offers[-1]
        self.used = used | {offer.id.value}
        for task in tasks:
            task.slave_id.CopyFrom(offer.slave_id)
        filters = mesos_pb2.Filters(refuse_seconds=0)
        assert self.driver.launchTasks([offer.id], tasks, filters) == mesos_pb2.DRIVER_RUNNING
        return offer.slave_id

    def framework(self) -> dict[str, Any] | None:
        """Say what the master shows of the framework, None when it is not (or no longer) an active one."""
        framework_id = self.scheduler.wait("registered")[0].value
        shown = get_json("127.0.0.1", self.cluster.master_process.port, "/frameworks")["frameworks"]
        return next((framework for framework in shown if framework["id"] == framework_id), None)

    def end(self) -> None:
        """Tear down, and clean up what an aborted driver left."""
        self.driver.stop()
        self.driver.join()


def until(condition: Callable[[], Any], what: str) -> Any:
    """Poll until something is true and give it."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return value


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """One agent."""
    with LocalCluster(agents=1, work_dir=tmp_path / "cluster", resources="cpus:4;mem:2048") as running:
        yield running


@pytest.fixture
def play(cluster: LocalCluster, tmp_path: Path, transport: str) -> Iterator[Play]:
    """A driver that is not started."""
    one = Play(cluster, transport, tmp_path)
    yield one
    one.end()


@TRANSPORTS
def test_s1_to_s34_a_life_over_every_transport(play: Play, transport: str) -> None:
    """Register, launch, update with data, reconcile, kill, decline, suppress, revive, lost agent, tear down."""
    driver, scheduler = play.driver, play.scheduler
    play.start()
    agent_id = play.launch(play.task("t1"), play.task("quick", command="true"))
    assert scheduler.status("t1", mesos_pb2.TASK_RUNNING).slave_id == agent_id
    assert scheduler.status("quick", mesos_pb2.TASK_FINISHED).uuid
    driver.reconcileTasks([])
    answer = scheduler.wait("statusUpdate", lambda s: s.reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION)[0]
    assert (answer.task_id.value, answer.state, answer.HasField("uuid")) == ("t1", mesos_pb2.TASK_RUNNING, False)
    driver.killTask(mesos_pb2.TaskID(value="t1"))
    assert scheduler.status("t1", mesos_pb2.TASK_KILLED).message == "Command terminated with signal Terminated"
    driver.killTask(mesos_pb2.TaskID(value="nobody"))
    assert scheduler.status("nobody", mesos_pb2.TASK_LOST).reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION
    assert scheduler.states("quick") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    driver.launchTasks([mesos_pb2.OfferID(value="stale")], [_placed(play.task("late"), agent_id)])
    assert scheduler.status("late", mesos_pb2.TASK_LOST).reason == mesos_pb2.TaskStatus.REASON_INVALID_OFFERS
    assert driver.suppressOffers() == driver.reviveOffers() == mesos_pb2.DRIVER_RUNNING
    play.launch()
    play.cluster.agents[0].kill()
    assert driver.stop() == driver.join() == mesos_pb2.DRIVER_STOPPED
    until(lambda: play.framework() is None, "the framework was not torn down")
    assert "error" not in scheduler.names()


def _placed(task: Any, agent_id: Any) -> Any:
    task.slave_id.CopyFrom(agent_id)
    return task


@TRANSPORTS
@pytest.mark.parametrize("executor", ["libprocess", "http"])
def test_s49_to_s60_an_executor_survives_its_agents_death(play: Play, transport: str, executor: str) -> None:
    """What it says meanwhile arrives once (G2, G3, G5); messages go both ways before and after."""
    scheduler, cluster = play.scheduler, play.cluster
    play.start()
    flag = play.folder / "finish"
    agent_id = play.launch(play.task("a", executor, str(flag).encode()), play.task("b", executor))
    status = scheduler.status("a", mesos_pb2.TASK_RUNNING)
    assert (status.data, status.message) == (b"\x00data", "said by the executor")
    scheduler.status("b", mesos_pb2.TASK_RUNNING)
    executor_id = mesos_pb2.ExecutorID(value=f"echo-{executor}")
    play.driver.sendFrameworkMessage(executor_id, agent_id, b"\xffhello")
    assert scheduler.wait("frameworkMessage", lambda *a: a[2] == b"echo: \xffhello")[:2] == (executor_id, agent_id)
    until(lambda: _acknowledged(cluster) == 2, "the agent has not heard of the acknowledgements")
    cluster.agents[0].kill()
    flag.touch()
    time.sleep(0.3)
    cluster.agents[0].restart()
    assert scheduler.status("a", mesos_pb2.TASK_FINISHED).data == b"end"
    play.driver.sendFrameworkMessage(executor_id, agent_id, b"again")
    scheduler.wait("frameworkMessage", lambda *a: a[2] == b"echo: again")
    play.driver.killTask(mesos_pb2.TaskID(value="b"))
    scheduler.status("b", mesos_pb2.TASK_KILLED)
    assert scheduler.states("a") == ["TASK_RUNNING", "TASK_FINISHED"]
    assert scheduler.states("b") == ["TASK_RUNNING", "TASK_KILLED"]
    heard = next(cluster.work_dir.glob("agent-0/slaves/*/frameworks/*/executors/*/runs/latest/heard"))
    play.driver.stop()
    until(lambda: "shutdown" in heard.read_text(), "the executor was not shut down")
    lines = heard.read_text().split("\n")
    assert lines == ["registered from the scheduler", "launch a", "launch b", "reregistered", "shutdown", ""]


def _acknowledged(cluster: LocalCluster) -> int:
    """Count the acknowledgements in the agent's checkpoints: records that hold a uuid and no update."""
    logs = cluster.work_dir.glob("agent-0/meta/slaves/*/frameworks/*/executors/*/runs/*/tasks/*/task.updates")
    record = b"\x14\x00\x00\x00\x08\x01\x1a\x10"
    return sum(log.read_bytes().count(record) for log in {log.resolve() for log in logs})


@TRANSPORTS
def test_y2_executors_of_frameworks_that_do_not_checkpoint_end_with_their_agent(
    cluster: LocalCluster, tmp_path: Path, transport: str
) -> None:
    """Their tasks are lost at once (H5), and nothing of them runs on."""
    play = Play(cluster, transport, tmp_path, info={"checkpoint": False})
    play.start()
    play.launch(play.task("c", "libprocess"), play.task("d"))
    for name in ("c", "d"):
        play.scheduler.status(name, mesos_pb2.TASK_RUNNING)
    heard = next(cluster.work_dir.glob("agent-0/slaves/*/frameworks/*/executors/echo*/runs/latest/heard"))
    cluster.agents[0].kill()
    for name in ("c", "d"):
        lost = play.scheduler.status(name, mesos_pb2.TASK_LOST)
        assert lost.reason == mesos_pb2.TaskStatus.REASON_SLAVE_DISCONNECTED
    until(lambda: "shutdown" in heard.read_text(), "the executor did not notice")
    cluster.agents[0].restart()
    until(lambda: _tasks_of(cluster) == 0, "the agent still shows tasks")
    play.end()


def _tasks_of(cluster: LocalCluster) -> int | None:
    """Count the tasks the agent shows; None while it recovers."""
    if get("127.0.0.1", cluster.agents[0].port, "/state")[0] == 503:
        return None
    state = get_json("127.0.0.1", cluster.agents[0].port, "/state")
    return sum(len(executor["tasks"]) for framework in state["frameworks"] for executor in framework["executors"])


@TRANSPORTS
def test_s2_s3_a_restarted_master_is_disconnected_and_reregistered(play: Play, transport: str) -> None:
    """The framework keeps its id and hears no second ``registered``; its task is still known."""
    play.start()
    play.launch(play.task("t"))
    play.scheduler.status("t", mesos_pb2.TASK_RUNNING)
    play.cluster.restart_master()
    play.scheduler.wait("reregistered")
    names = [name for name in play.scheduler.names() if name != "statusUpdate"]
    assert names == ["registered", "disconnected", "reregistered"]
    until(lambda: (play.framework() or {}).get("tasks"), "the master does not know the task")


@TRANSPORTS
def test_s1_s10_s17_a_successor_takes_over_and_the_predecessor_hears_why(
    play: Play, tmp_path: Path, transport: str
) -> None:
    """``registered`` with the same id for the new one, an error and an aborted driver for the old one."""
    framework_id = play.start()
    successor = Play(play.cluster, transport, tmp_path, info={"id": framework_id})
    assert successor.start() == framework_id
    assert play.scheduler.wait("error") == ("Framework failed over",)
    assert play.driver.join() == mesos_pb2.DRIVER_ABORTED
    assert successor.driver.stop(True) == mesos_pb2.DRIVER_STOPPED
    until(lambda: not (successor.framework() or {"active": True})["active"], "still active after stop(failover)")
    third = Play(play.cluster, transport, tmp_path, info={"id": framework_id})
    assert third.start() == framework_id
    third.end()
    until(lambda: third.framework() is None, "the framework was not torn down")
    fourth = Play(play.cluster, transport, tmp_path, info={"id": framework_id})
    fourth.driver.start()
    assert fourth.scheduler.wait("error") == ("Framework has been removed",)
    assert fourth.driver.join() == mesos_pb2.DRIVER_ABORTED
    fourth.driver.stop()


@TRANSPORTS
def test_s18_an_aborted_driver_leaves_its_tasks_to_a_successor(play: Play, tmp_path: Path, transport: str) -> None:
    """The framework stays but is offered nothing; a new driver in the same process goes on."""
    framework_id = play.start()
    play.launch(play.task("t"))
    play.scheduler.status("t", mesos_pb2.TASK_RUNNING)
    assert play.driver.abort() == play.driver.join() == mesos_pb2.DRIVER_ABORTED
    until(lambda: play.framework()["active"] is False, "an aborted framework is active")  # type: ignore[index]
    successor = Play(play.cluster, transport, tmp_path, info={"id": framework_id})
    successor.start()
    successor.driver.reconcileTasks([])
    reason = mesos_pb2.TaskStatus.REASON_RECONCILIATION
    successor.scheduler.wait("statusUpdate", lambda s: (s.state, s.reason) == (mesos_pb2.TASK_RUNNING, reason))
    successor.end()


@TRANSPORTS
def test_s6_s31_unacknowledged_updates_come_again_to_a_successor(
    cluster: LocalCluster, tmp_path: Path, transport: str
) -> None:
    """With explicit acknowledgements nothing is acknowledged for the scheduler."""
    play = Play(cluster, transport, tmp_path, implicitAcknowledgements=False)
    framework_id = play.start()
    play.launch(play.task("t", command="true"))
    first = play.scheduler.status("t", mesos_pb2.TASK_STARTING)
    play.driver.stop(True)
    assert play.scheduler.states("t") == ["TASK_STARTING"]
    successor = Play(cluster, transport, tmp_path, info={"id": framework_id}, implicitAcknowledgements=False)
    successor.start()
    again = successor.scheduler.status("t", mesos_pb2.TASK_STARTING)
    assert again.uuid == first.uuid
    for state in (mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING, mesos_pb2.TASK_FINISHED):
        successor.driver.acknowledgeStatusUpdate(successor.scheduler.status("t", state))
    until(lambda: not _unfinished(successor), "the task was not removed after its last acknowledgement")
    successor.end()


def _unfinished(play: Play) -> list[Any]:
    framework = play.framework()
    assert framework is not None
    found: list[Any] = json.loads(json.dumps(framework["tasks"]))
    return found


@TRANSPORTS
def test_s10_a_refused_framework_hears_an_error(cluster: LocalCluster, tmp_path: Path, transport: str) -> None:
    """In the words of the master, whatever the transport adds before them."""
    play = Play(cluster, transport, tmp_path, info={"role": "/bad"})
    play.driver.start()
    (text,) = play.scheduler.wait("error")
    assert "Role '/bad' cannot start with a slash" in text
    assert play.driver.join() == mesos_pb2.DRIVER_ABORTED
    play.driver.stop()
