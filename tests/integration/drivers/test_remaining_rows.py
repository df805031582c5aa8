"""Rows of section 1 that no other file of tests names: S11, S13, S19, S21, S25, S43, S44, S48, S51, S56, S61-S68.

Those that a transport can change run over all three of them against a real cluster.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard, Stage, wait_for
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver
from messor import LocalCluster
from messor.model.task_states import is_terminal
from messor.protos import internal, v0, v0_scheduler
from messor.testing.mocks import MockExecutor, MockScheduler
from support.fakes import FakeMaster, Recorder

Call = v0_scheduler.Call
ROOT = Path(__file__).resolve().parents[3]
TRANSPORTS = pytest.mark.parametrize("transport", ["libprocess", "http", "http+json"])
NOT_STARTED, RUNNING, ABORTED, STOPPED = (
    v0.DRIVER_NOT_STARTED,
    v0.DRIVER_RUNNING,
    v0.DRIVER_ABORTED,
    v0.DRIVER_STOPPED,
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master and two agents, kept for all tests of this file."""
    folder = tmp_path_factory.mktemp("cluster")
    with LocalCluster(agents=2, work_dir=folder, resources="cpus:4;mem:2048") as running:
        yield running


class Life:
    """A driver on the cluster whose offers a test can use as it likes."""

    def __init__(self, cluster: LocalCluster, transport: str) -> None:
        self.scheduler = MockScheduler()
        self.offers: dict[str, v0.Offer] = {}
        self.scheduler.expect("resourceOffers", times=None, do=self._offered)
        framework = v0.FrameworkInfo(user="", name="rows", failover_timeout=60.0)
        self.driver = MesosSchedulerDriver(self.scheduler, framework, cluster.master, transport=transport)
        assert self.driver.start() == RUNNING
        self.scheduler.wait_for("registered")

    def _offered(self, _driver: Any, offers: Any) -> None:
        self.offers.update({offer.id.value: offer for offer in offers})

    def two_offers(self) -> list[v0.Offer]:
        """Offers of two agents."""

        def found() -> list[v0.Offer]:
            several = {offer.slave_id.value: offer for offer in list(self.offers.values())}
            return list(several.values()) if len(several) == 2 else []

        return wait_for(found, "offers of both agents")  # type: ignore[no-any-return]

    def status(self, task_id: str, count: int = 1) -> v0.TaskStatus:
        """Wait for a task's statuses and give the latest."""

        def found() -> Any:
            several = [
                heard.arguments[0]
                for heard in list(self.scheduler.calls)
                if heard.name == "statusUpdate" and heard.arguments[0].task_id.value == task_id
            ]
            return several[-1] if len(several) >= count else None

        return wait_for(found, f"{count} updates of {task_id}")  # type: ignore[no-any-return]


@pytest.fixture
def live(cluster: LocalCluster) -> Iterator[Callable[[str], Life]]:
    """Make drivers that are torn down after the test."""
    lives: list[Life] = []

    def make(transport: str) -> Life:
        lives.append(Life(cluster, transport))
        return lives[-1]

    yield make
    for life in lives:
        life.driver.stop()
        life.driver.join()


def task(task_id: str, offer: v0.Offer, command: str = "true") -> v0.TaskInfo:
    """A small command task."""
    info = v0.TaskInfo(name=task_id, task_id=v0.TaskID(value=task_id), slave_id=offer.slave_id)
    info.command.value = command
    for name, value in (("cpus", 0.1), ("mem", 32.0)):
        info.resources.add(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=value))
    return info


def environment(agent: Recorder) -> dict[str, str]:
    """What an agent gives its executors."""
    return {
        "MESOS_SLAVE_PID": str(agent.upid),
        "MESOS_SLAVE_ID": "A",
        "MESOS_FRAMEWORK_ID": "F",
        "MESOS_EXECUTOR_ID": "E",
        "MESOS_DIRECTORY": "/tmp",
        "MESOS_LOCAL": "1",
    }


# --- schedulers ------------------------------------------------------------------------------------------------------


def test_s11_every_callback_has_a_default_that_does_nothing() -> None:
    """Of schedulers and of executors."""
    counts = {"registered": 3, "reregistered": 2, "frameworkMessage": 4, "executorLost": 4, "disconnected": 1}
    for name in MockScheduler.CALLBACKS:
        assert getattr(Scheduler(), name)(*[None] * counts.get(name, 2)) is None
    counts = {"registered": 4, "disconnected": 1, "shutdown": 1}
    for name in MockExecutor.CALLBACKS:
        assert getattr(Executor(), name)(*[None] * counts.get(name, 2)) is None


