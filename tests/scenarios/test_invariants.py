"""The watchers see what they are there for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.ledger import Ledger
from messor.simulation.world import SimulationFailed
from support import builders
from support.clusters import running


@pytest.fixture
def broken() -> Iterator[Cluster]:
    """Give a cluster that a test may break; nothing is checked at its end."""
    cluster = Cluster()
    yield cluster
    cluster.invariants.clear()
    cluster.close()


def test_resources_that_the_allocator_lost_are_noticed(broken: Cluster) -> None:
    """Its books and the master's must agree after every event."""
    framework = broken.framework()
    running(broken, framework)
    booked = broken.master.actor.allocator.books.agents[broken.agents[0].id]
    booked.ledger = booked.holder = None
    with pytest.raises(SimulationFailed, match=r"was given .* but has cpus"):
        broken.advance(20)


def test_a_task_that_only_its_agent_knows_of_is_noticed(broken: Cluster) -> None:
    """The indexes of the master agree."""
    framework = broken.framework()
    task = running(broken, framework)
    del broken.master.state.frameworks[framework.framework_id].tasks[task]
    with pytest.raises(SimulationFailed, match=rf"task {task} on agent .* is not one of framework"):
        broken.check()


def test_a_task_that_its_executor_does_not_own_is_noticed(broken: Cluster) -> None:
    """The tables of the agent agree."""
    framework = broken.framework()
    running(broken, framework)
    next(iter(broken.agents[0].actor.tables.frameworks.values())).owners.clear()
    with pytest.raises(SimulationFailed, match=r"agent-1: .* does not point back"):
        broken.check()


def test_a_second_writer_of_the_registry_is_noticed(broken: Cluster) -> None:
    """Two masters that take turns both believe to lead."""
    hosts = [broken.start(name, f"10.0.0.{number}") for number, name in enumerate(("first", "second"), 8)]

    async def write() -> None:
        for host in (*hosts, hosts[0]):
            opened = broken.registry.opened_by(host)
            await opened.store(await opened.fetch("registry"), b"mine")

    broken.run(write())
    with pytest.raises(SimulationFailed, match="first writes the registry after second did"):
        broken.check()


def update(task: str, uuid: bytes, state: int = v0.TASK_RUNNING) -> v0.TaskStatus:
    """Make a status as a scheduler hears it."""
    return builders.status(task, state, uuid=uuid)


def test_a_lost_update_is_noticed() -> None:
    """The second one was heard without the first."""
    ledger = Ledger()
    ledger.made("F", "t", b"1")
    ledger.made("F", "t", b"2")
    ledger.heard_by_scheduler("F", update("t", b"2"))
    assert ledger.faults == ["task t: updates were lost or reordered on their way to the scheduler"]
    assert ledger.unheard() == [("F", "t")]


def test_a_task_that_runs_after_its_end_is_noticed() -> None:
    """Its scheduler has given its resources to something else."""
    ledger = Ledger()
    ledger.heard_by_scheduler("F", update("t", b"1", v0.TASK_FINISHED))
    ledger.heard_by_scheduler("F", update("t", b"", v0.TASK_RUNNING))
    assert ledger.faults == ["task t is TASK_RUNNING after TASK_FINISHED"]
