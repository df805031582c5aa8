"""Who holds what where, as sorters are asked it: by agent, by client, or one cell of the two (S115).

The bags are without allocation marks. A sorter on its own keeps cells; those of an allocator look into its books, which
have them anyway, so that rounds do not write everything down twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from messor.model.resources import EMPTY, Resources

if TYPE_CHECKING:
    from messor.allocator.agents import Agent


class Holdings(Protocol):
    """Answers what clients hold on agents."""

    def by_agent(self, client: str) -> dict[str, Resources]:
        """Tell what a client holds, by agent."""
        ...

    def by_client(self, agent_id: str) -> dict[str, Resources]:
        """Tell what is held of an agent, by client."""
        ...

    def cell(self, client: str, agent_id: str) -> Resources:
        """Tell what a client holds of an agent."""
        ...


class OwnHoldings:
    """Cells of a sorter that nobody keeps books for."""

    def __init__(self) -> None:
        """Start empty."""
        self._cells: dict[str, dict[str, Resources]] = {}

    def add(self, client: str, agent_id: str, resources: Resources) -> None:
        """Note what a client got."""
        cells = self._cells.setdefault(client, {})
        cells[agent_id] = cells.get(agent_id, EMPTY) + resources.unallocated()

    def subtract(self, client: str, agent_id: str, resources: Resources) -> None:
        """Note what a client gave back."""
        cells = self._cells.get(client, {})
        rest = cells.get(agent_id, EMPTY) - resources.unallocated()
        if rest:
            cells[agent_id] = rest
        else:
            cells.pop(agent_id, None)

    def forget(self, client: str) -> None:
        """Note that a client left with all it holds."""
        self._cells.pop(client, None)

    def by_agent(self, client: str) -> dict[str, Resources]:
        """Tell what a client holds, by agent."""
        return dict(self._cells.get(client, {}))

    def by_client(self, agent_id: str) -> dict[str, Resources]:
        """Tell what is held of an agent, by client."""
        return {client: cells[agent_id] for client, cells in self._cells.items() if agent_id in cells}

    def cell(self, client: str, agent_id: str) -> Resources:
        """Tell what a client holds of an agent."""
        return self._cells.get(client, {}).get(agent_id, EMPTY)


class FrameworkHoldings:
    """What the frameworks of a role hold, read from an allocator's books of its agents."""

    def __init__(self, agents: Mapping[str, Agent], role: str) -> None:
        """Look at these agents whenever asked."""
        self._agents = agents
        self._role = role

    def by_agent(self, client: str) -> dict[str, Resources]:
        """Tell what a framework holds for the role, by agent."""
        cells = {agent_id: self._of(agent.out.get(client, EMPTY)) for agent_id, agent in self._agents.items()}
        return {agent_id: held for agent_id, held in cells.items() if held}

    def by_client(self, agent_id: str) -> dict[str, Resources]:
        """Tell what is held of an agent for the role, by framework."""
        agent = self._agents.get(agent_id)
        cells = {client: self._of(held) for client, held in (agent.out.items() if agent is not None else ())}
        return {client: held for client, held in cells.items() if held}

    def cell(self, client: str, agent_id: str) -> Resources:
        """Tell what a framework holds of an agent for the role."""
        agent = self._agents.get(agent_id)
        return self._of(agent.out.get(client, EMPTY)) if agent is not None else EMPTY

    def _of(self, marked: Resources) -> Resources:
        return marked.allocations().get(self._role, EMPTY).unallocated()


class RoleHoldings:
    """What roles hold, their frameworks together, read from an allocator's books of its agents."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        """Look at these agents whenever asked."""
        self._agents = agents

    def by_agent(self, client: str) -> dict[str, Resources]:
        """Tell what a role holds, by agent."""
        cells = {agent_id: self.cell(client, agent_id) for agent_id in self._agents}
        return {agent_id: held for agent_id, held in cells.items() if held}

    def by_client(self, agent_id: str) -> dict[str, Resources]:
        """Tell what is held of an agent, by role."""
        cells: dict[str, Resources] = {}
        for marked in self._out(agent_id):
            for role, part in marked.allocations().items():
                cells[role] = cells.get(role, EMPTY) + part.unallocated()
        return cells

    def cell(self, client: str, agent_id: str) -> Resources:
        """Tell what a role holds of an agent."""
        held = EMPTY
        for marked in self._out(agent_id):
            held = held + marked.allocations().get(client, EMPTY).unallocated()
        return held

    def _out(self, agent_id: str) -> Iterable[Resources]:
        agent = self._agents.get(agent_id)
        return agent.out.values() if agent is not None else ()
