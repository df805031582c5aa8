"""What can be asked of an agent, one function per call."""

from __future__ import annotations

from collections.abc import Iterable

from messor.drivers.operator.questions import AgentQuestion as Ask
from messor.drivers.operator.questions import nothing
from messor.protos import v1, v1_agent

Call = v1_agent.Call
Response = v1_agent.Response


def get_health() -> Ask[bool]:
    """Ask whether the agent is healthy."""
    return Ask(Call(type=Call.GET_HEALTH), lambda answer: answer.get_health.healthy)


def get_flags() -> Ask[dict[str, str]]:
    """Ask for the flags it was started with."""
    return Ask(Call(type=Call.GET_FLAGS), lambda answer: {flag.name: flag.value for flag in answer.get_flags.flags})


def get_version() -> Ask[v1.VersionInfo]:
    """Ask for its version."""
    return Ask(Call(type=Call.GET_VERSION), lambda answer: answer.get_version.version_info)


def get_metrics(timeout: float | None = None) -> Ask[dict[str, float]]:
    """Ask for its metrics by name; timeout: seconds it may take to collect them."""
    call = Call(type=Call.GET_METRICS)
    call.get_metrics.SetInParent()
    if timeout is not None:
        call.get_metrics.timeout.nanoseconds = round(timeout * 1e9)
    return Ask(call, lambda answer: {metric.name: metric.value for metric in answer.get_metrics.metrics})


def get_logging_level() -> Ask[int]:
    """Ask how verbose its log is."""
    return Ask(Call(type=Call.GET_LOGGING_LEVEL), lambda answer: answer.get_logging_level.level)


def set_logging_level(level: int, seconds: float) -> Ask[None]:
    """Make its log more verbose for a while."""
    call = Call(type=Call.SET_LOGGING_LEVEL)
    call.set_logging_level.level = level
    call.set_logging_level.duration.nanoseconds = round(seconds * 1e9)
    return Ask(call, nothing)


def list_files(path: str) -> Ask[list[v1.FileInfo]]:
    """Ask what is in a folder it serves: sandboxes and its log."""
    call = Call(type=Call.LIST_FILES)
    call.list_files.path = path
    return Ask(call, lambda answer: list(answer.list_files.file_infos))


def read_file(path: str, offset: int = 0, length: int | None = None) -> Ask[Response.ReadFile]:
    """Read part of a file it serves."""
    call = Call(type=Call.READ_FILE)
    call.read_file.path = path
    call.read_file.offset = offset
    if length is not None:
        call.read_file.length = length
    return Ask(call, lambda answer: answer.read_file)


def get_state() -> Ask[Response.GetState]:
    """Ask for everything: frameworks, executors and tasks."""
    return Ask(Call(type=Call.GET_STATE), lambda answer: answer.get_state)


def get_agent() -> Ask[v1.AgentInfo]:
    """Ask who it is."""
    return Ask(Call(type=Call.GET_AGENT), lambda answer: answer.get_agent.agent_info)


def get_containers() -> Ask[list[Response.GetContainers.Container]]:
    """Ask for its containers and what they use."""
    call = Call(type=Call.GET_CONTAINERS)
    call.get_containers.SetInParent()
    return Ask(call, lambda answer: list(answer.get_containers.containers))


def get_frameworks() -> Ask[Response.GetFrameworks]:
    """Ask for the frameworks it runs something of."""
    return Ask(Call(type=Call.GET_FRAMEWORKS), lambda answer: answer.get_frameworks)


def get_executors() -> Ask[Response.GetExecutors]:
    """Ask for its executors."""
    return Ask(Call(type=Call.GET_EXECUTORS), lambda answer: answer.get_executors)


def get_operations() -> Ask[Response.GetOperations]:
    """Ask for its offer operations."""
    return Ask(Call(type=Call.GET_OPERATIONS), lambda answer: answer.get_operations)


def get_tasks() -> Ask[Response.GetTasks]:
    """Ask for its tasks."""
    return Ask(Call(type=Call.GET_TASKS), lambda answer: answer.get_tasks)


def get_resource_providers() -> Ask[Response.GetResourceProviders]:
    """Ask for its resource providers."""
    return Ask(Call(type=Call.GET_RESOURCE_PROVIDERS), lambda answer: answer.get_resource_providers)


def prune_images() -> Ask[None]:
    """Remove container images nobody uses."""
    return Ask(Call(type=Call.PRUNE_IMAGES), nothing)


def container_id(*values: str) -> v1.ContainerID:
    """Make a container's id; for a nested one say its parents' first, outermost first."""
    found = v1.ContainerID(value=values[-1])
    if len(values) > 1:
        found.parent.CopyFrom(container_id(*values[:-1]))
    return found


def launch_container(
    container: v1.ContainerID,
    command: v1.CommandInfo,
    resources: Iterable[v1.Resource] = (),
    info: v1.ContainerInfo | None = None,
) -> Ask[None]:
    """Start a container: nested when its id has a parent, else one that stands alone."""
    call = Call(type=Call.LAUNCH_CONTAINER)
    call.launch_container.container_id.CopyFrom(container)
    call.launch_container.command.CopyFrom(command)
    call.launch_container.resources.extend(resources)
    if info is not None:
        call.launch_container.container.CopyFrom(info)
    return Ask(call, nothing)


def wait_container(container: v1.ContainerID) -> Ask[Response.WaitContainer]:
    """Wait for its end and ask how it ended."""
    call = Call(type=Call.WAIT_CONTAINER)
    call.wait_container.container_id.CopyFrom(container)
    return Ask(call, lambda answer: answer.wait_container)


def kill_container(container: v1.ContainerID, signal: int | None = None) -> Ask[None]:
    """Send it a signal, SIGKILL unless told otherwise."""
    call = Call(type=Call.KILL_CONTAINER)
    call.kill_container.container_id.CopyFrom(container)
    if signal is not None:
        call.kill_container.signal = signal
    return Ask(call, nothing)


def remove_container(container: v1.ContainerID) -> Ask[None]:
    """Remove what is left of a container that ended."""
    call = Call(type=Call.REMOVE_CONTAINER)
    call.remove_container.container_id.CopyFrom(container)
    return Ask(call, nothing)
