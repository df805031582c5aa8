"""The rules of the command executor: words, grace periods, settings, variables."""

from __future__ import annotations

import signal

import pytest

from messor.errors import ConfigurationError
from messor.executors.command.escalation import Escalation, grace_period, shutdown_grace
from messor.executors.command.settings import Settings
from messor.executors.command.statuses import Outcome, describe_exit, outcome
from messor.executors.command.task_process import task_environment
from messor.wire.upid import Upid


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with status 0"),
        (3 << 8, "exited with status 3"),
        (signal.SIGKILL, "terminated with signal Killed"),
        (signal.SIGTERM, "terminated with signal Terminated"),
        (signal.SIGSEGV, "terminated with signal Segmentation fault"),
        (signal.SIGSEGV | 0x80, "terminated with signal Segmentation fault (core dumped)"),
    ],
)
def test_the_end_of_a_command_is_told_in_recorded_words(status: int, words: str) -> None:
    """People and programs search messages for these."""
    assert describe_exit(status) == words


def test_only_an_exit_with_0_that_nobody_asked_for_is_finished() -> None:
    """Trap 33 and max_completion_time."""
    ok = "Command exited with status 0"
    assert outcome(0, killed=False, out_of_time=False) == Outcome("TASK_FINISHED", ok)
    assert outcome(256, killed=False, out_of_time=False).state == "TASK_FAILED"
    assert outcome(9, killed=False, out_of_time=False).state == "TASK_FAILED"
    assert outcome(0, killed=True, out_of_time=False) == Outcome("TASK_KILLED", ok)
    assert outcome(0, killed=False, out_of_time=True) == Outcome(
        "TASK_FAILED", ok, "REASON_MAX_COMPLETION_TIME_REACHED"
    )


def test_sigkill_is_due_once_when_the_grace_is_over() -> None:
    """Not before, and not again."""
    escalation = Escalation()
    assert escalation.request(100.0, 3.0)
    assert not escalation.force_due(102.9)
    assert escalation.force_due(103.0)
    assert not escalation.force_due(104.0)


def test_a_second_kill_can_only_shorten_the_grace_counted_from_the_first() -> None:
    """Recorded of mesos-executor over HTTP: 8 s, then 0.5 s after 1 s kills at once."""
    escalation = Escalation()
    escalation.request(100.0, 8.0)
    assert not escalation.request(101.0, 20.0)
    assert escalation.kill_at == 108.0
    assert not escalation.request(101.0, 0.5)
    assert escalation.force_due(101.0)
    assert not escalation.request(102.0, 1.0)
    assert escalation.kill_at is None


def test_running_out_of_time_kills_without_grace_and_a_later_kill_changes_nothing() -> None:
    """The task stays FAILED for its time."""
    escalation = Escalation()
    assert escalation.time_is_up(50.0)
    assert escalation.force_due(50.0)
    assert not escalation.request(51.0, 3.0)
    assert not escalation.killed
    killed = Escalation()
    killed.request(1.0, 3.0)
    assert not killed.time_is_up(2.0)


def test_the_grace_is_that_of_the_call_where_it_counts_else_the_tasks_else_three_seconds() -> None:
    """The executor that speaks for the driver API never looked at the call's policy."""
    assert grace_period(None, None, honours_call=True) == 3.0
    assert grace_period(2.0, None, honours_call=True) == 2.0
    assert grace_period(2.0, 0.0, honours_call=True) == 0.0
    assert grace_period(2.0, 0.0, honours_call=False) == 2.0


def test_a_shutdown_leaves_time_for_the_last_update() -> None:
    """The agent destroys the container when the executor's own grace is over."""
    assert shutdown_grace(5.0) == 3.0
    assert 0 < shutdown_grace(1.0) < 1.0


ENVIRONMENT = {
    "MESOS_SLAVE_PID": "slave(1)@10.0.0.1:5051",
    "MESOS_FRAMEWORK_ID": "f",
    "MESOS_EXECUTOR_ID": "e",
}


def test_settings_come_from_the_variables_every_executor_gets() -> None:
    """What is not there has the agent's defaults."""
    plain = Settings.from_environment(ENVIRONMENT)
    assert (plain.agent, plain.framework_id, plain.executor_id) == (Upid("slave(1)", "10.0.0.1", 5051), "f", "e")
    assert (plain.checkpoint, plain.recovery_timeout, plain.shutdown_grace) == (False, 900.0, 5.0)
    full = Settings.from_environment(
        {
            **ENVIRONMENT,
            "MESOS_CHECKPOINT": "1",
            "MESOS_RECOVERY_TIMEOUT": "2mins",
            "MESOS_SUBSCRIPTION_BACKOFF_MAX": "500ms",
            "MESOS_HTTP_COMMAND_EXECUTOR": "1",
            "MESOS_EXECUTOR_AUTHENTICATION_TOKEN": "t",
        }
    )
    assert (full.checkpoint, full.recovery_timeout, full.backoff_max) == (True, 120.0, 0.5)
    assert (full.honours_kill_policy_of_calls, full.token) == (True, "t")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MESOS_SLAVE_PID": ""}, "Expecting 'MESOS_SLAVE_PID' to be set"),
        ({"MESOS_SLAVE_PID": "nonsense"}, "Failed to parse 'MESOS_SLAVE_PID'"),
        ({"MESOS_RECOVERY_TIMEOUT": "soon"}, "of 'MESOS_RECOVERY_TIMEOUT'"),
    ],
)
def test_a_bad_variable_is_named(change: dict[str, str], words: str) -> None:
    """Whoever starts an executor by hand has to find it."""
    with pytest.raises(ConfigurationError, match=words):
        Settings.from_environment({**ENVIRONMENT, **change})


def test_a_tasks_own_variables_win_over_all() -> None:
    """The allocation role is in between; a PATH is always there."""
    made = task_environment({"A": "1", "B": "1"}, {"B": "2", "MESOS_ALLOCATION_ROLE": "mine"}, "role")
    assert made["A"], made["B"] == ("1", "2")
    assert made["MESOS_ALLOCATION_ROLE"] == "mine"
    assert "PATH" in made
