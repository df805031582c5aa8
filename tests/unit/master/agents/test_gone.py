"""Marking agents gone while something else happens to them."""

from __future__ import annotations

from typing import Any

import pytest

from messor.errors import Conflict, MesosError, NotFound
from messor.master.agents.gone import MESSAGE
from messor.master.state.lifecycles import AgentState
from messor.protos import internal


def mark(rig: Any, agent_id: str) -> list[MesosError]:
    """Mark an agent gone; gives what that raises, once it is done."""
    raised: list[MesosError] = []

    async def run() -> None:
        try:
            await rig.master.gone.mark(agent_id)
        except MesosError as error:
            raised.append(error)

    rig.master.host.tasks.spawn(run(), "mark gone")
    return raised


@pytest.mark.parametrize("state", [AgentState.LEAVING, AgentState.MARKING_UNREACHABLE, AgentState.REJOINING])
def test_an_agent_that_is_coming_or_going_cannot_be_marked(rig: Any, state: AgentState) -> None:
    """The operator is told to try again: 409."""
    rig.start()
    agent = rig.agent()
    rig.master.state.agents[agent.id].state = state
    raised = mark(rig, agent.id)
    rig.world.advance(1)
    assert [type(error) for error in raised] == [Conflict]
    assert rig.master.state.gone_agents == {}
    rig.master.state.agents[agent.id].state = AgentState.ACTIVE


def test_only_one_of_two_at_once_marks(rig: Any) -> None:
    """The other is told that it is under way."""
    rig.start()
    agent = rig.agent()
    first, second = mark(rig, agent.id), mark(rig, agent.id)
    rig.world.advance(1)
    assert first == []
    assert [type(error) for error in second] == [Conflict]
    assert list(rig.master.state.gone_agents) == [agent.id] == list(rig.master.registrar.contents.gone)
    assert rig.master.state.marking_gone == set()


def test_nobody_marks_what_nobody_knows(rig: Any) -> None:
    """404."""
    rig.start()
    raised = mark(rig, "nope")
    rig.world.advance(1)
    assert [(type(error), str(error)) for error in raised] == [(NotFound, "Agent 'nope' not found")]


def test_an_agent_known_only_from_the_registry_is_gone_before_it_returns(rig: Any) -> None:
    """After a failover; when it comes all the same it is told to end itself."""
    rig.start()
    agent = rig.agent()
    rig.restart()
    assert agent.id in rig.master.state.recovered_agents
    assert mark(rig, agent.id) == []
    rig.world.advance(1)
    assert rig.master.state.recovered_agents == {}
    agent.reregister()
    rig.world.advance(1)
    assert [message.message for message in agent.received(internal.ShutdownMessage)] == [MESSAGE]
    assert rig.master.state.agents == {}
