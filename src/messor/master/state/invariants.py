"""What must hold between any two messages. Tests check it after every message; production samples it and logs."""

from __future__ import annotations

from collections.abc import Iterator

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.model.resources import Resources
from messor.protos import v0


def check(state: MasterState) -> list[str]:
    """Say what is wrong, one sentence each; empty when nothing is."""
    return [
        *_agent_indexes(state),
        *_framework_indexes(state),
        *(problem for agent in state.agents.values() for problem in _agent(state, agent)),
        *(problem for framework in state.frameworks.values() for problem in _framework(state, framework)),
        *_offers(state),
    ]


def _agent_indexes(state: MasterState) -> Iterator[str]:
    """Check that every agent is found where it should be, and nowhere else."""
    for agent_id, agent in state.agents.items():
        if agent.id != agent_id:
            yield f"agent {agent.id} is filed as {agent_id}"
        if agent.pid not in state.agents_by_pid:
            yield f"agent {agent.id} is not found by its pid {agent.pid}"
        if agent_id in state.recovered_agents or agent_id in state.unreachable_agents or agent_id in state.gone_agents:
            yield f"agent {agent_id} is registered and something else at once"
    for pid, agent in state.agents_by_pid.items():
        if state.agents.get(agent.id) is not agent or agent.pid != pid:
            yield f"{pid} leads to agent {agent.id}, which is at {agent.pid} or gone"


def _framework_indexes(state: MasterState) -> Iterator[str]:
    """Check that every framework is found where it should be, and nowhere else."""
    for framework_id, framework in state.frameworks.items():
        if framework.id != framework_id:
            yield f"framework {framework.id} is filed as {framework_id}"
        if framework_id in state.completed_frameworks:
            yield f"framework {framework_id} is live and completed at once"
        if framework.pid is not None and state.frameworks_by_pid.get(framework.pid) is not framework:
            yield f"framework {framework_id} is not found by its pid {framework.pid}"
        if framework.pid is not None and framework.stream is not None:
            yield f"framework {framework_id} is connected in two ways"
    for pid, framework in state.frameworks_by_pid.items():
        if state.frameworks.get(framework.id) is not framework or framework.pid != pid:
            yield f"{pid} leads to framework {framework.id}, which is at {framework.pid} or gone"


def _agent(state: MasterState, agent: AgentRecord) -> Iterator[str]:
    """Check what is on one agent, and who it belongs to."""
    for framework_id, tasks in agent.tasks.items():
        framework = state.frameworks.get(framework_id)
        for task_id, task in tasks.items():
            if (task.agent_id, task.framework_id, task.id) != (agent.id, framework_id, task_id):
                yield f"task {task.id} is filed under agent {agent.id}, framework {framework_id}, as {task_id}"
            if framework is None or framework.tasks.get(task_id) is not task:
                yield f"task {task_id} on agent {agent.id} is not one of framework {framework_id}"
    for framework_id, executors in agent.executors.items():
        framework = state.frameworks.get(framework_id)
        for executor_id, executor in executors.items():
            theirs = framework.executors.get(agent.id, {}) if framework is not None else {}
            if theirs.get(executor_id) is not executor:
                yield f"executor {executor_id} on agent {agent.id} is not one of framework {framework_id}"
    yield from _operations(state, agent)
    yield from _sums(agent)


def _operations(state: MasterState, agent: AgentRecord) -> Iterator[str]:
    """Check that every operation on an agent is known to its framework, unless it is an orphan."""
    for uuid, operation in agent.operations.items():
        name = uuid.hex()
        if operation.agent_id != agent.id or operation.uuid != uuid:
            yield f"operation {operation.uuid.hex()} is filed under agent {agent.id} as {name}"
        framework = state.frameworks.get(operation.framework_id or "")
        if operation.framework_id is not None and operation.is_orphan != (framework is None):
            yield f"operation {name} is {'' if operation.is_orphan else 'not '}an orphan, wrongly"
        if framework is not None and framework.operations.get(uuid) is not operation:
            yield f"operation {name} on agent {agent.id} is not one of framework {framework.id}"
        if operation.provider_id is not None and operation.provider_id not in agent.providers:
            yield f"operation {name} is of provider {operation.provider_id}, which is not on agent {agent.id}"
    for kind in agent.total.kinds():
        if kind.provider_id is not None and kind.provider_id not in agent.providers:
            yield f"agent {agent.id} has resources of provider {kind.provider_id}, which is not on it"


