"""All streams of updates: what is on its way to the master, what is resent when, what is on disk (G5)."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from messor.agent.checkpoint.update_log import (
    Replayed,
    Update,
    UpdateLog,
    acknowledgement_record,
    operation_acknowledgement_record,
)
from messor.agent.updates.stream import Acknowledgement, UpdateStream
from messor.model.task_states import is_terminal, is_terminal_operation

if TYPE_CHECKING:
    from messor.runtime.host import Clock, Disk, Timer

log = logging.getLogger(__name__)

FIRST_RESEND = 10.0
LONGEST_RESEND = 600.0
"""Seconds until an unacknowledged update is sent again: doubling from one to the other."""
MOMENT = 1.0
"""Seconds in which a scheduler that is alive answers."""

Forward = Callable[[str, str, Update], None]
"""(framework id, task id, update): sends it to the master."""


class StreamKind(NamedTuple):
    """How streams of tasks differ from those of operations, which are found under no framework and their uuid."""

    noun: str
    is_terminal: Callable[[int], bool]
    acknowledgement: Callable[[bytes], bytes]
    """Frames an acknowledgement for the stream's file."""


TASKS = StreamKind("task", is_terminal, acknowledgement_record)
OPERATIONS = StreamKind("operation", is_terminal_operation, operation_acknowledgement_record)


class _Entry:
    """A stream with what it needs beside its bookkeeping."""

    __slots__ = ("framework_id", "log", "resend_after", "sent", "stream", "task_id", "ticket")

    def __init__(self, kind: StreamKind, framework_id: str, task_id: str, update_log: UpdateLog | None) -> None:
        self.framework_id = framework_id
        self.task_id = task_id
        self.log = update_log
        self.stream = UpdateStream(kind.is_terminal)
        self.resend_after = FIRST_RESEND
        self.sent = 0.0
        self.ticket = 0
        """Number of the latest sending; older timer entries are void."""


