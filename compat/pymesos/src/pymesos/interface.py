"""What frameworks and operators implement, and what the drivers offer; every callback does nothing by default."""

from __future__ import annotations

import sys
from typing import Any

__all__ = [
    "Executor",
    "ExecutorDriver",
    "OperatorAgentDriver",
    "OperatorDaemonDriver",
    "OperatorMaster",
    "OperatorMasterDriver",
    "Scheduler",
    "SchedulerDriver",
]


class Scheduler:
    """Base class for schedulers: override what you want to hear of. Callbacks never run at the same time."""

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        """Hear that the framework is registered, and its id."""

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        """Hear that the framework is connected again, perhaps to another master."""

    def disconnected(self, driver: Any) -> None:
        """Hear that the event stream ended; all offers are void."""

    def processHeartBeat(self, driver: Any) -> None:
        """Hear a heartbeat of the master; may be defined without the driver, as before pymesos 0.3.11."""

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        """Hear of offers: launch on them or decline them."""

    def inverseOffers(self, driver: Any, offers: Any) -> None:
        """Hear that agents want their resources back."""

    def offerRescinded(self, driver: Any, offerId: Any) -> None:
        """Hear that an offer is void."""

    def inverseOfferRescinded(self, driver: Any, offerId: Any) -> None:
        """Hear that an inverse offer is void."""

    def statusUpdate(self, driver: Any, status: Any) -> None:
        """Hear of a task's state; acknowledged after this returns, unless acknowledgements are explicit."""

    def operationStatusUpdate(self, driver: Any, status: Any) -> None:
        """Hear of an offer operation's state."""

    def frameworkMessage(self, driver: Any, executorId: Any, slaveId: Any, message: Any) -> None:
        """Hear an executor's message, base64 as it came: see decode_data."""

    def slaveLost(self, driver: Any, slaveId: Any) -> None:
        """Hear that an agent is gone."""

    def executorLost(self, driver: Any, executorId: Any, slaveId: Any, status: Any) -> None:
        """Hear that an executor ended; status is a wait(2) status word."""

    def error(self, driver: Any, message: Any) -> None:
        """Hear of an unrecoverable error; written to stderr unless overridden."""
        print("Error from Mesos:", message, file=sys.stderr)


class _Lifecycle:
    def start(self) -> Any:
        """Begin connecting; returns at once."""
        raise NotImplementedError

    def abort(self) -> Any:
        """Stop hearing callbacks; nothing is torn down."""
        raise NotImplementedError

    def join(self) -> Any:
        """Wait for the end; raises what a callback raised."""
        raise NotImplementedError

    def run(self) -> Any:
        """Start, then join."""
        raise NotImplementedError


class SchedulerDriver(_Lifecycle):
    """What a scheduler driver offers; calls raise RuntimeError when the master refuses them."""

    def stop(self, failover: bool = False) -> Any:
        """End; without failover the framework is removed and its tasks are killed."""
        raise NotImplementedError

    def requestResources(self, requests: Any) -> Any:
        """Ask the allocator for resources; the built-in one does not react."""
        raise NotImplementedError

    def launchTasks(self, offerIds: Any, tasks: Any, filters: Any = None) -> Any:
        """Launch tasks on offers of one agent; without tasks the offers are declined."""
        raise NotImplementedError

    def killTask(self, taskId: Any) -> Any:
        """Kill a task, best effort."""
        raise NotImplementedError

    def acceptOffers(self, offerIds: Any, operations: Any, filters: Any = None) -> Any:
        """Run operations in order on offers of one agent; without operations the offers are declined."""
        raise NotImplementedError

    def acceptInverseOffers(self, offer_ids: Any, filters: Any = None) -> Any:
        """Promise to leave in time."""
        raise NotImplementedError

    def declineOffer(self, offerId: Any, filters: Any = None) -> Any:
        """Give offers back."""
        raise NotImplementedError

    def declineInverseOffer(self, offer_ids: Any, filters: Any = None) -> Any:
        """Say that leaving in time may not work."""
        raise NotImplementedError

    def reviveOffers(self, roles: Any = ()) -> Any:
        """Clear filters and be offered again, for these roles or all."""
        raise NotImplementedError

    def suppressOffers(self, roles: Any = ()) -> Any:
        """Be offered nothing until revived, for these roles or all."""
        raise NotImplementedError

    def acknowledgeStatusUpdate(self, status: Any) -> Any:
        """Acknowledge a status, with explicit acknowledgements."""
        raise NotImplementedError

    def acknowledgeOperationStatusUpdate(self, status: Any) -> Any:
        """Acknowledge an operation's status, with explicit acknowledgements."""
        raise NotImplementedError

    def sendFrameworkMessage(self, executorId: Any, slaveId: Any, data: Any) -> Any:
        """Send base64 data (see encode_data) to an executor, best effort."""
        raise NotImplementedError

    def reconcileTasks(self, tasks: Any) -> Any:
        """Ask for the latest state of tasks; of all known ones when empty."""
        raise NotImplementedError


