"""Rows S13-S46: a scheduler driver's life and its calls, against a fake master over every transport that has them."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard, Stage, wait_for
from integration.drivers.plays import (
    ABORTED,
    HTTP_ONLY,
    LIBPROCESS_ONLY,
    NOT_STARTED,
    RUNNING,
    STOPPED,
    TRANSPORTS,
    Call,
    MasterSide,
    Play,
    master_sides,
    status,
)
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.protos import internal, v0, v0_scheduler
from messor.protos.mesos.authentication.authentication_pb2 import AuthenticateMessage
from support import builders
from support.fakes import Recorder

Operation = v0.Offer.Operation


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """How driver and master talk."""
    return str(request.param)


@pytest.fixture
def master(stage: Stage, transport: str) -> Iterator[MasterSide]:
    """A master that answers nothing by itself."""
    yield from master_sides(stage, transport)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait seconds between subscriptions."""
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "100ms")


@pytest.fixture
def plays(master: MasterSide) -> Iterator[Callable[..., Play]]:
    """Make plays that end with the test."""
    made: list[Play] = []

    def make(**arguments: Any) -> Play:
        made.append(Play(master, **arguments))
        return made[-1]

    yield make
    for play in made:
        play.end()


@pytest.fixture
def unstarted(plays: Callable[..., Play]) -> Play:
    """A driver that is not started."""
    return plays()


@pytest.fixture
def play(plays: Callable[..., Play]) -> Play:
    """A registered driver."""
    one = plays()
    one.register()
    return one


# --- S14-S20: life ---------------------------------------------------------------------------------------------------

CALLS: list[tuple[str, Callable[[Any], int]]] = [
    ("requestResources", lambda driver: driver.requestResources([])),
    ("launchTasks", lambda driver: driver.launchTasks("O", [])),
    ("acceptOffers", lambda driver: driver.acceptOffers("O", [])),
    ("declineOffer", lambda driver: driver.declineOffer("O")),
    ("killTask", lambda driver: driver.killTask(v0.TaskID(value="t"))),
    ("reviveOffers", lambda driver: driver.reviveOffers()),
    ("suppressOffers", lambda driver: driver.suppressOffers()),
    ("updateFramework", lambda driver: driver.updateFramework(builders.framework_info())),
    ("acknowledgeStatusUpdate", lambda driver: driver.acknowledgeStatusUpdate(status())),
    (
        "sendFrameworkMessage",
        lambda driver: driver.sendFrameworkMessage(v0.ExecutorID(value="E"), v0.SlaveID(value="A"), b""),
    ),
    ("reconcileTasks", lambda driver: driver.reconcileTasks([])),
]


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[name for name, _ in CALLS])
def test_s14_calls_do_nothing_unless_running(plays: Callable[..., Play], name: str, call: Callable[[Any], int]) -> None:
    """NOT_STARTED, ABORTED and STOPPED are given back unchanged, and nothing is sent."""
    play = plays(implicitAcknowledgements=0)
    assert call(play.driver) == NOT_STARTED, name
    assert (play.driver.abort(), play.driver.stop(), play.driver.join()) == (NOT_STARTED,) * 3
    play.register()
    sent = len(play.calls(Call.REQUEST))
    play.driver.abort()
    assert (call(play.driver), play.driver.abort(), play.driver.start()) == (ABORTED,) * 3
    play.driver.stop()
    assert (call(play.driver), play.driver.abort(), play.driver.stop(), play.driver.start()) == (STOPPED,) * 4
    play.driver.wait_for_end(30)
    assert len(play.calls(Call.REQUEST)) == sent
    assert {call.type for call in play.master.calls()} == {Call.SUBSCRIBE, Call.REQUEST}


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[name for name, _ in CALLS])
def test_s15_calls_while_disconnected_return_running_and_send_nothing(
    plays: Callable[..., Play], name: str, call: Callable[[Any], int]
) -> None:
    """Those that are remembered go with the next subscription (see below), all others are gone (trap 7)."""
    play = plays(implicitAcknowledgements=0, framework=builders.framework_info(framework_id="F", failover_timeout=60.0))
    play.start()
    assert call(play.driver) == RUNNING, name
    play.master.registered("F")
    play.heard.wait("registered")
    play.settle()
    assert {call.type for call in play.master.calls()} == {Call.SUBSCRIBE, Call.REQUEST}
    assert play.heard.names() == ["registered"]


