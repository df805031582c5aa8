"""An agent and what its master and executors see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from messor.agent.state.lifecycles import AgentState
from messor.protos import internal, v0
from support.agent_desk import SILENT, AgentDesk
from support.builders import executor_info, status


@pytest.fixture
def desk() -> Iterator[AgentDesk]:
    """A registered agent."""
    desk = AgentDesk()
    yield desk
    desk.close()


# --- joining ---------------------------------------------------------------------------------------------------------


def test_registration_says_all_a_master_needs(desk: AgentDesk) -> None:
    """Old resource form, version, capabilities and the resource version, as recorded; then UpdateSlave."""
    message = desk.master.last(internal.RegisterSlaveMessage)
    assert not message.slave.HasField("id")
    assert {resource.role for resource in message.slave.resources} == {"*"}
    assert len(message.agent_capabilities) == 8
    update = desk.master.last(internal.UpdateSlaveMessage)
    assert update.resource_version_uuid == message.resource_version_uuid
    assert update.HasField("operations")
    assert update.HasField("resource_providers")
    assert update.HasField("update_oversubscribed_resources")


def test_registration_is_retried_with_growing_pauses_of_a_minute_at_most() -> None:
    """A dead master must not be flooded, nor forgotten (H1)."""
    desk = AgentDesk(start=False)
    desk.master.registers = False
    desk.start()
    desk.world.advance(600)
    attempts = len(desk.master.received(internal.RegisterSlaveMessage))
    assert 10 <= attempts <= 60
    desk.master.registers = True
    desk.world.advance(130)
    assert desk.agent.tables.state is AgentState.RUNNING
    desk.close()


def test_an_agent_taken_for_another_one_ends(desk: AgentDesk) -> None:
    """Going on would mix up two agents' tasks."""
    desk.master.agent_registered(desk.upid, "other")
    desk.world.settle()
    assert desk.host.exit_status == 1
    assert desk.host.exit_message.startswith("Registered but got wrong id: other (expected: M-S0)")


def test_pings_are_answered(desk: AgentDesk) -> None:
    """The master counts the answers."""
    desk.master.ping(desk.upid)
    desk.world.settle()
    assert len(desk.master.received(internal.PongSlaveMessage)) == 1


def test_an_agent_without_pings_registers_again(desk: AgentDesk) -> None:
    """The master may be a new one at the same address (H3)."""
    desk.world.advance(74)
    assert not desk.master.received(internal.ReregisterSlaveMessage)
    desk.world.advance(5)
    assert desk.master.received(internal.ReregisterSlaveMessage)
    assert desk.agent.tables.state is AgentState.RUNNING


def test_a_ping_that_says_disconnected_makes_the_agent_register_again(desk: AgentDesk) -> None:
    """The master lost track of it."""
    desk.master.ping(desk.upid, connected=False)
    desk.world.advance(2)
    assert desk.master.received(internal.ReregisterSlaveMessage)


def test_reregistration_lists_tasks_and_executors_but_no_generated_ones(desk: AgentDesk) -> None:
    """Generated executors are the agent's own business (trap 16)."""
    desk.run("t")
    desk.executor()
    desk.run("q", executor=executor_info("other", SILENT))
    command = desk.run("c")
    command.ClearField("executor")
    command.task_id.value = "cmd"
    command.command.value = "sleep 1000"
    framework = desk.agent.tables.frameworks["F"].info
    desk.master.run_task(desk.upid, framework, command)
    desk.world.advance(1)
    desk.master.ping(desk.upid, connected=False)
    desk.world.advance(2)
    message = desk.master.last(internal.ReregisterSlaveMessage)
    assert {info.executor_id.value for info in message.executor_infos} == {"e", "other"}
    assert {(task.task_id.value, task.executor_id.value) for task in message.tasks} == {
        ("t", "e"),
        ("c", "e"),
        ("q", "other"),
        ("cmd", ""),
    }
    assert [info.id.value for info in message.frameworks] == ["F"]


def test_tasks_only_the_master_knows_are_reported_dropped(desk: AgentDesk) -> None:
    """They were on their way when the agent was away (H2)."""
    reconciliation = internal.ReconcileTasksMessage()
    reconciliation.framework_id.value = "G"
    reconciliation.statuses.add(state=v0.TASK_STAGING).task_id.value = "gone"
    desk.master.agent_reregistered(desk.upid, desk.id, [reconciliation])
    desk.world.settle()
    assert desk.told() == ("TASK_LOST", "REASON_RECONCILIATION", "Reconciliation: task unknown to the agent")


