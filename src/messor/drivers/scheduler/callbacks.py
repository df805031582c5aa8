"""The classic blocking driver: ``MesosSchedulerDriver`` with the callbacks of ``mesos.interface.Scheduler``.

The session lives in one background thread with its own loop; callbacks run one at a time on a second thread, so that a
callback that blocks never keeps the session from its heartbeats. Return values and edge cases are rows S13-S46.
"""

from __future__ import annotations

import atexit
import getpass
import importlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Any, Self

from google.protobuf.message import Message

from messor.coordination.interfaces import Detector
from messor.drivers.detection import detector_for
from messor.drivers.inspection import Inspection
from messor.drivers.own import own, own_all
from messor.drivers.reporting import report_raised
from messor.drivers.scheduler.config import DriverConfig
from messor.drivers.scheduler.interfaces import Transport
from messor.drivers.scheduler.session import SchedulerSession
from messor.drivers.scheduler.settings import TRANSPORTS, make_transport, own_credential, read_settings
from messor.errors import ConfigurationError, MesosError
from messor.protos import v0, v0_scheduler
from messor.runtime.address import Address
from messor.runtime.host import Host
from messor.runtime.node_thread import NodeThread

log = logging.getLogger(__name__)

Call = v0_scheduler.Call

NOT_STARTED = v0.DRIVER_NOT_STARTED
RUNNING = v0.DRIVER_RUNNING
ABORTED = v0.DRIVER_ABORTED
STOPPED = v0.DRIVER_STOPPED


LOOPBACK = (
    "Scheduler driver bound to loopback interface! Cannot communicate with remote master(s). You might want to set"
    " 'LIBPROCESS_IP' environment variable to use a routable IP address."
)


