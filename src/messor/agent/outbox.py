"""Everything the agent tells others: the master, executors whichever way they are connected, and frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.errors import ConnectionLost
from messor.protos import internal, v0
from messor.runtime.actor import Component
from messor.wire.legacy_executor import EVENT_ENCODERS, HEARTBEAT_INTERVAL, HEARTBEATS
from messor.wire.recordio import encode_record
from messor.wire.splicing import nested

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from messor.agent.state.executor import Executor
    from messor.agent.state.tables import Tables
    from messor.runtime.actor import Actor
    from messor.runtime.host import Clock, Timer
    from messor.runtime.http import Pipe
    from messor.wire.upid import Upid

_STATUS_UPDATE = internal.StatusUpdateMessage.DESCRIPTOR.full_name
_OPERATION_STATUS = internal.UpdateOperationStatusMessage.DESCRIPTOR.full_name
_LATEST_STATE = b"\x38"
"""Key of StatusUpdate.latest_state (field 7, a varint); it stands last, as in the order of numbers."""


class ExecutorStream:
    """The event stream of an executor that subscribed over HTTP, in its media type."""

    __slots__ = ("_heartbeat", "media_type", "pipe")

    def __init__(self, pipe: Pipe, media_type: str) -> None:
        """Write to that pipe."""
        self.pipe = pipe
        self.media_type = media_type
        self._heartbeat: Timer | None = None
        pipe.on_close = self._stop

    def beat(self, clock: Clock) -> None:
        """Send heartbeats from now on, until the stream ends."""
        self._heartbeat = clock.after(HEARTBEAT_INTERVAL, self._beat, clock)

    def _beat(self, clock: Clock) -> None:
        self.send(HEARTBEATS[self.media_type])
        self.beat(clock)

    def _stop(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    def send(self, event: bytes) -> None:
        """Send an encoded event as one record; dropped when the executor closed the stream."""
        self.pipe.write(encode_record(event))

    def tell(self, message: Message, body: bytes) -> None:
        """Send the event that a message means."""
        self.send(EVENT_ENCODERS[self.media_type](message, body))

    def close(self) -> None:
        """End the stream."""
        self._stop()
        self.pipe.close()


class Outbox(Component):
    """Sends; knows who is connected how, so that nobody else has to."""

    def __init__(self, actor: Actor, tables: Tables) -> None:
        """Send as that actor."""
        self._actor = actor
        self._tables = tables
        self._own_pid = b""

    # --- the master --------------------------------------------------------------------------------------------------

    def to_master(self, message: Message) -> None:
        """Tell the master; dropped when there is none, since re-registration repeats what matters."""
        if self._tables.master is None:
            self.ignore(message, "there is no master to send it to")
            return
        self._actor.send(self._tables.master, message)

    def status_update(self, update: bytes, latest_state: int | None) -> None:
        """Forward an encoded StatusUpdate with the task's latest state, so that the master can free resources early."""
        master = self._tables.master
        if master is None:
            return
        if not self._own_pid:
            self._own_pid = nested(2, str(self._actor.upid).encode())
        if latest_state is not None:
            update = b"".join((update, _LATEST_STATE, bytes((latest_state,))))
        self._actor.send_bytes(master, _STATUS_UPDATE, nested(1, update) + self._own_pid)

    def operation_status(self, update: bytes) -> None:
        """Forward an encoded UpdateOperationStatusMessage."""
        if self._tables.master is not None:
            self._actor.send_bytes(self._tables.master, _OPERATION_STATUS, update)

    def link(self, peer: Upid, *, reconnect: bool = False) -> None:
        """Keep a connection to a peer."""
        self._actor.link(peer, reconnect=reconnect)

    # --- executors ---------------------------------------------------------------------------------------------------

    def to_executor(self, executor: Executor, message: Message) -> None:
        """Tell an executor, by message or event; raises ConnectionLost when it never connected."""
        stream = executor.stream
        if stream is not None:
            assert isinstance(stream, ExecutorStream)
            stream.tell(message, b"")
        elif executor.pid is not None:
            self._actor.send(executor.pid, message)
        else:
            raise ConnectionLost(f"Executor '{executor.id}' of framework {executor.framework_id} is not connected")

    def to_pid(self, pid: Upid, message: Message) -> None:
        """Tell whoever has that pid: executors that are refused, frameworks."""
        self._actor.send(pid, message)

    def acknowledge(self, executor: Executor | None, pid: Upid | None, update: internal.StatusUpdate) -> None:
        """Tell an executor that its update is safe: to the pid it came from, else over its stream."""
        message = internal.StatusUpdateAcknowledgementMessage(
            slave_id=self._tables.info.id,
            framework_id=update.framework_id,
            task_id=update.status.task_id,
            uuid=update.uuid,
        )
        if pid is not None:
            self._actor.send(pid, message)
        elif executor is not None and executor.stream is not None:
            self.to_executor(executor, message)

    # --- updates the agent makes itself ------------------------------------------------------------------------------

    def make_update(
        self,
        framework_id: str,
        task_id: str,
        state: v0.TaskState,
        reason: v0.TaskStatus.Reason,
        text: str,
        executor_id: str | None = None,
        limited: list[v0.Resource] | None = None,
    ) -> internal.StatusUpdate:
        """Make a status update of ours, with a new uuid and the present time."""
        host = self._actor.host
        uuid = host.chance.uuid_bytes()
        now = host.clock.now()
        update = internal.StatusUpdate(timestamp=now, uuid=uuid)
        update.framework_id.value = framework_id
        update.slave_id.CopyFrom(self._tables.info.id)
        status = update.status
        status.task_id.value = task_id
        status.state = state
        status.message = text
        status.source = v0.TaskStatus.SOURCE_SLAVE
        status.reason = reason
        status.slave_id.CopyFrom(self._tables.info.id)
        status.timestamp = now
        status.uuid = uuid
        if executor_id is not None:
            update.executor_id.value = executor_id
            status.executor_id.value = executor_id
        if limited:
            status.limitation.resources.extend(limited)
        return update
