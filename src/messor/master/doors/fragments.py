"""The v0 JSON of single things: resources, attributes, statuses, tasks, executors, offers.

These are the pieces ``/state`` and its sisters are joined from. They are written by hand rather than from the messages:
the endpoints are older than the messages' JSON form and flatter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from messor.master.state.framework import ExecutorRecord
from messor.master.state.offer import OfferRecord
from messor.master.state.task import TaskRecord
from messor.model.ranges import Items, Ranges
from messor.model.resources import Resources
from messor.model.scalars import to_float
from messor.protos import v0
from messor.wire.json_codec import dumps, number, to_dict

AGENT_CAPABILITIES = {value: name for name, value in v0.SlaveInfo.Capability.Type.items()}
FRAMEWORK_CAPABILITIES = {value: name for name, value in v0.FrameworkInfo.Capability.Type.items()}
TASK_STATES = {value: name for name, value in v0.TaskState.items()}


def resources_dict(bags: Iterable[Resources]) -> dict[str, Any]:
    """Sum resources by name: scalars as numbers (the usual four always), ranges and sets as text."""
    scalars = {"disk": 0, "mem": 0, "gpus": 0, "cpus": 0}
    others: dict[str, Any] = {}
    for bag in bags:
        for kind, amount in bag.items():
            name = kind.name + "_revocable" if kind.is_revocable else kind.name
            if kind.is_scalar:
                unit: Any = kind.unit
                milli: Any = amount if unit is None else unit if kind.is_shared else unit * amount
                scalars[name] = scalars.get(name, 0) + milli
            else:
                others[name] = others[name] + amount if name in others else amount
    result: dict[str, Any] = {name: number(to_float(milli)) for name, milli in scalars.items()}
    for kinds in (Ranges, Items):
        result.update({name: str(amount) for name, amount in others.items() if isinstance(amount, kinds)})
    return result


def attributes_dict(attributes: Iterable[v0.Attribute]) -> dict[str, Any]:
    """Give attributes by name: numbers, or text."""
    result: dict[str, Any] = {}
    for attribute in attributes:
        if attribute.type == v0.Value.SCALAR:
            result[attribute.name] = number(attribute.scalar.value)
        elif attribute.type == v0.Value.RANGES:
            result[attribute.name] = str(Ranges.of(attribute.ranges))
        elif attribute.type == v0.Value.SET:
            result[attribute.name] = str(Items(attribute.set.item))
        else:
            result[attribute.name] = attribute.text.value
    return result


def domain_dict(domain: v0.DomainInfo) -> dict[str, Any]:
    """Give region and zone."""
    if not domain.HasField("fault_domain"):
        return {}
    fault = domain.fault_domain
    return {"fault_domain": {"region": {"name": fault.region.name}, "zone": {"name": fault.zone.name}}}


def labels_list(labels: v0.Labels) -> list[dict[str, Any]]:
    """Give labels as a plain list."""
    return dicts(labels.labels)


def dicts(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Give messages in their JSON form."""
    return [to_dict(message) for message in messages]


def agent_info_dict(info: v0.SlaveInfo) -> dict[str, Any]:
    """Give what is known of an agent before it (re-)registered."""
    result: dict[str, Any] = {
        "id": info.id.value,
        "hostname": info.hostname,
        "port": info.port,
        "attributes": attributes_dict(info.attributes),
    }
    if info.HasField("domain"):
        result["domain"] = domain_dict(info.domain)
    return result


# --- tasks -------------------------------------------------------------------------------------------------------


def task_fragment(record: TaskRecord) -> bytes:
    """Write a task, or give what was written before it last changed."""
    fragment = record.fragment
    if fragment is None:
        # A copy: what the JSON library gives occupies four kilobytes whatever its length.
        fragment = record.fragment = dumps(task_dict(record))[:-1] + b"}"
    return fragment


