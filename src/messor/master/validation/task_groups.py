"""A task group and the executor that runs it (M13)."""

from __future__ import annotations

from collections.abc import Sequence

from messor.errors import InvalidRequest
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.validation.commands import validate_command
from messor.master.validation.executors import shares_cgroups, too_small, validate_executor
from messor.master.validation.resources import (
    Bundle,
    overlap,
    validate_not_mixed,
    validate_unique_persistence_ids,
)
from messor.master.validation.tasks import validate_task
from messor.model.resources import Resources
from messor.protos import v0

BODY_CHECKS = (v0.HealthCheck.HTTP, v0.HealthCheck.TCP)


def validate_group(
    group: Sequence[tuple[v0.TaskInfo, Bundle]],
    executor: v0.ExecutorInfo,
    executor_bundle: Bundle,
    framework: FrameworkRecord,
    agent: AgentRecord,
    available: Resources,
) -> Resources:
    """Check a whole group, every task with its ``executor`` filled in; gives what group and a new executor take.

    Raises InvalidRequest, whose text every task of the group gets.
    """
    for task, bundle in group:
        try:
            _validate_member(task, bundle, framework, agent)
        except InvalidRequest as error:
            raise InvalidRequest(f"Task '{task.task_id.value}' is invalid: {error}") from None
    _validate_group_executor(group, executor, executor_bundle, framework, agent)
    total = sum((bundle.resources for _, bundle in group), Resources())
    if agent.executor(framework.id, executor.executor_id.value) is None:
        total += executor_bundle.resources
    if not available.contains(total):
        raise InvalidRequest(
            f"Total resources {total} required by task group and its executor are more than available {available}"
        )
    if executor.HasField("command"):
        try:
            validate_command(executor.command)
        except InvalidRequest as error:
            raise InvalidRequest(
                f"Executor '{executor.executor_id.value}'contains an invalid command: {error}"
            ) from None
    _validate_share_cgroups([task for task, _ in group], executor, framework, agent)
    return total


def _validate_member(task: v0.TaskInfo, bundle: Bundle, framework: FrameworkRecord, agent: AgentRecord) -> None:
    validate_task(task, bundle, framework, agent)
    if not task.HasField("executor"):
        raise InvalidRequest("'TaskInfo.executor' must be set")
    if task.HasField("container"):
        if task.container.network_infos and task.HasField("health_check") and task.health_check.type in BODY_CHECKS:
            raise InvalidRequest(
                "HTTP and TCP health checks are not supported for nested containers not joining parent's network"
            )
        if task.container.type == v0.ContainerInfo.DOCKER:
            raise InvalidRequest("Docker ContainerInfo is not supported on the task")
    if task.limits and (not task.container.HasField("linux_info") or _shares(task)):
        raise InvalidRequest(
            "Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to"
            " 'false'."
        )


def _validate_group_executor(
    group: Sequence[tuple[v0.TaskInfo, Bundle]],
    executor: v0.ExecutorInfo,
    executor_bundle: Bundle,
    framework: FrameworkRecord,
    agent: AgentRecord,
) -> None:
    validate_executor(executor, executor_bundle, framework, agent)
    if not executor.HasField("type"):
        raise InvalidRequest("'ExecutorInfo.type' must be set")
    if executor.type == v0.ExecutorInfo.UNKNOWN:
        raise InvalidRequest("Unknown executor type")
    if executor.HasField("container") and executor.container.type == v0.ContainerInfo.DOCKER:
        raise InvalidRequest("Docker ContainerInfo is not supported on the executor")
    for task, _ in group:
        if task.executor != executor:
            raise InvalidRequest(
                f"The `ExecutorInfo` of task '{task.task_id.value}' is different from executor"
                f" '{executor.executor_id.value}'"
            )
    small = too_small(executor.executor_id.value, executor_bundle.resources)
    if small is not None:
        raise InvalidRequest(small)
    if executor_bundle.resources.scalar("disk") is None:
        raise InvalidRequest(f"Executor '{executor.executor_id.value}' uses no disk")
    _validate_together([bundle.resources for _, bundle in group], executor_bundle.resources)


def _validate_together(tasks: Sequence[Resources], executor: Resources) -> None:
    total = sum(tasks, executor)
    try:
        validate_unique_persistence_ids(total)
    except InvalidRequest as error:
        raise InvalidRequest(f"Task group and executor use duplicate persistence ID: {error}") from None
    try:
        validate_not_mixed(total)
    except InvalidRequest as error:
        raise InvalidRequest(f"Task group and executor mix revocable and non-revocable resources: {error}") from None
    if overlap([*tasks, executor]):
        listed = ", ".join(str(resources) for resources in tasks)
        raise InvalidRequest(
            f"There are overlapping resources in the task group's task resources {{ {listed} }}"
            f" and/or executor resources {executor}"
        )


def _validate_share_cgroups(
    tasks: Sequence[v0.TaskInfo], executor: v0.ExecutorInfo, framework: FrameworkRecord, agent: AgentRecord
) -> None:
    if shares_cgroups(executor.container):
        raise InvalidRequest("The 'share_cgroups' field cannot be set to 'true' on executor containers")
    answers = {_shares(task) for task in tasks}
    if answers and agent.executor(framework.id, executor.executor_id.value) is not None:
        for running in (*framework.tasks.values(), *framework.unreachable_tasks.values()):
            if running.agent_id == agent.id and running.executor_id == executor.executor_id.value:
                answers.add(_shares(running.message()))
    if len(answers) > 1:
        raise InvalidRequest(
            "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single"
            " executor"
        )


def _shares(task: v0.TaskInfo | v0.Task) -> bool:
    """Whether a task is in its executor's cgroups: yes unless it says no."""
    linux = task.container.linux_info
    return linux.share_cgroups if linux.HasField("share_cgroups") else True