def test_messages_of_anybody_but_the_leader_are_ignored(desk: AgentDesk) -> None:
    """An old master must not launch."""
    desk.agent.tables.master = desk.upid
    desk.run("t")
    assert not desk.agent.tables.frameworks


# --- executors -------------------------------------------------------------------------------------------------------


def test_a_registered_executor_is_told_everything_and_gets_its_task(desk: AgentDesk) -> None:
    """In this order, as recorded (b.4)."""
    desk.run("t")
    executor = desk.executor()
    assert executor.names() == ["ExecutorRegisteredMessage", "RunTaskMessage"]
    registered = executor.last(internal.ExecutorRegisteredMessage)
    assert registered.executor_info.framework_id.value == "F"
    assert registered.slave_info.id.value == desk.id
    run = executor.last(internal.RunTaskMessage)
    assert run.task.task_id.value == "t"
    assert not run.HasField("launch_executor")


def test_an_unknown_executor_is_told_to_go(desk: AgentDesk) -> None:
    """Whoever it belonged to, nobody waits for it."""
    executor = desk.executor("nobody")
    assert executor.names() == ["ShutdownExecutorMessage"]


def test_an_executor_that_exits_is_reported_before_its_tasks(desk: AgentDesk) -> None:
    """With the raw wait status: 256 for exit code 1 (trap 31); its tasks failed (trap 1)."""
    desk.run("t", executor=executor_info("e", "sleep 5; exit 1"))
    desk.master.forget()
    desk.world.advance(6)
    assert desk.master.names()[:2] == ["ExitedExecutorMessage", "StatusUpdateMessage"]
    assert desk.master.last(internal.ExitedExecutorMessage).status == 256
    assert desk.told() == ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED", "Executor terminated")


def test_an_executor_that_never_registers_is_destroyed(desk: AgentDesk) -> None:
    """After a minute (G7)."""
    desk.run("t")
    desk.world.advance(61)
    assert desk.told() == (
        "TASK_FAILED",
        "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
        "Executor did not register within 1mins",
    )


def test_an_executor_that_reports_staging_is_shut_down(desk: AgentDesk) -> None:
    """No executor may do that (S59)."""
    desk.run("t")
    executor = desk.executor()
    desk.update(executor, state=v0.TASK_STAGING)
    assert executor.names()[-1] == "ShutdownExecutorMessage"
    assert desk.updates() == []


def test_an_executor_is_destroyed_when_its_grace_is_over(desk: AgentDesk) -> None:
    """It was asked first (M20)."""
    desk.run("t")
    executor = desk.executor()
    message = internal.ShutdownExecutorMessage()
    message.framework_id.value, message.executor_id.value = "F", "e"
    desk.master.send(desk.upid, message)
    desk.world.advance(4.9)
    assert executor.names()[-1] == "ShutdownExecutorMessage"
    assert desk.updates() == []
    desk.world.advance(0.2)
    assert desk.told()[0] == "TASK_FAILED"


def test_messages_pass_both_ways(desk: AgentDesk) -> None:
    """Straight to a scheduler's pid, by the master to an HTTP one (M21)."""
    desk.run("t")
    executor = desk.executor()
    message = internal.FrameworkToExecutorMessage(data=b"down")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = desk.id, "F", "e"
    desk.master.send(desk.upid, message)
    executor.say(desk.id, b"up")
    desk.world.settle()
    assert executor.last(internal.FrameworkToExecutorMessage).data == b"down"
    assert desk.master.last(internal.ExecutorToFrameworkMessage).data == b"up"


# --- updates ---------------------------------------------------------------------------------------------------------


