"""MesosSchedulerDriver over libprocess against a fake master, one test per row of the contract (S1-S46)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard, Stage, wait_for
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.protos import internal, v0, v0_scheduler
from messor.protos.mesos.authentication.authentication_pb2 import AuthenticateMessage
from messor.wire.upid import Upid
from support import builders
from support.fakes import FakeMaster, Recorder

Call = v0_scheduler.Call
NOT_STARTED, RUNNING, ABORTED, STOPPED = (
    v0.DRIVER_NOT_STARTED,
    v0.DRIVER_RUNNING,
    v0.DRIVER_ABORTED,
    v0.DRIVER_STOPPED,
)


class Play:
    """A driver, its scheduler and the master it talks to."""

    def __init__(self, stage: Stage, master: FakeMaster, **arguments: Any) -> None:
        self.stage = stage
        self.master = master
        self.heard = Heard()
        info = arguments.pop("framework", builders.framework_info(user=""))
        self.driver = MesosSchedulerDriver(self.heard, info, f"127.0.0.1:{master.upid.port}", **arguments)

    def calls(self, kind: int) -> list[Call]:
        """Calls of a type that reached the master."""
        return [call for call in self.master.received(Call) if call.type == kind]

    def wait_call(self, kind: int, count: int = 1) -> Call:
        """Wait for a call and give the latest."""
        wait_for(lambda: len(self.calls(kind)) >= count, f"{Call.Type.Name(kind)}, got {self.master.names()}")
        return self.calls(kind)[-1]

    @property
    def pid(self) -> Upid:
        """The driver's address."""
        return self.master.last_sender(Call)

    def send(self, name: str, *arguments: Any, **named: Any) -> None:
        """Have the master send something to the driver."""
        self.stage.do(lambda: getattr(self.master, name)(self.pid, *arguments, **named))

    def register(self) -> None:
        """Start and register as F."""
        assert self.driver.start() == RUNNING
        self.wait_call(Call.SUBSCRIBE)
        self.send("framework_registered", "F")
        self.heard.wait("registered")


@pytest.fixture
def play(stage: Stage, master: FakeMaster) -> Iterator[Play]:
    """A driver that is not started."""
    one = Play(stage, master)
    yield one
    one.driver.stop(True)
    one.driver.join()


@pytest.fixture
def registered(play: Play) -> Play:
    """A registered driver."""
    play.register()
    return play


def update(state: int = v0.TASK_RUNNING, task_id: str = "t") -> internal.StatusUpdate:
    """A status update of a task on agent A."""
    message = internal.StatusUpdate(timestamp=1.5, uuid=b"0123456789abcdef")
    message.framework_id.value = "F"
    message.slave_id.value = "A"
    message.status.task_id.value = task_id
    message.status.slave_id.value = "A"
    message.status.state = state  # type: ignore[assignment]
    return message


AGENT = Upid("slave(1)", "127.0.0.1", 9)


def test_s1_registered_is_the_first_callback_and_carries_id_and_master(registered: Play) -> None:
    """The framework learns its id and its master."""
    framework_id, master = registered.heard.wait("registered")
    assert framework_id.value == "F"
    assert master.pid == str(registered.master.upid)
    assert registered.heard.names() == ["registered"]


def test_s1_a_driver_with_an_id_hears_registered_and_forces_only_its_first_subscription(
    stage: Stage, master: FakeMaster
) -> None:
    """Failover: ``force`` is set until the first registration, and it is no reregistration (trap 2)."""
    play = Play(stage, master, framework=builders.framework_info(framework_id="F"))
    play.driver.start()
    call = play.wait_call(Call.SUBSCRIBE)
    assert call.subscribe.force
    assert call.framework_id.value == "F"
    play.send("framework_registered", "F")
    play.heard.wait("registered")
    play.driver.stop(True)


