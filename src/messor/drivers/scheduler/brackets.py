"""Drivers whose end is certain: hs-mesos' ``withSchedulerDriver`` and its low-level parts (S77, S78).

with scheduler_driver(MyScheduler(), framework, "zk://zk1:2181/mesos") as driver:
    driver.run()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from messor.drivers.scheduler.callbacks import NOT_STARTED, MesosSchedulerDriver

T = TypeVar("T")

CALLBACKS = frozenset(
    {
        "registered",
        "reregistered",
        "disconnected",
        "resourceOffers",
        "offerRescinded",
        "statusUpdate",
        "frameworkMessage",
        "slaveLost",
        "executorLost",
        "error",
    }
)
"""The callbacks of a Scheduler."""


@contextmanager
def scheduler_driver(
    scheduler: Any, framework: Any, master: str, credential: Any = None, **settings: Any
) -> Iterator[MesosSchedulerDriver]:
    """Make a driver for a with-block and destroy it after, however the block ends.

    It is not started, nor stopped the way ``stop()`` would: one that still runs at the end lets go of its framework,
    whose tasks live on for its failover_timeout. settings: keywords of MesosSchedulerDriver.
    """
    driver = create_driver(create_scheduler(scheduler), framework, master, credential, **settings)
    try:
        yield driver
    finally:
        destroy_driver(driver)


def with_scheduler_driver(
    scheduler: Any, framework: Any, master: str, credential: Any, action: Callable[[MesosSchedulerDriver], T]
) -> T:
    """Run an action with a driver and give its result; see scheduler_driver."""
    with scheduler_driver(scheduler, framework, master, credential) as driver:
        return action(driver)


def create_scheduler(scheduler: Any) -> Any:
    """Complete an object with some of a Scheduler's callbacks: those it lacks do nothing (S11)."""
    if all(hasattr(scheduler, name) for name in CALLBACKS):
        return scheduler
    return _Completed(scheduler)


def destroy_scheduler(scheduler: Any) -> None:
    """Do nothing: objects end by themselves here; the name is hs-mesos'."""


def create_driver(
    scheduler: Any, framework: Any, master: str, credential: Any = None, **settings: Any
) -> MesosSchedulerDriver:
    """Make a driver that must be given to destroy_driver."""
    return MesosSchedulerDriver(scheduler, framework, master, credential=credential, **settings)


def destroy_driver(driver: MesosSchedulerDriver) -> None:
    """End a driver that may still run, keeping its framework, and wait for its threads; harmless twice."""
    if driver.status() != NOT_STARTED:
        driver.stop(True)
        driver.wait_for_end()


class _Completed:
    """Forwards the callbacks that are there and swallows the others."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def __getattr__(self, name: str) -> Any:
        if name in CALLBACKS:
            return getattr(self._scheduler, name, _nothing)
        return getattr(self._scheduler, name)


def _nothing(*arguments: Any) -> None:
    """Stand for a callback that was not written."""
