"""What the master asks its authorizer, and how it words refusals (K8).

Frameworks act under the principal of their FrameworkInfo, agents under the one they proved, operators under the one
they gave with their request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from messor.errors import NotAuthorized
from messor.master.state.framework import FrameworkRecord
from messor.model.resource_formats import upgrade_all
from messor.model.resources import Resources
from messor.model.roles import roles_of
from messor.protos import v0
from messor.security.authorizer import Action, Authorizer, Object, task_user
from messor.security.permissions import Permissions
from messor.wire.json_codec import to_json

Operation = v0.Offer.Operation

DISKS_MADE = {
    v0.Resource.DiskInfo.Source.MOUNT: Action.CREATE_MOUNT_DISK,
    v0.Resource.DiskInfo.Source.BLOCK: Action.CREATE_BLOCK_DISK,
}
DISKS_DESTROYED = {
    v0.Resource.DiskInfo.Source.MOUNT: Action.DESTROY_MOUNT_DISK,
    v0.Resource.DiskInfo.Source.BLOCK: Action.DESTROY_BLOCK_DISK,
    v0.Resource.DiskInfo.Source.RAW: Action.DESTROY_RAW_DISK,
}


class Deed(NamedTuple):
    """Something that somebody wants to do to something; no object: to any there is."""

    action: int
    thing: Object | None = None

    def __str__(self) -> str:
        """Say what, as in Mesos' refusals: it begins with a verb."""
        thing, name = self.thing, Action.Name(self.action)
        if thing is None:
            return f"perform action {name} on ANY object"
        info = thing.framework_info
        if self.action == Action.RUN_TASK and thing.task_info is not None and info is not None:
            user = task_user(thing.task_info)
            task_id = thing.task_info.task_id.value
            return (
                f"launch task {task_id} of framework {info.id.value} under user '{info.user if user is None else user}'"
            )
        if self.action == Action.REGISTER_FRAMEWORK and info is not None:
            return f"register framework {info.id.value} with roles {{ {', '.join(sorted(roles_of(info)))} }}"
        return f"perform action {name} on object {to_json(thing.message()).decode()}"


class Authorization(Permissions):
    """Asks about frameworks, their tasks and operations, agents, and what operators do."""

    def __init__(self, authorizer: Authorizer | None) -> None:
        """Ask this one; None: everybody may do everything."""
        super().__init__(authorizer)
        self.is_on = authorizer is not None

    def _refused(self, principal: str | None, deeds: Iterable[Deed]) -> Deed | None:
        """Give the first deed that is not allowed."""
        return next((deed for deed in deeds if not self.may(principal, deed.action, deed.thing)), None)

    # --- frameworks --------------------------------------------------------------------------------------------------

    def check_framework(self, info: v0.FrameworkInfo) -> None:
        """Raise NotAuthorized unless a framework may have its roles."""
        if self.is_on:
            deed = self._refused(_principal(info), [registration(info)])
            if deed is not None:
                raise NotAuthorized(f"Not authorized to {deed}")

    def refuse_task(self, task: v0.TaskInfo, framework: FrameworkRecord) -> str | None:
        """Say what a framework may not do by launching a task, None when it may."""
        deed = self._refused(_principal(framework.info), [launch(task, framework.info)])
        return None if deed is None else str(deed)

    def refuse_operation(self, operation: v0.Offer.Operation, framework: FrameworkRecord) -> str | None:
        """Say why a framework may not do an operation, whose resources are in their inside form; None when it may."""
        deed = self._refused(_principal(framework.info), deeds_of(operation))
        return None if deed is None else f"Principal '{framework.info.principal}' no authorized to {deed}"

    # --- agents ------------------------------------------------------------------------------------------------------

    def check_agent(self, info: v0.SlaveInfo, principal: str | None, verb: str) -> None:
        """Raise NotAuthorized unless an agent may join with what it has reserved.

        verb: ``register`` or ``reregister``.
        """
        if self.is_on and self._refused(principal, agent_deeds(info)) is not None:
            who = f"with principal '{principal}'" if principal is not None else "without a principal"
            what = Resources.of(info.resources)
            raise NotAuthorized(f"Not authorized to {verb} agent providing resources '{what}' {who}")

    # --- operators ---------------------------------------------------------------------------------------------------

    def check_operation(self, operation: v0.Offer.Operation, principal: str | None) -> None:
        """Raise NotAuthorized unless an operator may do an operation, whose resources are in their inside form."""
        if self._refused(principal, deeds_of(operation)) is not None:
            raise NotAuthorized

    def check_sees_all(self, principal: str | None) -> None:
        """Raise NotAuthorized unless an operator may see all frameworks and roles: answers name them all."""
        if self.viewer(principal) is not None:
            raise NotAuthorized

    def check_teardown(self, info: v0.FrameworkInfo, principal: str | None) -> None:
        """Raise NotAuthorized unless an operator may end a framework."""
        thing = Object(framework_info=info, value=info.principal) if info.HasField("principal") else None
        self.check(principal, Action.TEARDOWN_FRAMEWORK, thing)

    def check_machines(self, action: int, machines: Iterable[v0.MachineID], principal: str | None) -> None:
        """Raise NotAuthorized unless something may be done to all of these machines."""
        if self.is_on:
            for machine in machines:
                self.check(principal, action, Object(machine_id=machine))

    def check_roles(self, action: int, roles: Iterable[str], principal: str | None) -> None:
        """Raise NotAuthorized unless something may be done to all of these roles; none: to any."""
        if self.is_on:
            things: list[Object | None] = [Object(value=role) for role in roles]
            for thing in things or [None]:
                self.check(principal, action, thing)