@pytest.mark.parametrize(
    ("capabilities", "state"), [((), v0.TASK_LOST), (("partition_aware",), v0.TASK_DROPPED)], ids=["plain", "aware"]
)
def test_s15_a_launch_while_disconnected_is_lost_at_once(
    plays: Callable[..., Play], capabilities: tuple[str, ...], state: int
) -> None:
    """Only tasks of LAUNCH get a synthetic update, those of LAUNCH_GROUP nothing (trap 7)."""
    play = plays(framework=builders.framework_info(capabilities=capabilities, failover_timeout=60.0))
    play.start()
    group = Operation(type=Operation.LAUNCH_GROUP)
    group.launch_group.task_group.tasks.append(builders.task("pod"))
    group.launch_group.executor.executor_id.value = "E"
    assert play.driver.acceptOffers(["O"], [group]) == RUNNING
    assert play.driver.launchTasks(v0.OfferID(value="O"), [builders.task("t"), builders.task("u")]) == RUNNING
    play.heard.wait("statusUpdate", 2)
    statuses = [arguments[0] for _, arguments in play.heard.calls]
    assert [heard.task_id.value for heard in statuses] == ["t", "u"]
    for heard in statuses:
        assert (heard.state, heard.source) == (state, v0.TaskStatus.SOURCE_MASTER)
        assert (heard.reason, heard.message) == (v0.TaskStatus.REASON_MASTER_DISCONNECTED, "Master disconnected")
        assert not heard.uuid


def test_s15_suppression_asked_for_while_disconnected_goes_with_the_next_subscription(play: Play) -> None:
    """So does reviving, and a changed framework."""
    play.break_off()
    play.heard.wait("disconnected")
    play.driver.suppressOffers()
    call = wait_subscription(play, lambda call: list(call.subscribe.suppressed_roles) == ["*"])
    play.driver.reviveOffers()
    wait_subscription(play, lambda call: not call.subscribe.suppressed_roles)
    changed = v0.FrameworkInfo()
    changed.CopyFrom(call.subscribe.framework_info)
    changed.name = "renamed"
    play.driver.updateFramework(changed, ["*"])
    call = wait_subscription(play, lambda call: call.subscribe.framework_info.name == "renamed")
    assert list(call.subscribe.suppressed_roles) == ["*"]
    assert play.calls(Call.UPDATE_FRAMEWORK) == play.calls(Call.SUPPRESS) == play.calls(Call.REVIVE) == []


def wait_subscription(play: Play, wanted: Callable[[Call], bool]) -> Call:
    """Break off until a subscription is as wanted: one may have been on its way already."""

    def found() -> Call | None:
        call = play.break_off()
        return call if wanted(call) else None

    return wait_for(found, "the subscription")  # type: ignore[no-any-return]


BAD_MASTERS = [
    ("nonsense", "nonsense"),
    ("host:", "host:"),
    ("zk://h:2181/", "path"),
    ("file:///does/not/exist", "/does/not/exist"),
    ("http://", "expecting 'host:port'"),
]


@pytest.mark.parametrize(("address", "words"), BAD_MASTERS, ids=[address for address, _ in BAD_MASTERS])
def test_s16_a_bad_master_string_aborts_and_calls_error_in_the_callers_thread(
    transport: str, address: str, words: str
) -> None:
    """start() gives ABORTED, join() returns at once."""
    heard = Heard()
    threads: list[threading.Thread] = []
    heard.during["error"] = lambda *_: threads.append(threading.current_thread())
    driver = MesosSchedulerDriver(heard, builders.framework_info(failover_timeout=1.0), address, transport=transport)
    assert driver.start() == ABORTED
    assert words in heard.wait("error")[0]
    assert threads == [threading.current_thread()]
    assert driver.join() == ABORTED
    assert driver.stop() == ABORTED


