"""The builders, fakes and matchers that other tests rest on."""

from __future__ import annotations

import pytest

from messor.protos import internal, v0, v0_scheduler
from messor.simulation.world import World
from support import builders
from support.fakes import FakeAgent, FakeExecutor, FakeMaster, FakeScheduler
from support.matchers import assert_matches, differences


def test_every_builder_makes_a_complete_message() -> None:
    """Required fields are there, so a test may send what it built."""
    made = [
        builders.framework_info(roles=["a", "b"], capabilities=["multi_role"]),
        builders.agent_info(agent_id="S0", attributes=[("rack", "r1")]),
        builders.task(),
        builders.task(executor=builders.executor_info(text="cpus:0.1;mem:32")),
        builders.offer(),
        builders.update(builders.status()),
    ]
    assert [message.DESCRIPTOR.name for message in made if not message.IsInitialized()] == []


def test_a_matcher_tells_each_difference() -> None:
    """A failing test says which field, not only that something differs."""
    status = builders.status(message="why")
    assert differences(status, {"task_id": "task-1", "state": v0.TASK_RUNNING, "reason": None}) == []
    assert differences(status, {"task_id": "other", "message": None, "healthy": True}) == [
        "task_id: 'task-1' instead of 'other'",
        "message: set to 'why'",
        "healthy: not set instead of True",
    ]
    with pytest.raises(AssertionError, match="no such field"):
        assert_matches(status, nonsense=1)


def test_a_fake_agent_and_a_fake_master_register_with_each_other() -> None:
    """Both sides speak complete messages."""
    world = World()
    master = FakeMaster()
    upid = world.start("master", "10.0.0.1", 5050).spawn(master)
    agent = FakeAgent(upid)
    world.start("agent", "10.0.0.2", 5051).spawn(agent)
    agent.register()
    world.settle()
    master.ping(agent.upid)
    world.settle()
    assert agent.id == "M-S0"
    assert master.names() == ["RegisterSlaveMessage", "PongSlaveMessage"]


def test_a_fake_scheduler_and_a_fake_executor_record_what_they_get() -> None:
    """They decode and filter by type."""
    world = World()
    master = FakeMaster()
    upid = world.start("master", "10.0.0.1", 5050).spawn(master)
    scheduler = FakeScheduler(upid)
    world.start("scheduler", "10.0.0.3").spawn(scheduler)
    executor = FakeExecutor(upid, "F", "E")
    world.start("executor", "10.0.0.2").spawn(executor)
    scheduler.subscribe()
    executor.register()
    world.settle()
    assert master.last(v0_scheduler.Call).subscribe.framework_info.name == "test"
    assert master.last(internal.RegisterExecutorMessage).executor_id.value == "E"
    master.framework_registered(scheduler.upid, "F-1")
    master.offer(scheduler.upid, builders.offer("o1"), builders.offer("o2"))
    master.update(scheduler.upid, builders.update(builders.status()), agent=executor.upid)
    world.settle()
    assert scheduler.info.id.value == "F-1"
    assert [offer.id.value for offer in scheduler.offers()] == ["o1", "o2"]
    assert [status.state for status in scheduler.statuses()] == [v0.TASK_RUNNING]
