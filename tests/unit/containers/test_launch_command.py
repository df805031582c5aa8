"""Environments and command lines of containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from messor.containers.command_line import DEFAULT_PATH, Program, program
from messor.containers.containerizer import LaunchSpec
from messor.containers.launch_command import container_environment, first_program
from messor.containers.native import paths
from messor.errors import ContainerError
from messor.protos import v0


def spec(command: v0.CommandInfo, **environment: str) -> LaunchSpec:
    """Describe a launch."""
    return LaunchSpec(command=command, sandbox="/sandbox", environment=environment)


def with_variables(**variables: str) -> v0.CommandInfo:
    """Make a command with variables."""
    command = v0.CommandInfo(value="true")
    for name, value in variables.items():
        command.environment.variables.add(name=name, value=value)
    return command


def test_the_agents_variables_a_sandbox_and_a_path_are_all_a_container_gets() -> None:
    """Nothing is inherited."""
    made = container_environment(spec(v0.CommandInfo(value="true"), A="1"))
    assert made.variables == {"A": "1", "MESOS_SANDBOX": "/sandbox", "PATH": DEFAULT_PATH}
    assert made.overwritten == []


def test_the_commands_own_variables_win_and_are_reported() -> None:
    """Mesos writes a line for each it replaces, but not for the default PATH."""
    made = container_environment(spec(with_variables(A="2", MESOS_SANDBOX="mine", PATH="/bin", B="3"), A="1"))
    assert made.variables == {"A": "2", "MESOS_SANDBOX": "mine", "PATH": "/bin", "B": "3"}
    assert made.overwritten == ["A", "MESOS_SANDBOX"]


def test_a_secret_variable_is_refused() -> None:
    """An empty value instead of a secret would fail far from its cause."""
    command = v0.CommandInfo(value="true")
    command.environment.variables.add(name="S", type="SECRET")
    with pytest.raises(ContainerError, match="Secret variable 'S' is not supported yet"):
        container_environment(spec(command))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"value": "echo a | cat"}, Program("/bin/sh", ["sh", "-c", "echo a | cat"])),
        ({"value": "/bin/x", "shell": False, "arguments": ["x", "a b"]}, Program("/bin/x", ["x", "a b"])),
        ({"value": "/bin/x", "shell": False}, Program("/bin/x", ["/bin/x"])),
        ({"value": "a", "arguments": ["ignored"]}, Program("/bin/sh", ["sh", "-c", "a"])),
    ],
)
def test_commands_become_programs(fields: dict[str, Any], expected: Program) -> None:
    """A shell for a command line, else exactly what the command says."""
    assert first_program(v0.CommandInfo(**fields), {}) == expected


def test_a_bare_name_is_looked_up_in_the_containers_own_path(tmp_path: Path) -> None:
    """Folders and files that cannot be executed are passed over."""
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "tool").mkdir()
    (tmp_path / "two" / "tool").write_text("")
    tool = tmp_path / "three" / "tool"
    tool.write_text("")
    tool.chmod(0o755)
    search_path = ":".join(str(tmp_path / name) for name in ("one", "two", "three"))
    assert program("tool", ["t"], shell=False, search_path=search_path) == Program(str(tool), ["t"])
    assert program("none", [], shell=False, search_path=search_path) == Program("none", ["none"])


def test_nested_containers_live_inside_their_parents_folder() -> None:
    """The layout is that of Mesos' runtime folder."""
    assert paths.container_folder("/run", "a.b.c") == "/run/containers/a/containers/b/containers/c"
    assert paths.status_file(paths.container_folder("/run", "a")) == "/run/containers/a/status"


@pytest.mark.parametrize(("text", "number"), [(b"123", 123), (b"7\n", 7), (b"", None), (b"-1", None), (b"1 2", None)])
def test_torn_pid_files_are_no_numbers(text: bytes, number: int | None) -> None:
    """A crash may leave an empty file."""
    assert paths.parse_decimal(text) == number