def test_s13_the_statuses_are_1_to_4_and_every_call_returns_one() -> None:
    """Before the start it is NOT_STARTED for all."""
    assert (NOT_STARTED, RUNNING, ABORTED, STOPPED) == (1, 2, 3, 4)
    driver = MesosSchedulerDriver(Scheduler(), v0.FrameworkInfo(user="", name="x", failover_timeout=1.0), "h:1")
    identifier, agent = v0.TaskID(value="t"), v0.SlaveID(value="A")
    calls: list[Callable[[], int]] = [
        driver.stop,
        driver.abort,
        driver.join,
        lambda: driver.requestResources([]),
        lambda: driver.launchTasks([], []),
        lambda: driver.acceptOffers([], []),
        lambda: driver.declineOffer("O"),
        lambda: driver.killTask(identifier),
        driver.reviveOffers,
        driver.suppressOffers,
        lambda: driver.sendFrameworkMessage(v0.ExecutorID(value="E"), agent, b""),
        lambda: driver.reconcileTasks([]),
    ]
    assert [call() for call in calls] == [NOT_STARTED] * len(calls)


@TRANSPORTS
@pytest.mark.parametrize(("ending", "status"), [("stop", STOPPED), ("abort", ABORTED)])
def test_s19_join_waits_for_stop_or_abort_and_tells_which(
    live: Callable[[str], Life], transport: str, ending: str, status: int
) -> None:
    """From several threads at once; after stop following abort it is STOPPED."""
    driver = live(transport).driver
    joined: list[int] = []
    threads = [threading.Thread(target=lambda: joined.append(driver.join())) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    assert not joined
    getattr(driver, ending)()
    for thread in threads:
        thread.join(60)
    assert joined == [status] * 3
    driver.stop()
    assert driver.join() == STOPPED


@TRANSPORTS
def test_s21_requests_for_resources_do_no_harm(live: Callable[[str], Life], transport: str) -> None:
    """The built-in allocator ignores them; what comes after goes on."""
    life = live(transport)
    request = v0.Request(slave_id=v0.SlaveID(value="A"))
    request.resources.add(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=1))
    assert life.driver.requestResources([request, v0.Request()]) == RUNNING
    life.driver.reconcileTasks([v0.TaskStatus(task_id=v0.TaskID(value="u"), state=v0.TASK_RUNNING)])
    assert life.status("u").state == v0.TASK_LOST
    assert "error" not in life.scheduler.names()


BAD_OFFERS: list[tuple[str, Callable[[list[v0.Offer]], list[v0.OfferID]]]] = [
    ("unknown", lambda _: [v0.OfferID(value="nonsense")]),
    ("twice", lambda offers: [offers[0].id, offers[0].id]),
    ("two agents", lambda offers: [offers[0].id, offers[1].id]),
    ("one bad among good", lambda offers: [offers[0].id, v0.OfferID(value="nonsense")]),
    ("none", lambda _: []),
]


@TRANSPORTS
@pytest.mark.parametrize(("name", "choose"), BAD_OFFERS, ids=[name for name, _ in BAD_OFFERS])
def test_s25_tasks_launched_with_invalid_offers_are_lost(
    live: Callable[[str], Life],
    transport: str,
    name: str,
    choose: Callable[[list[v0.Offer]], list[v0.OfferID]],
) -> None:
    """Each of them, with the reason; the good offers of the call are used up."""
    life = live(transport)
    offers = life.two_offers()
    life.driver.launchTasks(choose(offers), [task("t1", offers[0]), task("t2", offers[0])])
    for task_id in ("t1", "t2"):
        status = life.status(task_id)
        assert (status.state, status.reason) == (v0.TASK_LOST, v0.TaskStatus.REASON_INVALID_OFFERS)
        assert status.message.startswith("Task launched with invalid offers: ")
        assert not status.uuid
    assert life.driver.status() == RUNNING


def test_s43_a_v0_scheduler_subscribes_with_a_call_and_is_answered_with_old_messages(
    stage: Stage, master: FakeMaster
) -> None:
    """The other way round, old messages of old drivers, is the master's: see tests of its doors."""
    heard = Heard()
    framework = v0.FrameworkInfo(user="", name="x", failover_timeout=1.0)
    driver = MesosSchedulerDriver(heard, framework, f"127.0.0.1:{master.upid.port}")
    driver.start()
    wait_for(lambda: master.received(Call), "SUBSCRIBE")
    assert master.last(Call).type == Call.SUBSCRIBE
    stage.do(lambda: master.framework_registered(master.last_sender(Call), "F"))
    assert heard.wait("registered")[0].value == "F"
    driver.stop(True)
    driver.join()


