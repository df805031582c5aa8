"""What an agent has changed: UpdateSlaveMessage, sent after every registration and by oversubscription."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.agents.providers import Providers, has_provided, read_providers
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.operations.updates import OperationUpdates
from messor.master.state.agent import AgentRecord
from messor.master.state.tables import MasterState
from messor.model.resources import Resources, validate_resources
from messor.protos import internal
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.wire.texts import bad_text
from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class AgentUpdates(Component):
    """Notes an agent's new totals, its operations, and the resource providers on it."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: Allocator,
        metrics: MasterMetrics,
        rescinder: Rescinder,
        operations: OperationUpdates,
    ) -> None:
        """See the modules of the collaborators."""
        self.state = state
        self.allocator = allocator
        self.rescinder = rescinder
        self.operations = operations
        self.providers = Providers(state=state, allocator=allocator, operations=operations)
        self.messages = metrics.counter("messages_update_slave")

    @on(internal.UpdateSlaveMessage)
    def received(self, sender: Upid, message: internal.UpdateSlaveMessage) -> None:
        """Note the agent's resource version, its oversubscribed resources, and its resource providers.

        The allocator hears first and offers are rescinded afterwards: the other way round it would offer again what is
        no longer there. Agents before 1.5 do not say whether they speak of oversubscribed resources, but always do.
        """
        self.messages.increment()
        agent = self.state.agents.get(message.slave_id.value)
        if agent is None:
            self.ignore(message, f"agent {message.slave_id.value} at {sender} is not registered")
            return
        try:
            wrong = bad_text(message)
            if wrong is not None:
                raise InvalidRequest(f"{wrong} is not UTF-8")
            validate_resources(message.oversubscribed_resources)
            providers = read_providers(message)
        except InvalidRequest as error:
            self.ignore(message, f"agent {agent.id} sent invalid resources: {error}")
            return
        if message.HasField("resource_version_uuid"):
            agent.resource_version = message.resource_version_uuid.value
        self.operations.reported(agent, message)
        oversubscribed_changed = self._oversubscribed(agent, message)
        providers_changed = providers is not None and self.providers.listed(agent, providers)
        if oversubscribed_changed or providers_changed:
            log.info("Agent %s now has %s", agent.id, agent.total)
            self.allocator.update_agent(agent.id, agent.info, agent.total, agent.capabilities)
            self._take_back(agent, revocable=oversubscribed_changed, provided=providers_changed)
        self.state.signals.agent_reported(agent)

    def _take_back(self, agent: AgentRecord, *, revocable: bool, provided: bool) -> None:
        """Rescind the offers that may contain what is no longer there."""
        for offer in list(agent.offers.values()):
            if (revocable and offer.resources.revocable()) or (provided and has_provided(offer.resources)):
                self.rescinder.rescind(offer)

    def _oversubscribed(self, agent: AgentRecord, message: internal.UpdateSlaveMessage) -> bool:
        """Take over the agent's own oversubscribed resources if it speaks of them; True when they changed."""
        speaks_of_them = (
            not message.HasField("update_oversubscribed_resources") or message.update_oversubscribed_resources
        )
        if not speaks_of_them:
            return False
        rest = agent.total.filter(lambda kind: not kind.is_revocable or kind.provider_id is not None)
        total = rest + Resources.of(message.oversubscribed_resources).revocable()
        if total == agent.total:
            return False
        agent.total = total
        agent.fragment = None
        return True
