"""MesosExecutorDriver over libprocess against a fake agent, one test per row of the contract (S49-S63)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from integration.drivers.conftest import Heard, Stage, wait_for
from messor.drivers.executor.callbacks import MesosExecutorDriver
from messor.protos import internal, v0
from messor.wire.upid import Upid
from support import builders
from support.fakes import Recorder

NOT_STARTED, RUNNING, ABORTED, STOPPED = (
    v0.DRIVER_NOT_STARTED,
    v0.DRIVER_RUNNING,
    v0.DRIVER_ABORTED,
    v0.DRIVER_STOPPED,
)


def environment(agent: Recorder, **more: str) -> dict[str, str]:
    """What an agent gives its executors."""
    return {
        "MESOS_SLAVE_PID": str(agent.upid),
        "MESOS_SLAVE_ID": "A",
        "MESOS_FRAMEWORK_ID": "F",
        "MESOS_EXECUTOR_ID": "E",
        "MESOS_DIRECTORY": "/tmp",
        "MESOS_AGENT_ENDPOINT": f"{agent.upid.ip}:{agent.upid.port}",
        "MESOS_CHECKPOINT": "0",
        "MESOS_LOCAL": "1",
        **more,
    }


class Play:
    """A driver, its executor and the agent it talks to."""

    def __init__(self, stage: Stage, agent: Recorder, **variables: str) -> None:
        self.stage = stage
        self.agent = agent
        self.heard = Heard()
        self.driver = MesosExecutorDriver(self.heard, environment(agent, **variables))

    @property
    def pid(self) -> Upid:
        """The driver's address."""
        return self.agent.last_sender(internal.RegisterExecutorMessage)

    def send(self, message: Any) -> None:
        """Have the agent send something to the driver."""
        self.stage.do(lambda: self.agent.send(self.pid, message))

    def wait(self, kind: Any, count: int = 1) -> Any:
        """Wait for a message at the agent and give the latest."""
        wait_for(lambda: len(self.agent.received(kind)) >= count, f"{kind.DESCRIPTOR.name}, got {self.agent.names()}")
        return self.agent.last(kind)

    def register(self) -> None:
        """Start and register."""
        assert self.driver.start() == RUNNING
        self.wait(internal.RegisterExecutorMessage)
        message = internal.ExecutorRegisteredMessage(
            executor_info=v0.ExecutorInfo(executor_id=v0.ExecutorID(value="E"), data=b"from the scheduler"),
            framework_id=v0.FrameworkID(value="F"),
            framework_info=builders.framework_info(framework_id="F"),
            slave_id=v0.SlaveID(value="A"),
            slave_info=builders.agent_info(agent_id="A"),
        )
        self.send(message)
        self.heard.wait("registered")

    def launch(self, task_id: str = "t") -> None:
        """Have the agent launch a task."""
        task = builders.task(task_id)
        message = internal.RunTaskMessage(framework=builders.framework_info(framework_id="F"), task=task, pid="")
        message.framework_id.value = "F"
        self.send(message)

    def acknowledge(self, update: internal.StatusUpdate) -> None:
        """Have the agent acknowledge an update."""
        message = internal.StatusUpdateAcknowledgementMessage(uuid=update.uuid, task_id=update.status.task_id)
        message.slave_id.value, message.framework_id.value = "A", "F"
        self.send(message)


@pytest.fixture
def play(stage: Stage, agent: Recorder) -> Iterator[Play]:
    """A driver that is not started."""
    one = Play(stage, agent)
    yield one
    one.driver.stop()
    if one.driver._thread is not None:
        one.driver._thread.join(60)


@pytest.fixture
def registered(play: Play) -> Play:
    """A registered driver."""
    play.register()
    return play


def running(task_id: str = "t") -> v0.TaskStatus:
    """A status an executor would send."""
    return v0.TaskStatus(task_id=v0.TaskID(value=task_id), state=v0.TASK_RUNNING)


def test_s49_registered_carries_the_schedulers_data(registered: Play) -> None:
    """executorInfo.data is the scheduler's."""
    executor, framework, agent = registered.heard.wait("registered")
    assert executor.data == b"from the scheduler"
    assert framework.id.value == "F"
    assert agent.id.value == "A"


def test_s50_a_restarted_agent_is_told_of_unacknowledged_tasks_and_updates(stage: Stage, agent: Recorder) -> None:
    """Reconnect, Reregister, then ``reregistered``."""
    play = Play(stage, agent, MESOS_CHECKPOINT="1")
    play.register()
    for name in ("old", "new"):
        play.launch(name)
        play.driver.sendStatusUpdate(running(name))
    play.wait(internal.StatusUpdateMessage, 2)
    old = next(m.update for m in agent.received(internal.StatusUpdateMessage) if m.update.status.task_id.value == "old")
    play.acknowledge(old)
    play.send(internal.ReconnectExecutorMessage(slave_id=v0.SlaveID(value="A")))
    message = play.wait(internal.ReregisterExecutorMessage)
    assert [task.task_id.value for task in message.tasks] == ["new"]
    assert [update.status.task_id.value for update in message.updates] == ["new"]
    answer = internal.ExecutorReregisteredMessage(slave_info=builders.agent_info(agent_id="A"))
    answer.slave_id.value = "A"
    play.send(answer)
    play.heard.wait("reregistered")
    play.driver.stop()


