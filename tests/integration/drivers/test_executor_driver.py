"""Rows S49-S60: an executor driver against a fake agent over every transport."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.drivers.conftest import SECONDS, Heard, Stage, wait_for
from integration.drivers.executor_plays import (
    TRANSPORTS,
    AgentSide,
    ExecutorPlay,
    HttpAgent,
    LibprocessAgent,
    environment,
    executor_info,
)
from messor.drivers.executor.callbacks import MesosExecutorDriver
from messor.protos import v0
from support import builders

NOT_STARTED, RUNNING, ABORTED, STOPPED = (
    v0.DRIVER_NOT_STARTED,
    v0.DRIVER_RUNNING,
    v0.DRIVER_ABORTED,
    v0.DRIVER_STOPPED,
)


@pytest.fixture(params=TRANSPORTS)
def agent_side(stage: Stage, request: pytest.FixtureRequest) -> Iterator[AgentSide]:
    """An agent that answers nothing by itself."""
    if request.param == "libprocess":
        yield LibprocessAgent(stage)
    else:
        http = HttpAgent(request.param)
        yield http
        http.peer.close()


@pytest.fixture
def plays(agent_side: AgentSide) -> Iterator[Callable[..., ExecutorPlay]]:
    """Make plays that end with the test."""
    made: list[ExecutorPlay] = []

    def make(**variables: str) -> ExecutorPlay:
        made.append(ExecutorPlay(agent_side, **variables))
        return made[-1]

    yield make
    for play in made:
        play.end()


@pytest.fixture
def play(plays: Callable[..., ExecutorPlay]) -> ExecutorPlay:
    """A registered driver."""
    one = plays()
    one.register()
    return one


def running(task_id: str = "t") -> v0.TaskStatus:
    """A status an executor would send."""
    return v0.TaskStatus(task_id=v0.TaskID(value=task_id), state=v0.TASK_RUNNING)


def test_s49_registered_carries_the_schedulers_data(play: ExecutorPlay) -> None:
    """executorInfo.data is the scheduler's."""
    executor, framework, agent = play.heard.wait("registered")
    assert executor.data == executor_info().data
    assert (framework.id.value, agent.id.value) == ("F", "A")
    assert agent.hostname == builders.agent_info().hostname


def test_s50_a_restarted_agent_is_told_of_unacknowledged_tasks_and_updates(plays: Callable[..., ExecutorPlay]) -> None:
    """Then it is ``reregistered``."""
    play = plays(MESOS_CHECKPOINT="1")
    play.register()
    for name in ("old", "new", "silent"):
        play.agent.launch(builders.task(name))
    play.heard.wait("launchTask", 3)
    for name in ("old", "new"):
        play.driver.sendStatusUpdate(running(name))
    old = next(status for status in play.wait_updates(2) if status.task_id.value == "old")
    play.agent.acknowledge(old)
    play.agent.message(b"after the acknowledgement")
    play.heard.wait("frameworkMessage")
    assert play.agent.return_() == (["new", "silent"], ["new"])
    (agent,) = play.heard.wait("reregistered")
    assert agent.id.value == "A"
    assert play.heard.names()[-1] == "reregistered"


@pytest.mark.parametrize("checkpoint", ["0", "1"])
def test_s51_an_executor_never_hears_disconnected(plays: Callable[..., ExecutorPlay], checkpoint: str) -> None:
    """The original declares it and never calls it; without checkpointing the agent's end is ``shutdown``."""
    play = plays(MESOS_CHECKPOINT=checkpoint, MESOS_RECOVERY_TIMEOUT="50ms")
    play.register()
    play.agent.break_off(play.driver)
    if checkpoint == "0" or play.agent.transport == "libprocess":
        play.heard.wait("shutdown")
        assert play.heard.names() == ["registered", "shutdown"]
    else:
        wait_for(lambda: play.agent.introductions() >= 2, "another subscription")
        assert "disconnected" not in play.heard.names()


def test_s52_tasks_arrive_in_order_and_twice_only_once(play: ExecutorPlay) -> None:
    """Whole, with the executor's own data; a task id that is in use is ignored."""
    task = builders.task("t")
    task.data = b"\x00\xff"
    for one in (task, task, builders.task("u")):
        play.agent.launch(one)
    (last,) = play.heard.wait("launchTask", 2)
    assert last.task_id.value == "u"
    assert [arguments[0].task_id.value for name, arguments in play.heard.calls if name == "launchTask"] == ["t", "u"]
    assert play.heard.calls[1][1][0].data == b"\x00\xff"


