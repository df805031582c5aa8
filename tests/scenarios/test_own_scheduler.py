"""A framework author's own scheduler in a simulated cluster: what docs/guide/frameworks.md shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from messor import aio
from messor.protos import v0
from messor.simulation import Cluster, SimulatedDriver, SimulatedScheduler, SimulationFailed

TRANSPORTS = pytest.mark.parametrize("transport", ["libprocess", "http", "http+json"])

PATIENT = {
    "allocation_interval": 600.0,
    "agent_ping_timeout": 3600.0,
    "heartbeat_interval": 3600.0,
    "max_completed_tasks_per_framework": 10,
}
"""Master flags, in seconds, under which a quiet cluster costs little to simulate."""


def framework(**fields: Any) -> v0.FrameworkInfo:
    """A framework whose tasks outlive it."""
    return v0.FrameworkInfo(user="root", name="own", failover_timeout=1e6, checkpoint=True, **fields)


def task(offer: v0.Offer, task_id: str, script: str) -> v0.TaskInfo:
    """A small command task."""
    info = v0.TaskInfo(name=task_id, task_id=v0.TaskID(value=task_id), slave_id=offer.slave_id)
    info.command.value = script
    for name, amount in (("cpus", 0.5), ("mem", 32.0)):
        info.resources.add(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=amount))
    return info


class Cron:
    """A scheduler as anybody might write it: a job at a time, the next one a period after the last."""

    def __init__(self, jobs: int, *, launches: bool = True, period: float = 3600) -> None:
        self.left = jobs
        self.period = period
        self.launches = launches
        self.started = 0
        self.states: list[int] = []
        self.framework_ids: list[str] = []
        self.errors: list[str] = []

    def registered(self, driver: SimulatedDriver, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        """Remember who we are."""
        self.framework_ids.append(framework_id.value)

    def resourceOffers(self, driver: SimulatedDriver, offers: list[v0.Offer]) -> None:  # noqa: N802  (mesos.interface's)
        """Use the first offer and be quiet until the next period."""
        if not self.launches:
            return
        self.started += 1
        driver.launchTasks(offers[0].id, [task(offers[0], f"job-{self.started}", "sleep 60")])
        for offer in offers[1:]:
            driver.declineOffer(offer.id)
        driver.suppressOffers()

    def statusUpdate(self, driver: SimulatedDriver, status: v0.TaskStatus) -> None:  # noqa: N802
        """Wait for the job's end."""
        self.states.append(status.state)
        if status.state == v0.TASK_FINISHED:
            self.left -= 1
            if self.left:
                driver.after(self.period - 60, driver.reviveOffers)
            else:
                driver.stop()

    def error(self, driver: SimulatedDriver, message: str) -> None:
        """Keep it."""
        self.errors.append(message)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None


@TRANSPORTS
def test_a_classic_scheduler_runs_unchanged(transport: str) -> None:
    """Launches, updates, acknowledgements and TEARDOWN over each transport."""
    cluster = Cluster(seed=3, agents=2)
    scheduler = Cron(jobs=2)
    driver = SimulatedDriver(scheduler, framework(), cluster, transport=transport)
    assert driver.run() == v0.DRIVER_STOPPED
    assert scheduler.states == [v0.TASK_STARTING, v0.TASK_RUNNING, v0.TASK_FINISHED] * 2
    assert 3600 < cluster.time < 4000
    cluster.advance(10)
    assert cluster.master.state.frameworks == {}
    assert not any(agent.has_pending_updates for agent in cluster.agents)
    cluster.close()


def test_a_thousand_hours_pass_in_seconds() -> None:
    """Forty-one days of a job every four hours."""
    cluster = Cluster(seed=1, agents=1, master_flags=PATIENT, keep_trace=False)
    scheduler = Cron(jobs=251, period=4 * 3600)
    driver = SimulatedDriver(scheduler, framework(), cluster, transport="http")
    driver.start()
    assert driver.join(within=1100 * 3600) == v0.DRIVER_STOPPED
    assert cluster.time > 1000 * 3600
    assert scheduler.states.count(v0.TASK_FINISHED) == 251
    cluster.close()


