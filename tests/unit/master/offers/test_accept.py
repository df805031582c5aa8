"""ACCEPT as a transaction: what is launched, what goes back, what a framework hears."""

from __future__ import annotations

import json
from typing import Any

import pytest

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import internal, v0, v0_scheduler
from messor.wire.json_codec import from_json
from support.master_desk import SCHEDULER, Desk, Stream

CPUS = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}}
MEM = {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}


def task(name: str, agent: AgentRecord, **fields: Any) -> dict[str, Any]:
    """Make a command task in JSON."""
    return {
        "name": name,
        "task_id": {"value": name},
        "agent_id": {"value": agent.id},
        "resources": [CPUS, MEM],
        "command": {"value": "true"},
        **fields,
    }


def launch(*tasks: dict[str, Any]) -> dict[str, Any]:
    """Make a LAUNCH in JSON."""
    return {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}


def accept(desk: Desk, framework: FrameworkRecord, stream: Stream, offers: list[str], *operations: Any) -> None:
    """Accept offers."""
    body = {"offer_ids": [{"value": offer} for offer in offers], "operations": list(operations)}
    assert desk.call(framework, stream, "ACCEPT", accept=body).status == 202


def test_a_task_goes_to_its_agent_and_into_the_records() -> None:
    """The agent gets RunTask with allocation marked, the rest of the offer goes back with the default filter."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    accept(desk, framework, stream, [desk.offer(framework, agent)], launch(task("t", agent)))
    (run,) = desk.received(agent.pid, internal.RunTaskMessage)
    assert run.launch_executor
    assert run.pid == "@0.0.0.0:0"
    assert run.framework == framework.info
    assert run.resource_version_uuids[0].uuid.value == agent.resource_version
    assert [resource.allocation_info.role for resource in run.task.resources] == ["*", "*"]
    assert not any(resource.HasField("role") for resource in run.task.resources)
    record = framework.tasks["t"]
    assert agent.tasks[framework.id]["t"] is record
    assert framework.used[agent.id] == record.resources == parse_resources("cpus:1;mem:32").allocated_to("*")
    assert not desk.state.offers
    left = agent.total.allocated_to("*") - record.resources
    ((_, _, resources, filters),) = desk.allocator.named("recover_resources")
    assert (resources, filters.refuse_seconds) == (left, 5.0)
    assert desk.allocator.named("transition_offered_to_allocated") == [(agent.id, record.resources)]


def test_the_record_of_a_task_is_what_the_task_said() -> None:
    """Labels, discovery, container, checks, user and limits survive into mesos.Task under its numbers."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    fields = {
        "command": {"value": "true", "user": "nobody"},
        "labels": {"labels": [{"key": "a", "value": "b"}]},
        "discovery": {"visibility": "CLUSTER", "name": "web", "ports": {"ports": [{"number": 80}]}},
        "container": {"type": "MESOS", "hostname": "h"},
        "health_check": {"http": {"port": 80}},
        "kill_policy": {"grace_period": {"nanoseconds": 5}},
        "limits": {"cpus": {"value": 2.0}},
    }
    accept(desk, framework, stream, [desk.offer(framework, agent)], launch(task("t", agent, **fields)))
    message = framework.tasks["t"].message()
    assert message.IsInitialized()
    assert (message.name, message.user, message.container.hostname) == ("t", "nobody", "h")
    assert message.labels.labels[0].value == "b"
    assert message.discovery.ports.ports[0].number == 80
    assert message.health_check.type == v0.HealthCheck.HTTP  # filled in (M11)
    assert message.kill_policy.grace_period.nanoseconds == 5
    assert message.limits["cpus"].value == 2.0
    assert message.framework_id.value == framework.id
    assert not message.HasField("executor_id")