class UpdateManager:
    """Forwards the head of each stream and resends it until it is acknowledged.

    One timer serves all streams: entries that were acknowledged meanwhile are skipped when their time comes, which is
    cheaper than a timer per update.
    """

    def __init__(self, clock: Clock, disk: Disk, forward: Forward, kind: StreamKind = TASKS) -> None:
        """Start paused: nothing is sent before the agent is registered."""
        self._kind = kind
        self._clock = clock
        self._disk = disk
        self._forward = forward
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._due: list[tuple[float, int, _Entry]] = []
        self._tickets = 0
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._is_paused = True

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, framework_id: str, task_id: str, update: Update, path: str | None) -> bool:
        """Keep an update, on disk when path is given, and forward it when it is its task's head.

        False for a duplicate. Raises DiskFailed when it could not be written: it is then not kept at all, and must not
        be acknowledged to its executor.
        """
        key = (framework_id, task_id)
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry(self._kind, framework_id, task_id, self._log(path) if path is not None else None)
        elif entry.stream.knows(update.uuid):
            return False
        if entry.log is not None:
            entry.log.append_update(update)
        self._entries[key] = entry
        entry.stream.receive(update)
        if len(entry.stream.pending) == 1 and not self._is_paused:
            self._send(entry, FIRST_RESEND)
        return True

    def acknowledge(self, framework_id: str, task_id: str, uuid: bytes) -> bool | None:
        """Take the scheduler's acknowledgement; gives whether the task's stream is over, None when it was dropped.

        Raises DiskFailed when it could not be written: the update is then resent and acknowledged again.
        """
        entry = self._entries.get((framework_id, task_id))
        if entry is None:
            log.warning("Ignoring an acknowledgement for unknown %s", self._name(framework_id, task_id))
            return None
        verdict = entry.stream.judge(uuid)
        if verdict is not Acknowledgement.ACCEPTED:
            log.warning("Ignoring %s acknowledgement for %s", verdict.value, self._name(framework_id, task_id))
            return None
        if entry.log is not None:
            entry.log.append_acknowledgement(uuid)
        entry.stream.acknowledge(uuid)
        entry.ticket = 0
        if entry.stream.is_terminated:
            del self._entries[framework_id, task_id]
            return True
        if entry.stream.pending and not self._is_paused:
            self._send(entry, FIRST_RESEND)
        return False

    def recover(self, framework_id: str, task_id: str, replayed: list[Replayed], path: str, size: int) -> Update | None:
        """Take over the stream of a task that outlived the agent; gives the first update nobody acknowledged."""
        entry = _Entry(self._kind, framework_id, task_id, self._log(path, size))
        entry.stream.replay(replayed)
        if not entry.stream.is_terminated:
            self._entries[framework_id, task_id] = entry
        return entry.stream.head

    def forget_framework(self, framework_id: str) -> None:
        """Drop the streams of a framework that is shut down: nobody will acknowledge them."""
        for key in [key for key in self._entries if key[0] == framework_id]:
            self._entries.pop(key).ticket = 0

    def forget(self, framework_id: str, task_id: str) -> None:
        """Drop one stream; fine if there is none."""
        entry = self._entries.pop((framework_id, task_id), None)
        if entry is not None:
            entry.ticket = 0

    def knows(self, framework_id: str, task_id: str, uuid: bytes) -> bool:
        """Whether an update was received already."""
        entry = self._entries.get((framework_id, task_id))
        return entry is not None and entry.stream.knows(uuid)

    def has_pending(self, framework_id: str, task_id: str) -> bool:
        """Whether any update of a task is unacknowledged."""
        entry = self._entries.get((framework_id, task_id))
        return entry is not None and bool(entry.stream.pending)

    def _log(self, path: str, size: int = 0) -> UpdateLog:
        return UpdateLog(self._disk, path, size, self._kind.acknowledgement)

    def _name(self, framework_id: str, task_id: str) -> str:
        owner = f" of framework {framework_id}" if framework_id else ""
        return f"{self._kind.noun} {task_id}{owner}"

    # --- when it goes out --------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop sending: the agent lost its master."""
        self._is_paused = True
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def resume(self) -> None:
        """Send all heads again: the agent is registered."""
        self._is_paused = False
        for entry in list(self._entries.values()):
            if entry.stream.pending:
                self._send(entry, FIRST_RESEND)

    def resend(self, framework_id: str) -> None:
        """Send the heads of a framework again: its scheduler may be another one, which was told nothing yet.

        One that was just sent may still be acknowledged, so it gets a moment: masters also say who all schedulers are
        when an agent has registered again.
        """
        if self._is_paused:
            return
        now = self._clock.monotonic()
        for entry in list(self._entries.values()):
            if entry.framework_id != framework_id or not entry.stream.pending:
                continue
            if now - entry.sent >= MOMENT:
                self._send(entry, FIRST_RESEND)
            else:
                self._schedule(entry, MOMENT)

    def _send(self, entry: _Entry, resend_after: float) -> None:
        head = entry.stream.pending[0]
        self._forward(entry.framework_id, entry.task_id, head)
        entry.sent = self._clock.monotonic()
        self._schedule(entry, resend_after)

    def _schedule(self, entry: _Entry, resend_after: float) -> None:
        entry.resend_after = resend_after
        self._tickets += 1
        entry.ticket = self._tickets
        heapq.heappush(self._due, (self._clock.monotonic() + resend_after, entry.ticket, entry))
        self._arm()

    def _arm(self) -> None:
        if not self._due or (self._timer is not None and self._timer_at <= self._due[0][0]):
            return
        if self._timer is not None:
            # Set for a stream that was sent often already; this one is due before.
            self._timer.cancel()
        self._timer_at = self._due[0][0]
        self._timer = self._clock.after(max(self._timer_at - self._clock.monotonic(), 0.0), self._resend)

    def _resend(self) -> None:
        now = self._clock.monotonic()
        self._timer = None
        expired: list[_Entry] = []
        while self._due and (self._due[0][1] != self._due[0][2].ticket or self._due[0][0] <= now):
            _, ticket, entry = heapq.heappop(self._due)
            if ticket == entry.ticket:
                expired.append(entry)
        for entry in expired:
            log.warning("Resending status update for %s", self._name(entry.framework_id, entry.task_id))
            self._send(entry, min(max(entry.resend_after * 2, FIRST_RESEND), LONGEST_RESEND))
        self._arm()
