"""The master: which parts it is made of and how they are connected. Reads like a table of contents.

Every component takes the few collaborators it needs, by keyword: ``state``, ``outbox``, ``allocator``, ``registrar``,
``metrics``, ``flags``, ``host``, and other components by their noun. The master's UPID is known from the start, as the
host's address is fixed before any actor is made.
"""

from __future__ import annotations

from collections.abc import Iterable

from messor import MESOS_VERSION
from messor.master.flags import MasterFlags
from messor.master.metrics import MasterMetrics
from messor.master.state.tables import MasterState
from messor.protos import v0
from messor.runtime.actor import Actor, Component
from messor.runtime.host import Host
from messor.wire.upid import Upid

NAME = "master"


class Master(Actor):
    """The actor ``master``."""

    def __init__(self, host: Host, flags: MasterFlags) -> None:
        """Build all parts; nothing happens before ``started``."""
        super().__init__(NAME)
        self.host = host
        self.upid = Upid(NAME, host.network.ip, host.network.port)
        self.flags = flags
        self.state = MasterState(
            master_info(host, self.upid, flags), max_completed_frameworks=flags.max_completed_frameworks
        )
        self.metrics = MasterMetrics(host.metrics, self.state)

    def components(self) -> Iterable[Component]:
        """List the parts whose handlers and endpoints are the master's."""
        return ()


def master_info(host: Host, upid: Upid, flags: MasterFlags) -> v0.MasterInfo:
    """Make what this master announces of itself, with a fresh id."""
    hostname = flags.hostname or host.hostname
    info = v0.MasterInfo(
        id=host.chance.uuid(),
        ip=packed_ip(upid.ip),
        port=upid.port,
        pid=str(upid),
        hostname=hostname,
        version=MESOS_VERSION,
    )
    info.address.hostname = hostname
    info.address.ip = upid.ip
    info.address.port = upid.port
    kinds = v0.MasterInfo.Capability
    for kind in (kinds.AGENT_UPDATE, kinds.AGENT_DRAINING, kinds.QUOTA_V2):
        info.capabilities.add().type = kind
    return info


def packed_ip(ip: str) -> int:
    """Pack an IPv4 address as MasterInfo carries it: network byte order read as a little-endian number."""
    return int.from_bytes(bytes(int(part) for part in ip.split(".")), "little")
