"""``messor``, and the classic names ``mesos-local``, ``mesos-master``, ``mesos-agent``, ``mesos-execute``."""

from __future__ import annotations

import importlib
import signal
import sys

PROGRAMS = {
    "local": ("messor.local.main", "a whole cluster on this machine"),
    "master": ("messor.master.main", "the master"),
    "agent": ("messor.agent.main", "an agent"),
    "execute": ("messor.cli.execute", "run one command as a task and wait for it"),
    "why": ("messor.cli.why", "why a framework, role or task is or is not offered agents"),
    "fit": ("messor.cli.fit", "whether and where tasks of a size fit, now and ever"),
    "validate": ("messor.cli.validate", "check a TaskInfo or an ACCEPT before a master does"),
    "top": ("messor.cli.top", "shares, quotas and holdings of roles and frameworks, live"),
    "record": ("messor.cli.record", "write a timeline of offers, allocations and shares as one HTML file"),
}


def main() -> int:
    """Run ``messor PROGRAM FLAGS…``; gives the exit status."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_usage())  # noqa: T201
        return 0 if arguments else 1
    if arguments[0] in ("--version", "version"):
        from messor import MESOS_VERSION, __version__

        print(f"messor {__version__} (speaks Mesos {MESOS_VERSION})")  # noqa: T201
        return 0
    if arguments[0] not in PROGRAMS:
        print(f"messor: there is no program '{arguments[0]}'\n\n{_usage()}", file=sys.stderr)  # noqa: T201
        return 1
    return _run(arguments[0], arguments[1:])


def local() -> int:
    """Run mesos-local."""
    return _run("local", sys.argv[1:])


def master() -> int:
    """Run mesos-master."""
    return _run("master", sys.argv[1:])


def agent() -> int:
    """Run mesos-agent or mesos-slave."""
    return _run("agent", sys.argv[1:])


def execute() -> int:
    """Run mesos-execute."""
    return _run("execute", sys.argv[1:])


def _run(program: str, arguments: list[str]) -> int:
    # Ctrl-C while modules are loaded ends the program without a traceback; afterwards it decides itself.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    module = importlib.import_module(PROGRAMS[program][0])
    signal.signal(signal.SIGINT, before)
    status: int = module.main([f"mesos-{program}", *arguments])
    return status


def _usage() -> str:
    width = max(map(len, PROGRAMS))
    lines = [f"  messor {name:<{width}}  {what}" for name, (_, what) in PROGRAMS.items()]
    return "\n".join(
        ["Usage: messor PROGRAM [ARGUMENT …] [--flag=value …]", "", *lines, "", "messor PROGRAM --help tells more."]
    )


if __name__ == "__main__":
    sys.exit(main())