def test_a_bad_task_does_not_stop_the_next_one() -> None:
    """Tasks of a LAUNCH are judged one by one against what is left."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent("cpus:2;mem:64")
    offer = desk.offer(framework, agent)
    big = task("big", agent, resources=[{**CPUS, "scalar": {"value": 3.0}}])
    accept(desk, framework, stream, [offer], launch(task("a", agent), big, task("b", agent), task("c", agent)))
    assert set(framework.tasks) == {"a", "b"}
    assert [status["task_id"]["value"] for status in stream.statuses()] == ["big", "c"]
    assert "more than available {}" in stream.statuses()[1]["message"]
    assert not desk.recovered()


def test_a_custom_executor_is_launched_once_and_counted_once() -> None:
    """The second task of an executor does not pay for it again and tells the agent so."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    executor = {"executor_id": {"value": "e"}, "command": {"value": "run"}, "resources": [CPUS]}
    one, two = (task(name, agent, command=None, executor=executor) for name in ("a", "b"))
    accept(desk, framework, stream, [desk.offer(framework, agent)], launch(one, two))
    runs = desk.received(agent.pid, internal.RunTaskMessage)
    assert [run.launch_executor for run in runs] == [True, False]
    assert runs[0].task.executor.framework_id.value == framework.id
    assert runs[0].task.executor.resources[0].allocation_info.role == "*"
    assert framework.used[agent.id] == parse_resources("cpus:3;mem:64").allocated_to("*")
    assert framework.tasks["a"].executor_id == "e"
    assert agent.executor(framework.id, "e") is not None


def test_another_executor_under_the_same_id_is_refused() -> None:
    """ExecutorInfo must be the same field by field as the one that runs (trap 25)."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    executor = {"executor_id": {"value": "e"}, "command": {"value": "run"}, "resources": [CPUS]}
    other = {**executor, "command": {"value": "other"}}
    tasks = [task("a", agent, command=None, executor=executor), task("b", agent, command=None, executor=other)]
    accept(desk, framework, stream, [desk.offer(framework, agent)], launch(*tasks))
    (status,) = stream.statuses()
    assert status["message"].startswith(
        "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n"
        "------------------------------------------------------------\nExisting ExecutorInfo:\nexecutor_id {\n"
    )
    assert '\ncommand {\n  value: "other"\n}\n' in status["message"]


def test_a_running_id_cannot_be_used_again() -> None:
    """Task ids are unique per framework, unreachable tasks included."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    accept(desk, framework, stream, [desk.offer(framework, agent)], launch(task("t", agent), task("t", agent)))
    assert stream.statuses()[-1]["message"] == "Task has duplicate ID: t"
    desk.updates.made_by_master(framework.tasks["t"], v0.TASK_UNREACHABLE, v0.TaskStatus.REASON_SLAVE_REMOVED, "gone")
    desk.updates.remove(framework.tasks["t"], unreachable=True)
    accept(desk, framework, stream, [desk.offer(framework, agent)], launch(task("t", agent)))
    assert stream.statuses()[-1]["message"] == "Task reuses the ID of an unreachable task: t"