def test_s2_s3_a_broken_link_is_disconnected_and_then_reregistered(registered: Play, stage: Stage) -> None:
    """The same driver comes back: ``disconnected`` once, then ``reregistered``, without force."""
    session = registered.driver._session
    registered.driver._thread.post(session.exited, registered.master.upid)  # type: ignore[union-attr]
    registered.heard.wait("disconnected")
    call = registered.wait_call(Call.SUBSCRIBE, 2)
    assert not call.subscribe.force
    registered.send("framework_reregistered", "F")
    registered.heard.wait("reregistered")
    assert registered.heard.names() == ["registered", "disconnected", "reregistered"]


def test_s4_s5_offers_and_rescinds_arrive(registered: Play) -> None:
    """A batch of offers is one callback."""
    registered.send("offer", builders.offer("O1"), builders.offer("O2"), agent=AGENT)
    (offers,) = registered.heard.wait("resourceOffers")
    assert [offer.id.value for offer in offers] == ["O1", "O2"]
    registered.send("rescind", "O1")
    (offer_id,) = registered.heard.wait("offerRescinded")
    assert offer_id.value == "O1"


def test_s6_an_update_is_acknowledged_after_its_callback(registered: Play) -> None:
    """Implicit acknowledgement names agent, task and uuid."""
    during: list[int] = []
    registered.heard.during["statusUpdate"] = lambda *_: during.append(len(registered.calls(Call.ACKNOWLEDGE)))
    registered.send("update", update(), agent=AGENT)
    call = registered.wait_call(Call.ACKNOWLEDGE)
    assert during == [0]
    acknowledge = call.acknowledge
    assert (acknowledge.slave_id.value, acknowledge.task_id.value, acknowledge.uuid) == ("A", "t", b"0123456789abcdef")
    (status,) = registered.heard.wait("statusUpdate")
    assert status.timestamp == 1.5


@pytest.mark.parametrize("how", ["abort", "stop", "raise"])
def test_s6_an_update_is_not_acknowledged_when_the_driver_ended_in_its_callback(registered: Play, how: str) -> None:
    """Stop, abort or an exception inside ``statusUpdate`` leave the update to be sent again (trap 5)."""

    def end(driver: MesosSchedulerDriver, _status: Any) -> None:
        if how == "raise":
            raise ValueError("a bug in the scheduler")
        driver.abort() if how == "abort" else driver.stop(True)

    registered.heard.during["statusUpdate"] = end
    registered.send("update", update(), agent=AGENT)
    registered.heard.wait("statusUpdate")
    registered.driver.join()
    registered.driver.stop(True)
    assert registered.calls(Call.ACKNOWLEDGE) == []


def test_s6_an_update_made_by_the_master_has_no_uuid_and_is_not_acknowledged(registered: Play) -> None:
    """Acknowledging it would confuse a real agent's stream (trap 6)."""
    registered.send("update", update(v0.TASK_LOST))
    (status,) = registered.heard.wait("statusUpdate")
    assert not status.HasField("uuid")
    registered.send("update", update(), agent=AGENT)
    registered.wait_call(Call.ACKNOWLEDGE)
    assert len(registered.calls(Call.ACKNOWLEDGE)) == 1


def test_s7_messages_of_executors_arrive_from_anybody(registered: Play, stage: Stage, agent: Recorder) -> None:
    """Agents send them directly."""
    message = internal.ExecutorToFrameworkMessage(data=b"\x00hi")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "A", "F", "E"
    stage.do(lambda: agent.send(registered.pid, message))
    executor_id, agent_id, data = registered.heard.wait("frameworkMessage")
    assert (executor_id.value, agent_id.value, data) == ("E", "A", b"\x00hi")


def test_s8_s9_lost_agents_and_executors_arrive(registered: Play, stage: Stage) -> None:
    """The executor's status is a wait status word."""
    lost = internal.LostSlaveMessage()
    lost.slave_id.value = "A"
    ended = internal.ExitedExecutorMessage(status=256)
    ended.slave_id.value, ended.framework_id.value, ended.executor_id.value = "A", "F", "E"
    stage.do(lambda: registered.master.send(registered.pid, lost))
    stage.do(lambda: registered.master.send(registered.pid, ended))
    assert registered.heard.wait("slaveLost")[0].value == "A"
    executor_id, agent_id, status = registered.heard.wait("executorLost")
    assert (executor_id.value, agent_id.value, status) == ("E", "A", 256)


