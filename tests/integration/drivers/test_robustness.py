"""What users of other drivers suffered, and what must not happen here: against masters that are frozen and killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.drivers.conftest import wait_for
from mesos.native import MesosSchedulerDriver
from messor import LocalCluster, aio
from messor.drivers.outcomes import What
from messor.errors import ConfigurationError
from messor.local.probe import get_json
from messor.protos import v0
from messor.testing.mocks import MockScheduler

SECONDS = 60.0
HTTP = pytest.mark.parametrize("transport", ["http", "http+json"])
ALL = pytest.mark.parametrize("transport", ["libprocess", "http", "http+json"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master and one agent; the master is killed and started again."""
    folder = tmp_path_factory.mktemp("robust")
    with LocalCluster(agents=1, work_dir=folder, resources="cpus:4;mem:2048") as running:
        yield running


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait seconds between subscriptions."""
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "100ms")


async def until(scheduler: aio.Scheduler, wanted: Callable[[Any], bool]) -> Any:
    """Wait for an event."""

    async def look() -> Any:
        async for event in scheduler:
            if wanted(event):
                return event
        raise AssertionError("iteration ended")

    return await asyncio.wait_for(look(), SECONDS)


def is_a(kind: type[Any]) -> Callable[[Any], bool]:
    """Whether an event is of a kind."""
    return lambda event: isinstance(event, kind)


def freeze(cluster: LocalCluster) -> None:
    """Let the master answer nothing, with its connections open."""
    cluster.master_process.ask_to_stop(signal.SIGSTOP)


def thaw(cluster: LocalCluster) -> None:
    """Let it go on."""
    cluster.master_process.ask_to_stop(signal.SIGCONT)


@HTTP
def test_a_call_in_flight_when_the_master_is_killed_says_that_nobody_knows(
    cluster: LocalCluster, transport: str
) -> None:
    """Then the scheduler comes back under its id by itself, and calls work again."""

    async def main() -> None:
        async with aio.Scheduler("in flight", cluster.master, transport=transport) as scheduler:
            await until(scheduler, is_a(aio.Registered))
            framework_id = scheduler.framework_id
            freeze(cluster)
            asked = scheduler.kill("nobody")
            await asyncio.sleep(0.05)
            assert not asked.done()  # type: ignore[attr-defined]
            cluster.master_process.kill()
            outcome = await asyncio.wait_for(asked, SECONDS)
            assert (outcome.what, bool(outcome)) == (What.UNKNOWN, False)
            await until(scheduler, is_a(aio.Disconnected))
            assert (await scheduler.kill("nobody")).what is What.DROPPED
            await asyncio.to_thread(cluster.restart_master)
            await until(scheduler, is_a(aio.Reregistered))
            assert scheduler.framework_id == framework_id
            assert (await asyncio.wait_for(scheduler.kill("nobody"), SECONDS)).what is What.ACCEPTED
            scheduler.stop()

    asyncio.run(main())
    cluster.wait_for_agents(1, SECONDS)


@HTTP
def test_giving_up_waiting_for_an_answer_harms_nothing(
    cluster: LocalCluster, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The call is made all the same, its late answer is nobody's, and later calls and events go on."""

    async def main() -> None:
        async with aio.Scheduler("impatient", cluster.master, transport=transport) as scheduler:
            await until(scheduler, is_a(aio.Registered))
            freeze(cluster)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(scheduler.reconcile([("given up", "")]), 0.05)
            task = asyncio.ensure_future(scheduler.reconcile([("cancelled", "")]))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            later = scheduler.reconcile([("later", "")])
            thaw(cluster)
            assert await asyncio.wait_for(later, SECONDS)
            answered = [
                (await until(scheduler, is_a(aio.Update))).task_id,
                (await until(scheduler, is_a(aio.Update))).task_id,
                (await until(scheduler, is_a(aio.Update))).task_id,
            ]
            assert answered == ["given up", "cancelled", "later"]
            scheduler.stop()

    asyncio.run(main())
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


@ALL
def test_a_new_connection_may_be_asked_for(cluster: LocalCluster, transport: str) -> None:
    """As upstream's library has it for those who doubt their connection (C12)."""

    async def main() -> None:
        async with aio.Scheduler("doubts", cluster.master, transport=transport) as scheduler:
            await until(scheduler, is_a(aio.Registered))
            framework_id = scheduler.framework_id
            for _ in range(2):
                scheduler.reconnect()
                assert not scheduler.is_connected
                await until(scheduler, is_a(aio.Disconnected))
                await until(scheduler, is_a(aio.Reregistered))
            assert scheduler.framework_id == framework_id
            assert await asyncio.wait_for(scheduler.kill("nobody"), SECONDS)
            scheduler.stop()

    asyncio.run(main())


