"""UpdateSlaveMessage: what an agent changed."""

from __future__ import annotations

from typing import Any

from messor.protos import internal, v0
from support import builders


def revocable(text: str) -> list[v0.Resource]:
    """Make oversubscribed resources."""
    resources = builders.resources(text)
    for resource in resources:
        resource.revocable.SetInParent()
    return resources


def update(agent: Any, *, says_so: bool = True, resources: Any = (), version: bytes = b"v" * 16) -> None:
    """Send the message."""
    message = internal.UpdateSlaveMessage(slave_id=agent.info.id, oversubscribed_resources=resources)
    message.update_oversubscribed_resources = says_so
    message.resource_version_uuid.value = version
    message.operations.SetInParent()
    message.resource_providers.SetInParent()
    agent.send(agent.master, message)


def test_the_resource_version_goes_with_every_launch(rig: Any) -> None:
    """The agent refuses tasks for resources it no longer has."""
    rig.start()
    scheduler = rig.scheduler()
    agent = rig.agent()
    update(agent, says_so=False)
    rig.world.settle()
    rig.launch(scheduler, agent)
    assert agent.last(internal.RunTaskMessage).resource_version_uuids[0].uuid.value == b"v" * 16


def test_oversubscribed_resources_replace_those_before(rig: Any) -> None:
    """They are totals, not additions, and offers that contain old ones are taken back."""
    rig.start()
    scheduler = rig.scheduler(capabilities=["revocable_resources"])
    agent = rig.agent()
    update(agent, resources=revocable("cpus:2"))
    rig.world.advance(2)
    record = rig.master.state.agents[agent.id]
    assert record.total.revocable().cpus == 2.0
    offered = [r for offer in scheduler.offers() for r in offer.resources if r.HasField("revocable")]
    assert [r.scalar.value for r in offered] == [2.0]
    update(agent, resources=revocable("cpus:1"))
    rig.world.settle()
    assert record.total.revocable().cpus == 1.0
    assert record.total.nonrevocable().cpus == 4.0
    assert scheduler.received(internal.RescindResourceOfferMessage)


def test_an_update_that_does_not_speak_of_them_changes_no_totals(rig: Any) -> None:
    """Every agent sends one after registering."""
    rig.start()
    agent = rig.agent()
    update(agent, resources=revocable("cpus:2"))
    rig.world.settle()
    update(agent, says_so=False)
    rig.world.settle()
    assert rig.master.state.agents[agent.id].total.revocable().cpus == 2.0


def test_an_update_of_an_unknown_agent_is_ignored(rig: Any) -> None:
    """It will re-register when no pings come."""
    rig.start()
    agent = rig.agent()
    agent.info.id.value = "unknown"
    update(agent, resources=revocable("cpus:2"))
    rig.world.settle()
    assert rig.master.metrics.counter("messages_update_slave").value == 1