def test_s10_an_error_aborts_the_driver_before_the_callback(registered: Play) -> None:
    """join() gives ABORTED and ``error`` sees an aborted driver."""
    statuses: list[int] = []
    registered.heard.during["error"] = lambda driver, _: statuses.append(driver.killTask(v0.TaskID(value="t")))
    registered.send("fail", "Framework has been removed")
    assert registered.heard.wait("error") == ("Framework has been removed",)
    assert registered.driver.join() == ABORTED
    assert statuses == [ABORTED]


def test_s14_calls_do_nothing_unless_running(play: Play) -> None:
    """Each returns the current status."""
    driver = play.driver
    calls = [
        lambda: driver.launchTasks("O", []),
        lambda: driver.declineOffer("O"),
        lambda: driver.killTask(v0.TaskID(value="t")),
        driver.reviveOffers,
        driver.suppressOffers,
        lambda: driver.reconcileTasks([]),
        lambda: driver.sendFrameworkMessage(v0.ExecutorID(value="E"), v0.SlaveID(value="A"), b""),
        lambda: driver.requestResources([]),
        driver.abort,
        driver.stop,
        driver.join,
    ]
    assert [call() for call in calls] == [NOT_STARTED] * len(calls)


def test_s15_a_launch_while_disconnected_is_lost_and_the_rest_is_dropped(play: Play) -> None:
    """Only LAUNCH gets synthetic updates; everything returns RUNNING (trap 7)."""
    driver = play.driver
    driver.start()
    play.wait_call(Call.SUBSCRIBE)
    group = v0.Offer.Operation(type=v0.Offer.Operation.LAUNCH_GROUP)
    group.launch_group.task_group.tasks.append(builders.task("pod"))
    group.launch_group.executor.executor_id.value = "E"
    assert driver.launchTasks(v0.OfferID(value="O"), [builders.task("t")]) == RUNNING
    assert driver.acceptOffers(["O"], [group]) == RUNNING
    assert driver.killTask(v0.TaskID(value="t")) == RUNNING
    (status,) = play.heard.wait("statusUpdate")
    assert status.task_id.value == "t"
    assert status.state == v0.TASK_LOST
    assert status.reason == v0.TaskStatus.REASON_MASTER_DISCONNECTED
    assert status.message == "Master disconnected"
    assert not status.uuid
    assert play.heard.names() == ["statusUpdate"]
    assert {call.type for call in play.master.received(Call)} == {Call.SUBSCRIBE}


def test_s15_suppression_asked_for_while_disconnected_goes_with_the_subscription(play: Play) -> None:
    """It is remembered and sent again."""
    play.driver.start()
    play.wait_call(Call.SUBSCRIBE)
    play.driver.suppressOffers()
    wait_for(lambda: list(play.calls(Call.SUBSCRIBE)[-1].subscribe.suppressed_roles) == ["*"], "suppressed roles")


def test_s16_a_bad_master_string_aborts_and_calls_error_in_the_callers_thread() -> None:
    """start() gives ABORTED, join() returns at once."""
    heard = Heard()
    threads: list[threading.Thread] = []
    heard.during["error"] = lambda *_: threads.append(threading.current_thread())
    driver = MesosSchedulerDriver(heard, builders.framework_info(), "nonsense")
    assert driver.start() == ABORTED
    assert "nonsense" in heard.wait("error")[0]
    assert threads == [threading.current_thread()]
    assert driver.join() == ABORTED
    assert driver.stop() == ABORTED


def test_s17_stop_tears_down_only_without_failover_and_when_connected(registered: Play) -> None:
    """TEARDOWN kills all tasks, so failover must not send it."""
    assert registered.driver.stop() == STOPPED
    registered.wait_call(Call.TEARDOWN)
    assert registered.driver.join() == STOPPED


