"""Starts master and agent with every command line that real ones refused, and compares what they say."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from messor.agent.flags import AgentFlags
from messor.errors import ConfigurationError
from messor.master.flags import MasterFlags
from messor.runtime.flags import load

RECORDING = Path(__file__).parent / "recorded_refusals.txt"
CASES = [ast.literal_eval(line) for line in RECORDING.read_text().splitlines() if not line.startswith("#")]

FLAGS: dict[str, type[Any]] = {"master": MasterFlags, "agent": AgentFlags}

NOT_YET = "Unsupported value of flag"
"""How a flag whose feature does not exist yet is refused; never ignored."""

OURS = {
    "master: port in use": "Failed to bind on 127.0.0.1:16600: Address already in use",
    "master: ip not local": "Failed to bind on 10.99.99.99:16603: Cannot assign requested address",
    "agent: port in use": "Failed to bind on 127.0.0.1:16600: Address already in use",
    "agent: attributes invalid": "Failed to parse --attributes: Invalid attribute key:value pair 'abc'",
    "agent: docker containerizer without docker": "Failed to create a containerizer: Unknown or unsupported",
    "agent: isolation filesystem/linux with posix launcher": "Failed to create a containerizer: Could not create",
    "agent: master host unresolvable": "Failed to create a master detector: Failed to resolve 'no-such-host.invalid'",
    "master: modules unknown library": "Error loading modules: ",
}
"""Where we say it otherwise: one line for a crash, features that other issues bring."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bad files that command lines name."""
    made = tmp_path_factory.mktemp("refusals")
    (made / "bad.json").write_text('{"credentials": [')
    (made / "bad.txt").write_text("only-principal\n")
    return made


def said_by(program: str, command: list[str], settings: dict[str, str]) -> list[str]:
    """Give the lines a program says before it ends with status 1; a process is started only if it must be."""
    try:
        load(FLAGS[program], [program, *command], settings, f"mesos-{program}")
    except ConfigurationError as error:
        return str(error).splitlines()
    arguments = [sys.executable, "-m", f"messor.{program}.main", *command]
    done = subprocess.run(arguments, env=settings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize(("title", "arguments", "environment", "line"), CASES, ids=[case[0] for case in CASES])
def test_a_wrong_command_line_is_refused_in_the_recorded_words(
    title: str, arguments: list[str], environment: dict[str, str], line: str, folder: Path
) -> None:
    """With exit status 1, and without a traceback."""
    settings = {"PATH": os.environ["PATH"], "LIBPROCESS_IP": "127.0.0.1", **environment}
    with socket.socket() as taken:
        port = "16600"
        if "port in use" in title:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
        command = [argument.replace("FOLDER", str(folder)).replace("16600", port) for argument in arguments]
        # Tests run beside each other, and some of these get as far as listening.
        command = ["--port=0" if argument in ("--port=16601", "--port=16602") else argument for argument in command]
        lines = said_by(title.partition(":")[0], command, settings)
    said = [one.removeprefix("EXIT with status 1: ") for one in lines]
    wanted = OURS.get(title, line).replace("FOLDER", str(folder)).replace("16600", port)
    refused = [one for one in said if one.startswith(NOT_YET)]
    assert refused or any(one.startswith(wanted) if title in OURS else one.endswith(wanted) for one in said), said
