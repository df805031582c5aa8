"""A scheduler that keeps books: what a careful author writes on the classic driver, and how its updates are counted.

Its books are in a store that outlives its crashes. It uses nothing but the documented remedies: it writes a launch down
before it launches, writes an update down before it acknowledges it, reconciles now and then (what it believes to run,
and everything), and fails over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from messor.model.task_states import is_terminal
from messor.protos import v0, v0_scheduler, v1_scheduler
from messor.simulation.ledger import FINAL
from messor.simulation.network import Envelope, decode
from messor.wire.json_codec import from_json

if TYPE_CHECKING:
    from messor.runtime.http import Request
    from messor.simulation.cluster import Cluster
    from messor.simulation.driver import SimulatedDriver
    from messor.simulation.http import ClientConnection

DUE_SECONDS = 3000.0
"""Virtual seconds over which tasks come to be launched."""

RECONCILE_SECONDS = 120.0

PATH = "/master/api/v1/scheduler"
CALL = v0_scheduler.Call.DESCRIPTOR.full_name

ALIVE = frozenset({v0.TASK_STAGING, v0.TASK_STARTING, v0.TASK_RUNNING, v0.TASK_KILLING})


class Books:
    """What a scheduler knows, in a store that outlives it."""

    def __init__(self, wanted: list[v0.TaskInfo]) -> None:
        """Begin with everything still to do."""
        self.framework_id = ""
        self._count = len(wanted)
        self.wanted = {task.task_id.value: task for task in wanted}
        self.agents: dict[str, str] = {}
        """Agent by task, written before it is launched."""
        self.states: dict[str, int] = {}

    @property
    def is_balanced(self) -> bool:
        """Whether every task has ended."""
        return not self.wanted and not self.open_tasks()

    def due(self, now: float) -> list[v0.TaskInfo]:
        """List the tasks to launch by that virtual time: they come evenly over most of the hour."""
        begun = int(now / DUE_SECONDS * self._count) + 1 - (self._count - len(self.wanted))
        return list(self.wanted.values())[: max(begun, 0)]

    def launching(self, task: v0.TaskInfo, agent_id: v0.SlaveID) -> None:
        """Write a launch down before it happens."""
        task.slave_id.CopyFrom(agent_id)
        del self.wanted[task.task_id.value]
        self.agents[task.task_id.value] = agent_id.value

    def heard(self, status: v0.TaskStatus) -> None:
        """Write a status down.

        A task that ended by itself has ended. One that is said to be lost may turn up again: the launch was refused the
        second time it arrived, or the agent came back.
        """
        task = status.task_id.value
        known = self.states.get(task, v0.TASK_STAGING)
        if known in FINAL or (is_terminal(known) and status.state not in FINAL | ALIVE):
            return
        self.states[task] = status.state

    def open_tasks(self) -> list[str]:
        """List the tasks that were launched and have not ended."""
        return [task for task in self.agents if not is_terminal(self.states.get(task, v0.TASK_STAGING))]


class Keeper:
    """A scheduler that keeps books."""

    def __init__(
        self, books: Books, cluster: Cluster, acknowledgements: Acknowledgements, on_error: Callable[[str], None]
    ) -> None:
        """Go on where the books stand; on_error: whoever supervises the scheduler."""
        self.books = books
        self.ledger = cluster.ledger
        self.acknowledgements = acknowledgements
        self.on_error = on_error
        self._asks_for_all = False

    def registered(self, driver: SimulatedDriver, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        """Write the id down; ask about everything; keep asking."""
        del master
        self.books.framework_id = framework_id.value
        self._keep_reconciling(driver)

    def reregistered(self, driver: SimulatedDriver, master: v0.MasterInfo) -> None:
        """Ask about everything."""
        del master
        self._reconcile(driver)

    def resourceOffers(self, driver: SimulatedDriver, offers: list[v0.Offer]) -> None:  # noqa: N802  (mesos.interface's)
        """Launch what fits, writing it down first."""
        for offer in offers:
            cpus = sum(resource.scalar.value for resource in offer.resources if resource.name == "cpus")
            chosen = self.books.due(driver.process.clock.monotonic())[: int(cpus / 0.5)]
            filters = v0.Filters(refuse_seconds=20)
            for task in chosen:
                self.books.launching(task, offer.slave_id)
            if chosen:
                driver.launchTasks(offer.id, chosen, filters)
            else:
                driver.declineOffer(offer.id, filters)

    def statusUpdate(self, driver: SimulatedDriver, status: v0.TaskStatus) -> None:  # noqa: N802
        """Write it down, then acknowledge."""
        self.ledger.heard_by_scheduler(self.books.framework_id, status)
        self.books.heard(status)
        if status.uuid:
            self.acknowledgements.arrived[status.uuid] += 1
            driver.acknowledgeStatusUpdate(status)

    def error(self, driver: SimulatedDriver, message: str) -> None:
        """Tell the supervisor: the driver is aborted."""
        del driver
        self.on_error(message)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Do nothing in all other callbacks."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None

    def _keep_reconciling(self, driver: SimulatedDriver) -> None:
        self._reconcile(driver)
        driver.after(RECONCILE_SECONDS, self._keep_reconciling, driver)

    def _reconcile(self, driver: SimulatedDriver) -> None:
        """Ask about what should run, and every other time also about all the master knows."""
        statuses = [
            v0.TaskStatus(
                task_id=v0.TaskID(value=task), slave_id=v0.SlaveID(value=self.books.agents[task]), state=v0.TASK_STAGING
            )
            for task in self.books.open_tasks()
        ]
        if statuses:
            driver.reconcileTasks(statuses)
        self._asks_for_all = not self._asks_for_all
        if self._asks_for_all:
            driver.reconcileTasks([])


class Acknowledgements:
    """How often updates arrived at the scheduler, and how often its driver sent their acknowledgement."""

    def __init__(self, cluster: Cluster, *, is_json: bool) -> None:
        """Look at everything that is sent in a cluster with one framework."""
        self.arrived: Counter[bytes] = Counter()
        """By uuid, as the scheduler was called."""
        self.sent: Counter[bytes] = Counter()
        """By uuid, as they left the driver."""
        self.faults = cluster.ledger.faults
        self._is_json = is_json
        cluster.network.senders.append(self._call)
        cluster.network.requesters.append(self._request)

    def _call(self, envelope: Envelope) -> None:
        if envelope.name == CALL:
            call: v0_scheduler.Call = decode(envelope)
            if call.type == v0_scheduler.Call.ACKNOWLEDGE:
                self._acknowledged(call.acknowledge.uuid)

    def _request(self, connection: ClientConnection, request: Request) -> None:
        del connection
        if request.path == PATH:
            kind = v1_scheduler.Call
            call = from_json(request.body, kind) if self._is_json else kind.FromString(request.body)
            if call.type == kind.ACKNOWLEDGE:
                self._acknowledged(call.acknowledge.uuid)

    def _acknowledged(self, uuid: bytes) -> None:
        self.sent[uuid] += 1
        if self.sent[uuid] > self.arrived[uuid]:
            self.faults.append(f"the driver acknowledged update {uuid.hex()} more often than it arrived")