@pytest.mark.parametrize(
    ("failover", "is_connected", "teardowns"), [(False, True, 1), (True, True, 0), (False, False, 0), (True, False, 0)]
)
def test_s17_stop_tears_down_only_without_failover_and_when_connected(
    unstarted: Play, failover: bool, is_connected: bool, teardowns: int
) -> None:
    """TEARDOWN kills all tasks; while disconnected there is nobody to send it to (trap 3)."""
    if is_connected:
        unstarted.register()
    else:
        unstarted.start()
    assert unstarted.driver.stop(failover) == STOPPED
    assert unstarted.driver.join() == STOPPED
    unstarted.driver.wait_for_end(30)
    if teardowns:
        unstarted.wait_call(Call.TEARDOWN)
    assert len(unstarted.calls(Call.TEARDOWN)) == teardowns


def test_s17_stop_after_abort_gives_aborted_and_then_join_gives_stopped(play: Play) -> None:
    """The stored status is STOPPED all the same (trap 3)."""
    driver = play.driver
    assert driver.abort() == ABORTED
    assert driver.join() == ABORTED
    assert driver.stop() == ABORTED
    assert driver.join() == STOPPED
    driver.wait_for_end(30)
    assert play.calls(Call.TEARDOWN) == []


def test_s18_an_aborted_driver_hears_nothing_more(play: Play) -> None:
    """The master is told to offer nothing more; the framework stays; what was asked before is still sent."""
    play.driver.killTask(v0.TaskID(value="t"))
    assert play.driver.abort() == ABORTED
    wait_for(play.master.is_deactivated, "the deactivation")
    play.wait_call(Call.KILL)
    play.master.offers(builders.offer("O1"))
    play.end()
    assert play.heard.names() == ["registered"]
    assert play.calls(Call.TEARDOWN) == []


def test_s18_another_driver_may_be_started_in_the_same_process(play: Play, plays: Callable[..., Play]) -> None:
    """After abort, under the same id."""
    play.driver.abort()
    wait_for(play.master.is_deactivated, "the deactivation")
    play.end()
    again = plays(framework=play.driver.framework_info)
    again.register()
    assert again.heard.names() == ["registered"]


def test_s20_run_waits_until_stopped_from_a_callback(unstarted: Play) -> None:
    """run() is start() and join()."""
    unstarted.heard.during["registered"] = lambda driver, *_: driver.stop()
    result: list[int] = []
    thread = threading.Thread(target=lambda: result.append(unstarted.driver.run()))
    thread.start()
    unstarted.wait_call(Call.SUBSCRIBE)
    unstarted.master.registered("F")
    thread.join(60)
    assert result == [STOPPED]
    assert unstarted.driver.run() == STOPPED


# --- S21-S34: calls --------------------------------------------------------------------------------------------------


def test_s21_requests_are_sent_as_they_are(play: Play) -> None:
    """Per request an agent and resources, both optional."""
    request = v0.Request(slave_id=v0.SlaveID(value="A"), resources=builders.resources("cpus:1"))
    play.driver.requestResources([request, v0.Request()])
    call = wait_for(lambda: [call for call in play.calls(Call.REQUEST) if call.request.requests], "REQUEST")[0]
    assert list(call.request.requests) == [request, v0.Request()]


OFFER_FORMS = ["O1", ["O1"], v0.OfferID(value="O1"), [v0.OfferID(value="O1")], (v0.OfferID(value="O1"),)]


@pytest.mark.parametrize("offers", OFFER_FORMS, ids=["string", "strings", "id", "ids", "tuple"])
def test_s22_s23_s67_a_launch_is_one_accept_with_the_default_filter(play: Play, offers: Any) -> None:
    """Offer ids may be one or several, messages or strings."""
    play.driver.launchTasks(offers, [builders.task("t")])
    accept = play.wait_call(Call.ACCEPT).accept
    assert [offer.value for offer in accept.offer_ids] == ["O1"]
    (operation,) = accept.operations
    assert operation.type == Operation.LAUNCH
    assert [task.task_id.value for task in operation.launch.task_infos] == ["t"]
    assert accept.filters.refuse_seconds == 5.0