def test_offers_of_one_agent_are_added_up() -> None:
    """Several offers of one agent and role make one pool."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent("cpus:2;mem:64")
    offers = [desk.offer(framework, agent, text) for text in ("cpus:1;mem:32", "cpus:1;mem:32")]
    big = task("t", agent, resources=[{**CPUS, "scalar": {"value": 2.0}}])
    accept(desk, framework, stream, offers, launch(big))
    assert "t" in framework.tasks


def two_agents(desk: Desk, framework: FrameworkRecord) -> tuple[list[str], str]:
    """Offer two agents."""
    offers = [desk.offer(framework, desk.agent()) for _ in range(2)]
    return offers, "Aggregated offers must belong to one single agent. Offer M-O1 uses agent M-S1 and agent M-S0"


def two_roles(desk: Desk, framework: FrameworkRecord) -> tuple[list[str], str]:
    """Offer one agent under two roles."""
    agent = desk.agent()
    offers = [desk.offer(framework, agent, "cpus:1", role) for role in ("*", "r")]
    text = "Aggregated offers must be allocated to the same role. Offer M-O1 uses role 'r but another is using role '*"
    return offers, text


def twice(desk: Desk, framework: FrameworkRecord) -> tuple[list[str], str]:
    """Name an offer twice."""
    offer = desk.offer(framework, desk.agent())
    return [offer, offer], "Duplicate offer M-O0 in offer list"


def stale(desk: Desk, framework: FrameworkRecord) -> tuple[list[str], str]:
    """Name a live offer and one that never was."""
    return [desk.offer(framework, desk.agent()), "M-O9"], "Offer M-O9 is no longer valid"


def foreign(desk: Desk, framework: FrameworkRecord) -> tuple[list[str], str]:
    """Name an offer of another framework."""
    other, _ = desk.subscribe()
    text = f"Offer M-O0 has invalid framework {other.id} while framework {framework.id} is expected"
    return [desk.offer(other, desk.agent())], text


def none(desk: Desk, framework: FrameworkRecord) -> tuple[list[str], str]:
    """Name no offer."""
    desk.agent()
    return [], "No offers specified"


@pytest.mark.parametrize("arrange", [two_agents, two_roles, twice, stale, foreign, none])
@pytest.mark.parametrize(("capabilities", "state"), [((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_DROPPED")])
def test_one_bad_offer_spoils_the_call(arrange: Any, capabilities: tuple[str, ...], state: str) -> None:
    """Offers that exist are given back, every task is lost, operations with an id fail (S25, trap 9)."""
    desk = Desk()
    framework, stream = desk.subscribe(capabilities)
    offers, text = arrange(desk, framework)
    reserve = {"type": "RESERVE", "id": {"value": "op"}, "reserve": {"resources": []}}
    agent = desk.state.agents["M-S0"]
    accept(desk, framework, stream, offers, launch(task("a", agent), task("b", agent)), reserve)
    assert [status["state"] for status in stream.statuses()] == [state, state]
    assert {status["message"] for status in stream.statuses()} == {f"Task launched with invalid offers: {text}"}
    assert {status["reason"] for status in stream.statuses()} == {"REASON_INVALID_OFFERS"}
    (event,) = stream.events("UPDATE_OPERATION_STATUS")
    assert event["update_operation_status"]["status"] == {
        "operation_id": {"value": "op"},
        "state": "OPERATION_ERROR",
        "message": f"Operation attempted with invalid offers: {text}",
    }
    assert not desk.state.offers
    assert not framework.tasks


def test_an_operation_that_fails_stops_no_later_one() -> None:
    """Its framework hears why, launches in the same call go on."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    reserve = {"type": "RESERVE", "id": {"value": "op"}, "reserve": {"resources": [{**CPUS, "role": "r"}]}}
    accept(desk, framework, stream, [desk.offer(framework, agent)], reserve, launch(task("t", agent)))
    (event,) = stream.events("UPDATE_OPERATION_STATUS")
    assert event["update_operation_status"]["status"]["message"] == (
        "Resource cpus(allocated: *)(reservations: [(STATIC,r)]):1 is not dynamically reserved;"
        " on agent M-S0 at slave(1)@10.0.1.0:5051 (agent-0)"
    )
    assert "t" in framework.tasks


