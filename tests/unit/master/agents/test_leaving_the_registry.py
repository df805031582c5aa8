"""Unreachable agents are forgotten in the end, in the registry and in memory (H7)."""

from __future__ import annotations

from typing import Any

from messor.protos import v0_master


def test_an_agent_that_never_returns_is_forgotten(rig: Any) -> None:
    """After --registry_max_agent_age, with the tasks that went with it."""
    rig.start(registry_max_agent_age=3600.0, registry_gc_interval=900.0)
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent)
    agent.pongs = False
    rig.world.advance(100)
    framework = rig.master.state.frameworks[scheduler.info.id.value]
    assert list(rig.master.registrar.contents.unreachable) == [agent.id]
    assert list(framework.unreachable_tasks) == ["t1"]
    rig.world.advance(3600 + 901)
    assert rig.master.registrar.contents.unreachable == {}
    assert rig.master.state.unreachable_agents == {}
    assert framework.unreachable_tasks == {}


def test_the_lists_survive_a_failover(rig: Any) -> None:
    """A new leader knows who is unreachable, so reconciliation can tell frameworks."""
    rig.start()
    agent = rig.agent()
    agent.pongs = False
    rig.world.advance(100)
    since = rig.master.state.unreachable_agents[agent.id]
    rig.restart()
    assert rig.master.state.unreachable_agents == {agent.id: since}
    assert rig.master.state.recovered_agents == {}


def test_what_an_operator_said_of_a_forgotten_agent_is_forgotten(rig: Any) -> None:
    """Memory and registry agree: should it return after all, nobody remembers that it was deactivated."""
    rig.start(registry_max_agent_age=3600.0, registry_gc_interval=900.0)
    agent = rig.agent()
    call = v0_master.Call(type=v0_master.Call.DRAIN_AGENT)
    call.drain_agent.slave_id.value = agent.id
    agent.pongs = False
    rig.world.advance(100)
    drain = rig.master.draining.deeds[v0_master.Call.DRAIN_AGENT]
    rig.master.host.tasks.spawn(drain(call, None), "drain")
    rig.world.advance(1)
    assert rig.master.state.deactivated_agents == {agent.id} == rig.master.registrar.contents.deactivated()
    rig.world.advance(3600 + 901)
    assert rig.master.state.deactivated_agents == set()
    assert rig.master.state.draining_agents == {}
