"""Agents that join (H1)."""

from __future__ import annotations

from typing import Any

import pytest

from messor.master.registry.contents import Contents
from messor.protos import internal, v0
from support import builders
from support.fakes import FakeAgent


def test_an_agent_is_in_the_registry_before_it_is_answered(rig: Any) -> None:
    """A failover right after the answer must not forget it."""
    rig.start()
    agent = rig.agent()
    stored = Contents.decode(rig.world.run(rig.storage.fetch("registry")).value)
    assert list(stored.admitted) == [agent.id] == [f"{rig.master.state.info.id}-S0"]
    assert stored.agents()[0].resources[0].role == "*", "older masters read the format before refinement"


def test_an_agent_is_told_how_long_to_wait_for_pings(rig: Any) -> None:
    """Five times fifteen seconds, unless flags say otherwise (Y1)."""
    rig.start()
    agent = rig.agent()
    assert agent.last(internal.SlaveRegisteredMessage).connection.total_ping_timeout_seconds == 75.0


def test_a_repeated_registration_is_answered_with_the_same_id(rig: Any) -> None:
    """The first answer may have been lost."""
    rig.start()
    agent = rig.agent()
    agent.send(
        agent.master, internal.RegisterSlaveMessage(slave=builders.agent_info(agent.info.hostname), version="1.11.0")
    )
    rig.world.settle()
    answers = agent.received(internal.SlaveRegisteredMessage)
    assert [answer.slave_id for answer in answers] == [agent.info.id] * 2
    assert rig.master.metrics.slave_registrations.value == 1


@pytest.mark.parametrize("version", ["0.28.2", "nonsense", ""])
def test_an_agent_of_the_wrong_version_is_ignored(rig: Any, version: str) -> None:
    """Not shut down: its tasks run on until somebody restarts it with a newer version."""
    rig.start()
    agent = rig.agent(register=False)
    agent.register(version)
    rig.world.settle()
    assert agent.names() == []


def test_an_agent_with_a_domain_is_ignored_by_a_master_without_one(rig: Any) -> None:
    """Nobody could tell whether it is remote."""
    rig.start()
    agent = rig.agent(register=False)
    agent.info.domain.fault_domain.region.name = "eu"
    agent.info.domain.fault_domain.zone.name = "a"
    agent.register()
    rig.world.settle()
    assert agent.names() == []


def test_an_agent_with_invalid_resources_is_ignored(rig: Any) -> None:
    """Negative resources must not reach the allocator."""
    rig.start()
    agent = rig.agent(register=False)
    agent.info.resources[0].scalar.value = -1
    agent.register()
    rig.world.settle()
    assert agent.names() == []


def test_a_new_agent_at_an_address_replaces_the_one_that_left(rig: Any) -> None:
    """It failed to recover and registers anew before the old one was given up (MESOS-8463)."""
    rig.start()
    scheduler = rig.scheduler()
    agent = rig.agent()
    host = rig.machine(agent)
    old = agent.id
    host.kill()
    rig.world.settle()
    host = rig.world.start("agent-again", agent.upid.ip, agent.upid.port)
    again = FakeAgent(rig.master.upid, builders.agent_info(agent.info.hostname))
    host.spawn(again)
    again.register()
    rig.world.settle()
    assert again.id != old
    assert list(rig.master.state.agents) == [again.id]
    assert scheduler.last(internal.LostSlaveMessage).slave_id.value == old
    assert rig.master.metrics.removals_registered.value == 1


def test_dynamic_reservations_are_part_of_what_an_agent_has(rig: Any) -> None:
    """They come as checkpointed resources and replace unreserved ones."""
    rig.start()
    agent = rig.agent(register=False, text="cpus:4;mem:1024")
    reserved = builders.resources("cpus:1", "web")[0]
    del reserved.reservations[:]
    reserved.role = "web"
    reserved.reservation.principal = "ops"
    message = internal.RegisterSlaveMessage(slave=agent.info, version="1.11.0", checkpointed_resources=[reserved])
    agent.send(agent.master, message)
    rig.world.settle()
    total = rig.master.state.agents[agent.id].total
    assert (total.unreserved().cpus, total.reserved("web").cpus) == (3.0, 1.0)


def test_an_agent_that_unregisters_is_gone_at_once(rig: Any) -> None:
    """SIGUSR1: tasks are lost, even for partition-aware frameworks, and everybody hears of it (errata)."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True, capabilities=["partition_aware"])
    agent = rig.agent()
    rig.launch(scheduler, agent)
    agent.unregister()
    rig.world.settle()
    status = scheduler.statuses()[-1]
    assert (status.state, status.reason) == (v0.TASK_LOST, v0.TaskStatus.REASON_SLAVE_REMOVED)
    assert status.message == f"Agent {agent.info.hostname} removed: the agent unregistered"
    assert scheduler.last(internal.LostSlaveMessage).slave_id == agent.info.id
    assert rig.master.state.agents == {}
    assert rig.master.registrar.contents.admitted == {}
    assert rig.master.metrics.removals_unregistered.value == 1


def test_nobody_can_unregister_another_agent(rig: Any) -> None:
    """The sender must be where the agent registered from."""
    rig.start()
    one, other = rig.agent(), rig.agent()
    one.send(rig.master.upid, internal.UnregisterSlaveMessage(slave_id=other.info.id))
    rig.world.settle()
    assert set(rig.master.state.agents) == {one.id, other.id}


def test_text_that_is_no_text_is_refused(rig: Any) -> None:
    """It would be kept, and break every view that shows it."""
    rig.start()
    agent = rig.agent(register=False)
    message = internal.RegisterSlaveMessage(slave=agent.info, version="1.11.0")
    body = message.SerializeToString().replace(agent.info.hostname.encode(), b"\xff" * len(agent.info.hostname))
    agent.send_bytes(agent.master, message.DESCRIPTOR.full_name, body)
    rig.world.settle()
    assert agent.names() == []
    assert rig.master.state.agents == {}
