"""The record of an executor."""

from __future__ import annotations

from messor.agent.state.executor import Executor
from messor.agent.state.framework import Framework
from messor.agent.state.invariants import violations
from messor.agent.state.tables import MAX_COMPLETED_FRAMEWORKS, Tables
from messor.agent.state.task import task_from_info
from messor.protos import v0
from support import builders


def executor_with(*task_ids: str) -> Executor:
    """Make an executor with launched tasks."""
    executor = Executor(
        builders.executor_info(text="cpus:0.1;mem:32"),
        framework_id="F",
        container_id="C",
        directory="/sandbox",
        checkpoint=False,
        is_command=False,
    )
    for task_id in task_ids:
        task = builders.task(task_id)
        executor.queue(task)
        executor.launched[task_id] = task_from_info(executor.queued.pop(task_id), "F", executor.id)
    return executor


def test_resources_are_freed_when_a_task_ends_not_when_that_is_acknowledged() -> None:
    """The task stays until its end is acknowledged, its resources do not (trap 12)."""
    executor = executor_with("a", "b")
    assert executor.resources.cpus == 2.1
    assert executor.apply(builders.status("a", v0.TASK_FINISHED))
    assert executor.resources.cpus == 1.1
    assert executor.has_incomplete_tasks
    assert "a" in executor.terminated


def test_nothing_changes_after_a_terminal_update() -> None:
    """A late update must not bring a task back."""
    executor = executor_with("a")
    executor.apply(builders.status("a", v0.TASK_FAILED))
    assert not executor.apply(builders.status("a", v0.TASK_RUNNING))
    assert executor.terminated["a"].state == v0.TASK_FAILED
    assert executor.resources.cpus == 0.1


def test_only_the_last_of_several_statuses_in_one_state_is_kept() -> None:
    """Health checks may report every second."""
    executor = executor_with("a")
    for message in ("first", "second"):
        executor.apply(builders.status("a", v0.TASK_RUNNING, message=message))
    assert [status.message for status in executor.launched["a"].info.statuses] == ["second"]


def test_a_completed_task_leaves_the_incomplete_ones() -> None:
    """Then a terminated executor can be removed."""
    executor = executor_with("a")
    executor.apply(builders.status("a", v0.TASK_FINISHED))
    executor.complete("a")
    assert not executor.has_incomplete_tasks
    assert [task.id for task in executor.completed] == ["a"]


def test_a_task_of_a_generated_executor_names_no_executor() -> None:
    """Masters must not see executors that are our own business (trap 16)."""
    assert not task_from_info(builders.task("a"), "F", None).info.HasField("executor_id")
    assert task_from_info(builders.task("a"), "F", "e").info.executor_id.value == "e"


def test_a_framework_without_partition_awareness_is_told_lost() -> None:
    """It does not know the finer states."""
    plain = Framework(builders.framework_info(framework_id="F"), None, 150)
    aware = Framework(builders.framework_info(framework_id="F", capabilities=["partition_aware"]), None, 150)
    assert plain.told(v0.TASK_DROPPED) == v0.TASK_LOST
    assert aware.told(v0.TASK_DROPPED) == v0.TASK_DROPPED


def test_only_so_many_completed_frameworks_are_remembered() -> None:
    """The oldest are forgotten (G14)."""
    tables = Tables(builders.agent_info(), b"v" * 16)
    for number in range(MAX_COMPLETED_FRAMEWORKS + 3):
        tables.remember(Framework(builders.framework_info(framework_id=f"F{number}"), None, 150))
    assert len(tables.completed_frameworks) == MAX_COMPLETED_FRAMEWORKS
    assert "F2" not in tables.completed_frameworks


def test_a_task_that_points_nowhere_is_a_violation() -> None:
    """The invariants notice a slip of the books."""
    tables = Tables(builders.agent_info(), b"v" * 16)
    framework = Framework(builders.framework_info(framework_id="F"), None, 150)
    executor = executor_with("a")
    framework.executors[executor.id] = executor
    tables.frameworks["F"] = framework
    assert violations(tables) == ["task a of executor executor of framework F does not point back to it"]
    framework.owners["a"] = executor
    assert violations(tables) == []
