"""Pings, and what follows when they are not answered (H3, H4, H5)."""

from __future__ import annotations

from typing import Any

from messor.protos import internal, v0


def pings(agent: Any) -> int:
    """Count the pings an agent got."""
    return len(agent.received(internal.PingSlaveMessage))


def test_an_agent_is_pinged_at_once_and_every_fifteen_seconds(rig: Any) -> None:
    """The first ping comes right behind the answer."""
    rig.start()
    agent = rig.agent()
    assert pings(agent) == 1
    rig.world.advance(60.5)
    assert pings(agent) == 5
    assert all(ping.connected for ping in agent.received(internal.PingSlaveMessage))


def test_every_agent_has_its_own_observer(rig: Any) -> None:
    """The wire shows slave-observer(1), slave-observer(2), … (protocols a.3)."""
    rig.start()
    agents = [rig.agent() for _ in range(3)]
    senders = [
        next(envelope.sender.id for envelope in agent.envelopes if envelope.name.endswith("PingSlaveMessage"))
        for agent in agents
    ]
    assert senders == ["slave-observer(1)", "slave-observer(2)", "slave-observer(3)"]


def test_five_unanswered_pings_make_an_agent_unreachable(rig: Any) -> None:
    """Its tasks are TASK_UNREACHABLE then, or TASK_LOST for frameworks that do not know partitions."""
    rig.start()
    aware = rig.scheduler(name="aware", checkpoint=True, capabilities=["partition_aware"])
    plain = rig.scheduler(name="plain", checkpoint=True)
    one, other = rig.agent(), rig.agent()
    rig.world.advance(2)
    holder = {offer.slave_id.value: aware for offer in aware.offers()}
    for agent in (one, other):
        rig.launch(holder.get(agent.id, plain), agent, f"on-{agent.id}")
    states = {}
    for agent in (one, other):
        agent.pongs = False
    rig.world.advance(87)  # the ping at 0 s was answered, those from 15 to 75 s are not
    assert len(rig.master.state.agents) == 2
    rig.world.advance(2)
    assert rig.master.state.agents == {}
    assert set(rig.master.state.unreachable_agents) == {one.id, other.id}
    assert set(rig.master.registrar.contents.unreachable) == {one.id, other.id}
    for scheduler in (aware, plain):
        for status in scheduler.statuses():
            states[status.state] = scheduler
            assert status.reason == v0.TaskStatus.REASON_SLAVE_REMOVED
            assert status.message == "health check timed out"
            assert status.HasField("unreachable_time")
            assert not status.HasField("uuid")
        assert {message.slave_id.value for message in scheduler.received(internal.LostSlaveMessage)} == {
            one.id,
            other.id,
        }
    assert all(scheduler is (aware if state == v0.TASK_UNREACHABLE else plain) for state, scheduler in states.items())
    assert rig.master.metrics.unreachable_completed.value == 2


def test_an_answer_in_between_starts_the_count_anew(rig: Any) -> None:
    """Only misses in a row count."""
    rig.start()
    agent = rig.agent()
    agent.pongs = False
    rig.world.advance(74)
    agent.pongs = True
    rig.world.advance(2)
    agent.pongs = False
    rig.world.advance(88)
    assert agent.id in rig.master.state.agents
    rig.world.advance(2)
    assert agent.id not in rig.master.state.agents


def test_removals_are_limited_and_an_answer_saves_an_agent(rig: Any) -> None:
    """A failed switch must not replace a rack's tasks at once: one agent per minute here."""
    rig.start(agent_removal_rate_limit="1/1mins")
    agents = [rig.agent() for _ in range(3)]
    for agent in agents:
        agent.pongs = False
    rig.world.advance(91)
    assert len(rig.master.state.agents) == 2
    left = [agent for agent in agents if agent.id in rig.master.state.agents]
    left[0].pongs = True
    rig.world.advance(120)
    assert list(rig.master.state.agents) == [left[0].id]
    metrics = rig.master.metrics
    assert metrics.unreachable_scheduled.value == 3
    assert (metrics.unreachable_completed.value, metrics.unreachable_canceled.value) == (2, 1)


def test_a_broken_connection_loses_only_tasks_of_frameworks_that_do_not_checkpoint(rig: Any) -> None:
    """Checkpointing ones wait for the agent (Y2); pings tell it that it is disconnected."""
    rig.start()
    plain = rig.scheduler(name="plain")
    agent = rig.agent()
    rig.launch(plain, agent, "lost")
    keeper = rig.scheduler(name="keeper", checkpoint=True)
    rig.world.advance(2)
    rig.launch(keeper, agent, "kept")
    rig.world.network.reset("master", agent.upid.ip)
    rig.world.settle()
    status = plain.statuses()[-1]
    assert (status.state, status.reason) == (v0.TASK_LOST, v0.TaskStatus.REASON_SLAVE_DISCONNECTED)
    assert status.message == f"Agent {agent.info.hostname} disconnected"
    assert keeper.statuses() == []
    assert [task.id for task in rig.master.state.tasks()] == ["kept"]
    record = rig.master.state.agents[agent.id]
    assert not record.is_connected
    rig.world.advance(16)
    assert not agent.last(internal.PingSlaveMessage).connected


def test_an_agent_that_answers_pings_but_never_reregisters_is_given_up(rig: Any) -> None:
    """It may hang in recovery: --agent_reregister_timeout is for that one (MESOS-6286)."""
    rig.start()
    agent = rig.agent()
    rig.world.network.reset("master", agent.upid.ip)
    rig.world.advance(599)
    assert agent.id in rig.master.state.agents
    rig.world.advance(2)
    assert agent.id in rig.master.state.unreachable_agents


def test_forgotten_agents_leave_the_queue(rig: Any) -> None:
    """An agent that left is pinged no more."""
    rig.start()
    agent = rig.agent()
    agent.unregister()
    rig.world.settle()
    agent.forget()
    rig.world.advance(60)
    assert agent.names() == []
