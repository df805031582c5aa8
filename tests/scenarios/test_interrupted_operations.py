"""An agent that dies in the middle of an operation finishes it at its next start (V7, G6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from messor.agent.checkpoint.records import record
from messor.model.ids import uuid_text
from messor.protos import internal, v0
from messor.protos.slave.state_pb2 import ResourceState
from support.agent_desk import AgentDesk
from support.operations import dynamic, volume

META = "/w/meta/resources"
FOLDER = "/w/volumes/roles/web/vol"


@pytest.fixture
def desk() -> Iterator[AgentDesk]:
    """An agent with a volume that has something in it."""
    running = AgentDesk()
    running.host.disk.write(f"{META}/resources_and_operations.state", state(volume("web")))
    running.host.disk.write(f"{FOLDER}/file", b"precious")
    running.restart()
    running.world.advance(3)
    yield running
    running.close()


def state(*resources: v0.Resource, operations: tuple[v0.Operation, ...] = ()) -> bytes:
    """Make the content of a state or target file."""
    return record(ResourceState(resources=resources, operations=operations).SerializeToString())


def again(desk: AgentDesk) -> list[v0.Resource]:
    """Let the agent start once more; gives what it tells the master is checkpointed, in the new format."""
    desk.master.forget()
    desk.restart()
    desk.world.advance(3)
    assert desk.master.last(internal.ReregisterSlaveMessage).checkpointed_resources
    assert not [name for name in desk.host.disk.list(META) if name.endswith(".target")]
    return desk.agent.tables.checkpointed_resources


def finished(desk: AgentDesk, name: bytes = b"o" * 16) -> v0.Operation:
    """Make the record of an operation that was applied."""
    status = v0.OperationStatus(state=v0.OPERATION_FINISHED, slave_id=desk.agent.tables.info.id)
    status.uuid.value = b"s" * 16
    operation = v0.Operation(slave_id=desk.agent.tables.info.id, latest_status=status, statuses=[status])
    operation.info.type = v0.Offer.Operation.RESERVE
    operation.info.reserve.SetInParent()
    operation.uuid.value = name
    return operation


def test_an_agent_tells_what_it_has_checkpointed(desk: AgentDesk) -> None:
    """So that a master that is new knows it too."""
    (told,) = desk.master.last(internal.ReregisterSlaveMessage).checkpointed_resources
    assert (told.disk.persistence.id, told.role) == ("vol", "web")
    assert desk.host.disk.read(f"{FOLDER}/file") == b"precious"


def test_a_volume_that_was_to_be_made_is_made(desk: AgentDesk) -> None:
    """The target file is the agent's word."""
    target = (volume("web"), volume("web", "second"))
    desk.host.disk.write(f"{META}/resources_and_operations.target", state(*target))
    assert again(desk) == list(target)
    assert desk.host.disk.is_folder("/w/volumes/roles/web/second")
    assert desk.host.disk.read(f"{FOLDER}/file") == b"precious"
    assert again(desk) == list(target)


def test_a_volume_that_was_to_be_destroyed_is_destroyed(desk: AgentDesk) -> None:
    """All that was in it."""
    target = dynamic("disk:100", "web")
    desk.host.disk.write(f"{META}/resources_and_operations.target", state(*target))
    assert again(desk) == target
    assert not desk.host.disk.exists(FOLDER)


def test_a_status_that_was_not_written_yet_is_told(desk: AgentDesk) -> None:
    """What the target or the state says was done, the framework must hear of."""
    operation = finished(desk)
    desk.host.disk.write(f"{META}/resources_and_operations.state", state(volume("web"), operations=(operation,)))
    again(desk)
    told = desk.master.last(internal.UpdateOperationStatusMessage)
    assert (told.status, told.latest_status) == (operation.latest_status, operation.latest_status)
    assert list(desk.master.last(internal.UpdateSlaveMessage).operations.operations) == [operation]


def test_an_operation_whose_acknowledgement_was_written_is_forgotten(desk: AgentDesk) -> None:
    """Its record and its folder."""
    operation = finished(desk)
    desk.host.disk.write(f"{META}/resources_and_operations.state", state(volume("web"), operations=(operation,)))
    again(desk)
    folder = f"/w/meta/slaves/{desk.id}/operations/{uuid_text(operation.uuid.value)}"
    acknowledged = internal.UpdateOperationStatusRecord(type=internal.UpdateOperationStatusRecord.ACK)
    acknowledged.uuid.value = operation.latest_status.uuid.value
    desk.host.disk.append(f"{folder}/operation.updates", record(acknowledged.SerializeToString()))
    again(desk)
    assert not desk.master.received(internal.UpdateOperationStatusMessage)
    assert not desk.agent.tables.operations
    assert not desk.host.disk.exists(folder)


def test_statuses_of_unknown_operations_are_removed(desk: AgentDesk) -> None:
    """An agent that died between the state and the folder leaves them."""
    folder = f"/w/meta/slaves/{desk.id}/operations/{uuid_text(b'x' * 16)}"
    desk.host.disk.append(f"{folder}/operation.updates", b"")
    again(desk)
    assert not desk.host.disk.exists(folder)


def test_an_old_agents_file_is_understood(desk: AgentDesk) -> None:
    """Agents before 1.5 wrote only resources.info, in their format."""
    resource = v0.Resource(name="cpus", type=v0.Value.SCALAR, role="web")
    resource.scalar.value = 1
    resource.reservation.SetInParent()
    desk.host.disk.remove(f"{META}/resources_and_operations.state")
    desk.host.disk.write(f"{META}/resources.info", record(resource.SerializeToString()))
    assert again(desk) == dynamic("cpus:1", "web")


def test_resources_that_no_longer_fit_end_the_agent(desk: AgentDesk) -> None:
    """Somebody's data would be promised to others (V7)."""
    desk.host.disk.write(f"{META}/resources_and_operations.state", state(*dynamic("cpus:100", "web")))
    desk.restart()
    desk.world.advance(3)
    assert desk.host.exit_status == 1
    assert "Checkpointed resources do not fit" in desk.host.exit_message
