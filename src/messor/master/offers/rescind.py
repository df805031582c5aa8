"""Taking offers back: telling the framework (rescind) or not (discard)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messor.allocator.interfaces import Allocator
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.offer import InverseOfferRecord, OfferRecord
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
        """Take back all that is offered to or asked of a framework and tell it."""
        for offer in list(framework.offers.values()):
            self.rescind(offer)
        self._withdraw_framework(framework, tell=True)

    def discard_framework(self, framework: FrameworkRecord) -> None:
        """Take back all that is offered to or asked of a framework that will not hear of it."""
        for offer in list(framework.offers.values()):
            self.discard(offer)
        self._withdraw_framework(framework, tell=False)

    # --- inverse offers ----------------------------------------------------------------------------------------------

    def rescind_on(self, framework_id: str, agent_ids: Iterable[str]) -> None:
        """Take back what a framework is offered on some agents."""
        framework = self.state.frameworks.get(framework_id)
        wanted = set(agent_ids)
        for offer in list(framework.offers.values()) if framework is not None else ():
            if offer.agent_id in wanted:
                self.rescind(offer)

    def withdraw(self, record: InverseOfferRecord, *, tell: bool = True) -> None:
        """Take an inverse offer back; tell: whether the framework hears of it."""
        self.state.remove_inverse_offer(record)
        self.allocator.update_inverse_offer(
            record.agent_id, record.framework_id, None, None, unavailability=record.unavailability
        )
        framework = self.state.frameworks.get(record.framework_id)
        if tell and framework is not None and framework.is_connected:
            message = internal.RescindInverseOfferMessage()
            message.inverse_offer_id.value = record.id
            self.outbox.to_framework(framework, message)

    def withdraw_agent(self, agent: AgentRecord) -> None:
        """Take back what frameworks were asked about an agent."""
        for record in [one for one in self.state.inverse_offers.values() if one.agent_id == agent.id]:
            self.withdraw(record)

    def _withdraw_framework(self, framework: FrameworkRecord, *, tell: bool) -> None:
        for record in [one for one in self.state.inverse_offers.values() if one.framework_id == framework.id]:
            self.withdraw(record, tell=tell)
