"""The executor made up for a command task, and the environment of executors."""

from __future__ import annotations

import pytest

from messor.agent.executors.environment import executor_environment, grace_period
from messor.agent.executors.generate import command_executor, executor_of
from messor.model.resources import Resources
from messor.wire.upid import Upid
from support import builders


@pytest.mark.parametrize(
    ("command", "shown"),
    [("sleep 1000", "sh -c 'sleep 1000'"), ("echo out; echo err; sleep 2", "sh -c 'echo out; ec...'")],
)
def test_the_name_shows_the_beginning_of_the_command(command: str, shown: str) -> None:
    """As recorded: 15 characters in full, longer ones cut to 12 and dots."""
    info = command_executor(builders.task("t", value=command), "F", "/libexec")
    assert info.name == f"Command Executor (Task: t) (Command: {shown})"
    assert info.source == info.executor_id.value == "t"


def test_a_command_without_shell_is_shown_as_a_list() -> None:
    """There is no shell whose words it could be in."""
    task = builders.task("t", value="/bin/echo")
    task.command.shell = False
    task.command.arguments.extend(["echo", "a"])
    assert command_executor(task, "F", "/x").name.endswith("(Command: [/bin/echo, ...)")


def test_a_generated_executor_has_resources_of_its_own_only() -> None:
    """The task's are added for the container, not in the description (errata d.2)."""
    info = command_executor(builders.task("t", text="cpus:2;mem:100"), "F", "/libexec")
    assert Resources.of(info.resources).cpus == 0.1
    assert Resources.of(info.resources).mem == 32
    assert list(info.command.arguments) == ["mesos-executor", "--launcher_dir=/libexec"]


def test_a_custom_executor_is_taken_with_its_framework_filled_in() -> None:
    """Executors are told the description with the framework's id in it."""
    info, is_command = executor_of(builders.task("t", executor=builders.executor_info("e")), "F", "/x")
    assert (info.executor_id.value, info.framework_id.value, is_command) == ("e", "F", False)


def environment(**changes: object) -> dict[str, str]:
    """Build the variables of a custom executor as recorded."""
    info = builders.executor_info("e1")
    info.framework_id.value = "F"
    values: dict[str, object] = {
        "directory": "/sandbox",
        "agent_id": "S0",
        "agent_pid": Upid("slave(1)", "127.0.0.1", 16401),
        "checkpoint": True,
        "libprocess_ip": "127.0.0.1",
        "http_command_executor": False,
        "shutdown_grace_period": 2.0,
        "recovery_timeout": 900.0,
        "reregistration_timeout": 2.0,
        "more": {},
    }
    return executor_environment(info, **{**values, **changes})


def test_the_environment_is_exactly_the_recorded_one() -> None:
    """Third-party drivers parse these; nothing else is inherited (trap 17)."""
    assert environment() == {
        "LIBPROCESS_IP": "127.0.0.1",
        "LIBPROCESS_PORT": "0",
        "MESOS_AGENT_ENDPOINT": "127.0.0.1:16401",
        "MESOS_CHECKPOINT": "1",
        "MESOS_DIRECTORY": "/sandbox",
        "MESOS_EXECUTOR_ID": "e1",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "2secs",
        "MESOS_FRAMEWORK_ID": "F",
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_RECOVERY_TIMEOUT": "15mins",
        "MESOS_SANDBOX": "/sandbox",
        "MESOS_SLAVE_ID": "S0",
        "MESOS_SLAVE_PID": "slave(1)@127.0.0.1:16401",
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs",
    }


def test_without_checkpointing_nothing_is_said_about_recovery() -> None:
    """Such an executor ends with the agent."""
    variables = environment(checkpoint=False)
    assert variables["MESOS_CHECKPOINT"] == "0"
    assert not {"MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX"} & set(variables)


def test_an_executor_may_name_its_own_grace_period() -> None:
    """The flag is for those that do not."""
    info = builders.executor_info()
    assert grace_period(info, 5.0) == 5.0
    info.shutdown_grace_period.nanoseconds = 2_500_000_000
    assert grace_period(info, 5.0) == 2.5