def test_s52_a_task_is_ignored_while_not_connected(plays: Callable[..., ExecutorPlay]) -> None:
    """The agent launches it again after the registration, or gives it up."""
    play = plays()
    assert play.driver.start() == RUNNING
    wait_for(play.agent.introductions, "the registration")
    play.agent.launch(builders.task("early"))
    play.agent.registered()
    play.heard.wait("registered")
    assert play.heard.names() == ["registered"]


def test_s53_kills_arrive_even_before_the_registration(plays: Callable[..., ExecutorPlay]) -> None:
    """The executor itself must say TASK_KILLED."""
    play = plays()
    assert play.driver.start() == RUNNING
    wait_for(play.agent.introductions, "the registration")
    play.agent.kill("t")
    assert play.heard.wait("killTask")[0].value == "t"
    assert play.agent.updates() == []


def test_s54_messages_arrive_unless_not_connected(plays: Callable[..., ExecutorPlay]) -> None:
    """As bytes, in order with everything else."""
    play = plays()
    assert play.driver.start() == RUNNING
    wait_for(play.agent.introductions, "the registration")
    play.agent.message(b"too early")
    play.agent.registered()
    play.agent.launch(builders.task("t"))
    play.agent.kill("t")
    play.agent.message(b"\xffhi")
    assert play.heard.wait("frameworkMessage") == (b"\xffhi",)
    assert play.heard.names() == ["registered", "launchTask", "killTask", "frameworkMessage"]


def test_s55_shutdown_silences_callbacks_but_does_not_release_join(play: ExecutorPlay) -> None:
    """The executor itself must stop the driver (trap 32); updates still leave."""
    play.heard.during["shutdown"] = lambda driver: driver.sendStatusUpdate(running("last"))
    play.agent.shut_down()
    play.heard.wait("shutdown")
    play.wait_updates()
    play.agent.launch(builders.task("t"))
    assert play.driver.sendStatusUpdate(running()) == RUNNING
    play.wait_updates(2)
    assert play.heard.names() == ["registered", "shutdown"]
    assert play.driver.stop() == STOPPED


SUICIDE = """
import sys, time
from mesos.interface import Executor
from mesos.native import MesosExecutorDriver
class Stubborn(Executor):
    def shutdown(self, driver):
        print("asked", flush=True)
MesosExecutorDriver(Stubborn(), transport=sys.argv[1]).start()
time.sleep(600)
"""


def test_s55_a_stubborn_executor_kills_itself_after_the_grace_period(agent_side: AgentSide) -> None:
    """The whole process group goes with SIGKILL."""
    variables = environment(agent_side, MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD="100ms")
    del variables["MESOS_LOCAL"]
    process = subprocess.Popen(
        [sys.executable, "-c", SUICIDE, agent_side.transport],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        wait_for(agent_side.introductions, "the registration")
        agent_side.registered()
        agent_side.shut_down()
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert output == b"asked\n"
    assert process.returncode == -signal.SIGKILL


def refusal(play: ExecutorPlay) -> None:
    """Have the agent refuse the executor."""
    if isinstance(play.agent, HttpAgent):
        play.agent.peer.refusals = [(400, "Executor cannot be found", {})]


@pytest.mark.parametrize("how", ["refused", "raised"])
def test_s56_an_executor_hears_error_after_its_driver_was_aborted(plays: Callable[..., ExecutorPlay], how: str) -> None:
    """By the agent, which only HTTP ones do, or by an exception of its own."""
    play = plays()
    states: list[int] = []
    play.heard.during["error"] = lambda driver, _: states.append(driver.status())
    if how == "refused":
        if play.agent.transport == "libprocess":
            pytest.skip("agents have no message for it")
        refusal(play)
        assert play.driver.start() == RUNNING
        words = "The agent refused the subscription with 400: Executor cannot be found"
    else:
        play.register()
        play.heard.during["launchTask"] = explode
        play.agent.launch(builders.task("t"))
        words = "The executor's launchTask raised ZeroDivisionError('division by zero')"
    assert play.heard.wait("error") == (words,)
    assert play.driver.join() == ABORTED
    assert states == [ABORTED]
    play.agent.updates()
    assert play.driver.sendStatusUpdate(running()) == ABORTED


def explode(*_: Any) -> None:
    """Do what bugs do."""
    1 / 0  # noqa: B018


VARIABLES = [
    ("MESOS_SLAVE_PID", None),
    ("MESOS_SLAVE_ID", None),
    ("MESOS_FRAMEWORK_ID", None),
    ("MESOS_EXECUTOR_ID", None),
    ("MESOS_DIRECTORY", None),
    ("MESOS_SLAVE_PID", "somewhere"),
    ("MESOS_AGENT_ENDPOINT", "host:many"),
    ("MESOS_RECOVERY_TIMEOUT", "15 parsecs"),
    ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "soon"),
]


