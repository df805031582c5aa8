"""Detection by asking: a list of masters of which one leads, as ``http://a:5050,b:5050``.

Every master knows who leads: it answers ``/redirect`` with a 307 to the leader, or 503 when nobody leads. So no
ZooKeeper is needed by who may only reach the masters, for example through a firewall.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from messor.coordination.standalone import StandaloneDetector, master_info
from messor.errors import ConnectionLost, MesosError
from messor.protos import v0
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.host import Host, Running

log = logging.getLogger(__name__)

PERIOD = 2.0
"""Seconds between two questions."""

PATIENCE = 5.0
"""Seconds a master may take to answer."""


class CandidatesDetector:
    """Asks masters who leads, one after the other until one knows, again and again."""

    def __init__(self, host: Host, candidates: Sequence[Upid]) -> None:
        """Ask nobody before the first ``detect``."""
        self._host = host
        self._candidates = list(candidates)
        self._told = StandaloneDetector(host)
        self._leader: tuple[str, int] | None = None
        self._asking: Running | None = None

    async def detect(self, previous: v0.MasterInfo | None = None) -> v0.MasterInfo | None:
        """Wait until the leader differs from previous."""
        if self._asking is None:
            self._asking = self._host.tasks.spawn(self._ask_for_ever(), "ask masters who leads")
        return await self._told.detect(previous)

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
        self._told.close()

    async def _ask_for_ever(self) -> None:
        while True:
            leader = await self._who_leads()
            if leader != self._leader:
                self._leader = leader
                self._told.appoint(None if leader is None else master_info(self._host, Upid("master", *leader)))
            await self._host.tasks.sleep(PERIOD)

    async def _who_leads(self) -> tuple[str, int] | None:
        for candidate in self._candidates:
            try:
                answer = await self._host.tasks.within(PATIENCE, self._ask(candidate))
                if answer is not None:
                    self._host.network.resolve(answer[0])
                    return answer
            except (MesosError, TimeoutError) as error:
                log.debug("Master %s:%d does not say who leads: %s", candidate.ip, candidate.port, error)
        return None

    async def _ask(self, candidate: Upid) -> tuple[str, int] | None:
        connection = self._host.network.http(candidate.ip, candidate.port)
        try:
            reply = await connection.request("GET", "/redirect", {})
        finally:
            connection.close()
        if reply.status != 307:
            raise ConnectionLost(f"it answered {reply.status}")
        target = urlsplit(reply.headers.get("location", ""))
        return (target.hostname, target.port or candidate.port) if target.hostname else None
