"""Rows of the contract that other bindings brought: detectors by name (A), mesos-go's (G) and hs-mesos' API (H).

One test per row, S12, S37-S40, S47, S63 and S69-S79; those that a transport can change run over all three of them
against a real cluster.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard, Stage, wait_for
from mesos.interface import Executor, ExecutorDriver, Scheduler, SchedulerDriver, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver
from messor import LocalCluster
from messor.drivers.detection import DetectorPool, MasterDetector, StandaloneMasterDetector
from messor.drivers.inspection import DriverNotRunning
from messor.drivers.scheduler.brackets import (
    create_driver,
    create_scheduler,
    destroy_driver,
    destroy_scheduler,
    scheduler_driver,
    with_scheduler_driver,
)
from messor.drivers.scheduler.config import CredentialHandler, DriverConfig
from messor.drivers.scheduler.libprocess_transport import LibprocessTransport
from messor.errors import ConfigurationError
from messor.protos import v0, v0_scheduler
from messor.testing.mocks import ANY, MockExecutor, MockScheduler
from support.fakes import FakeMaster, Recorder

Call = v0_scheduler.Call
ALL_BYTES = bytes(range(256))
TRANSPORTS = pytest.mark.parametrize("transport", ["libprocess", "http", "http+json"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master and one agent, kept for all tests of this file."""
    folder = tmp_path_factory.mktemp("cluster")
    with LocalCluster(agents=1, work_dir=folder, resources="cpus:4;mem:2048") as running:
        yield running


@pytest.fixture
def drivers() -> Iterator[list[MesosSchedulerDriver]]:
    """Drivers to tear down after the test."""
    several: list[MesosSchedulerDriver] = []
    yield several
    for driver in several:
        driver.stop()
        driver.join()


def info(**fields: Any) -> v0.FrameworkInfo:
    """A framework that can run on a real agent."""
    framework = v0.FrameworkInfo(user="", name="rows", failover_timeout=60.0)
    framework.MergeFrom(v0.FrameworkInfo(user="", name="rows", **fields))
    return framework


def config(master: str, **fields: Any) -> DriverConfig:
    """The smallest DriverConfig, and more."""
    return DriverConfig(**{"scheduler": MockScheduler(), "framework": info(), "master": master, **fields})


# --- S12: mocks ------------------------------------------------------------------------------------------------------


def test_s12_a_mock_scheduler_has_all_ten_callbacks_of_a_scheduler() -> None:
    """An interface's new callback must not be forgotten here."""
    assert set(MockScheduler.CALLBACKS) == {name for name in vars(Scheduler) if not name.startswith("_")}
    assert set(MockExecutor.CALLBACKS) == {name for name in vars(Executor) if not name.startswith("_")}
    assert len(MockScheduler.CALLBACKS) == 10


@TRANSPORTS
def test_s12_a_mock_scheduler_checks_what_a_real_master_tells(
    cluster: LocalCluster, drivers: list[MesosSchedulerDriver], transport: str
) -> None:
    """Expectations with values, ANY and functions; and what to do then."""
    scheduler = MockScheduler()
    scheduler.expect("registered", lambda framework_id: framework_id.value, ANY)
    scheduler.expect("resourceOffers", times=None, do=lambda driver, offers: driver.declineOffer(offers[0].id))
    driver = MesosSchedulerDriver(scheduler, info(), cluster.master, transport=transport)
    drivers.append(driver)
    driver.start()
    scheduler.verify(within=60)
    assert scheduler.names()[0] == "registered"
    assert scheduler.wait_for("resourceOffers")[0][0].slave_id.value


def test_s12_a_mock_scheduler_names_what_did_not_come() -> None:
    """And what came although nobody expected it, when strict."""
    scheduler = MockScheduler(strict=True)
    scheduler.expect("slaveLost", v0.SlaveID(value="A"))
    with pytest.raises(AssertionError, match="nobody expected"):
        scheduler.slaveLost(None, v0.SlaveID(value="B"))
    with pytest.raises(
        AssertionError, match=r'slaveLost\(value: "A"\): expected 1×, came 0×\nslaveLost\(value: "B"\): nobody'
    ):
        scheduler.verify()
    with pytest.raises(ValueError, match="'slave_lost' is no callback"):
        scheduler.expect("slave_lost")
    with pytest.raises(AssertionError, match="error did not come"):
        scheduler.wait_for("error", within=0.01)


