"""The experiments of the paper on Dominant Resource Fairness, on Messor's allocator, printed and drawn.

    pip install 'messor[plots]'          # matplotlib; in a checkout: pip install -e '.[plots]'
    python examples/drf_paper            # writes PNG figures into ./drf_figures
    python examples/drf_paper --no-plots # numbers only, needs nothing; about ten seconds

Time is virtual: six minutes of a 48-machine cluster take about a second.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import experiments
import paper
import policies


def main() -> int:
    """Run everything; gives the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", type=Path, default=Path("drf_figures"), help="folder for the figures")
    options.add_argument("--no-plots", action="store_true", help="print the numbers only")
    options.add_argument(
        "--seconds",
        type=int,
        default=paper.SECTION_7_2_SECONDS,
        help="how long section 7.2 lasts (default: 600, as in the paper)",
    )
    given = options.parse_args()
    if not given.no_plots:
        try:
            import figures
        except ImportError:
            print("The figures need matplotlib: pip install 'messor[plots]', or --no-plots", file=sys.stderr)
            return 1
        given.output.mkdir(parents=True, exist_ok=True)
    steps = experiments.table_1()
    tell_table_1(steps)
    tell_theorems()
    table = experiments.table_2()
    tell_table_2(table)
    series = experiments.section_7_1()
    tell_section_7_1(series)
    results = {policy: experiments.section_7_2(policy, seconds=given.seconds) for policy in paper.POLICIES}
    tell_section_7_2(results)
    if not given.no_plots:
        figures.table_1(steps, given.output / "table_1.png")
        figures.theorems(given.output / "theorems.png")
        figures.table_2(table, given.output / "table_2.png")
        figures.section_7_1(series, given.output / "section_7_1.png")
        figures.section_7_2(results, given.output / "section_7_2.png")
        print("\nFigures: " + ", ".join(str(path) for path in sorted(given.output.glob("*.png"))))
    return 0


def tell_table_1(steps: list[experiments.Step]) -> None:
    """Print the trace beside the paper's."""
    print("Table 1: user served, dominant share (the paper's)")
    for step, (user, share) in zip(steps, paper.TABLE_1_STEPS, strict=True):
        print(f"  {step.user} {step.share:.3f}   ({user} {share} = {float(share):.3f})")
    print(f"  then all CPUs are used, and {steps[-1].mem:.0%} of the memory (1, 78%)")


def tell_theorems() -> None:
    """Print what DRF gives where the paper criticises other policies, and what those give."""
    print("\nSection 6: tasks under DRF, and under the policy that the paper criticises (the paper's number)")
    for number, case in paper.THEOREMS.items():
        print(f"  Theorem {number}: {case.title}")
        tell_situation(case.policy, case.first)
        if case.then is not None:
            print(f"    when {case.change}:")
            tell_situation(case.policy, case.then)


def tell_situation(policy: str, situation: paper.Situation) -> None:
    """Print who has how many tasks."""
    total, users, told = situation
    ours, theirs = experiments.tasks_of(total, users), policies.POLICIES[policy](total, users)
    for name in users:
        print(f"    {name}: {ours[name]:.1f} under DRF, {theirs[name]:.1f} under {policy} ({told[name]:g})")


def tell_table_2(table: dict[str, dict[str, float]]) -> None:
    """Print which policy has which property, beside the paper's table."""
    print("\nTable 2: by how much of a cluster a property is broken at worst (whether the paper says it holds)")
    for title, row in table.items():
        parts = [
            f"{name} {broken:6.1%} ({'yes' if name in paper.TABLE_2[title] else 'no'})" for name, broken in row.items()
        ]
        print(f"  {title:<25} {'  '.join(parts)}")


def tell_section_7_1(series: experiments.Series) -> None:
    """Print mean dominant shares by phase, without its first 20 seconds."""
    print("\nSection 7.1: mean dominant shares by phase")
    length = len(series.times) // len(paper.SECTION_7_1_PHASES)
    for number, shapes in enumerate(paper.SECTION_7_1_PHASES):
        begin, end = length * number + 20, length * (number + 1)
        means = {job: sum(values[begin:end]) / (end - begin) for job, values in series.dominant.items()}
        told = ", ".join(f"{job} {mean:.0%}" for job, mean in means.items())
        jobs = " and ".join(f"⟨{shape['cpus']:g} CPU, {shape['mem']:g} GB⟩" for shape in shapes)
        beside = " (the paper: about 70% and 75%)" if number == 0 else ""
        print(f"  {jobs}: {told}{beside}")


def tell_section_7_2(results: dict[str, experiments.Result]) -> None:
    """Print jobs and response times beside the paper's."""
    print("\nSection 7.2: jobs finished and mean seconds per job (the paper's)")
    for number, (policy, result) in enumerate(results.items()):
        parts = [
            f"{kind} {result.jobs[kind]} ({paper.SECTION_7_2_JOBS[kind][number]}),"
            f" {result.response[kind]:.0f} s ({paper.SECTION_7_2_RESPONSE[kind][number]} s)"
            for kind in paper.SECTION_7_2_TASKS
        ]
        print(f"  {policy:<9} {'; '.join(parts)}")


if __name__ == "__main__":
    sys.exit(main())
