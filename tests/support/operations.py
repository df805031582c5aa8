"""Offer operations as frameworks send them."""

from __future__ import annotations

from messor.protos import v0
from support import builders

Operation = v0.Offer.Operation


def dynamic(text: str, role: str) -> list[v0.Resource]:
    """Make dynamically reserved resources, in the refined format."""
    made = builders.resources(text)
    for resource in made:
        resource.ClearField("role")
        resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=role)
    return made


def reserve(text: str, role: str, feedback: str = "") -> v0.Offer.Operation:
    """Make RESERVE; feedback is its id."""
    operation = _operation(Operation.RESERVE, feedback)
    operation.reserve.resources.extend(dynamic(text, role))
    return operation


def unreserve(text: str, role: str, feedback: str = "") -> v0.Offer.Operation:
    """Make UNRESERVE; feedback is its id."""
    operation = _operation(Operation.UNRESERVE, feedback)
    operation.unreserve.resources.extend(dynamic(text, role))
    return operation


def volume(role: str, name: str = "vol", *, size: int = 100, shared: bool = False) -> v0.Resource:
    """Make a persistent volume of so many megabytes."""
    (made,) = dynamic(f"disk:{size}", role)
    made.disk.persistence.id = name
    made.disk.volume.container_path = "data"
    made.disk.volume.mode = v0.Volume.RW
    if shared:
        made.shared.SetInParent()
    return made


def create(made: v0.Resource, feedback: str = "") -> v0.Offer.Operation:
    """Make CREATE; feedback is its id."""
    operation = _operation(Operation.CREATE, feedback)
    operation.create.volumes.append(made)
    return operation


def destroy(made: v0.Resource, feedback: str = "") -> v0.Offer.Operation:
    """Make DESTROY; feedback is its id."""
    operation = _operation(Operation.DESTROY, feedback)
    operation.destroy.volumes.append(made)
    return operation


def launch(agent_id: str, *tasks: tuple[str, list[v0.Resource]]) -> v0.Offer.Operation:
    """Make LAUNCH of (task id, resources)."""
    operation = Operation(type=Operation.LAUNCH)
    for task_id, resources in tasks:
        task = builders.task(task_id, agent_id=agent_id)
        del task.resources[:]
        task.resources.extend(resources)
        operation.launch.task_infos.append(task)
    return operation


def _operation(kind: v0.Offer.Operation.Type, feedback: str) -> v0.Offer.Operation:
    operation = Operation(type=kind)
    if feedback:
        operation.id.value = feedback
    return operation
