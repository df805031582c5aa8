"""Sizes as Mesos writes them: ``512MB``. Inside they are int bytes; a kilobyte is 1024."""

from __future__ import annotations

import re

from messor.errors import InvalidRequest

_FACTORS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_DIGITS = re.compile(r"[0-9]*")


def parse_size(text: str) -> int:
    """Read ``<number><unit>`` and give bytes; raises InvalidRequest with Mesos' sentence."""
    match = _DIGITS.match(text)
    digits = match.group() if match else ""
    unit = text[len(digits) :]
    if unit.startswith("."):
        raise InvalidRequest(f"Fractional bytes '{text}'")
    if not unit:
        raise InvalidRequest(f"Invalid bytes '{text}'")
    if not digits:
        raise InvalidRequest(f"Failed to convert '{digits}' to number")
    factor = _FACTORS.get(unit.upper())
    if factor is None:
        raise InvalidRequest(f"Unknown bytes unit '{unit.upper()}'")
    return int(digits) * factor


def size_text(size: int) -> str:
    """Write bytes as Mesos prints them: the biggest unit that loses nothing."""
    if size == 0:
        return "0B"
    for unit, factor in reversed(_FACTORS.items()):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    raise AssertionError  # 1 divides everything
