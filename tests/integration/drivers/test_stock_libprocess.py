"""Drivers against what real masters and agents said over libprocess: see test_stock_masters.py."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard, wait_for
from messor.drivers.executor.callbacks import MesosExecutorDriver
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.drivers.scheduler.interfaces import REFUSED
from messor.protos import v0, v0_scheduler
from support.libprocess_replay import LibprocessReplay, Message, conversation
from support.replay import prune

CONVERSATIONS = Path(__file__).parent / "conversations"
Call = v0_scheduler.Call
CALL = Call.DESCRIPTOR.full_name


@pytest.fixture
def replay() -> Iterator[LibprocessReplay]:
    """The other side."""
    one = LibprocessReplay()
    yield one
    one.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat no subscription and no proof while a test goes on."""
    monkeypatch.setenv("LIBPROCESS_IP", "127.0.0.1")
    monkeypatch.setattr("messor.drivers.backoff.Backoff.next", lambda _: 600.0)


def compare(recorded: Message, got: Message, forget: Callable[[Any], None]) -> None:
    """Fail unless a message says what the recorded one said, to the same actor, in a head that real ones understand."""
    assert (got.path, got.name) == (recorded.path, recorded.name)
    assert f"User-Agent: libprocess/{got.sender}" in got.head
    assert "Connection: Keep-Alive" in got.head
    ours, theirs = got.read(), recorded.read()
    for message in (ours, theirs):
        forget(message)
        prune(message)
    assert ours == theirs, f"{recorded.name}:\nours\n{ours}\nrecorded\n{theirs}"


# --- schedulers ------------------------------------------------------------------------------------------------------


def forget_in_calls(message: Any) -> None:
    """Take away who is asking, which differs, and the host, which our side adds where the recorded client did not."""
    if message.DESCRIPTOR.name == "AuthenticateMessage":
        message.pid = "scheduler"
    if message.DESCRIPTOR.name == "Call":
        message.subscribe.framework_info.ClearField("hostname")
        message.update_framework.framework_info.ClearField("hostname")


def acknowledged(body: Any) -> v0.TaskStatus:
    """The status that a recorded ACKNOWLEDGE is about."""
    return v0.TaskStatus(state=v0.TASK_RUNNING, task_id=body.task_id, slave_id=body.slave_id, uuid=body.uuid)


def reconciled(body: Any) -> list[v0.TaskStatus]:
    """The statuses that a recorded RECONCILE is about."""
    statuses = []
    for one in body.tasks:
        statuses.append(v0.TaskStatus(task_id=one.task_id))
        if one.HasField("slave_id"):
            statuses[-1].slave_id.CopyFrom(one.slave_id)
    return statuses


TELL: dict[str, Callable[[MesosSchedulerDriver, Any], int]] = {
    "ACCEPT": lambda d, body: d.acceptOffers(body.offer_ids, body.operations, body.filters),
    "DECLINE": lambda d, body: d.declineOffer(body.offer_ids[0], body.filters),
    "REVIVE": lambda d, _: d.reviveOffers(),
    "SUPPRESS": lambda d, _: d.suppressOffers(),
    "KILL": lambda d, body: d.killTask(body.task_id),
    "ACKNOWLEDGE": lambda d, body: d.acknowledgeStatusUpdate(acknowledged(body)),
    "RECONCILE": lambda d, body: d.reconcileTasks(reconciled(body)),
    "UPDATE_FRAMEWORK": lambda d, body: d.updateFramework(body.framework_info, body.suppressed_roles),
    "TEARDOWN": lambda d, _: d.stop(),
}
"""What the recorded client called. MESSAGE is not here: ours would send it to the recorded agent itself."""


def can_tell(message: Message) -> bool:
    """Whether the driver's interface can send it: it has no legacy messages, which older clients sent."""
    if message.name != CALL:
        return False
    call = message.read()
    if call.type == Call.KILL and call.kill.HasField("slave_id"):
        return False
    return Call.Type.Name(call.type) in TELL


def callback(message: Any) -> list[tuple[str, Any]]:
    """The callback that a recorded message must cause, with what it is about."""
    match message.DESCRIPTOR.name:
        case "FrameworkRegisteredMessage":
            return [("registered", message.framework_id)]
        case "ResourceOffersMessage":
            return [("resourceOffers", list(message.offers))]
        case "StatusUpdateMessage":
            status = message.update.status
            if not (message.update.uuid and message.pid):
                status.ClearField("uuid")
            return [("statusUpdate", status)]
        case "ExecutorToFrameworkMessage":
            return [("frameworkMessage", message.executor_id)]
    raise AssertionError(f"unexpected {message}")


SCHEDULERS = ["v0_scheduler_1.11", "v0_scheduler_calls", "v0_test_framework"]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_driver_lives_the_recorded_life(replay: LibprocessReplay, name: str, ending: list[Any]) -> None:
    """Subscription, offers, launches, updates, acknowledgements, reconciliation, kills, teardown."""
    first, *rest = conversation(CONVERSATIONS / f"{name}.txt")
    heard, expected = Heard(), 0
    info = first.read().subscribe.framework_info
    driver = MesosSchedulerDriver(heard, info, f"127.0.0.1:{replay.port}", implicitAcknowledgements=0)
    ending.append(driver)
    driver.start()
    compare(first, replay.take(), forget_in_calls)
    is_registered, told = False, 0
    for message in rest:
        if message.is_ours:
            if can_tell(message):
                call = message.read()
                kind = Call.Type.Name(call.type)
                TELL[kind](driver, getattr(call, kind.lower(), None))
                compare(message, replay.take(), forget_in_calls)
                told += 1
            continue
        replay.send(message, driver._session.upid)
        if message.name.endswith("FrameworkRegisteredMessage") and is_registered:
            continue  # an answer to a subscription that was repeated: it changes nothing
        is_registered = True
        ((called, wanted),) = callback(message.read())
        expected += 1
        heard.wait_count(expected, message.name)
        assert heard.calls[-1][0] == called
        arguments = heard.calls[-1][1][0]
        if called == "statusUpdate":
            for field in ("timestamp", "uuid", "executor_id"):
                wanted.ClearField(field)
                arguments.ClearField(field)
        assert arguments == wanted
    driver.stop(True)
    driver.wait_for_end(60)
    assert "error" not in heard.names()
    assert told >= 8


