"""What the paper says, as numbers: Ghodsi et al., Dominant Resource Fairness, NSDI 2011."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

Shape = dict[str, float]

TABLE_1_TOTAL: Shape = {"cpus": 9, "mem": 18}
TABLE_1_USERS: dict[str, Shape] = {"A": {"cpus": 1, "mem": 4}, "B": {"cpus": 3, "mem": 1}}
TABLE_1_STEPS = [
    ("B", Fraction(1, 3)),
    ("A", Fraction(2, 9)),
    ("A", Fraction(4, 9)),
    ("B", Fraction(2, 3)),
    ("A", Fraction(2, 3)),
]
"""Who is served, and that user's dominant share afterwards (section 4.1, table 1)."""

ASSET_FAIRNESS_TABLE_1 = {"A": 2.52, "B": 2.16}
CEEI_TABLE_1 = {"A": 45 / 11, "B": 18 / 11}
"""How many tasks each would have under the two other policies (section 5)."""


class Situation(NamedTuple):
    """What there is, who asks for what per task, and how many tasks the paper says each has."""

    total: Shape
    users: dict[str, Shape]
    told: dict[str, float]


class Case(NamedTuple):
    """What the paper shows of another policy."""

    title: str
    policy: str
    first: Situation
    change: str = ""
    """What happens then, if something does."""
    then: Situation | None = None


_HUNDRED: Shape = {"cpus": 100, "mem": 100}
_THEOREM_3: dict[str, Shape] = {"user 1": {"cpus": 4, "mem": 2}, "user 2": {"cpus": 1, "mem": 1}}
_THEOREM_4: dict[str, Shape] = {"user 1": {"cpus": 16, "mem": 1}, "user 2": {"cpus": 1, "mem": 2}}
_THEOREM_5: dict[str, Shape] = {
    "user 1": {"cpus": 4, "mem": 1},
    "user 2": {"cpus": 1, "mem": 16},
    "user 3": {"cpus": 16, "mem": 1},
}

THEOREMS: dict[int, Case] = {
    1: Case(
        "Asset fairness breaks the sharing incentive",
        "asset fairness",
        Situation(
            {"cpus": 30, "mem": 30},
            {"user 1": {"cpus": 1, "mem": 3}, "user 2": {"cpus": 1, "mem": 1}},
            {"user 1": 6, "user 2": 12},
        ),
    ),
    2: Case(
        "Asset fairness breaks bottleneck fairness",
        "asset fairness",
        Situation(
            {"cpus": 21, "mem": 21},
            {"user 1": {"cpus": 3, "mem": 2}, "user 2": {"cpus": 4, "mem": 1}},
            {"user 1": 3, "user 2": 3},
        ),
    ),
    3: Case(
        "Asset fairness breaks resource monotonicity",
        "asset fairness",
        Situation({"cpus": 77, "mem": 77}, _THEOREM_3, {"user 1": 11, "user 2": 33}),
        "there is twice the memory",
        Situation({"cpus": 77, "mem": 154}, _THEOREM_3, {"user 1": 10.5, "user 2": 35}),
    ),
    4: Case(
        "CEEI can be lied to",
        "CEEI",
        Situation(_HUNDRED, _THEOREM_4, {"user 1": 3.2, "user 2": 48.8}),
        "user 1 asks for ⟨16, 8⟩",
        Situation(_HUNDRED, {**_THEOREM_4, "user 1": {"cpus": 16, "mem": 8}}, {"user 1": 4.2, "user 2": 33.3}),
    ),
    5: Case(
        "CEEI breaks population monotonicity",
        "CEEI",
        Situation(_HUNDRED, _THEOREM_5, {"user 1": 11.3, "user 2": 5.4, "user 3": 3.1}),
        "user 3 leaves",
        Situation(
            _HUNDRED,
            {name: _THEOREM_5[name] for name in ("user 1", "user 2")},
            {"user 1": 23.8, "user 2": 4.8},
        ),
    ),
}
"""Section 6 and the appendix, by theorem."""

TABLE_2 = {
    "sharing incentive": {"CEEI", "DRF"},
    "strategy-proofness": {"asset fairness", "DRF"},
    "envy-freeness": {"asset fairness", "CEEI", "DRF"},
    "Pareto efficiency": {"asset fairness", "CEEI", "DRF"},
    "single resource fairness": {"asset fairness", "CEEI", "DRF"},
    "bottleneck fairness": {"CEEI", "DRF"},
    "population monotonicity": {"asset fairness", "DRF"},
    "resource monotonicity": set[str](),
}
"""Which policies have which properties."""

SECTION_7_1_NODES = 48
SECTION_7_1_NODE: Shape = {"cpus": 4, "mem": 14}
SECTION_7_1_PHASES: list[tuple[Shape, Shape]] = [
    ({"cpus": 1, "mem": 10}, {"cpus": 1, "mem": 1}),
    ({"cpus": 2, "mem": 4}, {"cpus": 1, "mem": 3}),
    ({"cpus": 1, "mem": 7}, {"cpus": 1, "mem": 4}),
]
SECTION_7_1_SECONDS = 120
SECTION_7_1_FIRST = {"job 1": 0.70, "job 2": 0.75}
"""About what dominant shares (memory, CPU) the jobs have in the first phase."""

SECTION_7_2_NODES = 48
SECTION_7_2_NODE: Shape = {"cpus": 8, "mem": 6}
SECTION_7_2_TASKS: dict[str, Shape] = {"small": {"cpus": 1, "mem": 0.5}, "large": {"cpus": 2, "mem": 2}}
SECTION_7_2_USERS = 4
SECTION_7_2_TASKS_PER_JOB = 80
SECTION_7_2_SECONDS = 600
POLICIES = ("DRF", "3 slots", "4 slots", "5 slots", "6 slots", "CPU fair")
SECTION_7_2_JOBS = {"large": (35, 33, 30, 17, 8, 13), "small": (91, 37, 61, 66, 35, 94)}
SECTION_7_2_RESPONSE = {"large": (65, 69, 72, 123, 196, 173), "small": (25, 61, 39, 35, 56, 25)}
"""Jobs finished and mean seconds a job takes, by policy (figures 9 to 12)."""
