"""What a framework wants to be offered: declining, reviving, suppressing, requesting (A18)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.metrics import MasterMetrics
from messor.master.offers.rescind import Rescinder
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.model.roles import validate_role
from messor.protos import v0_scheduler
from messor.runtime.actor import Component

log = logging.getLogger(__name__)


class Demand(Component):
    """Passes a framework's wishes to the allocator."""

    def __init__(
        self, *, state: MasterState, allocator: Allocator, metrics: MasterMetrics, rescinder: Rescinder
    ) -> None:
        """Collaborators."""
        self.state = state
        self.allocator = allocator
        self.rescinder = rescinder
        self._declined = metrics.counter("messages_decline_offers")
        self._revived = metrics.counter("messages_revive_offers")
        self._suppressed = metrics.counter("messages_suppress_offers")
        self._requested = metrics.counter("messages_resource_request")

    def decline(self, framework: FrameworkRecord, call: v0_scheduler.Call.Decline) -> None:
        """Give offers back; unless told otherwise their agents are not offered to it for five seconds."""
        self._declined.value += 1
        for item in call.offer_ids:
            offer = self.state.offers.get(item.value)
            if offer is None:
                self.ignore(f"decline of offer {item.value} by framework {framework.id}", "it is no longer valid")
            else:
                framework.counts.offers_declined += 1
                self.rescinder.discard(offer, call.filters)

    def revive(self, framework: FrameworkRecord, call: v0_scheduler.Call.Revive) -> None:
        """Forget a framework's filters and suppression, for some of its roles or all."""
        self._revived.value += 1
        roles = self._roles("REVIVE", framework, call.roles)
        if roles is None:
            return
        if roles:
            framework.suppressed_roles -= roles
        else:
            framework.suppressed_roles.clear()
        framework.fragment = None
        self.allocator.revive_offers(framework.id, roles)

    def suppress(self, framework: FrameworkRecord, call: v0_scheduler.Call.Suppress) -> None:
        """Stop offering to a framework, for some of its roles or all."""
        self._suppressed.value += 1
        roles = self._roles("SUPPRESS", framework, call.roles)
        if roles is None:
            return
        framework.suppressed_roles |= roles or framework.roles
        framework.fragment = None
        self.allocator.suppress_offers(framework.id, roles)

    def request(self, framework: FrameworkRecord, call: v0_scheduler.Call.Request) -> None:
        """Tell the allocator what a framework would like; the built-in one does not listen."""
        self._requested.value += 1
        self.allocator.request_resources(framework.id, list(call.requests))

    def _roles(self, call: str, framework: FrameworkRecord, names: Iterable[str]) -> set[str] | None:
        """Check roles; None means the call is dropped."""
        roles = set(names)
        for role in sorted(roles):
            try:
                validate_role(role)
            except InvalidRequest as error:
                self.ignore(f"{call} call of framework {framework.id}", f"role '{role}' is invalid: {error}")
                return None
            if role not in framework.roles:
                self.ignore(f"{call} call of framework {framework.id}", f"'{role}' is not one of its roles")
                return None
        return roles