def test_s12_a_mock_executor_records_what_an_agent_tells(stage: Stage, agent: Recorder) -> None:
    """Here that registration has to come first."""
    executor = MockExecutor()
    executor.expect("registered", times=0)
    driver = MesosExecutorDriver(executor, executor_environment(agent))
    driver.start()
    wait_for(lambda: agent.names(), "the registration")
    executor.verify()
    driver.stop()
    driver.join()


def executor_environment(agent: Recorder) -> dict[str, str]:
    """What an agent gives its executors."""
    return {
        "MESOS_SLAVE_PID": str(agent.upid),
        "MESOS_SLAVE_ID": "A",
        "MESOS_FRAMEWORK_ID": "F",
        "MESOS_EXECUTOR_ID": "E",
        "MESOS_DIRECTORY": "/tmp",
        "MESOS_LOCAL": "1",
    }


# --- S37-S40: detectors ----------------------------------------------------------------------------------------------


def test_s37_the_pool_gives_one_detector_per_string_for_as_long_as_it_is_held() -> None:
    """Errors are not remembered."""
    one = DetectorPool.get("127.0.0.1:5050")
    assert DetectorPool.get("127.0.0.1:5050") is one
    other = DetectorPool.get("127.0.0.1:5051")
    assert other is not one
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            DetectorPool.get("zk://h:2181/")
    identity = id(one)
    del one
    wait_for(lambda: "127.0.0.1:5050" not in DetectorPool._detectors, "the end of the detector")
    assert identity
    other.close()


def test_s38_create_dispatches_on_the_string(tmp_path: Path) -> None:
    """An address, a file that holds one, and nothing: a leader that is appointed later."""
    (tmp_path / "master").write_text("127.0.0.1:5055\n")
    for text, port in (("127.0.0.1:5054", 5054), (f"file://{tmp_path}/master", 5055), ("master@127.0.0.1:5056", 5056)):
        detector = MasterDetector.create(text)
        leader = detector.detect().result(60)
        assert leader is not None
        assert leader.port == port
        detector.close()
    detector = MasterDetector.create(None)
    assert isinstance(detector, StandaloneMasterDetector)
    assert not detector.detect().done()
    detector.close()


def test_s39_appoint_sets_changes_and_clears_the_leader() -> None:
    """From a MasterInfo as well as from an address."""
    detector = StandaloneMasterDetector("127.0.0.1:5050")
    first = detector.detect().result(60)
    assert first is not None
    assert first.port == 5050
    waiting = [detector.detect(first) for _ in range(3)]
    detector.appoint(v0.MasterInfo(id="m2", ip=1, port=5051))
    assert [future.result(60).id for future in waiting] == ["m2"] * 3  # type: ignore[union-attr]
    cleared = detector.detect(waiting[0].result())
    detector.appoint(None)
    assert cleared.result(60) is None
    detector.close()


def test_s40_detect_completes_only_when_the_leader_differs_from_previous() -> None:
    """The future is cancelled when the detector goes, and never otherwise."""
    detector = StandaloneMasterDetector("127.0.0.1:5050")
    leader = detector.detect(None).result(60)
    same = detector.detect(leader)
    detector.appoint(leader)
    assert not same.done()
    detector.close()
    wait_for(same.cancelled, "the cancellation")


# --- S47, S63 --------------------------------------------------------------------------------------------------------


def test_s47_stop_after_run_returned_gives_the_status(cluster: LocalCluster) -> None:
    """The example of the seed calls ``run(); stop();``."""
    scheduler = MockScheduler()
    scheduler.expect("registered", do=lambda driver, *_: driver.stop())
    driver = MesosSchedulerDriver(scheduler, info(), cluster.master)
    assert driver.run() == v0.DRIVER_STOPPED
    assert driver.stop() == v0.DRIVER_STOPPED


