"""What can be asked of a master, one function per call; strings stand for ids."""

from __future__ import annotations

from collections.abc import Iterable

from messor.drivers.operator.questions import MasterQuestion as Ask
from messor.drivers.operator.questions import nothing
from messor.protos import v1, v1_maintenance, v1_master, v1_quota

Call = v1_master.Call
Response = v1_master.Response


def get_health() -> Ask[bool]:
    """Ask whether the master is healthy."""
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
    """Ask what is in a folder it serves."""
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
    """Ask for everything: agents, frameworks, executors and tasks."""
    return Ask(Call(type=Call.GET_STATE), lambda answer: answer.get_state)


def get_agents() -> Ask[Response.GetAgents]:
    """Ask for the agents."""
    return Ask(Call(type=Call.GET_AGENTS), lambda answer: answer.get_agents)


def get_frameworks() -> Ask[Response.GetFrameworks]:
    """Ask for the frameworks."""
    return Ask(Call(type=Call.GET_FRAMEWORKS), lambda answer: answer.get_frameworks)


def get_executors() -> Ask[Response.GetExecutors]:
    """Ask for the executors."""
    return Ask(Call(type=Call.GET_EXECUTORS), lambda answer: answer.get_executors)


def get_operations() -> Ask[Response.GetOperations]:
    """Ask for the offer operations."""
    return Ask(Call(type=Call.GET_OPERATIONS), lambda answer: answer.get_operations)


def get_tasks() -> Ask[Response.GetTasks]:
    """Ask for the tasks."""
    return Ask(Call(type=Call.GET_TASKS), lambda answer: answer.get_tasks)


def get_roles() -> Ask[list[v1.Role]]:
    """Ask for the roles and what they have."""
    return Ask(Call(type=Call.GET_ROLES), lambda answer: list(answer.get_roles.roles))


def get_weights() -> Ask[dict[str, float]]:
    """Ask for the roles' weights."""
    return Ask(
        Call(type=Call.GET_WEIGHTS), lambda answer: {one.role: one.weight for one in answer.get_weights.weight_infos}
    )


def update_weights(weights: dict[str, float]) -> Ask[None]:
    """Change roles' weights."""
    call = Call(type=Call.UPDATE_WEIGHTS)
    for role, weight in weights.items():
        call.update_weights.weight_infos.add(role=role, weight=weight)
    return Ask(call, nothing)


def get_master() -> Ask[v1.MasterInfo]:
    """Ask who leads."""
    return Ask(Call(type=Call.GET_MASTER), lambda answer: answer.get_master.master_info)


def reserve_resources(agent_id: str, resources: Iterable[v1.Resource]) -> Ask[None]:
    """Reserve resources of an agent; each says for whom in its reservations."""
    call = Call(type=Call.RESERVE_RESOURCES)
    call.reserve_resources.agent_id.value = agent_id
    call.reserve_resources.resources.extend(resources)
    return Ask(call, nothing)


def unreserve_resources(agent_id: str, resources: Iterable[v1.Resource]) -> Ask[None]:
    """Undo reservations."""
    call = Call(type=Call.UNRESERVE_RESOURCES)
    call.unreserve_resources.agent_id.value = agent_id
    call.unreserve_resources.resources.extend(resources)
    return Ask(call, nothing)


def create_volumes(agent_id: str, volumes: Iterable[v1.Resource]) -> Ask[None]:
    """Make persistent volumes of reserved disk."""
    call = Call(type=Call.CREATE_VOLUMES)
    call.create_volumes.agent_id.value = agent_id
    call.create_volumes.volumes.extend(volumes)
    return Ask(call, nothing)


def destroy_volumes(agent_id: str, volumes: Iterable[v1.Resource]) -> Ask[None]:
    """Destroy persistent volumes and what is in them."""
    call = Call(type=Call.DESTROY_VOLUMES)
    call.destroy_volumes.agent_id.value = agent_id
    call.destroy_volumes.volumes.extend(volumes)
    return Ask(call, nothing)


