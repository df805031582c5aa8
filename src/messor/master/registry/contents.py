"""The registry's contents, with each agent's entry kept encoded.

With ten thousand agents every admission stores the whole registry. Copying dictionaries of bytes and joining them costs
a few milliseconds then; copying and serialising messages would cost tens.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from google.protobuf.message import DecodeError

from messor.errors import RegistryFailed
from messor.protos import registry, v0
from messor.wire.splicing import varint

SLAVES_FIELD = 2
UNREACHABLE_FIELD = 7
GONE_FIELD = 8
ENTRY_FIELD = 1


class Contents:
    """A mesos.internal.Registry that is cheap to copy, change and encode."""

    __slots__ = ("admitted", "gone", "rest", "unreachable")

    def __init__(self) -> None:
        """Start with nobody admitted."""
        self.admitted: dict[str, bytes] = {}
        """Encoded Registry.Slave by agent id, in order of admission."""
        self.unreachable: dict[str, bytes] = {}
        """Encoded Registry.UnreachableSlave by agent id, oldest first."""
        self.gone: dict[str, bytes] = {}
        """Encoded Registry.GoneSlave by agent id, oldest first."""
        self.rest = registry.Registry()
        """Everything but those three; replaced, never changed in place."""

    @classmethod
    def decode(cls, data: bytes) -> Contents:
        """Read an encoded Registry; raises RegistryFailed when it is none."""
        contents = cls()
        try:
            message = registry.Registry.FromString(data)
        except DecodeError as error:
            raise RegistryFailed(f"Failed to parse the registry: {error}") from error
        for admitted in message.slaves.slaves:
            contents.admitted[admitted.info.id.value] = admitted.SerializeToString()
        for unreachable in message.unreachable.slaves:
            contents.unreachable[unreachable.id.value] = unreachable.SerializeToString()
        for gone in message.gone.slaves:
            contents.gone[gone.id.value] = gone.SerializeToString()
        for name in ("slaves", "unreachable", "gone"):
            message.ClearField(name)
        contents.rest = message
        return contents

    def encode(self) -> bytes:
        """Write an encoded Registry."""
        return b"".join(
            (
                self.rest.SerializeToString(),
                _entries(SLAVES_FIELD, self.admitted),
                _entries(UNREACHABLE_FIELD, self.unreachable),
                _entries(GONE_FIELD, self.gone),
            )
        )

    def message(self) -> registry.Registry:
        """Decode the whole Registry; not for hot paths."""
        return registry.Registry.FromString(self.encode())

    def copy(self) -> Contents:
        """Copy, sharing the encoded entries."""
        copied = Contents()
        copied.admitted = dict(self.admitted)
        copied.unreachable = dict(self.unreachable)
        copied.gone = dict(self.gone)
        copied.rest = self.rest
        return copied

    def agents(self) -> list[v0.SlaveInfo]:
        """Decode the admitted agents, in order of admission."""
        return [registry.Registry.Slave.FromString(entry).info for entry in self.admitted.values()]

    def unreachable_since(self) -> dict[str, v0.TimeInfo]:
        """Decode when each unreachable agent became so."""
        kind = registry.Registry.UnreachableSlave
        return {name: kind.FromString(entry).timestamp for name, entry in self.unreachable.items()}

    def gone_since(self) -> dict[str, v0.TimeInfo]:
        """Decode when each gone agent was marked so."""
        kind = registry.Registry.GoneSlave
        return {name: kind.FromString(entry).timestamp for name, entry in self.gone.items()}

    def deactivated(self) -> set[str]:
        """Name the agents that operators took out of the offers; those that drain are among them."""
        return {name for name, entry in self._marks() if entry.deactivated}

    def draining(self) -> dict[str, v0.DrainInfo]:
        """Decode how far the agents are that were told to drain."""
        return {name: entry.drain_info for name, entry in self._marks() if entry.HasField("drain_info")}

    def _marks(self) -> Iterator[tuple[str, registry.Registry.Slave | registry.Registry.UnreachableSlave]]:
        """Decode the entries of agents that may come back."""
        for name, admitted in self.admitted.items():
            yield name, registry.Registry.Slave.FromString(admitted)
        for name, unreachable in self.unreachable.items():
            yield name, registry.Registry.UnreachableSlave.FromString(unreachable)


def _entries(field: int, entries: dict[str, bytes]) -> bytes:
    """Encode ``Slaves { repeated Slave slaves = 1; }`` as a field of the registry; nothing when there are none."""
    if not entries:
        return b""
    inner = b"".join([piece for entry in entries.values() for piece in (_head(ENTRY_FIELD, len(entry)), entry)])
    return varint(field << 3 | 2) + varint(len(inner)) + inner


@lru_cache(maxsize=4096)
def _head(field: int, length: int) -> bytes:
    """Encode what comes before a length-delimited field's content; few lengths occur, each very often."""
    return varint(field << 3 | 2) + varint(length)