class Executor:
    """Base class for executors: override what you want to hear of."""

    def registered(self, driver: Any, executorInfo: Any, frameworkInfo: Any, slaveInfo: Any) -> None:
        """Hear that the agent knows this executor."""

    def reregistered(self, driver: Any, slaveInfo: Any) -> None:
        """Hear that a restarted agent knows this executor again."""

    def disconnected(self, driver: Any) -> None:
        """Hear that the agent is away."""

    def launchTask(self, driver: Any, task: Any) -> None:
        """Start a task; nothing else is called until this returns."""

    def launchTaskGroup(self, driver: Any, task_infos: Any) -> None:
        """Start a group of tasks."""

    def killTask(self, driver: Any, taskId: Any) -> None:
        """Kill a task and send TASK_KILLED."""

    def frameworkMessage(self, driver: Any, message: Any) -> None:
        """Hear the scheduler's message, base64 as it came."""

    def shutdown(self, driver: Any) -> None:
        """Kill all tasks; the process group is killed after the grace period."""

    def error(self, driver: Any, message: Any) -> None:
        """Hear of an unrecoverable error; written to stderr unless overridden."""
        print("Error from Mesos:", message, file=sys.stderr)


class ExecutorDriver(_Lifecycle):
    """What an executor driver offers."""

    def stop(self) -> Any:
        """End."""
        raise NotImplementedError

    def sendStatusUpdate(self, status: Any) -> Any:
        """Send a task's status; kept until the agent acknowledged it."""
        raise NotImplementedError

    def sendFrameworkMessage(self, data: Any) -> Any:
        """Send base64 data (see encode_data) to the scheduler, best effort."""
        raise NotImplementedError


class OperatorDaemonDriver:
    """Calls that masters and agents answer; each gives the answer as dicts."""

    def getHealth(self) -> Any:
        """Ask whether it is alive."""
        raise NotImplementedError

    def getFlags(self) -> Any:
        """Ask for its flags."""
        raise NotImplementedError

    def getVersion(self) -> Any:
        """Ask for its version."""
        raise NotImplementedError

    def getMetrics(self, timeout: Any) -> Any:
        """Ask for its metrics; timeout in nanoseconds."""
        raise NotImplementedError

    def getLoggingLevel(self) -> Any:
        """Ask how much it logs."""
        raise NotImplementedError

    def setLoggingLevel(self, level: Any, duration: Any) -> Any:
        """Have it log more for a time in nanoseconds."""
        raise NotImplementedError

    def listFiles(self, path: Any) -> Any:
        """List a virtual folder."""
        raise NotImplementedError

    def readFile(self, path: Any, length: Any, offset: Any) -> Any:
        """Read part of a virtual file."""
        raise NotImplementedError

    def getState(self) -> Any:
        """Ask for everything."""
        raise NotImplementedError

    def getFrameworks(self) -> Any:
        """Ask for frameworks."""
        raise NotImplementedError

    def getExecutors(self) -> Any:
        """Ask for executors."""
        raise NotImplementedError

    def getTasks(self) -> Any:
        """Ask for tasks."""
        raise NotImplementedError


class OperatorMasterDriver(OperatorDaemonDriver):
    """Calls that only masters answer: see MesosOperatorMasterDriver."""


class OperatorAgentDriver(OperatorDaemonDriver):
    """Calls that only agents answer: see MesosOperatorAgentDriver."""


class OperatorMaster:
    """Base class for those who watch a master's events: override what you want to hear of."""

    def taskAdded(self, task_info: Any) -> None:
        """Hear of a new task."""

    def taskUpdated(self, task_info: Any) -> None:
        """Hear of a task's new state."""

    def frameworkAdded(self, framework_info: Any) -> None:
        """Hear of a new framework."""

    def frameworkUpdated(self, framework_info: Any) -> None:
        """Hear of a framework that came back or changed."""

    def frameworkRemoved(self, framework_info: Any) -> None:
        """Hear of a framework's end."""

    def agentAdded(self, agent_info: Any) -> None:
        """Hear of a new agent."""

    def agentRemoved(self, agent_id: Any) -> None:
        """Hear of an agent's end; gets its id as a string."""
