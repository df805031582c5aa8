"""What the paper says, as numbers: Ghodsi et al., Dominant Resource Fairness, NSDI 2011."""

from __future__ import annotations

from fractions import Fraction

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

THEOREMS: dict[str, tuple[Shape, dict[str, Shape], dict[str, float]]] = {
    "asset fairness breaks the sharing incentive (theorem 1)": (
        {"cpus": 30, "mem": 30},
        {"user 1": {"cpus": 1, "mem": 3}, "user 2": {"cpus": 1, "mem": 1}},
        {"user 1": 6, "user 2": 12},
    ),
    "asset fairness breaks bottleneck fairness (theorem 2)": (
        {"cpus": 21, "mem": 21},
        {"user 1": {"cpus": 3, "mem": 2}, "user 2": {"cpus": 4, "mem": 1}},
        {"user 1": 3, "user 2": 3},
    ),
    "asset fairness breaks resource monotonicity (theorem 3)": (
        {"cpus": 77, "mem": 77},
        {"user 1": {"cpus": 4, "mem": 2}, "user 2": {"cpus": 1, "mem": 1}},
        {"user 1": 11, "user 2": 33},
    ),
    "CEEI can be lied to (theorem 4)": (
        {"cpus": 100, "mem": 100},
        {"user 1": {"cpus": 16, "mem": 1}, "user 2": {"cpus": 1, "mem": 2}},
        {"user 1": 3.2, "user 2": 48.8},
    ),
}
"""A total, the users' tasks, and how many tasks each has under the policy that is criticised (section 6)."""

THEOREM_4_LIE: Shape = {"cpus": 16, "mem": 8}
"""What user 1 of theorem 4 pretends to need: CEEI then gives 4.2 tasks instead of 3.2."""

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
