"""Standing for election: a membership that holds who we are (H14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.coordination.interfaces import Group
from messor.protos import v0
from messor.wire.zookeeper_nodes import JSON_LABEL, encode_master

if TYPE_CHECKING:
    from messor.runtime.host import Promise


class GroupContender:
    """Makes a master a candidate: the one with the smallest number leads."""

    def __init__(self, group: Group, master: v0.MasterInfo) -> None:
        """Announce a master in a group."""
        self._group = group
        self._data = encode_master(master)

    async def contend(self) -> Promise[bool]:
        """Become a candidate; the promise is kept when the candidacy is lost. A MesosError is final."""
        return self._group.lost(await self._group.join(self._data, JSON_LABEL))

    def close(self) -> None:
        """Withdraw, by ending the session."""
        self._group.close()