def test_operation_feedback_is_not_for_drivers() -> None:
    """An id in an operation from a framework connected by pid gets a FrameworkErrorMessage."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent()
    call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
    call.framework_id.value = framework.id
    call.accept.offer_ids.add().value = desk.offer(framework, agent)
    operation = call.accept.operations.add(type=v0.Offer.Operation.RESERVE)
    operation.id.value = "op"
    operation.reserve.SetInParent()
    desk.messages.call(SCHEDULER, call)
    (error,) = desk.received(SCHEDULER, internal.FrameworkErrorMessage)
    assert error.message == (
        "The 'id' field was set in an offer operation, but operation feedback is not supported for the SchedulerDriver"
        " API; please use the HTTP scheduler API for this feature"
    )


def test_a_group_goes_to_its_agent_as_a_whole() -> None:
    """The agent gets one RunTaskGroup whose tasks carry the executor, all of it is booked."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    disk = {"name": "disk", "type": "SCALAR", "scalar": {"value": 32}}
    executor = {
        "type": "DEFAULT",
        "executor_id": {"value": "pod"},
        "framework_id": {"value": framework.id},
        "resources": [CPUS, MEM, disk],
    }
    group = {"tasks": [task("a", agent), task("b", agent)]}
    operation = {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": group}}
    accept(desk, framework, stream, [desk.offer(framework, agent)], operation)
    (run,) = desk.received(agent.pid, internal.RunTaskGroupMessage)
    assert run.launch_executor
    assert [item.executor == run.executor for item in run.task_group.tasks] == [True, True]
    assert run.task_group.tasks[0].resources[0].allocation_info.role == "*"
    assert framework.used[agent.id] == parse_resources("cpus:3;mem:96;disk:32").allocated_to("*")
    assert {record.executor_id for record in framework.tasks.values()} == {"pod"}


def test_an_old_agent_gets_old_resources() -> None:
    """An agent without RESERVATION_REFINEMENT is told ``role`` and not the stack."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    agent.capabilities = frozenset()
    accept(desk, framework, stream, [desk.offer(framework, agent)], launch(task("t", agent)))
    (run,) = desk.received(agent.pid, internal.RunTaskMessage)
    assert [resource.role for resource in run.task.resources] == ["*", "*"]
    assert all(resource.HasField("role") for resource in run.task.resources)


def test_what_a_shrunk_volume_freed_is_not_lost() -> None:
    """The offer held disk of the same kind: all of it goes back, the freed part with it."""
    desk = Desk()
    framework, stream = desk.subscribe(("MULTI_ROLE", "RESERVATION_REFINEMENT"), roles=["r"])
    agent = desk.agent("cpus:1")
    reserved = {"name": "disk", "type": "SCALAR", "reservations": [{"type": "DYNAMIC", "role": "r"}]}
    info = {"persistence": {"id": "v"}, "volume": {"mode": "RW", "container_path": "d"}}
    volume = {**reserved, "scalar": {"value": 10}, "disk": info}
    held = Resources.of(from_json(json.dumps(item).encode(), v0.Resource) for item in (
        volume, {**reserved, "scalar": {"value": 20}},
    ))  # fmt: skip
    agent.update_total(agent.total + held)
    desk.offer_maker.offer(framework.id, {"r": {agent.id: held.allocated_to("r")}})
    offer_id = f"M-O{desk.state.next_offer - 1}"
    shrink = {"type": "SHRINK_VOLUME", "shrink_volume": {"volume": volume, "subtract": {"value": 1}}}
    accept(desk, framework, stream, [offer_id], shrink)
    assert str(desk.recovered().unallocated().filter(lambda kind: not kind.is_persistent_volume)) == (
        "disk(reservations: [(DYNAMIC,r)]):21"
    )
    assert desk.recovered().disk == held.disk


def test_operations_and_launches_reach_the_agent_in_their_order() -> None:
    """An old framework says it in its format; the agent hears it in the one with stacks (trap 14)."""
    desk = Desk()
    framework = desk.subscribe_pid(role="r")
    agent = desk.agent("cpus:1;mem:32;disk:10")
    call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
    call.framework_id.value = framework.id
    call.accept.offer_ids.add().value = desk.offer(framework, agent, role="r")
    disk = v0.Resource(name="disk", type=v0.Value.SCALAR, role="r")
    disk.scalar.value = 10
    disk.reservation.SetInParent()
    volume = v0.Resource()
    volume.CopyFrom(disk)
    volume.disk.persistence.id = "v"
    volume.disk.volume.container_path = "d"
    volume.disk.volume.mode = v0.Volume.RW
    kinds = v0.Offer.Operation
    call.accept.operations.add(type=kinds.RESERVE).reserve.resources.append(disk)
    call.accept.operations.add(type=kinds.CREATE).create.volumes.append(volume)
    launched = call.accept.operations.add(type=kinds.LAUNCH).launch.task_infos.add(name="t", slave_id=agent.info.id)
    launched.task_id.value = "t"
    launched.command.value = "true"
    launched.resources.extend([*parse_resources("cpus:1;mem:32").messages(), volume])
    desk.messages.call(SCHEDULER, call)
    names = [name.rpartition(".")[2] for to, name, _ in desk.host.network.messages if to == agent.pid]
    assert names == ["ApplyOperationMessage", "ApplyOperationMessage", "RunTaskMessage"]
    reserve, create = desk.received(agent.pid, internal.ApplyOperationMessage)
    (told,) = reserve.operation_info.reserve.resources
    assert (told.HasField("role"), told.reservations[0].role, told.allocation_info.role) == (False, "r", "r")
    assert create.resource_version_uuid.uuid.value == agent.resource_version
    assert str(agent.checkpointed) == "disk(reservations: [(DYNAMIC,r)])[v:d]:10"
    (arguments,) = desk.allocator.named("update_allocation")
    assert arguments[:2] == (framework.id, agent.id)
    assert len(arguments[3]) == 2
    assert not desk.recovered()
    assert framework.counts.operations[kinds.RESERVE] == framework.counts.operations[kinds.CREATE] == 1
    assert desk.metrics.counter("operations/pending").value == 2
