"""Status updates come in: from executors, from the agent itself; and their acknowledgements from the master."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from messor.agent.checkpoint.update_log import Update
from messor.agent.state.lifecycles import AgentState, FrameworkState
from messor.agent.updates.manager import UpdateManager
from messor.errors import DiskFailed
from messor.model.task_states import is_terminal, task_state_name
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.wire.texts import bad_text

if TYPE_CHECKING:
    from messor.agent.checkpoint.write import Checkpoints
    from messor.agent.metrics import AgentMetrics
    from messor.agent.outbox import Outbox
    from messor.agent.state.executor import Executor
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.runtime.host import Host, Timer
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)

UUID_BYTES = 16
LAST_UUID_VERSION = 5

DISK_RETRY = 1.0
"""Seconds until updates that could not be written are tried again."""


class _Held(NamedTuple):
    """An update that waits for the disk, and to whom it is acknowledged then."""

    update: internal.StatusUpdate
    executor: Executor | None
    pid: Upid | None


class Updates(Component):
    """Keeps each update before acknowledging it, applies it to the task, forwards it to the master (b.5)."""

    def __init__(
        self,
        host: Host,
        tables: Tables,
        outbox: Outbox,
        checkpoints: Checkpoints,
        metrics: AgentMetrics,
        signals: Signals,
    ) -> None:
        """Own the streams of all tasks."""
        self._host = host
        self._tables = tables
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._signals = signals
        self.manager = UpdateManager(host.clock, host.disk, self._forward)
        self._held: dict[tuple[str, str], deque[_Held]] = {}
        self._retry: Timer | None = None

    # --- in ----------------------------------------------------------------------------------------------------------

    @on(internal.StatusUpdateMessage)
    def received(self, sender: Upid, message: internal.StatusUpdateMessage) -> None:
        """Take an update of an executor that speaks libprocess; it is acknowledged to that executor's pid."""
        self.from_executor(message.update, sender)

    def from_executor(self, update: internal.StatusUpdate, pid: Upid | None) -> None:
        """Take an executor's update; pid is None when it came over HTTP."""
        problem = _problem(update)
        if problem is not None:
            self._metrics.invalid_status_updates.increment()
            self.ignore(update, problem)
            return
        framework = self._tables.frameworks.get(update.framework_id.value)
        if framework is None or framework.state is FrameworkState.TERMINATING:
            # Its scheduler is gone: nobody would acknowledge, and the stream would never end.
            self._metrics.invalid_status_updates.increment()
            self.ignore(update, f"framework {update.framework_id.value} is unknown or terminating")
            if framework is not None:
                # An executor that waits for this would only be killed later.
                self._outbox.acknowledge(framework.executors.get(update.executor_id.value), pid, update)
            return
        status = update.status
        executor = framework.owners.get(status.task_id.value)
        if status.state == v0.TASK_STAGING:
            self._metrics.invalid_status_updates.increment()
            self.ignore(update, "no executor may report TASK_STAGING")
            sender = executor or framework.executors.get(update.executor_id.value)
            if sender is not None:
                self._signals.misbehaved(framework, sender)
            return
        status.uuid = update.uuid
        status.source = v0.TaskStatus.SOURCE_EXECUTOR
        if update.HasField("executor_id"):
            status.executor_id.CopyFrom(update.executor_id)
        if executor is not None:
            if executor.is_starting:
                # Statuses tell the container's pid, which is still on its way from the zygote.
                executor.early_updates.append((update, pid))
                return
            _fill_container_status(status, executor)
        self._mark_drained(status)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "Handling status update %s (%s) for task %s of framework %s",
                task_state_name(status.state),
                update.uuid.hex(),
                status.task_id.value,
                framework.id,
            )
        self._metrics.valid_status_updates.increment()
        receiver = executor or framework.executors.get(update.executor_id.value)
        if executor is None and receiver is not None and receiver.has_completed(status.task_id.value):
            # Either only our answer to the executor got lost when this agent died, or the executor ends a task twice,
            # as Toil's does: the scheduler has acknowledged the end and must not hear of another.
            self._outbox.acknowledge(receiver, pid, update)
            return
        self._take(_Held(update, receiver, pid))

    def from_agent(self, update: internal.StatusUpdate, executor: Executor | None) -> None:
        """Take an update the agent made itself, about a task of that executor if there is one."""
        if executor is not None and executor.has_container:
            _fill_container_status(update.status, executor)
        self._mark_drained(update.status)
        log.info(
            "Reporting %s for task %s of framework %s: %s",
            task_state_name(update.status.state),
            update.status.task_id.value,
            update.framework_id.value,
            update.status.message,
        )
        self._metrics.valid_status_updates.increment()
        self._take(_Held(update, None, None))

    def _mark_drained(self, status: v0.TaskStatus) -> None:
        """Give draining as the reason of a kill."""
        if self._tables.drain_config is None or status.state not in (v0.TASK_KILLING, v0.TASK_KILLED):
            return
        status.reason = v0.TaskStatus.REASON_SLAVE_DRAINING
        if status.state == v0.TASK_KILLED and self._tables.drain_config.mark_gone:
            status.state = v0.TASK_GONE_BY_OPERATOR

    # --- keep, apply, tell -------------------------------------------------------------------------------------------

    def _take(self, held: _Held) -> None:
        key = (held.update.framework_id.value, held.update.status.task_id.value)
        if key in self._held:
            self._held[key].append(held)
            return
        self._apply(key, held.update)
        try:
            self._keep(key, held)
        except DiskFailed as error:
            log.error("Cannot checkpoint an update for task %s, trying again: %s", key[1], error)
            self._held[key] = deque((held,))
            if self._retry is None:
                self._retry = self._host.clock.after(DISK_RETRY, self._keep_held)

    def _apply(self, key: tuple[str, str], update: internal.StatusUpdate) -> None:
        """Change the task's record, unless the update was seen before: an old one must not turn time back."""
        if self.manager.knows(*key, update.uuid):
            return
        framework = self._tables.frameworks.get(key[0])
        executor = framework.owners.get(key[1]) if framework is not None else None
        if executor is not None and executor.apply(update.status):
            self._metrics.task_ended(update.status.state)
            self._signals.resources_changed(executor)
        elif executor is None and is_terminal(update.status.state):
            self._metrics.task_ended(update.status.state)

    def _keep(self, key: tuple[str, str], held: _Held) -> None:
        update = held.update
        framework = self._tables.frameworks.get(key[0])
        owner = framework.owners.get(key[1]) if framework is not None else None
        path = self._checkpoints.task_updates(owner, key[1]) if owner is not None else None
        kept = Update(update.uuid, update.status.state, update.SerializeToString())
        self.manager.receive(*key, kept, path)
        # Also for a duplicate: our first acknowledgement may have been lost.
        self._outbox.acknowledge(held.executor, held.pid, update)

    def _keep_held(self) -> None:
        """Try again what could not be written, in order; each task's updates stay behind each other."""
        self._retry = None
        for key, waiting in list(self._held.items()):
            try:
                while waiting:
                    self._keep(key, waiting[0])
                    waiting.popleft()
                    if waiting:
                        self._apply(key, waiting[0].update)
            except DiskFailed as error:
                log.error("Still cannot checkpoint %d updates for task %s: %s", len(waiting), key[1], error)
                continue
            del self._held[key]
        if self._held:
            self._retry = self._host.clock.after(DISK_RETRY, self._keep_held)

    def _forward(self, framework_id: str, task_id: str, update: Update) -> None:
        if self._tables.state is not AgentState.RUNNING:
            return
        framework = self._tables.frameworks.get(framework_id)
        executor = framework.owners.get(task_id) if framework is not None else None
        task = executor.task(task_id) if executor is not None else None
        if task is None:
            self._outbox.status_update(update.data, None)
            return
        task.info.status_update_state = update.state  # type: ignore[assignment]
        task.info.status_update_uuid = update.uuid
        self._outbox.status_update(update.data, task.state)

    # --- acknowledgements --------------------------------------------------------------------------------------------

    @on(internal.StatusUpdateAcknowledgementMessage)
    def acknowledged(self, sender: Upid, message: internal.StatusUpdateAcknowledgementMessage) -> None:
        """Take the scheduler's acknowledgement, relayed by the master; an ended task is then completed."""
        if sender != self._tables.master:
            self.ignore(message, f"{sender} is not the leading master")
            return
        framework_id, task_id = message.framework_id.value, message.task_id.value
        try:
            over = self.manager.acknowledge(framework_id, task_id, message.uuid)
        except DiskFailed as error:
            # The update stays at the head: it is resent, and acknowledged again.
            log.error("Cannot checkpoint an acknowledgement for task %s: %s", task_id, error)
            return
        if not over:
            return
        framework = self._tables.frameworks.get(framework_id)
        executor = framework.owners.get(task_id) if framework is not None else None
        if framework is None or executor is None or task_id not in executor.terminated:
            # A task that was dropped never had an owner; one that has may be a later task of the same name.
            return
        del framework.owners[task_id]
        executor.complete(task_id)
        self._signals.task_completed(framework, executor)

    def stop(self) -> None:
        """Forget timers."""
        self.manager.pause()
        if self._retry is not None:
            self._retry.cancel()


def is_uuid(data: bytes) -> bool:
    """Whether bytes are a UUID of a known version: acknowledgements of others are refused by masters."""
    return len(data) == UUID_BYTES and 1 <= data[6] >> 4 <= LAST_UUID_VERSION


def _problem(update: internal.StatusUpdate) -> str | None:
    """Say what is wrong with an update that can never be acknowledged or shown."""
    if not update.uuid:
        return "it has no uuid"
    if not is_uuid(update.uuid):
        return "its uuid is none"
    bad = bad_text(update.status)
    return f"field '{bad}' is not UTF-8" if bad is not None else None


def _fill_container_status(status: v0.TaskStatus, executor: Executor) -> None:
    """Add what the agent knows of the executor's container, without hiding what the executor says itself.

    An executor that names a container speaks of a nested one, which has its own pid.
    """
    known = executor.container_status
    if known is None:
        return
    if not status.HasField("container_status"):
        status.container_status.CopyFrom(known)
        return
    told = status.container_status
    if not told.HasField("container_id"):
        told.container_id.CopyFrom(known.container_id)
        if known.HasField("executor_pid"):
            told.executor_pid = known.executor_pid
    if not told.network_infos:
        told.network_infos.MergeFrom(known.network_infos)
