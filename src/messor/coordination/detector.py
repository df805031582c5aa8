"""Detecting the leading master among the members of a group (H15)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from messor.coordination.group import NOBODY
from messor.coordination.interfaces import Group
from messor.coordination.standalone import StandaloneDetector
from messor.errors import ConnectionLost, MesosError
from messor.protos import v0
from messor.wire.zookeeper_nodes import NodeName, decode_master, leader_of

if TYPE_CHECKING:
    from messor.runtime.host import Host, Running

log = logging.getLogger(__name__)


class GroupDetector:
    """Follows a group and tells which member leads, in the words of its node."""

    def __init__(self, host: Host, group: Group) -> None:
        """Look at nothing before the first ``detect``."""
        self._host = host
        self._group = group
        self._told = StandaloneDetector(host)
        self._following: Running | None = None

    async def detect(self, previous: v0.MasterInfo | None = None) -> v0.MasterInfo | None:
        """Wait until the leader differs from previous; raises the MesosError that ended detection."""
        if self._following is None:
            self._following = self._host.tasks.spawn(self._follow(), "follow the leader")
        return await self._told.detect(previous)

    def close(self) -> None:
        """Stop detecting and leave the group's session."""
        if self._following is not None:
            self._following.cancel()
        self._told.close()
        self._group.close()

    async def _follow(self) -> None:
        members, leader = NOBODY, None
        try:
            while True:
                members = await self._group.watch(members)
                now = leader_of(str(member) for member in members)
                if now is None:
                    log.info("No leading master")
                    self._told.appoint(None)
                elif now != leader:
                    self._told.appoint(await self._read(now))
                leader = now
        except ConnectionLost:
            return  # closed
        except MesosError as error:
            self._told.fail(error)

    async def _read(self, leader: NodeName) -> v0.MasterInfo | None:
        """Read who a leader is; None when it vanished meanwhile, or wrote what nobody understands."""
        data = await self._group.data(leader)
        if data is None:
            return None
        try:
            info = decode_master(data, leader.label)
        except MesosError as error:
            log.error("Cannot understand the leading master's node %s: %s", leader, error)
            return None
        log.info("Detected a new leader: (id='%d') %s", leader.sequence, info.pid)
        return info