def test_s17_stop_with_failover_sends_nothing(registered: Play) -> None:
    """The master notices the broken link and waits."""
    registered.driver.stop(failover=True)
    registered.driver._thread.join()  # type: ignore[union-attr]
    assert registered.calls(Call.TEARDOWN) == []


def test_s17_stop_while_disconnected_sends_nothing(play: Play) -> None:
    """There is nobody to tear the framework down (trap 3)."""
    play.driver.start()
    play.wait_call(Call.SUBSCRIBE)
    play.driver.stop()
    play.driver._thread.join()  # type: ignore[union-attr]
    assert play.calls(Call.TEARDOWN) == []


def test_s17_s18_stop_after_abort_gives_aborted_and_then_join_gives_stopped(registered: Play) -> None:
    """The stored status is STOPPED all the same (trap 3)."""
    driver = registered.driver
    assert driver.abort() == ABORTED
    wait_for(lambda: registered.master.received(internal.DeactivateFrameworkMessage), "DeactivateFrameworkMessage")
    assert driver.abort() == ABORTED
    assert driver.join() == ABORTED
    assert driver.stop() == ABORTED
    assert driver.join() == STOPPED
    assert registered.calls(Call.TEARDOWN) == []


def test_s18_an_aborted_driver_hears_nothing_more(registered: Play) -> None:
    """Callbacks stop; the framework stays."""
    registered.driver.abort()
    wait_for(lambda: registered.master.received(internal.DeactivateFrameworkMessage), "DeactivateFrameworkMessage")
    registered.send("offer", builders.offer("O1"), agent=AGENT)
    registered.driver.stop(True)
    registered.driver._thread.join()  # type: ignore[union-attr]
    assert registered.heard.names() == ["registered"]


def test_s20_run_waits_until_stopped_from_a_callback(play: Play) -> None:
    """run() is start() and join()."""
    play.heard.during["registered"] = lambda driver, *_: driver.stop()
    result: list[int] = []
    thread = threading.Thread(target=lambda: result.append(play.driver.run()))
    thread.start()
    play.wait_call(Call.SUBSCRIBE)
    play.send("framework_registered", "F")
    thread.join(10)
    assert result == [STOPPED]


@pytest.mark.parametrize("offers", ["O1", ["O1"], v0.OfferID(value="O1"), [v0.OfferID(value="O1")]])
def test_s22_s23_s67_a_launch_is_one_accept_with_the_default_filter(registered: Play, offers: Any) -> None:
    """Offer ids may be one or several, messages or strings."""
    registered.driver.launchTasks(offers, [builders.task("t")])
    accept = registered.wait_call(Call.ACCEPT).accept
    assert [offer.value for offer in accept.offer_ids] == ["O1"]
    (operation,) = accept.operations
    assert operation.type == v0.Offer.Operation.LAUNCH
    assert operation.launch.task_infos[0].task_id.value == "t"
    assert accept.filters.refuse_seconds == 5.0


def test_s24_operations_with_an_id_are_refused(registered: Play) -> None:
    """Nobody could report their status here; the C++ aborts the process."""
    operation = v0.Offer.Operation(type=v0.Offer.Operation.RESERVE)
    operation.id.value = "mine"
    with pytest.raises(ValueError, match="must not have an id"):
        registered.driver.acceptOffers("O1", [operation])


def test_s26_s27_decline_and_kill_reach_the_master(registered: Play) -> None:
    """Filters travel with the decline."""
    registered.driver.declineOffer("O1", v0.Filters(refuse_seconds=7))
    decline = registered.wait_call(Call.DECLINE).decline
    assert decline.offer_ids[0].value == "O1"
    assert decline.filters.refuse_seconds == 7
    registered.driver.killTask(v0.TaskID(value="t"))
    assert registered.wait_call(Call.KILL).kill.task_id.value == "t"


