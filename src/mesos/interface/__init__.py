"""What schedulers and executors implement, and what their drivers offer.

Every callback has a default that does nothing (S11), so implement only those you need. Callbacks of one driver never
run at the same time; the first argument is always the driver.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Sequence
from typing import Any

from mesos.interface import mesos_pb2

__all__ = ["Executor", "ExecutorDriver", "Scheduler", "SchedulerDriver", "mesos_pb2"]


class _Driver(ABC):  # noqa: B024  (nothing is abstract: users subclass it for their mocks)
    """Whatever has all methods of such a driver counts as one (S11): no driver needs to import this module."""

    @classmethod
    def __subclasshook__(cls, other: type) -> Any:
        if _Driver not in cls.__bases__:
            return NotImplemented
        methods = [name for name in (*vars(cls), *vars(_Driver)) if not name.startswith("_")]
        return all(callable(getattr(other, name, None)) for name in methods) or NotImplemented

    def start(self) -> int:
        """Begin connecting; returns before the other side answered."""
        raise NotImplementedError

    def abort(self) -> int:
        """Stop hearing callbacks, without an end for the framework."""
        raise NotImplementedError

    def join(self) -> int:
        """Wait for stop or abort."""
        raise NotImplementedError

    def run(self) -> int:
        """Start, then join."""
        raise NotImplementedError


class Scheduler:
    """Base class for schedulers: override what you want to hear of."""

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        """Hear that the framework is registered and which id it has; the first callback of every driver."""

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        """Hear that this driver is connected again, perhaps to another master: a good moment to reconcile."""

    def disconnected(self, driver: Any) -> None:
        """Hear that the master is lost; all offers are void."""

    def resourceOffers(self, driver: Any, offers: Sequence[Any]) -> None:
        """Hear of offers: use each with launchTasks or acceptOffers, or give it back with declineOffer."""

    def offerRescinded(self, driver: Any, offerId: Any) -> None:
        """Hear that an offer is no longer valid."""

    def statusUpdate(self, driver: Any, status: Any) -> None:
        """Hear of a task's state; acknowledged after this returns, unless acknowledgements are explicit."""

    def frameworkMessage(self, driver: Any, executorId: Any, slaveId: Any, data: bytes) -> None:
        """Hear bytes from an executor, best effort."""

    def slaveLost(self, driver: Any, slaveId: Any) -> None:
        """Hear that an agent is gone; not repeated when it gets lost."""

    def executorLost(self, driver: Any, executorId: Any, slaveId: Any, status: int) -> None:
        """Hear that an executor ended; status is a wait(2) status word, 256 for exit code 1."""

    def error(self, driver: Any, message: str) -> None:
        """Hear of an unrecoverable error; the driver is aborted already."""


class SchedulerDriver(_Driver):
    """What a scheduler driver offers; every method gives the driver's Status."""

    def stop(self, failover: bool = False) -> int:
        """End; without failover the framework is removed and its tasks are killed."""
        raise NotImplementedError

    def requestResources(self, requests: Iterable[Any]) -> int:
        """Ask for resources; the default allocator does not react."""
        raise NotImplementedError

    def launchTasks(self, offerIds: Any, tasks: Iterable[Any], filters: Any = None) -> int:
        """Launch tasks on offers of one agent."""
        raise NotImplementedError

    def acceptOffers(self, offerIds: Any, operations: Iterable[Any], filters: Any = None) -> int:
        """Run operations in order on offers of one agent."""
        raise NotImplementedError

    def declineOffer(self, offerId: Any, filters: Any = None) -> int:
        """Give an offer back."""
        raise NotImplementedError

    def killTask(self, taskId: Any) -> int:
        """Kill a task, best effort."""
        raise NotImplementedError

    def reviveOffers(self, roles: Sequence[str] | None = None) -> int:
        """Clear filters and be offered again."""
        raise NotImplementedError

    def suppressOffers(self, roles: Sequence[str] | None = None) -> int:
        """Be offered nothing until revived."""
        raise NotImplementedError

    def updateFramework(self, framework: Any, suppressedRoles: Sequence[str] = (), offerConstraints: Any = None) -> int:
        """Change the framework's description."""
        raise NotImplementedError

    def acknowledgeStatusUpdate(self, status: Any) -> int:
        """Acknowledge a status, with explicit acknowledgements only."""
        raise NotImplementedError

    def sendFrameworkMessage(self, executorId: Any, slaveId: Any, data: bytes) -> int:
        """Send bytes to an executor, best effort."""
        raise NotImplementedError

    def reconcileTasks(self, statuses: Iterable[Any]) -> int:
        """Ask for the latest state of tasks; of all known ones when empty."""
        raise NotImplementedError


class Executor:
    """Base class for executors: override what you want to hear of."""

    def registered(self, driver: Any, executorInfo: Any, frameworkInfo: Any, slaveInfo: Any) -> None:
        """Hear that the agent knows this executor; executorInfo.data carries the scheduler's bytes."""

    def reregistered(self, driver: Any, slaveInfo: Any) -> None:
        """Hear that a restarted agent knows this executor again."""

    def disconnected(self, driver: Any) -> None:
        """Declared for completeness: no driver has ever called it (S51)."""

    def launchTask(self, driver: Any, task: Any) -> None:
        """Start a task; nothing else is called until this returns, so run the work in a thread."""

    def killTask(self, driver: Any, taskId: Any) -> None:
        """Kill a task and send TASK_KILLED."""

    def frameworkMessage(self, driver: Any, message: bytes) -> None:
        """Hear bytes from the scheduler, best effort."""

    def shutdown(self, driver: Any) -> None:
        """Kill all tasks and stop the driver; the process group is killed after a grace period."""

    def error(self, driver: Any, message: str) -> None:
        """Hear of an unrecoverable error; the driver is aborted already."""


class ExecutorDriver(_Driver):
    """What an executor driver offers; every method gives the driver's Status."""

    def stop(self) -> int:
        """End."""
        raise NotImplementedError

    def sendStatusUpdate(self, status: Any) -> int:
        """Send a task's status."""
        raise NotImplementedError

    def sendFrameworkMessage(self, data: bytes) -> int:
        """Send bytes to the scheduler, best effort."""
        raise NotImplementedError
