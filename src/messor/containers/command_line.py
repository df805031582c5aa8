"""From a command to a program and its arguments: the same rules for executors and for tasks.

Without protobuf, because the zygote and the executors it forks load it. Pure but for looking programs up in PATH.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

SHELL = "/bin/sh"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What containers get when nobody sets PATH."""


class Program(NamedTuple):
    """What to execute."""

    path: str
    arguments: list[str]


def program(value: str, arguments: Sequence[str], *, shell: bool, search_path: str) -> Program:
    """Give the program of a command: a shell for a command line, else the value itself with exactly these arguments.

    A value without a slash is looked up along search_path; one that is not found stays as it is, so that executing it
    fails with the system's own words. Without arguments the program gets its own name as argument 0.
    """
    if shell:
        return Program(SHELL, ["sh", "-c", value])
    return Program(_find(value, search_path), list(arguments) or [value])


def _find(value: str, search_path: str) -> str:
    if "/" in value or not value:
        return value
    for folder in search_path.split(":"):
        candidate = os.path.join(folder or ".", value)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    return value
