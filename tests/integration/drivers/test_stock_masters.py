"""Drivers against what real masters said: recorded bytes come to them, and what they send is what was recorded.

Nothing here talks to a real Apache Mesos, but every byte that reaches the driver is one that Apache Mesos sent to the
client of a recording, ids and framing included, and every call must be the recorded one in all that means something.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard
from messor import aio
from messor.drivers.outcomes import What
from messor.drivers.scheduler.aio import WEEK
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.drivers.scheduler.interfaces import REFUSED
from messor.protos import v0, v0_scheduler, v1_scheduler
from messor.wire.versions import devolve
from support.replay import Replay, Step, compare, conversation

CONVERSATIONS = Path(__file__).parent / "conversations"
Call, Event, V0Call = v1_scheduler.Call, v1_scheduler.Event, v0_scheduler.Call

LIVES = ["v1_scheduler_json", "v1_scheduler_protobuf", "v1_scheduler_operations", "v1_scheduler_validation"]


@pytest.fixture
def replay() -> Iterator[Replay]:
    """The other side."""
    one = Replay()
    yield one
    one.close()


def transport_of(steps: list[Step]) -> str:
    """The transport whose media type was recorded."""
    assert steps[0].request is not None
    return "http+json" if "json" in steps[0].request.headers["content-type"] else "http"


def forget_additions(call: Any) -> None:
    """Take away what our side adds to a framework's description: its host, and a week to come back."""
    for part in (call.subscribe, call.update_framework):
        if part.HasField("framework_info"):
            part.framework_info.ClearField("hostname")
            if part.framework_info.failover_timeout in (WEEK, 0):
                part.framework_info.ClearField("failover_timeout")


def recorded_call(step: Step) -> Any:
    """The recorded call in v0, as our interfaces take it."""
    assert step.request is not None
    return devolve(step.request.call(Call))


# --- asyncio ---------------------------------------------------------------------------------------------------------


def status_of(body: Any) -> v0.TaskStatus:
    """The status that a recorded ACKNOWLEDGE is about."""
    return v0.TaskStatus(state=v0.TASK_RUNNING, task_id=body.task_id, slave_id=body.slave_id, uuid=body.uuid)


def operation_of(body: Any) -> v0.OperationStatus:
    """The status that a recorded ACKNOWLEDGE_OPERATION_STATUS is about."""
    status = v0.OperationStatus(state=v0.OPERATION_FINISHED, operation_id=body.operation_id)
    status.uuid.value = body.uuid
    for name in ("slave_id", "resource_provider_id"):
        if body.HasField(name):
            getattr(status, name).CopyFrom(getattr(body, name))
    return status


def refuse(body: Any) -> float | None:
    """The recorded filter."""
    return body.filters.refuse_seconds if body.HasField("filters") else None


def grace(body: Any) -> float | None:
    """The recorded kill policy."""
    return body.kill_policy.grace_period.nanoseconds / 1e9 if body.HasField("kill_policy") else None


ASK: dict[str, Callable[[aio.Scheduler, Any], Awaitable[Any] | None]] = {
    "ACCEPT": lambda s, body: s.accept(body.offer_ids, body.operations, refuse_seconds=refuse(body)),
    "DECLINE": lambda s, body: s.decline(body.offer_ids, refuse_seconds=refuse(body)),
    "REVIVE": lambda s, body: s.revive(body.roles or None),
    "SUPPRESS": lambda s, body: s.suppress(body.roles or None),
    "KILL": lambda s, body: s.kill(body.task_id.value, agent_id=body.slave_id.value, grace_seconds=grace(body)),
    "SHUTDOWN": lambda s, body: s.shut_down_executor(body.executor_id.value, body.slave_id.value),
    "ACKNOWLEDGE": lambda s, body: s.acknowledge(status_of(body)),
    "ACKNOWLEDGE_OPERATION_STATUS": lambda s, body: s.acknowledge_operation(operation_of(body)),
    "RECONCILE": lambda s, body: s.reconcile((one.task_id.value, one.slave_id.value) for one in body.tasks),
    "RECONCILE_OPERATIONS": lambda s, body: s.reconcile_operations(
        (one.operation_id.value, one.slave_id.value) for one in body.operations
    ),
    "MESSAGE": lambda s, body: s.message(body.executor_id.value, body.slave_id.value, body.data),
    "REQUEST": lambda s, body: s.request(body.requests),
    "ACCEPT_INVERSE_OFFERS": lambda s, body: s.accept_inverse_offers(one.value for one in body.inverse_offer_ids),
    "DECLINE_INVERSE_OFFERS": lambda s, body: s.decline_inverse_offers(one.value for one in body.inverse_offer_ids),
    "UPDATE_FRAMEWORK": lambda s, body: s.update_framework(body.framework_info, body.suppressed_roles),
    "TEARDOWN": lambda s, _: s.stop(),
}
"""What the recorded client did, done by ours; TEARDOWN is no awaitable."""


def body_of(call: Any) -> tuple[str, Any]:
    """Give a call's type and what is in it."""
    kind = V0Call.Type.Name(call.type)
    return kind, getattr(call, kind.lower(), None)


