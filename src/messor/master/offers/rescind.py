"""Taking offers back: telling the framework (rescind) or not (discard)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.offer import OfferRecord
from messor.master.state.tables import MasterState
from messor.protos import internal, v0
from messor.runtime.actor import Component

log = logging.getLogger(__name__)


class Rescinder(Component):
    """Ends offers that nobody used."""

    def __init__(self, *, state: MasterState, outbox: Outbox, allocator: Allocator) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator

    def rescind(self, offer: OfferRecord, filters: v0.Filters | None = None) -> None:
        """Take an offer back and tell its framework; without filters its resources may be offered again at once."""
        framework = self.state.frameworks[offer.framework_id]
        message = internal.RescindResourceOfferMessage()
        message.offer_id.value = offer.id
        framework.counts.offers_rescinded += 1
        self.outbox.to_framework(framework, message)
        self.discard(offer, filters)

    def discard(self, offer: OfferRecord, filters: v0.Filters | None = None) -> None:
        """Take an offer back silently: its framework declined it, used it wrongly or is gone."""
        self.state.remove_offer(offer)
        self.allocator.recover_resources(
            offer.framework_id, offer.agent_id, offer.resources, filters, is_allocated=False
        )

    def rescind_agent(self, agent: AgentRecord) -> None:
        """Take back all offers of an agent's resources."""
        for offer in list(agent.offers.values()):
            self.rescind(offer)

    def rescind_framework(self, framework: FrameworkRecord) -> None:
        """Take back all offers of a framework and tell it."""
        for offer in list(framework.offers.values()):
            self.rescind(offer)

    def discard_framework(self, framework: FrameworkRecord) -> None:
        """Take back all offers of a framework that will not hear of it."""
        for offer in list(framework.offers.values()):
            self.discard(offer)
