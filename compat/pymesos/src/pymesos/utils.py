"""Durations as Mesos writes them, and bytes as its JSON carries them."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

DAY = 24 * 60 * 60.0

POSTFIX = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1.0,
    "mins": 60.0,
    "hrs": 3600.0,
    "days": DAY,
    "weeks": 7 * DAY,
}


def parse_duration(text: str) -> float:
    """Give the seconds of a duration such as ``1.5mins``; raises ValueError for anything else."""
    stripped = text.strip()
    for unit, seconds in POSTFIX.items():
        if stripped.endswith(unit):
            try:
                return float(stripped[: -len(unit)]) * seconds
            except ValueError:
                continue  # "mins" ends with "ns", too
    raise ValueError(f"Cannot read '{text}' as a duration: expecting a number and one of {', '.join(POSTFIX)}")


def encode_data(data: bytes | str) -> str:
    """Write bytes (or text, as UTF-8) as base64, the way Mesos' JSON carries them."""
    return b2a_base64(data.encode() if isinstance(data, str) else data, newline=False).decode("ascii")


def decode_data(data: bytes | str) -> bytes:
    """Read base64 back into bytes; raises binascii.Error (a ValueError) when it is none."""
    return a2b_base64(data)
