"""LAUNCH_GROUP: all tasks of a group under one executor, or none of them (M13)."""

from __future__ import annotations

import logging
from typing import NamedTuple

from messor.errors import InvalidRequest
from messor.master.offers.launch import REFINEMENT, Approve, Launches, complete_executor, resource_versions
from messor.master.offers.transaction import Transaction
from messor.master.outbox import Outbox
from messor.master.tasks.updates import TaskUpdates
from messor.master.validation.resources import Bundle, read_bundle
from messor.master.validation.task_groups import validate_group
from messor.model import resource_formats
from messor.protos import internal, v0
from messor.wire.splicing import nested

log = logging.getLogger(__name__)

Reason = v0.TaskStatus


class GroupItem(NamedTuple):
    """A task group with its resources read."""

    executor: v0.ExecutorInfo
    executor_bundle: Bundle
    group: list[tuple[v0.TaskInfo, Bundle]]


def read_group(operation: v0.Offer.Operation, role: str) -> GroupItem:
    """Read a LAUNCH_GROUP, every task with its executor filled in; raises InvalidRequest for malformed resources."""
    launch = operation.launch_group
    executor_bundle = complete_executor(launch.executor, role)
    group: list[tuple[v0.TaskInfo, Bundle]] = []
    for task in launch.task_group.tasks:
        bundle = read_bundle(task.resources, role)
        if task.HasField("executor"):
            complete_executor(task.executor, role)
        else:
            task.executor.CopyFrom(launch.executor)
        group.append((task, bundle))
    return GroupItem(launch.executor, executor_bundle, group)


class GroupLaunches:
    """Applies LAUNCH_GROUP operations."""

    def __init__(
        self, *, outbox: Outbox, updates: TaskUpdates, launches: Launches, approve: Approve | None = None
    ) -> None:
        """approve: the authorizer's word on each task, None when nobody needs asking."""
        self.outbox = outbox
        self.updates = updates
        self.launches = launches
        self.approve = approve

    def apply(self, item: GroupItem, transaction: Transaction) -> None:
        """Launch the group, or tell the framework of each task why not."""
        framework, agent = transaction.framework, transaction.agent
        refusal = self._unauthorized(item, transaction)
        reason = Reason.REASON_TASK_GROUP_UNAUTHORIZED
        if refusal is None:
            reason = Reason.REASON_TASK_GROUP_INVALID
            try:
                total = validate_group(
                    item.group, item.executor, item.executor_bundle, framework, agent, transaction.available
                )
            except InvalidRequest as error:
                refusal = str(error)
        if refusal is not None:
            for task, _ in item.group:
                self.updates.refuse_launch(framework, task, v0.TASK_ERROR, reason, refusal)
            return
        transaction.take(total)
        is_new = self.launches.admit_executor(item.executor, item.executor_bundle, framework, agent)
        framework_field = nested(3, nested(1, framework.id.encode()))
        message = internal.RunTaskGroupMessage(launch_executor=is_new)
        message.framework.CopyFrom(framework.info)
        message.executor.CopyFrom(item.executor)
        message.MergeFromString(resource_versions(agent, 4))
        for task, bundle in item.group:
            self.launches.record(task, bundle, framework_field, transaction)
            sent = message.task_group.tasks.add()
            sent.CopyFrom(task)
            del sent.resources[:]
            sent.resources.extend(bundle.messages)
        if not agent.has(REFINEMENT):
            resource_formats.downgrade_all(message)
        framework.counts.operations[v0.Offer.Operation.LAUNCH_GROUP] += 1
        self.outbox.to_agent(agent, message)

    def _unauthorized(self, item: GroupItem, transaction: Transaction) -> str | None:
        if self.approve is None:
            return None
        found: str | None = None
        for task, _ in item.group:
            refusal = self.approve(task, transaction.framework)
            if refusal is not None:  # the last one is told, and without a space, as Mesos does
                found = f"Task '{task.task_id.value}' is not authorized to{refusal}"
        return found