def grow_volume(agent_id: str, volume: v1.Resource, addition: v1.Resource) -> Ask[None]:
    """Add disk to a persistent volume."""
    call = Call(type=Call.GROW_VOLUME)
    call.grow_volume.agent_id.value = agent_id
    call.grow_volume.volume.CopyFrom(volume)
    call.grow_volume.addition.CopyFrom(addition)
    return Ask(call, nothing)


def shrink_volume(agent_id: str, volume: v1.Resource, megabytes: float) -> Ask[None]:
    """Take disk away from a persistent volume."""
    call = Call(type=Call.SHRINK_VOLUME)
    call.shrink_volume.agent_id.value = agent_id
    call.shrink_volume.volume.CopyFrom(volume)
    call.shrink_volume.subtract.value = megabytes
    return Ask(call, nothing)


def get_maintenance_status() -> Ask[v1_maintenance.ClusterStatus]:
    """Ask which machines are draining or down."""
    return Ask(Call(type=Call.GET_MAINTENANCE_STATUS), lambda answer: answer.get_maintenance_status.status)


def get_maintenance_schedule() -> Ask[v1_maintenance.Schedule]:
    """Ask what maintenance is planned."""
    return Ask(Call(type=Call.GET_MAINTENANCE_SCHEDULE), lambda answer: answer.get_maintenance_schedule.schedule)


def update_maintenance_schedule(schedule: v1_maintenance.Schedule) -> Ask[None]:
    """Plan maintenance; replaces the plan before."""
    call = Call(type=Call.UPDATE_MAINTENANCE_SCHEDULE)
    call.update_maintenance_schedule.schedule.CopyFrom(schedule)
    return Ask(call, nothing)


def start_maintenance(machines: Iterable[v1.MachineID]) -> Ask[None]:
    """Take machines down."""
    call = Call(type=Call.START_MAINTENANCE)
    call.start_maintenance.machines.extend(machines)
    return Ask(call, nothing)


def stop_maintenance(machines: Iterable[v1.MachineID]) -> Ask[None]:
    """Bring machines up again."""
    call = Call(type=Call.STOP_MAINTENANCE)
    call.stop_maintenance.machines.extend(machines)
    return Ask(call, nothing)


def drain_agent(agent_id: str, *, max_grace_seconds: int | None = None, mark_gone: bool = False) -> Ask[None]:
    """Kill an agent's tasks and offer it no more; max_grace_seconds caps the tasks' own grace periods."""
    call = Call(type=Call.DRAIN_AGENT)
    call.drain_agent.agent_id.value = agent_id
    if max_grace_seconds is not None:
        call.drain_agent.max_grace_period.seconds = max_grace_seconds
    if mark_gone:
        call.drain_agent.mark_gone = True
    return Ask(call, nothing)


def deactivate_agent(agent_id: str) -> Ask[None]:
    """Stop offering an agent's resources."""
    call = Call(type=Call.DEACTIVATE_AGENT)
    call.deactivate_agent.agent_id.value = agent_id
    return Ask(call, nothing)


def reactivate_agent(agent_id: str) -> Ask[None]:
    """Offer an agent's resources again."""
    call = Call(type=Call.REACTIVATE_AGENT)
    call.reactivate_agent.agent_id.value = agent_id
    return Ask(call, nothing)


def mark_agent_gone(agent_id: str) -> Ask[None]:
    """Declare that an agent will never come back."""
    call = Call(type=Call.MARK_AGENT_GONE)
    call.mark_agent_gone.agent_id.value = agent_id
    return Ask(call, nothing)


def get_quota() -> Ask[v1_quota.QuotaStatus]:
    """Ask for the roles' quotas."""
    return Ask(Call(type=Call.GET_QUOTA), lambda answer: answer.get_quota.status)


def update_quota(configs: Iterable[v1_quota.QuotaConfig], *, force: bool = False) -> Ask[None]:
    """Set guarantees and limits of roles; force: even if the cluster is too small."""
    call = Call(type=Call.UPDATE_QUOTA)
    call.update_quota.force = force
    call.update_quota.quota_configs.extend(configs)
    return Ask(call, nothing)


def teardown(framework_id: str) -> Ask[None]:
    """Remove a framework and kill its tasks."""
    call = Call(type=Call.TEARDOWN)
    call.teardown.framework_id.value = framework_id
    return Ask(call, nothing)
