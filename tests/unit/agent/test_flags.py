"""The agent's flags."""

from __future__ import annotations

import pytest

from messor.agent.flags import AgentFlags
from messor.errors import ConfigurationError
from messor.runtime.flags import flags_of, load, texts

NEEDED = ("agent", "--work_dir=/w", "--master=127.0.0.1:5050")


def problem_of(*arguments: str) -> str:
    """Give the first line of the error that arguments cause."""
    with pytest.raises(ConfigurationError) as caught:
        load(AgentFlags, [*NEEDED, *arguments], {}, "mesos-agent")
    return str(caught.value).partition("\n")[0]


def test_defaults_are_those_of_mesos() -> None:
    """Unit files rely on them."""
    shown = texts(load(AgentFlags, NEEDED, {}, "mesos-agent"))
    expected = {
        "port": "5051",
        "gc_delay": "1weeks",
        "executor_registration_timeout": "1mins",
        "executor_reregistration_timeout": "2secs",
        "recovery_timeout": "15mins",
        "isolation": "posix/cpu,posix/mem",
        "fetcher_cache_size": "2GB",
        "docker_remove_delay": "6hrs",
        "switch_user": "true",
        "max_completed_executors_per_framework": "150",
    }
    assert {name: shown[name] for name in expected} == expected


def test_the_environment_is_read_too() -> None:
    """As Ansible roles set it."""
    flags = load(AgentFlags, ["agent"], {"MESOS_WORK_DIR": "/w", "MESOS_MASTER": "m:1"}, "mesos-agent")
    assert (flags.work_dir, flags.master) == ("/w", "m:1")


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        (
            "--executor_reregistration_timeout=20secs",
            "Expected `--executor_reregistration_timeout` to be not more than 15secs",
        ),
        ("--gc_disk_headroom=2", "Invalid value '2' for --gc_disk_headroom. Must be between 0.0 and 1.0"),
        (
            "--recover=foo",
            "Unknown option for 'recover' flag foo. Please run the agent with '--help' to see the valid options",
        ),
        ("--containerizers=nope", "Failed to create a containerizer: Unknown or unsupported containerizer: nope"),
        ("--nope", "Failed to load unknown flag 'nope'"),
    ],
)
def test_bad_values_are_told_in_the_recorded_words(argument: str, problem: str) -> None:
    """Operators look these sentences up."""
    assert problem_of(argument) == problem


def test_an_unknown_isolator_is_named() -> None:
    """Ignoring it would promise what nobody keeps."""
    assert problem_of("--isolation=posix/cpu,nope").endswith("Unknown or unsupported isolator 'nope'")


def test_every_flag_says_what_it_is_for() -> None:
    """The reference is made of these sentences."""
    assert [name for name, flag in flags_of(AgentFlags).items() if not flag.mark.help] == []


@pytest.mark.parametrize(
    "argument",
    ["--ingress_burst=1MB", "--network_link_speed=1", "--image_providers=docker", "--modules={}", "--qos_controller=x"],
)
def test_a_feature_that_does_not_exist_is_refused_with_a_sentence(argument: str) -> None:
    """Silence would let operators believe in it."""
    assert problem_of(argument).startswith("Unsupported value of flag ")
