"""Rows of section 1 that no other file of tests names: S11, S13, S19, S21, S25, S43, S44, S61, S62, S65 and S68.

Those that a transport can change run over all three of them against a real cluster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard, Stage, wait_for
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
from messor import LocalCluster
from messor.model.task_states import is_terminal
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Actor
from messor.testing.mocks import MockExecutor, MockScheduler
from messor.wire.upid import Upid
from support.fakes import FakeMaster, FakeScheduler, Recorder

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


class LegacyScheduler(FakeScheduler):
    """A scheduler that knows no calls, on the cluster."""

    count = 0

    def __init__(self, cluster: LocalCluster, stage: Stage, framework_id: str = "") -> None:
        """Link the master."""
        type(self).count += 1
        host, _, port = cluster.master.partition(":")
        info = v0.FrameworkInfo(user="root", name="legacy", failover_timeout=60.0)
        if framework_id:
            info.id.value = framework_id
        super().__init__(Upid("master", host, int(port)), info, f"scheduler({self.count})")
        self.stage = stage
        stage.spawn(self)
        stage.do(lambda: self.link(self.master))

    def send(self, *arguments: Any) -> None:
        """Send something, to the master unless told otherwise."""
        receiver, message = arguments if len(arguments) == 2 else (self.master, *arguments)
        self.stage.do(lambda: Actor.send(self, receiver, message))

    def wait(self, kind: Any) -> Any:
        """Wait for a message and give the latest."""
        wait_for(lambda: self.received(kind), f"{kind.DESCRIPTOR.name}, got {self.names()}")
        return self.last(kind)

    def wait_update(self, task_id: str, state: int) -> Any:
        """Wait for a task's state."""

        def found() -> Any:
            updates = [message.update for message in self.received(internal.StatusUpdateMessage)]
            ours = [one for one in updates if (one.status.task_id.value, one.status.state) == (task_id, state)]
            return ours[0] if ours else None

        return wait_for(found, f"{v0.TaskState.Name(state)} of {task_id}")  # type: ignore[arg-type]


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
    """As the real ones do since 0.23."""
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


def test_s43_a_master_still_understands_drivers_from_before_there_were_calls(
    cluster: LocalCluster, stage: Stage
) -> None:
    """A whole life in legacy messages, as pesos and the first mesos-go sent them, and a successor's failover."""
    old = LegacyScheduler(cluster, stage)
    old.send(internal.RegisterFrameworkMessage(framework=old.info))
    framework_id = old.wait(internal.FrameworkRegisteredMessage).framework_id
    offer = old.wait(internal.ResourceOffersMessage).offers[0]
    old.send(
        internal.LaunchTasksMessage(
            framework_id=framework_id, offer_ids=[offer.id], tasks=[task("legacy", offer, "sleep 600")], filters={}
        )
    )
    old.send(internal.ResourceRequestMessage(framework_id=framework_id, requests=[v0.Request()]))
    for state in (v0.TASK_STARTING, v0.TASK_RUNNING):
        update = old.wait_update("legacy", state)
        old.send(
            internal.StatusUpdateAcknowledgementMessage(
                framework_id=framework_id,
                slave_id=offer.slave_id,
                task_id=update.status.task_id,
                uuid=update.uuid,
            )
        )
    asked = v0.TaskStatus(task_id=v0.TaskID(value="nobody's"), state=v0.TASK_RUNNING)
    old.send(internal.ReconcileTasksMessage(framework_id=framework_id, statuses=[asked]))
    assert old.wait_update("nobody's", v0.TASK_LOST).status.reason == v0.TaskStatus.REASON_RECONCILIATION

    new = LegacyScheduler(cluster, stage, framework_id.value)
    new.send(internal.ReregisterFrameworkMessage(framework=new.info, failover=True))
    assert new.wait(internal.FrameworkRegisteredMessage).framework_id == framework_id
    assert old.wait(internal.FrameworkErrorMessage).message == "Framework failed over"
    old.send(internal.KillTaskMessage(framework_id=framework_id, task_id=v0.TaskID(value="legacy")))  # dropped
    new.send(internal.ReregisterFrameworkMessage(framework=new.info, failover=False))
    assert new.wait(internal.FrameworkReregisteredMessage).framework_id == framework_id
    new.send(internal.ReviveOffersMessage(framework_id=framework_id))
    new.wait(internal.ResourceOffersMessage)
    new.send(internal.KillTaskMessage(framework_id=framework_id, task_id=v0.TaskID(value="legacy")))
    new.wait_update("legacy", v0.TASK_KILLED)
    new.send(internal.DeactivateFrameworkMessage(framework_id=framework_id))
    new.send(internal.UnregisterFrameworkMessage(framework_id=framework_id))
    again = LegacyScheduler(cluster, stage, framework_id.value)
    again.send(internal.ReregisterFrameworkMessage(framework=again.info, failover=True))
    assert again.wait(internal.FrameworkErrorMessage).message == "Framework has been removed"


def test_s43_a_legacy_registration_that_is_wrong_is_answered_with_an_error(cluster: LocalCluster, stage: Stage) -> None:
    """In the words a real master used."""
    one = LegacyScheduler(cluster, stage)
    one.info.role = "/bad"
    one.send(internal.RegisterFrameworkMessage(framework=one.info))
    assert one.wait(internal.FrameworkErrorMessage).message == (
        "'FrameworkInfo.role' is not a valid role: Role '/bad' cannot start with a slash"
    )


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
