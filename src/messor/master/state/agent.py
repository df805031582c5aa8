"""One agent as the master knows it."""

from __future__ import annotations

import sys

from messor.master.state.framework import ExecutorRecord
from messor.master.state.lifecycles import AgentState, changed_agent_state
from messor.master.state.offer import Batch, OfferRecord
from messor.master.state.operation import OperationRecord
from messor.master.state.task import TaskRecord
from messor.model.resources import EMPTY, Resources
from messor.protos import v0
from messor.runtime.host import Timer
from messor.wire.upid import Upid


class Front:
    """What making offers looks at of an agent; apart so that it lies together in memory."""

    __slots__ = (
        "batches",
        "has_executors",
        "is_connected",
        "is_deactivated",
        "offer_prefix",
        "pid_field",
        "state",
    )


class ProviderRecord:
    """A resource provider on an agent; what it has is part of the agent's total, marked with its id."""

    __slots__ = ("id", "info", "resource_version")

    def __init__(self, info: v0.ResourceProviderInfo, resource_version: bytes) -> None:
        """info carries its id."""
        self.id = info.id.value
        self.info = info
        self.resource_version = resource_version


class AgentRecord(Front):
    """A registered agent: one lifecycle state, and facts beside it."""

    def __init__(self, info: v0.SlaveInfo, pid: Upid, version: str, total: Resources) -> None:
        """info carries the agent id; total includes checkpointed (dynamic) resources."""
        self.id = sys.intern(info.id.value)  # one string for all who look it up: quicker to compare, and less memory
        self.info, self.pid, self.version = info, pid, version
        self.total = total
        self.checkpointed = Resources()
        self.state = AgentState.JOINING
        self.is_connected = True
        """Whether the link to it holds."""
        self.is_deactivated = False
        """Whether an operator took it out of the offers."""
        self.drain: v0.DrainInfo | None = None
        """How far it is when it was told to drain; None when it was not, or was put back since."""
        self.drain_began: float | None = None
        """When this master told it so last."""
        self.capabilities: frozenset[int] = frozenset()
        """SlaveInfo.Capability.Type numbers."""
        self.resource_version: bytes | None = None
        self.providers: dict[str, ProviderRecord] = {}
        """The resource providers on it, by id."""
        self.registered_at = 0.0
        self.reregistered_at: float | None = None
        self.tasks: dict[str, dict[str, TaskRecord]] = {}
        """By framework id, then task id."""
        self.killed_tasks: dict[str, set[str]] = {}
        """By framework id: kills to enforce when it comes back (S27)."""
        self.given_up_tasks: set[tuple[str, str]] = set()
        """(framework id, task id) of what it still had when it came back, and must end."""
        self.executors: dict[str, dict[str, ExecutorRecord]] = {}
        """By framework id, then executor id."""
        self.has_executors = False
        """Whether there are any."""
        self.operations: dict[bytes, OperationRecord] = {}
        """By uuid."""
        self.batches: tuple[Batch, ...] = ()
        """Those with an outstanding offer of its resources."""
        self.used: dict[str, Resources] = {}
        """By framework id: resources of tasks that are not terminal and of executors."""
        self.reregistration_timer: Timer | None = None
        """Runs while it is disconnected: --agent_reregister_timeout."""
        self.offer_prefix: bytes | None = None
        """Cached encoding of what all its Offers share (agent id, hostname, url, attributes, domain)."""
        self.pid_field = b""
        """Its pid as field 2 of ResourceOffersMessage; made together with the prefix."""
        self.fragment: bytes | None = None

    @property
    def hostname(self) -> str:
        """The name it advertises."""
        return self.info.hostname

    @property
    def is_active(self) -> bool:
        """Whether its resources may be offered."""
        return self.state is AgentState.ACTIVE and self.is_connected and not self.is_deactivated

    @property
    def offers(self) -> dict[str, OfferRecord]:
        """Its outstanding offers by id, oldest first."""
        offers = [batch.of_agent(self.id) for batch in self.batches]
        return {offer.id: offer for offer in offers if offer is not None}

    @property
    def offered(self) -> Resources:
        """What they hold together."""
        offered = EMPTY
        for batch in self.batches:
            offered += batch.offered[self.id]
        return offered

    def has(self, capability: int) -> bool:
        """Tell whether it has a SlaveInfo.Capability.Type."""
        return capability in self.capabilities

    def __str__(self) -> str:
        """Say which agent, as in Mesos' sentences."""
        return f"{self.id} at {self.pid} ({self.hostname})"

    def become(self, state: AgentState) -> None:
        """Change the lifecycle state; raises Broken when that is not legal."""
        self.state = changed_agent_state(self.state, state, self.id)
        self.fragment = None

    def task(self, framework_id: str, task_id: str) -> TaskRecord | None:
        """Find one of its tasks."""
        tasks = self.tasks.get(framework_id)
        return tasks.get(task_id) if tasks else None

    def executor(self, framework_id: str, executor_id: str) -> ExecutorRecord | None:
        """Find one of its executors."""
        executors = self.executors.get(framework_id)
        return executors.get(executor_id) if executors else None

    def update_total(self, total: Resources) -> None:
        """Take over what it has now; what was reserved or made a volume at run time is derived from it."""
        self.total = total
        self.checkpointed = total.filter(lambda kind: kind.is_dynamic or kind.is_persistent_volume)
        self.offer_prefix = None
        self.fragment = None

    def of_provider(self, provider_id: str) -> Resources:
        """Give what a resource provider has, with what operations keep whose framework is not known."""
        found = self.total.filter(lambda kind: kind.provider_id == provider_id)
        for operation in self.operations.values():
            if operation.provider_id == provider_id and operation.is_orphan:
                found += operation.consumed.unallocated()
        return found

    def total_used(self) -> Resources:
        """Add up what all frameworks use here."""
        result = Resources()
        for used in self.used.values():
            result += used
        return result
