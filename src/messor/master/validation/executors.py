"""ExecutorInfo: well formed, of the right framework, and the same as the one that runs under its id (trap 25)."""

from __future__ import annotations

import logging

from google.protobuf import text_format

from messor.errors import InvalidRequest
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.validation.commands import validate_command, validate_container
from messor.master.validation.resources import Bundle
from messor.model.ids import validate_id
from messor.model.resources import Resources
from messor.model.scalars import scalar_text
from messor.protos import v0

log = logging.getLogger(__name__)

MIN_CPUS = 10
"""Thousandths of a CPU below which an executor is too small."""

MIN_MEM = 32_000
"""Thousandths of a megabyte below which an executor is too small."""

RULE = "------------------------------------------------------------\n"


def validate_executor(
    executor: v0.ExecutorInfo, bundle: Bundle, framework: FrameworkRecord, agent: AgentRecord
) -> None:
    """Check an executor of a task or of a task group; bundle holds its resources. Raises InvalidRequest."""
    _validate_type(executor)
    validate_id(executor.executor_id.value)
    if executor.HasField("shutdown_grace_period") and executor.shutdown_grace_period.nanoseconds < 0:
        raise InvalidRequest("ExecutorInfo's 'shutdown_grace_period' must be non-negative")
    if executor.HasField("command"):
        try:
            validate_command(executor.command)
        except InvalidRequest as error:
            raise InvalidRequest(f"Executor's `CommandInfo` is invalid: {error}") from None
    if executor.HasField("container"):
        try:
            validate_container(executor.container)
        except InvalidRequest as error:
            raise InvalidRequest(f"Executor's `ContainerInfo` is invalid: {error}") from None
    _validate_framework_id(executor, framework)
    if bundle.complaint is not None:
        if bundle.complaint.startswith("The resources"):
            raise InvalidRequest(f"Invalid executor resources: {bundle.complaint}")
        raise InvalidRequest(f"Executor {bundle.complaint}")
    _validate_same_as_running(executor, bundle, framework, agent)


def shares_cgroups(container: v0.ContainerInfo) -> bool:
    """Whether a container says ``share_cgroups: true`` outright."""
    return container.linux_info.HasField("share_cgroups") and container.linux_info.share_cgroups


def too_small(executor_id: str, resources: Resources) -> str | None:
    """Say why an executor is too small; None when it is not. Only task groups are refused for it."""
    cpus = resources.scalars().get("cpus")
    if cpus is None or cpus < MIN_CPUS:
        given = "None" if cpus is None else scalar_text(cpus)
        return f"Executor '{executor_id}' uses less CPUs ({given}) than the minimum required (0.01)"
    mem = resources.scalars().get("mem")
    if mem is None or mem < MIN_MEM:
        given = "None" if mem is None else f"{scalar_text(mem)}MB"
        return f"Executor '{executor_id}' uses less memory ({given}) than the minimum required (32MB)"
    return None


def _validate_type(executor: v0.ExecutorInfo) -> None:
    if executor.type == v0.ExecutorInfo.DEFAULT:
        if executor.HasField("command"):
            raise InvalidRequest("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
        if executor.HasField("container"):
            if executor.container.type != v0.ContainerInfo.MESOS:
                raise InvalidRequest("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor")
            if executor.container.mesos.HasField("image"):
                raise InvalidRequest("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor")
    elif executor.type == v0.ExecutorInfo.CUSTOM and not executor.HasField("command"):
        raise InvalidRequest("'ExecutorInfo.command' must be set for 'CUSTOM' executor")


def _validate_framework_id(executor: v0.ExecutorInfo, framework: FrameworkRecord) -> None:
    if not executor.HasField("framework_id"):
        raise InvalidRequest("'ExecutorInfo.framework_id' must be set")
    if executor.framework_id.value != framework.id:
        raise InvalidRequest(
            "ExecutorInfo has an invalid FrameworkID"
            f" (Actual: {executor.framework_id.value} vs Expected: {framework.id})"
        )


def _validate_same_as_running(
    executor: v0.ExecutorInfo, bundle: Bundle, framework: FrameworkRecord, agent: AgentRecord
) -> None:
    running = agent.executor(framework.id, executor.executor_id.value)
    if running is None or (bundle.resources == running.resources and _same(executor, running.info)):
        return
    raise InvalidRequest(
        "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n"
        f"{RULE}Existing ExecutorInfo:\n{_text(running.info)}\n{RULE}ExecutorInfo:\n{_text(executor)}\n{RULE}"
    )


def _same(one: v0.ExecutorInfo, other: v0.ExecutorInfo) -> bool:
    """Compare everything but resources, which are compared as values."""
    if one == other:
        return True
    copies = []
    for info in (one, other):
        copy = v0.ExecutorInfo()
        copy.CopyFrom(info)
        del copy.resources[:]
        copies.append(copy)
    return copies[0] == copies[1]


def _text(executor: v0.ExecutorInfo) -> str:
    return text_format.MessageToString(executor).replace(".0\n", "\n")
