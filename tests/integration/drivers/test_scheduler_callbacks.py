"""Rows S1-S10: what a scheduler hears, from a fake master over every transport that can say it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.drivers.conftest import Stage, wait_for
from integration.drivers.plays import (
    ABORTED,
    AGENT,
    HTTP_ONLY,
    LIBPROCESS_ONLY,
    TRANSPORTS,
    Call,
    MasterSide,
    Play,
    master_sides,
    status,
)
from messor.protos import internal, v0
from support import builders
from support.fakes import Recorder


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
def play(plays: Callable[..., Play]) -> Play:
    """A registered driver."""
    one = plays()
    one.register()
    return one


def test_s1_registered_is_the_first_callback_and_carries_id_and_master(play: Play) -> None:
    """The framework learns its id and its master."""
    framework_id, master = play.heard.wait("registered")
    assert framework_id.value == "F"
    assert (master.pid, master.id) == (play.master.pid, "M")
    assert play.heard.names() == ["registered"]


def test_s1_a_driver_with_an_id_hears_registered_and_forces_only_its_first_subscription(
    plays: Callable[..., Play],
) -> None:
    """Failover: ``force`` is set until the first registration, and it is no reregistration (trap 2)."""
    play = plays(framework=builders.framework_info(framework_id="F", failover_timeout=60.0))
    play.start()
    call = play.wait_call(Call.SUBSCRIBE)
    # v1 has no such field: HTTP frameworks always take over.
    assert call.subscribe.force == (play.master.transport == "libprocess")
    assert call.framework_id.value == call.subscribe.framework_info.id.value == "F"
    play.master.registered("F")
    play.heard.wait("registered")
    play.settle()
    assert not play.break_off().subscribe.force


def test_s1_a_second_registration_while_connected_is_ignored(play: Play) -> None:
    """It is accepted only while not connected."""
    play.master.registered("G")
    play.master.rescind("O1")
    play.heard.wait("offerRescinded")
    assert play.heard.names() == ["registered", "offerRescinded"]
    assert play.driver.framework_info.id.value == "F"


def test_s2_reregistered_follows_a_broken_connection(play: Play) -> None:
    """The same driver comes back under its id, without force."""
    call = play.break_off()
    play.heard.wait("disconnected")
    assert call.framework_id.value == "F"
    assert not call.subscribe.force
    play.master.registered("F", again=True)
    (master,) = play.heard.wait("reregistered")
    assert master.pid == play.master.pid
    assert play.heard.names() == ["registered", "disconnected", "reregistered"]


def test_s3_disconnected_comes_once_per_connection_and_never_before_one(plays: Callable[..., Play]) -> None:
    """A link that breaks before the registration is nobody's loss; messages of a lost connection are dropped."""
    play = plays()
    play.start()
    play.break_off()
    play.master.registered("F")
    play.heard.wait("registered")
    play.settle()
    play.break_off()
    play.heard.wait("disconnected")
    assert not play.driver.connected()
    play.master.rescind("O1")
    play.master.registered("F", again=True)
    play.heard.wait("reregistered")
    names = play.heard.names()
    assert names.count("disconnected") == 1
    assert names[-1] == "reregistered"
    if play.master.transport == "libprocess":
        assert "offerRescinded" not in names


@HTTP_ONLY
def test_s3_a_master_that_falls_silent_counts_as_lost(plays: Callable[..., Play]) -> None:
    """Five heartbeats late, as after a cut cable; the connection is made again. Libprocess has no heartbeats."""
    play = plays()
    play.start()
    play.master.registered("F", heartbeat=0.05)  # type: ignore[call-arg]
    play.heard.wait("registered")
    play.heard.wait("disconnected")
    wait_for(lambda: len(play.calls(Call.SUBSCRIBE)) >= 2, "another subscription")
    play.master.registered("F")
    play.heard.wait("reregistered")


@HTTP_ONLY
@pytest.mark.parametrize("garbage", [b"5\nxxxxx", b"no length\n", b"3\n{}!"], ids=["no event", "no record", "half"])
def test_s3_a_stream_that_makes_no_sense_is_left(play: Play, garbage: bytes) -> None:
    """Instead of hearing nothing more for ever."""
    count = len(play.calls(Call.SUBSCRIBE))
    play.master.peer.stream().pieces.put(garbage)  # type: ignore[union-attr]
    play.heard.wait("disconnected")
    play.wait_call(Call.SUBSCRIBE, count + 1)
    play.master.registered("F")
    play.heard.wait("reregistered")


def test_s4_a_batch_of_offers_is_one_callback_and_an_empty_one_none(play: Play) -> None:
    """A batch without offers (only inverse ones) never reaches a classic scheduler."""
    play.master.offers()
    play.master.offers(builders.offer("O1"), builders.offer("O2"))
    (offers,) = play.heard.wait("resourceOffers")
    assert [offer.id.value for offer in offers] == ["O1", "O2"]
    assert offers[0] == builders.offer("O1")
    assert play.heard.names() == ["registered", "resourceOffers"]


def test_s5_a_rescinded_offer_is_told(play: Play) -> None:
    """Nobody can use it any more."""
    play.master.offers(builders.offer("O1"))
    play.master.rescind("O1")
    (offer_id,) = play.heard.wait("offerRescinded")
    assert offer_id.value == "O1"