def test_s28_s29_s30_an_empty_role_list_does_nothing_and_none_means_all(registered: Play) -> None:
    """The driver differs from the HTTP calls here (trap 8)."""
    registered.driver.suppressOffers([])
    registered.driver.reviveOffers([])
    registered.driver.suppressOffers()
    registered.driver.reviveOffers(["r"])
    assert list(registered.wait_call(Call.REVIVE).revive.roles) == ["r"]
    assert len(registered.calls(Call.SUPPRESS)) == 1
    assert len(registered.calls(Call.REVIVE)) == 1


def test_s31_s32_explicit_acknowledgements_are_the_schedulers(stage: Stage, master: FakeMaster) -> None:
    """Nothing is acknowledged until asked, and a status without uuid never."""
    play = Play(stage, master, implicitAcknowledgements=0)
    play.register()
    play.send("update", update(), agent=AGENT)
    (status,) = play.heard.wait("statusUpdate")
    play.driver.acknowledgeStatusUpdate(v0.TaskStatus(task_id=status.task_id, state=v0.TASK_LOST))
    assert play.calls(Call.ACKNOWLEDGE) == []
    play.driver.acknowledgeStatusUpdate(status)
    play.wait_call(Call.ACKNOWLEDGE)
    assert len(play.calls(Call.ACKNOWLEDGE)) == 1
    play.driver.stop(True)


def test_s31_acknowledging_with_implicit_acknowledgements_is_an_error(registered: Play) -> None:
    """The C++ crashes the process."""
    with pytest.raises(ValueError, match="implicitAcknowledgements"):
        registered.driver.acknowledgeStatusUpdate(v0.TaskStatus(task_id=v0.TaskID(value="t"), state=v0.TASK_LOST))


def test_s33_a_message_goes_straight_to_an_agent_on_which_something_was_launched(
    registered: Play, agent: Recorder
) -> None:
    """Otherwise it goes through the master."""
    executor_id = v0.ExecutorID(value="E")
    registered.driver.sendFrameworkMessage(executor_id, v0.SlaveID(value="A"), b"one")
    assert registered.wait_call(Call.MESSAGE).message.data == b"one"
    offer = builders.offer("O1")
    offer.slave_id.value = "A"
    registered.send("offer", offer, agent=agent.upid)
    registered.heard.wait("resourceOffers")
    task = builders.task("t")
    task.slave_id.value = "A"
    registered.driver.launchTasks("O1", [task])
    registered.driver.sendFrameworkMessage(executor_id, v0.SlaveID(value="A"), b"two")
    wait_for(lambda: agent.received(internal.FrameworkToExecutorMessage), "the message at the agent")
    assert agent.last(internal.FrameworkToExecutorMessage).data == b"two"
    assert len(registered.calls(Call.MESSAGE)) == 1


def test_s34_reconciliation_sends_task_and_agent_ids_only(registered: Play) -> None:
    """Empty asks for everything."""
    status = v0.TaskStatus(task_id=v0.TaskID(value="t"), slave_id=v0.SlaveID(value="A"), state=v0.TASK_RUNNING)
    registered.driver.reconcileTasks([status])
    task = registered.wait_call(Call.RECONCILE).reconcile.tasks[0]
    assert (task.task_id.value, task.slave_id.value) == ("t", "A")
    registered.driver.reconcileTasks([])
    assert len(registered.wait_call(Call.RECONCILE, 2).reconcile.tasks) == 0


def test_s35_user_and_hostname_are_filled_in(registered: Play) -> None:
    """An empty user would not start tasks."""
    info = registered.calls(Call.SUBSCRIBE)[0].subscribe.framework_info
    assert info.user
    assert info.hostname


