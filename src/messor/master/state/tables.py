"""MasterState: all records and the indexes between them.

Rule: whoever adds or removes a task, executor or offer does it here, so that the framework's and the agent's views, and
what each uses, change together. Nothing here talks to the allocator or the network.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from messor.errors import Broken
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import ExecutorRecord, FrameworkRecord
from messor.master.state.machine import Machine
from messor.master.state.offer import Batch, InverseOfferRecord, OfferBook, OfferRecord
from messor.master.state.operation import OperationRecord
from messor.master.state.signals import Signals
from messor.master.state.task import TaskRecord
from messor.model.quotas import Quota
from messor.model.resources import EMPTY, Resources
from messor.protos import v0
from messor.wire.upid import Upid

MOST_REMOVED_AGENTS = 100_000


class MasterState:
    """What the master knows."""

    def __init__(self, info: v0.MasterInfo, *, max_completed_frameworks: int = 50) -> None:
        """Start empty; info is what this master announces."""
        self.info = info
        self.signals = Signals()
        self.frameworks: dict[str, FrameworkRecord] = {}
        self.completed_frameworks: OrderedDict[str, FrameworkRecord] = OrderedDict()
        self.max_completed_frameworks = max_completed_frameworks
        self.frameworks_by_pid: dict[Upid, FrameworkRecord] = {}
        self.agents: dict[str, AgentRecord] = {}
        """Registered ones, connected or not."""
        self.agents_by_pid: dict[Upid, AgentRecord] = {}
        self.recovered_agents: dict[str, v0.SlaveInfo] = {}
        """Admitted before a failover and not heard of yet."""
        self.rejoining_agents: set[str] = set()
        """Ids of agents without a record whose re-registration waits for the registry."""
        self.marking_unreachable: set[str] = set()
        """Ids of recovered agents that the registry is being told to be unreachable."""
        self.unreachable_agents: OrderedDict[str, v0.TimeInfo] = OrderedDict()
        self.gone_agents: OrderedDict[str, v0.TimeInfo] = OrderedDict()
        self.removed_agents: OrderedDict[str, float] = OrderedDict()
        """When agents left, by id, latest last; at most 100,000 (Y1). Also those that are unreachable or gone."""
        self.unreachable_tasks: dict[str, dict[str, list[str]]] = {}
        """Task ids by framework id by unreachable agent, to find them when it returns or is forgotten."""
        self.offers = OfferBook()
        self.inverse_offers: dict[str, InverseOfferRecord] = {}
        """Those nobody answered."""
        self.machines: dict[tuple[str, str], Machine] = {}
        """Those that are not up, by hostname in lower case and ip."""
        self.marking_gone: set[str] = set()
        """Ids of agents that the registry is being told to be gone."""
        self.draining_agents: dict[str, v0.DrainInfo] = {}
        """How far those are that were told to drain, registered or not; they are deactivated, too."""
        self.deactivated_agents: set[str] = set()
        """Those an operator took out of the offers, registered or not."""
        self.quotas: dict[str, Quota] = {}
        """By top-level role; a quota that was reset stays, empty, until the next failover."""
        self.weights: dict[str, float] = {}
        """Of roles an operator gave one; all others weigh 1."""
        self.next_framework = 0
        self.next_agent = 0
        self.next_offer = 0
        self._offer_prefix = f"{info.id}-O"
        self.elected_at: float | None = None
        self.started_at = 0.0
        self.is_recovered = False
        """Whether this master leads and has read the registry."""

    # --- identifiers (protocols g) -----------------------------------------------------------------------------------

    def new_framework_id(self) -> str:
        """Mint ``<master id>-NNNN``."""
        self.next_framework += 1
        return f"{self.info.id}-{self.next_framework - 1:04d}"

    def new_agent_id(self) -> str:
        """Mint ``<master id>-S<n>``."""
        self.next_agent += 1
        return f"{self.info.id}-S{self.next_agent - 1}"

    def new_offer_id(self) -> str:
        """Mint ``<master id>-O<n>``; inverse offers share the counter."""
        number = self.next_offer
        self.next_offer = number + 1
        return f"{self._offer_prefix}{number}"

    # --- frameworks --------------------------------------------------------------------------------------------------

    def add_framework(self, framework: FrameworkRecord) -> None:
        """Add a framework and give it back its operations; raises Broken when its id is taken.

        What those keep counts as used by it from now on, and the totals of their agents have it again.
        """
        if framework.id in self.frameworks:
            raise Broken(f"framework {framework.id} is there already")
        self.frameworks[framework.id] = framework
        for agent in self.agents.values():
            for operation in agent.operations.values():
                if operation.framework_id == framework.id:
                    operation.is_orphan = False
                    framework.operations[operation.uuid] = operation
                    if operation.consumed:
                        agent.update_total(agent.total + operation.consumed.unallocated())
                        operation.is_allocated = True
                        self.use(framework, agent, operation.consumed)

    def connect_pid(self, framework: FrameworkRecord, pid: Upid | None) -> None:
        """Change the pid a framework is reached at, None when it is not reached through libprocess."""
        if framework.pid is not None:
            self.frameworks_by_pid.pop(framework.pid, None)
        framework.pid = pid
        if pid is not None:
            self.frameworks_by_pid[pid] = framework

    def complete_framework(self, framework: FrameworkRecord) -> set[str]:
        """Move a framework to the completed ones; it must hold nothing any more but what its operations keep.

        Gives the ids of the agents whose totals are without that now: the allocator must hear of it.
        """
        pid = framework.pid
        self.connect_pid(framework, None)
        framework.pid = pid  # the endpoints go on showing where it was
        del self.frameworks[framework.id]
        smaller: set[str] = set()
        for operation in framework.operations.values():
            operation.is_orphan = True
            if operation.consumed:
                agent = self.agents[operation.agent_id]
                self.release(framework, agent, operation.consumed)
                self._set_aside(agent, operation)
                smaller.add(agent.id)
        framework.operations.clear()
        self.completed_frameworks[framework.id] = framework
        while len(self.completed_frameworks) > self.max_completed_frameworks:
            self.completed_frameworks.popitem(last=False)
        return smaller

    # --- agents ------------------------------------------------------------------------------------------------------

    def add_agent(self, agent: AgentRecord) -> None:
        """Add a registered agent; raises Broken when its id is taken."""
        if agent.id in self.agents:
            raise Broken(f"agent {agent.id} is there already")
        self.agents[agent.id] = agent
        self.agents_by_pid[agent.pid] = agent

    def move_agent(self, agent: AgentRecord, pid: Upid) -> None:
        """Note the address an agent re-registered from."""
        if self.agents_by_pid.get(agent.pid) is agent:
            del self.agents_by_pid[agent.pid]
        agent.pid = pid
        self.agents_by_pid[pid] = agent

    def remove_agent(self, agent: AgentRecord, now: float) -> None:
        """Forget an agent, but remember its id; it must hold no task, executor or offer any more."""
        del self.agents[agent.id]
        if self.agents_by_pid.get(agent.pid) is agent:
            del self.agents_by_pid[agent.pid]
        self.removed_agents[agent.id] = now
        while len(self.removed_agents) > MOST_REMOVED_AGENTS:
            self.removed_agents.popitem(last=False)

    def remember_unreachable(self, task: TaskRecord) -> None:
        """Note that a task went with its unreachable agent."""
        self.unreachable_tasks.setdefault(task.agent_id, {}).setdefault(task.framework_id, []).append(task.id)

    def forget_unreachable(self, agent_id: str) -> None:
        """Forget the unreachable tasks of an agent: it returned, or is no longer remembered itself."""
        for framework_id, task_ids in self.unreachable_tasks.pop(agent_id, {}).items():
            framework = self.frameworks.get(framework_id)
            if framework is not None:
                for task_id in task_ids:
                    framework.unreachable_tasks.pop(task_id, None)

    # --- tasks and executors -----------------------------------------------------------------------------------------

    def add_task(self, task: TaskRecord, *, counts: bool = True) -> None:
        """Add a task to its agent and framework; counts: whether its resources are in use (it is not terminal)."""
        agent = self.agents[task.agent_id]
        framework = self.frameworks[task.framework_id]
        agent.tasks.setdefault(task.framework_id, {})[task.id] = task
        framework.tasks[task.id] = task
        if counts:
            self.use(framework, agent, task.resources)
        agent.fragment = None

    def remove_task(self, task: TaskRecord, *, counted: bool) -> None:
        """Take a task off its agent and framework; counted: whether its resources were still in use."""
        agent = self.agents.get(task.agent_id)
        framework = self.frameworks.get(task.framework_id)
        if agent is not None:
            tasks = agent.tasks.get(task.framework_id)
            if tasks is not None and tasks.pop(task.id, None) is not None and not tasks:
                del agent.tasks[task.framework_id]
            agent.fragment = None
        if framework is not None:
            framework.tasks.pop(task.id, None)
            if agent is not None and counted:
                self.release(framework, agent, task.resources)

    def add_executor(self, executor: ExecutorRecord) -> None:
        """Add an executor to its agent and framework."""
        agent = self.agents[executor.agent_id]
        framework = self.frameworks[executor.framework_id]
        agent.executors.setdefault(executor.framework_id, {})[executor.id] = executor
        agent.has_executors = True
        framework.executors.setdefault(executor.agent_id, {})[executor.id] = executor
        self.use(framework, agent, executor.resources)
        agent.fragment = None

    def remove_executor(self, executor: ExecutorRecord) -> None:
        """Take an executor off its agent and framework."""
        agent = self.agents.get(executor.agent_id)
        framework = self.frameworks.get(executor.framework_id)
        for holder, key in ((agent, executor.framework_id), (framework, executor.agent_id)):
            if holder is not None and key in holder.executors:
                holder.executors[key].pop(executor.id, None)
                if not holder.executors[key]:
                    del holder.executors[key]
        if agent is not None:
            agent.has_executors = bool(agent.executors)
            if framework is not None:
                self.release(framework, agent, executor.resources)
                agent.fragment = None

    def use(self, framework: FrameworkRecord, agent: AgentRecord, resources: Resources) -> None:
        """Count resources as used by a framework on an agent."""
        agent.used[framework.id] = framework.used[agent.id] = framework.used.get(agent.id, Resources()) + resources

    def release(self, framework: FrameworkRecord, agent: AgentRecord, resources: Resources) -> None:
        """Stop counting resources as used."""
        left = framework.used.get(agent.id, Resources()) - resources
        if left:
            agent.used[framework.id] = framework.used[agent.id] = left
        else:
            agent.used.pop(framework.id, None)
            framework.used.pop(agent.id, None)

    # --- offers ------------------------------------------------------------------------------------------------------

    def make_offers(
        self,
        framework: FrameworkRecord,
        role: str,
        offered: Mapping[str, Resources],
        agents: Iterable[AgentRecord],
        now: float,
    ) -> Batch:
        """Mint and note outstanding offers to a framework for a role; offered is by id of these agents."""
        batch = Batch(self._offer_prefix, self.next_offer, framework.id, role, offered, now)
        self.next_offer += len(batch.offered)
        self.offers.add(batch)
        framework.offers.add(batch)
        only = (batch,)
        for agent in agents:
            agent.batches = agent.batches + only if agent.batches else only
        return batch

    def remove_offer(self, offer: OfferRecord) -> None:
        """Forget an offer; giving its resources back to the allocator is the caller's business."""
        batch = offer.batch
        batch.end(offer.agent_id)
        agent = self.agents.get(offer.agent_id)
        if agent is not None:
            batches = agent.batches
            agent.batches = () if len(batches) == 1 else tuple([one for one in batches if one is not batch])
        if not batch.offered:
            self.offers.discard(batch)
            framework = self.frameworks.get(offer.framework_id)
            if framework is not None:
                framework.offers.discard(batch)

    def remove_inverse_offer(self, record: InverseOfferRecord) -> None:
        """Forget an inverse offer and stop its timer; telling the allocator is the caller's business."""
        if record.timer is not None:
            record.timer.cancel()
            record.timer = None
        del self.inverse_offers[record.id]

    # --- operations --------------------------------------------------------------------------------------------------

    def add_operation(self, operation: OperationRecord) -> None:
        """Add an operation to its agent and, if that is known, its framework, and book what it keeps."""
        agent = self.agents[operation.agent_id]
        agent.operations[operation.uuid] = operation
        if operation.framework_id is None:
            return
        framework = self.frameworks.get(operation.framework_id)
        operation.is_orphan = framework is None
        if framework is not None:
            framework.operations[operation.uuid] = operation
            if operation.consumed:
                self.use(framework, agent, operation.consumed)
        elif operation.consumed:
            self._set_aside(agent, operation)

    def _set_aside(self, agent: AgentRecord, operation: OperationRecord) -> None:
        """Take what an orphan keeps out of its agent's total, if that still has it."""
        plain = operation.consumed.unallocated()
        if agent.total.contains(plain):
            agent.update_total(agent.total - plain)
        else:
            operation.consumed = EMPTY

    def release_operation(self, operation: OperationRecord) -> None:
        """Free what an operation keeps; the allocator is the caller's business."""
        consumed, operation.consumed = operation.consumed, EMPTY
        if not consumed:
            return
        agent = self.agents[operation.agent_id]
        framework = self.frameworks.get(operation.framework_id or "")
        if framework is not None:
            self.release(framework, agent, consumed)
        else:
            agent.update_total(agent.total + consumed.unallocated())

    def remove_operation(self, operation: OperationRecord) -> None:
        """Forget an operation, which must keep nothing any more."""
        self.agents[operation.agent_id].operations.pop(operation.uuid, None)
        framework = self.frameworks.get(operation.framework_id or "")
        if framework is not None:
            framework.operations.pop(operation.uuid, None)

    # --- looking things up -------------------------------------------------------------------------------------------

    def tasks(self) -> Iterator[TaskRecord]:
        """Iterate over all tasks of all live frameworks."""
        for framework in self.frameworks.values():
            yield from framework.tasks.values()

    def find_task(self, framework_id: str, task_id: str) -> TaskRecord | None:
        """Find a task of a live framework."""
        framework = self.frameworks.get(framework_id)
        return framework.tasks.get(task_id) if framework else None
