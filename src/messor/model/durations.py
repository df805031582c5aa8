"""Durations as Mesos writes them: ``10secs``, ``15mins``, ``1weeks``. Inside they are float seconds."""

from __future__ import annotations

import re

from messor.errors import InvalidRequest

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "secs": 10**9,
    "mins": 60 * 10**9,
    "hrs": 3600 * 10**9,
    "days": 24 * 3600 * 10**9,
    "weeks": 7 * 24 * 3600 * 10**9,
}
_UNITS = list(_NANOSECONDS.items())
_NUMBER = re.compile(r"[0-9.]*")
_LONGEST = 2**63 - 1


def parse_duration(text: str) -> float:
    """Read ``<number><unit>`` and give seconds; raises InvalidRequest with Mesos' sentence."""
    match = _NUMBER.match(text)
    number = match.group() if match else ""
    unit = text[len(number) :]
    if not unit:
        raise InvalidRequest(f"Invalid duration '{text}'")
    try:
        value = float(number)
    except ValueError:
        raise InvalidRequest(f"Failed to convert '{number}' to number") from None
    factor = _NANOSECONDS.get(unit)
    if factor is None:
        raise InvalidRequest(
            f"Unknown duration unit '{unit}'; supported units are"
            " 'ns', 'us', 'ms', 'secs', 'mins', 'hrs', 'days', and 'weeks'"
        )
    nanoseconds = value * factor
    if nanoseconds > _LONGEST:
        raise InvalidRequest("Argument out of the range that a Duration can represent due to int64_t's size limit")
    return int(nanoseconds) / 1e9


def duration_text(seconds: float) -> str:
    """Write seconds as Mesos prints them: the biggest unit that fits, one smaller when that makes it a whole number."""
    nanoseconds = round(seconds * 1e9)
    sign = ""
    if nanoseconds < 0:
        sign = "-"
        nanoseconds = -nanoseconds
    nanoseconds = min(nanoseconds, _LONGEST)
    chosen = 0
    for index, (_, size) in enumerate(_UNITS):
        if nanoseconds >= size:
            chosen = index
    if chosen:
        size, smaller = _UNITS[chosen][1], _UNITS[chosen - 1][1]
        # Below a millisecond Mesos always goes down to whole nanoseconds.
        if nanoseconds % size and nanoseconds % smaller == 0:
            chosen -= 1
    unit, size = _UNITS[chosen]
    number = str(nanoseconds) if size == 1 else f"{nanoseconds / size:.15g}"
    return f"{sign}{number}{unit}"


def nanoseconds_of(seconds: float) -> int:
    """Give whole nanoseconds, as DurationInfo and TimeInfo carry them."""
    return round(seconds * 1e9)