def test_an_update_is_acknowledged_and_forwarded_with_what_the_agent_knows(desk: AgentDesk) -> None:
    """Source, executor, container and the latest state, as recorded (b.5)."""
    desk.run("t")
    executor = desk.executor()
    uuid = desk.update(executor)
    assert executor.last(internal.StatusUpdateAcknowledgementMessage).uuid == uuid
    message = desk.master.last(internal.StatusUpdateMessage)
    assert message.pid == str(desk.upid)
    assert message.update.latest_state == v0.TASK_RUNNING
    status = message.update.status
    assert status.source == v0.TaskStatus.SOURCE_EXECUTOR
    assert status.executor_id.value == "e"
    assert status.container_status.container_id.value == desk.agent.tables.executor("F", "e").container_id
    assert status.container_status.network_infos[0].ip_addresses[0].ip_address == "10.0.0.2"


def test_the_latest_state_runs_ahead_of_the_update_on_its_way(desk: AgentDesk) -> None:
    """So that a master can free resources although the scheduler is slow."""
    desk.run("t")
    executor = desk.executor()
    desk.update(executor)
    desk.update(executor, state=v0.TASK_FINISHED)
    assert len(desk.updates()) == 1
    desk.world.advance(11)
    resent = desk.master.last(internal.StatusUpdateMessage).update
    assert (resent.status.state, resent.latest_state) == (v0.TASK_RUNNING, v0.TASK_FINISHED)


def test_a_repeated_update_is_acknowledged_again_but_not_forwarded(desk: AgentDesk) -> None:
    """The first acknowledgement may have been lost."""
    desk.run("t")
    executor = desk.executor()
    desk.update(executor)
    executor.send(desk.upid, internal.StatusUpdateMessage(update=executor_update(desk)))
    desk.world.settle()
    assert len(executor.received(internal.StatusUpdateAcknowledgementMessage)) == 2
    assert len(desk.updates()) == 1


def executor_update(desk: AgentDesk) -> internal.StatusUpdate:
    """Give the executor's update as the master got it."""
    update = desk.master.last(internal.StatusUpdateMessage).update
    update.ClearField("latest_state")
    return update


@pytest.mark.parametrize("uuid", [b"short", bytes(16), b"\xff" * 16])
def test_an_update_that_nobody_could_acknowledge_is_dropped(desk: AgentDesk, uuid: bytes) -> None:
    """Masters refuse acknowledgements whose uuid is none."""
    desk.run("t")
    executor = desk.executor()
    executor.update(status("t", v0.TASK_RUNNING, agent_id=desk.id, uuid=uuid))
    desk.world.settle()
    assert desk.updates() == []
    assert desk.host.metrics.snapshot()["slave/invalid_status_updates"] == 1


def test_a_full_disk_delays_updates_but_loses_none(desk: AgentDesk) -> None:
    """Nothing is acknowledged nor forwarded before it is safe (G2)."""
    desk.run("t", checkpoint=True)
    executor = desk.executor()
    desk.host.files.full = True
    desk.update(executor)
    desk.update(executor, state=v0.TASK_FINISHED)
    desk.world.advance(5)
    assert not executor.received(internal.StatusUpdateAcknowledgementMessage)
    assert desk.updates() == []
    desk.host.files.full = False
    desk.world.advance(2)
    assert len(executor.received(internal.StatusUpdateAcknowledgementMessage)) == 2
    desk.acknowledge()
    assert [status.state for status in desk.updates()] == [v0.TASK_RUNNING, v0.TASK_FINISHED]


def test_a_launch_on_a_full_disk_is_dropped_and_told_when_there_is_room(desk: AgentDesk) -> None:
    """Nothing runs that a restart would lose."""
    desk.host.files.full = True
    desk.run("t", checkpoint=True)
    assert not desk.runtime.programs
    desk.host.files.full = False
    desk.world.advance(2)
    assert desk.told()[:2] == ("TASK_DROPPED", "REASON_EXECUTOR_TERMINATED")
    assert desk.agent.tables.state is AgentState.RUNNING


# --- kills -----------------------------------------------------------------------------------------------------------


def test_a_queued_task_is_killed_at_once(desk: AgentDesk) -> None:
    """No executor has heard of it; the one that registers later finds nothing to do and goes."""
    desk.run("t")
    desk.master.kill_task(desk.upid, "F", "t")
    desk.world.settle()
    assert desk.told() == (
        "TASK_KILLED",
        "REASON_TASK_KILLED_DURING_LAUNCH",
        "Killed before delivery to the executor",
    )
    desk.acknowledge()
    executor = desk.executor()
    assert executor.names() == ["ExecutorRegisteredMessage", "ShutdownExecutorMessage"]