def test_s22_a_launch_carries_its_filters_and_no_tasks_decline(play: Play) -> None:
    """What is left over is refused for as long as they say."""
    play.driver.launchTasks(["O1", "O2"], [], v0.Filters(refuse_seconds=7.5))
    accept = play.wait_call(Call.ACCEPT).accept
    assert [offer.value for offer in accept.offer_ids] == ["O1", "O2"]
    assert accept.filters.refuse_seconds == 7.5
    assert not accept.operations[0].launch.task_infos


OPERATIONS = [name for name in Operation.Type.keys() if name != "UNKNOWN"]  # noqa: SIM118  (an enum wrapper, no dict)


def test_s24_operations_of_all_kinds_keep_their_order(play: Play) -> None:
    """Later ones see the results of earlier ones."""
    operations = [Operation(type=Operation.Type.Value(name)) for name in OPERATIONS]
    operations[0].launch.task_infos.append(builders.task("t"))
    play.driver.acceptOffers("O1", operations, v0.Filters(refuse_seconds=1))
    accept = play.wait_call(Call.ACCEPT).accept
    assert [Operation.Type.Name(operation.type) for operation in accept.operations] == OPERATIONS
    assert accept.filters.refuse_seconds == 1


def test_s24_operations_with_an_id_are_refused(play: Play) -> None:
    """Nobody could report their status here; the C++ aborts the process."""
    operation = Operation(type=Operation.RESERVE)
    operation.id.value = "mine"
    with pytest.raises(ValueError, match="must not have an id"):
        play.driver.acceptOffers("O1", [operation])
    play.settle()
    assert play.calls(Call.ACCEPT) == []


@pytest.mark.parametrize(("filters", "seconds"), [(None, 5.0), (v0.Filters(refuse_seconds=0), 0.0)])
def test_s26_a_declined_offer_takes_its_filters_along(play: Play, filters: Any, seconds: float) -> None:
    """Five seconds unless they say otherwise."""
    play.driver.declineOffer("O1", filters)
    decline = play.wait_call(Call.DECLINE).decline
    assert [offer.value for offer in decline.offer_ids] == ["O1"]
    assert decline.filters.refuse_seconds == seconds


def test_s27_each_kill_is_sent(play: Play) -> None:
    """Repeated ones too; this API has no kill policy."""
    for _ in range(2):
        play.driver.killTask(v0.TaskID(value="t"))
    kill = play.wait_call(Call.KILL, 2).kill
    assert kill.task_id.value == "t"
    assert not kill.HasField("kill_policy")
    assert not kill.HasField("slave_id")


ROLES: list[tuple[Any, list[str] | None]] = [(None, []), (["r", "s"], ["r", "s"]), ([], None)]


@pytest.mark.parametrize(("roles", "sent"), ROLES, ids=["all", "some", "none"])
def test_s28_reviving_clears_filters_of_all_roles_or_some(play: Play, roles: Any, sent: list[str] | None) -> None:
    """An empty list means none here, unlike in the HTTP call (trap 8)."""
    play.driver.reviveOffers(roles) if roles is not None else play.driver.reviveOffers()
    play.settle()
    assert [list(call.revive.roles) for call in play.calls(Call.REVIVE)] == ([] if sent is None else [sent])


@pytest.mark.parametrize(("roles", "sent"), ROLES, ids=["all", "some", "none"])
def test_s29_suppressing_stops_offers_of_all_roles_or_some(play: Play, roles: Any, sent: list[str] | None) -> None:
    """An empty list means none here, too."""
    play.driver.suppressOffers(roles) if roles is not None else play.driver.suppressOffers()
    play.settle()
    assert [list(call.suppress.roles) for call in play.calls(Call.SUPPRESS)] == ([] if sent is None else [sent])


def test_s30_a_framework_is_updated_with_roles_and_constraints(play: Play) -> None:
    """Under the id it has; all of it goes with later subscriptions, too."""
    info = builders.framework_info("renamed", roles=["r", "s"], capabilities=["multi_role"], failover_timeout=60.0)
    constraints = v0_scheduler.OfferConstraints()
    constraint = constraints.role_constraints["r"].groups.add().attribute_constraints.add()
    constraint.selector.attribute_name = "rack"
    constraint.predicate.exists.SetInParent()
    assert play.driver.updateFramework(info, ["s"], constraints) == RUNNING
    info.id.value = "F"
    update = play.wait_call(Call.UPDATE_FRAMEWORK).update_framework
    assert (update.framework_info, list(update.suppressed_roles)) == (info, ["s"])
    assert update.offer_constraints == constraints
    assert play.driver.framework_info == info
    subscribe = play.break_off().subscribe
    assert (subscribe.framework_info, list(subscribe.suppressed_roles)) == (info, ["s"])
    assert subscribe.offer_constraints == constraints


