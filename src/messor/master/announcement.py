"""What a master announces of itself to agents, frameworks and other masters."""

from __future__ import annotations

from messor import MESOS_VERSION
from messor.master.flags import MasterFlags
from messor.protos import v0
from messor.runtime.host import Host
from messor.wire.upid import Upid


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
    if flags.domain is not None:
        info.domain.CopyFrom(flags.domain)
    return info


def packed_ip(ip: str) -> int:
    """Pack an IPv4 address as MasterInfo carries it: network byte order read as a little-endian number."""
    return int.from_bytes(bytes(int(part) for part in ip.split(".")), "little")