def test_s6_an_update_is_acknowledged_after_its_callback(play: Play) -> None:
    """Implicit acknowledgement names agent, task and uuid."""
    during: list[int] = []
    play.heard.during["statusUpdate"] = lambda *_: during.append(len(play.calls(Call.ACKNOWLEDGE)))
    play.master.update(status())
    acknowledge = play.wait_call(Call.ACKNOWLEDGE).acknowledge
    assert during == [0]
    assert (acknowledge.slave_id.value, acknowledge.task_id.value, acknowledge.uuid) == ("A", "t", b"0123456789abcdef")
    (heard,) = play.heard.wait("statusUpdate")
    assert heard == status()


@pytest.mark.parametrize("how", ["abort", "stop", "raise"])
def test_s6_an_update_is_not_acknowledged_when_the_driver_ended_in_its_callback(play: Play, how: str) -> None:
    """Stop, abort or an exception inside ``statusUpdate`` leave the update to be sent again (trap 5)."""

    def end(driver: Any, _status: Any) -> None:
        if how == "raise":
            raise ValueError("a bug in the scheduler")
        driver.abort() if how == "abort" else driver.stop(True)

    play.heard.during["statusUpdate"] = end
    play.master.update(status())
    play.heard.wait("statusUpdate")
    play.driver.join()
    play.end()
    assert play.calls(Call.ACKNOWLEDGE) == []
    assert play.calls(Call.TEARDOWN) == []


def test_s6_an_update_made_by_the_master_has_no_uuid_and_is_not_acknowledged(play: Play) -> None:
    """Acknowledging it would confuse a real agent's stream (trap 6)."""
    play.master.update(status(v0.TASK_LOST, uuid=b""))
    (heard,) = play.heard.wait("statusUpdate")
    assert not heard.HasField("uuid")
    play.master.update(status())
    play.wait_call(Call.ACKNOWLEDGE)
    play.settle()
    assert len(play.calls(Call.ACKNOWLEDGE)) == 1


def test_s7_messages_of_executors_arrive(play: Play) -> None:
    """As bytes, whatever they are."""
    play.master.message("E", "A", b"\x00hi\xff")
    executor_id, agent_id, data = play.heard.wait("frameworkMessage")
    assert (executor_id.value, agent_id.value, data) == ("E", "A", b"\x00hi\xff")


@LIBPROCESS_ONLY
def test_s7_messages_of_executors_arrive_from_anybody(play: Play, stage: Stage, agent: Recorder) -> None:
    """Agents send them directly; over HTTP nobody but the master can send anything."""
    message = internal.ExecutorToFrameworkMessage(data=b"\x00hi")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "A", "F", "E"
    sender = play.master.master.last_sender(Call)  # type: ignore[attr-defined]
    stage.do(lambda: agent.send(sender, message))
    executor_id, agent_id, data = play.heard.wait("frameworkMessage")
    assert (executor_id.value, agent_id.value, data) == ("E", "A", b"\x00hi")


def test_s8_a_lost_agent_is_told(play: Play) -> None:
    """And its address forgotten: see S33."""
    play.master.agent_lost("A")
    assert play.heard.wait("slaveLost")[0].value == "A"


@pytest.mark.parametrize("wait_status", [0, 256, 9])
def test_s9_a_lost_executor_is_told_with_its_wait_status(play: Play, wait_status: int) -> None:
    """Not an exit code (trap 31)."""
    play.master.executor_lost("E", "A", wait_status)
    executor_id, agent_id, heard = play.heard.wait("executorLost")
    assert (executor_id.value, agent_id.value, heard) == ("E", "A", wait_status)
    assert "slaveLost" not in play.heard.names()


ERRORS = ["Framework failed over", "Framework has been removed", "Role 'x' is not valid"]


@pytest.mark.parametrize("text", ERRORS)
def test_s10_an_error_aborts_the_driver_before_the_callback(play: Play, text: str) -> None:
    """join() gives ABORTED and ``error`` sees an aborted driver."""
    statuses: list[int] = []
    play.heard.during["error"] = lambda driver, _: statuses.append(driver.killTask(v0.TaskID(value="t")))
    play.master.fail(text)
    assert play.heard.wait("error") == (text,)
    assert play.driver.join() == ABORTED
    assert statuses == [ABORTED]


def test_callbacks_come_one_at_a_time_and_one_that_blocks_loses_nothing(play: Play) -> None:
    """With the driver as first argument, on a thread that is neither the caller's nor the session's."""
    release, inside = threading.Event(), []

    def block(driver: Any, offers: Any) -> None:
        inside.append((driver, threading.current_thread()))
        assert release.wait(60)

    play.heard.during["resourceOffers"] = block
    play.master.offers(builders.offer("O1"), agent=AGENT)
    wait_for(lambda: inside, "the callback")
    for number in range(5):
        play.master.update(status(task_id=f"t{number}"))
    play.settle()  # the session answers although the callback does not return
    time.sleep(0.02)
    assert play.heard.names() == ["registered", "resourceOffers"]
    release.set()
    play.heard.wait("statusUpdate", 5)
    assert [arguments[0].task_id.value for name, arguments in play.heard.calls if name == "statusUpdate"] == [
        f"t{number}" for number in range(5)
    ]
    ((driver, thread),) = inside
    assert driver is play.driver
    assert thread is not threading.current_thread()
