"""pymesos.MesosSchedulerDriver against what a real master said: see tests/integration/drivers/test_stock_masters.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymesos import MesosSchedulerDriver

from integration.pymesos.conftest import Heard
from messor.protos import v1_scheduler
from support.replay import Replay, Step, chunks, compare, conversation

CONVERSATIONS = Path(__file__).parent.parent / "drivers" / "conversations"
Call = v1_scheduler.Call
VERSION = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"version":"1.12.0"}'

TELL: dict[str, Callable[[MesosSchedulerDriver, Any], Any]] = {
    "ACCEPT": lambda d, body: d.acceptOffers(body["offer_ids"], body["operations"], body.get("filters")),
    "DECLINE": lambda d, body: d.declineOffer(body["offer_ids"], body.get("filters")),
    "REVIVE": lambda d, body: d.reviveOffers(body.get("roles", ())),
    "SUPPRESS": lambda d, body: d.suppressOffers(body.get("roles", ())),
    "KILL": lambda d, body: d.killTask(body["task_id"]),
    "ACKNOWLEDGE": lambda d, body: d.acknowledgeStatusUpdate(body),
    "ACKNOWLEDGE_OPERATION_STATUS": lambda d, body: d.acknowledgeOperationStatusUpdate(body),
    "RECONCILE": lambda d, body: d.reconcileTasks(body.get("tasks", ())),
    "RECONCILE_OPERATIONS": lambda d, body: d.reconcileOperations(body.get("operations", ())),
    "MESSAGE": lambda d, body: d.sendFrameworkMessage(body["executor_id"], body["agent_id"], body["data"]),
    "REQUEST": lambda d, body: d.requestResources(body.get("requests", ())),
}
CALLBACKS = {
    "SUBSCRIBED": "registered",
    "OFFERS": "resourceOffers",
    "INVERSE_OFFERS": "inverseOffers",
    "RESCIND": "offerRescinded",
    "RESCIND_INVERSE_OFFER": "inverseOfferRescinded",
    "UPDATE": "statusUpdate",
    "UPDATE_OPERATION_STATUS": "operationStatusUpdate",
    "HEARTBEAT": "processHeartBeat",
}


@pytest.fixture
def replay() -> Iterator[Replay]:
    """The other side."""
    one = Replay()
    yield one
    one.close()


def can_tell(body: dict[str, Any]) -> bool:
    """Whether pymesos' API can say it: it knows no agents in KILL and RECONCILE."""
    what = body.get(body["type"].lower(), {})
    if body["type"] == "KILL":
        return set(what) == {"task_id"}
    if body["type"] == "RECONCILE":
        return all(set(one) == {"task_id"} for one in what.get("tasks", ()))
    return body["type"] in TELL and body["type"].lower() in body


def events(step: Step) -> list[dict[str, Any]]:
    """The recorded events, as they are in JSON."""
    data = step.answer.partition(b"\r\n\r\n")[2] if step.kind == "subscribe" else step.answer
    stream, found = b"".join(chunks(data)), []
    while stream:
        length, _, stream = stream.partition(b"\n")
        found.append(json.loads(stream[: int(length)]))
        stream = stream[int(length) :]
    return found


def serve(replay: Replay, step: Step) -> Any:
    """Answer the call that must come now; questions for the version come whenever the module wants."""
    while True:
        connection, got = replay.take()
        if got.method == "POST":
            break
        replay.answer(connection, VERSION)
    if step.kind == "subscribe":
        call = got.call(Call)
        assert (call.type, call.subscribe.framework_info.name) == (Call.SUBSCRIBE, "golden")
    else:
        got.headers.setdefault("accept", got.headers["content-type"])  # pymesos sends it with SUBSCRIBE only
        compare(step, got, Call)
    replay.answer(connection, step.answer, is_stream=step.kind == "subscribe")


def tell(replay: Replay, driver: MesosSchedulerDriver, step: Step) -> None:
    """Make a call, which blocks until it is answered; what the master refused is raised with its words."""
    body = json.loads(step.request.body)  # type: ignore[union-attr]
    answering = threading.Thread(target=serve, args=(replay, step))
    answering.start()
    try:
        if step.status in (200, 202):
            TELL[body["type"]](driver, body[body["type"].lower()])
        else:
            with pytest.raises(RuntimeError) as raised:
                TELL[body["type"]](driver, body[body["type"].lower()])
            assert step.text in str(raised.value)
    finally:
        answering.join(60)


@pytest.mark.parametrize("name", ["v1_scheduler_json", "v1_scheduler_operations", "v1_scheduler_validation"])
def test_a_driver_lives_the_recorded_life(replay: Replay, heard: Heard, name: str) -> None:
    """All of it that pymesos' API can say; every event reaches its callback as it came."""
    steps = conversation(CONVERSATIONS / f"{name}.txt")
    framework = json.loads(steps[0].request.body)["subscribe"]["framework_info"]  # type: ignore[union-attr]
    framework["name"] = "golden"
    driver = MesosSchedulerDriver(heard, framework, f"127.0.0.1:{replay.port}", implicit_acknowledgements=False)
    driver.start()
    expected: list[str] = []
    told = 0
    try:
        for step in steps:
            if step.kind == "stream":
                replay.push(step.answer)
            elif step.kind == "subscribe":
                serve(replay, step)
            elif can_tell(json.loads(step.request.body)):  # type: ignore[union-attr]
                tell(replay, driver, step)
                told += 1
            if step.kind != "call":
                expected += [CALLBACKS[event["type"]] for event in events(step)]
                heard.wait_count(len(expected), step.title)
    finally:
        driver.stop(failover=True)
        if driver._io_thread is not None:
            driver._io_thread.join(60)
    assert heard.names()[: len(expected)] == expected
    updates = [arguments[1] for called, arguments in heard.calls if called == "statusUpdate"]
    recorded = [
        event["update"]["status"]
        for step in steps
        if step.kind != "call"
        for event in events(step)
        if event["type"] == "UPDATE"
    ]
    assert updates == recorded
    assert told >= 10