@pytest.mark.parametrize(("aware", "state"), [(True, "TASK_DROPPED"), (False, "TASK_LOST")])
def test_a_kill_of_an_unknown_task_is_answered(desk: AgentDesk, aware: bool, state: str) -> None:
    """The master thinks it is here."""
    desk.run("t", aware=aware)
    desk.master.kill_task(desk.upid, "F", "other")
    desk.world.settle()
    assert desk.told() == (state, "REASON_EXECUTOR_TERMINATED", "Cannot find executor")


def test_a_kill_keeps_its_policy_on_the_way_to_the_executor(desk: AgentDesk) -> None:
    """The executor decides about the grace."""
    desk.run("t")
    executor = desk.executor()
    message = internal.KillTaskMessage()
    message.framework_id.value, message.task_id.value = "F", "t"
    message.kill_policy.grace_period.nanoseconds = 7
    desk.master.send(desk.upid, message)
    desk.world.settle()
    assert executor.last(internal.KillTaskMessage).kill_policy.grace_period.nanoseconds == 7


def test_a_task_is_dropped_when_the_resource_version_is_old(desk: AgentDesk) -> None:
    """The offer it was launched on is history."""
    message = internal.RunTaskMessage(framework=desk_framework(), launch_executor=True)
    message.task.name, message.task.task_id.value, message.task.slave_id.value = "t", "t", desk.id
    message.resource_version_uuids.add().uuid.value = b"x" * 16
    desk.master.send(desk.upid, message)
    desk.world.settle()
    assert desk.told() == ("TASK_DROPPED", "REASON_INVALID_OFFERS", "Task assumes outdated resource state")
    assert not desk.agent.tables.frameworks


def desk_framework() -> v0.FrameworkInfo:
    """Make a partition-aware framework."""
    info = v0.FrameworkInfo(user="root", name="f")
    info.id.value = "F"
    info.capabilities.add(type=v0.FrameworkInfo.Capability.PARTITION_AWARE)
    return info


# --- starting and ending ---------------------------------------------------------------------------------------------


def test_a_work_dir_has_one_agent(desk: AgentDesk) -> None:
    """Two would spoil each other's checkpoints."""
    first = desk.host
    second = desk.world.start("second", "10.0.0.2", 5052)
    desk.host, previous = second, desk.agent
    desk.agent = type(previous)(second, previous.flags, previous.containerizer, previous.detector)
    second.spawn(desk.agent)
    desk.world.settle()
    assert (second.exit_status, second.exit_message) == (1, "The work_dir '/w' is in use by another agent")
    assert first.is_alive


def test_a_changed_agent_does_not_start_and_says_what_to_do(desk: AgentDesk) -> None:
    """Under the equal policy (G4)."""
    desk.flags["resources"] = "cpus:1;mem:4096;disk:10000;ports:[31000-32000]"
    desk.restart()
    desk.world.settle()
    assert desk.host.exit_status == 1
    assert desk.host.exit_message.startswith("Failed to perform recovery: Incompatible agent info detected.")
    assert "rm -f /w/meta/slaves/latest" in desk.host.exit_message


def test_after_a_reboot_nothing_is_expected_to_run(desk: AgentDesk) -> None:
    """The agent keeps its id; its executors are known to be gone."""
    desk.run("t", checkpoint=True)
    desk.executor()
    agent_id = desk.id
    desk.boot_id = "boot-2"
    desk.runtime.power_off()
    desk.restart()
    desk.world.advance(3)
    assert desk.id == agent_id
    assert list(desk.master.last(internal.ReregisterSlaveMessage).tasks) == []


def test_cleanup_ends_executors_and_the_agent(desk: AgentDesk) -> None:
    """The next start is a new agent (G3)."""
    desk.run("t", checkpoint=True)
    executor = desk.executor()
    desk.flags["recover"] = "cleanup"
    desk.restart()
    desk.world.advance(10)
    assert "ShutdownExecutorMessage" in executor.names()
    assert desk.host.exit_status == 0
    assert not desk.host.files.links.get("/w/meta/slaves/latest")


