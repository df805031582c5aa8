"""Agents that come back (H2, H4, H8, M24)."""

from __future__ import annotations

from typing import Any

from messor.master.state.lifecycles import FrameworkState
from messor.protos import internal, v0, v0_scheduler
from support import builders
from support.fakes import FakeAgent


def reported(agent: FakeAgent, scheduler: Any, task_id: str = "t1", state: int = v0.TASK_RUNNING) -> v0.Task:
    """Make a task as an agent reports it: resources in the old format, with who they are allocated to."""
    task = v0.Task(name="task", state=state)  # type: ignore[arg-type]
    task.task_id.value = task_id
    task.framework_id.CopyFrom(scheduler.info.id)
    task.slave_id.CopyFrom(agent.info.id)
    for resource in builders.resources("cpus:1;mem:128"):
        resource.role = "*"
        resource.allocation_info.role = "*"
        task.resources.append(resource)
    status = task.statuses.add(state=v0.TASK_RUNNING, data=b"secret", timestamp=7.0)
    status.task_id.value = task_id
    status.container_status.executor_pid = 42
    task.status_update_state = v0.TASK_RUNNING
    task.status_update_uuid = b"u" * 16
    return task


def test_a_master_that_restarts_takes_back_what_runs(rig: Any) -> None:
    """Agents of the registry return with their tasks; their frameworks are recovered until they subscribe."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.restart()
    agent.forget()
    assert list(rig.master.state.recovered_agents) == [agent.id]
    agent.reregister(tasks=[reported(agent, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    assert agent.names() == ["SlaveReregisteredMessage", "PingSlaveMessage"]
    assert agent.last(internal.SlaveReregisteredMessage).connection.total_ping_timeout_seconds == 75.0
    framework = rig.master.state.frameworks[scheduler.info.id.value]
    assert framework.state is FrameworkState.RECOVERED
    task = framework.tasks["t1"]
    assert (task.state, task.status_update_state, task.status_update_uuid) == (
        v0.TASK_RUNNING,
        v0.TASK_RUNNING,
        b"u" * 16,
    )
    assert task.resources.cpus == 1.0
    assert not task.message().statuses[0].HasField("data"), "data may be large and is nobody's business here"
    assert not task.message().resources[0].HasField("role"), "inside there is one format"
    assert rig.master.state.recovered_agents == {}
    scheduler.subscribe(force=True)
    rig.world.advance(2)
    assert framework.state is FrameworkState.ACTIVE
    offer = scheduler.offers()[-1]
    assert next(r.scalar.value for r in offer.resources if r.name == "cpus") == 3.0


def test_a_master_without_memory_tells_frameworks_what_runs(rig: Any) -> None:
    """With an empty registry the agent is unknown, and updates say so (golden: v0_agent_reregistration)."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.storage._variables.clear()
    rig.restart()
    scheduler.subscribe(force=True)
    rig.world.settle()
    agent.forget()
    agent.reregister(tasks=[reported(agent, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    message = scheduler.last(internal.StatusUpdateMessage)
    status = message.update.status
    assert message.pid == "@0.0.0.0:0"
    assert not message.update.HasField("uuid")
    assert (status.state, status.reason, status.source) == (
        v0.TASK_RUNNING,
        v0.TaskStatus.REASON_SLAVE_REREGISTERED,
        v0.TaskStatus.SOURCE_MASTER,
    )
    assert status.message == "Unknown agent reregistered"
    assert status.container_status.executor_pid == 42
    update = agent.last(internal.UpdateFrameworkMessage)
    assert update.pid == str(scheduler.upid)
    assert update.framework_info == scheduler.info


def test_an_unreachable_agent_comes_back_with_all_its_tasks(rig: Any) -> None:
    """Also those of frameworks that do not know partitions: nothing is killed (trap 15)."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent)
    agent.pongs = False
    rig.world.advance(91)
    framework = rig.master.state.frameworks[scheduler.info.id.value]
    assert scheduler.statuses()[-1].state == v0.TASK_LOST
    assert list(framework.unreachable_tasks) == ["t1"]
    agent.pongs = True
    agent.forget()
    agent.reregister(tasks=[reported(agent, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    status = scheduler.statuses()[-1]
    assert (status.state, status.message) == (v0.TASK_RUNNING, "Unreachable agent re-reregistered")
    assert list(framework.tasks) == ["t1"]
    assert framework.unreachable_tasks == {}
    assert rig.master.state.unreachable_agents == {}
    assert rig.master.state.unreachable_tasks == {}
    assert list(rig.master.registrar.contents.admitted) == [agent.id]
    assert rig.master.registrar.contents.unreachable == {}
    assert "KillTaskMessage" not in agent.names()


def test_tasks_of_a_framework_that_ended_meanwhile_are_shut_down(rig: Any) -> None:
    """They are not taken back, and the agent is told to end the framework."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent)
    agent.pongs = False
    rig.world.advance(91)
    scheduler.call(v0_scheduler.Call(type=v0_scheduler.Call.TEARDOWN))
    rig.world.settle()
    agent.forget()
    agent.reregister(tasks=[reported(agent, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    assert agent.last(internal.ShutdownFrameworkMessage).framework_id == scheduler.info.id
    assert list(rig.master.state.tasks()) == []
    assert rig.master.state.frameworks == {}


def test_tasks_the_agent_does_not_list_are_asked_for(rig: Any) -> None:
    """Only the agent knows whether their launch was lost or is still on its way (H2)."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent)
    agent.reregister(frameworks=[scheduler.info])
    rig.world.settle()
    (question,) = agent.last(internal.SlaveReregisteredMessage).reconciliations
    assert question.framework_id == scheduler.info.id
    assert question.framework == scheduler.info
    (status,) = question.statuses
    assert (status.task_id.value, status.state, status.reason) == (
        "t1",
        v0.TASK_STAGING,
        v0.TaskStatus.REASON_RECONCILIATION,
    )
    assert status.message == "Reconciliation request"


def test_kills_that_an_agent_missed_are_repeated(rig: Any) -> None:
    """A kill while the agent is disconnected is enforced when it returns (S27)."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent)
    rig.world.network.reset("master", agent.upid.ip)
    rig.world.settle()
    call = v0_scheduler.Call(type=v0_scheduler.Call.KILL)
    call.kill.task_id.value = "t1"
    scheduler.call(call)
    rig.world.settle()
    agent.forget()
    agent.reregister(tasks=[reported(agent, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    kill = agent.last(internal.KillTaskMessage)
    assert (kill.task_id.value, kill.framework_id) == ("t1", scheduler.info.id)


def test_an_agent_that_reconnects_is_offered_again(rig: Any) -> None:
    """It was taken out of the offers when its connection broke."""
    rig.start()
    scheduler = rig.scheduler()
    agent = rig.agent()
    rig.world.network.reset("master", agent.upid.ip)
    rig.world.advance(5)
    assert rig.master.state.offers == {}
    scheduler.forget()
    agent.reregister()
    rig.world.advance(2)
    assert len(scheduler.offers()) == 1
    rig.world.advance(700)
    assert agent.id in rig.master.state.agents, "the timer for those that do not return must have been stopped"


def test_executors_the_agent_lost_are_freed(rig: Any) -> None:
    """What they held is offered again."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent, executor=builders.executor_info("e1", text="cpus:1;mem:32"))
    record = rig.master.state.agents[agent.id]
    assert record.executor(scheduler.info.id.value, "e1") is not None
    agent.reregister(tasks=[reported(agent, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    assert record.executors == {}
    assert record.used[scheduler.info.id.value].cpus == 1.0


def test_an_agent_may_not_move(rig: Any) -> None:
    """Maintenance is by machine: another hostname under the same id is shut down."""
    rig.start()
    agent = rig.agent()
    agent.info.hostname = "elsewhere"
    agent.reregister()
    rig.world.settle()
    assert agent.last(internal.ShutdownMessage).message == "Agent attempted to reregister with different IP / hostname"


def test_changed_attributes_go_to_the_registry_first(rig: Any) -> None:
    """An agent restarted with other attributes is taken back with them."""
    rig.start()
    agent = rig.agent()
    attribute = agent.info.attributes.add(name="rack", type=v0.Value.TEXT)
    attribute.text.value = "r1"
    agent.reregister()
    rig.world.settle()
    assert rig.master.state.agents[agent.id].info.attributes[0].text.value == "r1"
    assert rig.master.registrar.contents.agents()[0].attributes[0].text.value == "r1"


def test_a_reregistration_that_makes_no_sense_is_ignored(rig: Any) -> None:
    """A task of another agent, of an unlisted framework, or with an unlisted executor."""
    rig.start()
    scheduler = rig.scheduler()
    agent = rig.agent()
    rig.restart()
    agent.forget()
    foreign = reported(agent, scheduler)
    foreign.slave_id.value = "other"
    lost = reported(agent, scheduler)
    lost.executor_id.value = "unlisted"
    agent.reregister(tasks=[foreign], frameworks=[scheduler.info])
    agent.reregister(tasks=[reported(agent, scheduler)])
    agent.reregister(tasks=[lost], frameworks=[scheduler.info])
    agent.reregister(frameworks=[scheduler.info, scheduler.info])
    agent.reregister(tasks=[reported(agent, scheduler)] * 2, frameworks=[scheduler.info])
    agent.reregister(frameworks=[builders.framework_info(framework_id="F", roles=["/bad"])])
    agent.reregister(frameworks=[builders.framework_info()])
    agent.info.ClearField("id")
    agent.reregister()
    rig.world.settle()
    assert agent.names() == []
    assert rig.master.state.agents == {}


def test_agents_that_do_not_return_after_a_failover_are_given_up(rig: Any) -> None:
    """After --agent_reregister_timeout, and only those (H8)."""
    rig.start()
    back, away = rig.agent(), rig.agent()
    rig.restart()
    scheduler = rig.scheduler()
    back.reregister()
    rig.world.advance(599)
    assert list(rig.master.state.recovered_agents) == [away.id]
    rig.world.advance(2)
    assert rig.master.state.recovered_agents == {}
    assert list(rig.master.state.unreachable_agents) == [away.id]
    assert list(rig.master.state.agents) == [back.id]
    assert scheduler.last(internal.LostSlaveMessage).slave_id == away.info.id
    assert rig.master.metrics.recovery_removals.value == 1


def test_too_many_missing_agents_end_the_process(rig: Any) -> None:
    """Rather than give up half of a cluster, somebody should look (H8)."""
    rig.start(recovery_agent_removal_limit="50%")
    agents = [rig.agent() for _ in range(3)]
    rig.restart()
    agents[0].reregister()
    rig.world.advance(601)
    assert rig.host.exit_status == 1
    assert "Post-recovery agent removal limit exceeded" in rig.host.exit_message


def test_nothing_is_handled_before_the_registry_was_read(rig: Any) -> None:
    """Messages to a master that has not recovered are dropped without a word (protocols b.1)."""
    rig.start()
    agent = rig.agent(register=False)
    rig.master.state.is_recovered = False
    agent.register()
    rig.world.settle()
    assert agent.names() == []


def test_a_task_an_agent_reports_as_ended_uses_nothing(rig: Any) -> None:
    """It waits for its acknowledgement; its resources are free (trap 12)."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.restart()
    agent.reregister(tasks=[reported(agent, scheduler, state=v0.TASK_FINISHED)], frameworks=[scheduler.info])
    rig.world.settle()
    assert rig.master.state.agents[agent.id].used == {}
    assert list(rig.master.state.frameworks[scheduler.info.id.value].tasks) == ["t1"]


def test_only_one_task_of_an_id_may_run(rig: Any) -> None:
    """After a failover a framework may start a task again before its agent is back; the old one ends then."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    away = rig.agent()
    rig.restart()
    scheduler.subscribe(force=True)
    other = rig.agent()
    rig.world.advance(2)
    rig.launch(scheduler, other)
    away.forget()
    away.reregister(tasks=[reported(away, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    assert away.last(internal.KillTaskMessage).task_id.value == "t1"
    assert rig.master.state.find_task(scheduler.info.id.value, "t1").agent_id == other.id


def test_an_old_agent_is_told_what_it_has_reserved(rig: Any) -> None:
    """In the format it understands; it may have missed an operation while its connection was broken."""
    rig.start()
    agent = rig.agent(register=False, text="cpus:4;mem:1024")
    reserved = builders.resources("cpus:1", "web")[0]
    del reserved.reservations[:]
    reserved.role = "web"
    reserved.reservation.principal = "ops"
    agent.send(
        rig.master.upid,
        internal.RegisterSlaveMessage(slave=agent.info, version="1.0.0", checkpointed_resources=[reserved]),
    )
    rig.world.settle()
    agent.reregister(version="1.0.0")
    rig.world.settle()
    assert list(agent.last(internal.CheckpointResourcesMessage).resources) == [reserved]
    assert rig.master.state.agents[agent.id].total.reserved("web").cpus == 1.0


def test_a_task_that_was_declared_ended_is_not_completed_as_well(rig: Any) -> None:
    """It was lost with its agent's removal, and comes back running with the agent (MESOS-9940)."""
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent)
    agent.unregister()
    rig.world.settle()
    framework = rig.master.state.frameworks[scheduler.info.id.value]
    assert [task.id for task in framework.completed_tasks] == ["t1"]
    agent.reregister(tasks=[reported(agent, scheduler)], frameworks=[scheduler.info])
    rig.world.settle()
    assert list(framework.tasks) == ["t1"]
    assert list(framework.completed_tasks) == []
    assert scheduler.statuses()[-1].message == "Unknown agent reregistered"
