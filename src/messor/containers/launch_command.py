"""From a LaunchSpec to the program, arguments and variables of a container's first process. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from messor.containers.command_line import DEFAULT_PATH, Program, program
from messor.containers.containerizer import LaunchSpec
from messor.errors import ContainerError
from messor.protos import v0


class ContainerEnvironment(NamedTuple):
    """The variables a container starts with."""

    variables: dict[str, str]
    overwritten: list[str]
    """Names that CommandInfo.environment replaced; each is worth a line in the sandbox's stderr."""


def container_environment(spec: LaunchSpec) -> ContainerEnvironment:
    """Put the variables together: the agent's, MESOS_SANDBOX, a PATH if there is none; the command's own win over all.

    Raises ContainerError for a variable whose value is a secret: there is no resolver yet.
    """
    variables = dict(spec.environment)
    variables["MESOS_SANDBOX"] = spec.sandbox
    overwritten: list[str] = []
    for variable in spec.command.environment.variables:
        if variable.type == v0.Environment.Variable.SECRET:
            raise ContainerError(f"Failed to launch container: Secret variable '{variable.name}' is not supported yet")
        if variables.get(variable.name, variable.value) != variable.value:
            overwritten.append(variable.name)
        variables[variable.name] = variable.value
    variables.setdefault("PATH", DEFAULT_PATH)
    return ContainerEnvironment(variables, overwritten)


def first_program(command: v0.CommandInfo, variables: Mapping[str, str]) -> Program:
    """Give what a container executes first. Raises ContainerError when there is nothing to run."""
    if not command.HasField("value"):
        raise ContainerError("Failed to launch container: The command has no value")
    search_path = variables.get("PATH", DEFAULT_PATH)
    return program(command.value, command.arguments, shell=command.shell, search_path=search_path)
