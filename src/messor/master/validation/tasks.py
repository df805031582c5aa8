"""TaskInfo, as launched by LAUNCH (M12) and, in its common part, by LAUNCH_GROUP."""

from __future__ import annotations

import logging
import math

from messor.errors import InvalidRequest
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.validation.checks import validate_check, validate_health_check
from messor.master.validation.commands import validate_command, validate_container
from messor.master.validation.executors import shares_cgroups, too_small, validate_executor
from messor.master.validation.resources import (
    Bundle,
    overlap,
    validate_contents,
    validate_not_mixed,
    validate_unique_persistence_ids,
)
from messor.model.ids import validate_id
from messor.model.resources import Resources
from messor.protos import v0

log = logging.getLogger(__name__)


def validate_task(task: v0.TaskInfo, bundle: Bundle, framework: FrameworkRecord, agent: AgentRecord) -> None:
    """Check all of a task but its executor; bundle holds its resources. Raises InvalidRequest."""
    identifier = task.task_id.value
    validate_id(identifier)
    if identifier in framework.tasks:
        raise InvalidRequest(f"Task has duplicate ID: {identifier}")
    if identifier in framework.unreachable_tasks:
        raise InvalidRequest(f"Task reuses the ID of an unreachable task: {identifier}")
    if task.slave_id.value != agent.id:
        raise InvalidRequest(f"Task uses invalid agent {task.slave_id.value} while agent {agent.id} is expected")
    _validate_times(task)
    _validate_checks(task)
    if not bundle.messages:
        raise InvalidRequest("Task uses no resources")
    if bundle.complaint is not None:
        if bundle.complaint.startswith("The resources"):
            raise InvalidRequest(f"Invalid task resources: {bundle.complaint}")
        raise InvalidRequest(f"Task {bundle.complaint}")
    if task.HasField("command"):
        try:
            validate_command(task.command)
        except InvalidRequest as error:
            raise InvalidRequest(f"Task's `CommandInfo` is invalid: {error}") from None
    if task.HasField("container"):
        try:
            validate_container(task.container)
        except InvalidRequest as error:
            raise InvalidRequest(f"Task's `ContainerInfo` is invalid: {error}") from None
    if task.limits:
        _validate_limits(task, bundle.resources, agent)


def validate_launch(
    task: v0.TaskInfo,
    bundle: Bundle,
    executor_bundle: Bundle | None,
    framework: FrameworkRecord,
    agent: AgentRecord,
    available: Resources,
) -> Resources:
    """Check a task of a LAUNCH against what is left of the offers; gives what it and a new executor take together.

    executor_bundle holds the executor's resources, None for a command task. Raises InvalidRequest.
    """
    validate_task(task, bundle, framework, agent)
    if task.HasField("executor") == task.HasField("command"):
        raise InvalidRequest("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")
    total = bundle.resources
    if executor_bundle is not None:
        total = _validate_custom_executor(task, bundle, executor_bundle, framework, agent)
    if not available.contains(total):
        raise InvalidRequest(
            f"Total resources {total} required by task and its executor is more than available {available}"
        )
    linux = task.container.linux_info
    if linux.HasField("share_cgroups") and not linux.share_cgroups:
        raise InvalidRequest("Only tasks in a task group may have 'share_cgroups' set to 'false'")
    return total


def _validate_custom_executor(
    task: v0.TaskInfo, bundle: Bundle, executor_bundle: Bundle, framework: FrameworkRecord, agent: AgentRecord
) -> Resources:
    """Check the executor of a task of a LAUNCH; gives what both take, the executor only where it is new."""
    executor = task.executor
    validate_executor(executor, executor_bundle, framework, agent)
    if executor.HasField("type") and executor.type != v0.ExecutorInfo.CUSTOM:
        raise InvalidRequest("'ExecutorInfo.type' must be 'CUSTOM'")
    if not executor.HasField("command"):
        raise InvalidRequest("'ExecutorInfo.command' must be set")
    resources = executor_bundle.resources
    if resources.shared():
        raise InvalidRequest(f"Executor resources {resources} should not contain any shared resources")
    small = too_small(executor.executor_id.value, resources)
    if small is not None:
        log.warning("%s, for task '%s' of framework %s", small, task.task_id.value, framework.id)
    if shares_cgroups(executor.container):
        raise InvalidRequest("The 'share_cgroups' field cannot be set to 'true' on executor containers")
    both = bundle.resources + resources
    _validate_together(bundle, executor_bundle, both)
    return both if agent.executor(framework.id, executor.executor_id.value) is None else bundle.resources


def _validate_together(bundle: Bundle, executor_bundle: Bundle, both: Resources) -> None:
    try:
        validate_contents([*bundle.messages, *executor_bundle.messages], both)
    except InvalidRequest as error:
        raise InvalidRequest(f"Task and its executor use invalid resources: {error}") from None
    if overlap((bundle.resources, executor_bundle.resources)):
        raise InvalidRequest(
            f"There are overlapping resources in the task resources {bundle.resources}"
            f" and executor resources {executor_bundle.resources}"
        )
    try:
        validate_unique_persistence_ids(both)
    except InvalidRequest as error:
        raise InvalidRequest(f"Task and its executor use duplicate persistence ID: {error}") from None
    try:
        validate_not_mixed(both)
    except InvalidRequest as error:
        raise InvalidRequest(f"Task and its executor mix revocable and non-revocable resources: {error}") from None


def _validate_times(task: v0.TaskInfo) -> None:
    if task.HasField("kill_policy") and task.kill_policy.grace_period.nanoseconds < 0:
        raise InvalidRequest("Task's 'kill_policy.grace_period' must be non-negative")
    if task.HasField("max_completion_time") and task.max_completion_time.nanoseconds < 0:
        raise InvalidRequest("Task's `max_completion_time` must be non-negative")


def _validate_checks(task: v0.TaskInfo) -> None:
    if task.HasField("check"):
        try:
            validate_check(task.check)
        except InvalidRequest as error:
            raise InvalidRequest(f"Task uses invalid check: {error}") from None
    if task.HasField("health_check"):
        try:
            validate_health_check(task.health_check)
        except InvalidRequest as error:
            raise InvalidRequest(f"Task uses invalid health check: {error}") from None


def _validate_limits(task: v0.TaskInfo, resources: Resources, agent: AgentRecord) -> None:
    if not agent.has(v0.SlaveInfo.Capability.TASK_RESOURCE_LIMITS):
        raise InvalidRequest("Agent is not capable of handling task resource limits")
    if any(name not in ("cpus", "mem") for name in task.limits):
        raise InvalidRequest("Only cpus and mem may be included in a task's resource limits")
    if "cpus" in task.limits:
        cpus = resources.scalar("cpus")
        if cpus is None:
            raise InvalidRequest("When a CPU limit is specified, a CPU request must also be specified")
        if task.limits["cpus"].value < cpus:
            raise InvalidRequest("The cpu limit must be greater than or equal to the cpu request")
    if "mem" in task.limits:
        mem = resources.scalar("mem")
        if mem is None:
            raise InvalidRequest("When a memory limit is specified, a memory request must also be specified")
        limit = task.limits["mem"].value
        if not math.isinf(limit) and limit < mem:
            raise InvalidRequest("The memory limit must be greater than or equal to the memory request")
