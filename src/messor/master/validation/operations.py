"""Offer operations: their shape, which may carry an id, and what makes each of them invalid (V2–V6, M11).

Sentences are Mesos' own: frameworks and operators read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from messor.errors import InvalidRequest
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.validation.resources import validate_contents, validate_single_role
from messor.model.conversions import DISK_OPERATIONS, disk_source, plain_disk, provider_of
from messor.model.resource import resource_text
from messor.model.resource_formats import change_all, upgrade
from messor.model.resources import Resources, validate_resources
from messor.model.scalars import to_milli
from messor.protos import v0

Operation = v0.Offer.Operation
Agent = v0.SlaveInfo.Capability
Source = v0.Resource.DiskInfo.Source

LAUNCHES = (Operation.LAUNCH, Operation.LAUNCH_GROUP)
"""Operations that start tasks: their failures are told per task."""

CONVERSIONS = (
    Operation.RESERVE,
    Operation.UNRESERVE,
    Operation.CREATE,
    Operation.DESTROY,
    Operation.GROW_VOLUME,
    Operation.SHRINK_VOLUME,
)
"""Operations that change an agent's own resources into others."""

NO_V0_FEEDBACK = (
    "The 'id' field was set in an offer operation, but operation feedback is not supported for the SchedulerDriver API;"
    " please use the HTTP scheduler API for this feature"
)
"""What a framework connected by pid is told when it asks for feedback."""

NO_UPDATES = "Reservation updates are not yet implemented for the scheduler API."


def operation_name(operation: v0.Offer.Operation) -> str:
    """Give the name of an operation's type."""
    return Operation.Type.Name(operation.type)


def validate_launch_id(operation: v0.Offer.Operation) -> None:
    """Check that a launch carries no id; raises InvalidRequest."""
    if operation.HasField("id"):
        raise InvalidRequest(f"The `id` field cannot be set on {operation_name(operation)} operations")


def validate_feedback(operation: v0.Offer.Operation, agent: AgentRecord) -> None:
    """Check that an agent, or the resource provider on it, can report on an operation; raises InvalidRequest."""
    if not agent.has(Agent.RESOURCE_PROVIDER):
        raise InvalidRequest(
            f"Operation requested feedback, but agent {agent.id} does not have the required RESOURCE_PROVIDER"
            " capability"
        )
    if not agent.has(Agent.AGENT_OPERATION_FEEDBACK) and _is_on_own_resources(operation):
        raise InvalidRequest(
            f"Operation on agent default resources requested feedback, but agent {agent.id} does not have the required"
            " AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities"
        )


def _is_on_own_resources(operation: v0.Offer.Operation) -> bool:
    try:
        return provider_of(operation) is None
    except InvalidRequest:
        return False  # it is refused for that later


def validate_agent_can(operation: v0.Offer.Operation, agent: AgentRecord) -> None:
    """Check that an agent can apply operations of a type at all; raises InvalidRequest."""
    if operation.type in DISK_OPERATIONS and not agent.has(Agent.RESOURCE_PROVIDER):
        raise InvalidRequest(f"Not supported on agent {agent} because it does not have RESOURCE_PROVIDER capability")


# --- shape -----------------------------------------------------------------------------------------------------------


def read_operation(operation: v0.Offer.Operation, role: str | None) -> None:
    """Check an operation's body and turn its resources into the stack form, in place; raises InvalidRequest.

    role: what resources without allocation are marked as allocated to; None for operators, who speak of unallocated
    ones.
    """
    name = operation_name(operation)
    field = name.lower()
    if not operation.HasField(field):
        article = "An" if name.startswith("U") else "A"
        kind = "operation" if operation.type == Operation.GROW_VOLUME else "offer operation"
        raise InvalidRequest(f"{article} {name} {kind} must have the Offer.Operation.{field} field set.")
    found: list[v0.Resource] = []
    change_all(getattr(operation, field), found.append)
    validate_resources(found)
    for resource in found:
        upgrade(resource)
        if role is not None and not resource.HasField("allocation_info"):
            resource.allocation_info.role = role