def told(event: Any) -> Any:
    """What an event of ours says, in v1 terms of the recorded one."""
    match event:
        case aio.Registered():
            return ("SUBSCRIBED", event.framework_id)
        case aio.Offers():
            return ("OFFERS", list(event.offers))
        case aio.InverseOffers():
            return ("INVERSE_OFFERS", list(event.offers))
        case aio.Update() | aio.OperationUpdate():
            return (type(event).__name__, event.status)
        case aio.Rescinded() | aio.InverseRescinded():
            return (type(event).__name__, event.offer_id)
    raise AssertionError(f"unexpected {event}")


def said(event: Any) -> Any:
    """The same of a recorded event; None for a heartbeat."""
    match event.type:
        case Event.SUBSCRIBED:
            return ("SUBSCRIBED", event.subscribed.framework_id.value)
        case Event.OFFERS:
            return ("OFFERS", [devolve(offer) for offer in event.offers.offers])
        case Event.INVERSE_OFFERS:
            return ("INVERSE_OFFERS", [devolve(offer) for offer in event.inverse_offers.inverse_offers])
        case Event.UPDATE:
            return ("Update", devolve(event.update.status))
        case Event.UPDATE_OPERATION_STATUS:
            return ("OperationUpdate", devolve(event.update_operation_status.status))
        case Event.RESCIND:
            return ("Rescinded", event.rescind.offer_id.value)
        case Event.RESCIND_INVERSE_OFFER:
            return ("InverseRescinded", event.rescind_inverse_offer.inverse_offer_id.value)
        case Event.HEARTBEAT:
            return None
    raise AssertionError(f"unexpected {event}")


async def hears(scheduler: aio.Scheduler, step: Step) -> None:
    """Fail unless the next events are the step's."""
    for event in step.events(Event):
        wanted = said(event)
        if wanted is not None:
            assert told(await asyncio.wait_for(anext(scheduler), 60)) == wanted, step.title


async def act(scheduler: aio.Scheduler, replay: Replay, step: Step) -> None:
    """Go through one step."""
    if step.kind == "stream":
        replay.push(step.answer)
        if step.answer != b"0\r\n\r\n":
            await hears(scheduler, step)
        return
    asked = None
    if step.kind == "call":
        kind, body = body_of(recorded_call(step))
        asked = ASK[kind](scheduler, body)
    connection, got = await asyncio.to_thread(replay.take)
    compare(step, got, Call, forget_additions)
    replay.answer(connection, step.answer, is_stream=step.kind == "subscribe")
    if step.kind == "subscribe":
        await hears(scheduler, step)
    elif asked is not None:
        outcome = await asyncio.wait_for(asked, 60)
        if step.status in (200, 202):
            assert outcome.what is What.ACCEPTED, step.title
        else:
            assert (outcome.what, outcome.reason) == (What.REJECTED, f"{step.status}: {step.text}"), step.title


@pytest.mark.parametrize("name", LIVES)
def test_an_asyncio_scheduler_lives_the_recorded_life(replay: Replay, name: str) -> None:
    """Every call, every event and every refusal of a recording."""
    steps = conversation(CONVERSATIONS / f"{name}.txt")

    async def main() -> None:
        scheduler = aio.Scheduler(
            recorded_call(steps[0]).subscribe.framework_info,
            f"127.0.0.1:{replay.port}",
            transport=transport_of(steps),
            explicit_acknowledgements=True,
        )
        async with scheduler:
            for step in steps:
                await act(scheduler, replay, step)
            scheduler.stop(failover=True)

    asyncio.run(main())
    assert replay.is_silent


# --- classic ---------------------------------------------------------------------------------------------------------


def tasks_of(body: Any) -> list[v0.TaskStatus]:
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
    "REVIVE": lambda d, body: d.reviveOffers(list(body.roles) or None),
    "SUPPRESS": lambda d, body: d.suppressOffers(list(body.roles) or None),
    "KILL": lambda d, body: d.killTask(body.task_id),
    "ACKNOWLEDGE": lambda d, body: d.acknowledgeStatusUpdate(status_of(body)),
    "RECONCILE": lambda d, body: d.reconcileTasks(tasks_of(body)),
    "MESSAGE": lambda d, body: d.sendFrameworkMessage(body.executor_id, body.slave_id, body.data),
    "REQUEST": lambda d, body: d.requestResources(body.requests),
    "UPDATE_FRAMEWORK": lambda d, body: d.updateFramework(body.framework_info, body.suppressed_roles),
    "TEARDOWN": lambda d, _: d.stop(),
}


def ask_driver(driver: MesosSchedulerDriver, call: Any) -> bool:
    """Do what the recorded client did; False for what the classic interface cannot say."""
    kind, body = body_of(call)
    if kind not in TELL:
        return False
    if kind == "ACCEPT" and any(operation.HasField("id") for operation in body.operations):
        return False
    if kind == "DECLINE" and len(body.offer_ids) != 1:
        return False
    if kind == "KILL" and (body.HasField("slave_id") or body.HasField("kill_policy")):
        return False
    TELL[kind](driver, body)
    return True


