"""Legal changes of state."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import pytest

from messor.agent.state.lifecycles import (
    AGENT_CHANGES,
    EXECUTOR_CHANGES,
    FRAMEWORK_CHANGES,
    AgentState,
    ExecutorState,
    FrameworkState,
    moved,
)
from messor.errors import Broken


@pytest.mark.parametrize(
    ("changes", "states"),
    [(AGENT_CHANGES, AgentState), (EXECUTOR_CHANGES, ExecutorState), (FRAMEWORK_CHANGES, FrameworkState)],
)
def test_every_state_has_a_row(changes: Mapping[Enum, object], states: type[Enum]) -> None:
    """A state without a row would fail in the field."""
    assert set(changes) == set(states)


def test_staying_is_always_fine() -> None:
    """Callers need not ask first."""
    assert moved(EXECUTOR_CHANGES, ExecutorState.TERMINATED, ExecutorState.TERMINATED) is ExecutorState.TERMINATED


@pytest.mark.parametrize("to", [ExecutorState.REGISTERING, ExecutorState.RUNNING])
def test_an_executor_does_not_come_back_to_life(to: ExecutorState) -> None:
    """A new one gets a new record."""
    with pytest.raises(Broken):
        moved(EXECUTOR_CHANGES, ExecutorState.TERMINATING, to)


def test_a_terminating_agent_does_not_register_again() -> None:
    """It only ends."""
    with pytest.raises(Broken, match="TERMINATING to RUNNING"):
        moved(AGENT_CHANGES, AgentState.TERMINATING, AgentState.RUNNING)