@ALL
def test_an_exception_in_a_callback_leaves_the_tasks_running(cluster: LocalCluster, transport: str) -> None:
    """The driver stops with ``error``; the framework stays; a successor takes over under its id."""
    cluster.wait_for_agents(1, SECONDS)
    scheduler = MockScheduler()
    framework = v0.FrameworkInfo(user="", name="bug", failover_timeout=600.0, checkpoint=True)

    def launch(driver: Any, offers: Any) -> None:
        task = v0.TaskInfo(name="t", task_id=v0.TaskID(value=f"t-{transport}"), slave_id=offers[0].slave_id)
        task.command.value = "sleep 600"
        for name, value in (("cpus", 0.1), ("mem", 32.0)):
            task.resources.add(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=value))
        driver.launchTasks(offers[0].id, [task])

    def fail(_driver: Any, _status: Any) -> None:
        raise KeyError("a bug in the scheduler")

    scheduler.expect("resourceOffers", do=launch)
    scheduler.expect("statusUpdate", do=fail)
    driver = MesosSchedulerDriver(scheduler, framework, cluster.master, transport=transport)
    assert driver.run() == v0.DRIVER_ABORTED
    assert scheduler.wait_for("error", within=SECONDS) == (
        "The scheduler's statusUpdate raised KeyError('a bug in the scheduler')",
    )
    info = driver.framework_info
    driver.stop()
    driver.wait_for_end(SECONDS)
    listed = {
        one["id"]: one for one in get_json("127.0.0.1", int(cluster.master.partition(":")[2]), "/state")["frameworks"]
    }
    assert [task["state"] for task in listed[info.id.value]["tasks"]] in (["TASK_STARTING"], ["TASK_RUNNING"])
    again = MockScheduler()
    successor = MesosSchedulerDriver(again, info, cluster.master, transport=transport)
    successor.start()
    (status,) = again.wait_for("statusUpdate", within=SECONDS)
    assert status.task_id.value == f"t-{transport}"
    successor.stop()
    successor.join()
    successor.wait_for_end(SECONDS)


PROGRAM = """
import sys
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

class Buggy(Scheduler):
    def registered(self, driver, framework_id, master):
        return {}["nothing"]

    def error(self, driver, message):
        print("error:", message, flush=True)

framework = mesos_pb2.FrameworkInfo(user="", name="buggy", failover_timeout=1)
driver = MesosSchedulerDriver(Buggy(), framework, sys.argv[1], transport=sys.argv[2])
status = driver.run()
driver.stop()
sys.exit(status)
"""