def test_s52_s53_s54_tasks_kills_and_messages_arrive_in_order(registered: Play) -> None:
    """One callback at a time."""
    registered.launch()
    kill = internal.KillTaskMessage()
    kill.framework_id.value, kill.task_id.value = "F", "t"
    registered.send(kill)
    message = internal.FrameworkToExecutorMessage(data=b"\xffhi")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "A", "F", "E"
    registered.send(message)
    assert registered.heard.wait("frameworkMessage") == (b"\xffhi",)
    assert registered.heard.names() == ["registered", "launchTask", "killTask", "frameworkMessage"]


def test_s55_shutdown_silences_callbacks_but_does_not_release_join(registered: Play) -> None:
    """The executor itself must stop the driver (trap 32); updates still leave."""
    registered.heard.during["shutdown"] = lambda driver: driver.sendStatusUpdate(running("last"))
    registered.send(internal.ShutdownExecutorMessage())
    registered.heard.wait("shutdown")
    registered.wait(internal.StatusUpdateMessage)
    registered.launch()
    assert registered.driver.sendStatusUpdate(running()) == RUNNING
    registered.wait(internal.StatusUpdateMessage, 2)
    assert registered.heard.names() == ["registered", "shutdown"]
    assert registered.driver.stop() == STOPPED


SUICIDE = """
import sys, time
from mesos.interface import Executor
from mesos.native import MesosExecutorDriver
class Stubborn(Executor):
    def shutdown(self, driver):
        print("asked", flush=True)
MesosExecutorDriver(Stubborn()).start()
time.sleep(600)
"""


def test_s55_a_stubborn_executor_kills_itself_after_the_grace_period(stage: Stage, agent: Recorder) -> None:
    """The whole process group goes with SIGKILL."""
    variables = environment(agent, MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD="100ms")
    del variables["MESOS_LOCAL"]
    process = subprocess.Popen(
        [sys.executable, "-c", SUICIDE], env={**os.environ, **variables}, stdout=subprocess.PIPE, start_new_session=True
    )
    wait_for(lambda: agent.received(internal.RegisterExecutorMessage), "registration")
    pid = agent.last_sender(internal.RegisterExecutorMessage)
    stage.do(lambda: agent.send(pid, internal.ShutdownExecutorMessage()))
    output, _ = process.communicate(timeout=60)
    assert output == b"asked\n"
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("missing", ["MESOS_SLAVE_PID", "MESOS_SLAVE_ID", "MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID"])
def test_s57_outside_an_agent_start_exits_naming_the_variable(agent: Recorder, missing: str) -> None:
    """One readable line, status 1."""
    variables = environment(agent)
    del variables[missing]
    with pytest.raises(SystemExit, match=missing):
        MesosExecutorDriver(Heard(), variables).start()


def test_s58_join_returns_at_once_unless_running(registered: Play) -> None:
    """After abort it gives ABORTED without waiting."""
    assert registered.driver.abort() == ABORTED
    assert registered.driver.join() == ABORTED
    assert registered.driver.stop() == ABORTED
    assert registered.driver.join() == STOPPED


def test_s59_updates_are_filled_in_and_get_a_fresh_uuid(registered: Play) -> None:
    """A uuid of the caller's is overwritten."""
    status = running()
    status.uuid = b"mine"
    registered.driver.sendStatusUpdate(status)
    message = registered.wait(internal.StatusUpdateMessage)
    update = message.update
    assert (update.framework_id.value, update.executor_id.value, update.slave_id.value) == ("F", "E", "A")
    assert len(update.uuid) == 16
    assert update.status.uuid == update.uuid
    assert update.status.source == v0.TaskStatus.SOURCE_EXECUTOR
    assert update.timestamp == update.status.timestamp > 0
    assert message.pid == str(registered.pid)


def test_s60_messages_go_through_the_agent(registered: Play) -> None:
    """Text is sent as UTF-8."""
    registered.driver.sendFrameworkMessage("grüß")
    assert registered.wait(internal.ExecutorToFrameworkMessage).data == "grüß".encode()


def test_y2_without_checkpointing_the_agents_death_is_a_shutdown(registered: Play) -> None:
    """There is nobody to wait for."""
    session = registered.driver._session
    registered.driver._thread.post(session.exited, registered.agent.upid)  # type: ignore[union-attr]
    registered.heard.wait("shutdown")


def test_y2_with_checkpointing_an_executor_waits_for_the_recovery_timeout(stage: Stage, agent: Recorder) -> None:
    """Then it shuts down."""
    play = Play(stage, agent, MESOS_CHECKPOINT="1", MESOS_RECOVERY_TIMEOUT="50ms")
    play.register()
    play.driver._thread.post(play.driver._session.exited, agent.upid)  # type: ignore[union-attr]
    play.heard.wait("shutdown")
    play.driver.stop()