def test_a_retired_agent_unregisters_kills_and_forgets_its_id(desk: AgentDesk) -> None:
    """SIGUSR1 (G15)."""
    desk.run("t", checkpoint=True)
    executor = desk.executor()
    desk.agent.retire("Received SIGUSR1 signal; unregistering and shutting down")
    desk.world.advance(6)
    assert desk.master.received(internal.UnregisterSlaveMessage)
    assert executor.names()[-1] == "ShutdownExecutorMessage"
    assert desk.host.exit_status == 0
    desk.start()
    desk.world.advance(3)
    assert desk.id == "M-S1"


def test_the_master_can_end_an_agent(desk: AgentDesk) -> None:
    """Gone agents and refused ones (b.3)."""
    desk.master.shut_down(desk.upid, "Agent has been marked gone")
    desk.world.settle()
    assert desk.host.exit_status == 0
    assert desk.host.exit_message.endswith("Agent has been marked gone")


def test_a_framework_that_is_shut_down_leaves_without_updates(desk: AgentDesk) -> None:
    """Its scheduler is gone (trap 13)."""
    desk.run("t")
    executor = desk.executor()
    desk.master.shut_down_framework(desk.upid, "F")
    desk.world.advance(6)
    assert executor.names()[-1] == "ShutdownExecutorMessage"
    assert desk.updates() == []
    assert not desk.agent.tables.frameworks
    assert list(desk.agent.tables.completed_frameworks) == ["F"]


def test_sandboxes_are_removed_when_their_time_comes() -> None:
    """A week after the last change, unless the disk fills (G12)."""
    desk = AgentDesk(gc_delay=100.0)
    desk.run("t", executor=executor_info("e", "sleep 1"))
    directory = desk.agent.tables.executor("F", "e").directory
    desk.world.advance(2)
    desk.acknowledge()
    desk.world.advance(50)
    assert desk.host.disk.exists(directory)
    desk.world.advance(60)
    assert not desk.host.disk.exists(directory)
    desk.close()


# --- draining and operations -----------------------------------------------------------------------------------------


def test_a_drained_agent_kills_with_the_grace_it_was_given(desk: AgentDesk) -> None:
    """And says why."""
    desk.run("t")
    executor = desk.executor()
    message = internal.DrainSlaveMessage()
    message.config.max_grace_period.nanoseconds = 2_000_000_000
    desk.master.send(desk.upid, message)
    desk.world.settle()
    assert executor.last(internal.KillTaskMessage).kill_policy.grace_period.nanoseconds == 2_000_000_000
    desk.update(executor, state=v0.TASK_KILLED)
    assert desk.told()[:2] == ("TASK_KILLED", "REASON_SLAVE_DRAINING")


def operation(desk: AgentDesk, fill: Callable[[v0.Offer.Operation], None]) -> internal.UpdateOperationStatusMessage:
    """Apply an operation with feedback and give its result."""
    message = internal.ApplyOperationMessage()
    message.operation_uuid.value = desk.host.chance.uuid_bytes()
    message.resource_version_uuid.uuid.value = desk.agent.tables.resource_version
    message.operation_info.id.value = "o"
    fill(message.operation_info)
    desk.master.send(desk.upid, message)
    desk.world.settle()
    return desk.master.last(internal.UpdateOperationStatusMessage)


def reserve(cpus: float) -> Callable[[v0.Offer.Operation], None]:
    """Reserve cpus for role ``r``."""

    def fill(info: v0.Offer.Operation) -> None:
        info.type = v0.Offer.Operation.RESERVE
        resource = info.reserve.resources.add(name="cpus", type=v0.Value.SCALAR)
        resource.scalar.value = cpus
        resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="r")

    return fill


def test_a_reservation_is_made_remembered_and_reported(desk: AgentDesk) -> None:
    """It survives a restart and is told at re-registration."""
    assert operation(desk, reserve(1)).status.state == v0.OPERATION_FINISHED
    assert desk.agent.tables.total.reservations()["r"].cpus == 1
    desk.restart()
    desk.world.advance(3)
    (told,) = desk.master.last(internal.ReregisterSlaveMessage).checkpointed_resources
    assert (told.role, told.scalar.value) == ("r", 1)


