"""The executor that the agent makes up for a task without one (d.2). Pure."""

from __future__ import annotations

from messor.protos import v0

EXECUTOR_CPUS = 0.1
EXECUTOR_MEM = 32.0
"""What a generated executor gets in addition to its task; not charged to the offer (trap 16)."""

LONGEST_COMMAND = 15
"""Characters of a command that are shown in full in the executor's name."""

SHUTDOWN_SLACK = 2.0
"""Seconds a generated executor gets beyond its task's own grace, so that it can report TASK_KILLED."""


def command_executor(task: v0.TaskInfo, framework_id: str, launcher_dir: str) -> v0.ExecutorInfo:
    """Describe the generated executor of a command task: its id is the task's."""
    info = v0.ExecutorInfo()
    info.executor_id.value = task.task_id.value
    info.framework_id.value = framework_id
    info.name = f"Command Executor (Task: {task.task_id.value}) (Command: {_shown(task.command)})"
    info.source = task.task_id.value
    role = next((resource.allocation_info.role for resource in task.resources), "*")
    for name, value in (("cpus", EXECUTOR_CPUS), ("mem", EXECUTOR_MEM)):
        resource = info.resources.add(name=name, type=v0.Value.SCALAR)
        resource.scalar.value = value
        resource.allocation_info.role = role
    command = info.command
    command.value = f"{launcher_dir}/mesos-executor"
    command.shell = False
    command.arguments.extend(("mesos-executor", f"--launcher_dir={launcher_dir}"))
    command.uris.MergeFrom(task.command.uris)
    if task.command.HasField("environment"):
        command.environment.CopyFrom(task.command.environment)
    if task.command.HasField("user"):
        command.user = task.command.user
    for field in ("container", "labels", "discovery"):
        if task.HasField(field):
            getattr(info, field).CopyFrom(getattr(task, field))
    if task.kill_policy.HasField("grace_period"):
        grace = task.kill_policy.grace_period.nanoseconds + round(SHUTDOWN_SLACK * 1e9)
        info.shutdown_grace_period.nanoseconds = grace
    return info


def executor_of(task: v0.TaskInfo, framework_id: str, launcher_dir: str) -> tuple[v0.ExecutorInfo, bool]:
    """Give the executor a task runs under, and whether it had to be generated."""
    if not task.HasField("executor"):
        return command_executor(task, framework_id, launcher_dir), True
    info = v0.ExecutorInfo()
    info.CopyFrom(task.executor)
    info.framework_id.value = framework_id
    return info, False


def _shown(command: v0.CommandInfo) -> str:
    if not command.HasField("value"):
        return "NO EXECUTABLE" if not command.shell else "NO COMMAND"
    if command.shell:
        return f"sh -c '{_cut(command.value)}'"
    return _cut("[" + ", ".join((command.value, *command.arguments)) + "]")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_COMMAND else text[: LONGEST_COMMAND - 3] + "..."
