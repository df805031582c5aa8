"""Which list of ACLs each action is decided by, and what of an object its rules are about (K7, K8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from messor.model.roles import roles_of
from messor.protos import authorization
from messor.security.authorizer import Object, task_user

Action = authorization.Action

Values = Sequence[str] | None
"""What the rules are about, all of which must be allowed; None: any."""


class AclList(NamedTuple):
    """Where an action's rules are."""

    name: str
    """A field of ``ACLs``."""
    values: Callable[[Object], Values]
    """Finds what the rules are about in an object."""
    by_role: bool = False
    """Whether ``a/%`` in it means all roles below ``a``."""


def _any(thing: Object) -> Values:  # noqa: ARG001  (such actions are allowed or not, whatever they are done to)
    return None


def _value(thing: Object) -> Values:
    return None if thing.value is None else (thing.value,)


def _resource_role(thing: Object) -> Values:
    if thing.resource is None:
        return _value(thing)
    reservations = thing.resource.reservations
    return (reservations[-1].role if reservations else thing.resource.role,)


def _reserver(thing: Object) -> Values:
    if thing.resource is None:
        return _value(thing)
    reservations = thing.resource.reservations
    return (reservations[-1].principal if reservations else thing.resource.reservation.principal,)


def _creator(thing: Object) -> Values:
    return _value(thing) if thing.resource is None else (thing.resource.disk.persistence.principal,)


def _framework_principal(thing: Object) -> Values:
    return _value(thing) if thing.framework_info is None else (thing.framework_info.principal,)


def _framework_roles(thing: Object) -> Values:
    return _value(thing) if thing.framework_info is None else sorted(roles_of(thing.framework_info))


def _weight_role(thing: Object) -> Values:
    return _value(thing) if thing.weight_info is None else (thing.weight_info.role,)


def _quota_role(thing: Object) -> Values:
    return _value(thing) if thing.quota_info is None else (thing.quota_info.role,)


def _framework_user(thing: Object) -> Values:
    return None if thing.framework_info is None else (thing.framework_info.user,)


def _task_user(thing: Object) -> Values:
    user: str | None = None
    if thing.task is not None:
        user = thing.task.user if thing.task.HasField("user") else None
    elif thing.task_info is not None:
        user = task_user(thing.task_info)
    return _framework_user(thing) if user is None else (user,)


def _executor_user(thing: Object) -> Values:
    info = thing.executor_info
    if info is not None and info.command.HasField("user"):
        return (info.command.user,)
    return _framework_user(thing)


def _container_user(thing: Object) -> Values:
    found = _executor_user(thing)
    if found is None and thing.container_id is not None:
        return (thing.container_id.value,)
    return found


def command_user(thing: Object) -> Values:
    """Tell which user a nested container's command names, or else that of its parent."""
    if thing.command_info is not None:
        return (thing.command_info.user,) if thing.command_info.HasField("user") else None
    return _executor_user(thing)