def validate_operation(operation: v0.Offer.Operation, framework: FrameworkRecord, agent: AgentRecord) -> None:
    """Check an operation, other than a launch, that ``read_operation`` has read; raises InvalidRequest."""
    principal = framework.info.principal if framework.info.HasField("principal") else None
    match operation.type:
        case Operation.RESERVE:
            validate_reserve(operation.reserve, agent, principal, framework)
        case Operation.UNRESERVE:
            validate_unreserve(operation.unreserve)
        case Operation.CREATE:
            validate_create(operation.create, agent, principal, framework)
        case Operation.DESTROY:
            validate_destroy(operation.destroy, agent.checkpointed, agent.used)
        case Operation.GROW_VOLUME:
            validate_grow(operation.grow_volume, agent)
        case Operation.SHRINK_VOLUME:
            validate_shrink(operation.shrink_volume, agent)
        case Operation.CREATE_DISK:
            validate_create_disk(operation.create_disk)
        case _:
            validate_destroy_disk(operation.destroy_disk)


# --- reservations ----------------------------------------------------------------------------------------------------


def validate_reserve(
    reserve: v0.Offer.Operation.Reserve,
    agent: AgentRecord,
    principal: str | None,
    framework: FrameworkRecord | None,
) -> None:
    """Check a RESERVE; framework is None for an operator's. Raises InvalidRequest."""
    _validate_usable(reserve.resources, "Invalid resources: ")
    _validate_usable(reserve.source, "Invalid source: ")
    if reserve.source:
        _validate_update(reserve)
    _validate_one_provider(reserve.resources)
    roles = framework.roles if framework is not None else None
    for resource in reserve.resources:
        _validate_dynamic(resource)
        _validate_agent_knows(resource, agent, "Resource", "reserved")
        if principal is not None:
            _validate_reserver(resource, principal)
        if roles is not None:
            _validate_reserved_role(resource, roles)
        elif resource.HasField("allocation_info"):
            raise InvalidRequest(
                "A reserve operation was attempted with an allocated resource, but the operator API only allows"
                " reservations to be made to unallocated resources"
            )
    if roles is not None:
        try:
            validate_single_role(reserve.resources)
        except InvalidRequest as error:
            raise InvalidRequest(f"Invalid reservation resources: {error}") from None


def _validate_update(reserve: v0.Offer.Operation.Reserve) -> None:
    """Check that one set of reserved resources is to become the same differently reserved (V4)."""
    for what, resources in (("source", reserve.source), ("resources", reserve.resources)):
        first = [item.SerializePartialToString() for item in resources[0].reservations] if resources else []
        if not resources:
            raise InvalidRequest(f"Invalid {what}: Resource cannot be empty")
        if any([item.SerializePartialToString() for item in each.reservations] != first for each in resources):
            raise InvalidRequest(f"Invalid {what}: Mixed reservations are not supported{Resources.of(resources)}")
    before, after = Resources.of(reserve.source).to_unreserved(), Resources.of(reserve.resources).to_unreserved()
    if before != after:
        raise InvalidRequest(
            f"Source and target resources should refer to identical resource quantities: {before} vs. {after}"
        )


def _validate_reserver(resource: v0.Resource, principal: str) -> None:
    reservation = resource.reservations[-1]
    if not reservation.HasField("principal"):
        raise InvalidRequest(
            f"A reserve operation was attempted by principal '{principal}', but there is a reserved resource in the"
            " request with no principal set"
        )
    if reservation.principal != principal:
        raise InvalidRequest(
            f"A reserve operation was attempted by authenticated principal '{principal}', which does not match a"
            f" reserved resource in the request with principal '{reservation.principal}'"
        )


