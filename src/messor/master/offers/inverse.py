"""Inverse offers: asking frameworks to leave agents before maintenance (N3)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from messor.allocator.interfaces import Allocator
from messor.master.flags import MasterFlags
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.offer import InverseOfferRecord
from messor.master.state.tables import MasterState
from messor.model.durations import nanoseconds_of
from messor.protos import internal, v0, v0_allocator, v0_scheduler
from messor.runtime.actor import Component
from messor.runtime.host import Host

log = logging.getLogger(__name__)

Status = v0_allocator.InverseOfferStatus
Answer = v0_scheduler.Call.AcceptInverseOffers | v0_scheduler.Call.DeclineInverseOffers


class InverseOffers(Component):
    """Sends them and takes answers; taking them back is the rescinder's."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        host: Host,
        flags: MasterFlags,
        rescinder: Rescinder,
    ) -> None:
        """Collaborators; ``ask`` is the allocator's callback."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.clock = host.clock
        self.timeout = flags.offer_timeout
        self.rescinder = rescinder

    def ask(self, framework_id: str, windows: Mapping[str, v0.Unavailability]) -> None:
        """Ask a framework to leave agents before their windows; whom this does not reach is asked another time.

        Schedulers of the classic driver have no callback for it and stay noted as asked.
        """
        framework = self.state.frameworks.get(framework_id)
        message = internal.InverseOffersMessage()
        for agent_id, unavailability in windows.items():
            agent = self.state.agents.get(agent_id)
            if framework is None or not framework.is_active or agent is None or not agent.is_connected:
                self.allocator.update_inverse_offer(agent_id, framework_id, None, None)
                continue
            self._fill(message.inverse_offers.add(), framework_id, agent, unavailability)
            message.pids.append(str(agent.pid))
        if framework is not None and message.inverse_offers:
            log.info("Sending %d inverse offers to framework %s", len(message.inverse_offers), framework_id)
            self.outbox.to_framework(framework, message)

    def _fill(
        self, offer: v0.InverseOffer, framework_id: str, agent: AgentRecord, unavailability: v0.Unavailability
    ) -> None:
        offer.id.value = self.state.new_offer_id()
        offer.framework_id.value = framework_id
        offer.slave_id.value = agent.id
        offer.unavailability.CopyFrom(unavailability)
        offer.url.scheme = "http"
        offer.url.address.hostname = agent.hostname
        offer.url.address.ip = agent.pid.ip
        offer.url.address.port = agent.pid.port
        offer.url.path = f"/{agent.pid.id}"
        record = InverseOfferRecord(offer.id.value, framework_id, agent.id, unavailability)
        self.state.inverse_offers[record.id] = record
        if self.timeout is not None:
            record.timer = self.clock.after(self.timeout, self._timed_out, record.id)

    def _timed_out(self, offer_id: str) -> None:
        record = self.state.inverse_offers.get(offer_id)
        if record is not None:
            self.rescinder.withdraw(record)

    def accepted(self, framework: FrameworkRecord, call: Answer) -> None:
        """Note that a framework will leave."""
        self._answered(framework, call, Status.ACCEPT)

    def declined(self, framework: FrameworkRecord, call: Answer) -> None:
        """Note that a framework will not."""
        self._answered(framework, call, Status.DECLINE)

    def _answered(
        self, framework: FrameworkRecord, call: Answer, answer: v0_allocator.InverseOfferStatus.Status
    ) -> None:
        for item in call.inverse_offer_ids:
            record = self.state.inverse_offers.get(item.value)
            if record is None or record.framework_id != framework.id:
                self.ignore(f"framework {framework.id}'s answer to inverse offer {item.value}", "it is no longer valid")
                continue
            self.state.remove_inverse_offer(record)
            status = Status(status=answer)
            status.framework_id.value = framework.id
            status.timestamp.nanoseconds = nanoseconds_of(self.clock.now())
            self.allocator.update_inverse_offer(
                record.agent_id, framework.id, status, call.filters, unavailability=record.unavailability
            )
