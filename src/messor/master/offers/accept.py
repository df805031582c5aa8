"""ACCEPT: the one transaction that turns offers into launches, reservations and volumes (M11).

Order matters and clients see it: offers are checked, then the resources of every operation, and only then operations
are applied one after the other on what is left. A failed one does not stop those behind it. The rest goes back with
the framework's filters.
"""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.metrics import MasterMetrics
from messor.master.offers.launch import Approve, Launches, LaunchItem, read_launch
from messor.master.offers.launch_group import GroupItem, GroupLaunches, read_group
from messor.master.offers.operate import ApproveOperation, Operating
from messor.master.offers.rescind import Rescinder
from messor.master.offers.transaction import Transaction
from messor.master.operations.perform import Performer
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.offer import OfferRecord
from messor.master.state.tables import MasterState
from messor.master.tasks.updates import TaskUpdates
from messor.master.validation.offers import validate_offers
from messor.master.validation.operations import LAUNCHES, validate_launch_id
from messor.model.resources import Resources
from messor.protos import v0, v0_scheduler
from messor.runtime.actor import Component

log = logging.getLogger(__name__)

Operation = v0.Offer.Operation

Work = list[LaunchItem] | GroupItem | v0.Offer.Operation
"""An operation that was read and can be applied."""


class Accepts(Component):
    """Applies ACCEPT calls."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        metrics: MasterMetrics,
        updates: TaskUpdates,
        rescinder: Rescinder,
        performer: Performer,
        approve: Approve | None = None,
        approve_operation: ApproveOperation | None = None,
    ) -> None:
        """approve, approve_operation: the authorizer's word on each of them, None when nobody needs asking."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.metrics = metrics
        self.updates = updates
        self.rescinder = rescinder
        self.launches = Launches(state=state, outbox=outbox, updates=updates, approve=approve)
        self.group_launches = GroupLaunches(outbox=outbox, updates=updates, launches=self.launches, approve=approve)
        self.operating = Operating(
            outbox=outbox, metrics=metrics, rescinder=rescinder, performer=performer, approve=approve_operation
        )
        self._launched = metrics.counter("messages_launch_tasks")
        self._declined = metrics.counter("messages_decline_offers")

    def accept(self, framework: FrameworkRecord, call: v0_scheduler.Call.Accept) -> None:
        """Apply one ACCEPT; the call's messages are changed on the way."""
        for operation in call.operations:
            if operation.type == Operation.LAUNCH:
                (self._launched if operation.launch.task_infos else self._declined).value += 1
        offer_ids = [item.value for item in call.offer_ids]
        try:
            offers = validate_offers(self.state, framework.id, offer_ids)
        except InvalidRequest as error:
            self._refuse_all(framework, call, str(error))
            return
        agent = self.state.agents[offers[0].agent_id]
        role = offers[0].role
        work = [read for item in call.operations if (read := self._read(framework, agent, item, role)) is not None]
        framework.counts.offers_accepted += len(offers)
        transaction = Transaction(framework, agent, role, self._use_up(offers))
        for item in work:
            if isinstance(item, GroupItem):
                self.group_launches.apply(item, transaction)
            elif isinstance(item, list):
                self.launches.apply(item, transaction)
            else:
                self.operating.apply(item, transaction)
        self._settle(transaction, call.filters)

    def _read(
        self, framework: FrameworkRecord, agent: AgentRecord, operation: v0.Offer.Operation, role: str
    ) -> Work | None:
        """Read one operation; refuses it and gives None when that fails."""
        if operation.type not in LAUNCHES:
            if operation.type == Operation.UNKNOWN:
                self.ignore("an operation of an ACCEPT call", "its type is unknown")
                return None
            return operation if self.operating.read(framework, agent, operation, role) else None
        try:
            if operation.type == Operation.LAUNCH:
                items = read_launch(operation, framework.id, role)
                validate_launch_id(operation)
                return items
            group = read_group(operation, role)
            validate_launch_id(operation)
            return group
        except InvalidRequest as error:
            is_group = operation.type == Operation.LAUNCH_GROUP
            kinds = v0.TaskStatus
            reason = kinds.REASON_TASK_GROUP_INVALID if is_group else kinds.REASON_TASK_INVALID
            for task in _tasks_of(operation):
                self.updates.refuse_launch(framework, task, v0.TASK_ERROR, reason, str(error))
            return None

    def _use_up(self, offers: list[OfferRecord]) -> Resources:
        """Take the offers out of the records; gives what they held."""
        offered = Resources()
        for offer in offers:
            self.state.remove_offer(offer)
            offered += offer.resources
        return offered

    def _settle(self, transaction: Transaction, filters: v0.Filters) -> None:
        """Book what the tasks took and give the rest back: what was converted at once, so that it is offered soon."""
        framework, agent = transaction.framework, transaction.agent
        if transaction.used_by_tasks:
            self.state.use(framework, agent, transaction.used_by_tasks)
        rest = transaction.remaining
        if transaction.conversions:
            self.allocator.update_allocation(framework.id, agent.id, transaction.offered, transaction.conversions)
            rest = rest + transaction.resized
            converted = rest - transaction.offered
            rest = rest - converted
            if converted:
                self.allocator.recover_resources(framework.id, agent.id, converted, None, is_allocated=False)
        if rest:
            self.allocator.recover_resources(framework.id, agent.id, rest, filters, is_allocated=False)
        if transaction.launched:
            self.allocator.transition_offered_to_allocated(agent.id, transaction.launched)

    def _refuse_all(self, framework: FrameworkRecord, call: v0_scheduler.Call.Accept, why: str) -> None:
        """Take back what offers there are; tell of every task that it is lost and of every operation that it failed."""
        for item in call.offer_ids:
            offer = self.state.offers.get(item.value)
            if offer is not None:
                self.rescinder.discard(offer)
        log.warning("ACCEPT call of framework %s used invalid offers: %s", framework.id, why)
        state = v0.TASK_DROPPED if framework.is_partition_aware else v0.TASK_LOST
        reason = v0.TaskStatus.REASON_INVALID_OFFERS
        for operation in call.operations:
            if operation.type not in LAUNCHES:
                self.operating.drop(framework, operation, f"Operation attempted with invalid offers: {why}")
                continue
            for task in _tasks_of(operation):
                self.updates.refuse_launch(framework, task, state, reason, f"Task launched with invalid offers: {why}")


def _tasks_of(operation: v0.Offer.Operation) -> list[v0.TaskInfo]:
    """List the tasks of a launching operation."""
    if operation.type == Operation.LAUNCH:
        return list(operation.launch.task_infos)
    return list(operation.launch_group.task_group.tasks)