def _validate_reserved_role(resource: v0.Resource, roles: frozenset[str]) -> None:
    """Check that a framework reserves for the role the resource was offered to."""
    allocated, reserved = resource.allocation_info.role, resource.reservations[-1].role
    if not resource.allocation_info.HasField("role"):
        raise InvalidRequest(
            f"A reserve operation was attempted on unallocated resource {resource_text(resource)}, but frameworks can"
            " only perform reservations on allocated resources"
        )
    if allocated != reserved:
        raise InvalidRequest(
            f"A reserve operation was attempted for a resource with role '{reserved}', but the resource was allocated"
            f" to role '{allocated}'"
        )
    if allocated not in roles:
        raise InvalidRequest(
            f"A reserve operation was attempted for a resource allocated to role '{allocated}', but the framework only"
            f" has roles '{{ {', '.join(sorted(roles))} }}'"
        )


def validate_unreserve(unreserve: v0.Offer.Operation.Unreserve) -> None:
    """Check an UNRESERVE; raises InvalidRequest. Anybody may undo anybody's reservation unless an ACL forbids it."""
    _validate_usable(unreserve.resources, "Invalid resources: ")
    _validate_one_provider(unreserve.resources)
    for resource in unreserve.resources:
        _validate_dynamic(resource)
        if resource.disk.HasField("persistence"):
            raise InvalidRequest(
                f"A dynamically reserved persistent volume {resource_text(resource)} cannot be unreserved directly."
                " Please destroy the persistent volume first then unreserve the resource"
            )


# --- volumes ---------------------------------------------------------------------------------------------------------


def validate_create(
    create: v0.Offer.Operation.Create,
    agent: AgentRecord,
    principal: str | None,
    framework: FrameworkRecord | None,
) -> None:
    """Check a CREATE; framework is None for an operator's. Raises InvalidRequest."""
    _validate_usable(create.volumes, "Invalid resources: ")
    _validate_one_provider(create.volumes)
    for volume in create.volumes:
        _validate_volume(volume, "Not a persistent volume: ")
    _validate_unique(create.volumes, agent.checkpointed)
    for volume in create.volumes:
        if framework is not None and volume.HasField("shared"):
            _validate_may_share(volume, framework)
        _validate_agent_knows(volume, agent, "Volume", "created")
        if principal is not None:
            _validate_creator(volume, principal)
    if framework is not None:
        try:
            validate_single_role(create.volumes)
        except InvalidRequest as error:
            raise InvalidRequest(f"Invalid volume resources: {error}") from None


def _validate_unique(volumes: Iterable[v0.Resource], existing: Resources) -> None:
    """Check that a role has no volume of that id on the agent yet."""
    seen = {
        (kind.reservation_role, kind.shape().disk.persistence.id)
        for kind in existing.kinds()
        if kind.is_persistent_volume
    }
    for volume in volumes:
        key = (volume.reservations[-1].role, volume.disk.persistence.id)
        if key in seen:
            raise InvalidRequest(f"Persistence ID '{key[1]}' is not unique")
        seen.add(key)


def _validate_may_share(volume: v0.Resource, framework: FrameworkRecord) -> None:
    if not framework.has(v0.FrameworkInfo.Capability.SHARED_RESOURCES):
        raise InvalidRequest(
            f"Create volume operation for '{resource_text(volume)}' has been attempted by framework '{framework.id}'"
            " with no SHARED_RESOURCES capability"
        )


def _validate_creator(volume: v0.Resource, principal: str) -> None:
    persistence = volume.disk.persistence
    if not persistence.HasField("principal"):
        raise InvalidRequest(
            f"Create volume operation attempted by principal '{principal}', but there is a volume in the operation"
            " with no principal set in 'disk.persistence'"
        )
    if persistence.principal != principal:
        raise InvalidRequest(
            f"Create volume operation attempted by authenticated principal '{principal}', which does not match a"
            f" volume in the operation with principal '{persistence.principal}' set in 'disk.persistence'"
        )