def callback(event: Any) -> tuple[str, Any] | None:
    """The callback that a recorded event must cause, with what it is about; None for what has none."""
    match event.type:
        case Event.SUBSCRIBED:
            return ("registered", devolve(event.subscribed.framework_id))
        case Event.OFFERS:
            return ("resourceOffers", [devolve(offer) for offer in event.offers.offers])
        case Event.UPDATE:
            return ("statusUpdate", devolve(event.update.status))
        case Event.RESCIND:
            return ("offerRescinded", devolve(event.rescind.offer_id))
    return None


@pytest.mark.parametrize("name", LIVES)
def test_a_classic_driver_lives_the_recorded_life(replay: Replay, name: str, ending: list[Any]) -> None:
    """All of it that its interface can say."""
    steps = conversation(CONVERSATIONS / f"{name}.txt")
    heard, expected, made = Heard(), [], 0
    driver = MesosSchedulerDriver(
        heard,
        recorded_call(steps[0]).subscribe.framework_info,
        f"127.0.0.1:{replay.port}",
        implicitAcknowledgements=0,
        transport=transport_of(steps),
    )
    ending.append(driver)
    driver.start()
    for step in steps:
        if step.kind == "call" and not ask_driver(driver, recorded_call(step)):
            continue
        if step.kind == "stream":
            replay.push(step.answer)
        else:
            made += 1
            connection, got = replay.take()
            compare(step, got, Call, forget_additions)
            replay.answer(connection, step.answer, is_stream=step.kind == "subscribe")
        if step.kind != "call" and step.answer != b"0\r\n\r\n":
            expected += [wanted for event in step.events(Event) if (wanted := callback(event)) is not None]
            heard.wait_count(len(expected), step.title)
    driver.stop(True)
    driver.wait_for_end(30)
    assert [(called, arguments[0]) for called, arguments in heard.calls] == expected
    assert made >= 2
    assert replay.is_silent


# --- refusals --------------------------------------------------------------------------------------------------------

FIRST_CALLS = conversation(CONVERSATIONS / "v1_scheduler_refusals.txt")


def credential(step: Step) -> tuple[str, str] | None:
    """Who the recorded client said it was."""
    assert step.request is not None
    header = step.request.headers.get("authorization")
    if header is None:
        return None
    principal, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return principal, secret


def refusal(step: Step) -> str | None:
    """The words in which a recorded master refused, None if it did not."""
    if step.status == 401:
        return REFUSED
    if step.status != 200:
        return f"The master refused the subscription with {step.status}: {step.text}"
    errors = [event.error.message for event in step.events(Event) if event.type == Event.ERROR]
    return errors[0] if errors else None


async def failure_of(scheduler: aio.Scheduler) -> str:
    """What iteration ends with."""
    try:
        async for _ in scheduler:
            pass
    except aio.FrameworkFailed as error:
        return str(error)
    return "nothing"


@pytest.mark.parametrize("step", FIRST_CALLS, ids=[step.title for step in FIRST_CALLS])
@pytest.mark.parametrize("face", ["asyncio", "classic"])
def test_a_recorded_refusal_ends_the_scheduler_with_its_words(
    replay: Replay, step: Step, face: str, ending: list[Any]
) -> None:
    """Or lets it begin, if it was none."""
    call = recorded_call(step)
    arguments: dict[str, Any] = {"credential": credential(step), "transport": transport_of([step])}
    address = f"127.0.0.1:{replay.port}"
    suppressed, constraints = list(call.subscribe.suppressed_roles), call.subscribe.offer_constraints
    if face == "classic" and call.subscribe.HasField("offer_constraints"):
        pytest.skip("classic constructors take no constraints")
    text = refusal(step)

    def answer() -> None:
        connection, got = replay.take()
        compare(step, got, Call, forget_additions)
        replay.answer(connection, step.answer, is_stream=True)

    async def main() -> None:
        if call.subscribe.HasField("offer_constraints"):
            arguments["offer_constraints"] = constraints
        scheduler = aio.Scheduler(call.subscribe.framework_info, address, suppressed_roles=suppressed, **arguments)
        async with scheduler:
            await asyncio.to_thread(answer)
            if text is None:
                assert isinstance(await asyncio.wait_for(anext(scheduler), 60), aio.Registered)
            else:
                assert await asyncio.wait_for(failure_of(scheduler), 60) == text
            scheduler.stop(failover=True)

    if face == "asyncio":
        asyncio.run(main())
        return
    heard = Heard()
    arguments["suppressedRoles"] = suppressed
    driver = MesosSchedulerDriver(heard, call.subscribe.framework_info, address, **arguments)
    ending.append(driver)
    driver.start()
    answer()
    if text is None:
        heard.wait("registered")
    else:
        assert heard.wait("error") == (text,)
        assert driver.join() == v0.DRIVER_ABORTED
    driver.stop(True)
    driver.wait_for_end(30)