@pytest.mark.parametrize("name", ["v0_authentication", "v0_authentication_refused"])
def test_a_scheduler_driver_proves_its_credential_as_recorded(
    replay: LibprocessReplay, name: str, ending: list[Any]
) -> None:
    """CRAM-MD5 with a challenge that a real master made; its refusal aborts the driver."""
    messages = conversation(CONVERSATIONS / f"{name}.txt")
    calls = [message.read() for message in messages if message.name == CALL]
    info = calls[0].subscribe.framework_info if calls else v0.FrameworkInfo(name="x", user="", failover_timeout=1.0)
    heard, challenge = Heard(), b""
    driver = MesosSchedulerDriver(heard, info, f"127.0.0.1:{replay.port}", 0, ("p1", "sesame"))
    ending.append(driver)
    driver.start()
    for message in messages:
        if not message.is_ours:
            receiver = driver._session.upid
            if "authenticatee" in message.path:
                receiver = receiver._replace(id=message.path.split("/")[1])
                challenge = getattr(message.read(), "data", challenge)
            replay.send(message, receiver)
        elif message.name.endswith("AuthenticationStepMessage"):
            proof = hmac.new(b"sesame", challenge, hashlib.md5).hexdigest()
            assert replay.take().read().data == f"p1 {proof}".encode()
        elif message.name != CALL or message.read().type == Call.SUBSCRIBE:
            compare(message, replay.take(), forget_in_calls)
    if calls:
        heard.wait("resourceOffers")
        assert heard.names() == ["registered", "resourceOffers"]
    else:
        assert heard.wait("error") == (REFUSED,)
        assert driver.join() == v0.DRIVER_ABORTED
    driver.stop(True)
    driver.wait_for_end(60)


# --- executors -------------------------------------------------------------------------------------------------------


def forget_in_updates(message: Any) -> None:
    """Take away when and from where."""
    name = message.DESCRIPTOR.name
    updates = list(message.updates) if name == "ReregisterExecutorMessage" else []
    if name == "StatusUpdateMessage":
        message.ClearField("pid")
        updates.append(message.update)
    for update in updates:
        update.ClearField("timestamp")
        update.timestamp = 0
        for field in ("timestamp", "uuid", "slave_id", "source", "executor_id"):
            update.status.ClearField(field)  # the update around it has them


EXECUTORS = ["v0_executor", "v0_test_executor", "v0_executor_agent_restart"]


@pytest.mark.parametrize("name", EXECUTORS)
def test_an_executor_driver_lives_the_recorded_life(
    replay: LibprocessReplay, name: str, monkeypatch: pytest.MonkeyPatch, ending: list[Any]
) -> None:
    """Registration, launches, updates, acknowledgements, messages, kills, agents that restart, shutdown."""
    messages = conversation(CONVERSATIONS / f"{name}.txt")
    registered = messages[1].read()
    environment = {
        "MESOS_SLAVE_PID": f"slave(1)@127.0.0.1:{replay.port}",
        "MESOS_SLAVE_ID": registered.slave_id.value,
        "MESOS_FRAMEWORK_ID": registered.framework_id.value,
        "MESOS_EXECUTOR_ID": registered.executor_info.executor_id.value,
        "MESOS_DIRECTORY": "/tmp",
        "MESOS_CHECKPOINT": "1",
        "MESOS_LOCAL": "1",
    }
    heard = Heard()
    driver = MesosExecutorDriver(heard, environment)
    ending.append(driver)
    driver.start()
    expected: list[tuple[str, Any]] = []
    for message in messages:
        recorded = message.read()
        if not message.is_ours:
            replay.send(message, driver._session.upid)
            expected += executor_callback(recorded)
            heard.wait_count(len(expected), message.name)
            continue
        if message.name.endswith("StatusUpdateMessage"):
            monkeypatch.setattr(driver._session.host.chance, "uuid_bytes", lambda uuid=recorded.update.uuid: uuid)
            status = v0.TaskStatus()
            status.CopyFrom(recorded.update.status)
            driver.sendStatusUpdate(status)
        elif message.name.endswith("ExecutorToFrameworkMessage"):
            driver.sendFrameworkMessage(recorded.data)
        compare(message, replay.take(), forget_in_updates)
    assert [(called, arguments[0] if arguments else None) for called, arguments in heard.calls] == expected
    wait_for(lambda: not driver._session.unacknowledged[1], "all acknowledgements")
    driver.stop()
    assert driver._thread is not None
    driver._thread.join(60)


def executor_callback(message: Any) -> list[tuple[str, Any]]:
    """The callback that a recorded message must cause, with what it is about."""
    match message.DESCRIPTOR.name:
        case "ExecutorRegisteredMessage":
            return [("registered", message.executor_info)]
        case "ExecutorReregisteredMessage":
            return [("reregistered", message.slave_info)]
        case "RunTaskMessage":
            return [("launchTask", message.task)]
        case "KillTaskMessage":
            return [("killTask", message.task_id)]
        case "FrameworkToExecutorMessage":
            return [("frameworkMessage", message.data)]
        case "ShutdownExecutorMessage":
            return [("shutdown", None)]
    return []
