"""LAUNCH: tasks one by one, each with its own verdict.

Per task only the keys and resources are read. The TaskInfo travels to the agent as it came, with its resources in the
form everything inside uses; ACCEPT was parsed once and nothing is built field by field.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from messor.errors import InvalidRequest
from messor.master.offers.task_base import task_base
from messor.master.offers.transaction import Transaction
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import ExecutorRecord, FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.master.tasks.statuses import NO_PID
from messor.master.tasks.updates import TaskUpdates
from messor.master.validation.resources import Bundle, read_bundle
from messor.master.validation.tasks import validate_launch
from messor.model import resource_formats
from messor.protos import internal, v0
from messor.wire.splicing import nested

log = logging.getLogger(__name__)

RUN_TASK = internal.RunTaskMessage.DESCRIPTOR.full_name

REFINEMENT = v0.SlaveInfo.Capability.RESERVATION_REFINEMENT

Approve = Callable[[v0.TaskInfo, FrameworkRecord], str | None]
"""Says what a framework may not do by launching a task (``launch task …``), None when it may; must answer at once."""


class LaunchItem(NamedTuple):
    """A task of a LAUNCH with its resources, and those of its executor unless it is a command task."""

    task: v0.TaskInfo
    bundle: Bundle
    executor_bundle: Bundle | None


def read_launch(operation: v0.Offer.Operation, framework_id: str, role: str) -> list[LaunchItem]:
    """Read the tasks of a LAUNCH and complete what may be left out; raises InvalidRequest for malformed resources."""
    items: list[LaunchItem] = []
    for task in operation.launch.task_infos:
        bundle = read_bundle(task.resources, role)
        executor_bundle: Bundle | None = None
        if task.HasField("executor"):
            executor_bundle = complete_executor(task.executor, role)
            if not task.executor.HasField("framework_id"):
                task.executor.framework_id.value = framework_id
        if task.HasField("health_check") and not task.health_check.HasField("type"):
            _infer_type(task.health_check)
        items.append(LaunchItem(task, bundle, executor_bundle))
    return items


def complete_executor(executor: v0.ExecutorInfo, role: str) -> Bundle:
    """Read an executor's resources and put them into their inside form, in place; raises InvalidRequest."""
    bundle = read_bundle(executor.resources, role)
    if list(executor.resources) != bundle.messages:
        del executor.resources[:]
        executor.resources.extend(bundle.messages)
    return bundle


def _infer_type(check: v0.HealthCheck) -> None:
    """Fill in the type old frameworks leave out (M11)."""
    has_command, has_http = check.HasField("command"), check.HasField("http")
    if has_command and not has_http:
        check.type = v0.HealthCheck.COMMAND
    elif has_http and not has_command:
        check.type = v0.HealthCheck.HTTP


def resource_versions(agent: AgentRecord, number: int) -> bytes:
    """Encode the versions of an agent's and its providers' resources as ``resource_version_uuids`` of that number."""
    version = agent.resource_version
    encoded = b"" if version is None else nested(number, nested(2, nested(1, version)))
    for provider in agent.providers.values():
        name, uuid = nested(1, provider.id.encode()), nested(1, provider.resource_version)
        encoded += nested(number, nested(1, name) + nested(2, uuid))
    return encoded


class Launches:
    """Applies LAUNCH operations."""

    def __init__(
        self, *, state: MasterState, outbox: Outbox, updates: TaskUpdates, approve: Approve | None = None
    ) -> None:
        """approve: the authorizer's word on each task, None when nobody needs asking."""
        self.state = state
        self.outbox = outbox
        self.updates = updates
        self.approve = approve

    def apply(self, items: list[LaunchItem], transaction: Transaction) -> None:
        """Launch what is valid, tell the framework of what is not."""
        framework, agent = transaction.framework, transaction.agent
        pid = str(framework.pid) if framework.pid is not None else NO_PID
        head = nested(2, framework.info.SerializeToString()) + nested(3, pid.encode())
        versions = resource_versions(agent, 5)
        framework_field = nested(3, nested(1, framework.id.encode()))
        downgrades = not agent.has(REFINEMENT)
        for item in items:
            is_new = self._admit(item, transaction)
            if is_new is None:
                continue
            task, bundle = item.task, item.bundle
            self.record(task, bundle, framework_field, transaction)
            del task.resources[:]
            encoded = task.SerializeToString() + bundle.encoded(4)
            body = b"".join((head, nested(4, encoded), versions, b"0\x01" if is_new else b"0\x00"))
            if downgrades:
                message = internal.RunTaskMessage.FromString(body)
                resource_formats.downgrade_all(message)
                body = message.SerializeToString()
            framework.counts.operations[v0.Offer.Operation.LAUNCH] += 1
            self.outbox.to_agent_bytes(agent, RUN_TASK, body)

    def _admit(self, item: LaunchItem, transaction: Transaction) -> bool | None:
        """Check a task and book what it takes; tells if its executor is to be launched, None when it was refused."""
        framework, agent = transaction.framework, transaction.agent
        task, bundle, executor_bundle = item
        if self.approve is not None:
            refusal = self.approve(task, framework)
            if refusal is not None:
                why = f"Principal '{framework.info.principal}' no authorized to {refusal}"
                self._refuse(framework, task, v0.TaskStatus.REASON_TASK_UNAUTHORIZED, why)
                return None
        try:
            total = validate_launch(task, bundle, executor_bundle, framework, agent, transaction.available)
        except InvalidRequest as error:
            self._refuse(framework, task, v0.TaskStatus.REASON_TASK_INVALID, str(error))
            return None
        transaction.take(total)
        if executor_bundle is None:
            return True
        return self.admit_executor(task.executor, executor_bundle, framework, agent)

    def _refuse(self, framework: FrameworkRecord, task: v0.TaskInfo, reason: int, why: str) -> None:
        self.updates.refuse_launch(framework, task, v0.TASK_ERROR, reason, why)

    def admit_executor(
        self, executor: v0.ExecutorInfo, bundle: Bundle, framework: FrameworkRecord, agent: AgentRecord
    ) -> bool:
        """Add the record of an executor unless it runs already; tells if it is new."""
        if agent.executor(framework.id, executor.executor_id.value) is not None:
            return False
        info = v0.ExecutorInfo()
        info.CopyFrom(executor)
        self.state.add_executor(ExecutorRecord(agent.id, framework.id, info, bundle.resources))
        return True

    def record(self, task: v0.TaskInfo, bundle: Bundle, framework_field: bytes, transaction: Transaction) -> TaskRecord:
        """Add the record of a task; its resources are booked when the transaction ends."""
        framework, agent = transaction.framework, transaction.agent
        base = task_base(task, framework_field, bundle)
        executor_id = task.executor.executor_id.value if task.HasField("executor") else ""
        record = TaskRecord(task.task_id.value, framework.id, agent.id, executor_id, bundle.resources, base)
        record.created_at = self.updates.clock.now()
        self.state.add_task(record, counts=False)
        transaction.used_by_tasks += bundle.resources
        log.info("Launching task %s of framework %s on agent %s", record.id, framework.id, agent.id)
        if self.state.signals.task_added:
            self.state.signals.task_added(record)
        return record
