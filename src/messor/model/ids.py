"""Identifiers: typed strings, how a master mints them, and which ones users may choose (protocols g, W14)."""

from __future__ import annotations

from typing import NewType

from messor.errors import InvalidRequest

AgentId = NewType("AgentId", str)
ContainerId = NewType("ContainerId", str)
ExecutorId = NewType("ExecutorId", str)
FrameworkId = NewType("FrameworkId", str)
MasterId = NewType("MasterId", str)
OfferId = NewType("OfferId", str)
OperationId = NewType("OperationId", str)
TaskId = NewType("TaskId", str)

LONGEST_ID = 255
"""Ids become folder names, and no file system takes longer ones (NAME_MAX)."""

_CONTROLS = frozenset(map(chr, [*range(32), 127]))
_FORBIDDEN = _CONTROLS | {"/", "\\"}


class IdMinter:
    """Makes ids that carry the id of the master that issued them; counters start at 0 for each master process."""

    __slots__ = ("_agents", "_frameworks", "_offers", "master_id")

    def __init__(self, master_id: str) -> None:
        """Use this master's id (a random UUID) as the prefix."""
        self.master_id = MasterId(master_id)
        self._agents = 0
        self._frameworks = 0
        self._offers = 0

    def framework(self) -> FrameworkId:
        """Make ``<master>-0000``, ``<master>-0001`` and so on."""
        number = self._frameworks
        self._frameworks = number + 1
        return FrameworkId(f"{self.master_id}-{number:04d}")

    def agent(self) -> AgentId:
        """Make ``<master>-S0``, ``<master>-S1`` and so on."""
        number = self._agents
        self._agents = number + 1
        return AgentId(f"{self.master_id}-S{number}")

    def offer(self) -> OfferId:
        """Make ``<master>-O0`` and so on; inverse offers take from the same counter."""
        number = self._offers
        self._offers = number + 1
        return OfferId(f"{self.master_id}-O{number}")


def validate_id(text: str) -> None:
    """Check a task, executor, framework or agent id given by a user; raises InvalidRequest with Mesos' sentence."""
    if not text:
        raise InvalidRequest("ID must not be empty")
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_ID:
        raise InvalidRequest(f"ID must not be greater than {LONGEST_ID} characters")
    if text in {".", ".."}:
        raise InvalidRequest(f"'{text}' is disallowed")
    if not _FORBIDDEN.isdisjoint(text):
        raise InvalidRequest(f"'{text}' contains invalid characters")


def uuid_text(data: bytes) -> str:
    """Write the 16 bytes of a UUID as people read it: ``8-4-4-4-12`` hexadecimal digits."""
    digits = data.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
