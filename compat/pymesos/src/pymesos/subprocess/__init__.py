"""The standard subprocess module's API on a cluster: commands run on agents, their streams come back to this process.

    from pymesos.subprocess import check_output
    print(check_output(["uname", "-n"], cpus=0.5, mem=64))

The master is that of ``CONFIG["master"]`` (pymesos.subprocess.scheduler) or MESOS_MASTER. Agents must be able to reach
this machine, and to import ``pymesos`` with this program's interpreter.
"""

from __future__ import annotations

from subprocess import PIPE, STDOUT, CalledProcessError
from typing import Any

from pymesos.subprocess.popen import Popen

__all__ = ["PIPE", "STDOUT", "CalledProcessError", "Popen", "call", "check_call", "check_output"]


def call(*arguments: Any, **settings: Any) -> int:
    """Run a command and give its exit code; arguments as Popen's."""
    return Popen(*arguments, **settings).wait()


def check_call(*arguments: Any, **settings: Any) -> int:
    """Run a command; raises CalledProcessError unless it exits with 0."""
    code = call(*arguments, **settings)
    if code:
        raise CalledProcessError(code, settings.get("args") or arguments[0])
    return 0


def check_output(*arguments: Any, **settings: Any) -> bytes:
    """Run a command and give what it wrote; raises CalledProcessError, with that output, unless it exits with 0."""
    if "stdout" in settings:
        raise ValueError("stdout must not be given: its content is what check_output returns")
    settings["stdout"] = PIPE
    process = Popen(*arguments, **settings)
    output, _ = process.communicate()
    if process.returncode:
        raise CalledProcessError(process.returncode, settings.get("args") or arguments[0], output=output)
    return output or b""
