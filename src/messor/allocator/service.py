"""The allocator as the master uses it: when rounds happen, who hears of them, what is measured.

A round over all agents comes every ``allocation_interval``; in between, new or changed agents, and frameworks that are
added, activated or revived, ask for a round over the agents concerned: one round per backlog, after what runs now is
done. Taking resources back asks for none.

For whoever turns offers into messages: the bags handed to ``OnOffers`` carry allocation marks and are *reused*: while
an agent's free resources stay the same, the very same ``Resources`` object is offered again. Its encodings are cached
on it, so ``resources.encoded(5)`` (field 5 of ``Offer``; with ``old=True`` and/or ``allocated=False`` for older
frameworks) is mostly a lookup, and an encoded offer is spliced from: id, framework id, the agent's constant bytes and
this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from messor.allocator.constraints import Constraints
from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.history import RoundHistory
from messor.allocator.interfaces import AllocatorOptions, OnInverseOffers, OnOffers, OnRescind
from messor.allocator.measures import Measures
from messor.allocator.windows import refusal_end
from messor.model.conversions import Conversion
from messor.model.quotas import Quota
from messor.model.resources import Resources
from messor.protos import v0, v0_allocator
from messor.runtime.host import Host, Timer

log = logging.getLogger(__name__)


class AllocatorService:
    """See ``interfaces.Allocator``; the allocator ``hierarchical``, and a base for others."""

    books_class: type[HierarchicalAllocator] = HierarchicalAllocator
    """What decides; an allocator of your own may change that."""

    def __init__(
        self,
        host: Host,
        options: AllocatorOptions,
        on_offers: OnOffers,
        on_round: Callable[[], None] | None = None,
        *,
        on_inverse_offers: OnInverseOffers | None = None,
        on_rescind: OnRescind | None = None,
    ) -> None:
        """Use this host's clock and randomness; on_round is called after every round, whatever came of it."""
        self.host = host
        self.options = options
        self.books = self.books_class(options, host.chance.random)
        self.measures = Measures(host.metrics, self.books)
        self.history = RoundHistory()
        self._on_offers = on_offers
        self._on_round = on_round
        self._on_inverse_offers = on_inverse_offers
        self.rescind = on_rescind or (lambda _framework_id, _agent_ids: None)
        """Asks the master to take offers back; this allocator never does."""
        self._candidates: set[str] | None = set()
        """Agents of the round to come; None: all."""
        self._next_round: Timer | None = None
        self._asked_at = 0.0
        self._batch: Timer | None = None
        self._paused = False
        self._expected_agents: int | None = None
        self._give_up_waiting: Timer | None = None

    # --- rounds ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the rounds."""
        if self._batch is None:
            self._batch = self.host.clock.after(self.options.allocation_interval, self._tick)

    def stop(self) -> None:
        """End the rounds."""
        for timer in (self._batch, self._next_round, self._give_up_waiting):
            if timer is not None:
                timer.cancel()
        self._batch = self._next_round = self._give_up_waiting = None

    def _tick(self) -> None:
        self._batch = None
        self._candidates = None
        if self._next_round is not None:
            self._next_round.cancel()
            self._next_round = None
        elif not self._paused:
            self._asked_at = self.host.clock.monotonic()
        self._run()
        self.start()

    def _ask(self, agent_id: str | None = None) -> None:
        """Ask for a round over this agent (None: all) as soon as what runs now is done."""
        if self._paused:
            return
        if agent_id is None:
            self._candidates = None
        elif self._candidates is not None:
            self._candidates.add(agent_id)
        if self._next_round is None:
            self._asked_at = self.host.clock.monotonic()
            self._next_round = self.host.clock.after(0, self._run)

    def _run(self) -> None:
        self._next_round = None
        if self._paused:
            return
        candidates, self._candidates = self._candidates, set()
        begun = self.host.clock.monotonic()
        offers = self.books.allocate(candidates, begun)
        ended = self.host.clock.monotonic()
        self.measures.ran(begun - self._asked_at, ended - begun)
        self.history.note(begun, ended, candidates, offers)
        self.measures.consumption_changed()
        for framework_id, by_role in offers.items():
            self._on_offers(framework_id, by_role)
        if self.books.windows.by_agent and self._on_inverse_offers is not None:
            for framework_id, windows in self.books.windows.due(self.books, candidates, begun).items():
                self._on_inverse_offers(framework_id, windows)
        if self._on_round is not None:
            self._on_round()

    @property
    def is_paused(self) -> bool:
        """Whether no rounds are held."""
        return self._paused

    def pause(self) -> None:
        """Start no rounds."""
        self._paused = True

    def resume(self) -> None:
        """Start rounds again, from the next interval on."""
        self._paused = False

    def recover(self, expected_agents: int, quotas: Mapping[str, Quota]) -> None:
        """Pause until enough agents are back, if there are quotas that offers made too early could break (A13)."""
        for role, quota in quotas.items():
            self.update_quota(role, quota)
        if not quotas or expected_agents <= 0:
            return
        needed = int(expected_agents * self.options.agent_recovery_factor)
        if needed <= len(self.books.agents):
            return
        self._expected_agents = needed
        self.pause()
        self._give_up_waiting = self.host.clock.after(self.options.agent_recovery_timeout, self._stop_waiting)
        log.info("Triggered allocator recovery: waiting for %s agents to reconnect", needed)

    def _stop_waiting(self) -> None:
        self._expected_agents = None
        if self._give_up_waiting is not None:
            self._give_up_waiting.cancel()
            self._give_up_waiting = None
        self.resume()

    # --- frameworks --------------------------------------------------------------------------------------------------

    def add_framework(
        self,
        framework_id: str,
        info: v0.FrameworkInfo,
        used: Mapping[str, Resources],
        *,
        active: bool,
        suppressed_roles: frozenset[str] = frozenset(),
    ) -> None:
        """Add a framework and, if active, offer."""
        self.books.add_framework(framework_id, info, used, suppressed_roles, active=active)
        self._roles_changed()
        log.info("Added framework %s", framework_id)
        if active:
            self._ask()

    def remove_framework(self, framework_id: str) -> None:
        """Forget a framework."""
        self.books.remove_framework(framework_id)
        self.history.forget(framework_id)
        self._roles_changed()
        log.info("Removed framework %s", framework_id)

    def activate_framework(self, framework_id: str) -> None:
        """Offer to it again."""
        self.books.activate_framework(framework_id)
        log.info("Activated framework %s", framework_id)
        self._ask()

    def deactivate_framework(self, framework_id: str) -> None:
        """Offer it nothing."""
        self.books.deactivate_framework(framework_id)
        log.info("Deactivated framework %s", framework_id)

    def update_framework(
        self, framework_id: str, info: v0.FrameworkInfo, suppressed_roles: frozenset[str] = frozenset()
    ) -> None:
        """Take over changes; they take effect with the next round."""
        self.books.update_framework(framework_id, info, suppressed_roles)
        self._roles_changed()

    def update_offer_constraints(self, framework_id: str, constraints: Constraints) -> None:
        """Change which agents a framework wants to hear of; it takes effect with the next round."""
        self.books.update_constraints(framework_id, constraints)

    def revive_offers(self, framework_id: str, roles: Iterable[str] = ()) -> None:
        """Offer again, forgetting refusals."""
        self.books.revive(framework_id, list(roles) or self.books.frameworks[framework_id].roles)
        self._ask()

    def suppress_offers(self, framework_id: str, roles: Iterable[str] = ()) -> None:
        """Offer nothing."""
        self.books.suppress(framework_id, list(roles) or self.books.frameworks[framework_id].roles)

    def request_resources(self, framework_id: str, requests: Iterable[v0.Request]) -> None:  # noqa: ARG002
        """Note it in the log; shares decide, not wishes."""
        log.info("Received resource request from framework %s", framework_id)

    # --- agents ------------------------------------------------------------------------------------------------------

    def add_agent(
        self,
        agent_id: str,
        info: v0.SlaveInfo,
        capabilities: Iterable[v0.SlaveInfo.Capability | int],
        total: Resources,
        used: Mapping[str, Resources],
    ) -> None:
        """Add an agent and offer it."""
        self.books.add_agent(agent_id, info, capabilities, total, used)
        if self._expected_agents is not None and len(self.books.agents) >= self._expected_agents:
            self._stop_waiting()
        self._roles_changed()
        log.info("Added agent %s (%s) with %s", agent_id, info.hostname, total)
        self._ask(agent_id)

    def add_resource_provider(self, agent_id: str, total: Resources, used: Mapping[str, Resources]) -> None:
        """Let an agent grow; the next interval offers what came."""
        self.books.add_resource_provider(agent_id, total, used)
        log.info("Agent %s grew by %s", agent_id, total)

    def remove_agent(self, agent_id: str) -> None:
        """Forget an agent."""
        self.books.remove_agent(agent_id)
        if self._candidates is not None:
            self._candidates.discard(agent_id)
        log.info("Removed agent %s", agent_id)

    def update_agent(
        self,
        agent_id: str,
        info: v0.SlaveInfo,
        total: Resources | None = None,
        capabilities: Iterable[v0.SlaveInfo.Capability | int] | None = None,
    ) -> None:
        """Take over changes and, if there are any, offer it."""
        if self.books.update_agent(agent_id, info, total, capabilities):
            self._ask(agent_id)

    def activate_agent(self, agent_id: str) -> None:
        """Offer it again, from the next interval on."""
        self.books.set_agent_active(agent_id, active=True)
        log.info("Agent %s reactivated", agent_id)

    def deactivate_agent(self, agent_id: str) -> None:
        """Offer nothing of it."""
        self.books.set_agent_active(agent_id, active=False)
        log.info("Agent %s deactivated", agent_id)

    def update_whitelist(self, hostnames: Iterable[str] | None) -> None:
        """Offer only these hosts (None: all)."""
        self.books.whitelist = None if hostnames is None else frozenset(hostnames)
        if self.books.whitelist is not None and not self.books.whitelist:
            log.warning("Whitelist is empty, no offers will be made!")

    # --- maintenance -------------------------------------------------------------------------------------------------

    def update_unavailability(self, agent_id: str, unavailability: v0.Unavailability | None) -> None:
        """Change an agent's window, and ask the frameworks there to leave."""
        self.books.windows.plan(agent_id, unavailability)
        self._ask(agent_id)

    def update_inverse_offer(
        self,
        agent_id: str,
        framework_id: str,
        status: v0_allocator.InverseOfferStatus | None,
        filters: v0.Filters | None,
        unavailability: v0.Unavailability | None = None,  # noqa: ARG002  (there is one inverse offer per window)
    ) -> None:
        """Note an answer, or that there will be none."""
        end = refusal_end(filters, self.host.clock.monotonic(), self.options.allocation_interval)
        self.books.windows.answered(agent_id, framework_id, status, end)

    def inverse_offer_statuses(self) -> dict[str, dict[str, v0_allocator.InverseOfferStatus]]:
        """Tell the latest answers."""
        return {agent_id: window.statuses for agent_id, window in self.books.windows.by_agent.items()}

    # --- resources ---------------------------------------------------------------------------------------------------

    def update_allocation(
        self, framework_id: str, agent_id: str, offered: Resources, conversions: Iterable[Conversion]
    ) -> None:
        """Convert part of what was offered."""
        self.books.update_allocation(framework_id, agent_id, offered, conversions)

    def update_available(self, agent_id: str, conversions: Iterable[Conversion]) -> None:
        """Convert what nobody holds; raises InvalidRequest when it is not there."""
        self.books.update_available(agent_id, conversions)

    def transition_offered_to_allocated(self, agent_id: str, resources: Resources) -> None:
        """Note that tasks use these now."""
        self.books.transition_offered_to_allocated(agent_id, resources)

    def recover_resources(
        self,
        framework_id: str,
        agent_id: str,
        resources: Resources,
        filters: v0.Filters | None = None,
        *,
        is_allocated: bool,
    ) -> None:
        """Take back resources; the next interval offers them."""
        if not self.books.holds(framework_id, agent_id, resources):
            log.error("Framework %s gives back %s of agent %s that it does not hold", framework_id, resources, agent_id)
        now = self.host.clock.monotonic()
        self.books.recover_resources(framework_id, agent_id, resources, filters, now, is_allocated=is_allocated)

    # --- roles -------------------------------------------------------------------------------------------------------

    def update_weights(self, weights: Mapping[str, float]) -> None:
        """Change weights; they take effect with the next round."""
        self.books.update_weights(weights)

    def update_quota(self, role: str, quota: Quota) -> None:
        """Change the quota of a role; it takes effect with the next round."""
        self.books.update_quota(role, quota)
        self.measures.quotas_changed()

    def dominant_shares(self) -> dict[str, float]:
        """Tell the weighted dominant share of each role that has frameworks."""
        return self.books.dominant_shares()

    def _roles_changed(self) -> None:
        self.measures.roles_changed()
