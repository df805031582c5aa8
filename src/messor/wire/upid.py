"""UPIDs: the names of actors on the wire, ``slave(1)@10.0.0.1:5051``."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from messor.errors import RemoteProtocolError

MAX_PORT = 65535


class Upid(NamedTuple):
    """The address of one actor: its id inside a process, and the ``ip:port`` that process listens on."""

    id: str
    ip: str
    port: int

    def __str__(self) -> str:
        """Give the text that travels in headers and messages."""
        return f"{self.id}@{self.ip}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """The (ip, port) that the whole process shares."""
        return (self.ip, self.port)

    @property
    def is_reachable(self) -> bool:
        """Whether anything may be sent there; HTTP frameworks carry the empty ``@0.0.0.0:0`` (protocols a.3)."""
        return bool(self.id) and self.port != 0 and self.ip not in ("0.0.0.0", "")  # noqa: S104  (compared, not bound)


NOBODY = Upid("", "0.0.0.0", 0)  # noqa: S104  (what Mesos writes for "no pid")


@lru_cache(maxsize=16384)
def parse_upid(text: str) -> Upid:
    """Read ``id@host:port``; host names are kept as they are, resolving them is the network's business.

    Raises RemoteProtocolError when the text has no ``@``, no port, a port outside 0–65535, or is not printable ASCII.
    Cached: a peer's name stands in every message it sends.
    """
    if isinstance(text, bytes):  # what protobuf gives for a string that is not UTF-8
        message = f"Expecting a UPID of the form 'id@host:port' but got {text!r}"
        raise RemoteProtocolError(message)
    identifier, at, rest = text.partition("@")
    host, colon, port = rest.rpartition(":")
    # What cannot be printed would break the head of every message sent back there.
    is_clean = text.isascii() and text.isprintable()
    if not is_clean or not at or not colon or not port.isdigit() or int(port) > MAX_PORT:
        message = f"Expecting a UPID of the form 'id@host:port' but got '{text}'"
        raise RemoteProtocolError(message)
    return Upid(identifier, host, int(port))
