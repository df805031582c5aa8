"""New agents: RegisterSlaveMessage (H1)."""

from __future__ import annotations

import logging

from messor.errors import Conflict, InvalidRequest
from messor.master.agents.joining import Joining, own_info, registry_info
from messor.master.agents.remove import AgentRemoval
from messor.master.authentication import Authentication
from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.registry import edits
from messor.master.registry.registrar import Registrar
from messor.master.state.agent import AgentRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.tables import MasterState
from messor.model.conversions import apply_checkpointed
from messor.model.resource_formats import upgrade_all
from messor.model.resources import Resources
from messor.protos import internal
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.runtime.host import Clock
from messor.wire.texts import bad_text
from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class Registration(Component):
    """Admits agents that have no id yet."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        registrar: Registrar,
        metrics: MasterMetrics,
        clock: Clock,
        joining: Joining,
        authentication: Authentication,
        removal: AgentRemoval,
    ) -> None:
        """See the modules of the collaborators."""
        self.state = state
        self.outbox = outbox
        self.registrar = registrar
        self.metrics = metrics
        self.clock = clock
        self.joining = joining
        self.authentication = authentication
        self.removal = removal
        self.messages = metrics.counter("messages_register_slave")
        self._under_way: set[Upid] = set()

    @on(internal.RegisterSlaveMessage)
    async def received(self, sender: Upid, message: internal.RegisterSlaveMessage) -> None:
        """Admit an agent once the registry knows it; agents repeat the message until they are answered."""
        self.messages.increment()
        if sender in self._under_way:
            self.ignore(message, f"the registration of {sender} is under way")
            return
        await self.authentication.settled(sender)
        if sender in self._under_way:
            return
        try:
            self.authentication.check_agent(sender)
            self._check(message)
            upgrade_all(message)
            self.joining.authorization.check_agent(
                message.slave, self.authentication.principals.get(sender), "register"
            )
            total = apply_checkpointed(Resources.of(message.slave.resources), message.checkpointed_resources)
        except InvalidRequest as error:
            self.ignore(message, f"the agent at {sender} cannot be registered: {error}")
            return
        down = self.joining.why_machine_is_down(message.slave, sender)
        if down is not None:
            log.warning("Refusing to register the agent at %s: %s", sender, down)
            self.outbox.to_pid(sender, internal.ShutdownMessage(message=down))
            return
        self._under_way.add(sender)
        try:
            await self._admit(sender, message, total)
        finally:
            self._under_way.discard(sender)

    def _check(self, message: internal.RegisterSlaveMessage) -> None:
        wrong = bad_text(message)
        if wrong is not None:
            raise InvalidRequest(f"{wrong} is not UTF-8")
        self.joining.check(message.slave, message.version, message.checkpointed_resources)
        if message.checkpointed_resources and not message.slave.checkpoint:
            raise InvalidRequest("Checkpointed resources provided when checkpointing is not enabled")

    async def _admit(self, sender: Upid, message: internal.RegisterSlaveMessage, total: Resources) -> None:
        known = self.state.agents_by_pid.get(sender)
        if known is not None:
            if known.is_connected:
                log.info("Agent %s at %s is registered already; answering again", known.id, sender)
                self._answer(known)
                return
            # It failed to recover and starts anew before the old one was given up (MESOS-8463).
            await self.removal.remove(
                known.id, "a new agent registered at the same address", self.metrics.removals_registered
            )
        info = own_info(message.slave)
        info.id.value = self.state.new_agent_id()
        log.info("Registering agent at %s (%s) with id %s", sender, info.hostname, info.id.value)
        try:
            await self.registrar.apply(edits.admit(registry_info(info)))
        except Conflict as error:
            self.ignore(message, f"{error}; the agent will try again")
            return
        agent = AgentRecord(info, sender, message.version, total)
        agent.checkpointed = Resources.of(message.checkpointed_resources)
        agent.capabilities = frozenset(capability.type for capability in message.agent_capabilities)
        agent.registered_at = self.clock.now()
        if message.HasField("resource_version_uuid"):
            agent.resource_version = message.resource_version_uuid.value
        agent.become(AgentState.ACTIVE)
        self.state.add_agent(agent)
        self.metrics.slave_registrations.increment()
        self.joining.add(agent)
        self._answer(agent)
        self.joining.watch(agent)
        log.info("Registered agent %s at %s (%s) with %s", agent.id, agent.pid, agent.hostname, agent.total)

    def _answer(self, agent: AgentRecord) -> None:
        answer = internal.SlaveRegisteredMessage(slave_id=agent.info.id, connection=self.joining.connection())
        self.outbox.to_agent(agent, answer)
