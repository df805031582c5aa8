"""Simulated containers: scripts, executors, and what outlives an agent."""

from __future__ import annotations

from typing import Any

import pytest

from messor.containers.containerizer import KnownContainer, LaunchSpec, Termination
from messor.errors import ContainerError, NotFound
from messor.protos import internal, v0
from messor.simulation.containers import ContainerRuntime, SimulatedContainerizer
from messor.simulation.ledger import Ledger
from messor.simulation.scripts import FOREVER, Script, parse_script
from messor.simulation.world import World
from messor.wire.upid import Upid
from support import builders
from support.fakes import Recorder

AGENT = Upid("slave(1)", "10.0.0.2", 5051)


class Rig:
    """A machine with a container runtime and a process that plays the agent."""

    def __init__(self) -> None:
        """Start the process."""
        self.world = World(3)
        self.ledger = Ledger()
        self.runtime = ContainerRuntime(self.world, "10.0.0.2", self.ledger)
        self.agent = Recorder("slave(1)")
        self.restart()

    def restart(self) -> None:
        """Start the agent's process anew."""
        if "agent" in self.world.hosts:
            self.host.kill()
        self.host = self.world.start("agent", AGENT.ip, AGENT.port)
        self.agent = Recorder("slave(1)")
        self.host.spawn(self.agent)
        self.containerizer = SimulatedContainerizer(self.host, self.runtime)

    def spec(self, value: str, **more: Any) -> LaunchSpec:
        """Describe a container."""
        environment = {
            "MESOS_FRAMEWORK_ID": "F",
            "MESOS_EXECUTOR_ID": "E",
            "MESOS_SLAVE_PID": str(AGENT),
            "MESOS_SLAVE_ID": "S0",
            "MESOS_CHECKPOINT": "1",
        }
        return LaunchSpec(command=builders.command(value), sandbox="/sandbox", environment=environment, **more)

    def launch(self, value: str, container_id: str = "c1", **more: Any) -> int:
        """Launch and wait for the pid."""
        return int(self.world.run(self.containerizer.launch(container_id, self.spec(value, **more))))

    def waiting(self, container_id: str = "c1") -> list[Termination | None]:
        """Wait in the background."""
        ends: list[Termination | None] = []

        async def wait() -> None:
            ends.append(await self.containerizer.wait(container_id))

        self.host.tasks.spawn(wait(), "wait")
        self.world.settle()
        return ends


@pytest.fixture
def rig() -> Rig:
    """Give a machine."""
    return Rig()


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("", Script(0.0, 0, False)),
        ("sleep 5; exit 1", Script(5.0, 1, False)),
        ("echo hello && sleep 0.5 && sleep 1", Script(1.5, 0, False)),
        ("trap '' TERM; sleep infinity", Script(FOREVER, 0, True)),
        ("false", Script(0.0, 1, False)),
        ("exit 3; sleep 9", Script(0.0, 3, False)),
    ],
)
def test_scripts_read_like_shell(text: str, script: Script) -> None:
    """Only what takes time or ends the program counts."""
    assert parse_script(text) == script


def test_a_program_ends_with_its_exit_code_in_virtual_time(rig: Rig) -> None:
    """The status is what wait(2) gives: 256 for exit 1."""
    rig.launch("sleep 60; exit 1")
    ends = rig.waiting()
    rig.world.advance(59)
    assert ends == []
    rig.world.advance(2)
    assert ends == [Termination(256)]
    assert rig.waiting() == [Termination(256)]


def test_destroying_a_container_keeps_the_given_reason(rig: Rig) -> None:
    """What the agent decided wins over what was seen."""
    rig.launch("sleep 1000")
    ends = rig.waiting()
    rig.world.run(rig.containerizer.destroy("c1", Termination(None, "REASON_CONTAINER_PREEMPTED", "make room")))
    rig.world.settle()
    assert ends == [Termination(9, "REASON_CONTAINER_PREEMPTED", "make room")]
    assert rig.containerizer.containers() == []


def test_a_destroy_that_overtakes_the_launch_fails_it(rig: Rig) -> None:
    """The agent must not be left with a container nobody wants."""
    errors: list[str] = []

    async def launch() -> None:
        try:
            await rig.containerizer.launch("c1", rig.spec("sleep 1"))
        except ContainerError as error:
            errors.append(str(error))

    rig.host.tasks.spawn(launch(), "launch")
    rig.world.settle()
    rig.world.run(rig.containerizer.destroy("c1"))
    rig.world.advance(1)
    assert errors == ["Failed to launch container: it was destroyed meanwhile"]


def test_containers_outlive_their_agent(rig: Rig) -> None:
    """A restarted agent takes them over; those it does not know are destroyed."""
    rig.launch("sleep 1000", "kept")
    rig.launch("sleep 1000", "orphan")
    rig.restart()
    rig.world.run(rig.containerizer.recover([KnownContainer("kept", 1001, "/sandbox")]))
    assert rig.containerizer.containers() == ["kept"]
    rig.world.run(rig.containerizer.usage("kept"))
    with pytest.raises(NotFound):
        rig.world.run(rig.containerizer.status("orphan"))


def test_a_v0_executor_registers_runs_and_reports(rig: Rig) -> None:
    """It speaks as an executor driver does."""
    rig.launch("v0-executor")
    rig.world.settle()
    assert rig.agent.names() == ["RegisterExecutorMessage"]
    executor = rig.agent.envelopes[0].sender
    registered = internal.ExecutorRegisteredMessage(
        executor_info=builders.executor_info("E"),
        framework_info=builders.framework_info(),
        slave_info=builders.agent_info(),
    )
    registered.framework_id.value = "F"
    registered.slave_id.value = "S0"
    rig.agent.send(executor, registered)
    run = internal.RunTaskMessage(framework=builders.framework_info(), task=builders.task("t1", value="sleep 5"))
    rig.agent.send(executor, run)
    rig.world.advance(10)
    updates = [message.update for message in rig.agent.received(internal.StatusUpdateMessage)]
    assert [update.status.state for update in updates] == [v0.TASK_RUNNING, v0.TASK_FINISHED]
    assert rig.ledger.sent["F", "t1"] == [update.uuid for update in updates]


def test_an_executor_waits_for_its_agent_to_come_back(rig: Rig) -> None:
    """Asked to reconnect, it tells what it has not had acknowledged."""
    test_a_v0_executor_registers_runs_and_reports(rig)
    executor = rig.agent.last_sender(internal.StatusUpdateMessage)
    rig.restart()
    message = internal.ReconnectExecutorMessage()
    message.slave_id.value = "S0"
    rig.agent.send(executor, message)
    rig.world.settle()
    back = rig.agent.last(internal.ReregisterExecutorMessage)
    assert [update.status.state for update in back.updates] == [v0.TASK_RUNNING, v0.TASK_FINISHED]
    assert [task.task_id.value for task in back.tasks] == ["t1"]


def test_an_executor_gives_up_after_its_recovery_timeout(rig: Rig) -> None:
    """Fifteen minutes without an agent end it."""
    test_a_v0_executor_registers_runs_and_reports(rig)
    rig.restart()
    rig.world.advance(14 * 60)
    assert rig.containerizer.containers() == ["c1"]
    rig.world.advance(2 * 60)
    assert rig.containerizer.containers() == []
