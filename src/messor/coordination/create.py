"""From a master string to a detector or contender (S36, S38)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.coordination.candidates import CandidatesDetector
from messor.coordination.detector import GroupDetector
from messor.coordination.group import SessionGroup
from messor.coordination.interfaces import Detector
from messor.coordination.session import LastingSession
from messor.coordination.standalone import StandaloneDetector, master_info
from messor.coordination.urls import ZooKeeperUrl, parse_master_url
from messor.errors import ConfigurationError, MesosError
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.host import Host

SESSION_TIMEOUT = 10.0
"""Seconds; the default of ``--zk_session_timeout``."""


def create_detector(host: Host, master: str | None, session_timeout: float = SESSION_TIMEOUT) -> Detector:
    """Make the detector for a master string; without one there is no leader until one is appointed.

    Raises ConfigurationError when the string or its file makes no sense. session_timeout: in seconds, for ZooKeeper.
    """
    if master is None:
        return StandaloneDetector(host)
    text = read_address(host, master)
    candidates = parse_candidates(text)
    if candidates is not None:
        return CandidatesDetector(host, candidates)
    address = parse_master_url(text)
    if isinstance(address, ZooKeeperUrl):
        return GroupDetector(host, create_group(host, open_session(host, address, session_timeout), address))
    return StandaloneDetector(host, master_info(host, address))


def read_address(host: Host, master: str) -> str:
    """Read ``file:///path`` or ``/path``, which hold an address; gives any other string as it is, trimmed."""
    text = master.strip()
    if not text.startswith(("file://", "/")):
        return text
    path = text.removeprefix("file://")
    try:
        text = host.disk.read(path).decode().strip()
    except (MesosError, UnicodeDecodeError) as error:
        message = f"Failed to read the master's address from '{path}': {error}"
        raise ConfigurationError(message) from error
    if text.startswith(("file://", "/")):
        raise ConfigurationError(f"The file '{path}' must hold an address, not another file: '{text}'")
    return text


def parse_candidates(text: str) -> list[Upid] | None:
    """Read ``[http://]a:5050,b:5050``; None when it is not a list. Raises ConfigurationError."""
    if text.startswith("zk://") or "," not in text:
        return None
    found = []
    for part in text.split(","):
        address = parse_master_url(part.strip().removeprefix("http://").rstrip("/"))
        assert isinstance(address, Upid)
        found.append(address)
    return found


def open_session(host: Host, url: ZooKeeperUrl, timeout: float) -> LastingSession:
    """Prepare a session with a real ensemble; kazoo is imported with it."""
    from messor.coordination.zookeeper import connector  # only who needs ZooKeeper pays for kazoo

    return LastingSession(host, connector(host, url, timeout))


def create_group(host: Host, session: LastingSession, url: ZooKeeperUrl) -> SessionGroup:
    """Make the group that a URL names."""
    return SessionGroup(host, session, url.path)
