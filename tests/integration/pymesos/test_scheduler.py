"""pymesos.MesosSchedulerDriver against a scripted master."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymesos import MesosSchedulerDriver, Scheduler
from pymesos.attributes import Dict

from integration.pymesos.conftest import Heard, Peer, wait_for

FRAMEWORK = {"user": "root", "name": "f"}
SUBSCRIBED = {"framework_id": {"value": "F"}, "heartbeat_interval_seconds": 15}
STATUS = {"task_id": {"value": "t"}, "agent_id": {"value": "A"}, "state": "TASK_RUNNING", "uuid": "dXVpZA=="}

Make = Callable[..., MesosSchedulerDriver]


@pytest.fixture
def make(peer: Peer, heard: Heard) -> Iterator[Make]:
    """Make and start drivers; they end with the test."""
    drivers: list[MesosSchedulerDriver] = []

    def start(master: str | None = None, framework: Any = None, **settings: Any) -> MesosSchedulerDriver:
        driver = MesosSchedulerDriver(heard, framework or dict(FRAMEWORK), master or peer.address, **settings)
        drivers.append(driver)
        driver.start()
        return driver

    yield start
    for driver in drivers:
        driver.stop(failover=True)
        if driver._io_thread is not None:
            driver._io_thread.join(60)


@pytest.fixture
def registered(make: Make, peer: Peer, heard: Heard) -> MesosSchedulerDriver:
    """A registered driver."""
    driver = make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    heard.wait("registered")
    return driver


def test_registration_gives_the_id_and_the_master(registered: MesosSchedulerDriver, peer: Peer, heard: Heard) -> None:
    """The description asks for GPUs and names a failover_timeout, as pymesos does."""
    host, port = peer.address.split(":")
    driver, framework_id, master = heard.wait("registered")
    assert driver is registered
    assert framework_id == {"value": registered.framework_id} == {"value": "F"}
    assert master == {"hostname": host, "port": int(port), "version": "1.11.0"}
    assert registered.connected
    info = peer.subscriptions[0][1]["subscribe"]["framework_info"]
    assert info == {**FRAMEWORK, "capabilities": [{"type": "GPU_RESOURCES"}], "failover_timeout": 100}


def test_a_stream_that_ends_is_opened_again_under_the_same_id(
    registered: MesosSchedulerDriver, peer: Peer, heard: Heard
) -> None:
    """``disconnected``, then ``reregistered``; calls go with the new stream's id."""
    peer.end()
    heard.wait("disconnected")
    peer.send("SUBSCRIBED", SUBSCRIBED, stream=1)
    heard.wait("reregistered")
    assert peer.subscriptions[1][1]["framework_id"] == {"value": "F"}
    registered.reviveOffers()
    assert peer.calls[-1][0]["mesos-stream-id"] == "stream-1"


def test_a_redirect_is_followed(make: Make, peer: Peer, heard: Heard) -> None:
    """Its location has no scheme, as masters write it."""
    leader = Peer()
    peer.refusals = [(307, "", {"Location": f"//{leader.address}/api/v1/scheduler"})]
    driver = make()
    leader.send("SUBSCRIBED", SUBSCRIBED)
    heard.wait("registered")
    assert driver.master == leader.address
    driver.stop(failover=True)
    driver.join()
    leader.close()


@pytest.mark.parametrize("status", [503, 404])
def test_a_master_that_is_not_ready_is_asked_again(make: Make, peer: Peer, heard: Heard, status: int) -> None:
    """Recovering, or not elected yet."""
    peer.refusals = [(status, "later", {})] * 2
    make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    heard.wait("registered")
    assert len(peer.subscriptions) == 3


def test_a_refused_subscription_ends_the_driver_with_error(make: Make, peer: Peer, heard: Heard) -> None:
    """join() raises it, too: nobody must miss it."""
    peer.refusals = [(403, "no such role", {})]
    driver = make()
    _, message = heard.wait("error")
    assert "403: no such role" in message
    with pytest.raises(RuntimeError, match="no such role"):
        driver.join()
    assert driver.aborted


def test_a_master_that_cannot_be_reached_in_time_ends_the_driver_with_error(make: Make, heard: Heard) -> None:
    """``timeout`` seconds of vain attempts."""
    driver = make("127.0.0.1:1", timeout=0.1)
    assert "127.0.0.1:1" in heard.wait("error")[1]
    with pytest.raises(TimeoutError, match=r"within 0\.1 seconds"):
        driver.join()