class MesosSchedulerDriver(Inspection):
    """Connect a scheduler to a Mesos master.

    master: ``host:port``, ``master@host:port``, ``zk://[user:password@]host:port,…/path``, a list ``a:5050,b:5050`` of
    masters, ``file:///path`` holding one of them, or ``local`` for a cluster started for this driver. transport:
    ``libprocess`` (the classic one), ``http`` (v1, protobuf) or ``http+json``; a master that starts with ``http://``
    means ``http``. Environment: MESOS_REGISTRATION_BACKOFF_FACTOR, MESOS_AUTHENTICATION_*, LIBPROCESS_IP,
    LIBPROCESS_PORT.
    """

    def __init__(
        self,
        scheduler: Any,
        framework: Any,
        master: str,
        implicitAcknowledgements: Any = 1,
        credential: Any = None,
        suppressedRoles: Sequence[str] = (),
        *,
        transport: str | Callable[[], Transport] | None = None,
        address: Address | None = None,
        raise_errors: bool = False,
    ) -> None:
        """Take what mesos.native takes; a credential may also come fourth, as older bindings had it.

        address: where to listen, instead of what LIBPROCESS_* say. raise_errors: see DriverConfig, with which every
        setting has a name.

        credential: a mesos.Credential, a pair of principal and secret, or a callable that gives one when it is needed.
        Raises TypeError for a missing scheduler, framework or master and for what is no credential, ValueError for a
        framework without a name (all calls: for messages that lack required fields), ConfigurationError
        for an unknown transport.
        """
        if isinstance(implicitAcknowledgements, Message) and credential is None:
            implicitAcknowledgements, credential = 1, implicitAcknowledgements  # noqa: N806
        if scheduler is None:
            raise TypeError("a scheduler is required")
        if not isinstance(master, str) or not master:
            raise TypeError("a master address (a string such as 'host:5050') is required")
        if master.startswith("http://"):
            master, transport = master.removeprefix("http://").rstrip("/"), transport or "http"
        transport = transport or "libprocess"
        if transport not in TRANSPORTS and not callable(transport):
            raise ConfigurationError(f"Unknown transport '{transport}'; expecting one of {', '.join(TRANSPORTS)}")
        self._scheduler = scheduler
        self._framework = v0.FrameworkInfo()
        self._framework.CopyFrom(own(v0.FrameworkInfo, framework, partial=True))
        if not self._framework.user:
            self._framework.user = getpass.getuser()
        own(v0.FrameworkInfo, self._framework)  # all but the user has to be there
        if not self._framework.failover_timeout:
            log.warning("Framework '%s' has no failover_timeout: its tasks die with this driver", self._framework.name)
        if not self._framework.hostname:
            self._framework.hostname = socket.gethostname()
        self._master = master
        self._transport_name = transport
        self._credential = own_credential(credential)
        self._address = address
        self._raise_errors = raise_errors
        self._implicit = bool(implicitAcknowledgements)
        self._suppressed = list(suppressedRoles)
        self._status: int = NOT_STARTED
        self._lock = threading.RLock()
        self._latch = threading.Event()
        self._thread: NodeThread | None = None
        self._session: SchedulerSession
        self._cluster: Any = None
        self._callbacks: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None] = SimpleQueue()

    @classmethod
    def from_config(cls, config: DriverConfig) -> Self:
        """Make a driver of a DriverConfig (mesos-go's NewMesosSchedulerDriver); raises ConfigurationError."""
        config.check()
        return cls(
            config.scheduler,
            config.described(),
            config.master,
            config.implicit_acknowledgements,
            config.credential or config.credential_handler,
            config.suppressed_roles,
            transport=config.transport,
            address=config.address(),
            raise_errors=config.raise_errors,
        )

    # --- what it is doing (S72) --------------------------------------------------------------------------------------

    @property
    def scheduler(self) -> Any:
        """The scheduler it was made with."""
        return self._scheduler

    @property
    def framework_info(self) -> v0.FrameworkInfo:
        """A copy of the framework's description, with its id once it is registered."""
        session = getattr(self, "_session", None)
        info = v0.FrameworkInfo()
        info.CopyFrom(self._framework if session is None else session.framework)
        return info

    @property
    def master_pid(self) -> str | None:
        """The leading master's UPID; None until one is detected."""
        session = getattr(self, "_session", None)
        return None if session is None or session.master is None else str(session.master.pid)

    Scheduler = scheduler
    FrameworkInfo = framework_info
    MasterPid = master_pid

    # --- lifecycle ---------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Begin connecting and return; only from NOT_STARTED. A bad master string means ABORTED and ``error``."""
        with self._lock:
            if self._status != NOT_STARTED:
                return self._wrong_state("start()")
            try:
                self._begin()
            except (MesosError, OSError) as error:
                self._status = ABORTED
                self._latch.set()
                failure = str(error)
            else:
                self._status = RUNNING
                return self._status
        self._scheduler.error(self, failure)
        return self._status

    def _begin(self) -> None:
        master = self._master
        if master == "local":
            # By name: drivers stand below the local cluster, which is needed for this one master string only.
            self._cluster = importlib.import_module("messor.local.cluster").LocalCluster(agents=1)
            self._cluster.start()
            # A program may end without stop(), and nothing of its cluster may outlive it.
            atexit.register(self._cluster.stop)
            master = self._cluster.master
        self._settings = read_settings(os.environ)
        thread = self._make_thread()
        node = thread.start()
        if node.network.ip.startswith("127.") and self._transport_name == "libprocess":
            log.warning(LOOPBACK)
        try:
            session = SchedulerSession(
                f"scheduler-{node.chance.uuid()}",
                self._framework,
                self._make_detector(node, master),
                self._make_transport(),
                _Listener(self),
                backoff_factor=self._settings.backoff_factor,
                suppressed_roles=self._suppressed,
            )
        except BaseException:
            thread.stop()
            raise
        self._thread = thread
        self._session = session
        self._start_callbacks()
        thread.post(node.directory.spawn, session)

    # What a simulation replaces: there are no threads in virtual time.

    def _make_thread(self) -> NodeThread:
        return NodeThread("messor-scheduler-driver", address=self._address)

    def _make_detector(self, node: Host, master: str) -> Detector:
        return detector_for(node, master)

    def _start_callbacks(self) -> None:
        threading.Thread(target=self._run_callbacks, name="messor-scheduler-callbacks", daemon=True).start()

    def _make_transport(self) -> Transport:
        if callable(self._transport_name):
            return self._transport_name()
        return make_transport(self._transport_name, self._settings, self._credential)

    def stop(self, failover: bool = False) -> int:
        """End; unless failover is set, a connected framework is torn down and its tasks killed."""
        with self._lock:
            if self._status not in (RUNNING, ABORTED):
                return self._wrong_state("stop()")
            aborted = self._status == ABORTED
            self._status = STOPPED
            if self._thread is not None:
                self._thread.post(lambda: self._session.stop(failover=bool(failover)))
                self._thread.stop(self._say_farewell)
            self._callbacks.put(None)
        # Before anybody's join() returns: the program may end then, and with it a thread that still cleans up.
        self._stop_cluster()
        self._latch.set()
        return ABORTED if aborted else STOPPED

    async def _say_farewell(self) -> None:
        """Let the last acknowledgements and TEARDOWN arrive before the connections are closed."""
        await self._session.drained()
        assert self._thread is not None
        self._thread.node.directory.terminate(self._session)

    def wait_for_end(self, seconds: float = 5.0) -> None:
        """Wait until a stopped driver has closed its connections."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _stop_cluster(self) -> None:
        if self._cluster is not None:
            cluster, self._cluster = self._cluster, None
            if self._thread is not None:
                self._thread.join()
            cluster.stop()
            atexit.unregister(cluster.stop)

    def abort(self) -> int:
        """Stop hearing callbacks without tearing the framework down; only from RUNNING."""
        with self._lock:
            if self._status != RUNNING:
                return self._wrong_state("abort()")
            self._status = ABORTED
            assert self._thread is not None
            self._thread.post(self._session.abort)
            self._latch.set()
            return self._status

    def join(self) -> int:
        """Wait for stop or abort; returns at once when never started."""
        if self._status == NOT_STARTED or (self._status == ABORTED and self._thread is None):
            return self._wrong_state("join()")
        self._latch.wait()
        return self._status

    await_ = join

    def run(self) -> int:
        """Start, and join when that worked."""
        status = self.start()
        return status if status != RUNNING else self.join()

    # --- calls -------------------------------------------------------------------------------------------------------

    def _post(self, call: Callable[..., object], *arguments: object) -> int:
        """Hand a call to the session when running; gives the status either way (S14)."""
        with self._lock:
            if self._status != RUNNING:
                return self._wrong_state("a call")
            assert self._thread is not None
            self._thread.post(call, *arguments)
            return self._status

    def _call(self, kind: Call.Type, fill: Callable[[Call], object] | None = None) -> int:
        return self._post(lambda: self._session.call(kind, fill))

    def requestResources(self, requests: Iterable[Any]) -> int:
        """Ask the allocator for resources; the built-in one does not react."""
        own_requests = own_all(v0.Request, requests)
        return self._call(Call.REQUEST, lambda call: call.request.requests.extend(own_requests))

    def launchTasks(self, offerIds: Any, tasks: Iterable[Any], filters: Any = None) -> int:
        """Launch tasks on offers of one agent; a single offer id (the old form) is accepted too."""
        operation = v0.Offer.Operation(type=v0.Offer.Operation.LAUNCH)
        operation.launch.task_infos.extend(own_all(v0.TaskInfo, tasks))
        return self.acceptOffers(offerIds, [operation], filters)

    def acceptOffers(self, offerIds: Any, operations: Iterable[Any], filters: Any = None) -> int:
        """Run operations, in order, on offers of one agent."""
        offer_ids = _offer_ids(offerIds)
        own_operations = own_all(v0.Offer.Operation, operations)
        for operation in own_operations:
            if operation.HasField("id"):
                raise ValueError("offer operations must not have an id: this API cannot report their status")
        own_filters = v0.Filters() if filters is None else own(v0.Filters, filters)
        return self._post(self._session_call("accept"), offer_ids, own_operations, own_filters)

    def declineOffer(self, offerId: Any, filters: Any = None) -> int:
        """Give an offer back whole."""
        offer_ids = _offer_ids(offerId)
        own_filters = v0.Filters() if filters is None else own(v0.Filters, filters)

        def fill(call: Call) -> None:
            call.decline.offer_ids.extend(offer_ids)
            call.decline.filters.CopyFrom(own_filters)

        return self._call(Call.DECLINE, fill)

    def killTask(self, taskId: Any) -> int:
        """Kill a task; nothing happens while disconnected, so repeat until a terminal update comes."""
        task_id = own(v0.TaskID, taskId)
        return self._call(Call.KILL, lambda call: call.kill.task_id.CopyFrom(task_id))

    def reviveOffers(self, roles: Sequence[str] | None = None) -> int:
        """Clear all filters and be offered again; an empty list of roles does nothing."""
        return self._post(self._session_call("revive"), roles)

    def suppressOffers(self, roles: Sequence[str] | None = None) -> int:
        """Be offered nothing until revived; an empty list of roles does nothing."""
        return self._post(self._session_call("suppress"), roles)

    def updateFramework(self, framework: Any, suppressedRoles: Sequence[str] = (), offerConstraints: Any = None) -> int:
        """Change the framework's description, suppressed roles and offer constraints without subscribing again."""
        if len(set(suppressedRoles)) != len(suppressedRoles):
            raise ValueError(f"suppressedRoles holds a role twice: {list(suppressedRoles)}")
        info = own(v0.FrameworkInfo, framework)
        constraints = None if offerConstraints is None else own(v0_scheduler.OfferConstraints, offerConstraints)
        return self._post(self._session_call("update_framework"), info, list(suppressedRoles), constraints)

    def acknowledgeStatusUpdate(self, status: Any) -> int:
        """Acknowledge a status; only with explicit acknowledgements, else a ValueError (C++ aborts the process)."""
        if self._implicit:
            raise ValueError("acknowledgeStatusUpdate needs a driver made with implicitAcknowledgements=0")
        return self._post(self._session_call("acknowledge"), own(v0.TaskStatus, status))

    def sendFrameworkMessage(self, executorId: Any, slaveId: Any, data: bytes) -> int:
        """Send bytes to an executor, best effort."""
        executor_id, agent_id = own(v0.ExecutorID, executorId), own(v0.SlaveID, slaveId)
        payload = data.encode() if isinstance(data, str) else bytes(data)
        return self._post(self._session_call("message"), executor_id, agent_id, payload)

    def reconcileTasks(self, statuses: Iterable[Any]) -> int:
        """Ask for the latest state of these tasks, or of all known ones when empty."""
        tasks = []
        for status in statuses:
            owned = own(v0.TaskStatus, status, partial=True)  # whatever else it says is not looked at
            if not owned.task_id.HasField("value"):
                raise ValueError("mesos.TaskStatus lacks task_id")
            task = Call.Reconcile.Task(task_id=owned.task_id)
            if owned.HasField("slave_id"):
                task.slave_id.CopyFrom(owned.slave_id)
            tasks.append(task)

        def fill(call: Call) -> None:
            call.reconcile.SetInParent()
            call.reconcile.tasks.extend(tasks)

        return self._call(Call.RECONCILE, fill)

    def _session_call(self, name: str) -> Callable[..., object]:
        """Find a session's method; before start() there is no session, and _post drops the call anyway."""
        session = getattr(self, "_session", None)
        return getattr(session, name) if session is not None else _nothing

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def _run_callbacks(self) -> None:
        while True:
            entry = self._callbacks.get()
            if entry is None:
                return
            call, arguments = entry
            call(*arguments)

    def _deliver(self, name: str, *arguments: Any) -> bool:
        """Run one callback unless the driver ended; tells whether it ran to its end."""
        if self._status != RUNNING:
            return False
        try:
            getattr(self._scheduler, name)(self, *arguments)
        except Exception as error:
            report_raised(log, f"The scheduler's {name} raised; aborting the driver")
            with self._lock:
                if self._status != RUNNING:
                    return False
                assert self._thread is not None
                self._thread.post(self._session.abort)
            self._deliver_error(f"The scheduler's {name} raised {error!r}")
            return False
        return True

    def _deliver_update(self, status: v0.TaskStatus) -> None:
        """Run ``statusUpdate`` and acknowledge after it, if the driver still runs then (trap 5)."""
        if self._deliver("statusUpdate", status) and self._implicit and status.uuid:
            with self._lock:
                if self._status == RUNNING and self._thread is not None:
                    self._thread.post(self._session.acknowledge, status)

    def _deliver_error(self, message: str) -> None:
        """Abort first, then tell (S10)."""
        with self._lock:
            if self._status == RUNNING:
                self._status = ABORTED
        try:
            self._scheduler.error(self, message)
        except Exception:
            report_raised(log, "The scheduler's error callback raised")
        finally:
            self._latch.set()


