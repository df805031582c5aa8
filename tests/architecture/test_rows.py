"""Every row of the contract of drivers has a test that is named after it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
ROWS = range(1, 80)
"""S1 to S79: callbacks and calls of schedulers (S1-S48) and executors (S49-S63), programs and other bindings' APIs."""


def named_rows() -> set[int]:
    """Numbers in names such as ``test_s22_s23_a_launch_is_one_accept``."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"^\s*def (test_s\d\w*)\(", path.read_text(), re.MULTILINE):
            head = re.match(r"test((?:_s\d+)+)_", name)
            found |= set(map(int, re.findall(r"\d+", head.group(1)))) if head else set()
    return found


def test_every_row_of_the_drivers_contract_has_a_test_of_its_name() -> None:
    """So that a row that breaks is known by its number."""
    assert sorted(set(ROWS) - named_rows()) == []
