"""Who leads. A master alone is elected at once; then it reads the registry, and only then anybody is served.

Standing for election through ZooKeeper comes with ``--zk``; what a master that does not lead answers is here already
(H16): doors ask ``check`` before they serve.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from messor.errors import NotLeading, NotNow
from messor.master.agents.recovery import AgentRecovery
from messor.master.registry.collect import Collector
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.state.tables import MasterState
from messor.protos import v0
from messor.runtime.host import Host
from messor.runtime.http import Request

log = logging.getLogger(__name__)


class Leadership:
    """Whether this master leads, and since when it can act on it."""

    def __init__(
        self,
        *,
        state: MasterState,
        host: Host,
        registrar: Registrar,
        recovery: AgentRecovery,
        collector: Collector,
        recovered: Callable[[Contents], None],
    ) -> None:
        """recovered: told once the registry has been read and everything may begin."""
        self.state = state
        self.host = host
        self.registrar = registrar
        self.recovery = recovery
        self.collector = collector
        self.recovered = recovered
        self.leader: v0.MasterInfo | None = None
        """Who leads, as far as this master knows."""

    def begin(self) -> None:
        """Take part; a master alone has won already."""
        self._elected(self.state.info)

    def check(self, request: Request) -> None:
        """Raise NotLeading (with where to go) or NotNow unless this master leads and has recovered."""
        self.check_leading(request)
        if not self.state.is_recovered:
            raise NotNow("Master has not finished recovery")

    def check_leading(self, request: Request) -> None:
        """Raise NotLeading or NotNow unless this master leads; the old endpoints answer before it recovered."""
        if self.leader is None:
            raise NotNow("No leader elected")
        if self.leader.id != self.state.info.id:
            raise NotLeading(location(self.leader, request))

    def _elected(self, leader: v0.MasterInfo) -> None:
        self.leader = leader
        if leader.id != self.state.info.id:
            log.info("The newly elected leader is %s with id %s", leader.pid, leader.id)
            return
        log.info("Elected as the leading master %s with id %s", leader.pid, leader.id)
        self.state.elected_at = self.host.clock.now()
        self.host.tasks.spawn(self._recover(), "recover the registry")

    async def _recover(self) -> None:
        """Read the registry; from then on messages are handled instead of dropped."""
        contents = await self.registrar.recover(self.state.info)
        missing = missing_capabilities(self.state.info, contents)
        if missing:
            self.host.exit(
                1,
                f"Master is missing the following minimum capabilities: {', '.join(missing)}. A newer master stored"
                " something in the registry that this one does not understand: start that version again, undo what"
                " needs these capabilities, then downgrade",
            )
            return
        self.recovery.begin(contents)
        self.collector.begin()
        self.recovered(contents)
        self.state.is_recovered = True


def location(leader: v0.MasterInfo, request: Request) -> str:
    """Say where the leader serves what was asked: scheme-relative, below /master, query keys sorted (errata 4)."""
    path = request.path if request.path.startswith("/master") else "/master" + request.path
    where = f"//{leader.address.hostname or leader.hostname}:{leader.address.port or leader.port}"
    if path.rstrip("/") == "/master/redirect":
        return where
    query = urlencode(sorted(parse_qsl(request.query_text, keep_blank_values=True)))
    return f"{where}{path}{'?' + query if query else ''}"


def missing_capabilities(info: v0.MasterInfo, contents: Contents) -> list[str]:
    """Name the capabilities the registry needs and this master lacks (H10), sorted."""
    ours = {v0.MasterInfo.Capability.Type.Name(capability.type) for capability in info.capabilities}
    return sorted({needed.capability for needed in contents.rest.minimum_capabilities} - ours)
