"""Registration: the first one, and again with everything that runs here (H1, H2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from messor import MESOS_VERSION
from messor.agent.capacity.totals import CAPABILITIES
from messor.agent.checkpoint.formats import old_form
from messor.agent.state.lifecycles import AgentState, ExecutorState
from messor.agent.state.task import task_from_info
from messor.errors import DiskFailed
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on

if TYPE_CHECKING:
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.flags import AgentFlags
    from messor.agent.operations.apply import Operations
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.runtime.host import Host, Timer
    from messor.security.authenticatee import Authentication
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)

LONGEST_BACKOFF = 60.0
"""Seconds between two registration attempts at most."""


class Registration(Component):
    """Asks to register until the master answers."""

    def __init__(
        self,
        host: Host,
        flags: AgentFlags,
        tables: Tables,
        outbox: Outbox,
        checkpoints: Checkpoints,
        updates: Updates,
        operations: Operations,
        connected: Callable[[float | None], None],
        authentication: Authentication | None = None,
    ) -> None:
        """connected: told when the master answered, with how long it may be silent from now on (seconds).

        authentication: what must be proved to a master before it is asked, if anything.
        """
        self._host = host
        self._flags = flags
        self._tables = tables
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._updates = updates
        self._operations = operations
        self._connected = connected
        self._authentication = authentication
        self._timer: Timer | None = None
        self._told: list[v0.Resource] | None = None
        """The checkpointed resources in the latest attempt."""
        self._told_tasks: set[tuple[str, str]] = set()
        """(framework id, task id) of the tasks in the latest attempt."""

    # --- asking ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start asking after a random while, so that not all agents ask a new master at once."""
        self.stop()
        if self._tables.state is not AgentState.DISCONNECTED or self._tables.master is None:
            return
        if self._authentication is not None:
            pause = self._flags.authentication_backoff_factor * self._host.chance.random.random()
            self._timer = self._host.clock.after(pause, self._authenticate)
            return
        factor = self._flags.registration_backoff_factor
        self._timer = self._host.clock.after(factor * self._host.chance.random.random(), self._ask, factor * 2)

    def _authenticate(self) -> None:
        self._timer = None
        if self._authentication is not None and self._tables.master is not None:
            self._authentication.begin(self._tables.master)

    def authenticated(self) -> None:
        """Ask at once, now that the master knows who we are."""
        if self._timer is not None:
            self._timer.cancel()
        self._ask(self._flags.registration_backoff_factor * 2)

    def stop(self) -> None:
        """Ask no more."""
        if self._authentication is not None:
            self._authentication.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self, backoff: float) -> None:
        self._timer = None
        if self._tables.state is not AgentState.DISCONNECTED or self._tables.master is None:
            return
        if self._authentication is not None and not self._authentication.is_proven_to(self._tables.master):
            # The connection it was proved on broke before the master answered.
            if not self._authentication.is_under_way_with(self._tables.master):
                self._authentication.begin(self._tables.master)
            return
        # At every attempt: a connection that could not be made is no connection to hear the end of.
        self._outbox.link(self._tables.master)
        self._told = self._tables.checkpointed_resources
        if self._tables.info.HasField("id"):
            self._outbox.to_master(self._reregistration())
        else:
            self._outbox.to_master(self._registration())
        backoff = min(backoff, LONGEST_BACKOFF)
        delay = backoff * self._host.chance.random.random()
        self._timer = self._host.clock.after(delay, self._ask, backoff * 2)

    def _registration(self) -> internal.RegisterSlaveMessage:
        message = internal.RegisterSlaveMessage(slave=self._tables.info, version=MESOS_VERSION)
        message.checkpointed_resources.extend(self._tables.checkpointed_resources)
        for capability in CAPABILITIES:
            message.agent_capabilities.add(type=capability)
        message.resource_version_uuid.value = self._tables.resource_version
        return old_form(message)

    def _reregistration(self) -> internal.ReregisterSlaveMessage:
        message = internal.ReregisterSlaveMessage(slave=self._tables.info, version=MESOS_VERSION)
        message.checkpointed_resources.extend(self._tables.checkpointed_resources)
        for framework in self._tables.frameworks.values():
            message.frameworks.append(framework.info)
            for executor in framework.executors.values():
                _add_executor(message, framework, executor)
        self._told_tasks = {(task.framework_id.value, task.task_id.value) for task in message.tasks}
        for framework in self._tables.completed_frameworks.values():
            _archive(message.completed_frameworks.add(), framework)
        for capability in CAPABILITIES:
            message.agent_capabilities.add(type=capability)
        message.resource_version_uuid.value = self._tables.resource_version
        return old_form(message)

    # --- answers -----------------------------------------------------------------------------------------------------

    @on(internal.SlaveRegisteredMessage)
    def registered(self, sender: Upid, message: internal.SlaveRegisteredMessage) -> None:
        """Take the id the master gave."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        if self._tables.state is AgentState.DISCONNECTED:
            if self._has_other_id(message.slave_id.value):
                return
            log.info("Registered with master %s; given agent ID %s", sender, message.slave_id.value)
            self._tables.info.id.CopyFrom(message.slave_id)
            try:
                self._checkpoints.agent(self._tables.info)
            except DiskFailed as error:
                # Going on would mean a new agent, with all tasks lost, at the next start.
                self._host.exit(1, f"Failed to checkpoint the agent's id: {error}")
                return
            self._go(message.connection)
        elif self._tables.state is AgentState.RUNNING:
            self._has_other_id(message.slave_id.value)
            self._connected(_silence(message.connection))
        else:
            self.ignore(message, f"the agent is {self._tables.state.value}")

    @on(internal.SlaveReregisteredMessage)
    def reregistered(self, sender: Upid, message: internal.SlaveReregisteredMessage) -> None:
        """Go on with a master that knows this agent; tasks only the master knows of are reported dropped."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        if self._tables.state not in (AgentState.DISCONNECTED, AgentState.RUNNING):
            self.ignore(message, f"the agent is {self._tables.state.value}")
            return
        if not self._tables.agent_id:
            # Meant for an agent that was here before and whose id was given up.
            self.ignore(message, "this agent has no id yet")
            return
        if self._has_other_id(message.slave_id.value):
            return
        outdated = self._why_outdated(message)
        if self._tables.state is AgentState.DISCONNECTED:
            if outdated:
                # The master's books are not what runs here; we are about to ask again.
                self.ignore(message, f"it answers an attempt that told {outdated}")
                return
            log.info("Re-registered with master %s", sender)
            self._go(message.connection)
        else:
            self._connected(_silence(message.connection))
            if outdated:
                self._correct(outdated)
        for reconciliation in message.reconciliations:
            self._reconcile(reconciliation)

    def _why_outdated(self, answer: internal.SlaveReregisteredMessage) -> str:
        """Say what the master cannot know if it believed an attempt that was still on its way; empty when all is well.

        What operations changed since then it has just taken back in its books. And if it had given this agent up in
        between, it forgot the tasks it had sent before: those came here, but are not in the attempt. A master that did
        not give up asks about tasks that an attempt lacks.
        """
        if self._told is not self._tables.checkpointed_resources:
            return "of resources as they were"
        if self._has_untold_tasks(answer):
            return "nothing of tasks that the master has forgotten"
        return ""

    def _correct(self, outdated: str) -> None:
        """Register once more."""
        log.warning("The master heard %s: registering again", outdated)
        self._tables.become(AgentState.DISCONNECTED)
        self._updates.manager.pause()
        self._operations.manager.pause()
        self.begin()

    def _has_untold_tasks(self, answer: internal.SlaveReregisteredMessage) -> bool:
        """Tell whether live tasks are here that the latest attempt did not list and the master does not ask about."""
        known = self._told_tasks | {
            (asked.framework_id.value, status.task_id.value)
            for asked in answer.reconciliations
            for status in asked.statuses
        }
        return any(
            (framework.id, task_id) not in known
            for framework, executor in self._tables.executors()
            for task_id in (*executor.queued, *executor.launched)
        )

    def _has_other_id(self, agent_id: str) -> bool:
        """End the process when the master takes this agent for another one."""
        known = self._tables.agent_id
        if known in ("", agent_id):
            return False
        self._host.exit(1, f"Registered but got wrong id: {agent_id} (expected: {known}). Committing suicide")
        return True

    def _go(self, connection: internal.MasterSlaveConnection) -> None:
        self.stop()
        self._tables.become(AgentState.RUNNING)
        self._connected(_silence(connection))
        update = internal.UpdateSlaveMessage(slave_id=self._tables.info.id, update_oversubscribed_resources=False)
        update.operations.SetInParent()
        update.operations.operations.extend(self._tables.operations.values())
        update.resource_version_uuid.value = self._tables.resource_version
        update.resource_providers.SetInParent()
        self._outbox.to_master(update)
        self._updates.manager.resume()
        self._operations.manager.resume()

    def _reconcile(self, reconciliation: internal.ReconcileTasksMessage) -> None:
        framework_id = reconciliation.framework_id.value
        framework = self._tables.frameworks.get(framework_id)
        info = framework.info if framework is not None else reconciliation.framework
        aware = any(item.type == v0.FrameworkInfo.Capability.PARTITION_AWARE for item in info.capabilities)
        for status in reconciliation.statuses:
            task_id = status.task_id.value
            if framework is not None and framework.knows_task(task_id):
                continue
            update = self._outbox.make_update(
                framework_id,
                task_id,
                v0.TASK_DROPPED if aware else v0.TASK_LOST,
                v0.TaskStatus.REASON_RECONCILIATION,
                "Reconciliation: task unknown to the agent",
                executor_id=status.executor_id.value if status.HasField("executor_id") else None,
            )
            self._updates.from_agent(update, None)


def _silence(connection: internal.MasterSlaveConnection) -> float | None:
    return connection.total_ping_timeout_seconds if connection.HasField("total_ping_timeout_seconds") else None


def _add_executor(message: internal.ReregisterSlaveMessage, framework: Framework, executor: Executor) -> None:
    """List an executor and its tasks; generated executors are our own business (trap 16)."""
    if not executor.is_command and executor.state is not ExecutorState.TERMINATED:
        message.executor_infos.append(executor.info)
    executor_id = None if executor.is_command else executor.id
    for queued in executor.queued.values():
        message.tasks.append(task_from_info(queued, framework.id, executor_id).info)
    for task in (*executor.launched.values(), *executor.terminated.values()):
        message.tasks.append(task.info)


def _archive(archive: internal.Archive.Framework, framework: Framework) -> None:
    archive.framework_info.CopyFrom(framework.info)
    if framework.pid is not None:
        archive.pid = str(framework.pid)
    for executor in framework.completed_executors:
        archive.tasks.extend(task.info for task in executor.completed)
