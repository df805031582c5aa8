"""Executors report: for the first time, or again after the agent restarted, over libprocess or HTTP (b.4, c.4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.agent.state.lifecycles import AgentState, ExecutorState, FrameworkState
from messor.errors import DiskFailed, InvalidRequest
from messor.protos import internal, v0, v0_executor
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.wire.legacy_executor import encode_event, shutdown, subscribed, update_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.executors.deliver import Deliveries
    from messor.agent.executors.shutdown import Shutdowns
    from messor.agent.outbox import ExecutorStream, Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.tables import Tables
    from messor.agent.updates.receive import Updates
    from messor.runtime.host import Host
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class Subscriptions(Component):
    """Connects executors and gives them what waits for them."""

    def __init__(
        self,
        host: Host,
        tables: Tables,
        outbox: Outbox,
        checkpoints: Checkpoints,
        updates: Updates,
        deliveries: Deliveries,
        shutdowns: Shutdowns,
    ) -> None:
        """Take what a new executor is given."""
        self._host = host
        self._tables = tables
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._updates = updates
        self._deliveries = deliveries
        self._shutdowns = shutdowns

    # --- libprocess --------------------------------------------------------------------------------------------------

    @on(internal.RegisterExecutorMessage)
    def registered(self, sender: Upid, message: internal.RegisterExecutorMessage) -> None:
        """Take a new executor, or tell it to go when nobody waits for it."""
        found = self._find(message.framework_id.value, message.executor_id.value)
        if self._is_repeated(sender, message, found):
            return
        if found is None or self._tables.state is AgentState.RECOVERING:
            self._refuse(sender, message, "nobody waits for it")
            return
        framework, executor = found
        if executor.state is not ExecutorState.REGISTERING:
            self._refuse(sender, message, f"the executor is {executor.state.value}")
            return
        self._connected(executor, sender)
        info = internal.ExecutorRegisteredMessage(
            executor_info=executor.info,
            framework_id=framework.info.id,
            framework_info=framework.info,
            slave_id=self._tables.info.id,
            slave_info=self._tables.info,
        )
        self._outbox.to_executor(executor, info)
        self._give_tasks(framework, executor)

    @on(internal.ReregisterExecutorMessage)
    def reregistered(self, sender: Upid, message: internal.ReregisterExecutorMessage) -> None:
        """Take an executor back after the agent restarted, with what it could not get acknowledged."""
        found = self._find(message.framework_id.value, message.executor_id.value)
        if self._is_repeated(sender, message, found):
            return
        if found is None or self._tables.state is not AgentState.RECOVERING:
            self._refuse(sender, message, "the agent is not recovering it")
            return
        framework, executor = found
        if executor.state is not ExecutorState.REGISTERING:
            self._refuse(sender, message, f"the executor is {executor.state.value}")
            return
        self._connected(executor, sender)
        self._outbox.to_executor(
            executor,
            internal.ExecutorReregisteredMessage(slave_id=self._tables.info.id, slave_info=self._tables.info),
        )
        for update in message.updates:
            self._updates.from_executor(update, sender)
        self._drop_undelivered(framework, executor, (task.task_id.value for task in message.tasks))
        self._kill_again(executor)
        self._deliveries.changed(executor)

    def _is_repeated(self, sender: Upid, message: object, found: tuple[Framework, Executor] | None) -> bool:
        """Ignore an executor that is here already: refusing it would end it. We may have asked twice who is there."""
        if found is None or found[1].state is not ExecutorState.RUNNING or found[1].pid != sender:
            return False
        self.ignore(message, "the executor is here already")
        return True

    def _connected(self, executor: Executor, pid: Upid) -> None:
        executor.pid = pid
        executor.stream = None
        self._outbox.link(pid)
        self._remember_connection(executor)
        executor.become(ExecutorState.RUNNING)

    def _remember_connection(self, executor: Executor) -> None:
        if not executor.checkpoint:
            return
        try:
            self._checkpoints.executor_pid(executor)
        except DiskFailed as error:
            # It works until the agent restarts; then it is killed like any executor that cannot be reached.
            log.error("Failed to checkpoint how to reach executor '%s': %s", executor.id, error)

    def _refuse(self, sender: Upid, message: object, why: str) -> None:
        self.ignore(message, f"{why}; shutting {sender} down")
        self._outbox.to_pid(sender, internal.ShutdownExecutorMessage())

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def subscribed(self, call: v0_executor.Call, stream: ExecutorStream) -> None:
        """Take an executor that subscribed over HTTP; raises InvalidRequest when there is no such executor."""
        framework_id, executor_id = call.framework_id.value, call.executor_id.value
        framework = self._tables.frameworks.get(framework_id)
        if framework is None:
            raise InvalidRequest("Framework cannot be found")
        executor = framework.executors.get(executor_id)
        if executor is None:
            raise InvalidRequest("Executor cannot be found")
        log.info("Executor '%s' of framework %s subscribed", executor_id, framework_id)
        if not executor.is_alive or framework.state is FrameworkState.TERMINATING:
            stream.send(encode_event(shutdown(), stream.media_type))
            stream.close()
            return
        if executor.stream is not None:
            executor.stream.close()
        executor.stream = stream
        executor.pid = None
        if executor.state is ExecutorState.REGISTERING:
            self._remember_connection(executor)
            executor.become(ExecutorState.RUNNING)
        self._send_subscribed(framework, executor, stream)
        now = self._host.clock.now()
        single = v0_executor.Call(framework_id=call.framework_id, executor_id=call.executor_id)
        for unacknowledged in call.subscribe.unacknowledged_updates:
            single.update.CopyFrom(unacknowledged)
            self._updates.from_executor(update_of(single, self._tables.info.id, now), None)
        self._drop_undelivered(
            framework, executor, (task.task_id.value for task in call.subscribe.unacknowledged_tasks)
        )
        self._kill_again(executor)
        self._give_tasks(framework, executor)

    def _send_subscribed(self, framework: Framework, executor: Executor, stream: ExecutorStream) -> None:
        message = internal.ExecutorRegisteredMessage(
            executor_info=executor.info,
            framework_id=framework.info.id,
            framework_info=framework.info,
            slave_id=self._tables.info.id,
            slave_info=self._tables.info,
        )
        event = subscribed(message, v0.ContainerID(value=executor.container_id))
        stream.send(encode_event(event, stream.media_type))

    # --- both --------------------------------------------------------------------------------------------------------

    def _find(self, framework_id: str, executor_id: str) -> tuple[Framework, Executor] | None:
        framework = self._tables.frameworks.get(framework_id)
        if framework is None or framework.state is FrameworkState.TERMINATING:
            return None
        executor = framework.executors.get(executor_id)
        return (framework, executor) if executor is not None else None

    def _drop_undelivered(self, framework: Framework, executor: Executor, received: Iterable[str]) -> None:
        """Report tasks that were launched but never reached the executor, since the agent died in between."""
        known = set(received)
        for task in list(executor.live_tasks()):
            if task.state == v0.TASK_STAGING and task.id not in known:
                update = self._outbox.make_update(
                    framework.id,
                    task.id,
                    framework.told(v0.TASK_DROPPED),
                    v0.TaskStatus.REASON_SLAVE_RESTARTED,
                    "Task launched during agent restart",
                    executor_id=executor.id,
                )
                self._updates.from_agent(update, executor)

    def _kill_again(self, executor: Executor) -> None:
        """Repeat kills that an executor may have missed while it was not connected."""
        for task_id, kill in executor.kills.items():
            log.info("Asking executor '%s' again to kill task %s", executor.id, task_id)
            self._outbox.to_executor(executor, kill)

    def _give_tasks(self, framework: Framework, executor: Executor) -> None:
        if not executor.queued and not executor.launched and not executor.was_sent_tasks:
            log.info(
                "Shutting down executor '%s' of framework %s: all its tasks were killed before delivery",
                executor.id,
                framework.id,
            )
            self._shutdowns.shut_down(executor)
            return
        self._deliveries.changed(executor)