def test_s30_updating_before_the_registration_is_an_error(unstarted: Play) -> None:
    """There is nothing to update yet."""
    unstarted.start()
    unstarted.driver.updateFramework(builders.framework_info())
    assert "must not be called prior to registration" in unstarted.heard.wait("error")[0]
    assert unstarted.driver.join() == ABORTED


def test_s30_roles_suppressed_twice_are_an_error(play: Play) -> None:
    """The original ends the process."""
    with pytest.raises(ValueError, match="twice"):
        play.driver.updateFramework(builders.framework_info(), ["r", "r"])


def test_s31_s32_explicit_acknowledgements_are_the_schedulers(plays: Callable[..., Play]) -> None:
    """Nothing is acknowledged until asked, and a status without uuid or agent never."""
    play = plays(implicitAcknowledgements=0)
    play.register()
    play.master.update(status())
    (heard,) = play.heard.wait("statusUpdate")
    without_agent = v0.TaskStatus(task_id=heard.task_id, state=v0.TASK_RUNNING, uuid=heard.uuid)
    for useless in (status(uuid=b""), without_agent):
        assert play.driver.acknowledgeStatusUpdate(useless) == RUNNING
    play.settle()
    assert play.calls(Call.ACKNOWLEDGE) == []
    play.driver.acknowledgeStatusUpdate(heard)
    play.wait_call(Call.ACKNOWLEDGE)
    play.settle()
    (call,) = play.calls(Call.ACKNOWLEDGE)
    assert (call.acknowledge.task_id.value, call.acknowledge.uuid) == ("t", heard.uuid)


def test_s31_an_acknowledgement_asked_for_before_the_end_is_still_sent(plays: Callable[..., Play]) -> None:
    """Calls are handled in order."""
    play = plays(implicitAcknowledgements=0)
    play.register()
    play.driver.acknowledgeStatusUpdate(status())
    play.driver.stop(True)
    play.wait_call(Call.ACKNOWLEDGE)


def test_s31_acknowledging_with_implicit_acknowledgements_is_an_error(play: Play) -> None:
    """The C++ crashes the process."""
    with pytest.raises(ValueError, match="implicitAcknowledgements"):
        play.driver.acknowledgeStatusUpdate(status())


def test_s33_a_message_goes_through_the_master(play: Play) -> None:
    """As bytes."""
    play.driver.sendFrameworkMessage(v0.ExecutorID(value="E"), v0.SlaveID(value="A"), b"\x00one\xff")
    message = play.wait_call(Call.MESSAGE).message
    assert (message.executor_id.value, message.slave_id.value, message.data) == ("E", "A", b"\x00one\xff")


@LIBPROCESS_ONLY
@pytest.mark.parametrize("lost", [False, True])
def test_s33_a_message_goes_straight_to_an_agent_on_which_something_was_launched(
    play: Play, agent: Recorder, lost: bool
) -> None:
    """Until it is lost. HTTP frameworks are not told where agents are."""
    offer = builders.offer("O1")
    offer.slave_id.value = "A"
    play.master.offers(offer, agent=agent.upid)
    play.heard.wait("resourceOffers")
    task = builders.task("t")
    task.slave_id.value = "A"
    play.driver.launchTasks("O1", [task])
    play.wait_call(Call.ACCEPT)
    if lost:
        play.master.agent_lost("A")
        play.heard.wait("slaveLost")
    play.driver.sendFrameworkMessage(v0.ExecutorID(value="E"), v0.SlaveID(value="A"), b"two")
    if lost:
        play.wait_call(Call.MESSAGE)
    else:
        wait_for(lambda: agent.received(internal.FrameworkToExecutorMessage), "the message at the agent")
        assert agent.last(internal.FrameworkToExecutorMessage).data == b"two"
    play.settle()
    assert len(play.calls(Call.MESSAGE)) == int(lost)


