"""The file of a task's updates."""

from __future__ import annotations

import struct

import pytest

from messor.agent.checkpoint.update_log import Update, UpdateLog, acknowledgement_record, read_log, update_record
from messor.errors import DiskFailed
from messor.protos import internal, v0
from messor.runtime.host import Disk
from messor.simulation.world import World
from support import builders

PATH = "/work/meta/task.updates"


def update_of(uuid: bytes, state: int) -> Update:
    """Make an update as the manager keeps it."""
    message = builders.update(builders.status("task-1", state, uuid=uuid))
    return Update(uuid, state, message.SerializeToString())


def disk_of_a_host() -> Disk:
    """Make an empty disk."""
    return World(1).start("agent", "10.0.0.1", 5051).disk


def test_records_are_those_of_a_stock_agent() -> None:
    """Length as native uint32, then a StatusUpdateRecord: another agent must be able to read them."""
    update = update_of(b"1" * 16, v0.TASK_RUNNING)
    data = update_record(update)
    (length,) = struct.unpack_from("=I", data)
    record = internal.StatusUpdateRecord.FromString(data[4:])
    assert length == len(data) - 4
    assert record.type == internal.StatusUpdateRecord.UPDATE
    assert record.update.uuid == b"1" * 16
    acknowledgement = internal.StatusUpdateRecord.FromString(acknowledgement_record(b"1" * 16)[4:])
    assert acknowledgement == internal.StatusUpdateRecord(type=internal.StatusUpdateRecord.ACK, uuid=b"1" * 16)


def test_a_log_is_read_as_it_was_written() -> None:
    """Updates and acknowledgements come back in order."""
    disk = disk_of_a_host()
    log = UpdateLog(disk, PATH)
    first, second = update_of(b"1" * 16, v0.TASK_STARTING), update_of(b"2" * 16, v0.TASK_FINISHED)
    log.append_update(first)
    log.append_update(second)
    log.append_acknowledgement(first.uuid)
    replayed, updates, size = read_log(disk, PATH)
    assert [(entry.update is not None, entry.uuid) for entry in replayed] == [
        (True, first.uuid),
        (True, second.uuid),
        (False, first.uuid),
    ]
    assert [update.status.state for update in updates] == [v0.TASK_STARTING, v0.TASK_FINISHED]
    assert size == disk.size(PATH)


def test_a_torn_last_record_is_cut_off() -> None:
    """A crash in the middle of a write must not hide what came before, nor spoil what comes after."""
    disk = disk_of_a_host()
    log = UpdateLog(disk, PATH)
    first = update_of(b"1" * 16, v0.TASK_STARTING)
    log.append_update(first)
    whole = disk.size(PATH)
    disk.append(PATH, update_record(update_of(b"2" * 16, v0.TASK_RUNNING))[:-5])
    replayed, _, size = read_log(disk, PATH)
    assert [entry.uuid for entry in replayed] == [first.uuid]
    assert size == whole == disk.size(PATH)


@pytest.mark.parametrize("kept", [1, 3])
def test_a_torn_length_is_cut_off_too(kept: int) -> None:
    """The tear may be inside of the length."""
    disk = disk_of_a_host()
    disk.append(PATH, update_record(update_of(b"1" * 16, v0.TASK_STARTING)))
    whole = disk.size(PATH)
    disk.append(PATH, b"\x10\x00\x00\x00"[:kept])
    assert read_log(disk, PATH)[2] == whole


def test_a_failed_append_leaves_nothing_behind() -> None:
    """Half a record in the middle would hide every later one."""
    disk = disk_of_a_host()
    log = UpdateLog(disk, PATH)
    log.append_update(update_of(b"1" * 16, v0.TASK_STARTING))
    whole = disk.size(PATH)
    append = disk.append

    def torn(path: str, data: bytes, *, sync: bool = False) -> None:
        append(path, data[: len(data) // 2], sync=sync)
        raise DiskFailed("No space left on device")

    disk.append = torn
    with pytest.raises(DiskFailed):
        log.append_update(update_of(b"2" * 16, v0.TASK_RUNNING))
    disk.append = append
    assert disk.size(PATH) == whole
    log.append_acknowledgement(b"1" * 16)
    assert len(read_log(disk, PATH)[0]) == 2


def test_a_missing_file_is_an_empty_log() -> None:
    """The agent may die between writing task.info and the first update."""
    assert read_log(disk_of_a_host(), PATH) == ([], [], 0)