@ALL
def test_a_program_with_a_bug_ends_with_its_traceback(cluster: LocalCluster, transport: str) -> None:
    """Although it configured no logging."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, cluster.master, transport],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == v0.DRIVER_ABORTED
    assert done.stdout == "error: The scheduler's registered raised KeyError('nothing')\n"
    assert "in registered" in done.stderr
    assert "KeyError: 'nothing'" in done.stderr
    assert done.stderr.count("Traceback") == 1


SILENT = """
import json, logging, signal, sys, threading
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
import mesos.interface, mesos.native, mesos.v1.scheduler, pesos.scheduler, messor.aio, messor.operator, messor.testing
after = {number: signal.getsignal(number) for number in signal.valid_signals()}
print(json.dumps({
    "signals": before == after,
    "threads": threading.active_count(),
    "handlers": [type(one).__name__ for one in logging.getLogger().handlers],
    "ours": [type(one).__name__ for one in logging.getLogger("messor").handlers],
}))
"""


def test_importing_any_of_our_modules_changes_nothing_in_the_process() -> None:
    """No signal handlers, no threads, no logging set up, nothing printed."""
    done = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, timeout=120, check=True)
    said = json.loads(done.stdout)
    assert said["signals"] is True
    assert said["threads"] == 1
    assert said["handlers"] == []
    assert set(said["ours"]) <= {"NullHandler"}
    assert done.stderr == ""


# --- bad input: see also S16, S36, S45, S57, S59 and S70 -------------------------------------------------------------

NOWHERE = ["127.0.0.1:1", "zk://127.0.0.1:1/mesos", "127.0.0.1:1,127.0.0.1:2"]


@ALL
@pytest.mark.parametrize("address", NOWHERE)
def test_a_driver_whose_master_cannot_be_reached_goes_on_trying_and_can_be_stopped(
    transport: str, address: str
) -> None:
    """It may come; nothing hangs, nothing is raised, no task is believed to run."""
    scheduler = MockScheduler()
    framework = v0.FrameworkInfo(user="", name="x", failover_timeout=1.0)
    driver = MesosSchedulerDriver(scheduler, framework, address, transport=transport)
    assert driver.start() == v0.DRIVER_RUNNING
    assert driver.killTask(v0.TaskID(value="t")) == v0.DRIVER_RUNNING
    time.sleep(0.3)
    assert not driver.connected()
    assert driver.stop() == v0.DRIVER_STOPPED
    assert driver.join() == v0.DRIVER_STOPPED
    driver.wait_for_end(SECONDS)
    assert driver._thread is not None
    wait_for(lambda: not driver._thread._thread.is_alive(), "the end of its thread")  # type: ignore[union-attr]
    assert scheduler.names() == []


MALFORMED = [
    ("no.such.host.invalid:5050", "no.such.host.invalid"),
    ("host:99999", "host:99999"),
    ("zk://:2181/mesos", "zk://:2181/mesos"),
    ("zk://host:x/mesos", "zk://host:x/mesos"),
    ("zk://host", "path"),
    ("zk://user@host/mesos", "zk://user@host/mesos"),
    ("file:///tmp", "/tmp"),
    ("a:1,b", "b"),
]


@pytest.mark.parametrize(("address", "words"), MALFORMED, ids=[address for address, _ in MALFORMED])
@pytest.mark.parametrize("face", ["classic", "asyncio"])
def test_a_malformed_master_is_told_with_its_text(address: str, words: str, face: str) -> None:
    """By ``error`` in the classic driver, by an exception in the other."""
    if face == "classic":
        scheduler = MockScheduler()
        framework = v0.FrameworkInfo(user="", name="x", failover_timeout=1.0)
        driver = MesosSchedulerDriver(scheduler, framework, address)
        assert driver.run() == v0.DRIVER_ABORTED
        (message,) = scheduler.wait_for("error", within=SECONDS)
    else:

        async def main() -> None:
            async with aio.Scheduler("x", address):
                raise AssertionError("it was taken")

        with pytest.raises(ConfigurationError) as raised:
            asyncio.run(main())
        message = str(raised.value)
    assert words in message
    assert "\n" not in message


@ALL
def test_a_credential_that_cannot_be_had_aborts_the_driver_with_the_reason(
    cluster: LocalCluster, transport: str
) -> None:
    """A callable that fails is no reason to hang."""

    def fail() -> Any:
        raise OSError("the vault is closed")

    scheduler = MockScheduler()
    framework = v0.FrameworkInfo(user="", name="x", failover_timeout=1.0)
    driver = MesosSchedulerDriver(scheduler, framework, cluster.master, credential=fail, transport=transport)
    assert driver.start() == v0.DRIVER_RUNNING
    assert "the vault is closed" in scheduler.wait_for("error", within=SECONDS)[0]
    assert driver.join() == v0.DRIVER_ABORTED
    driver.stop()
    driver.wait_for_end(SECONDS)


MESSAGES: list[tuple[str, Callable[[MesosSchedulerDriver], Any], str]] = [
    ("task", lambda d: d.launchTasks("O", [v0.TaskInfo(name="x")]), r"mesos\.TaskInfo lacks .*task_id"),
    ("dict", lambda d: d.launchTasks("O", [{"name": "x"}]), r"expecting a mesos\.TaskInfo, not dict"),
    ("kill", lambda d: d.killTask("t"), r"expecting a mesos\.TaskID, not str"),
    ("offer", lambda d: d.declineOffer(7), "not iterable|expecting a mesos.OfferID"),
    ("filters", lambda d: d.declineOffer("O", 5), r"expecting a mesos\.Filters, not int"),
    ("operation", lambda d: d.acceptOffers("O", [None]), r"expecting a mesos\.Offer\.Operation, not NoneType"),
    ("status", lambda d: d.reconcileTasks([v0.TaskStatus()]), r"lacks .*task_id"),
    ("message", lambda d: d.sendFrameworkMessage("E", "A", b""), r"expecting a mesos\.ExecutorID, not str"),
    ("framework", lambda d: d.updateFramework(v0.FrameworkInfo(name="x")), r"mesos\.FrameworkInfo lacks user"),
]


@pytest.mark.parametrize(("name", "call", "words"), MESSAGES, ids=[name for name, _, _ in MESSAGES])
def test_what_a_call_cannot_take_is_an_exception_in_the_caller(
    name: str, call: Callable[[MesosSchedulerDriver], Any], words: str
) -> None:
    """It names the message and the field, and comes before anything is sent."""
    driver = MesosSchedulerDriver(MockScheduler(), v0.FrameworkInfo(user="", name="x", failover_timeout=1.0), "h:1")
    with pytest.raises((TypeError, ValueError), match=words):
        call(driver)


@pytest.mark.parametrize(
    ("framework", "words"),
    [
        (None, "not NoneType"),
        ({"name": "x"}, "not dict"),
        (v0.FrameworkInfo(user="root"), "name"),
        (v0.TaskInfo(name="x"), r"not mesos\.TaskInfo"),
    ],
)
@pytest.mark.parametrize("face", [MesosSchedulerDriver, aio.Scheduler])
def test_a_framework_that_is_none_is_an_exception(face: Any, framework: Any, words: str) -> None:
    """Here, too."""
    arguments = (MockScheduler(), framework, "h:1") if face is MesosSchedulerDriver else (framework, "h:1")
    with pytest.raises((TypeError, ValueError, ConfigurationError), match=words):
        face(*arguments)


def test_an_executor_program_outside_an_agent_ends_with_one_line(tmp_path: Path) -> None:
    """Both faces name the variable."""
    programs = {
        "classic": "from mesos.native import *; from mesos.interface import *; MesosExecutorDriver(Executor()).run()",
        "asyncio": "from messor import aio; aio.Executor()",
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MESOS_")}
    for face, code in programs.items():
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert "MESOS_SLAVE_PID" in done.stderr.splitlines()[-1]
        if face == "classic":
            assert len(done.stderr.splitlines()) == 1