def test_s34_reconciliation_sends_task_and_agent_ids_only(play: Play) -> None:
    """Empty asks for everything."""
    play.driver.reconcileTasks([status()])
    (task,) = play.wait_call(Call.RECONCILE).reconcile.tasks
    assert task == Call.Reconcile.Task(task_id=v0.TaskID(value="t"), slave_id=v0.SlaveID(value="A"))
    play.driver.reconcileTasks([])
    assert len(play.wait_call(Call.RECONCILE, 2).reconcile.tasks) == 0


# --- S35-S46: around them --------------------------------------------------------------------------------------------


def test_s35_user_and_hostname_are_filled_in(play: Play) -> None:
    """An empty user would not start tasks; what is given stays."""
    info = play.calls(Call.SUBSCRIBE)[0].subscribe.framework_info
    assert info.user
    assert info.hostname
    given = v0.FrameworkInfo(name="x", user="alice", hostname="edge", failover_timeout=1.0)
    assert MesosSchedulerDriver(Heard(), given, play.master.address).framework_info == given


CREDENTIAL = v0.Credential(principal="p", secret="s")
CONSTRUCTIONS: list[tuple[tuple[Any, ...], bool, list[str]]] = [
    ((), True, []),
    ((CREDENTIAL,), True, []),
    ((False,), False, []),
    ((1, CREDENTIAL), True, []),
    ((0, CREDENTIAL, ["r"]), False, ["r"]),
]


@pytest.mark.parametrize(("arguments", "implicit", "suppressed"), CONSTRUCTIONS)
def test_s35_constructors_take_what_all_bindings_gave_them(
    arguments: tuple[Any, ...], implicit: bool, suppressed: list[str]
) -> None:
    """Acknowledgements, a credential fourth or fifth, suppressed roles."""
    driver = MesosSchedulerDriver(Heard(), builders.framework_info(failover_timeout=1.0), "h:1", *arguments)
    assert (driver._implicit, driver._suppressed) == (implicit, suppressed)
    assert (driver._credential is not None) == (CREDENTIAL in arguments)


def test_s36_the_master_may_be_given_in_every_form(
    master: MasterSide, plays: Callable[..., Play], tmp_path: Path
) -> None:
    """A file's trimmed content is any other form; names are resolved."""
    port = master.address.rpartition(":")[2]
    (tmp_path / "master").write_text(f"  master@{master.address}\n")
    for text in (f"master@{master.address}", f"file://{tmp_path}/master", f"localhost:{port}"):
        before = len(master.calls())
        play = plays()
        play.driver._master = text
        assert play.driver.start() == RUNNING
        wait_for(lambda before=before: len(master.calls()) > before, f"SUBSCRIBE at {text}")
        play.end()


@HTTP_ONLY
def test_s36_a_list_of_masters_is_gone_through(master: MasterSide, plays: Callable[..., Play]) -> None:
    """Until one answers."""
    play = plays()
    play.driver._master = f"127.0.0.1:1,{master.address}"
    play.register()


@LIBPROCESS_ONLY
def test_s41_messages_from_anybody_but_the_leading_master_are_dropped(
    play: Play, stage: Stage, agent: Recorder
) -> None:
    """A former master must not speak."""
    sender = play.master.master.last_sender(Call)  # type: ignore[attr-defined]
    stage.do(lambda: agent.send(sender, internal.FrameworkErrorMessage(message="I am not your master")))
    stage.do(lambda: agent.send(sender, internal.LostSlaveMessage(slave_id=v0.SlaveID(value="A"))))
    play.master.rescind("O1")
    play.heard.wait("offerRescinded")
    play.settle()
    assert play.heard.names() == ["registered", "offerRescinded"]


@HTTP_ONLY
def test_s41_events_of_a_stream_that_was_left_are_dropped(play: Play) -> None:
    """A former connection must not speak."""
    old = play.master.peer.stream()  # type: ignore[attr-defined]
    play.break_off()
    event = play.master.peer.streams  # type: ignore[attr-defined]
    assert event[-1] is not old
    play.master.registered("F")
    play.heard.wait("reregistered")
    wait_for(old.closed.is_set, "the end of the old connection")