# --- deeds -----------------------------------------------------------------------------------------------------------


def registration(info: v0.FrameworkInfo) -> Deed:
    """Describe that a framework registers, again or anew."""
    is_multi_role = any(each.type == v0.FrameworkInfo.Capability.MULTI_ROLE for each in info.capabilities)
    return Deed(Action.REGISTER_FRAMEWORK, Object(framework_info=info, value=None if is_multi_role else info.role))


def launch(task: v0.TaskInfo, info: v0.FrameworkInfo) -> Deed:
    """Describe that a framework launches a task."""
    return Deed(Action.RUN_TASK, Object(task_info=task, framework_info=info))


def agent_deeds(info: v0.SlaveInfo) -> Iterator[Deed]:
    """List what an agent does by joining; its own reservations need to be allowed, those made at run time were."""
    copied = v0.SlaveInfo()
    copied.CopyFrom(info)
    upgrade_all(copied)
    if any(resource.reservations for resource in copied.resources):
        yield from _reserve(copied.resources)
    yield Deed(Action.REGISTER_AGENT)


def deeds_of(operation: v0.Offer.Operation) -> Iterator[Deed]:
    """List what an operation does. Its resources are in their inside form."""
    match operation.type:
        case Operation.RESERVE:
            yield from _reserve_from(operation.reserve)
        case Operation.UNRESERVE:
            yield from _unreserve(operation.unreserve.resources)
        case Operation.CREATE:
            yield from _by_role(Action.CREATE_VOLUME, operation.create.volumes) or [Deed(Action.CREATE_VOLUME)]
        case Operation.DESTROY:
            yield from _destroy(operation.destroy)
        case Operation.GROW_VOLUME:
            yield _of_role(Action.RESIZE_VOLUME, operation.grow_volume.volume)
        case Operation.SHRINK_VOLUME:
            yield _of_role(Action.RESIZE_VOLUME, operation.shrink_volume.volume)
        case Operation.CREATE_DISK:
            source = operation.create_disk.source
            yield _of_role(DISKS_MADE.get(operation.create_disk.target_type, Action.UNKNOWN), source)
        case Operation.DESTROY_DISK:
            source = operation.destroy_disk.source
            yield _of_role(DISKS_DESTROYED.get(source.disk.source.type, Action.UNKNOWN), source)


def _reserve(resources: Iterable[v0.Resource]) -> list[Deed]:
    return _by_role(Action.RESERVE_RESOURCES, resources)


def _reserve_from(reserve: v0.Offer.Operation.Reserve) -> Iterator[Deed]:
    """List what a RESERVE does: where it says from what, reservations are undone first and made anew then."""
    if not reserve.source:
        yield from _reserve(reserve.resources)
        return
    if not reserve.resources:
        return
    sources, targets = [_stack(one) for one in reserve.source], [_stack(one) for one in reserve.resources]
    shared = 0
    while all(len(stack) > shared for stack in (*sources, *targets)) and all(
        stack[shared] == targets[0][shared] for stack in (*sources, *targets)
    ):
        shared += 1
    for depth in range(max(len(stack) for stack in sources), shared, -1):
        yield from _unreserve(_cut(one, depth) for one in reserve.source if len(one.reservations) >= depth)
    for depth in range(shared + 1, len(targets[0]) + 1):
        yield from _reserve(_cut(one, depth) for one in reserve.resources)


def _unreserve(resources: Iterable[v0.Resource]) -> Iterator[Deed]:
    """List what undoing the innermost reservations does; those by nobody in particular ask for leave to undo any."""
    by_nobody = False
    for resource in resources:
        if resource.reservations and resource.reservations[-1].HasField("principal"):
            value = resource.reservations[-1].principal
            yield Deed(Action.UNRESERVE_RESOURCES, Object(resource=resource, value=value))
        else:
            by_nobody = True
    if by_nobody:
        yield Deed(Action.UNRESERVE_RESOURCES)


def _destroy(destroy: v0.Offer.Operation.Destroy) -> Iterator[Deed]:
    volumes = [volume for volume in destroy.volumes if volume.disk.HasField("persistence")]
    for volume in volumes:
        yield Deed(Action.DESTROY_VOLUME, Object(resource=volume, value=volume.disk.persistence.principal))
    if not volumes:
        yield Deed(Action.DESTROY_VOLUME)


def _by_role(action: int, resources: Iterable[v0.Resource]) -> list[Deed]:
    """List what is done to resources, once per role they are reserved for."""
    deeds: dict[str, Deed] = {}
    for resource in resources:
        deeds.setdefault(_role(resource), _of_role(action, resource))
    return list(deeds.values())


def _of_role(action: int, resource: v0.Resource) -> Deed:
    return Deed(action, Object(resource=resource, value=_role(resource)))


def _role(resource: v0.Resource) -> str:
    return resource.reservations[-1].role if resource.reservations else "*"


def _stack(resource: v0.Resource) -> list[bytes]:
    return [reservation.SerializeToString() for reservation in resource.reservations]


def _cut(resource: v0.Resource, depth: int) -> v0.Resource:
    """Copy a resource with its outermost reservations only."""
    cut = v0.Resource()
    cut.CopyFrom(resource)
    del cut.reservations[depth:]
    return cut


def _principal(info: v0.FrameworkInfo) -> str | None:
    return info.principal if info.HasField("principal") else None
