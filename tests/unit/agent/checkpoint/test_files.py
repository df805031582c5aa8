"""What is written is what is read back, and what a stock agent would read."""

from __future__ import annotations

import pytest

from messor.agent.checkpoint.paths import Paths, virtual_sandbox
from messor.agent.checkpoint.read import CheckpointReader, Found
from messor.agent.checkpoint.records import record, records
from messor.agent.checkpoint.write import Checkpoints
from messor.agent.state.executor import Executor
from messor.agent.state.framework import Framework
from messor.agent.state.tables import Tables
from messor.agent.state.task import task_from_info
from messor.errors import ConfigurationError
from messor.protos import v0
from messor.simulation.world import World
from messor.wire.upid import Upid
from support import builders

PATHS = Paths("/w")


class Desk:
    """A disk with a checkpointed agent, framework, executor and task."""

    def __init__(self) -> None:
        """Write them."""
        self.disk = World(1).start("agent", "10.0.0.1", 5051).disk
        self.tables = Tables(builders.agent_info(agent_id="S0"), b"v" * 16)
        self.checkpoints = Checkpoints(self.disk, PATHS, self.tables)
        self.framework = Framework(
            builders.framework_info(framework_id="F", checkpoint=True), Upid("scheduler(1)", "10.0.0.9", 1234), 150
        )
        self.executor = Executor(
            builders.executor_info("e", text="cpus:0.1;mem:32"),
            framework_id="F",
            container_id="C",
            directory="/w/sandbox",
            checkpoint=True,
            is_command=False,
        )
        self.checkpoints.boot_id("boot")
        self.checkpoints.agent(self.tables.info)
        self.checkpoints.framework(self.framework)
        self.checkpoints.executor(self.executor)
        self.checkpoints.task(self.executor, task_from_info(builders.task("t"), "F", "e"))

    def read(self, *, strict: bool = True) -> Found:
        """Read all of it."""
        return CheckpointReader(self.disk, PATHS, strict=strict).read()


@pytest.fixture
def desk() -> Desk:
    """A checkpointed agent."""
    return Desk()


def test_records_are_cut_where_they_were_framed() -> None:
    """A tail that is not whole is left out."""
    data = record(b"one") + record(b"") + record(b"three")
    assert records(data) == ([b"one", b"", b"three"], len(data))
    assert records(data[:-1]) == ([b"one", b""], len(data) - 9)


def test_everything_comes_back(desk: Desk) -> None:
    """With the ids, pids and flags it was written with."""
    desk.executor.pid = Upid("executor(1)", "10.0.0.1", 4000)
    desk.checkpoints.executor_pid(desk.executor)
    found = desk.read()
    assert (found.boot_id, found.agent.id.value, found.errors) == ("boot", "S0", 0)
    (framework,) = found.frameworks
    assert (framework.info.id.value, str(framework.pid)) == ("F", "scheduler(1)@10.0.0.9:1234")
    (executor,) = framework.executors
    assert (executor.container_id, executor.is_command, executor.is_completed) == ("C", False, False)
    assert (str(executor.pid), executor.is_http) == ("executor(1)@10.0.0.1:4000", False)
    (task,) = executor.tasks
    assert (task.info.task_id.value, task.info.state) == ("t", v0.TASK_STAGING)


def test_an_http_executor_has_a_marker_instead_of_a_pid(desk: Desk) -> None:
    """It subscribes by itself; nobody has to be asked."""
    desk.checkpoints.executor_pid(desk.executor)
    (executor,) = desk.read().frameworks[0].executors
    assert (executor.pid, executor.is_http) == (None, True)


def test_resources_are_stored_in_the_old_form(desk: Desk) -> None:
    """Old tools look for the role (recorded)."""
    encoded, _ = records(desk.disk.read(PATHS.agent_info("S0")))
    assert v0.SlaveInfo.FromString(encoded[0]).resources[0].role == "*"
    assert not desk.read().agent.resources[0].HasField("role")


def test_an_http_framework_has_the_pid_of_nobody(desk: Desk) -> None:
    """As recorded."""
    desk.framework.pid = None
    desk.checkpoints.framework(desk.framework)
    assert desk.disk.read(PATHS.framework_pid("S0", "F")) == b"@0.0.0.0:0"
    assert desk.read().frameworks[0].pid is None


def test_a_finished_run_is_read_without_its_tasks(desk: Desk) -> None:
    """Nothing of it is to be recovered."""
    desk.checkpoints.sentinel(desk.executor)
    (executor,) = desk.read().frameworks[0].executors
    assert executor.is_completed
    assert executor.tasks == []


def test_a_forgotten_agent_starts_anew(desk: Desk) -> None:
    """Its folders stay, its id does not."""
    desk.checkpoints.forget_agent()
    assert desk.read().agent is None


def test_a_spoiled_file_ends_a_strict_recovery(desk: Desk) -> None:
    """Better to ask than to lose tasks."""
    desk.disk.write(PATHS.executor_info("S0", "F", "e"), b"\x05\x00\x00\x00xxxxx")
    with pytest.raises(ConfigurationError, match=r"executor\.info"):
        desk.read()


def test_a_spoiled_file_is_skipped_and_counted_otherwise(desk: Desk) -> None:
    """The rest is recovered."""
    desk.disk.write(PATHS.executor_info("S0", "F", "e"), b"\x05\x00\x00\x00xxxxx")
    found = desk.read(strict=False)
    assert found.errors == 1
    assert found.frameworks[0].executors == []


def test_resources_survive(desk: Desk) -> None:
    """Dynamic reservations hold somebody's data."""
    resource = builders.resources("cpus:1")[0]
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="r")
    desk.checkpoints.resources([resource])
    assert desk.read().resources == [resource]


def test_the_tree_is_laid_out_as_recorded() -> None:
    """Tools, web pages and stock agents look in these places."""
    ids = ("S0", "F", "E")
    assert PATHS.sandbox(*ids, "C") == "/w/slaves/S0/frameworks/F/executors/E/runs/C"
    assert PATHS.latest_run(*ids) == "/w/meta/slaves/S0/frameworks/F/executors/E/runs/latest"
    run = PATHS.run(*ids, "C")
    assert run.task_updates("T") == "/w/meta/slaves/S0/frameworks/F/executors/E/runs/C/tasks/T/task.updates"
    assert run.libprocess_pid.endswith("/runs/C/pids/libprocess.pid")
    assert virtual_sandbox("F", "E") == "/frameworks/F/executors/E/runs/latest"
