"""The forms a master's address may be written in (S36, protocols e)."""

from __future__ import annotations

from typing import NamedTuple

from messor.errors import ConfigurationError, RemoteProtocolError
from messor.wire.upid import Upid, parse_upid


class ZooKeeperUrl(NamedTuple):
    """``zk://[user:password@]h1:p1,h2:p2/path``."""

    servers: str
    path: str
    authentication: str | None


def parse_master_url(text: str) -> Upid | ZooKeeperUrl:
    """Read ``host:port``, ``master@host:port`` or ``zk://…``; raises ConfigurationError that says what is wrong.

    ``file://`` is resolved by the caller: its trimmed content is one of these forms again.
    """
    text = text.strip()
    if text.startswith("zk://"):
        return parse_zookeeper_url(text)
    try:
        upid = parse_upid(text if "@" in text else f"master@{text}")
    except RemoteProtocolError:
        upid = None
    if upid is None or not upid.ip or upid.port == 0:
        message = (
            f"Failed to parse '{text}' as a master address: expecting 'host:port', 'master@host:port', "
            "'zk://host1:port1,host2:port2/path' or 'file:///path/to/file' holding one of these"
        )
        raise ConfigurationError(message)
    return upid


def parse_zookeeper_url(text: str) -> ZooKeeperUrl:
    """Read ``zk://[user:password@]h1:p1,h2:p2/path``; raises ConfigurationError that says what is wrong."""
    rest = text.removeprefix("zk://")
    servers, slash, path = rest.partition("/")
    authentication, at, hosts = servers.rpartition("@")
    if not slash or not path.strip("/"):
        message = "Expecting a (chroot) path for ZooKeeper ('/' is not supported)"
        raise ConfigurationError(message)
    if not all(map(_is_server, hosts.split(","))) or (at and ":" not in authentication):
        message = f"Expecting 'zk://[username:password@]host1:port1,host2:port2/path' but got '{text}'"
        raise ConfigurationError(message)
    return ZooKeeperUrl(hosts, "/" + path.strip("/"), authentication or None)


def _is_server(text: str) -> bool:
    """Whether a text is ``host`` or ``host:port``."""
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        return bool(port)
    return bool(host) and port.isdigit() and 0 < int(port) < 1 << 16
