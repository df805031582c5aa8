"""v0 and v1 as two spellings of one language."""

from __future__ import annotations

import pytest

from messor.protos import internal, v0, v0_master, v0_scheduler, v1, v1_agent, v1_master, v1_scheduler
from messor.wire.versions import devolve, evolve, evolved, twin


def test_twins_are_found_by_name_and_agents_are_slaves() -> None:
    """In both directions, nested types too."""
    assert twin(v0.SlaveInfo.Capability) is v1.AgentInfo.Capability
    assert twin(v1.AgentID) is v0.SlaveID
    assert twin(v0_master.Response.GetAgents.Agent) is v1_master.Response.GetAgents.Agent
    assert twin(v1_agent.Call).DESCRIPTOR.full_name == "mesos.agent.Call"


def test_messages_without_a_twin_are_an_error() -> None:
    """Internal messages have none."""
    with pytest.raises(LookupError):
        evolve(internal.PingSlaveMessage())


def test_translating_the_wrong_way_is_an_error() -> None:
    """A v1 message cannot evolve."""
    with pytest.raises(LookupError):
        evolve(v1.TaskID(value="t"))


def test_a_status_keeps_its_numbers_and_changes_its_names() -> None:
    """slave_id becomes agent_id, and the enum values agree."""
    status = v0.TaskStatus(task_id=v0.TaskID(value="t"), state=v0.TASK_LOST, slave_id=v0.SlaveID(value="s"))
    status.reason = v0.TaskStatus.REASON_SLAVE_REMOVED
    found = evolve(status)
    assert found.agent_id.value == "s"
    assert found.reason == v1.TaskStatus.REASON_AGENT_REMOVED
    assert devolve(found) == status
    assert evolved(status.SerializeToString(), v0.TaskStatus) == found


def test_incomplete_messages_are_translated_too() -> None:
    """Validation comes after translation."""
    assert devolve(v1_scheduler.Call(type=v1_scheduler.Call.KILL)).type == v0_scheduler.Call.KILL


def test_a_subscribe_is_copied_field_by_field() -> None:
    """v0 has ``force`` where v1 has ``suppressed_roles``."""
    call = v1_scheduler.Call(type=v1_scheduler.Call.SUBSCRIBE)
    call.framework_id.value = "f"
    call.subscribe.framework_info.name = "n"
    call.subscribe.framework_info.user = "u"
    call.subscribe.suppressed_roles.append("r")
    call.subscribe.offer_constraints.role_constraints["r"].groups.add()
    found = devolve(call)
    assert list(found.subscribe.suppressed_roles) == ["r"]
    assert found.framework_id.value == "f"
    assert not found.subscribe.HasField("force")
    assert len(found.subscribe.offer_constraints.role_constraints["r"].groups) == 1
    assert evolve(found) == call
    assert devolve(call.subscribe) == found.subscribe


@pytest.mark.parametrize(("seconds", "nanos", "total"), [(2, 0, 2_000_000_000), (0, 5, 5), (-1, -500, -1_000_000_500)])
def test_a_drain_period_changes_its_type(seconds: int, nanos: int, total: int) -> None:
    """Nanoseconds in v0, a Duration in v1."""
    call = v1_master.Call(type=v1_master.Call.DRAIN_AGENT)
    call.drain_agent.agent_id.value = "s"
    call.drain_agent.mark_gone = True
    call.drain_agent.max_grace_period.seconds = seconds
    call.drain_agent.max_grace_period.nanos = nanos
    found = devolve(call)
    assert found.drain_agent.max_grace_period.nanoseconds == total
    assert found.drain_agent.mark_gone
    assert evolve(found) == call
    assert devolve(call.drain_agent) == found.drain_agent
