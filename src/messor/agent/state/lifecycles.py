"""The states of agent, frameworks and executors, and which changes between them are legal.

One field and one table per record; the state diagrams in the reference are drawn from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from messor.errors import Broken


class AgentState(Enum):
    """Where the agent stands with its disk and its master."""

    RECOVERING = "RECOVERING"
    """Reading checkpoints and waiting for executors to come back."""
    DISCONNECTED = "DISCONNECTED"
    """Recovered, but not registered with a leading master."""
    RUNNING = "RUNNING"
    """Registered."""
    TERMINATING = "TERMINATING"
    """Killing everything; the process ends when the last framework is gone."""


class FrameworkState(Enum):
    """Whether a framework still takes tasks here."""

    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"


class ExecutorState(Enum):
    """Where an executor is in its life."""

    REGISTERING = "REGISTERING"
    """Launched, not heard of yet; its tasks are queued."""
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    """Asked to shut down, or being destroyed; its container still exists."""
    TERMINATED = "TERMINATED"
    """Its container is gone; it stays until the last terminal update is acknowledged."""


State = TypeVar("State", bound=Enum)

AGENT_CHANGES: Mapping[AgentState, frozenset[AgentState]] = {
    AgentState.RECOVERING: frozenset({AgentState.DISCONNECTED, AgentState.TERMINATING}),
    AgentState.DISCONNECTED: frozenset({AgentState.RUNNING, AgentState.TERMINATING}),
    AgentState.RUNNING: frozenset({AgentState.DISCONNECTED, AgentState.TERMINATING}),
    AgentState.TERMINATING: frozenset(),
}

FRAMEWORK_CHANGES: Mapping[FrameworkState, frozenset[FrameworkState]] = {
    FrameworkState.RUNNING: frozenset({FrameworkState.TERMINATING}),
    FrameworkState.TERMINATING: frozenset(),
}

EXECUTOR_CHANGES: Mapping[ExecutorState, frozenset[ExecutorState]] = {
    ExecutorState.REGISTERING: frozenset(
        {ExecutorState.RUNNING, ExecutorState.TERMINATING, ExecutorState.TERMINATED},
    ),
    ExecutorState.RUNNING: frozenset({ExecutorState.TERMINATING, ExecutorState.TERMINATED}),
    ExecutorState.TERMINATING: frozenset({ExecutorState.TERMINATED}),
    ExecutorState.TERMINATED: frozenset(),
}


def moved(changes: Mapping[State, frozenset[State]], current: State, to: State) -> State:
    """Give the new state; staying is fine, an illegal change raises Broken."""
    if to is not current and to not in changes[current]:
        message = f"{type(to).__name__} cannot change from {current.value} to {to.value}"
        raise Broken(message)
    return to