def test_a_reservation_of_more_than_there_is_is_dropped(desk: AgentDesk) -> None:
    """Nothing is changed, and launches that count on it are dropped too."""
    before = desk.agent.tables.resource_version
    result = operation(desk, reserve(100))
    assert result.status.state == v0.OPERATION_DROPPED
    assert result.status.message
    assert not desk.agent.tables.checkpointed_resources
    assert desk.agent.tables.resource_version != before


def test_a_result_is_resent_until_it_is_acknowledged(desk: AgentDesk) -> None:
    """As task updates are (G6)."""
    result = operation(desk, reserve(1))
    desk.master.ping(desk.upid, connected=False)
    desk.world.advance(11)
    (told,) = desk.master.last(internal.UpdateSlaveMessage).operations.operations
    assert told.latest_status == result.status
    told_before = len(desk.master.received(internal.UpdateOperationStatusMessage))
    assert told_before > 1
    message = internal.AcknowledgeOperationStatusMessage(
        status_uuid=result.status.uuid, operation_uuid=result.operation_uuid
    )
    desk.master.send(desk.upid, message)
    desk.world.advance(100)
    assert len(desk.master.received(internal.UpdateOperationStatusMessage)) == told_before


@pytest.mark.parametrize("late", [1, 2, 3])
def test_late_answers_to_repeated_registrations_do_not_undo_a_reservation(desk: AgentDesk, late: int) -> None:
    """Each means that the master took back what was reserved since: it must be told, whatever other answers follow."""
    desk.master.registers = False
    desk.master.ping(desk.upid, connected=False)
    desk.world.run_until(lambda: len(desk.master.received(internal.ReregisterSlaveMessage)) > late, within=100)
    desk.master.agent_reregistered(desk.upid, desk.id)
    assert operation(desk, reserve(1)).status.state == v0.OPERATION_FINISHED
    assert not desk.master.last(internal.ReregisterSlaveMessage).checkpointed_resources
    for _ in range(late):
        desk.master.agent_reregistered(desk.upid, desk.id)
        desk.world.settle()
        assert desk.agent.tables.state is AgentState.DISCONNECTED
    desk.master.registers = True
    desk.world.run_until(lambda: desk.agent.tables.state is AgentState.RUNNING, within=10)
    (told,) = desk.master.last(internal.ReregisterSlaveMessage).checkpointed_resources
    assert (told.role, told.scalar.value) == ("r", 1)


def test_a_pending_result_survives_a_restart_with_what_it_did(desk: AgentDesk) -> None:
    """A reservation nobody is told of would be lost to its framework."""
    result = operation(desk, reserve(1))
    desk.master.forget()
    desk.restart()
    desk.world.advance(3)
    assert desk.master.last(internal.UpdateOperationStatusMessage).status == result.status
    (told,) = desk.master.last(internal.UpdateSlaveMessage).operations.operations
    assert told.uuid == result.operation_uuid
    acknowledgement = internal.AcknowledgeOperationStatusMessage(
        status_uuid=result.status.uuid, operation_uuid=result.operation_uuid
    )
    desk.master.send(desk.upid, acknowledgement)
    desk.world.settle()
    desk.master.forget()
    desk.restart()
    desk.world.advance(3)
    assert desk.master.received(internal.UpdateSlaveMessage)
    assert not desk.master.received(internal.UpdateOperationStatusMessage)
    assert desk.agent.tables.total.reservations()["r"].cpus == 1


def test_what_an_earlier_agent_left_behind_is_collected_too() -> None:
    """Sandboxes of ids that will never come back, in time (G12)."""
    desk = AgentDesk(gc_delay=100.0)
    desk.run("t", checkpoint=True)
    old = f"/w/slaves/{desk.id}"
    desk.agent.retire("end")
    desk.world.advance(6)
    desk.start()
    desk.world.advance(50)
    assert desk.host.disk.exists(old)
    desk.world.advance(100)
    assert not desk.host.disk.exists(old)
    assert not desk.host.disk.exists("/w/meta/slaves/M-S0")
    assert desk.host.disk.exists("/w/meta/slaves/M-S1")
    desk.close()


@pytest.mark.parametrize("task_id", ["..", "a/b", "", "x" * 256])
def test_ids_that_are_no_names_are_refused(desk: AgentDesk, task_id: str) -> None:
    """They become names of folders."""
    desk.run(task_id)
    assert not desk.agent.tables.frameworks
    assert desk.host.is_alive
