"""Entry points of the command executor: as a program (``mesos-executor``) and as a function for a forked child."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from messor.errors import ConfigurationError
from messor.executors.command.executor import CommandExecutor, exit_now
from messor.executors.command.link import AgentLink
from messor.executors.command.settings import Settings
from messor.executors.command.task_process import TaskProcess
from messor.linux import processes


def run(environment: Mapping[str, str]) -> int:
    """Run one task with the given MESOS_* variables; gives the exit code.

    The caller has arranged everything else: session, user, folder, stdout, stderr.
    """
    try:
        settings = Settings.from_environment(environment)
    except ConfigurationError as error:
        os.write(2, f"EXIT with status 1: {error}\n".encode())
        return 1
    processes.become_subreaper()
    return CommandExecutor(settings, AgentLink(settings.agent, settings.token), TaskProcess()).run()


def prepare() -> None:
    """Load and warm everything a run needs; called once in the zygote, so that its forks share it."""
    from messor.executors.command.rehearsal import rehearse

    rehearse()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a program; flags that mesos-executor knows are accepted, those that would change something are refused."""
    for argument in sys.argv[1:] if arguments is None else arguments:
        name = argument.partition("=")[0]
        if name not in ("--launcher_dir", "--sandbox_directory"):
            sys.stderr.write(f"EXIT with status 1: Flag '{name}' is not supported yet\n")
            sys.exit(1)
    exit_now(run(dict(os.environ)))


if __name__ == "__main__":
    main()
