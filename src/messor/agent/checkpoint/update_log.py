"""The file of one task's or operation's updates: UPDATE and ACK records, appended with one write each (protocols f)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from messor.agent.checkpoint.records import record, records
from messor.errors import DiskFailed, NotFound
from messor.protos import internal
from messor.wire.splicing import nested, varint

if TYPE_CHECKING:
    from collections.abc import Callable

    from messor.runtime.host import Disk

_UPDATE_HEAD = b"\x08\x00\x12"
"""StatusUpdateRecord: type = UPDATE (field 1), then field 2 as a message."""
_ACK_HEAD = b"\x08\x01\x1a"
"""StatusUpdateRecord: type = ACK (field 1), then field 3 as bytes; as a message in UpdateOperationStatusRecord."""


class Update(NamedTuple):
    """One update, encoded once and kept so: it is written, resent and forwarded as these bytes."""

    uuid: bytes
    state: int
    data: bytes
    """An encoded ``mesos.internal.StatusUpdate`` without latest_state, or ``UpdateOperationStatusMessage`` of an
    operation without latest_status."""


class Replayed(NamedTuple):
    """One record of a stream's file."""

    update: Update | None
    """The update that was received, or None when the record is an acknowledgement."""
    uuid: bytes


def update_record(update: Update) -> bytes:
    """Frame an update around its encoded bytes."""
    return record(b"".join((_UPDATE_HEAD, varint(len(update.data)), update.data)))


def acknowledgement_record(uuid: bytes) -> bytes:
    """Frame an acknowledgement."""
    return record(b"".join((_ACK_HEAD, varint(len(uuid)), uuid)))


def operation_acknowledgement_record(uuid: bytes) -> bytes:
    """Frame an acknowledgement of an operation's status."""
    return record(_ACK_HEAD[:2] + nested(3, nested(1, uuid)))


class UpdateLog:
    """The file of one stream. After a failed write it is cut back to its last whole record: later ones are read."""

    __slots__ = ("_acknowledgement", "_disk", "_path", "_size")

    def __init__(
        self,
        disk: Disk,
        path: str,
        size: int = 0,
        acknowledgement: Callable[[bytes], bytes] = acknowledgement_record,
    ) -> None:
        """Take the path and how many bytes it holds already; acknowledgement frames one of the stream's kind."""
        self._disk = disk
        self._path = path
        self._size = size
        self._acknowledgement = acknowledgement

    def append_update(self, update: Update) -> None:
        """Write an update; raises DiskFailed, with nothing of it left behind."""
        self._append(update_record(update))

    def append_acknowledgement(self, uuid: bytes) -> None:
        """Write an acknowledgement; raises DiskFailed, with nothing of it left behind."""
        self._append(self._acknowledgement(uuid))

    def _append(self, data: bytes) -> None:
        try:
            self._disk.append(self._path, data, sync=False)
        except DiskFailed:
            if self._disk.exists(self._path):
                self._disk.truncate(self._path, self._size)
            raise
        self._size += len(data)


def read_log(disk: Disk, path: str) -> tuple[list[Replayed], list[internal.StatusUpdate], int]:
    """Read a task's file; gives its records, its updates decoded, and its size after cutting off a torn last record.

    A missing file is an empty one: the agent died before the first update.
    """
    encoded, size = _whole_records(disk, path)
    replayed: list[Replayed] = []
    updates: list[internal.StatusUpdate] = []
    for item in encoded:
        entry = internal.StatusUpdateRecord.FromString(item)
        if entry.type == internal.StatusUpdateRecord.UPDATE:
            update = entry.update
            updates.append(update)
            # A file of a much older agent may lack the copy of the uuid inside the status.
            replayed.append(
                Replayed(Update(update.uuid, update.status.state, update.SerializeToString()), update.uuid),
            )
        else:
            replayed.append(Replayed(None, entry.uuid))
    return replayed, updates, size


def read_operation_log(disk: Disk, path: str) -> tuple[list[Replayed], int]:
    """Read an operation's file; gives its records and its size after cutting off a torn last one."""
    encoded, size = _whole_records(disk, path)
    replayed: list[Replayed] = []
    for item in encoded:
        entry = internal.UpdateOperationStatusRecord.FromString(item)
        if entry.type == internal.UpdateOperationStatusRecord.UPDATE:
            status, data = entry.update.status, entry.update.SerializeToString()
            replayed.append(Replayed(Update(status.uuid.value, status.state, data), status.uuid.value))
        else:
            replayed.append(Replayed(None, entry.uuid.value))
    return replayed, size


def _whole_records(disk: Disk, path: str) -> tuple[list[bytes], int]:
    """Cut a file into its records and itself down to the last whole one."""
    try:
        data = disk.read(path)
    except NotFound:
        return [], 0
    encoded, whole = records(data)
    if whole != len(data):
        disk.truncate(path, whole)
    return encoded, whole
