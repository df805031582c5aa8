"""How a benchmark prints its figures: one JSON line each, with the original's beside it where it was measured."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Theirs(NamedTuple):
    """What the C++ original needs for the same, on the same kind of machine; a range where runs differed."""

    low: float
    high: float | None = None


def show(
    identifier: str, work: str, value: float, unit: str, limit: float | None, theirs: Theirs | None = None
) -> None:
    """Print a figure; smaller is better."""
    row: dict[str, Any] = {
        "id": identifier,
        "work": work,
        "value": round(value, 2),
        "unit": unit,
        "limit": limit,
        "ok": limit is None or value <= limit,
    }
    if theirs is not None:
        row["theirs"] = theirs.low if theirs.high is None else [theirs.low, theirs.high]
        row["ratio"] = round(theirs.low / value, 1) if value else None
    print(json.dumps(row), flush=True)
