"""Task states: which are terminal, which are legal to hear from an executor, and what old frameworks are told.

States are the numbers of ``v0.TaskState``; ``task_state_name`` gives the name on the wire.
"""

from __future__ import annotations

from messor.protos import v0

TERMINAL_STATES = frozenset(
    (
        v0.TASK_FINISHED,
        v0.TASK_FAILED,
        v0.TASK_KILLED,
        v0.TASK_LOST,
        v0.TASK_ERROR,
        v0.TASK_DROPPED,
        v0.TASK_GONE,
        v0.TASK_GONE_BY_OPERATOR,
    )
)
"""States a task never leaves (S65). UNREACHABLE and UNKNOWN are not among them: the agent may come back."""

ALL_STATES: tuple[int, ...] = tuple(v0.TaskState.values())
"""Every state, by number."""

PARTITION_AWARE_STATES = frozenset(
    (
        v0.TASK_DROPPED,
        v0.TASK_UNREACHABLE,
        v0.TASK_GONE,
        v0.TASK_GONE_BY_OPERATOR,
        v0.TASK_UNKNOWN,
    )
)
"""States that only frameworks with the PARTITION_AWARE capability are told; others hear TASK_LOST."""

TERMINAL_OPERATION_STATES = frozenset(
    (
        v0.OPERATION_FINISHED,
        v0.OPERATION_FAILED,
        v0.OPERATION_ERROR,
        v0.OPERATION_DROPPED,
        v0.OPERATION_GONE_BY_OPERATOR,
    )
)
"""States an offer operation never leaves."""


def is_terminal(state: int) -> bool:
    """Whether a task in this state has ended for good."""
    return state in TERMINAL_STATES


def is_terminal_operation(state: int) -> bool:
    """Whether an operation in this state has ended for good."""
    return state in TERMINAL_OPERATION_STATES


def told_state(state: v0.TaskState, *, partition_aware: bool) -> v0.TaskState:
    """Give the state a framework is told: TASK_LOST instead of the finer ones unless it is PARTITION_AWARE."""
    if not partition_aware and state in PARTITION_AWARE_STATES:
        return v0.TASK_LOST
    return state


def task_state_name(state: int) -> str:
    """Give the name on the wire: ``TASK_RUNNING``; an unknown number gives the number."""
    try:
        return v0.TaskState.Name(state)
    except ValueError:
        return str(state)
