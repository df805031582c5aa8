"""Reads the recordings in tests/wire/golden: bytes that real masters, agents and schedulers sent."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent.parent / "wire" / "golden"


def text_lines(name: str) -> list[str]:
    """Give the lines of a recording without comments and headings."""
    lines = (GOLDEN / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def literals(name: str) -> list[Any]:
    """Give the Python literals of a recording, one per line."""
    return [ast.literal_eval(line) for line in text_lines(name)]


def section(name: str, heading: str) -> list[Any]:
    """Give the literals below one heading of a recording."""
    _, _, rest = (GOLDEN / name).read_text().partition(f"## {heading}")
    part = rest.partition("\n## ")[0]
    return [ast.literal_eval(line) for line in part.splitlines()[1:] if line]