def task_dict(record: TaskRecord) -> dict[str, Any]:
    """Give a task as the endpoints show it."""
    task = v0.Task.FromString(record.base)
    result: dict[str, Any] = {
        "id": record.id,
        "name": task.name,
        "framework_id": record.framework_id,
        "executor_id": record.executor_id,
        "slave_id": record.agent_id,
        "state": TASK_STATES[record.state],
        "resources": resources_dict((record.resources,)),
    }
    if task.limits:
        result["limits"] = {name: number(limit.value) for name, limit in task.limits.items()}
    result["role"] = role_of(record.resources)
    result["statuses"] = [status_dict(v0.TaskStatus.FromString(status)) for status in record.statuses]
    if task.HasField("user"):
        result["user"] = task.user
    if task.HasField("labels"):
        result["labels"] = labels_list(task.labels)
    for field in ("discovery", "container", "health_check"):
        if task.HasField(field):
            result[field] = to_dict(getattr(task, field))
    return result


def role_of(resources: Resources) -> str:
    """Give the role resources are allocated to; tasks and executors never mix roles."""
    for kind in resources.kinds():
        return kind.allocation_role or ""
    return ""


def status_dict(status: v0.TaskStatus) -> dict[str, Any]:
    """Give a status in a task's history: less than the scheduler was told."""
    result: dict[str, Any] = {"state": TASK_STATES[status.state], "timestamp": number(status.timestamp)}
    if status.HasField("labels"):
        result["labels"] = labels_list(status.labels)
    if status.HasField("container_status"):
        result["container_status"] = _container_status_dict(status.container_status)
    if status.HasField("healthy"):
        result["healthy"] = status.healthy
    return result


def _container_status_dict(status: v0.ContainerStatus) -> dict[str, Any]:
    """Give a container's identity, addresses and cgroups."""
    result: dict[str, Any] = {}
    if status.HasField("container_id"):
        result["container_id"] = to_dict(status.container_id)
    if status.network_infos:
        result["network_infos"] = [_network_dict(network) for network in status.network_infos]
    if status.HasField("cgroup_info"):
        result["cgroup_info"] = to_dict(status.cgroup_info)
    return result


def _network_dict(network: v0.NetworkInfo) -> dict[str, Any]:
    """Give a network a container is in."""
    result: dict[str, Any] = {}
    if network.groups:
        result["groups"] = list(network.groups)
    if network.HasField("labels"):
        result["labels"] = labels_list(network.labels)
    if network.ip_addresses:
        result["ip_addresses"] = dicts(network.ip_addresses)
    if network.HasField("name"):
        result["name"] = network.name
    if network.port_mappings:
        result["port_mappings"] = dicts(network.port_mappings)
    return result


# --- executors and offers ----------------------------------------------------------------------------------------


def executor_dict(record: ExecutorRecord) -> dict[str, Any]:
    """Give an executor."""
    info = record.info
    result: dict[str, Any] = {
        "executor_id": record.id,
        "name": info.name,
        "framework_id": record.framework_id,
        "command": _command_dict(info.command),
        "resources": resources_dict((record.resources,)),
    }
    if record.resources:
        result["role"] = role_of(record.resources)
    if info.HasField("labels"):
        result["labels"] = labels_list(info.labels)
    if info.HasField("type"):
        result["type"] = v0.ExecutorInfo.Type.Name(info.type)
    result["slave_id"] = record.agent_id
    return result


def _command_dict(command: v0.CommandInfo) -> dict[str, Any]:
    """Give an executor's command; lists are shown even when empty."""
    result: dict[str, Any] = {}
    if command.HasField("shell"):
        result["shell"] = command.shell
    if command.HasField("value"):
        result["value"] = command.value
    result["argv"] = list(command.arguments)
    if command.HasField("environment"):
        result["environment"] = to_dict(command.environment)
    result["uris"] = [{"value": uri.value, "executable": uri.executable} for uri in command.uris]
    return result


def offer_dict(record: OfferRecord) -> dict[str, Any]:
    """Give an outstanding offer."""
    return {
        "id": record.id,
        "framework_id": record.framework_id,
        "allocation_info": {"role": record.role},
        "slave_id": record.agent_id,
        "resources": resources_dict((record.resources,)),
    }