@pytest.mark.parametrize("uri", ["", "host:port", ":5050", None, 5050])
def test_a_master_that_makes_no_sense_is_an_error_at_the_start(heard: Heard, uri: Any) -> None:
    """The error quotes it."""
    with pytest.raises(ValueError, match=re.escape(repr(uri))):
        MesosSchedulerDriver(heard, {}, uri).start()


def test_a_file_may_hold_the_address(make: Make, peer: Peer, heard: Heard, tmp_path: Path) -> None:
    """All that needs a detector goes the same way: ``zk://``, ``file://``, a list of masters."""
    (tmp_path / "master").write_text(f"{peer.address}\n")
    make(f"file://{tmp_path}/master")
    peer.send("SUBSCRIBED", SUBSCRIBED)
    heard.wait("registered")


def test_a_silent_stream_is_opened_again(make: Make, peer: Peer, heard: Heard) -> None:
    """Five heartbeats may be missing, no more."""
    make()
    peer.send("SUBSCRIBED", {**SUBSCRIBED, "heartbeat_interval_seconds": 0.02})
    heard.wait("disconnected")
    peer.stream(1)


def test_heartbeats_reach_schedulers_of_both_kinds(make: Make, peer: Peer, heard: Heard) -> None:
    """With the driver since pymesos 0.3.11, without it before: dpark defines it so."""

    class Old(Scheduler):
        beats = 0

        def processHeartBeat(self) -> None:  # type: ignore[override]  # noqa: N802
            self.beats += 1

    old = Old()
    driver = make()
    driver.sched = old
    peer.send("HEARTBEAT")
    wait_for(lambda: old.beats, "a heartbeat without the driver")
    driver.sched, driver._says_driver = heard, None
    peer.send("HEARTBEAT")
    assert heard.wait("processHeartBeat") == (driver,)


def test_an_update_is_acknowledged_after_its_callback(
    registered: MesosSchedulerDriver, peer: Peer, heard: Heard
) -> None:
    """Not before, and whatever the callback did to its dict."""
    during: list[int] = []

    def handle(driver: Any, status: Any) -> None:
        during.append(peer.kinds().count("ACKNOWLEDGE"))
        status.clear()

    heard.during["statusUpdate"] = handle
    for _ in range(3):
        peer.send("UPDATE", {"status": STATUS})
    call = peer.wait_call("ACKNOWLEDGE", 3)
    names = ("agent_id", "task_id", "uuid")
    assert call["acknowledge"] == {name: STATUS[name] for name in names}
    assert call["framework_id"] == {"value": "F"}
    assert during[0] == 0


def test_updates_without_uuid_and_explicit_ones_are_not_acknowledged(make: Make, peer: Peer, heard: Heard) -> None:
    """The scheduler acknowledges when it is ready."""
    driver = make(implicit_acknowledgements=False)
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.send("UPDATE", {"status": {name: value for name, value in STATUS.items() if name != "uuid"}})
    peer.send("UPDATE", {"status": STATUS})
    _, status = heard.wait("statusUpdate", 2)
    driver.reviveOffers()
    assert peer.kinds() == ["REVIVE"]
    driver.acknowledgeStatusUpdate(status)
    assert peer.kinds() == ["REVIVE", "ACKNOWLEDGE"]


