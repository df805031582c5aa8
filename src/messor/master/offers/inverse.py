"""Inverse offers: asking frameworks to leave agents before maintenance (N3). Only HTTP frameworks hear of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.protos import v0, v0_allocator, v1_scheduler
from messor.runtime.host import Host
from messor.wire.versions import evolve

log = logging.getLogger(__name__)

Status = v0_allocator.InverseOfferStatus


class InverseOffers:
    """Sends them and takes answers."""

    def __init__(self, *, state: MasterState, outbox: Outbox, allocator: Allocator, host: Host) -> None:
        """Collaborators; ``ask`` is the allocator's callback."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.clock = host.clock

    def ask(self, framework_id: str, windows: Mapping[str, v0.Unavailability]) -> None:
        """Ask a framework to leave agents before their windows."""
        framework = self.state.frameworks.get(framework_id)
        if framework is None or framework.stream is None:
            return  # libprocess schedulers have no callback for it; they stay noted as asked
        event = v1_scheduler.Event(type=v1_scheduler.Event.INVERSE_OFFERS)
        for agent_id, unavailability in windows.items():
            agent = self.state.agents.get(agent_id)
            if agent is None:
                continue
            self._forget((framework_id, agent_id))
            offer = v0.InverseOffer(unavailability=unavailability)
            offer.id.value = self.state.new_offer_id()
            offer.framework_id.value = framework_id
            offer.slave_id.value = agent_id
            offer.url.scheme = "http"
            offer.url.address.hostname = agent.hostname
            offer.url.address.ip = agent.pid.ip
            offer.url.address.port = agent.pid.port
            offer.url.path = f"/{agent.pid.id}"
            self.state.inverse_offers[offer.id.value] = (framework_id, agent_id)
            event.inverse_offers.inverse_offers.append(evolve(offer))
        if event.inverse_offers.inverse_offers:
            log.info("Sending %d inverse offers to framework %s", len(windows), framework_id)
            self.outbox.event(framework, event)

    def _forget(self, pair: tuple[str, str]) -> None:
        """Forget what a framework was asked before it went away and came back."""
        for offer_id in [offer_id for offer_id, asked in self.state.inverse_offers.items() if asked == pair]:
            del self.state.inverse_offers[offer_id]

    def accepted(self, framework: FrameworkRecord, call: Any) -> None:
        """Note that a framework will leave."""
        self._answered(framework, call, Status.ACCEPT)

    def declined(self, framework: FrameworkRecord, call: Any) -> None:
        """Note that a framework will not."""
        self._answered(framework, call, Status.DECLINE)

    def _answered(self, framework: FrameworkRecord, call: Any, answer: int) -> None:
        for item in call.inverse_offer_ids:
            known = self.state.inverse_offers.get(item.value)
            if known is None or known[0] != framework.id:
                log.warning(
                    "Ignoring the answer of framework %s to inverse offer %s: it is no longer valid",
                    framework.id,
                    item.value,
                )
                continue
            del self.state.inverse_offers[item.value]
            status = Status(status=answer)  # type: ignore[arg-type]
            status.framework_id.value = framework.id
            status.timestamp.nanoseconds = int(self.clock.now() * 1e9)
            self.allocator.update_inverse_offer(known[1], framework.id, status, call.filters)

    def withdraw_agent(self, agent: AgentRecord) -> None:
        """Take back what frameworks were asked about an agent, and tell them."""
        for offer_id, (framework_id, agent_id) in list(self.state.inverse_offers.items()):
            if agent_id != agent.id:
                continue
            del self.state.inverse_offers[offer_id]
            self.allocator.update_inverse_offer(agent_id, framework_id, None, None)
            framework = self.state.frameworks.get(framework_id)
            if framework is not None:
                event = v1_scheduler.Event(type=v1_scheduler.Event.RESCIND_INVERSE_OFFER)
                event.rescind_inverse_offer.inverse_offer_id.value = offer_id
                self.outbox.event(framework, event)