@TRANSPORTS
def test_s44_the_driver_may_be_called_from_its_own_callbacks(live: Callable[[str], Life], transport: str) -> None:
    """Even stop and join: the latch is triggered by exactly those, and nothing deadlocks."""
    life = live(transport)
    joined: list[int] = []

    def end(driver: Any, _status: Any) -> None:
        driver.reviveOffers()
        driver.stop(True)
        joined.append(driver.join())

    life.scheduler.expect("statusUpdate", do=end)
    life.driver.reconcileTasks([v0.TaskStatus(task_id=v0.TaskID(value="u"), state=v0.TASK_RUNNING)])
    assert life.driver.join() == STOPPED
    wait_for(lambda: joined, "the end of the callback")
    assert joined == [STOPPED]


def test_s48_an_example_runs_as_a_program(cluster: LocalCluster) -> None:
    """From a shell, given the master; the others are run by tests/integration/local."""
    program = ROOT / "examples" / "balloon_framework.py"
    arguments = [sys.executable, str(program), cluster.master, "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "--task_memory" in done.stdout


@TRANSPORTS
def test_s61_s62_an_executor_that_is_fetched_and_exits_leaves_failed_tasks(
    live: Callable[[str], Life], transport: str, tmp_path: Path
) -> None:
    """Its program comes by URI into the sandbox; what it never updated is TASK_FAILED, EXECUTOR_TERMINATED."""
    program = tmp_path / "executor.sh"
    program.write_text("#!/bin/sh\ntest -x ./executor.sh && exit 3\nexit 4\n")
    life = live(transport)
    offer = life.two_offers()[0]
    info = task("t", offer)
    info.ClearField("command")
    info.executor.executor_id.value = f"fetched-{transport}"
    info.executor.command.value = "./executor.sh"
    info.executor.command.uris.add(value=str(program), executable=True)
    life.driver.launchTasks(offer.id, [info])
    status = life.status("t")
    assert (status.state, status.reason) == (v0.TASK_FAILED, v0.TaskStatus.REASON_EXECUTOR_TERMINATED)
    _, _, wait_status = life.scheduler.wait_for("executorLost")
    assert wait_status == 3 << 8


# --- executors -------------------------------------------------------------------------------------------------------


def test_s51_an_executor_never_hears_disconnected(stage: Stage, agent: Recorder) -> None:
    """The original declares it and never calls it; without checkpointing the agent's end is ``shutdown``."""
    executor = MockExecutor()
    driver = MesosExecutorDriver(executor, environment(agent))
    driver.start()
    wait_for(lambda: agent.received(internal.RegisterExecutorMessage), "the registration")
    assert driver._thread is not None
    driver._thread.post(driver._session.exited, agent.upid)
    executor.wait_for("shutdown")
    assert executor.names() == ["shutdown"]
    driver.stop()
    driver.join()


def test_s56_an_executor_hears_error_after_its_driver_is_aborted() -> None:
    """What a callback of its own raised ends it, too."""
    states: list[int] = []
    executor = MockExecutor()
    executor.expect("error", "no", do=lambda driver, _: states.append(driver.status()))
    driver = MesosExecutorDriver(executor, {})
    driver._status = RUNNING
    driver._deliver_error("no")
    executor.verify()
    assert states == [ABORTED]


# --- programs --------------------------------------------------------------------------------------------------------


def test_s65_terminal_states_are_these() -> None:
    """UNREACHABLE and UNKNOWN are not among them: loops must go on."""
    terminal = {v0.TaskState.Name(state) for state in v0.TaskState.values() if is_terminal(state)}
    names = ("FINISHED", "FAILED", "KILLED", "LOST", "ERROR", "DROPPED", "GONE", "GONE_BY_OPERATOR")
    assert terminal == {f"TASK_{name}" for name in names}


def test_s68_the_message_module_has_the_names_of_mesos_pb2() -> None:
    """Constants at module level, and protobuf's own methods."""
    for name in ("TaskInfo", "FrameworkInfo", "Environment", "ExecutorInfo", "Offer", "TaskStatus", "MasterInfo"):
        assert hasattr(mesos_pb2, name)
    for number, name in v0.TaskState.DESCRIPTOR.values_by_number.items():
        assert getattr(mesos_pb2, name.name) == number
    info = mesos_pb2.TaskInfo()
    resource = info.resources.add()
    resource.type = mesos_pb2.Value.SCALAR
    resource.scalar.value = 1
    copy = mesos_pb2.TaskInfo()
    copy.MergeFrom(info)
    assert copy.resources[0].scalar.value == 1
    assert mesos_pb2.DESCRIPTOR.name == "mesos/mesos.proto"