def validate_destroy(
    destroy: v0.Offer.Operation.Destroy, checkpointed: Resources, used: Mapping[str, Resources]
) -> None:
    """Check a DESTROY against an agent's volumes and what frameworks use of it; raises InvalidRequest."""
    _validate_usable(destroy.volumes, "Invalid resources: ")
    _validate_one_provider(destroy.volumes)
    for volume in destroy.volumes:
        _validate_volume(volume, "Not a persistent volume: ")
    volumes = [Resources.of([volume]).unallocated() for volume in destroy.volumes]
    # What a resource provider's volumes are the offer tells.
    own = [volume for volume in volumes if all(kind.provider_id is None for kind in volume.kinds())]
    if not all(checkpointed.contains(volume) for volume in own):
        raise InvalidRequest("Persistent volumes not found")
    # A volume that is not shared cannot be offered while it is used; this is about shared ones.
    for resources in used.values():
        held = resources.unallocated()
        if any(held.contains(volume) for volume in volumes):
            raise InvalidRequest("Persistent volumes in use")


def validate_grow(grow: v0.Offer.Operation.GrowVolume, agent: AgentRecord) -> None:
    """Check a GROW_VOLUME; raises InvalidRequest."""
    if to_milli(grow.addition.scalar.value) <= 0:
        raise InvalidRequest("The size of 'GrowVolume.addition' field must be greater than zero")
    if grow.volume.HasField("provider_id"):
        raise InvalidRequest("Growing a volume from a resource provider is not supported")
    _validate_volume(grow.volume, "Invalid persistent volume in the 'GrowVolume.volume' field: ")
    if grow.volume.HasField("shared"):
        raise InvalidRequest("Growing a shared persistent volume is not supported")
    kinds = {*plain_disk(grow.volume).kinds(), *Resources.of([grow.addition]).kinds()}
    if len(kinds) != 1 or any(kind.is_whole for kind in kinds):
        raise InvalidRequest("Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields")
    if not agent.has(Agent.RESIZE_VOLUME):
        raise InvalidRequest(
            f"Volume {resource_text(grow.volume)} cannot be grown on an agent without RESIZE_VOLUME capability"
        )


def validate_shrink(shrink: v0.Offer.Operation.ShrinkVolume, agent: AgentRecord) -> None:
    """Check a SHRINK_VOLUME; raises InvalidRequest."""
    if to_milli(shrink.subtract.value) <= 0:
        raise InvalidRequest("Value of 'ShrinkVolume.subtract' must be greater than zero")
    if to_milli(shrink.volume.scalar.value) <= to_milli(shrink.subtract.value):
        raise InvalidRequest("Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'")
    if shrink.volume.HasField("provider_id"):
        raise InvalidRequest("Shrinking a volume from a resource provider is not supported")
    if shrink.volume.disk.source.type == Source.MOUNT:
        raise InvalidRequest("Shrinking a volume on a MOUNT disk is not supported")
    _validate_volume(shrink.volume, "Invalid persistent volume in the 'ShrinkVolume.volume' field: ")
    if shrink.volume.HasField("shared"):
        raise InvalidRequest("Shrinking a shared persistent volume is not supported")
    if not agent.has(Agent.RESIZE_VOLUME):
        raise InvalidRequest(
            f"Volume {resource_text(shrink.volume)} cannot be shrunk on an agent without RESIZE_VOLUME capability"
        )


# --- disks -----------------------------------------------------------------------------------------------------------


def validate_create_disk(create: v0.Offer.Operation.CreateDisk) -> None:
    """Check a CREATE_DISK; raises InvalidRequest."""
    source = create.source
    _validate_provided(source)
    if source.disk.source.type != Source.RAW:
        raise InvalidRequest("'source' is not a RAW disk resource")
    if create.target_type not in (Source.MOUNT, Source.BLOCK):
        raise InvalidRequest("'target_type' is neither MOUNT or BLOCK")
    if source.disk.source.HasField("profile") and create.HasField("target_profile"):
        raise InvalidRequest("'target_profile' must not be set when 'source' has a profile")
    if not source.disk.source.HasField("profile") and not create.HasField("target_profile"):
        raise InvalidRequest("'target_profile' must be set when 'source' has no profile")


