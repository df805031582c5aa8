"""Executors against what real agents said over HTTP: see test_stock_masters.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import Heard
from messor import aio
from messor.drivers.executor.callbacks import MesosExecutorDriver
from messor.drivers.outcomes import What
from messor.protos import v0, v1_executor
from messor.wire.versions import devolve
from support.replay import Replay, Step, compare, conversation

CONVERSATIONS = Path(__file__).parent / "conversations"
Call, Event = v1_executor.Call, v1_executor.Event
LIVES = ["v1_executor_json", "v1_executor_group_json", "v1_executor_protobuf"]


@pytest.fixture
def replay() -> Iterator[Replay]:
    """The other side."""
    one = Replay()
    yield one
    one.close()


def environment(steps: list[Step], replay: Replay) -> dict[str, str]:
    """What the recorded agent gave the executor, but for its address."""
    assert steps[0].request is not None
    call = steps[0].request.call(Call)
    subscribed = next(event for step in steps[:2] for event in step.events(Event) if event.type == Event.SUBSCRIBED)
    return {
        "MESOS_SLAVE_PID": f"slave(1)@127.0.0.1:{replay.port}",
        "MESOS_AGENT_ENDPOINT": f"127.0.0.1:{replay.port}",
        "MESOS_SLAVE_ID": subscribed.subscribed.agent_info.id.value,
        "MESOS_FRAMEWORK_ID": call.framework_id.value,
        "MESOS_EXECUTOR_ID": call.executor_id.value,
        "MESOS_DIRECTORY": "/tmp",
        "MESOS_CHECKPOINT": "1",
        "MESOS_LOCAL": "1",
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": "20ms",
    }


def transport_of(steps: list[Step]) -> str:
    """The transport whose media type was recorded."""
    assert steps[0].request is not None
    return "http+json" if "json" in steps[0].request.headers["content-type"] else "http"


def forget_additions(call: Any) -> None:
    """Take away what every executor fills in by itself."""
    for name in ("timestamp", "agent_id", "executor_id"):
        call.update.status.ClearField(name)
    if call.type != Call.UPDATE:
        call.ClearField("update")


def status_of(step: Step) -> tuple[v0.TaskStatus, bytes]:
    """The status of a recorded UPDATE, and its uuid."""
    assert step.request is not None
    status = devolve(step.request.call(Call).update.status)
    uuid = status.uuid
    for name in ("uuid", "source", "timestamp"):
        status.ClearField(name)
    return status, uuid


def is_again(step: Step) -> bool:
    """Whether a step is a subscription after the agent died."""
    return "agent restart" in step.title


def expected(steps: list[Step]) -> list[tuple[str, Any]]:
    """The callbacks that the recorded events must cause, with what they are about."""
    found: list[tuple[str, Any]] = []
    for step in steps:
        for event in step.events(Event) if step.kind != "call" else ():
            match event.type:
                case Event.SUBSCRIBED if is_again(step):
                    found.append(("reregistered", devolve(event.subscribed.agent_info)))
                case Event.SUBSCRIBED:
                    found.append(("registered", devolve(event.subscribed.executor_info)))
                case Event.LAUNCH:
                    found.append(("launchTask", devolve(event.launch.task)))
                case Event.LAUNCH_GROUP:
                    tasks = event.launch_group.task_group.tasks
                    found += [("launchTask", devolve(task)) for task in tasks]
                case Event.KILL:
                    found.append(("killTask", devolve(event.kill.task_id)))
                case Event.MESSAGE:
                    found.append(("frameworkMessage", event.message.data))
                case Event.SHUTDOWN:
                    found.append(("shutdown", None))
    return found


def serve(replay: Replay, step: Step) -> None:
    """Answer the call that must come now."""
    connection, got = replay.take()
    if is_again(step):
        assert got.call(Call).type == Call.SUBSCRIBE
        assert [one.status.task_id.value for one in got.call(Call).subscribe.unacknowledged_updates] == ["zz"]
    else:
        compare(step, got, Call, forget_additions)
    replay.answer(connection, step.answer, is_stream=step.kind == "subscribe" and step.status == 200)


@pytest.mark.parametrize("name", LIVES)
def test_a_classic_driver_lives_the_recorded_life(
    replay: Replay, name: str, monkeypatch: pytest.MonkeyPatch, ending: list[Any]
) -> None:
    """Launches, updates, acknowledgements, messages both ways, kills, a restarted agent, shutdown."""
    steps = conversation(CONVERSATIONS / f"{name}.txt")
    heard = Heard()
    driver = MesosExecutorDriver(heard, environment(steps, replay), transport=transport_of(steps))
    ending.append(driver)
    driver.start()
    assert driver._thread is not None
    session, transport = driver._session, driver._session._transport
    made: dict[str, Callable[[Step], Any]] = {
        "MESSAGE": lambda step: driver.sendFrameworkMessage(step.request.call(Call).message.data),  # type: ignore[union-attr]
        "HEARTBEAT": lambda _: driver._thread.post(transport.heartbeat),  # type: ignore[union-attr, attr-defined]
    }
    seen = 0
    for step in steps:
        if step.kind == "stream":
            replay.push(step.answer)
        elif step.kind == "call":
            kind = Call.Type.Name(step.request.call(Call).type)  # type: ignore[union-attr]
            if kind == "UPDATE":
                status, uuid = status_of(step)
                monkeypatch.setattr(session.host.chance, "uuid_bytes", lambda uuid=uuid: uuid)
                driver.sendStatusUpdate(status)
            else:
                made[kind](step)
            serve(replay, step)
        else:
            if step.title.endswith("attempt 1"):
                replay.hang_up()
            serve(replay, step)
        seen += len(expected([step]))
        heard.wait_count(seen, step.title)
    if name != "v1_executor_protobuf":
        assert heard.names()[-1] == "shutdown"
    driver.stop()
    driver._thread.join(60)
    assert [(called, arguments[0] if arguments else None) for called, arguments in heard.calls] == expected(steps)


@pytest.mark.parametrize("name", LIVES)
def test_an_asyncio_executor_lives_the_recorded_life(
    replay: Replay, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And every update's awaitable says what the recorded agent made of it."""
    steps = conversation(CONVERSATIONS / f"{name}.txt")
    acknowledged = {
        event.acknowledged.uuid
        for step in steps
        if step.kind == "stream"
        for event in step.events(Event)
        if event.type == Event.ACKNOWLEDGED
    }

    async def main() -> list[Any]:
        outcomes: list[tuple[Step, bytes, Any]] = []
        heard: list[Any] = []
        executor = aio.Executor(environment=environment(steps, replay), transport=transport_of(steps))
        async with executor:
            for step in steps:
                if step.kind == "stream":
                    replay.push(step.answer)
                elif step.kind == "call":
                    call = step.request.call(Call)  # type: ignore[union-attr]
                    if call.type == Call.UPDATE:
                        status, uuid = status_of(step)
                        monkeypatch.setattr(executor._host.chance, "uuid_bytes", lambda uuid=uuid: uuid)
                        outcomes.append((step, uuid, executor.send(status)))
                    elif call.type == Call.MESSAGE:
                        executor.message(call.message.data)
                    else:
                        executor._session._transport.heartbeat()  # type: ignore[attr-defined]
                    await asyncio.to_thread(serve, replay, step)
                else:
                    if step.title.endswith("attempt 1"):
                        replay.hang_up()
                        heard.append(await asyncio.wait_for(anext(executor), 60))
                    await asyncio.to_thread(serve, replay, step)
                heard += [await asyncio.wait_for(anext(executor), 60) for _ in expected([step])]
            for step, uuid, asked in outcomes:
                if step.status == 400:
                    assert (await asked).reason == f"400: {step.text}"
                elif uuid in acknowledged:
                    assert (await asyncio.wait_for(asked, 60)).what is What.ACCEPTED
        return heard

    heard = asyncio.run(main())
    kinds = {"registered": "Registered", "reregistered": "Reregistered", "launchTask": "Launch", "killTask": "Kill"}
    kinds |= {"frameworkMessage": "Message", "shutdown": "Shutdown"}
    names = [type(event).__name__ for event in heard]
    assert [one for one in names if one != "Disconnected"] == [kinds[called] for called, _ in expected(steps)]
    assert [event.grace_seconds for event in heard if isinstance(event, aio.executor_events.Kill)] == (
        [1.0, None] if name == "v1_executor_json" else []
    )
