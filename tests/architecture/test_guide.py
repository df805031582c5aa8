"""The guide's table of other bindings' names: every name exists, and no name of theirs is missing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pymesos
import pytest

import mesos.interface
import mesos.native
from messor import aio, operator
from messor.drivers.scheduler import brackets, config
from messor.testing import mocks

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "frameworks.md").read_text()
TABLE = GUIDE.partition("## Coming from another driver")[2]
COLUMNS = ("asyncio", "native", "pymesos", "go", "haskell")


def rows() -> list[dict[str, list[str]]]:
    """Per row of the tables and column the names in it; *the same* is the names of mesos.native."""
    found = []
    for line in TABLE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|") or len(cells) != len(COLUMNS) or cells[0].startswith(("---", "here")):
            continue
        names = {column: re.findall(r"`([^`]+)`", cell) for column, cell in zip(COLUMNS, cells, strict=True)}
        if cells[2] == "the same":
            names["pymesos"] = names["native"]
        found.append(names)
    return found


ROWS = rows()


def named(column: str) -> set[str]:
    """All names in a column."""
    return {name for row in ROWS for name in row[column]}


def arguments(callable_: Any) -> set[str]:
    """Names of a callable's arguments."""
    return set(inspect.signature(callable_).parameters)


def members(*holders: Any) -> set[str]:
    """Names that can be got from modules or classes."""
    return {name for holder in holders for name in dir(holder)}


EXISTING = {
    "asyncio": members(
        aio,
        aio.Scheduler,
        aio.Executor,
        aio.executor_events,
        operator,
        operator.MasterClient,
        operator.master_calls,
        operator.agent_calls,
        mocks,
    )
    | arguments(aio.Scheduler)
    | {"async with"},
    "native": members(
        mesos.native,
        mesos.native.MesosSchedulerDriver,
        mesos.native.MesosExecutorDriver,
        mesos.interface.Scheduler,
        mesos.interface.Executor,
        config,
        brackets,
        mocks,
    )
    | arguments(mesos.native.MesosSchedulerDriver),
    "pymesos": members(
        pymesos,
        pymesos.Scheduler,
        pymesos.Executor,
        pymesos.MesosSchedulerDriver,
        pymesos.MesosExecutorDriver,
        pymesos.MesosOperatorMasterDriver,
        pymesos.MesosOperatorAgentDriver,
    )
    | arguments(pymesos.MesosSchedulerDriver),
}


@pytest.mark.parametrize("column", list(EXISTING))
def test_every_name_in_the_table_exists(column: str) -> None:
    """A reader will look for it."""
    assert len(ROWS) > 50
    assert sorted(named(column) - EXISTING[column]) == []


def public(holder: Any) -> set[str]:
    """Names that a class itself defines for its users."""
    return {name for name in vars(holder) if not name.startswith("_")}


def camel(*holders: Any) -> set[str]:
    """Names of pymesos' calls and callbacks: those in camel case, and the classic ones."""
    return {name for name in members(*holders) if re.search(r"[a-z][A-Z]", name) and not name.startswith("on")}


def words(text: str) -> set[str]:
    """Names, separated by spaces."""
    return set(text.split())


GO = words(
    """
    NewMesosSchedulerDriver DriverConfig Credential CredentialHandler MasterPid FrameworkInfo Status Connected Stopped
    Registered Reregistered Disconnected ResourceOffers OfferRescinded StatusUpdate FrameworkMessage SlaveLost
    ExecutorLost Error Start Stop Abort Join Run RequestResources AcceptOffers LaunchTasks KillTask DeclineOffer
    ReviveOffers SendFrameworkMessage ReconcileTasks MockScheduler NewMockScheduler NewMesosExecutorDriver LaunchTask
    Shutdown SendStatusUpdate
    """
)
HASKELL = words(
    """
    withSchedulerDriver createDriver destroyDriver start stop abort await run requestResources launchTasks declineOffer
    killTask reviveOffers sendFrameworkMessage reconcileTasks registered reRegistered disconnected resourceOffers
    offerRescinded statusUpdate frameworkMessage slaveLost executorLost errorMessage withExecutorDriver launchTask
    taskKilled shutdown errorCallback sendStatusUpdate
    """
)
NEEDED = {
    "asyncio": set(aio.__all__)
    - {"Event", "Outcome", "What", "executor_events", "renewed", "Part", "accept_across", "share_out"}
    | public(aio.Scheduler),
    "native": {
        name
        for holder in (
            mesos.interface.Scheduler,
            mesos.interface.SchedulerDriver,
            mesos.interface.Executor,
            mesos.interface.ExecutorDriver,
        )
        for name in public(holder)
    },
    "pymesos": camel(
        pymesos.Scheduler,
        pymesos.Executor,
        pymesos.MesosSchedulerDriver,
        pymesos.MesosExecutorDriver,
    ),
    "go": GO,
    "haskell": HASKELL,
}


@pytest.mark.parametrize("column", COLUMNS)
def test_no_name_is_missing_in_the_table(column: str) -> None:
    """Whoever comes finds the counterpart of each call."""
    assert sorted(NEEDED[column] - named(column)) == []


@pytest.mark.parametrize("column", ["pymesos", "go", "haskell"])
def test_what_another_binding_has_has_a_counterpart(column: str) -> None:
    """All but what streams both ways, which only pymesos' module has."""
    without = [row[column] for row in ROWS if row[column] and not (row["asyncio"] or row["native"])]
    streams = ["launchNestedContainerSession", "attachContainerInput", "attachContainerOutput"]
    assert [names for names in without if names not in (streams, ["processHeartBeat"])] == []


@pytest.mark.parametrize(
    ("driver", "calls"),
    [
        (pymesos.MesosOperatorMasterDriver, operator.master_calls),
        (pymesos.MesosOperatorAgentDriver, operator.agent_calls),
    ],
)
def test_operator_calls_of_pymesos_are_in_the_table_or_have_the_same_name(driver: Any, calls: Any) -> None:
    """In snake case."""
    for name in camel(driver) - named("pymesos"):
        assert hasattr(calls, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()), name