def test_s36_the_master_may_be_given_as_pid_or_in_a_file(stage: Stage, master: FakeMaster, tmp_path: Path) -> None:
    """A file's trimmed content is an address."""
    address = f"master@127.0.0.1:{master.upid.port}"
    (tmp_path / "master").write_text(f"  {address}\n")
    for text in (address, f"file://{tmp_path}/master"):
        driver = MesosSchedulerDriver(Heard(), builders.framework_info(), text)
        assert driver.start() == RUNNING
        wait_for(lambda: master.received(Call), "SUBSCRIBE")
        driver.stop()
        driver.join()
        stage.do(master.forget)


@pytest.mark.parametrize(("master", "words"), [("zk://h:2181/", "path"), ("host:", "host:")])
def test_s36_impossible_masters_are_errors(master: str, words: str) -> None:
    """The error says what was wrong."""
    heard = Heard()
    assert MesosSchedulerDriver(heard, builders.framework_info(), master).start() == ABORTED
    assert words in heard.wait("error")[0]


def test_s41_messages_from_anybody_but_the_leading_master_are_dropped(
    registered: Play, stage: Stage, agent: Recorder
) -> None:
    """A former master must not speak."""
    stage.do(lambda: agent.send(registered.pid, internal.FrameworkErrorMessage(message="I am not your master")))
    registered.send("rescind", "O1")
    registered.heard.wait("offerRescinded")
    assert "error" not in registered.heard.names()


def test_s42_the_subscription_is_repeated_until_answered(
    stage: Stage, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delays are random within the back-off factor."""
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "20ms")
    play = Play(stage, master)
    play.driver.start()
    play.wait_call(Call.SUBSCRIBE, 3)
    play.driver.stop()


def test_s46_calls_may_come_from_other_threads(registered: Play) -> None:
    """Twenty threads, one order each."""
    threads = [
        threading.Thread(target=lambda: [registered.driver.reviveOffers(["r"]) for _ in range(10)]) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    registered.wait_call(Call.REVIVE, 200)


def test_s42_a_credential_is_proved_before_anything_is_asked(stage: Stage, master: FakeMaster) -> None:
    """The master hears for whom, from the authenticatee, and no SUBSCRIBE before its verdict."""
    credential = v0.Credential(principal="p", secret="s")
    play = Play(stage, master, credential=credential)
    play.driver.start()
    wait_for(lambda: master.received(AuthenticateMessage), "the request to be authenticated")
    sender = master.last_sender(AuthenticateMessage)
    assert sender.id == "crammd5-authenticatee(1)"
    assert master.last(AuthenticateMessage).pid.startswith("scheduler-")
    assert not play.calls(Call.SUBSCRIBE)
    play.driver.stop(True)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MESOS_REGISTRATION_BACKOFF_FACTOR", "soon", "MESOS_REGISTRATION_BACKOFF_FACTOR='soon' is not a duration"),
        ("MESOS_AUTHENTICATION_TIMEOUT_MIN", "1", "MESOS_AUTHENTICATION_TIMEOUT_MIN='1' is not a duration"),
        ("MESOS_AUTHENTICATEE", "kerberos", "Authenticatee 'kerberos' not found"),
    ],
)
def test_s45_a_bad_variable_is_an_error_that_names_it(
    master: FakeMaster, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    """Told by ``error``, never by a traceback."""
    monkeypatch.setenv(name, value)
    heard = Heard()
    driver = MesosSchedulerDriver(heard, builders.framework_info(), f"127.0.0.1:{master.upid.port}")
    assert driver.start() == ABORTED
    assert heard.wait("error")[0].startswith(sentence)


def test_s45_a_driver_on_loopback_says_that_no_remote_master_reaches_it(
    play: Play, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commonest reason for a framework that never registers."""
    monkeypatch.setenv("LIBPROCESS_IP", "127.0.0.1")
    play.driver.start()
    play.wait_call(Call.SUBSCRIBE)
    assert any("bound to loopback interface" in message for message in caplog.messages)


def test_wrong_types_are_named() -> None:
    """A dict is no FrameworkInfo."""
    with pytest.raises(TypeError, match=r"mesos\.FrameworkInfo"):
        MesosSchedulerDriver(Heard(), {"name": "x"}, "h:1")