def test_a_refused_acknowledgement_is_logged(
    registered: MesosSchedulerDriver, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its answer is read with the next call's."""
    peer.answers["ACKNOWLEDGE"] = (400, b"never heard of it", {})
    peer.send("UPDATE", {"status": STATUS})
    peer.wait_call("ACKNOWLEDGE")
    registered.reviveOffers()
    assert "never heard of it" in caplog.text


@pytest.mark.parametrize("failover", [True, False])
def test_an_exception_in_a_callback_stops_the_driver_and_keeps_the_framework(
    make: Make, peer: Peer, heard: Heard, caplog: pytest.LogCaptureFixture, failover: bool
) -> None:
    """Logged with its traceback, told as ``error``, raised by join(); no acknowledgement, no TEARDOWN."""

    def fail(*arguments: Any) -> None:
        raise KeyError("a bug in the scheduler")

    heard.during["statusUpdate"] = fail
    driver = make(failover=failover)
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.send("UPDATE", {"status": STATUS})
    assert "a bug in the scheduler" in heard.wait("error")[1]
    with pytest.raises(KeyError):
        driver.join()
    driver.join()
    assert peer.kinds() == []
    assert driver.aborted
    assert "Traceback" in caplog.text


def test_stop_tears_the_framework_down_unless_it_is_a_failover(make: Make, peer: Peer, heard: Heard) -> None:
    """abort() does not, either; a driver that ended may be started again."""
    driver = make()
    endings: list[tuple[Callable[[], None], list[str]]] = [
        (lambda: driver.stop(failover=True), []),
        (driver.abort, []),
        (driver.stop, ["TEARDOWN"]),
    ]
    for number, (end, calls) in enumerate(endings):
        if number:
            driver.start()
        peer.send("SUBSCRIBED", SUBSCRIBED, stream=number)
        heard.wait("reregistered" if number else "registered", max(number, 1))
        end()
        driver.join()
        assert peer.kinds() == calls
        assert not driver.connected
    assert driver.framework_id is None


def test_stop_may_be_called_in_a_callback(make: Make, peer: Peer, heard: Heard) -> None:
    """What comes after it is not delivered."""
    heard.during["statusUpdate"] = lambda driver, _: driver.stop()
    driver = make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    for _ in range(3):
        peer.send("UPDATE", {"status": STATUS})
    driver.join()
    assert heard.names().count("statusUpdate") == 1
    assert peer.kinds() == ["TEARDOWN"]


def test_calls_while_not_connected_do_nothing(heard: Heard, peer: Peer) -> None:
    """Also before the start and after the end."""
    driver = MesosSchedulerDriver(heard, {}, peer.address)
    for call in (
        lambda: driver.launchTasks({"value": "O"}, [{}]),
        lambda: driver.acceptOffers({"value": "O"}, [{}]),
        lambda: driver.declineOffer({"value": "O"}),
        lambda: driver.acceptInverseOffers({"value": "O"}),
        lambda: driver.declineInverseOffer({"value": "O"}),
        driver.reviveOffers,
        driver.suppressOffers,
        lambda: driver.killTask({"value": "t"}),
        lambda: driver.acknowledgeStatusUpdate(STATUS),
        lambda: driver.reconcileTasks([]),
        lambda: driver.reconcileOperations([]),
        lambda: driver.sendFrameworkMessage({}, {}, ""),
        lambda: driver.requestResources([]),
    ):
        assert call() is None  # type: ignore[func-returns-value]
    assert peer.calls == []


def test_calls_say_what_the_api_wants(registered: MesosSchedulerDriver, peer: Peer) -> None:
    """One offer id or several; filters only when given; roles only when given."""
    offer, filters = {"value": "O"}, {"refuse_seconds": 1}
    registered.launchTasks(offer, [{"name": "t"}], filters)
    accept = peer.wait_call("ACCEPT")["accept"]
    assert accept == {
        "offer_ids": [offer],
        "operations": [{"type": "LAUNCH", "launch": {"task_infos": [{"name": "t"}]}}],
        "filters": filters,
    }
    registered.launchTasks([offer, offer], [])
    assert peer.wait_call("DECLINE")["decline"] == {"offer_ids": [offer, offer]}
    registered.acceptInverseOffers(offer)
    assert peer.wait_call("ACCEPT_INVERSE_OFFERS")["accept_inverse_offers"] == {"inverse_offer_ids": [offer]}
    registered.suppressOffers(["r"])
    assert peer.wait_call("SUPPRESS")["suppress"] == {"roles": ["r"]}
    registered.reconcileTasks([{"task_id": {"value": "t"}, "state": "TASK_LOST"}])
    assert peer.wait_call("RECONCILE")["reconcile"] == {"tasks": [{"task_id": {"value": "t"}}]}


def test_a_refused_call_raises_with_the_reason(registered: MesosSchedulerDriver, peer: Peer) -> None:
    """In the caller's thread; the driver goes on."""
    peer.answers["KILL"] = (400, b"no task_id", {})
    with pytest.raises(RuntimeError, match=r"400.*no task_id"):
        registered.killTask({})
    registered.reviveOffers()
    assert not registered.aborted


def test_a_connection_for_calls_that_was_closed_meanwhile_is_opened_again(
    registered: MesosSchedulerDriver, peer: Peer
) -> None:
    """Masters close idle ones; the next call must not fail."""
    peer.answers["REVIVE"] = (202, b"", {"Connection": "close"})
    for count in range(1, 4):
        registered.reviveOffers()
        assert peer.kinds().count("REVIVE") == count


def test_use_addict_gives_attributes_and_takes_them(make: Make, peer: Peer, heard: Heard) -> None:
    """Without the package addict."""
    framework = Dict(user="root", name="f")
    framework.checkpoint = True
    driver = make(framework=framework, use_addict=True)
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.send("OFFERS", {"offers": [{"id": {"value": "O"}, "resources": [{"name": "cpus", "scalar": {"value": 2}}]}]})
    _, (offer,) = heard.wait("resourceOffers")
    assert (offer.id.value, offer.resources[0].scalar.value, offer.missing.too) == ("O", 2, {})
    task = Dict()
    task.task_id.value = "t"
    driver.launchTasks(offer.id, [task])
    assert peer.wait_call("ACCEPT")["accept"]["operations"][0]["launch"]["task_infos"] == [{"task_id": {"value": "t"}}]
    assert peer.subscriptions[0][1]["subscribe"]["framework_info"]["checkpoint"] is True


def test_principal_and_secret_are_basic_credentials(make: Make, peer: Peer, heard: Heard) -> None:
    """On every request."""
    driver = make(principal="me", secret="s")
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.send("UPDATE", {"status": STATUS})
    heard.wait("registered")
    driver.reviveOffers()
    peer.wait_call("ACKNOWLEDGE")
    sent = [headers["authorization"] for headers, _ in (*peer.subscriptions, *peer.calls)]
    assert set(sent) == {"Basic bWU6cw=="}


def test_every_event_has_its_callback(registered: MesosSchedulerDriver, peer: Peer, heard: Heard) -> None:
    """Those without a handler are logged and skipped."""
    agent, executor = {"value": "A"}, {"value": "E"}
    peer.send("SOMETHING_NEW", {})
    peer.send("RESCIND", {"offer_id": {"value": "O"}})
    peer.send("INVERSE_OFFERS", {"inverse_offers": [{"id": {"value": "I"}}]})
    peer.send("RESCIND_INVERSE_OFFER", {"inverse_offer_id": {"value": "I"}})
    peer.send("MESSAGE", {"agent_id": agent, "executor_id": executor, "data": "aGk="})
    peer.send("FAILURE", {"agent_id": agent, "executor_id": executor, "status": 256})
    peer.send("FAILURE", {"agent_id": agent})
    operation = {"operation_id": {"value": "op"}, "state": "OPERATION_FINISHED", "uuid": "dXVpZA=="}
    peer.send("UPDATE_OPERATION_STATUS", {"status": operation})
    peer.send("ERROR", {"message": "no"})
    heard.wait("error")
    assert [(name, *arguments[1:]) for name, arguments in heard.calls[1:]] == [
        ("offerRescinded", {"value": "O"}),
        ("inverseOffers", [{"id": {"value": "I"}}]),
        ("inverseOfferRescinded", {"value": "I"}),
        ("frameworkMessage", executor, agent, "aGk="),
        ("executorLost", executor, agent, 256),
        ("slaveLost", agent),
        ("operationStatusUpdate", operation),
        ("error", "no"),
    ]
    acknowledged = peer.wait_call("ACKNOWLEDGE_OPERATION_STATUS")["acknowledge_operation_status"]
    assert acknowledged == {"operation_id": {"value": "op"}, "uuid": "dXVpZA=="}


def test_records_may_be_cut_anywhere(make: Make, peer: Peer, heard: Heard) -> None:
    """In every byte, several in a chunk, and a megabyte in many chunks."""
    make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    event = json.dumps({"type": "UPDATE", "update": {"status": STATUS}}).encode()
    record = b"%d\n%b" % (len(event), event)
    stream = peer.stream()
    for cut in range(1, len(record), 7):
        stream.put(record[:cut])
        stream.put(record[cut:])
    stream.put(record * 5)
    many = len(range(1, len(record), 7)) + 5
    heard.wait("statusUpdate", many)
    big = json.dumps({"type": "ERROR", "error": {"message": "x" * 1_000_000}}).encode()
    data = b"%d\n%b" % (len(big), big) + record
    for start in range(0, len(data), 50_000):
        stream.put(data[start : start + 50_000])
    heard.wait("statusUpdate", many + 1)
    assert len(heard.wait("error")[1]) == 1_000_000


def test_a_stream_without_record_lengths_is_broken(make: Make, peer: Peer, heard: Heard) -> None:
    """It is opened again rather than read on."""
    make()
    peer.send("SUBSCRIBED", SUBSCRIBED)
    peer.stream().put(b"this is no record\n")
    heard.wait("disconnected")
    peer.stream(1)


def test_importing_the_module_changes_nothing_in_the_process() -> None:
    """No signal handler, no output, no log handler that writes, no Messor runtime."""
    program = (
        "import signal, logging, sys; before = signal.getsignal(signal.SIGINT); import pymesos;"
        "assert signal.getsignal(signal.SIGINT) is before;"
        "assert [type(one).__name__ for one in logging.getLogger('pymesos').handlers] == ['NullHandler'];"
        "assert not logging.getLogger().handlers;"
        "print([name for name in sys.modules if name.startswith('messor')])"
    )
    source = Path(__file__).resolve().parents[3] / "compat" / "pymesos" / "src"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(source)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert logging.getLogger("pymesos").level == logging.NOTSET