def validate_destroy_disk(destroy: v0.Offer.Operation.DestroyDisk) -> None:
    """Check a DESTROY_DISK; raises InvalidRequest."""
    source = destroy.source
    _validate_provided(source)
    if source.disk.source.type not in (Source.MOUNT, Source.BLOCK, Source.RAW):
        raise InvalidRequest("'source' is neither a MOUNT, BLOCK or RAW disk resource")
    if not source.disk.source.HasField("id"):
        raise InvalidRequest("'source' is not backed by a CSI volume")
    if source.disk.HasField("persistence"):
        raise InvalidRequest(
            f"A disk resource containing a persistent volume {resource_text(source)} cannot be destroyed directly."
            " Please destroy the persistent volume first then destroy the disk resource"
        )


def consumed_disk(operation: v0.Offer.Operation, available: Resources) -> Resources:
    """Give what a CREATE_DISK or DESTROY_DISK takes out of a pool; raises InvalidRequest when it is not there."""
    consumed = Resources.of([disk_source(operation)])
    if not available.contains(consumed):
        raise InvalidRequest(f"Invalid {operation_name(operation)} Operation: {available} does not contain {consumed}")
    return consumed


def _validate_provided(source: v0.Resource) -> None:
    _validate_usable([source], "Invalid resource: ")
    if not source.HasField("provider_id"):
        raise InvalidRequest("'source' is not managed by a resource provider")


# --- parts -----------------------------------------------------------------------------------------------------------


def _validate_usable(resources: Iterable[v0.Resource], prefix: str) -> None:
    messages = list(resources)
    try:
        validate_contents(messages, Resources.of(messages))
    except InvalidRequest as error:
        raise InvalidRequest(f"{prefix}{error}") from None


def _validate_one_provider(resources: Iterable[v0.Resource]) -> None:
    providers = {item.provider_id.value if item.HasField("provider_id") else None for item in resources}
    if len(providers) == 1:
        return
    if None in providers:
        raise InvalidRequest("Invalid resources: Some resources have a resource provider and some do not")
    names = ", ".join(sorted(name for name in providers if name is not None))
    raise InvalidRequest(f"Invalid resources: The resources have multiple resource providers: {names}")


def _validate_dynamic(resource: v0.Resource) -> None:
    if not resource.reservations or resource.reservations[-1].type != v0.Resource.ReservationInfo.DYNAMIC:
        raise InvalidRequest(f"Resource {resource_text(resource)} is not dynamically reserved")


def _validate_agent_knows(resource: v0.Resource, agent: AgentRecord, noun: str, verb: str) -> None:
    """Check that an old agent understands the reservation."""
    role = resource.reservations[-1].role if resource.reservations else ""
    text = f"{noun} {resource_text(resource)} with reservation"
    if "/" in role and not agent.has(Agent.HIERARCHICAL_ROLE):
        raise InvalidRequest(
            f"{text} for hierarchical role '{role}' cannot be {verb} on an agent without HIERARCHICAL_ROLE capability"
        )
    if len(resource.reservations) > 1 and not agent.has(Agent.RESERVATION_REFINEMENT):
        raise InvalidRequest(
            f"{text} refinement cannot be {verb} on an agent without RESERVATION_REFINEMENT capability"
        )


def _validate_volume(volume: v0.Resource, prefix: str) -> None:
    """Check that a resource is a persistent volume as it is made: readable and writable."""
    if not volume.HasField("disk"):
        raise InvalidRequest(f"{prefix}Resource {resource_text(volume)} does not have DiskInfo")
    if not volume.disk.HasField("persistence"):
        raise InvalidRequest(f"{prefix}'persistence' is not set in DiskInfo")
    if not volume.disk.HasField("volume"):
        raise InvalidRequest(f"{prefix}Expecting 'volume' to be set for persistent volume")
    if volume.disk.volume.mode == v0.Volume.RO:
        raise InvalidRequest(f"{prefix}Read-only persistent volume not supported")