def _sums(agent: AgentRecord) -> Iterator[str]:
    """Check that what is counted as used and offered is right, and not more than there is."""
    performers = {each.framework_id for each in agent.operations.values() if each.framework_id and each.consumed}
    for framework_id in agent.tasks.keys() | agent.executors.keys() | agent.used.keys() | performers:
        expected = _use(agent, framework_id)
        counted = agent.used.get(framework_id, Resources())
        if counted != expected:
            yield f"framework {framework_id} uses {expected} of agent {agent.id} but {counted} is counted"
    offered = Resources()
    for offer in agent.offers.values():
        offered += offer.resources
    if offered != agent.offered:
        yield f"{offered} of agent {agent.id} is offered but {agent.offered} is counted"
    # An agent may return with tasks that use more than it has, as its oversubscribed resources are told later; only
    # what is offered must be there.
    kinds = set(agent.offered.unallocated().kinds())
    taken = (agent.total_used() + agent.offered).nonshared().unallocated().filter(lambda kind: kind in kinds)
    if not agent.total.contains(taken):
        yield f"agent {agent.id} has {agent.total} but {taken} is used or offered"


def _use(agent: AgentRecord, framework_id: str) -> Resources:
    """Add up what a framework's live tasks and executors use on an agent."""
    result = Resources()
    for task in agent.tasks.get(framework_id, {}).values():
        if not task.is_terminal and task.state != v0.TASK_UNREACHABLE:
            result += task.resources
    for executor in agent.executors.get(framework_id, {}).values():
        result += executor.resources
    for operation in agent.operations.values():
        if operation.framework_id == framework_id and not operation.is_orphan:
            result += operation.consumed
    return result


def _framework(state: MasterState, framework: FrameworkRecord) -> Iterator[str]:
    """Check that what a framework has is on agents that know of it."""
    for task_id, task in framework.tasks.items():
        agent = state.agents.get(task.agent_id)
        if agent is None or agent.task(framework.id, task_id) is not task:
            yield f"task {task_id} of framework {framework.id} is not on agent {task.agent_id}"
    for agent_id, executors in framework.executors.items():
        agent = state.agents.get(agent_id)
        for executor_id, executor in executors.items():
            if agent is None or agent.executor(framework.id, executor_id) is not executor:
                yield f"executor {executor_id} of framework {framework.id} is not on agent {agent_id}"
    for agent_id, used in framework.used.items():
        agent = state.agents.get(agent_id)
        if agent is None or agent.used.get(framework.id) != used:
            yield f"framework {framework.id} and agent {agent_id} disagree on what it uses there"
    for uuid, operation in framework.operations.items():
        agent = state.agents.get(operation.agent_id)
        if agent is None or agent.operations.get(uuid) is not operation:
            yield f"operation {uuid.hex()} of framework {framework.id} is not on agent {operation.agent_id}"
    if framework.is_recovered and framework.offers:
        yield f"framework {framework.id} was not heard of since the failover but has offers"


def _offers(state: MasterState) -> Iterator[str]:
    """Check that every offer is known to both sides, and nobody holds one that is over."""
    for offer_id, offer in state.offers.items():
        agent = state.agents.get(offer.agent_id)
        framework = state.frameworks.get(offer.framework_id)
        if agent is None or agent.offers.get(offer_id) is not offer:
            yield f"offer {offer_id} is not known to agent {offer.agent_id}"
        if framework is None or framework.offers.get(offer_id) is not offer:
            yield f"offer {offer_id} is not known to framework {offer.framework_id}"
    for agent in state.agents.values():
        for offer_id in agent.offers.keys() - state.offers.keys():
            yield f"agent {agent.id} has offer {offer_id}, which is over"
    for framework in state.frameworks.values():
        for offer_id in framework.offers.keys() - state.offers.keys():
            yield f"framework {framework.id} has offer {offer_id}, which is over"