def test_s63_an_executor_driver_takes_its_environment_as_an_argument(
    stage: Stage, agent: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process's own is not looked at, so that threads cannot race for it."""
    for name in executor_environment(agent):
        monkeypatch.setenv(name, "wrong")
    driver = MesosExecutorDriver(MockExecutor(), executor_environment(agent))
    assert driver.start() == v0.DRIVER_RUNNING
    wait_for(lambda: agent.names(), "the registration")
    driver.stop()
    driver.join()


# --- S69-S76: mesos-go -----------------------------------------------------------------------------------------------


def test_s69_binding_address_and_port_are_where_the_driver_listens(stage: Stage, master: FakeMaster) -> None:
    """The master hears from there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"127.0.0.1:{master.upid.port}"
    driver = MesosSchedulerDriver.from_config(config(address, binding_address="127.0.0.1", binding_port=port))
    driver.start()
    wait_for(lambda: master.received(Call), "SUBSCRIBE")
    sender = master.last_sender(Call)
    assert (sender.ip, sender.port) == ("127.0.0.1", port)
    driver.stop()
    driver.join()


def test_s69_a_published_address_is_what_the_master_is_told(stage: Stage, master: FakeMaster) -> None:
    """For drivers behind address translation."""
    address = f"127.0.0.1:{master.upid.port}"
    made = config(address, binding_address="127.0.0.1", published_address="10.9.8.7", published_port=7777)
    driver = MesosSchedulerDriver.from_config(made)
    driver.start()
    wait_for(lambda: master.received(Call), "SUBSCRIBE")
    assert str(master.last_sender(Call)).endswith("@10.9.8.7:7777")
    driver.stop()
    driver.join()


def test_s69_a_transport_may_be_made_by_the_user(stage: Stage, master: FakeMaster) -> None:
    """mesos-go's NewMessenger."""
    made: list[LibprocessTransport] = []

    def make() -> LibprocessTransport:
        made.append(LibprocessTransport())
        return made[0]

    driver = MesosSchedulerDriver.from_config(config(f"127.0.0.1:{master.upid.port}", transport=make))
    driver.start()
    wait_for(lambda: master.received(Call), "SUBSCRIBE")
    assert len(made) == 1
    driver.stop()
    driver.join()


WRONG = [
    ({"scheduler": None}, "scheduler is missing"),
    ({"framework": None}, "framework is missing"),
    ({"framework": {"name": "x"}}, "framework is a dict"),
    ({"master": ""}, "master is missing"),
    ({"master": "  "}, "master is missing"),
    ({"credential": "secret"}, "credential is a str"),
    ({"credential_handler": "secret"}, "credential_handler cannot be called"),
    ({"credential": v0.Credential(principal="p"), "credential_handler": lambda: None}, "are both set"),
    ({"binding_port": 70000}, "binding_port is 70000"),
    ({"published_port": "x"}, "published_port is 'x'"),
    ({"binding_address": "nowhere"}, "binding_address"),
    ({"transport": "pigeon"}, "pigeon"),
]


@pytest.mark.parametrize(("fields", "words"), WRONG, ids=[words for _, words in WRONG])
def test_s70_a_config_that_makes_no_sense_is_an_error_that_names_the_field(fields: dict[str, Any], words: str) -> None:
    """Nothing is started."""
    with pytest.raises(ConfigurationError, match=words):
        MesosSchedulerDriver.from_config(config(**{"master": "127.0.0.1:1", **fields}))


def test_s70_user_and_hostname_are_filled_in() -> None:
    """The hostname by what overrides it."""
    filled = MesosSchedulerDriver.from_config(config("127.0.0.1:1", hostname_override="edge-7")).framework_info
    assert filled.user
    assert filled.hostname == "edge-7"
    named = config("127.0.0.1:1", framework=info(hostname="own"), hostname_override="edge-7")
    assert MesosSchedulerDriver.from_config(named).framework_info.hostname == "own"


def test_s71_a_credential_handler_is_asked_each_time_and_not_before() -> None:
    """Both parts may be functions; bytes are taken as the secret."""
    asked: list[str] = []

    def password() -> bytes:
        asked.append("password")
        return b"secret-%d" % len(asked)

    handler = CredentialHandler("me", password)
    assert not asked
    assert (handler().principal, handler().secret) == ("me", "secret-2")
    with pytest.raises(ConfigurationError, match="no username"):
        CredentialHandler(lambda: "", "x")()


@pytest.fixture(scope="module")
def secure_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A master that wants to know every framework."""
    folder = tmp_path_factory.mktemp("secure")
    credentials = folder / "credentials"
    credentials.write_text(json.dumps({"credentials": [{"principal": "me", "secret": "right"}]}))
    credentials.chmod(0o600)
    flags = {
        "authenticate_frameworks": "true",
        "authenticate_http_frameworks": "true",
        "http_framework_authenticators": "basic",
        "credentials": credentials,
    }
    with LocalCluster(agents=1, work_dir=folder / "cluster", master_flags=flags) as running:
        yield running


@TRANSPORTS
@pytest.mark.parametrize("kind", ["credential", "handler"])
def test_s71_a_driver_authenticates_with_a_credential_or_a_handler(
    secure_cluster: LocalCluster, drivers: list[MesosSchedulerDriver], transport: str, kind: str
) -> None:
    """The handler is asked when the driver starts, not when it is made; Connected() includes authentication."""
    asked: list[str] = []

    def password() -> str:
        asked.append("password")
        return "right"

    secret: dict[str, Any] = {"credential": v0.Credential(principal="me", secret="right")}
    if kind == "handler":
        secret = {"credential_handler": CredentialHandler("me", password)}
    scheduler = MockScheduler()
    made = config(secure_cluster.master, scheduler=scheduler, transport=transport, **secret)
    made.framework.principal = "me"
    driver = MesosSchedulerDriver.from_config(made)
    drivers.append(driver)
    assert not asked
    driver.start()
    scheduler.wait_for("registered")
    assert driver.Connected()
    assert bool(asked) == (kind == "handler")


@TRANSPORTS
def test_s71_a_refused_secret_is_an_error_and_never_connects(secure_cluster: LocalCluster, transport: str) -> None:
    """The driver is aborted, and says why."""
    scheduler = MockScheduler()
    handler = CredentialHandler("me", "wrong")
    made = config(secure_cluster.master, scheduler=scheduler, transport=transport, credential_handler=handler)
    driver = MesosSchedulerDriver.from_config(made)
    assert driver.run() == v0.DRIVER_ABORTED
    assert scheduler.names() == ["error"]
    assert not driver.Connected()
    driver.stop()


@TRANSPORTS
def test_s72_leader_framework_and_scheduler_can_be_looked_at(
    cluster: LocalCluster, drivers: list[MesosSchedulerDriver], transport: str
) -> None:
    """The pid is None until a master is detected, the id empty until registered."""
    scheduler = MockScheduler()
    driver = MesosSchedulerDriver(scheduler, info(), cluster.master, transport=transport)
    drivers.append(driver)
    assert driver.master_pid is None
    assert driver.framework_info.id.value == ""
    driver.start()
    framework_id, master = scheduler.wait_for("registered")
    assert driver.master_pid == driver.MasterPid == master.pid
    assert driver.framework_info.id == driver.FrameworkInfo.id == framework_id
    assert driver.scheduler is driver.Scheduler is scheduler


@TRANSPORTS
def test_s73_s74_s75_status_connected_and_stopped_follow_the_driver(
    cluster: LocalCluster, drivers: list[MesosSchedulerDriver], transport: str
) -> None:
    """Stopped is true before the start, too."""
    scheduler = MockScheduler()
    driver = MesosSchedulerDriver(scheduler, info(), cluster.master, transport=transport)
    drivers.append(driver)

    def state() -> tuple[int, bool, bool, bool]:
        return driver.Status(), driver.Connected(), driver.Stopped(), driver.Running()

    assert state() == (v0.DRIVER_NOT_STARTED, False, True, False)
    driver.start()
    scheduler.wait_for("registered")
    assert state() == (v0.DRIVER_RUNNING, True, False, True)
    assert (driver.status(), driver.connected(), driver.stopped(), driver.running()) == state()
    driver.abort()
    assert state() == (v0.DRIVER_ABORTED, False, True, False)
    driver.stop()
    assert state() == (v0.DRIVER_STOPPED, False, True, False)


def test_s74_connected_ends_with_the_master(stage: Stage, master: FakeMaster) -> None:
    """And begins again with the next registration."""
    heard = Heard()
    driver = MesosSchedulerDriver(heard, info(), f"127.0.0.1:{master.upid.port}")
    driver.start()
    wait_for(lambda: master.received(Call), "SUBSCRIBE")
    assert not driver.connected()
    stage.do(lambda: master.framework_registered(master.last_sender(Call), "F"))
    heard.wait("registered")
    assert driver.connected()
    assert driver._thread is not None
    driver._thread.post(driver._session.exited, master.upid)
    heard.wait("disconnected")
    assert not driver.connected()
    driver.stop(True)
    driver.join()


STATELESS: list[tuple[str, Callable[[MesosSchedulerDriver], object]]] = [
    ("stop", lambda driver: driver.stop()),
    ("abort", lambda driver: driver.abort()),
    ("join", lambda driver: driver.join()),
    ("revive", lambda driver: driver.reviveOffers()),
    ("launch", lambda driver: driver.launchTasks("O", [])),
    ("kill", lambda driver: driver.killTask(v0.TaskID(value="t"))),
]


@pytest.mark.parametrize(("name", "call"), STATELESS, ids=[name for name, _ in STATELESS])
def test_s76_calls_in_the_wrong_state_raise_where_that_is_wanted(
    name: str, call: Callable[[MesosSchedulerDriver], object]
) -> None:
    """The error carries the status; without the wish the status alone is returned."""
    driver = MesosSchedulerDriver.from_config(config("127.0.0.1:1", raise_errors=True))
    with pytest.raises(DriverNotRunning, match="DRIVER_NOT_STARTED") as raised:
        call(driver)
    assert raised.value.driver_status == v0.DRIVER_NOT_STARTED
    assert call(MesosSchedulerDriver.from_config(config("127.0.0.1:1"))) == v0.DRIVER_NOT_STARTED


def test_s76_an_update_handled_while_the_driver_stops_raises_nothing(stage: Stage, master: FakeMaster) -> None:
    """The implicit acknowledgement is the driver's own affair."""
    scheduler = MockScheduler()
    scheduler.expect("registered", do=lambda driver, *_: driver.stop(True))
    driver = MesosSchedulerDriver.from_config(
        config(f"127.0.0.1:{master.upid.port}", scheduler=scheduler, raise_errors=True)
    )
    driver.start()
    wait_for(lambda: master.received(Call), "SUBSCRIBE")
    stage.do(lambda: master.framework_registered(master.last_sender(Call), "F"))
    assert driver.join() == v0.DRIVER_STOPPED
    with pytest.raises(DriverNotRunning, match="DRIVER_STOPPED"):
        driver.stop()
    assert "error" not in scheduler.names()


# --- S77-S79: hs-mesos -----------------------------------------------------------------------------------------------


def test_s77_the_bracket_destroys_the_driver_whatever_happens_inside(cluster: LocalCluster) -> None:
    """A framework is not torn down by an exception: it can be taken over, under its id."""
    scheduler = MockScheduler()
    seen: list[MesosSchedulerDriver] = []

    def fail() -> None:
        with scheduler_driver(scheduler, info(), cluster.master) as driver:
            seen.append(driver)
            driver.start()
            scheduler.wait_for("registered")
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        fail()
    (driver,) = seen
    assert driver.Stopped()
    assert driver._thread is not None
    assert not driver._thread._thread.is_alive()
    again = MockScheduler()
    with scheduler_driver(again, driver.framework_info, cluster.master) as second:
        second.start()
        framework_id, _ = again.wait_for("registered")
        assert framework_id == driver.framework_info.id
        second.stop()


def test_s77_the_bracket_gives_the_result_of_its_action(cluster: LocalCluster) -> None:
    """It starts nothing by itself."""
    scheduler = MockScheduler()
    scheduler.expect("registered", do=lambda driver, *_: driver.stop())
    assert with_scheduler_driver(scheduler, info(), cluster.master, None, lambda driver: driver.Status()) == 1
    assert scheduler.calls == []
    assert with_scheduler_driver(scheduler, info(), cluster.master, None, lambda driver: driver.run()) == 4


def test_s78_schedulers_and_drivers_are_created_and_destroyed_one_by_one(cluster: LocalCluster) -> None:
    """Callbacks that a scheduler lacks do nothing (S11)."""
    registered = threading.Event()

    class OnlyRegistered:
        def registered(self, driver: Any, framework_id: Any, master: Any) -> None:
            registered.set()

    scheduler = create_scheduler(OnlyRegistered())
    driver = create_driver(scheduler, info(), cluster.master)
    destroy_driver(driver)
    driver = create_driver(scheduler, info(), cluster.master)
    driver.start()
    assert registered.wait(60)
    assert scheduler.resourceOffers(driver, []) is None
    driver.stop()
    destroy_driver(driver)
    destroy_driver(driver)
    destroy_scheduler(scheduler)
    full = MockScheduler()
    assert create_scheduler(full) is full


@TRANSPORTS
def test_s79_payloads_are_bytes_end_to_end(
    cluster: LocalCluster, drivers: list[MesosSchedulerDriver], transport: str
) -> None:
    """Every byte value, in an executor's and a task's data, in messages both ways and in statuses."""
    scheduler = MockScheduler()
    program = Path(__file__).with_name("bytes_executor.py")

    def launch(driver: Any, offers: Any) -> None:
        task = v0.TaskInfo(name="t", task_id=v0.TaskID(value="t"), slave_id=offers[0].slave_id, data=ALL_BYTES)
        task.executor.executor_id.value = "echo"
        task.executor.data = ALL_BYTES[::-1]
        task.executor.command.value = f"exec {sys.executable} {program} {transport.partition('+')[0]}"
        for name, value in (("cpus", 0.1), ("mem", 32.0)):
            task.resources.add(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=value))
        driver.launchTasks(offers[0].id, [task])

    def greet(driver: Any, status: Any) -> None:
        driver.sendFrameworkMessage(v0.ExecutorID(value="echo"), status.slave_id, b"\x00\xff" + ALL_BYTES)

    scheduler.expect("resourceOffers", do=launch)
    scheduler.expect("resourceOffers", times=None)
    scheduler.expect("statusUpdate", lambda status: status.state == v0.TASK_RUNNING, do=greet)
    scheduler.expect("statusUpdate", lambda status: status.state == v0.TASK_FINISHED)
    driver = MesosSchedulerDriver(scheduler, info(), cluster.master, transport=transport)
    drivers.append(driver)
    driver.start()
    _, _, data = scheduler.wait_for("frameworkMessage", within=60)
    assert data == ALL_BYTES[::-1] + b"\x00\xff" + ALL_BYTES
    (last,) = scheduler.wait_for("statusUpdate", 2, within=60)
    statuses = [heard.arguments[0] for heard in scheduler.calls if heard.name == "statusUpdate"]
    assert [status.data for status in statuses] == [ALL_BYTES, b"\x00\xff" + ALL_BYTES]
    assert last.state == mesos_pb2.TASK_FINISHED


