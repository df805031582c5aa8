"""The updates of one task or operation: pure bookkeeping of what is pending, acknowledged and ended (G5, trap 24)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum

from messor.agent.checkpoint.update_log import Replayed, Update
from messor.model.task_states import is_terminal


class Acknowledgement(Enum):
    """What an acknowledgement meant to a stream."""

    ACCEPTED = "accepted"
    """The head was acknowledged and removed."""
    DUPLICATE = "duplicate"
    """It was acknowledged before."""
    UNEXPECTED = "unexpected"
    """It is not of the head: dropped, since updates are acknowledged in order."""


class UpdateStream:
    """The updates of one task or operation, in the order they were received; only the head is ever on its way."""

    __slots__ = ("_is_terminal", "acknowledged_uuids", "is_terminated", "pending", "received_uuids")

    def __init__(self, is_terminal: Callable[[int], bool] = is_terminal) -> None:
        """Start empty. is_terminal: tells the states behind whose acknowledgement nothing comes."""
        self._is_terminal = is_terminal
        self.pending: deque[Update] = deque()
        self.received_uuids: set[bytes] = set()
        self.acknowledged_uuids: set[bytes] = set()
        self.is_terminated = False
        """Whether a terminal update was acknowledged: the stream is over."""

    @property
    def head(self) -> Update | None:
        """The update to send, None when all are acknowledged."""
        return self.pending[0] if self.pending else None

    def knows(self, uuid: bytes) -> bool:
        """Whether an update was received already; it is acknowledged to the executor again but not kept twice."""
        return uuid in self.received_uuids

    def receive(self, update: Update) -> bool:
        """Take a new update; False when it is a duplicate."""
        if update.uuid in self.received_uuids:
            return False
        self.received_uuids.add(update.uuid)
        self.pending.append(update)
        return True

    def judge(self, uuid: bytes) -> Acknowledgement:
        """Tell what an acknowledgement would mean, without taking it."""
        if uuid in self.acknowledged_uuids:
            return Acknowledgement.DUPLICATE
        head = self.head
        if head is None or head.uuid != uuid:
            return Acknowledgement.UNEXPECTED
        return Acknowledgement.ACCEPTED

    def acknowledge(self, uuid: bytes) -> Acknowledgement:
        """Take an acknowledgement; the head leaves when it is the head's."""
        verdict = self.judge(uuid)
        if verdict is Acknowledgement.ACCEPTED:
            self.acknowledged_uuids.add(uuid)
            if self._is_terminal(self.pending.popleft().state):
                self.is_terminated = True
        return verdict

    def replay(self, records: Iterable[Replayed]) -> None:
        """Rebuild from a file's records; acknowledgements that fit nothing are skipped."""
        for record in records:
            if record.update is not None:
                self.receive(record.update)
            else:
                self.acknowledge(record.uuid)