def test_a_successor_takes_over_from_a_scheduler_that_crashed() -> None:
    """The update that the first one had not acknowledged comes again; the task ends under the new one."""
    cluster = Cluster(seed=5, agents=1)
    first = Cron(jobs=1)
    driver = SimulatedDriver(first, framework(), cluster)
    driver.start()
    cluster.run_until(lambda: v0.TASK_RUNNING in first.states)
    driver.crash()
    cluster.advance(300)
    second = Cron(jobs=1, launches=False)
    successor = SimulatedDriver(second, framework(id=v0.FrameworkID(value=first.framework_ids[0])), cluster)
    assert successor.run() == v0.DRIVER_STOPPED
    assert second.states == [v0.TASK_RUNNING, v0.TASK_FINISHED]
    assert v0.TASK_FINISHED not in first.states
    cluster.close()


def test_an_exception_in_a_callback_is_told_and_leaves_the_tasks_alone(caplog: pytest.LogCaptureFixture) -> None:
    """``error`` says what was raised, the driver is aborted, the framework is not torn down."""

    class Faulty(Cron):
        def statusUpdate(self, driver: SimulatedDriver, status: v0.TaskStatus) -> None:  # noqa: N802
            raise ZeroDivisionError("a bug")

    cluster = Cluster(seed=5, agents=1)
    scheduler = Faulty(jobs=1)
    driver = SimulatedDriver(scheduler, framework(), cluster)
    assert driver.run() == v0.DRIVER_ABORTED
    assert scheduler.errors == ["The scheduler's statusUpdate raised ZeroDivisionError('a bug')"]
    assert "ZeroDivisionError: a bug" in caplog.text
    cluster.advance(1)
    (record,) = cluster.master.state.frameworks.values()
    assert len(record.tasks) == 1
    driver.stop(True)
    cluster.close()


def test_joining_a_driver_that_never_ends_fails_instead_of_hanging() -> None:
    """With the seed, as everything in a simulation."""
    cluster = Cluster(seed=5, agents=1)
    driver = SimulatedDriver(Cron(jobs=3), framework(), cluster)
    driver.start()
    with pytest.raises(SimulationFailed, match="seed 5"):
        driver.join(within=60)
    cluster.close()


@TRANSPORTS
def test_an_asyncio_scheduler_runs_unchanged(transport: str) -> None:
    """Its sleeps are virtual; calls made while the master is down are dropped and say so."""
    cluster = Cluster(seed=4, agents=1)
    scheduler = SimulatedScheduler(framework(), cluster, transport=transport)

    async def main() -> tuple[list[str], list[aio.What]]:
        states, outcomes = [], []
        async with scheduler:
            async for event in scheduler:
                match event:
                    case aio.Offers(offers=offers) if not states:
                        outcomes.append((await scheduler.launch(offers, [task(offers[0], "t", "sleep 60")])).what)
                        scheduler.suppress()
                    case aio.Update():
                        states.append(event.state)
                        if states.count("TASK_RUNNING") == 1 and event.state == "TASK_RUNNING":
                            await asyncio.sleep(5)
                            cluster.master.kill()
                        if event.is_terminal:
                            break
                    case aio.Disconnected():
                        outcomes.append((await scheduler.kill("t")).what)
                        cluster.master.start()
                    case aio.Reregistered():
                        scheduler.reconcile([("t", "")])
        return states, outcomes

    states, outcomes = cluster.run(main())
    assert states[:2] == ["TASK_STARTING", "TASK_RUNNING"]
    assert states[-1] == "TASK_FINISHED"
    first = aio.What.SENT if transport == "libprocess" else aio.What.ACCEPTED
    assert outcomes == [first, aio.What.DROPPED]
    cluster.advance(30)
    assert cluster.master.state.frameworks == {}
    cluster.close()


def test_an_asyncio_scheduler_hears_of_operations() -> None:
    """An operation with an id is reported on, and the report is acknowledged."""
    cluster = Cluster(seed=4, agents=1)
    info = framework(roles=["r"])
    info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
    info.capabilities.add(type=v0.FrameworkInfo.Capability.RESERVATION_REFINEMENT)
    scheduler = SimulatedScheduler(info, cluster)

    async def main() -> tuple[str, str]:
        async with scheduler:
            async for event in scheduler:
                match event:
                    case aio.Offers(offers=offers):
                        await scheduler.accept(offers, [reserve()])
                    case aio.OperationUpdate():
                        return event.operation_id, event.state
        raise AssertionError

    def reserve() -> v0.Offer.Operation:
        operation = v0.Offer.Operation(type=v0.Offer.Operation.RESERVE, id=v0.OperationID(value="op"))
        resource = operation.reserve.resources.add(name="cpus", type=v0.Value.SCALAR)
        resource.scalar.value = 1
        resource.allocation_info.role = "r"
        resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="r")
        return operation

    assert cluster.run(main()) == ("op", "OPERATION_FINISHED")
    cluster.close()
