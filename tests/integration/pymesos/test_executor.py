"""pymesos.MesosExecutorDriver against a scripted agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymesos import MesosExecutorDriver, decode_data, encode_data

from integration.pymesos.conftest import Heard, Peer, wait_for

SUBSCRIBED = {
    "executor_info": {"executor_id": {"value": "E"}},
    "framework_info": {"id": {"value": "F"}},
    "agent_info": {"id": {"value": "A"}},
}
TASK = {"task_id": {"value": "t"}, "name": "t"}

Make = Callable[..., MesosExecutorDriver]


@pytest.fixture
def make(peer: Peer, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make and start drivers in an agent's environment; they end with the test."""
    drivers: list[MesosExecutorDriver] = []

    def start(environment: dict[str, str] | None = None, **settings: Any) -> MesosExecutorDriver:
        variables = {
            "MESOS_AGENT_ENDPOINT": peer.address,
            "MESOS_FRAMEWORK_ID": "F",
            "MESOS_EXECUTOR_ID": "E",
            "MESOS_LOCAL": "1",
            "MESOS_CHECKPOINT": "1",
            **(environment or {}),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        driver = MesosExecutorDriver(heard, **settings)
        drivers.append(driver)
        driver.start()
        return driver

    yield start
    for driver in drivers:
        driver.stop()
        if driver._io_thread is not None:
            driver._io_thread.join(60)


def test_tasks_run_and_their_updates_are_sent_until_acknowledged(make: Make, peer: Peer, heard: Heard) -> None:
    """With timestamp, uuid and source filled in; a new subscription lists what is not acknowledged."""
    driver = make(use_addict=True)
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.send("LAUNCH", {"task": TASK})
    _, task = heard.wait("launchTask")
    driver.sendStatusUpdate({"task_id": task.task_id, "state": "TASK_RUNNING"})
    status = peer.wait_call("UPDATE")["update"]["status"]
    assert status["source"] == "SOURCE_EXECUTOR"
    assert len(decode_data(status["uuid"])) == 16
    peer.end()
    heard.wait("disconnected")
    subscribe = wait_for(lambda: len(peer.subscriptions) > 1 and peer.subscriptions[1][1], "a new subscription")
    assert subscribe["subscribe"] == {"unacknowledged_tasks": [TASK], "unacknowledged_updates": [{"status": status}]}
    peer.send("SUBSCRIBED", SUBSCRIBED, stream=1)
    assert heard.wait("reregistered")[1] == {"id": {"value": "A"}}
    peer.send("ACKNOWLEDGED", {"task_id": TASK["task_id"], "uuid": status["uuid"]}, stream=1)
    wait_for(lambda: not driver.updates and not driver.tasks, "the acknowledgement")


def test_an_update_while_the_agent_is_away_goes_with_the_next_subscription(
    make: Make, peer: Peer, heard: Heard
) -> None:
    """pymesos 0.3.15 raises and forgets it."""
    heard.during["disconnected"] = lambda driver: driver.sendStatusUpdate({"task_id": {"value": "t"}, "state": "X"})
    make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.end()
    subscribe = wait_for(lambda: len(peer.subscriptions) > 1 and peer.subscriptions[1][1], "a new subscription")
    assert [one["status"]["state"] for one in subscribe["subscribe"]["unacknowledged_updates"]] == ["X"]


def test_a_refused_update_raises(make: Make, peer: Peer, heard: Heard) -> None:
    """It is not repeated."""
    driver = make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    heard.wait("registered")
    peer.answers["UPDATE"] = (400, b"no such state", {})
    with pytest.raises(RuntimeError, match="no such state"):
        driver.sendStatusUpdate({"task_id": {"value": "t"}, "state": "TASK_NONSENSE"})
    assert driver.updates == {}


@pytest.mark.parametrize("value", ["0", "false", ""])
def test_without_checkpointing_the_agents_end_is_the_executors(
    make: Make, peer: Peer, heard: Heard, value: str
) -> None:
    """``MESOS_CHECKPOINT=0``, which agents set, means no."""
    driver = make({"MESOS_CHECKPOINT": value})
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.end()
    driver.join()
    assert heard.names() == ["registered", "disconnected", "shutdown"]


def test_an_agent_that_does_not_come_back_in_time_means_shutdown(make: Make, peer: Peer, heard: Heard) -> None:
    """MESOS_RECOVERY_TIMEOUT after it went."""
    driver = make({"MESOS_RECOVERY_TIMEOUT": "100ms"})
    peer.send("SUBSCRIBED", SUBSCRIBED)
    heard.wait("registered")
    peer.refusals = [(503, "recovering", {})] * 1000
    peer.end()
    heard.wait("shutdown")
    with pytest.raises(TimeoutError):
        driver.join()


def test_every_event_has_its_callback(make: Make, peer: Peer, heard: Heard) -> None:
    """A task that is launched twice is started once."""
    driver = make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.send("LAUNCH", {"task": TASK})
    peer.send("LAUNCH", {"task": TASK})
    peer.send("LAUNCH_GROUP", {"task_group": {"tasks": [{"task_id": {"value": "u"}}, TASK]}})
    peer.send("KILL", {"task_id": {"value": "t"}})
    peer.send("MESSAGE", {"data": "aGk="})
    peer.send("ERROR", {"message": "no"})
    peer.send("SHUTDOWN")
    driver.join()
    assert [(name, *arguments[1:]) for name, arguments in heard.calls[1:-1]] == [
        ("launchTask", TASK),
        ("launchTaskGroup", [{"task_id": {"value": "u"}}]),
        ("killTask", {"value": "t"}),
        ("frameworkMessage", "aGk="),
        ("error", "no"),
        ("shutdown",),
    ]
    assert heard.names()[-1] == "disconnected"


def test_messages_are_base64(make: Make, peer: Peer, heard: Heard) -> None:
    """encode_data takes text too, as UTF-8."""
    driver = make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    heard.wait("registered")
    driver.sendFrameworkMessage(encode_data("é"))
    assert decode_data(peer.wait_call("MESSAGE")["message"]["data"]) == "é".encode()
    assert decode_data(encode_data(bytes(range(256)))) == bytes(range(256))


@pytest.mark.parametrize("missing", ["MESOS_AGENT_ENDPOINT", "MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID"])
def test_outside_an_agent_the_missing_variable_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyError would not say what is wrong."""
    for name in ("MESOS_AGENT_ENDPOINT", "MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID"):
        monkeypatch.setenv(name, "127.0.0.1:1")
    monkeypatch.delenv(missing)
    with pytest.raises(RuntimeError, match=missing):
        MesosExecutorDriver(Heard())
