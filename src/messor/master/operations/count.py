"""How many operations there are in which state: ``master/operations/[<type>/]<state>``."""

from __future__ import annotations

from messor.master.metrics import MasterMetrics
from messor.master.state.operation import OperationRecord
from messor.model.task_states import is_terminal_operation
from messor.protos import v0


class OperationCounts:
    """Moves operations between counters; those of states that can be left go down again."""

    def __init__(self, metrics: MasterMetrics) -> None:
        """Count there."""
        self.metrics = metrics

    def began(self, operation: OperationRecord) -> None:
        """Count a new operation."""
        self._add(operation.info.type, operation.state, 1)
        self._add(operation.info.type, None, 1)

    def changed(self, operation: OperationRecord, before: int) -> None:
        """Count an operation's change from one state to its present one."""
        if operation.state != before:
            self._leave(operation.info.type, before)
            self._add(operation.info.type, operation.state, 1)

    def refused(self, operation: v0.Offer.Operation) -> None:
        """Count an operation that was found wrong before it began."""
        self._add(operation.type, v0.OPERATION_ERROR, 1)

    def ended(self, operation: OperationRecord) -> None:
        """Take an operation that is forgotten out of the count of its state, unless that is final."""
        self._leave(operation.info.type, operation.state)

    def _leave(self, kind: int, state: int) -> None:
        if not is_terminal_operation(state):
            self._add(kind, state, -1)

    def _add(self, kind: int, state: int | None, change: int) -> None:
        what = "total" if state is None else v0.OperationState.Name(state).removeprefix("OPERATION_").lower()
        name = v0.Offer.Operation.Type.Name(kind).lower()
        for key in (f"operations/{what}", f"operations/{name}/{what}"):
            self.metrics.counter(key).value += change
