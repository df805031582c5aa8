"""Which lifecycle states agents and frameworks go through, and the legal changes between them, as two tables."""

from __future__ import annotations

from enum import Enum

from messor.errors import Broken


class AgentState(Enum):
    """Where an agent stands with this master."""

    RECOVERED = "recovered"
    """Known from the registry after a failover, not heard of yet."""
    JOINING = "joining"
    """Being admitted: the registry write is under way."""
    REJOINING = "rejoining"
    """Re-registering: authorisation or a registry write is under way."""
    ACTIVE = "active"
    """Registered; whether it is connected is a fact beside this."""
    LEAVING = "leaving"
    """Being removed from the registry."""
    MARKING_UNREACHABLE = "marking unreachable"
    UNREACHABLE = "unreachable"
    MARKING_GONE = "marking gone"
    GONE = "gone"
    REMOVED = "removed"


AGENT_CHANGES: dict[AgentState, frozenset[AgentState]] = {
    AgentState.RECOVERED: frozenset(
        {AgentState.REJOINING, AgentState.MARKING_UNREACHABLE, AgentState.MARKING_GONE, AgentState.REMOVED}
    ),
    AgentState.JOINING: frozenset({AgentState.ACTIVE, AgentState.REMOVED}),
    AgentState.REJOINING: frozenset(
        {AgentState.ACTIVE, AgentState.RECOVERED, AgentState.UNREACHABLE, AgentState.REMOVED}
    ),
    AgentState.ACTIVE: frozenset(
        {AgentState.REJOINING, AgentState.LEAVING, AgentState.MARKING_UNREACHABLE, AgentState.MARKING_GONE}
    ),
    AgentState.LEAVING: frozenset({AgentState.REMOVED}),
    AgentState.MARKING_UNREACHABLE: frozenset({AgentState.UNREACHABLE}),
    AgentState.UNREACHABLE: frozenset({AgentState.REJOINING, AgentState.MARKING_GONE, AgentState.REMOVED}),
    AgentState.MARKING_GONE: frozenset({AgentState.GONE}),
    AgentState.GONE: frozenset({AgentState.REMOVED}),
    AgentState.REMOVED: frozenset({AgentState.JOINING, AgentState.REJOINING}),
}


class FrameworkState(Enum):
    """Where a framework stands with this master."""

    RECOVERED = "recovered"
    """Known only from agents after a failover: not connected, not active."""
    ACTIVE = "active"
    """Connected and offered resources."""
    INACTIVE = "inactive"
    """Connected but deactivated (an aborted driver)."""
    DISCONNECTED = "disconnected"
    """Its link or stream broke; its failover timer runs."""
    COMPLETED = "completed"


FRAMEWORK_CHANGES: dict[FrameworkState, frozenset[FrameworkState]] = {
    FrameworkState.RECOVERED: frozenset({FrameworkState.ACTIVE, FrameworkState.COMPLETED}),
    FrameworkState.ACTIVE: frozenset({FrameworkState.INACTIVE, FrameworkState.DISCONNECTED, FrameworkState.COMPLETED}),
    FrameworkState.INACTIVE: frozenset({FrameworkState.ACTIVE, FrameworkState.DISCONNECTED, FrameworkState.COMPLETED}),
    FrameworkState.DISCONNECTED: frozenset({FrameworkState.ACTIVE, FrameworkState.COMPLETED}),
    FrameworkState.COMPLETED: frozenset(),
}


def changed_agent_state(old: AgentState, new: AgentState, who: str) -> AgentState:
    """Give the new state; raises Broken when the table does not allow the change."""
    if new is not old and new not in AGENT_CHANGES[old]:
        raise Broken(f"agent {who} cannot go from {old.value} to {new.value}")
    return new


def changed_framework_state(old: FrameworkState, new: FrameworkState, who: str) -> FrameworkState:
    """Give the new state; raises Broken when the table does not allow the change."""
    if new is not old and new not in FRAMEWORK_CHANGES[old]:
        raise Broken(f"framework {who} cannot go from {old.value} to {new.value}")
    return new
