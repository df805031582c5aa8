"""The master: which parts it is made of and how they are connected. Reads like a table of contents.

Every component takes the few collaborators it needs, by keyword: ``state``, ``outbox``, ``allocator``, ``registrar``,
``metrics``, ``flags``, ``host``, and other components by their noun. The master's UPID is known from the start, as the
host's address is fixed before any actor is made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messor.allocator.interfaces import AllocatorFactory
from messor.allocator.loading import find_allocator
from messor.coordination.contender import GroupContender
from messor.coordination.detector import GroupDetector
from messor.coordination.interfaces import Group
from messor.master.agents.deactivate import Activation
from messor.master.agents.disconnect import AgentDisconnection
from messor.master.agents.drain import Draining
from messor.master.agents.gone import Gone
from messor.master.agents.health import Health
from messor.master.agents.joining import Joining
from messor.master.agents.reconcile import Reconciling
from messor.master.agents.recovery import AgentRecovery
from messor.master.agents.register import Registration
from messor.master.agents.removal_limit import RemovalLimit
from messor.master.agents.remove import AgentRemoval
from messor.master.agents.reregister import Reregistration
from messor.master.agents.unreachable import Unreachable
from messor.master.agents.update import AgentUpdates
from messor.master.agents.whitelist import Whitelist
from messor.master.allocation import allocator_options
from messor.master.announcement import master_info
from messor.master.authentication import Authentication, http_authentication
from messor.master.authorization import Authorization
from messor.master.cluster.maintenance import Maintenance
from messor.master.cluster.quotas import Quotas
from messor.master.cluster.weights import Weights
from messor.master.doors.allocator_doors import allocator_doors
from messor.master.doors.endpoints import Endpoints
from messor.master.doors.event_stream import EventStream
from messor.master.doors.messages import SchedulerMessages
from messor.master.doors.operation_calls import OperationCalls
from messor.master.doors.operator_calls import OperatorCalls
from messor.master.doors.registry_view import RegistryView
from messor.master.doors.scheduler_calls import SchedulerCalls
from messor.master.doors.state_view import StateView
from messor.master.doors.summary_view import RolesView, SummaryView
from messor.master.doors.v1_view import V1View
from messor.master.flags import MasterFlags, removal_interval
from messor.master.frameworks.disconnect import Disconnection
from messor.master.frameworks.failover import Failover
from messor.master.frameworks.heartbeats import Heartbeats
from messor.master.frameworks.metrics import FrameworkMetrics, PrincipalMetrics
from messor.master.frameworks.recover import FrameworkRecovery
from messor.master.frameworks.remove import FrameworkRemoval
from messor.master.frameworks.subscribe import Subscriptions
from messor.master.frameworks.update import FrameworkUpdates
from messor.master.leadership import Leadership
from messor.master.metrics import MasterMetrics
from messor.master.offers.accept import Accepts
from messor.master.offers.decline import Demand
from messor.master.offers.inverse import InverseOffers
from messor.master.offers.make import OfferMaker
from messor.master.offers.rescind import Rescinder
from messor.master.operations.perform import Performer
from messor.master.operations.reconcile import OperationReconciliation
from messor.master.operations.updates import OperationUpdates
from messor.master.outbox import Outbox
from messor.master.registry.collect import Collector
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.registry.stores import open_storage
from messor.master.state import invariants
from messor.master.state.tables import MasterState
from messor.master.tasks.acknowledge import Acknowledgements
from messor.master.tasks.executors import Executors
from messor.master.tasks.kill import Kills
from messor.master.tasks.reconcile import Reconciliation
from messor.master.tasks.updates import TaskUpdates
from messor.model.roles import parse_weights
from messor.protos.mesos.authentication.authentication_pb2 import AuthenticateMessage
from messor.runtime.actor import Actor, Component
from messor.runtime.host import Host
from messor.security.authorizer import Authorizer
from messor.security.create_authorizer import create_authorizer
from messor.security.credentials import Secrets
from messor.security.permissions import guard_endpoints
from messor.storage.versioned import Storage
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

NAME = "master"

AUTHENTICATE = AuthenticateMessage.DESCRIPTOR.full_name


class Master(Actor):
    """The actor ``master``."""

    def __init__(
        self,
        host: Host,
        flags: MasterFlags,
        storage: Storage | None = None,
        group: Group | None = None,
        secrets: Secrets | None = None,
        allocator: AllocatorFactory | None = None,
        authorizer: Authorizer | None = None,
    ) -> None:
        """Build all parts; nothing happens before ``started``.

        storage: where the registry is, by default what the flags say. group: the masters it stands for election with;
        without one it leads. secrets: of those who may be authenticated. allocator: makes one, authorizer: says who may
        do what; by default those that flags name. Raises ConfigurationError for flags that do not fit together and
        stores that cannot be opened.
        """
        super().__init__(NAME)
        self.host = host
        self.upid = Upid(NAME, host.network.ip, host.network.port)
        self.flags = flags
        self.group = group
        self.storage = storage if storage is not None else open_storage(flags, host)
        self.state = MasterState(
            master_info(host, self.upid, flags), max_completed_frameworks=flags.max_completed_frameworks
        )
        self.state.started_at = host.clock.now()
        self.metrics = MasterMetrics(host.metrics, self.state, host.clock)
        self.outbox = Outbox(host=host, upid=self.upid, state=self.state)
        self.registrar = Registrar(
            host=host,
            storage=self.storage,
            fetch_timeout=flags.registry_fetch_timeout,
            store_timeout=flags.registry_store_timeout,
        )
        self.authentication = Authentication(
            host=host, upid=self.upid, flags=flags, outbox=self.outbox, metrics=self.metrics, secrets=secrets
        )
        self.http_authentication = http_authentication(flags, secrets)
        self.authorization = Authorization(authorizer or create_authorizer(flags.authorizers, flags.acls))
        self.allocator = (allocator or find_allocator(flags.allocator))(
            host,
            allocator_options(flags),
            # The parts that these reach are built upon it: they are not there yet.
            lambda framework_id, offers: self.maker.offer(framework_id, offers),  # noqa: PLW0108
            on_inverse_offers=lambda framework_id, windows: self.inverse_offers.ask(framework_id, windows),  # noqa: PLW0108
            on_rescind=lambda framework_id, agent_ids: self.rescinder.rescind_on(framework_id, agent_ids),  # noqa: PLW0108
        )
        self._build_tasks()
        self._build_offers()
        self._build_frameworks()
        self._build_watch()
        self._build_agents()
        self._build_leadership()
        self._build_doors()
        self._build_views()

    # --- parts, from the bottom up -----------------------------------------------------------------------------------

    def _build_tasks(self) -> None:
        state, outbox, metrics, host = self.state, self.outbox, self.metrics, self.host
        self.updates = TaskUpdates(state=state, outbox=outbox, allocator=self.allocator, metrics=metrics, host=host)
        self.acknowledgements = Acknowledgements(state=state, outbox=outbox, metrics=metrics, updates=self.updates)
        self.reconciliation = Reconciliation(state=state, outbox=outbox, metrics=metrics, host=host)
        self.kills = Kills(state=state, outbox=outbox, metrics=metrics, reconciliation=self.reconciliation)
        self.executors = Executors(state=state, outbox=outbox, allocator=self.allocator, metrics=metrics)
        self.performer = Performer(state=state, outbox=outbox, metrics=metrics, host=host)
        self.operation_updates = OperationUpdates(
            state=state, outbox=outbox, allocator=self.allocator, metrics=metrics, host=host
        )
        self.operation_reconciliation = OperationReconciliation(state=state, outbox=outbox, metrics=metrics)

    def _build_offers(self) -> None:
        state, outbox, allocator = self.state, self.outbox, self.allocator
        self.rescinder = Rescinder(state=state, outbox=outbox, allocator=allocator)
        self.maker = OfferMaker(
            state=state, outbox=outbox, allocator=allocator, flags=self.flags, host=self.host, rescinder=self.rescinder
        )
        self.inverse_offers = InverseOffers(
            state=state, outbox=outbox, allocator=allocator, host=self.host, flags=self.flags, rescinder=self.rescinder
        )
        self.demand = Demand(state=state, allocator=allocator, metrics=self.metrics, rescinder=self.rescinder)
        self.accepts = Accepts(
            state=state,
            outbox=outbox,
            allocator=allocator,
            metrics=self.metrics,
            updates=self.updates,
            rescinder=self.rescinder,
            performer=self.performer,
            approve=self.authorization.refuse_task if self.authorization.is_on else None,
            approve_operation=self.authorization.refuse_operation if self.authorization.is_on else None,
        )

    def _build_frameworks(self) -> None:
        state, outbox, allocator, host, metrics = self.state, self.outbox, self.allocator, self.host, self.metrics
        self.framework_metrics = FrameworkMetrics(state=state, metrics=metrics, flags=self.flags)
        self.principals = PrincipalMetrics(state=state, metrics=metrics)
        self.heartbeats = Heartbeats(host=host, outbox=outbox, flags=self.flags)
        self.framework_recovery = FrameworkRecovery(state=state, allocator=allocator, flags=self.flags)
        self.framework_removal = FrameworkRemoval(
            state=state,
            outbox=outbox,
            allocator=allocator,
            metrics=metrics,
            host=host,
            updates=self.updates,
            executors=self.executors,
            rescinder=self.rescinder,
        )
        self.disconnection = Disconnection(
            state=state,
            outbox=outbox,
            allocator=allocator,
            metrics=metrics,
            host=host,
            rescinder=self.rescinder,
            removal=self.framework_removal,
        )
        self.framework_updates = FrameworkUpdates(
            state=state,
            outbox=outbox,
            allocator=allocator,
            flags=self.flags,
            rescinder=self.rescinder,
            authorization=self.authorization,
        )
        self.failover = Failover(
            state=state,
            outbox=outbox,
            allocator=allocator,
            host=host,
            rescinder=self.rescinder,
            disconnection=self.disconnection,
            heartbeats=self.heartbeats,
        )
        self.subscriptions = Subscriptions(
            state=state,
            outbox=outbox,
            allocator=allocator,
            host=host,
            flags=self.flags,
            metrics=metrics,
            recovery=self.framework_recovery,
            framework_updates=self.framework_updates,
            failover=self.failover,
            authentication=self.authentication,
        )

    def _build_watch(self) -> None:
        """Build what gives agents up, and takes them down."""
        state, metrics, host, flags = self.state, self.metrics, self.host, self.flags
        rate = flags.agent_removal_rate_limit
        self.limit = RemovalLimit(host.clock, removal_interval(rate) if rate is not None else 0.0)
        self.health = Health(
            host=host,
            state=state,
            metrics=metrics,
            limit=self.limit,
            ping_timeout=flags.agent_ping_timeout,
            max_ping_timeouts=flags.max_agent_ping_timeouts,
        )
        self.agent_removal = AgentRemoval(
            state=state,
            outbox=self.outbox,
            allocator=self.allocator,
            registrar=self.registrar,
            metrics=metrics,
            clock=host.clock,
            health=self.health,
            updates=self.updates,
            executors=self.executors,
            rescinder=self.rescinder,
            operations=self.operation_updates,
        )
        self.unreachable = Unreachable(
            state=state,
            registrar=self.registrar,
            metrics=metrics,
            host=host,
            health=self.health,
            removal=self.agent_removal,
        )
        self.agent_disconnection = AgentDisconnection(
            state=state,
            allocator=self.allocator,
            metrics=metrics,
            flags=flags,
            clock=host.clock,
            limit=self.limit,
            updates=self.updates,
            executors=self.executors,
            rescinder=self.rescinder,
            unreachable=self.unreachable,
        )

    def _build_agents(self) -> None:
        """Build what lets agents in."""
        state, outbox, allocator, clock = self.state, self.outbox, self.allocator, self.host.clock
        self.joining = Joining(
            state=state,
            allocator=allocator,
            flags=self.flags,
            health=self.health,
            outbox=outbox,
            authorization=self.authorization,
        )
        self.registration = Registration(
            state=state,
            outbox=outbox,
            registrar=self.registrar,
            metrics=self.metrics,
            clock=clock,
            joining=self.joining,
            authentication=self.authentication,
            removal=self.agent_removal,
        )
        self.reregistration = Reregistration(
            state=state,
            outbox=outbox,
            allocator=allocator,
            registrar=self.registrar,
            metrics=self.metrics,
            clock=clock,
            joining=self.joining,
            authentication=self.authentication,
            reconciling=Reconciling(state=state, outbox=outbox, clock=clock, executors=self.executors),
            recovery=self.framework_recovery,
            rescinder=self.rescinder,
            performer=self.performer,
        )
        self.agent_updates = AgentUpdates(
            state=state,
            allocator=allocator,
            metrics=self.metrics,
            rescinder=self.rescinder,
            operations=self.operation_updates,
        )

        self.whitelist = Whitelist(host=self.host, allocator=allocator, path=self.flags.whitelist)

    def _build_leadership(self) -> None:
        flags = self.flags
        self.agent_recovery = AgentRecovery(
            state=self.state,
            metrics=self.metrics,
            flags=flags,
            host=self.host,
            limit=self.limit,
            unreachable=self.unreachable,
        )
        self.collector = Collector(
            state=self.state,
            registrar=self.registrar,
            host=self.host,
            interval=flags.registry_gc_interval,
            max_age=flags.registry_max_agent_age,
            max_count=flags.registry_max_agent_count,
        )
        self.leadership = Leadership(
            state=self.state,
            host=self.host,
            registrar=self.registrar,
            recovery=self.agent_recovery,
            collector=self.collector,
            recovered=self._recovered,
            contender=GroupContender(self.group, self.state.info) if self.group is not None else None,
            detector=GroupDetector(self.host, self.group) if self.group is not None else None,
        )

    def _build_doors(self) -> None:
        self.scheduler_calls = SchedulerCalls(
            state=self.state,
            host=self.host,
            metrics=self.metrics,
            leadership=self.leadership,
            subscriptions=self.subscriptions,
            framework_updates=self.framework_updates,
            removal=self.framework_removal,
            accepts=self.accepts,
            demand=self.demand,
            inverse_offers=self.inverse_offers,
            acknowledgements=self.acknowledgements,
            kills=self.kills,
            reconciliation=self.reconciliation,
            executors=self.executors,
            operation_updates=self.operation_updates,
            operation_reconciliation=self.operation_reconciliation,
        )
        self.operation_calls = OperationCalls(
            state=self.state,
            allocator=self.allocator,
            leadership=self.leadership,
            rescinder=self.rescinder,
            performer=self.performer,
            approve=self.authorization.check_operation if self.authorization.is_on else None,
        )
        self.scheduler_messages = SchedulerMessages(
            state=self.state,
            outbox=self.outbox,
            calls=self.scheduler_calls,
            subscriptions=self.subscriptions,
            framework_updates=self.framework_updates,
            disconnection=self.disconnection,
            authentication=self.authentication,
        )

    def _build_views(self) -> None:
        state, flags, leadership = self.state, self.flags, self.leadership
        state_view = StateView(state=state, flags=flags, leadership=leadership)
        roles_view, v1_view = RolesView(state=state), V1View(state=state)
        self._build_cluster(roles_view)
        self.event_stream = EventStream(state=state, host=self.host, flags=flags, metrics=self.metrics, v1_view=v1_view)
        self.operator_calls = OperatorCalls(
            state=state,
            host=self.host,
            flags=flags,
            leadership=leadership,
            removal=self.framework_removal,
            v1_view=v1_view,
            roles_view=roles_view,
            event_stream=self.event_stream,
            authorization=self.authorization,
            answers={**self.quotas.answers, **self.weights.answers, **self.maintenance.answers},
            deeds={
                **self.operation_calls.deeds,
                **self.quotas.deeds,
                **self.weights.deeds,
                **self.maintenance.deeds,
                **self.activation.deeds,
                **self.gone.deeds,
                **self.draining.deeds,
            },
        )
        self.endpoints_v0 = Endpoints(
            state=state,
            flags=flags,
            leadership=leadership,
            state_view=state_view,
            summary_view=SummaryView(state=state, flags=flags, state_view=state_view),
            roles_view=roles_view,
            operator_calls=self.operator_calls,
            authorization=self.authorization,
        )
        self.allocator_doors = allocator_doors(
            state=state,
            flags=flags,
            allocator=self.allocator,
            leadership=leadership,
            host=self.host,
            authorization=self.authorization,
        )

    def _build_cluster(self, roles_view: RolesView) -> None:
        """Build what operators decide about the cluster as a whole."""
        whitelisted = self.framework_updates.allowed_roles
        self.quotas = Quotas(
            state=self.state,
            allocator=self.allocator,
            registrar=self.registrar,
            leadership=self.leadership,
            rescinder=self.rescinder,
            roles_view=roles_view,
            authorization=self.authorization,
            whitelisted=whitelisted,
        )
        self.weights = Weights(
            state=self.state,
            allocator=self.allocator,
            registrar=self.registrar,
            leadership=self.leadership,
            rescinder=self.rescinder,
            authorization=self.authorization,
            given=parse_weights(self.flags.weights or ""),
            whitelisted=whitelisted,
        )
        self.maintenance = Maintenance(
            state=self.state,
            allocator=self.allocator,
            registrar=self.registrar,
            leadership=self.leadership,
            rescinder=self.rescinder,
            outbox=self.outbox,
            host=self.host,
            removal=self.agent_removal,
            authorization=self.authorization,
        )
        self.activation = Activation(
            state=self.state, allocator=self.allocator, registrar=self.registrar, rescinder=self.rescinder
        )
        self.gone = Gone(
            state=self.state,
            outbox=self.outbox,
            registrar=self.registrar,
            clock=self.host.clock,
            removal=self.agent_removal,
        )
        self.draining = Draining(
            state=self.state,
            outbox=self.outbox,
            registrar=self.registrar,
            host=self.host,
            activation=self.activation,
            gone=self.gone,
        )

    def components(self) -> Iterable[Component]:
        """List the parts whose handlers and endpoints are the master's."""
        return (
            self.authentication,
            self.updates,
            self.executors,
            self.registration,
            self.reregistration,
            self.agent_removal,
            self.agent_updates,
            self.scheduler_calls,
            self.scheduler_messages,
            self.operation_updates,
            self.operation_calls,
            self.quotas,
            self.weights,
            self.maintenance,
            self.operator_calls,
            self.endpoints_v0,
            *self.allocator_doors,
        )

    # --- life --------------------------------------------------------------------------------------------------------

    def started(self) -> None:
        """Take part in the election."""
        log.info("Master %s (%s) started on %s", self.state.info.id, self.state.info.hostname, self.upid)
        if self.http_authentication is not None:
            self.host.directory.authenticate = self.http_authentication
        guard_endpoints(self.host.directory, self.authorization)
        self.host.directory.spawn(RegistryView(self.registrar))
        self.leadership.begin()

    def _recovered(self, contents: Contents) -> None:
        """Begin to allocate, now that it is known who may come back."""
        self.allocator.recover(len(contents.admitted), self.quotas.recover(contents))
        self.weights.recover(contents)
        self.maintenance.recover(contents)
        self.activation.recover(contents)
        self.allocator.start()
        self.whitelist.begin()

    def deliver(self, sender: Upid, name: str, body: bytes) -> None:
        """Take a message; as long as this master does not lead or has not recovered, drop it without a word.

        But for who wants to be authenticated: that is tried again after seconds only, so that a failover would take
        that long.
        """
        if self.state.is_recovered or name == AUTHENTICATE:
            counts = self.principals.of(sender)
            if counts is not None:
                counts[0] += 1
            super().deliver(sender, name, body)
            if counts is not None:
                counts[1] += 1
        else:
            log.debug("Dropping %s from %s: not recovered yet", name, sender)

    def exited(self, peer: Upid) -> None:
        """Hand a broken connection to whoever was behind it."""
        self.authentication.exited(peer)
        framework = self.state.frameworks_by_pid.get(peer)
        if framework is not None:
            self.disconnection.framework_disconnected(framework)
            return
        agent = self.state.agents_by_pid.get(peer)
        if agent is not None:
            self.agent_disconnection.agent_disconnected(agent)

    def stopping(self) -> None:
        """Stop timers and close the registry."""
        self.allocator.stop()
        self.whitelist.stop()
        self.heartbeats.stop()
        self.collector.stop()
        self.event_stream.stopping()
        self.health.stopping()
        self.storage.close()
        self.leadership.stopping()
        self.authentication.stopping()

    def invariants_hold(self) -> bool:
        """Check the books after a handler failed; an inconsistent master must not go on."""
        problems = invariants.check(self.state)
        for problem in problems:
            log.error("Inconsistent: %s", problem)
        return not problems
