"""Fixed-point numbers with three decimals, as Mesos compares and adds cpus and mem.

A scalar is an ``int`` count of thousandths ("milli") wherever we calculate, and a ``float`` only on the wire. So
0.1 + 0.2 is 0.3, and nothing drifts.
"""

from __future__ import annotations

MILLI = 1000
"""Thousandths in one."""

_NOT_A_NUMBER = -(2**63)
"""What NaN, infinities and numbers beyond 64 bits become: negative, hence refused by every validator."""


def to_milli(value: float) -> int:
    """Round to thousandths, halves away from zero; what is no number of 64 bits becomes hugely negative."""
    scaled = value * 1000.0
    if not -9.2e18 < scaled < 9.2e18:  # also true for NaN
        return _NOT_A_NUMBER
    nearest = round(scaled)
    rest = scaled - nearest
    if rest == 0.5:
        return nearest + 1 if scaled > 0 else nearest
    if rest == -0.5:
        return nearest if scaled > 0 else nearest - 1
    return nearest


def to_float(milli: int) -> float:
    """Give the number on the wire: whole part plus thousandths, which is how Mesos avoids long divisions."""
    if milli >= 0:
        return float(milli // 1000) + (milli % 1000) / 1000.0
    return -to_float(-milli)


def scalar_text(milli: int) -> str:
    """Write a scalar as Mesos prints it: at most 15 significant digits, no trailing zeros."""
    return f"{to_float(milli):.15g}"