LISTS: dict[int, AclList] = {
    Action.REGISTER_FRAMEWORK: AclList("register_frameworks", _framework_roles, by_role=True),
    Action.RUN_TASK: AclList("run_tasks", _task_user),
    Action.TEARDOWN_FRAMEWORK: AclList("teardown_frameworks", _framework_principal),
    Action.RESERVE_RESOURCES: AclList("reserve_resources", _resource_role, by_role=True),
    Action.UNRESERVE_RESOURCES: AclList("unreserve_resources", _reserver),
    Action.CREATE_VOLUME: AclList("create_volumes", _resource_role, by_role=True),
    Action.DESTROY_VOLUME: AclList("destroy_volumes", _creator),
    Action.RESIZE_VOLUME: AclList("resize_volumes", _resource_role, by_role=True),
    Action.CREATE_BLOCK_DISK: AclList("create_block_disks", _resource_role, by_role=True),
    Action.DESTROY_BLOCK_DISK: AclList("destroy_block_disks", _resource_role, by_role=True),
    Action.CREATE_MOUNT_DISK: AclList("create_mount_disks", _resource_role, by_role=True),
    Action.DESTROY_MOUNT_DISK: AclList("destroy_mount_disks", _resource_role, by_role=True),
    Action.DESTROY_RAW_DISK: AclList("destroy_raw_disks", _resource_role, by_role=True),
    Action.GET_ENDPOINT_WITH_PATH: AclList("get_endpoints", _value),
    Action.VIEW_ROLE: AclList("view_roles", _value, by_role=True),
    Action.UPDATE_WEIGHT: AclList("update_weights", _weight_role, by_role=True),
    Action.GET_QUOTA: AclList("get_quotas", _value, by_role=True),
    Action.UPDATE_QUOTA: AclList("update_quotas", _quota_role, by_role=True),
    Action.UPDATE_QUOTA_WITH_CONFIG: AclList("update_quotas", _value, by_role=True),
    Action.VIEW_FRAMEWORK: AclList("view_frameworks", _framework_user),
    Action.VIEW_TASK: AclList("view_tasks", _task_user),
    Action.VIEW_EXECUTOR: AclList("view_executors", _executor_user),
    Action.ACCESS_SANDBOX: AclList("access_sandboxes", _executor_user),
    Action.ACCESS_MESOS_LOG: AclList("access_mesos_logs", _any),
    Action.VIEW_FLAGS: AclList("view_flags", _any),
    Action.LAUNCH_NESTED_CONTAINER: AclList("launch_nested_containers_as_user", command_user),
    Action.LAUNCH_NESTED_CONTAINER_SESSION: AclList("launch_nested_container_sessions_as_user", command_user),
    Action.KILL_NESTED_CONTAINER: AclList("kill_nested_containers", _container_user),
    Action.WAIT_NESTED_CONTAINER: AclList("wait_nested_containers", _container_user),
    Action.REMOVE_NESTED_CONTAINER: AclList("remove_nested_containers", _container_user),
    Action.ATTACH_CONTAINER_INPUT: AclList("attach_containers_input", _container_user),
    Action.ATTACH_CONTAINER_OUTPUT: AclList("attach_containers_output", _container_user),
    Action.VIEW_CONTAINER: AclList("view_containers", _executor_user),
    Action.SET_LOG_LEVEL: AclList("set_log_level", _any),
    Action.REGISTER_AGENT: AclList("register_agents", _any),
    Action.UPDATE_MAINTENANCE_SCHEDULE: AclList("update_maintenance_schedules", _any),
    Action.GET_MAINTENANCE_SCHEDULE: AclList("get_maintenance_schedules", _any),
    Action.START_MAINTENANCE: AclList("start_maintenances", _any),
    Action.STOP_MAINTENANCE: AclList("stop_maintenances", _any),
    Action.GET_MAINTENANCE_STATUS: AclList("get_maintenance_statuses", _any),
    Action.DRAIN_AGENT: AclList("drain_agents", _any),
    Action.DEACTIVATE_AGENT: AclList("deactivate_agents", _any),
    Action.REACTIVATE_AGENT: AclList("reactivate_agents", _any),
    Action.MARK_AGENT_GONE: AclList("mark_agents_gone", _any),
    Action.LAUNCH_STANDALONE_CONTAINER: AclList("launch_standalone_containers", _any),
    Action.KILL_STANDALONE_CONTAINER: AclList("kill_standalone_containers", _any),
    Action.WAIT_STANDALONE_CONTAINER: AclList("wait_standalone_containers", _any),
    Action.REMOVE_STANDALONE_CONTAINER: AclList("remove_standalone_containers", _any),
    Action.VIEW_STANDALONE_CONTAINER: AclList("view_standalone_containers", _any),
    Action.MODIFY_RESOURCE_PROVIDER_CONFIG: AclList("modify_resource_provider_configs", _any),
    Action.MARK_RESOURCE_PROVIDER_GONE: AclList("mark_resource_providers_gone", _any),
    Action.VIEW_RESOURCE_PROVIDER: AclList("view_resource_providers", _any),
    Action.PRUNE_IMAGES: AclList("prune_images", _any),
}
"""By action."""

PARENT_LISTS: dict[int, AclList] = {
    Action.LAUNCH_NESTED_CONTAINER: AclList("launch_nested_containers_under_parent_with_user", _executor_user),
    Action.LAUNCH_NESTED_CONTAINER_SESSION: AclList(
        "launch_nested_container_sessions_under_parent_with_user", _executor_user
    ),
}
"""Rules about whoever a nested container is launched under."""

ENDPOINTS = frozenset(
    (
        "/containers",
        "/containerizer/debug",
        "/files/debug",
        "/logging/toggle",
        "/metrics/snapshot",
        "/monitor/statistics",
    )
)
"""Paths that rules about endpoints may name."""

ALL_OR_NONE = {
    "access_mesos_logs": "AccessMesosLog",
    "view_flags": "ViewFlags",
    "set_log_level": "SetLogLevel",
    "register_agents": "RegisterAgent",
    "update_maintenance_schedules": "UpdateMaintenanceSchedule",
    "get_maintenance_schedules": "GetMaintenanceSchedule",
    "start_maintenances": "StartMaintenance",
    "stop_maintenances": "StopMaintenance",
    "get_maintenance_statuses": "GetMaintenanceStatus",
    "drain_agents": "DrainAgent",
    "deactivate_agents": "DeactivateAgent",
    "reactivate_agents": "ReactivateAgent",
    "launch_standalone_containers": "LaunchStandaloneContainer",
    "kill_standalone_containers": "KillStandaloneContainer",
    "wait_standalone_containers": "WaitStandaloneContainer",
    "remove_standalone_containers": "RemoveStandaloneContainer",
    "view_standalone_containers": "ViewStandaloneContainer",
    "mark_resource_providers_gone": "MarkResourceProvidersGone",
    "view_resource_providers": "ViewResourceProvider",
    "modify_resource_provider_configs": "ModifyResourceProviderConfig",
    "prune_images": "PruneImages",
}
"""Lists whose rules allow everything or nothing, and what a wrong one is called."""
