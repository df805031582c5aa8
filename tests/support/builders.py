"""Builders of messages with every field filled that the wire requires; a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable

from messor.model.resource_text import parse_resources
from messor.protos import internal, v0

CAPABILITIES = {kind.lower(): number for kind, number in v0.FrameworkInfo.Capability.Type.items()}


def resources(text: str = "cpus:1;mem:128", role: str = "*") -> list[v0.Resource]:
    """Make resources from their text."""
    return list(parse_resources(text, role).messages())


def framework_info(
    name: str = "test",
    *,
    framework_id: str = "",
    user: str = "root",
    roles: Iterable[str] = (),
    checkpoint: bool = False,
    failover_timeout: float = 0.0,
    capabilities: Iterable[str] = (),
    principal: str = "",
) -> v0.FrameworkInfo:
    """Make a FrameworkInfo; capabilities by lower-case name; several roles, or one with multi_role, use ``roles``."""
    info = v0.FrameworkInfo(name=name, user=user, checkpoint=checkpoint, failover_timeout=failover_timeout)
    if framework_id:
        info.id.value = framework_id
    if principal:
        info.principal = principal
    names = list(capabilities)
    for capability in names:
        info.capabilities.add().type = CAPABILITIES[capability]
    listed = list(roles)
    if "multi_role" in names:
        info.roles.extend(listed)
    elif listed:
        info.role = listed[0]
    return info


def agent_info(
    hostname: str = "agent-1",
    *,
    agent_id: str = "",
    text: str = "cpus:4;mem:4096;disk:10000;ports:[31000-32000]",
    port: int = 5051,
    checkpoint: bool = True,
    attributes: Iterable[tuple[str, str]] = (),
) -> v0.SlaveInfo:
    """Make a SlaveInfo; attributes are text ones."""
    info = v0.SlaveInfo(hostname=hostname, port=port, checkpoint=checkpoint)
    info.resources.extend(resources(text))
    if agent_id:
        info.id.value = agent_id
    for name, value in attributes:
        info.attributes.add(name=name, type=v0.Value.TEXT).text.value = value
    return info


def command(value: str = "sleep 1000") -> v0.CommandInfo:
    """Make a shell command."""
    return v0.CommandInfo(value=value)


def executor_info(executor_id: str = "executor", value: str = "v0-executor", *, text: str = "") -> v0.ExecutorInfo:
    """Make a custom executor."""
    info = v0.ExecutorInfo(command=command(value))
    info.executor_id.value = executor_id
    if text:
        info.resources.extend(resources(text))
    return info


def task(
    task_id: str = "task-1",
    *,
    agent_id: str = "agent",
    text: str = "cpus:1;mem:32",
    value: str = "sleep 1000",
    executor: v0.ExecutorInfo | None = None,
    role: str = "*",
) -> v0.TaskInfo:
    """Make a TaskInfo: a command task unless an executor is given."""
    info = v0.TaskInfo(name="task")
    info.task_id.value = task_id
    info.slave_id.value = agent_id
    info.resources.extend(resources(text, role))
    if executor is None:
        info.command.CopyFrom(command(value))
    else:
        info.executor.CopyFrom(executor)
        info.data = value.encode()
    return info


def offer(
    offer_id: str = "offer-1",
    *,
    framework_id: str = "framework",
    agent_id: str = "agent",
    hostname: str = "agent-1",
    text: str = "cpus:4;mem:4096",
    role: str = "*",
) -> v0.Offer:
    """Make an Offer, allocated to a role."""
    made = v0.Offer(hostname=hostname)
    made.id.value = offer_id
    made.framework_id.value = framework_id
    made.slave_id.value = agent_id
    made.allocation_info.role = role
    made.resources.extend(resources(text))
    for resource in made.resources:
        resource.allocation_info.role = role
    return made


def status(
    task_id: str = "task-1",
    state: int = v0.TASK_RUNNING,
    *,
    agent_id: str = "agent",
    uuid: bytes = b"0123456789abcdef",
    message: str = "",
) -> v0.TaskStatus:
    """Make a TaskStatus as an executor sends it; an empty uuid leaves it out."""
    made = v0.TaskStatus(state=state, source=v0.TaskStatus.SOURCE_EXECUTOR, timestamp=1_700_000_000.0)
    made.task_id.value = task_id
    made.slave_id.value = agent_id
    if uuid:
        made.uuid = uuid
    if message:
        made.message = message
    return made


def update(
    made: v0.TaskStatus, *, framework_id: str = "framework", executor_id: str = "executor"
) -> internal.StatusUpdate:
    """Wrap a TaskStatus into a StatusUpdate."""
    wrapped = internal.StatusUpdate(status=made, timestamp=made.timestamp)
    wrapped.framework_id.value = framework_id
    wrapped.executor_id.value = executor_id
    wrapped.slave_id.CopyFrom(made.slave_id)
    if made.uuid:
        wrapped.uuid = made.uuid
    return wrapped