def test_s79_join_is_also_called_await() -> None:
    """A keyword in Python, so it takes an underscore or getattr."""
    for kind in (MesosSchedulerDriver, MesosExecutorDriver):
        assert getattr(kind, "await") is kind.await_ is kind.join


# --- import paths ----------------------------------------------------------------------------------------------------


def test_drivers_count_as_instances_of_the_interfaces() -> None:
    """Without either module importing the other."""
    assert issubclass(MesosSchedulerDriver, SchedulerDriver)
    assert issubclass(MesosExecutorDriver, ExecutorDriver)
    assert not issubclass(MesosExecutorDriver, SchedulerDriver)
    assert not isinstance({}, SchedulerDriver)
    assert isinstance(SchedulerDriver(), SchedulerDriver)


def test_v1_drivers_give_and_take_v1_messages(cluster: LocalCluster) -> None:
    """``agent_id`` where the classic ones say ``slave_id``."""
    from mesos.v1.interface import Scheduler as V1Scheduler
    from mesos.v1.interface import mesos_pb2 as v1
    from mesos.v1.scheduler import MesosSchedulerDriver as V1Driver

    done = threading.Event()
    states: list[int] = []

    class Runner(V1Scheduler):
        launched = False

        def resourceOffers(self, driver: Any, offers: Any) -> None:
            if self.launched:
                return
            self.launched = True
            task = v1.TaskInfo(name="t", task_id=v1.TaskID(value="v1"), agent_id=offers[0].agent_id)
            task.command.value = "true"
            for name, value in (("cpus", 0.1), ("mem", 32.0)):
                task.resources.add(name=name, type=v1.Value.SCALAR, scalar=v1.Value.Scalar(value=value))
            driver.launchTasks(offers[0].id, [task])

        def statusUpdate(self, driver: Any, status: Any) -> None:
            assert isinstance(status, v1.TaskStatus)
            states.append(status.state)
            if status.state == v1.TASK_FINISHED:
                done.set()
                driver.stop()

    framework = v1.FrameworkInfo(user="", name="v1", failover_timeout=1.0)
    driver = V1Driver(Runner(), framework, cluster.master)
    assert driver.run() == v0.DRIVER_STOPPED
    assert done.is_set()
    assert v1.TASK_RUNNING in states


def test_pesos_names_are_there() -> None:
    """Its modules are what old programs import."""
    from pesos.api import Scheduler as PesosScheduler
    from pesos.detector import StandaloneMasterDetector as Detector
    from pesos.scheduler import PesosSchedulerDriver
    from pesos.vendor.mesos import mesos_pb2 as vendored
    from pesos.vendor.mesos.internal import messages_pb2

    assert PesosScheduler is Scheduler
    assert Detector is StandaloneMasterDetector
    assert vendored.TaskInfo is v0.TaskInfo
    assert messages_pb2.StatusUpdate.DESCRIPTOR.full_name == "mesos.internal.StatusUpdate"
    assert callable(PesosSchedulerDriver.update_framework)
