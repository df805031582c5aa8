"""Resource providers on agents: what UpdateSlaveMessage tells of them, brought into the books (V9, S98).

A provider that is new brings its resources and its operations: the master failed over, the agent restarted, or it has
just subscribed. One that is known may have other resources than before, and have forgotten operations. One that is not
listed any more is gone with all of that. The master applies reservations and volumes to a provider's resources before
the provider has; what it lists is what is.
"""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.operations.updates import OperationUpdates
from messor.master.state.agent import AgentRecord, ProviderRecord
from messor.master.state.tables import MasterState
from messor.model.resource_formats import upgraded
from messor.model.resources import Resources, validate_resources
from messor.model.task_states import is_terminal_operation
from messor.protos import internal, v0

log = logging.getLogger(__name__)

Listed = internal.UpdateSlaveMessage.ResourceProvider


class ListedProvider:
    """A provider as an agent lists it, checked."""

    __slots__ = ("id", "info", "operations", "resource_version", "total")

    def __init__(self, listed: Listed) -> None:
        """Read it; raises InvalidRequest."""
        self.id = listed.info.id.value
        if not self.id:
            raise InvalidRequest("a resource provider has no id")
        validate_resources(listed.total_resources)
        self.total = Resources.of(upgraded(listed.total_resources))
        for kind in self.total.kinds():
            if kind.provider_id != self.id:
                raise InvalidRequest(f"{self.total} is not of resource provider {self.id}")
        self.info = v0.ResourceProviderInfo()
        self.info.CopyFrom(listed.info)
        self.resource_version = listed.resource_version_uuid.value
        self.operations = {item.uuid.value: item for item in listed.operations.operations}


def read_providers(message: internal.UpdateSlaveMessage) -> dict[str, ListedProvider] | None:
    """Read the providers of an agent, by id; None when it does not speak of them. Raises InvalidRequest."""
    if not message.HasField("resource_providers"):
        return None
    result: dict[str, ListedProvider] = {}
    for listed in message.resource_providers.providers:
        provider = ListedProvider(listed)
        if provider.id in result:
            raise InvalidRequest(f"resource provider {provider.id} is listed twice")
        result[provider.id] = provider
    return result


class Providers:
    """Follows the resource providers of agents."""

    def __init__(self, *, state: MasterState, allocator: Allocator, operations: OperationUpdates) -> None:
        """Collaborators."""
        self.state = state
        self.allocator = allocator
        self.operations = operations

    def listed(self, agent: AgentRecord, providers: dict[str, ListedProvider]) -> bool:
        """Bring an agent's list into the books; True when anything changed.

        The allocator hears of new providers here; of the agent's total it hears from the caller.
        """
        has_changed = False
        for each in providers.values():
            known = agent.providers.get(each.id)
            if known is None:
                self._add(agent, each)
                has_changed = True
            else:
                has_changed |= self._update(agent, known, each)
        for provider_id in [name for name in agent.providers if name not in providers]:
            self._remove(agent, provider_id)
            has_changed = True
        return has_changed

    def _add(self, agent: AgentRecord, listed: ListedProvider) -> None:
        """Add a new provider with its operations; those of frameworks not known are no business of the allocator."""
        log.info("Agent %s has resource provider %s with %s", agent.id, listed.id, listed.total)
        agent.providers[listed.id] = ProviderRecord(listed.info, listed.resource_version)
        agent.update_total(agent.total + listed.total)
        used: dict[str, Resources] = {}
        for item in listed.operations.values():
            if item.uuid.value in agent.operations:
                continue
            operation = self.operations.adopt(agent, item, listed.id)
            if operation is None or operation.is_orphan or not operation.consumed:
                continue
            operation.is_allocated = True
            framework_id = operation.framework_id or ""
            used[framework_id] = used.get(framework_id, Resources()) + operation.consumed
        self.allocator.add_resource_provider(agent.id, listed.total, used)

    def _update(self, agent: AgentRecord, provider: ProviderRecord, listed: ListedProvider) -> bool:
        """Take over what a known provider has now, and ask for operations it does not list.

        It knows of no operation under way that was not sent by us. Some may have ended: what became of them is in its
        total already.
        """
        ended = False
        for uuid, item in listed.operations.items():
            operation = agent.operations.get(uuid)
            if operation is not None and _has_ended_since(operation.state, item):
                self.operations.ended_in(agent, operation, item.latest_status)
                ended = True
        self.operations.ask(agent, listed.id, listed.operations)
        before = agent.of_provider(listed.id)
        if before == listed.total and provider.info == listed.info:
            same = provider.resource_version == listed.resource_version
            provider.resource_version = listed.resource_version
            return ended or not same
        log.info("Resource provider %s of agent %s now has %s", listed.id, agent.id, listed.total)
        self._replace(agent, listed)
        provider.info = listed.info
        provider.resource_version = listed.resource_version
        return True

    def _replace(self, agent: AgentRecord, listed: ListedProvider) -> None:
        """Put a provider's total in the place of what was thought to be it, less what orphans keep."""
        total = agent.total.filter(lambda kind: kind.provider_id != listed.id) + listed.total
        for operation in agent.operations.values():
            if operation.provider_id == listed.id and operation.is_orphan and operation.consumed:
                plain = operation.consumed.unallocated()
                if total.contains(plain):
                    total -= plain
                else:
                    operation.consumed = Resources()
        agent.update_total(total)

    def _remove(self, agent: AgentRecord, provider_id: str) -> None:
        """Forget a provider that disappeared, its resources and its operations."""
        log.info("Resource provider %s is no longer on agent %s", provider_id, agent.id)
        for operation in [one for one in agent.operations.values() if one.provider_id == provider_id]:
            self.operations.remove(operation)
        agent.update_total(agent.total.filter(lambda kind: kind.provider_id != provider_id))
        del agent.providers[provider_id]


def has_provided(resources: Resources) -> bool:
    """Whether any of these are a resource provider's."""
    return any(kind.provider_id is not None for kind in resources.kinds())


def _has_ended_since(state: int, item: v0.Operation) -> bool:
    return not is_terminal_operation(state) and is_terminal_operation(item.latest_status.state)
