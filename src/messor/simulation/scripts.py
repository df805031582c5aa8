"""Programs of simulated containers: shell-like text that takes virtual time.

``sleep 5; exit 1``: statements are ``sleep SECONDS``, ``exit CODE``, ``trap '' TERM`` (SIGTERM is ignored) and anything
else, which takes no time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

FOREVER = float("inf")


class Script(NamedTuple):
    """How long a program runs and how it ends."""

    seconds: float
    exit_code: int
    ignores_term: bool


def parse_script(text: str) -> Script:
    """Read a program; without ``exit`` it ends with 0."""
    seconds = 0.0
    ignores_term = False
    for statement in re.split(r"[;\n]|&&", text):
        words = statement.split()
        if not words:
            continue
        if words[0] == "sleep" and len(words) > 1:
            seconds += FOREVER if words[1] in ("infinity", "inf") else float(words[1])
        elif words[0] == "trap":
            ignores_term = True
        elif words[0] == "exit":
            return Script(seconds, int(words[1]) if len(words) > 1 else 0, ignores_term)
        elif words[0] == "false":
            return Script(seconds, 1, ignores_term)
    return Script(seconds, 0, ignores_term)
