"""What a master would say of an ACCEPT, without a master: the same validators on a pool of one's own (Z23)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from messor.errors import InvalidRequest
from messor.master.offers.launch import LaunchItem, read_launch
from messor.master.offers.launch_group import read_group
from messor.master.offers.transaction import Transaction
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.validation.operations import (
    NO_UPDATES,
    consumed_disk,
    operation_name,
    read_operation,
    validate_agent_can,
    validate_feedback,
    validate_launch_id,
    validate_operation,
)
from messor.master.validation.task_groups import validate_group
from messor.master.validation.tasks import validate_launch
from messor.model.conversions import DISK_OPERATIONS, conversions_of, disk_source
from messor.model.resources import EMPTY, Resources
from messor.protos import v0

Operation = v0.Offer.Operation


class Finding(NamedTuple):
    """What became of one task or operation."""

    where: str
    """``LAUNCH task 'web'``."""
    problem: str | None
    """The sentence a framework would get; None: it is valid."""


class DryRun:
    """Applies operations in order, as one ACCEPT does, to nothing but a pool."""

    def __init__(self, framework: FrameworkRecord, agent: AgentRecord, role: str, offered: Resources | None) -> None:
        """offered carries the allocation role; None: everything that is asked for is there."""
        self.framework = framework
        self.agent = agent
        self.role = role
        self.is_unlimited = offered is None
        self.transaction = Transaction(framework, agent, role, offered or EMPTY)

    def run(self, operations: Iterable[v0.Offer.Operation]) -> list[Finding]:
        """Try all of them; those that are invalid change nothing for the next. The messages are changed on the way."""
        return [finding for operation in operations for finding in self._try(operation)]

    def _try(self, operation: v0.Offer.Operation) -> Iterator[Finding]:
        name = operation_name(operation)
        try:
            if operation.type == Operation.UNKNOWN:
                raise InvalidRequest("its type is unknown: the master ignores it")
            if operation.type == Operation.LAUNCH:
                items = read_launch(operation, self.framework.id, self.role)
                validate_launch_id(operation)
                for item in items:
                    yield Finding(f"{name} task '{item.task.task_id.value}'", self._problem(item))
                return
            if operation.type == Operation.LAUNCH_GROUP:
                self._launch_group(operation)
            else:
                self._convert(operation)
        except InvalidRequest as error:
            yield Finding(name, str(error))
        else:
            yield Finding(name, None)

    def _problem(self, item: LaunchItem) -> str | None:
        try:
            self._launch(item)
        except InvalidRequest as error:
            return str(error)
        return None

    def _launch(self, item: LaunchItem) -> None:
        task, bundle, executor_bundle = item
        if self.is_unlimited:
            self._grant(bundle.resources + (executor_bundle.resources if executor_bundle is not None else EMPTY))
        total = validate_launch(task, bundle, executor_bundle, self.framework, self.agent, self.transaction.available)
        self.transaction.take(total)

    def _launch_group(self, operation: v0.Offer.Operation) -> None:
        item = read_group(operation, self.role)
        validate_launch_id(operation)
        if self.is_unlimited:
            self._grant(sum((bundle.resources for _, bundle in item.group), item.executor_bundle.resources))
        total = validate_group(
            item.group, item.executor, item.executor_bundle, self.framework, self.agent, self.transaction.available
        )
        self.transaction.take(total)

    def _convert(self, operation: v0.Offer.Operation) -> None:
        read_operation(operation, self.role)
        if operation.type == Operation.RESERVE and operation.reserve.source:
            raise InvalidRequest(NO_UPDATES)
        if operation.HasField("id"):
            validate_feedback(operation, self.agent)
        validate_agent_can(operation, self.agent)
        validate_operation(operation, self.framework, self.agent)
        if operation.type in DISK_OPERATIONS:
            if self.is_unlimited:
                self._grant(Resources.of([disk_source(operation)]))
            self.transaction.consume(consumed_disk(operation, self.transaction.remaining))
            return
        steps = conversions_of(operation)
        if self.is_unlimited:
            for step in steps:
                self._grant(step.consumed)
        if operation.type in (Operation.GROW_VOLUME, Operation.SHRINK_VOLUME):
            (step,) = steps
            if not self.transaction.remaining.contains(step.consumed):
                raise InvalidRequest(f"{self.transaction.remaining} does not contain {step.consumed}")
            self.transaction.resize(step)
        else:
            self.transaction.convert(steps)

    def _grant(self, wanted: Resources) -> None:
        """Add what is wanted and not there."""
        missing = wanted - self.transaction.remaining
        self.transaction.remaining += missing