def test_s42_the_subscription_is_repeated_until_answered(
    unstarted: Play, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delays are random within the back-off factor."""
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "20ms")
    if transport != "libprocess":
        unstarted.master.peer.refusals = [(503, "Master has not finished recovery", {})] * 3  # type: ignore[attr-defined]
    unstarted.start()
    unstarted.wait_call(Call.SUBSCRIBE, 4)
    unstarted.master.registered("F")
    unstarted.heard.wait("registered")


@LIBPROCESS_ONLY
def test_s42_a_credential_is_proved_before_anything_is_asked(plays: Callable[..., Play]) -> None:
    """The master hears for whom, from the authenticatee, and no SUBSCRIBE before its verdict."""
    play = plays(credential=CREDENTIAL)
    play.driver.start()
    master = play.master.master  # type: ignore[attr-defined]
    wait_for(lambda: master.received(AuthenticateMessage), "the request to be authenticated")
    assert master.last_sender(AuthenticateMessage).id == "crammd5-authenticatee(1)"
    assert master.last(AuthenticateMessage).pid.startswith("scheduler-")
    assert not play.calls(Call.SUBSCRIBE)


@HTTP_ONLY
def test_s42_a_credential_goes_with_every_request(plays: Callable[..., Play]) -> None:
    """HTTP basic."""
    play = plays(credential=CREDENTIAL)
    play.register()
    headers = play.master.peer.headers  # type: ignore[attr-defined]
    assert {one["authorization"] for one in headers} == {"Basic " + base64.b64encode(b"p:s").decode()}


VARIABLES = [
    ("MESOS_REGISTRATION_BACKOFF_FACTOR", "soon", "MESOS_REGISTRATION_BACKOFF_FACTOR='soon' is not a duration"),
    ("MESOS_AUTHENTICATION_TIMEOUT_MIN", "1", "MESOS_AUTHENTICATION_TIMEOUT_MIN='1' is not a duration"),
    ("MESOS_AUTHENTICATEE", "kerberos", "Authenticatee 'kerberos' not found"),
    ("LIBPROCESS_PORT", "many", "LIBPROCESS_PORT"),
    ("LIBPROCESS_IP", "nowhere", "LIBPROCESS_IP"),
]


@pytest.mark.parametrize(("name", "value", "words"), VARIABLES, ids=[name for name, _, _ in VARIABLES])
def test_s45_a_bad_variable_is_an_error_that_names_it(
    unstarted: Play, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    """Told by ``error``, never by a traceback."""
    monkeypatch.setenv(name, value)
    assert unstarted.driver.start() == ABORTED
    assert words in unstarted.heard.wait("error")[0]


@LIBPROCESS_ONLY
def test_s45_a_driver_on_loopback_says_that_no_remote_master_reaches_it(
    unstarted: Play, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commonest reason for a framework that never registers."""
    monkeypatch.setenv("LIBPROCESS_IP", "127.0.0.1")
    unstarted.start()
    assert any("bound to loopback interface" in message for message in caplog.messages)


def test_s46_calls_may_come_from_other_threads(play: Play) -> None:
    """Twenty threads at once, and nothing is lost; one thread's calls keep their order."""

    def call(name: str) -> None:
        for number in range(10):
            play.driver.killTask(v0.TaskID(value=f"{name}-{number}"))

    threads = [threading.Thread(target=call, args=(f"thread{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    play.wait_call(Call.KILL, 200)
    killed = [call.kill.task_id.value for call in play.calls(Call.KILL)]
    for number in range(20):
        mine = [name for name in killed if name.startswith(f"thread{number}-")]
        assert mine == [f"thread{number}-{n}" for n in range(10)]


def test_wrong_types_are_named(transport: str) -> None:
    """A dict is no FrameworkInfo."""
    with pytest.raises(TypeError, match=r"mesos\.FrameworkInfo"):
        MesosSchedulerDriver(Heard(), {"name": "x"}, "h:1", transport=transport)
