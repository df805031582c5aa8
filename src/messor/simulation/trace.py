"""What happened: every delivered envelope and every timer, in order, hashed as it goes.

Equal seeds give equal hashes, whatever PYTHONHASHSEED is; a run that does not has found an iteration over a set.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from messor.protos.pool import Default

LONGEST_DETAIL = 400
SHORT_LINE = 200
"""Characters of a line in the summary that a failing run prints."""


class Entry(NamedTuple):
    """One thing that happened."""

    time: float
    """Virtual seconds since the start."""
    kind: str
    """``message``, ``dropped``, ``exited``, ``request``, ``reply``, ``chunk``, ``timer``, ``fault`` or ``exit``."""
    sender: str
    receiver: str
    name: str
    """Full protobuf name of a message, method and path of a request, what a timer calls."""
    body: bytes


class Trace:
    """All entries of one run."""

    def __init__(self, *, keep: bool = True) -> None:
        """keep: hold the entries for ``story``; hashing happens anyway."""
        self.entries: list[Entry] = []
        self._keep = keep
        self._hash = hashlib.blake2b(digest_size=16)

    @property
    def hash(self) -> str:
        """The fingerprint of everything up to now."""
        return self._hash.hexdigest()

    def record(self, time: float, kind: str, sender: str, receiver: str, name: str, body: bytes = b"") -> None:
        """Add one thing that happened."""
        head = f"{time!r}|{kind}|{sender}|{receiver}|{name}|{len(body)}|"
        self._hash.update(head.encode())
        self._hash.update(body)
        if self._keep:
            self.entries.append(Entry(time, kind, sender, receiver, name, body))

    def story(self, subject: str) -> str:
        """Tell what happened to a task, framework, executor or agent: every entry that speaks of its id."""
        needle = subject.encode()
        return "\n".join(
            describe(entry)
            for entry in self.entries
            if needle in entry.body or subject in entry.name or subject in entry.sender or subject in entry.receiver
        )

    def tail(self, count: int = 25) -> str:
        """Tell what happened last, timers left out."""
        told = [entry for entry in self.entries if entry.kind != "timer"]
        return "\n".join(describe(entry)[:SHORT_LINE] for entry in told[-count:])

    def messages(self, name: str) -> list[Entry]:
        """Give the delivered messages whose full name ends so."""
        return [entry for entry in self.entries if entry.kind == "message" and entry.name.endswith(name)]


def describe(entry: Entry) -> str:
    """Write one entry as a line."""
    short = entry.name.rpartition(".")[2] if entry.kind in ("message", "dropped") else entry.name
    detail = _detail(entry)
    return f"{entry.time:12.4f}  {entry.kind:<8}{entry.sender} -> {entry.receiver}  {short}  {detail}".rstrip()


def _detail(entry: Entry) -> str:
    if not entry.body:
        return ""
    if entry.kind not in ("message", "dropped"):
        return repr(entry.body[:LONGEST_DETAIL])
    try:
        kind = Default().FindMessageTypeByName(entry.name)
    except KeyError:
        return repr(entry.body[:LONGEST_DETAIL])
    try:
        message = GetMessageClass(kind).FromString(entry.body)
    except DecodeError:
        return repr(entry.body[:LONGEST_DETAIL])
    text: str = text_format.MessageToString(message, as_one_line=True)
    return text if len(text) <= LONGEST_DETAIL else text[:LONGEST_DETAIL] + "…"
