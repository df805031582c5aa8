"""The real drivers' sessions inside a simulation: what framework authors run, in virtual time.

A scheduler and an executor that leave the protocol to ``messor.drivers`` and only decide what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from messor.coordination.standalone import StandaloneDetector, master_info
from messor.drivers.executor.environment import read_environment
from messor.drivers.executor.http_transport import HttpExecutorTransport
from messor.drivers.executor.libprocess_transport import LibprocessExecutorTransport
from messor.drivers.executor.session import ExecutorSession
from messor.drivers.scheduler.http_transport import HttpTransport
from messor.drivers.scheduler.libprocess_transport import LibprocessTransport
from messor.drivers.scheduler.session import SchedulerSession
from messor.protos import v0, v0_scheduler
from messor.simulation.executors import KILL_GRACE, SimulatedExecutor
from messor.simulation.frameworks import SimulatedScheduler

if TYPE_CHECKING:
    from messor.coordination.interfaces import Detector
    from messor.drivers.executor.interfaces import ExecutorTransport
    from messor.drivers.scheduler.interfaces import Transport
    from messor.simulation.ledger import Ledger

Call = v0_scheduler.Call
SIGKILL = 9


class DriverScheduler(SimulatedScheduler):
    """A scheduler on the driver's session, over libprocess."""

    find_master: Callable[[], Detector] | None = None
    """Makes a detector; without it the master is where it always was."""

    def transport(self) -> Transport:
        """Make the transport."""
        return LibprocessTransport()

    def detector(self) -> Detector:
        """Make what finds the master."""
        if self.find_master is not None:
            return self.find_master()
        return StandaloneDetector(self.host, master_info(self.host, self.master))

    def started(self) -> None:
        """Start the session beside this actor; it finds the master and subscribes by itself."""
        self.session = SchedulerSession(
            f"{self.name}-session",
            self.info,
            self.detector(),
            self.transport(),
            _SchedulerListener(self),
        )
        self.host.directory.spawn(self.session)

    def subscribe(self) -> None:
        """Do nothing: the session subscribes."""

    def disconnected(self) -> None:
        """Forget the offers."""
        self.is_connected = False
        self.offers.clear()

    def call(self, call: Call) -> None:
        """Make a call as the driver's user does."""
        if call.type == Call.ACCEPT:
            accept = call.accept
            self.session.accept(list(accept.offer_ids), list(accept.operations), accept.filters)
        elif call.type == Call.MESSAGE:
            self.session.message(call.message.executor_id, call.message.slave_id, call.message.data)
        elif call.type == Call.TEARDOWN:
            self.session.stop(failover=False)
        else:
            self.session.call(call.type, lambda made: made.MergeFrom(call))


class HttpDriverScheduler(DriverScheduler):
    """A scheduler on the driver's session, over the v1 API."""

    def transport(self) -> Transport:
        """Make the transport."""
        return HttpTransport()


class _SchedulerListener:
    """Passes the session's events on."""

    def __init__(self, scheduler: DriverScheduler) -> None:
        self._scheduler = scheduler

    def registered(self, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        del master
        self._scheduler.subscribed("registered", framework_id.value)

    def reregistered(self, master: v0.MasterInfo) -> None:
        del master
        self._scheduler.subscribed("reregistered", self._scheduler.framework_id)

    def disconnected(self) -> None:
        self._scheduler.disconnected()

    def offers(self, offers: Sequence[v0.Offer]) -> None:
        self._scheduler.offered(offers)

    def rescinded(self, offer_id: v0.OfferID) -> None:
        self._scheduler.offer_rescinded(offer_id.value)

    def update(self, status: v0.TaskStatus) -> None:
        self._scheduler.updated(status)

    def message(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, data: bytes) -> None:
        del executor_id, agent_id
        self._scheduler.messages.append(data)

    def agent_lost(self, agent_id: v0.SlaveID) -> None:
        self._scheduler.lost_agents.append(agent_id.value)

    def executor_lost(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, status: int) -> None:
        del agent_id
        self._scheduler.lost_executors.append((executor_id.value, status))

    def failed(self, message: str) -> None:
        self._scheduler.failed(message)


class DriverExecutor(SimulatedExecutor):
    """An executor on the driver's session, over libprocess."""

    def __init__(self, environment: Mapping[str, str], ledger: Ledger) -> None:
        """Take the variables the agent gave."""
        super().__init__(environment, ledger)
        self.name = "listener(1)"
        self.settings = read_environment(environment)

    def transport(self) -> ExecutorTransport:
        """Make the transport."""
        return LibprocessExecutorTransport(self.settings)

    def started(self) -> None:
        """Start the session beside this actor."""
        self.session = ExecutorSession("executor(1)", self.settings, self.transport(), _ExecutorListener(self))
        self.host.directory.spawn(self.session)

    def update(self, task_id: str, state: v0.TaskState, message: str = "") -> None:
        """Send a status; the session keeps it until the agent has it."""
        status = v0.TaskStatus(state=state, message=message or None)
        status.task_id.value = task_id
        self.session.send_update(status)
        _, updates = self.session.unacknowledged
        self.ledger.made(self.framework_id, task_id, updates[-1].uuid)

    def died(self) -> None:
        """Take what the agent has not got out of the ledger."""
        for update in self.session.unacknowledged[1]:
            self.ledger.died_with(self.framework_id, update.status.task_id.value, update.uuid)

    def deliver_message(self, data: bytes) -> None:
        """Send bytes to the scheduler."""
        self.session.send_message(data)


class HttpDriverExecutor(DriverExecutor):
    """An executor on the driver's session, over the v1 API."""

    def transport(self) -> ExecutorTransport:
        """Make the transport."""
        return HttpExecutorTransport(self.settings)


class _ExecutorListener:
    """Passes the session's events on."""

    def __init__(self, executor: DriverExecutor) -> None:
        self._executor = executor

    def registered(self, executor: v0.ExecutorInfo, framework: v0.FrameworkInfo, agent: v0.SlaveInfo) -> None:
        del executor, framework, agent
        self._executor.is_connected = True

    def reregistered(self, agent: v0.SlaveInfo) -> None:
        del agent
        self._executor.is_connected = True

    def launch(self, task: v0.TaskInfo) -> None:
        self._executor.launch(task)

    def kill(self, task_id: v0.TaskID) -> None:
        self._executor.kill(task_id.value, KILL_GRACE)

    def message(self, data: bytes) -> None:
        self._executor.message(data)

    def shutdown(self) -> None:
        self._executor.shut_down()

    def suicide(self) -> None:
        self._executor.end(SIGKILL)

    def failed(self, message: str) -> None:
        del message
        self._executor.end(1)