setattr(MesosSchedulerDriver, "await", MesosSchedulerDriver.join)  # hs-mesos' name, a keyword here (S79)


class _Listener:
    """Puts the session's events into the callback thread's queue."""

    def __init__(self, driver: MesosSchedulerDriver) -> None:
        self._driver = driver
        self._put = driver._callbacks.put

    def registered(self, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        self._put((self._driver._deliver, ("registered", framework_id, master)))

    def reregistered(self, master: v0.MasterInfo) -> None:
        self._put((self._driver._deliver, ("reregistered", master)))

    def disconnected(self) -> None:
        self._put((self._driver._deliver, ("disconnected",)))

    def offers(self, offers: Sequence[v0.Offer]) -> None:
        self._put((self._driver._deliver, ("resourceOffers", list(offers))))

    def rescinded(self, offer_id: v0.OfferID) -> None:
        self._put((self._driver._deliver, ("offerRescinded", offer_id)))

    def update(self, status: v0.TaskStatus) -> None:
        self._put((self._driver._deliver_update, (status,)))

    def message(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, data: bytes) -> None:
        self._put((self._driver._deliver, ("frameworkMessage", executor_id, agent_id, data)))

    def agent_lost(self, agent_id: v0.SlaveID) -> None:
        self._put((self._driver._deliver, ("slaveLost", agent_id)))

    def executor_lost(self, executor_id: v0.ExecutorID, agent_id: v0.SlaveID, status: int) -> None:
        self._put((self._driver._deliver, ("executorLost", executor_id, agent_id, status)))

    def failed(self, message: str) -> None:
        self._put((self._driver._deliver_error, (message,)))


def _nothing(*arguments: object) -> None:
    """Stand in for a session that does not exist yet."""


def _offer_ids(offers: Any) -> list[v0.OfferID]:
    """Accept one offer id or several, as messages or as plain strings (S23, S67)."""
    if isinstance(offers, (str, Message)):
        offers = [offers]
    return [v0.OfferID(value=offer) if isinstance(offer, str) else own(v0.OfferID, offer) for offer in offers]
