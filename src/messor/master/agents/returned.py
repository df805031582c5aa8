"""What an agent says is on it when it re-registers, checked and turned into records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from messor.errors import InvalidRequest
from messor.master.state.framework import ExecutorRecord
from messor.master.state.task import TaskRecord
from messor.model.ids import validate_id
from messor.model.resources import Resources, validate_resources
from messor.model.roles import roles_of, validate_roles
from messor.protos import internal, v0
from messor.wire.texts import bad_text

CHANGING = ("state", "statuses", "status_update_state", "status_update_uuid")
"""Fields of Task that a TaskRecord keeps beside its encoded base."""


def check_lists(message: internal.ReregisterSlaveMessage) -> None:
    """Refuse lists that do not fit together; raises InvalidRequest."""
    wrong = bad_text(message)
    if wrong is not None:
        raise InvalidRequest(f"{wrong} is not UTF-8")
    if not message.slave.HasField("id"):
        raise InvalidRequest("it names no agent id")
    frameworks: set[str] = set()
    for framework in message.frameworks:
        validate_id(framework.id.value)
        validate_roles(roles_of(framework))
        if framework.id.value in frameworks:
            raise InvalidRequest(f"Framework has a duplicate FrameworkID: '{framework.id.value}'")
        frameworks.add(framework.id.value)
    executors: set[tuple[str, str]] = set()
    for executor in message.executor_infos:
        validate_resources(executor.resources)
        key = (executor.framework_id.value, executor.executor_id.value)
        if key[0] not in frameworks:
            raise InvalidRequest(f"Executor has an invalid FrameworkID '{key[0]}'")
        if key in executors:
            raise InvalidRequest(f"Framework '{key[0]}' has a duplicate ExecutorID '{key[1]}'")
        executors.add(key)
    tasks: set[tuple[str, str]] = set()
    for task in message.tasks:
        _check_task(task, message.slave.id.value, frameworks, executors)
        key = (task.framework_id.value, task.task_id.value)
        if key in tasks:
            raise InvalidRequest(f"Framework '{key[0]}' has a duplicate TaskID '{key[1]}'")
        tasks.add(key)


def _check_task(task: v0.Task, agent_id: str, frameworks: set[str], executors: set[tuple[str, str]]) -> None:
    try:
        validate_id(task.task_id.value)
    except InvalidRequest as error:
        raise InvalidRequest(f"Task has an invalid TaskID: {error}") from None
    framework_id = task.framework_id.value
    if task.slave_id.value != agent_id:
        raise InvalidRequest(f"Task has an invalid SlaveID '{task.slave_id.value}'")
    if framework_id not in frameworks:
        raise InvalidRequest(f"Task has an invalid FrameworkID '{framework_id}'")
    # Agents do not list the executors they made up for command tasks, nor name them in those tasks (trap 16).
    if (
        task.HasField("executor_id")
        and task.state == v0.TASK_RUNNING
        and (framework_id, task.executor_id.value) not in executors
    ):
        raise InvalidRequest(f"Task has an invalid ExecutorID '{task.executor_id.value}'")
    try:
        validate_resources(task.resources)
    except InvalidRequest as error:
        raise InvalidRequest(f"Task uses invalid resources: {error}") from None


def add_missing_allocations(message: internal.ReregisterSlaveMessage) -> None:
    """Say which role resources are allocated to, where an agent without MULTI_ROLE does not; in place.

    Raises InvalidRequest when a framework has several roles, as nobody can tell then.
    """
    if any(capability.type == v0.SlaveInfo.Capability.MULTI_ROLE for capability in message.agent_capabilities):
        return
    roles = {framework.id.value: _only_role(framework) for framework in message.frameworks}
    for task in message.tasks:
        _allocate(task.resources, roles[task.framework_id.value])
    for executor in message.executor_infos:
        _allocate(executor.resources, roles[executor.framework_id.value])


def _allocate(resources: Iterable[v0.Resource], role: str | None) -> None:
    for resource in resources:
        if not resource.HasField("allocation_info"):
            if role is None:
                raise InvalidRequest("Missing allocation info of resources of a MULTI_ROLE framework")
            resource.allocation_info.role = role


def _only_role(framework: v0.FrameworkInfo) -> str | None:
    if any(c.type == v0.FrameworkInfo.Capability.MULTI_ROLE for c in framework.capabilities):
        return framework.roles[0] if len(framework.roles) == 1 else None
    return framework.role


def returned_task(task: v0.Task, framework_id: str, agent_id: str) -> TaskRecord:
    """Make a record of a Task in the internal format; takes the message apart in place.

    The ids are passed so that all tasks share one string of each: there may be a hundred thousand of them (B8).
    """
    record = TaskRecord(
        task.task_id.value, framework_id, agent_id, task.executor_id.value, Resources.of(task.resources), b""
    )
    record.state = task.state
    if task.HasField("status_update_state"):
        record.status_update_state = task.status_update_state
    if task.HasField("status_update_uuid"):
        record.status_update_uuid = task.status_update_uuid
    for status in task.statuses:
        status.ClearField("data")
        record.statuses.append(status.SerializePartialToString())
    for field in CHANGING:
        task.ClearField(field)
    record.base = task.SerializePartialToString()
    return record


def returned_executors(agent_id: str, infos: Iterable[v0.ExecutorInfo]) -> Iterator[ExecutorRecord]:
    """Make records of executors in the internal format."""
    for info in infos:
        copied = v0.ExecutorInfo()
        copied.CopyFrom(info)  # a part keeps the memory of the whole message alive
        yield ExecutorRecord(agent_id, info.framework_id.value, copied, Resources.of(info.resources))
