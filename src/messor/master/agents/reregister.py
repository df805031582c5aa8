"""Agents that come back: ReregisterSlaveMessage (H2, H4, H8).

They come back to a master that still has them registered (their connection broke or they restarted), that knows them
from the registry (the master failed over), that marked them unreachable, or that never heard of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messor.allocator.interfaces import Allocator
from messor.errors import Conflict, InvalidRequest
from messor.master.agents.joining import Joining, own_info, registry_info
from messor.master.agents.reconcile import Reconciling
from messor.master.agents.returned import (
    add_missing_allocations,
    check_lists,
    returned_executors,
    returned_task,
)
from messor.master.authentication import Authentication
from messor.master.frameworks.recover import FrameworkRecovery
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.operations.perform import Performer
from messor.master.outbox import Outbox
from messor.master.registry import edits
from messor.master.registry.registrar import Registrar
from messor.master.state.agent import AgentRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.tables import MasterState
from messor.model.conversions import apply_checkpointed
from messor.model.resource_formats import upgrade_all
from messor.model.resources import Resources
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.runtime.host import Clock
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

NOBODY = "@0.0.0.0:0"
"""What Mesos writes for "no pid"."""


class Reregistration(Component):
    """Takes agents back with all that runs on them."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        registrar: Registrar,
        metrics: MasterMetrics,
        clock: Clock,
        joining: Joining,
        authentication: Authentication,
        reconciling: Reconciling,
        recovery: FrameworkRecovery,
        rescinder: Rescinder,
        performer: Performer,
    ) -> None:
        """See the modules of the collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.registrar = registrar
        self.metrics = metrics
        self.clock = clock
        self.joining = joining
        self.authentication = authentication
        self.reconciling = reconciling
        self.recovery = recovery
        self.rescinder = rescinder
        self.performer = performer
        self.messages = metrics.counter("messages_reregister_slave")

    @on(internal.ReregisterSlaveMessage)
    async def received(self, sender: Upid, message: internal.ReregisterSlaveMessage) -> None:
        """Take an agent back; agents repeat the message until they are answered."""
        self.messages.increment()
        agent_id = message.slave.id.value
        await self.authentication.settled(sender)
        try:
            self.authentication.check_agent(sender)
        except InvalidRequest as error:
            self.ignore(message, f"agent {agent_id} at {sender} cannot be taken back: {error}")
            return
        why = self._not_now(agent_id)
        if why is not None:
            self.ignore(message, f"agent {agent_id} at {sender} {why}")
            return
        if agent_id in self.state.gone_agents:
            self._shut_down(sender, agent_id, "Agent has been marked gone")
            return
        down = self.joining.why_machine_is_down(message.slave, sender)
        if down is not None:
            self._shut_down(sender, agent_id, down)
            return
        try:
            check_lists(message)
            self.joining.check(message.slave, message.version, message.checkpointed_resources)
            upgrade_all(message)
            add_missing_allocations(message)
            self.joining.authorization.check_agent(
                message.slave, self.authentication.principals.get(sender), "reregister"
            )
            total = apply_checkpointed(Resources.of(message.slave.resources), message.checkpointed_resources)
        except InvalidRequest as error:
            self.ignore(message, f"agent {agent_id} at {sender} cannot be taken back: {error}")
            return
        known = self.state.agents.get(agent_id)
        if known is not None:
            await self._take_back_known(sender, message, known, total)
        else:
            await self._take_back_unknown(sender, message, total)

    def _not_now(self, agent_id: str) -> str | None:
        """Say why an agent must wait, if it must; it will try again."""
        agent = self.state.agents.get(agent_id)
        if agent_id in self.state.rejoining_agents or (agent and agent.state is AgentState.REJOINING):
            return "is re-registering already"
        if agent_id in self.state.marking_unreachable or (agent and agent.state is AgentState.MARKING_UNREACHABLE):
            return "is being marked unreachable"
        if agent_id in self.state.marking_gone:
            return "is being marked gone"
        if agent is not None and agent.state is AgentState.LEAVING:
            return "is being removed"
        return None

    def _shut_down(self, pid: Upid, agent_id: str, why: str) -> None:
        """Tell an agent to end itself and everything on it."""
        log.warning("Refusing to take back agent %s at %s: %s", agent_id, pid, why)
        self.outbox.to_pid(pid, internal.ShutdownMessage(message=why))

    # --- agents with a record ----------------------------------------------------------------------------------------

    async def _take_back_known(
        self, sender: Upid, message: internal.ReregisterSlaveMessage, agent: AgentRecord, total: Resources
    ) -> None:
        """Take back an agent that is registered: its connection broke, or it restarted, or its answer got lost."""
        if agent.pid.ip != sender.ip or agent.hostname != message.slave.hostname:
            # Maintenance is scheduled by machine, so an agent must not move.
            self._shut_down(sender, agent.id, "Agent attempted to reregister with different IP / hostname")
            return
        if message.slave != agent.info:
            agent.become(AgentState.REJOINING)
            try:
                await self.registrar.apply(edits.update(registry_info(message.slave)))
            except Conflict as error:
                log.warning("Agent %s was not in the registry: %s", agent.id, error)
            agent.become(AgentState.ACTIVE)
            if self.state.agents.get(agent.id) is not agent:
                self.ignore(message, f"agent {agent.id} was removed meanwhile; it will try again")
                return
        self.state.move_agent(agent, sender)
        self.outbox.link(sender)
        before = agent.total
        self._refresh(agent, message, total)
        agent.reregistered_at = self.clock.now()
        self.allocator.update_agent(agent.id, agent.info, agent.total, agent.capabilities)
        if agent.total != before:
            self.rescinder.rescind_agent(agent)  # they may contain what is no longer there
        self.reconciling.reconcile(agent, message, self.joining.connection())
        if not agent.is_connected:
            agent.is_connected = True
            if agent.reregistration_timer is not None:
                agent.reregistration_timer.cancel()
                agent.reregistration_timer = None
            if not agent.is_deactivated:
                self.allocator.activate_agent(agent.id)
        agent.fragment = None
        self._tell_frameworks(agent, message.frameworks)
        if not agent.has(v0.SlaveInfo.Capability.RESOURCE_PROVIDER):
            self.performer.send_checkpointed(agent)
        log.info("Agent %s at %s (%s) re-registered", agent.id, agent.pid, agent.hostname)
        self.state.signals.agent_returned(agent)

    def _refresh(self, agent: AgentRecord, message: internal.ReregisterSlaveMessage, total: Resources) -> None:
        """Note what may have changed while the agent was away.

        Oversubscribed resources and those of resource providers stay as they were until the agent tells of them.
        """
        agent.info = own_info(message.slave)
        agent.version = message.version
        agent.capabilities = frozenset(capability.type for capability in message.agent_capabilities)
        agent.resource_version = (
            message.resource_version_uuid.value if message.HasField("resource_version_uuid") else None
        )
        agent.offer_prefix = None
        if agent.has(v0.SlaveInfo.Capability.RESOURCE_PROVIDER):
            agent.checkpointed = Resources.of(message.checkpointed_resources)
        else:
            total = apply_checkpointed(Resources.of(message.slave.resources), agent.checkpointed.messages())
        agent.update_total(total + agent.total.filter(lambda kind: kind.is_revocable or kind.provider_id is not None))

    # --- agents without a record -------------------------------------------------------------------------------------

    async def _take_back_unknown(
        self, sender: Upid, message: internal.ReregisterSlaveMessage, total: Resources
    ) -> None:
        """Take back an agent known from the registry, or unreachable, or so long gone that nobody remembers it."""
        agent_id = message.slave.id.value
        recovered = self.state.recovered_agents.get(agent_id)
        if recovered is None or message.slave != recovered:
            self.state.rejoining_agents.add(agent_id)
            edit = edits.mark_reachable if recovered is None else edits.update
            try:
                await self.registrar.apply(edit(registry_info(message.slave)))
            finally:
                self.state.rejoining_agents.discard(agent_id)
            if agent_id in self.state.gone_agents:
                self._shut_down(sender, agent_id, "Agent has been marked gone")
                return
        was_recovered = self.state.recovered_agents.pop(agent_id, None) is not None
        tasks = [task for task in message.tasks if task.framework_id.value not in self.state.completed_frameworks]
        if not was_recovered:
            self._tell_tasks_are_back(agent_id, tasks)
        self.state.forget_unreachable(agent_id)
        self.state.unreachable_agents.pop(agent_id, None)
        agent = self._add(sender, message, total, tasks)
        answer = internal.SlaveReregisteredMessage(slave_id=agent.info.id, connection=self.joining.connection())
        self.outbox.to_agent(agent, answer)
        log.info("Re-registered agent %s at %s (%s) with %s", agent.id, sender, agent.hostname, agent.total)
        for framework in message.frameworks:
            if framework.id.value in self.state.completed_frameworks:
                log.info("Shutting down framework %s, which ended meanwhile, on %s", framework.id.value, agent.id)
                self.outbox.to_agent(agent, internal.ShutdownFrameworkMessage(framework_id=framework.id))
        self._tell_frameworks(agent, message.frameworks)
        self.joining.watch(agent)
        self.state.signals.agent_returned(agent)

    def _tell_tasks_are_back(self, agent_id: str, tasks: Iterable[v0.Task]) -> None:
        """Tell frameworks that tasks they believe lost are running after all."""
        text = (
            "Unreachable agent re-reregistered"
            if agent_id in self.state.unreachable_agents
            else "Unknown agent reregistered"
        )
        now = self.clock.now()
        returned: dict[str, set[str]] = {}
        for task in tasks:
            framework = self.state.frameworks.get(task.framework_id.value)
            if framework is None:
                continue
            framework.unreachable_tasks.pop(task.task_id.value, None)
            returned.setdefault(framework.id, set()).add(task.task_id.value)
            if framework.is_connected:
                update = internal.StatusUpdateMessage(update=back_update(task, text, now), pid=NOBODY)
                self.outbox.to_framework(framework, update)
        for framework_id, task_ids in returned.items():
            # We may have declared them ended without the agent having heard of it (MESOS-9940).
            completed = self.state.frameworks[framework_id].completed_tasks
            if any(task.id in task_ids for task in completed):
                kept = [task for task in completed if task.id not in task_ids]
                completed.clear()
                completed.extend(kept)

    def _add(
        self, sender: Upid, message: internal.ReregisterSlaveMessage, total: Resources, tasks: Iterable[v0.Task]
    ) -> AgentRecord:
        """Build the record with all that runs on the agent, and let it be offered."""
        agent = AgentRecord(own_info(message.slave), sender, message.version, total)
        agent.checkpointed = Resources.of(message.checkpointed_resources)
        agent.capabilities = frozenset(capability.type for capability in message.agent_capabilities)
        agent.registered_at = agent.reregistered_at = self.clock.now()
        if message.HasField("resource_version_uuid"):
            agent.resource_version = message.resource_version_uuid.value
        agent.become(AgentState.ACTIVE)
        self.state.add_agent(agent)
        for info in message.frameworks:
            if info.id.value not in self.state.frameworks and info.id.value not in self.state.completed_frameworks:
                log.info("Recovering framework %s from agent %s", info.id.value, agent.id)
                self.recovery.recover(info)
        for executor in returned_executors(agent.id, message.executor_infos):
            if executor.framework_id in self.state.frameworks:
                self.state.add_executor(executor)
        for task in tasks:
            framework = self.state.frameworks.get(task.framework_id.value)
            if framework is not None and task.task_id.value in framework.tasks:
                self._kill_duplicate(agent, task)
            elif framework is not None:
                record = returned_task(task, framework.id, agent.id)
                self.state.add_task(record, counts=not record.is_terminal)
                self.state.signals.task_added(record)
        for archive in message.completed_frameworks:
            framework = self.state.frameworks.get(archive.framework_info.id.value)
            if framework is not None:
                framework.completed_tasks.extend(returned_task(task, framework.id, agent.id) for task in archive.tasks)
        self.metrics.slave_reregistrations.increment()
        self.joining.add(agent)
        return agent

    def _kill_duplicate(self, agent: AgentRecord, task: v0.Task) -> None:
        """End a task whose id the framework gave to another one while this agent was away; only one may run."""
        log.warning(
            "Killing task %s of framework %s on returning agent %s: another task of that id runs elsewhere",
            task.task_id.value,
            task.framework_id.value,
            agent.id,
        )
        self.outbox.to_agent(agent, internal.KillTaskMessage(framework_id=task.framework_id, task_id=task.task_id))

    # --- both --------------------------------------------------------------------------------------------------------

    def _tell_frameworks(self, agent: AgentRecord, infos: Iterable[v0.FrameworkInfo]) -> None:
        """Tell the agent where the schedulers are now; recover frameworks known only to it."""
        for info in infos:
            framework = self.state.frameworks.get(info.id.value)
            if framework is not None:
                if framework.is_recovered:
                    continue
                self.outbox.to_agent(
                    agent,
                    internal.UpdateFrameworkMessage(
                        framework_id=framework.info.id,
                        framework_info=framework.info,
                        pid=str(framework.pid) if framework.pid is not None else NOBODY,
                    ),
                )
            elif info.id.value not in self.state.completed_frameworks:
                log.info("Recovering framework %s from agent %s", info.id.value, agent.id)
                self.recovery.recover(info)


def back_update(task: v0.Task, text: str, now: float) -> internal.StatusUpdate:
    """Make the update that tells a task's latest state after its agent returned; it must not be acknowledged."""
    update = internal.StatusUpdate(framework_id=task.framework_id, slave_id=task.slave_id, timestamp=now)
    status = update.status
    status.task_id.CopyFrom(task.task_id)
    status.state = task.state
    status.message = text
    status.slave_id.CopyFrom(task.slave_id)
    status.timestamp = now
    status.source = v0.TaskStatus.SOURCE_MASTER
    status.reason = v0.TaskStatus.REASON_SLAVE_REREGISTERED
    if task.HasField("executor_id"):
        update.executor_id.CopyFrom(task.executor_id)
    if task.statuses:
        latest = task.statuses[-1]
        if latest.HasField("healthy"):
            status.healthy = latest.healthy
        if latest.HasField("check_status"):
            status.check_status.CopyFrom(latest.check_status)
        if latest.HasField("container_status"):
            status.container_status.CopyFrom(latest.container_status)
    return update
