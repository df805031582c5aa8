"""The agent as one actor: what it is made of and how the parts know each other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from messor.agent.capacity.totals import Machine, attributes, total_resources
from messor.agent.capacity.usage import Usage
from messor.agent.checkpoint.paths import Paths
from messor.agent.checkpoint.write import Checkpoints
from messor.agent.doors.endpoints import Endpoints
from messor.agent.doors.executor_calls import ExecutorCalls
from messor.agent.doors.operator_calls import Browsable, OperatorCalls
from messor.agent.doors.state_view import StateView
from messor.agent.executors.deliver import Deliveries
from messor.agent.executors.messages import ExecutorMessages
from messor.agent.executors.shutdown import Shutdowns
from messor.agent.executors.start import OwnFolder, Starts
from messor.agent.executors.subscribe import Subscriptions
from messor.agent.executors.terminate import Terminations
from messor.agent.joining.master_link import MasterLink
from messor.agent.joining.pings import Pings
from messor.agent.joining.register import Registration
from messor.agent.metrics import AgentMetrics
from messor.agent.operations.apply import Operations
from messor.agent.outbox import Outbox
from messor.agent.recovery.reconnect import Reconnection
from messor.agent.recovery.recover import Recovery
from messor.agent.state.invariants import violations
from messor.agent.state.lifecycles import AgentState
from messor.agent.state.signals import Signals
from messor.agent.state.tables import Tables
from messor.agent.tasks.drain import Drains
from messor.agent.tasks.kill import Kills
from messor.agent.tasks.launch import Launches
from messor.agent.updates.receive import Updates
from messor.agent.upkeep.disk_usage import DiskWatch, Measure
from messor.agent.upkeep.garbage import Garbage
from messor.agent.upkeep.retire import Files, Sandboxes
from messor.protos import internal, v0
from messor.runtime.actor import Actor, Component
from messor.security.authenticatee import Authentication, Patience
from messor.security.create_authorizer import create_authorizer
from messor.security.permissions import Permissions, guard_endpoints

if TYPE_CHECKING:
    from messor.agent.flags import AgentFlags
    from messor.containers.containerizer import Containerizer
    from messor.coordination.interfaces import Detector
    from messor.runtime.host import Host
    from messor.security.authorizer import Authorizer
    from messor.security.credentials import Credential
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)

NAME = "slave(1)"
"""What the agent is called on the wire."""


class BrowsableFiles(Files, Browsable, Protocol):
    """What shows sandboxes and lets calls look into them."""


class Agent(Actor):
    """Runs tasks on this host for the leading master.

    Everything it uses of the world is handed to it, so that the simulator can hand it something else. ``kill_all`` ends
    a retired agent's containerizer; ``detach`` leaves containers running when the agent merely stops.
    """

    def __init__(
        self,
        host: Host,
        flags: AgentFlags,
        containerizer: Containerizer,
        detector: Detector,
        *,
        machine: Machine | None = None,
        boot_id: str = "",
        own_folder: OwnFolder | None = None,
        libprocess_ip: str | None = None,
        measure_disk: Measure | None = None,
        files: BrowsableFiles | None = None,
        finished: Callable[[], object] | None = None,
        credential: Credential | None = None,
        authorizer: Authorizer | None = None,
    ) -> None:
        """Take the collaborators; raises ConfigurationError when resources or attributes make no sense.

        machine: what can be offered where ``--resources`` does not say. boot_id: changes with every boot. own_folder:
        gives a sandbox to its user. libprocess_ip: what executors are told to listen on. measure_disk: tells how full
        the disk is. files: where sandboxes are shown. finished: called when a terminating agent has ended everything;
        by default the process exits with status 0. credential: what is proved to masters. authorizer: who may
        do what, by default what the flags say.
        """
        super().__init__(NAME)
        self.host = host
        self.flags = flags
        self.containerizer = containerizer
        self.detector = detector
        self._boot_id = boot_id
        self._own_folder = own_folder
        self._libprocess_ip = libprocess_ip
        self._measure_disk = measure_disk
        self._files = files
        self._finished = finished
        self._credential = credential
        self.permissions = Permissions(authorizer or create_authorizer(flags.authorizer, flags.acls))
        info = v0.SlaveInfo(hostname=flags.hostname or host.hostname, port=host.network.port, checkpoint=True)
        total = total_resources(flags.resources, flags.default_role, machine or Machine())
        info.resources.extend(total.messages())
        info.attributes.extend(attributes(flags.attributes))
        if flags.domain is not None:
            info.domain.CopyFrom(flags.domain)
        self.tables = Tables(info, host.chance.uuid_bytes())
        self.tables.start_time = host.clock.now()
        self.signals = Signals()
        self.paths = Paths(flags.work_dir)

    # --- parts -------------------------------------------------------------------------------------------------------

    def components(self) -> Iterable[Component]:
        """Build the parts, lower ones first; each gets those it needs."""
        host, flags, tables, signals, paths = self.host, self.flags, self.tables, self.signals, self.paths
        self.metrics = AgentMetrics(host.metrics, tables, host.clock)
        self.outbox = Outbox(self, tables)
        checkpoints = Checkpoints(host.disk, paths, tables)
        self.checkpoints = checkpoints
        self.updates = Updates(host, tables, self.outbox, checkpoints, self.metrics, signals)
        self.garbage = Garbage(host, self.metrics, flags.gc_delay)
        self.disk_watch = DiskWatch(host, flags, self.metrics, self.garbage, self._measure_disk)
        self.sandboxes = Sandboxes(tables, paths, self.garbage, self._files, signals, self.permissions)
        terminations = Terminations(
            host, tables, self.outbox, checkpoints, self.metrics, signals, self.updates, self.containerizer
        )
        starts = Starts(
            host,
            flags,
            self.upid,
            tables,
            paths,
            checkpoints,
            self.metrics,
            signals,
            terminations,
            self.updates,
            self.containerizer,
            self._own_folder,
            self._libprocess_ip,
        )
        deliveries = Deliveries(host, tables, self.outbox, checkpoints, signals, terminations, self.containerizer)
        self.shutdowns = Shutdowns(
            host, flags, tables, self.outbox, signals, self.updates, terminations, self._all_gone
        )
        subscriptions = Subscriptions(host, tables, self.outbox, checkpoints, self.updates, deliveries, self.shutdowns)
        messages = ExecutorMessages(tables, self.outbox, self.metrics)
        launches = Launches(
            flags,
            tables,
            paths,
            self.outbox,
            checkpoints,
            self.updates,
            starts,
            deliveries,
            self.garbage,
            self.permissions,
        )
        kills = Kills(tables, self.outbox, self.updates, terminations, self.shutdowns)
        drains = Drains(host.clock, tables, checkpoints, kills, signals)
        self.operations = Operations(host, tables, paths, self.outbox, checkpoints)
        self.pings = Pings(host, tables, self.outbox)
        self.registration = Registration(
            host,
            flags,
            tables,
            self.outbox,
            checkpoints,
            self.updates,
            self.operations,
            self.pings.connected,
            self._authentication(),
        )
        self.link_to_master = MasterLink(
            host,
            tables,
            self.outbox,
            (self.updates.manager, self.operations.manager),
            self.registration,
            self.detector,
        )
        self.pings.link = self.link_to_master
        self.operations.out_of_step = self.link_to_master.lost

        def recovered() -> None:
            drains.resume()
            self.registration.begin()

        reconnection = Reconnection(host, flags, tables, self.outbox, terminations, self.shutdowns)
        self.recovery = Recovery(
            host,
            flags,
            tables,
            paths,
            checkpoints,
            self.metrics,
            signals,
            self.updates,
            terminations,
            reconnection,
            self.garbage,
            self.operations,
            self.containerizer,
            self._boot_id,
            recovered,
        )
        view = StateView(tables, flags, self.upid)
        usage = Usage(tables, self.containerizer)
        return (
            self.updates,
            terminations,
            starts,
            deliveries,
            self.shutdowns,
            subscriptions,
            messages,
            launches,
            kills,
            drains,
            self.operations,
            self.pings,
            self.registration,
            self.link_to_master,
            reconnection,
            self.recovery,
            ExecutorCalls(host, tables, self.updates, subscriptions, messages),
            Endpoints(host, tables, view, usage, self.permissions),
            OperatorCalls(host, tables, view, usage, self._files, self.permissions),
        )

    def _authentication(self) -> Authentication | None:
        """Make what proves our credential, if we have one, to masters; one that refuses it ends the agent (b.2)."""
        if self._credential is None:
            return None
        flags = self.flags
        return Authentication(
            self.host,
            self.upid,
            self._credential,
            proven=lambda: self.registration.authenticated(),  # noqa: PLW0108  (it is made after this)
            refused=lambda: self.host.exit(1, f"Master {self.tables.master} refused authentication"),
            patience=Patience(
                flags.authentication_backoff_factor, flags.authentication_timeout_min, flags.authentication_timeout_max
            ),
        )

    # --- life --------------------------------------------------------------------------------------------------------

    def started(self) -> None:
        """Recover, look for a master meanwhile."""
        guard_endpoints(self.host.directory, self.permissions)
        log.info("Agent started on %s with %s", self.upid, self.flags.work_dir)
        self.host.tasks.spawn(self.recovery.run(), "recover")
        self.link_to_master.start()
        self.disk_watch.start()

    def exited(self, peer: Upid) -> None:
        """Notice the master's end; that of executors is noticed by their containers."""
        if peer == self.tables.master:
            self.link_to_master.lost()

    def stopping(self) -> None:
        """Forget timers; executors of checkpointing frameworks live on."""
        self.link_to_master.stop()
        self.registration.stop()
        self.pings.stop()
        self.updates.stop()
        self.operations.stop()
        self.disk_watch.stop()
        self.garbage.stop()

    def retire(self, why: str) -> None:
        """Unregister and kill everything (SIGUSR1, G15)."""
        if self.tables.master is not None and self.tables.state is AgentState.RUNNING:
            self.outbox.to_master(internal.UnregisterSlaveMessage(slave_id=self.tables.info.id))
        self.shutdowns.shut_down_agent(why)

    def invariants_hold(self) -> bool:
        """Whether the books still balance after a handler raised."""
        return not violations(self.tables)

    def _all_gone(self, why: str) -> None:
        """End for good: the next start is a new agent, unless there was no id to forget."""
        if self.flags.recover != "cleanup" or self.tables.state is AgentState.TERMINATING:
            self.checkpoints.forget_agent()
        log.info("Agent terminating: %s", why)
        if self._finished is not None:
            self._finished()
        else:
            self.host.exit(0, why)
