"""Who leads. A master alone is elected at once; one with ``--zk`` stands for election and looks who won.

The one who leads reads the registry, and only then anybody is served; the others send askers to it (H16): doors ask
``check`` before they serve. A leader that may not lead any more ends its process (trap 30): its books are void, and
whoever leads next must not be contradicted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from messor.coordination.interfaces import Contender, Detector
from messor.errors import MesosError, NotLeading, NotNow
from messor.master.agents.recovery import AgentRecovery
from messor.master.registry.collect import Collector
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.state.tables import MasterState
from messor.model.domains import domain_text, region_of
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
        contender: Contender | None = None,
        detector: Detector | None = None,
    ) -> None:
        """recovered: told once the registry has been read and everything may begin.

        contender, detector: how a master among several finds out whether it leads; without them it does.
        """
        self.state = state
        self.host = host
        self.registrar = registrar
        self.recovery = recovery
        self.collector = collector
        self.recovered = recovered
        self.contender = contender
        self.detector = detector
        self.leader: v0.MasterInfo | None = None
        """Who leads, as far as this master knows."""

    def begin(self) -> None:
        """Take part; a master alone has won already."""
        self.host.directory.before_methods = self.check_leading
        if self.contender is None or self.detector is None:
            self._detected(self.state.info)
            return
        self.host.tasks.spawn(self._stand(self.contender), "stand for election")
        self.host.tasks.spawn(self._follow(self.detector), "detect the leader")

    def stopping(self) -> None:
        """Withdraw, so that another master leads at once."""
        if self.detector is not None:
            self.detector.close()
        if self.contender is not None:
            self.contender.close()

    @property
    def is_elected(self) -> bool:
        """Whether this master leads."""
        return self.leader is not None and self.leader.id == self.state.info.id

    def check(self, request: Request) -> None:
        """Raise NotLeading (with where to go) or NotNow unless this master leads and has recovered."""
        self.check_leading(request)
        if not self.state.is_recovered:
            raise NotNow("Master has not finished recovery")

    def check_leading(self, request: Request) -> None:
        """Raise NotLeading or NotNow unless this master leads; the old endpoints answer before it recovered."""
        if self.leader is None:
            raise NotNow("No leader elected")
        if not self.is_elected:
            raise NotLeading(location(self.leader, request))

    async def _stand(self, contender: Contender) -> None:
        """Be a candidate, and again whenever that is lost without having led."""
        try:
            while True:
                lost = await contender.contend()
                log.info("Standing for election")
                await lost
                if self.is_elected:
                    self.host.exit(1, "Lost candidacy as a leader... committing suicide!")
                    return
                log.info("Lost candidacy as a follower... Contend again")
        except MesosError as error:
            self.host.exit(1, f"Failed to contend: {error}; committing suicide!")

    async def _follow(self, detector: Detector) -> None:
        leader: v0.MasterInfo | None = None
        try:
            while True:
                leader = await detector.detect(leader)
                self._detected(leader)
        except MesosError as error:
            self.host.exit(1, f"Failed to detect the leading master: {error}; committing suicide!")

    def _detected(self, leader: v0.MasterInfo | None) -> None:
        """Take who leads now."""
        was_elected, self.leader = self.is_elected, leader
        if not self.is_elected:
            if leader is None:
                log.info("Nobody leads")
            else:
                log.info("The newly elected leader is %s with id %s", leader.pid, leader.id)
                self._compare_regions(leader)
            if was_elected:
                self.host.exit(1, "Lost leadership... committing suicide!")
        elif was_elected:
            log.info("Re-elected as the leading master")
        else:
            log.info("Elected as the leading master!")
            self.state.elected_at = self.host.clock.now()
            self.host.tasks.spawn(self._recover(), "recover the registry")

    def _compare_regions(self, leader: v0.MasterInfo) -> None:
        """End the process when the leader is in another region: a cluster's masters share one (H18)."""
        ours, theirs = self.state.info.domain, leader.domain
        if None not in (region_of(ours), region_of(theirs)) and region_of(ours) != region_of(theirs):
            self.host.exit(
                1,
                f"Leading master uses domain {domain_text(theirs)}; this master is configured to use domain"
                f" {domain_text(ours)}; all masters in the same cluster must use the same region",
            )

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
