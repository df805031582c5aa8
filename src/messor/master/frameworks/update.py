"""Changing what a framework is: by re-subscribing, and by UPDATE_FRAMEWORK (M7)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messor.allocator.constraints import Constraints, Limits
from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.authorization import Authorization
from messor.master.flags import MasterFlags
from messor.master.frameworks.records import describe
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.tasks.statuses import NO_PID
from messor.master.validation.frameworks import (
    validate_framework,
    validate_offer_constraints,
    validate_suppressed_roles,
    validate_update,
)
from messor.model.roles import roles_of
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.actor import Component

log = logging.getLogger(__name__)


class FrameworkUpdates(Component):
    """Checks and applies changes of FrameworkInfo."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        flags: MasterFlags,
        rescinder: Rescinder,
        authorization: Authorization | None = None,
    ) -> None:
        """authorization: who may have which roles, None when everybody may have any."""
        self.authorization = authorization or Authorization(None)
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.rescinder = rescinder
        self.constraint_limits = Limits(
            int(flags.offer_constraints_re2_max_mem), flags.offer_constraints_re2_max_program_size
        )
        self.root_submissions = flags.root_submissions
        self.allowed_roles = None if flags.roles is None else frozenset(flags.roles.split(",")) | {"*"}

    def validate(self, info: v0.FrameworkInfo) -> None:
        """Check a FrameworkInfo against this master; raises InvalidRequest."""
        validate_framework(
            info,
            allowed_roles=self.allowed_roles,
            root_submissions=self.root_submissions,
            completed=self.state.completed_frameworks,
        )

    def validate_wishes(
        self, info: v0.FrameworkInfo, suppressed: Iterable[str], constraints: v0_scheduler.OfferConstraints
    ) -> frozenset[str]:
        """Check what a framework says about its offers; gives the suppressed roles. Raises InvalidRequest."""
        roles = roles_of(info)
        wanted = frozenset(suppressed)
        validate_suppressed_roles(roles, wanted)
        validate_offer_constraints(roles, constraints, self.constraint_limits)
        return wanted

    def constrain(self, framework: FrameworkRecord, constraints: v0_scheduler.OfferConstraints) -> None:
        """Take over checked offer constraints."""
        if constraints != framework.offer_constraints:
            framework.offer_constraints.CopyFrom(constraints)
            framework.fragment = None
            self.allocator.update_offer_constraints(framework.id, Constraints(constraints, self.constraint_limits))

    def update(self, framework: FrameworkRecord, call: v0_scheduler.Call.UpdateFramework) -> None:
        """Apply UPDATE_FRAMEWORK; raises InvalidRequest or NotAuthorized with the text the framework gets."""
        info = v0.FrameworkInfo()
        info.CopyFrom(call.framework_info)
        log.info("Processing UPDATE_FRAMEWORK call for framework %s", framework.id)
        try:
            self.validate(info)
        except InvalidRequest as error:
            raise InvalidRequest(f"Supplied FrameworkInfo is not valid: {error}") from None
        try:
            validate_update(framework.info, info)
        except InvalidRequest as error:
            raise InvalidRequest(f"FrameworkInfo update is not valid: {error}") from None
        try:
            suppressed = self.validate_wishes(info, call.suppressed_roles, call.offer_constraints)
        except InvalidRequest as error:
            raise InvalidRequest(f"'UpdateFramework' call is not valid: {error}") from None
        self.authorization.check_framework(info)
        changed = info != framework.info
        self.apply(framework, info, suppressed)
        self.constrain(framework, call.offer_constraints)
        if changed:
            self.broadcast(framework)

    def apply(self, framework: FrameworkRecord, info: v0.FrameworkInfo, suppressed: frozenset[str]) -> None:
        """Take over a checked FrameworkInfo; offers for roles it gave up are rescinded."""
        info.id.value = framework.id
        self.allocator.update_framework(framework.id, info, suppressed)
        kept = roles_of(info)
        for offer in list(framework.offers.values()):
            if offer.role not in kept:
                self.rescinder.rescind(offer)
        describe(framework, info)
        framework.suppressed_roles = set(suppressed)

    def broadcast(self, framework: FrameworkRecord) -> None:
        """Tell every agent and whoever watches who the framework is now and where it is reached."""
        message = internal.UpdateFrameworkMessage(pid=str(framework.pid) if framework.pid is not None else NO_PID)
        message.framework_id.value = framework.id
        message.framework_info.CopyFrom(framework.info)
        self.state.signals.framework_updated(framework)
        for agent in self.state.agents.values():
            self.outbox.to_agent(agent, message)
