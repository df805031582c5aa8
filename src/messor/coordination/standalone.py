"""Detection when the leader's address is simply known."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from messor.errors import MesosError
from messor.protos import v0
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.host import Host, Promise


class StandaloneDetector:
    """A detector whose leader is appointed by hand (S39)."""

    def __init__(self, host: Host, leader: v0.MasterInfo | None = None) -> None:
        """Start with a leader, or with none."""
        self._host = host
        self._leader = leader
        self._failure: MesosError | None = None
        self._waiting: list[tuple[v0.MasterInfo | None, Promise[v0.MasterInfo | None]]] = []

    def appoint(self, leader: v0.MasterInfo | None) -> None:
        """Change or clear the leader and tell everybody whose last answer differs."""
        self._leader = leader
        still = []
        for previous, promise in self._waiting:
            if promise.done():
                continue
            if previous != leader:
                promise.set_result(leader)
            else:
                still.append((previous, promise))
        self._waiting = still

    def fail(self, error: MesosError) -> None:
        """Have everybody told, now and later, that detection cannot go on."""
        self._failure = error
        waiting, self._waiting = self._waiting, []
        for _, promise in waiting:
            if not promise.done():
                promise.set_exception(error)

    async def detect(self, previous: v0.MasterInfo | None = None) -> v0.MasterInfo | None:
        """Answer at once when the leader differs from previous, else when it changes."""
        if self._failure is not None:
            raise self._failure
        if self._leader != previous:
            return self._leader
        promise: Promise[v0.MasterInfo | None] = self._host.tasks.promise()
        self._waiting.append((previous, promise))
        return await promise

    def close(self) -> None:
        """Cancel pending calls."""
        for _, promise in self._waiting:
            promise.cancel()
        self._waiting.clear()


def master_info(host: Host, upid: Upid) -> v0.MasterInfo:
    """Describe a master of which only the address is known; raises ConfigurationError when its name has no address."""
    ip = host.network.resolve(upid.ip)
    info = v0.MasterInfo(id=host.chance.uuid(), port=upid.port, pid=f"{upid.id}@{ip}:{upid.port}", hostname=upid.ip)
    # The field holds the address in network byte order, read as a little-endian number (protocols e).
    info.ip = struct.unpack("<I", bytes(int(part) for part in ip.split(".")))[0]
    info.address.hostname = upid.ip
    info.address.ip = ip
    info.address.port = upid.port
    return info