@pytest.mark.parametrize(("name", "value"), VARIABLES)
def test_s57_outside_an_agent_start_exits_naming_the_variable(
    agent_side: AgentSide, name: str, value: str | None
) -> None:
    """One readable line, status 1."""
    variables = environment(agent_side)
    if value is None:
        del variables[name]
    else:
        variables[name] = value
    with pytest.raises(SystemExit, match=name) as raised:
        MesosExecutorDriver(Heard(), variables, transport=agent_side.transport).start()
    assert isinstance(raised.value.code, str)
    assert "\n" not in raised.value.code


def test_s57_an_executor_introduces_itself_once(play: ExecutorPlay) -> None:
    """The agent knows it or has given it up."""
    play.driver.sendFrameworkMessage(b"after")
    wait_for(play.agent.messages, "the message")
    assert play.agent.introductions() == 1


def test_s58_join_returns_at_once_unless_running(plays: Callable[..., ExecutorPlay]) -> None:
    """After abort it gives ABORTED without waiting; the rules are the scheduler's otherwise."""
    play = plays()
    driver = play.driver
    assert (driver.join(), driver.abort(), driver.stop()) == (NOT_STARTED,) * 3
    assert driver.sendStatusUpdate(running()) == driver.sendFrameworkMessage(b"") == NOT_STARTED
    play.register()
    assert driver.start() == RUNNING
    assert driver.abort() == ABORTED
    assert driver.join() == ABORTED
    assert driver.stop() == ABORTED
    assert driver.join() == STOPPED
    assert (driver.start(), driver.abort(), driver.stop(), driver.run()) == (STOPPED,) * 4


def test_s59_updates_are_filled_in_and_get_a_fresh_uuid(play: ExecutorPlay) -> None:
    """A uuid of the caller's is overwritten; two updates have two."""
    status = running()
    status.uuid = b"mine"
    for _ in range(2):
        play.driver.sendStatusUpdate(status)
    one, other = play.wait_updates(2)
    assert (one.executor_id.value, one.slave_id.value, one.task_id.value) == ("E", "A", "t")
    assert len(one.uuid) == len(other.uuid) == 16
    assert one.uuid != other.uuid
    assert one.source == v0.TaskStatus.SOURCE_EXECUTOR
    assert one.timestamp > 0
    assert status.uuid == b"mine"


def test_s59_what_lacks_a_state_is_an_error_of_the_caller(play: ExecutorPlay) -> None:
    """Named, and not on a background thread."""
    with pytest.raises(ValueError, match=r"mesos\.TaskStatus lacks state"):
        play.driver.sendStatusUpdate(v0.TaskStatus(task_id=v0.TaskID(value="t")))
    with pytest.raises(TypeError, match=r"expecting a mesos\.TaskStatus, not dict"):
        play.driver.sendStatusUpdate({"state": "TASK_RUNNING"})


@pytest.mark.parametrize(("data", "sent"), [(b"\x00\xff", b"\x00\xff"), ("grüß", "grüß".encode())])
def test_s60_messages_go_through_the_agent(play: ExecutorPlay, data: Any, sent: bytes) -> None:
    """Text is sent as UTF-8."""
    play.driver.sendFrameworkMessage(data)
    assert wait_for(play.agent.messages, "the message") == [sent]


def test_y2_with_checkpointing_an_executor_waits_for_the_recovery_timeout(plays: Callable[..., ExecutorPlay]) -> None:
    """Then it shuts down."""
    play = plays(MESOS_CHECKPOINT="1", MESOS_RECOVERY_TIMEOUT="200ms")
    play.register()
    if isinstance(play.agent, HttpAgent):
        play.agent.peer.refusals = [(503, "Agent has not finished recovery", {})] * 10_000
        play.agent.peer.stream().end()
    else:
        play.agent.break_off(play.driver)
    play.heard.wait("shutdown")
    assert play.heard.names() == ["registered", "shutdown"]
