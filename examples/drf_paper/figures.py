"""The experiments as pictures, ours beside the paper's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import experiments
import matplotlib as mpl
import paper
from experiments import Result, Series, Step

mpl.use("Agg")
from matplotlib import pyplot as plt

FIRST, SECOND, PAPER = "#2563eb", "#dc2626", "#94a3b8"


def _new(title: str, rows: int = 1, columns: int = 1, **options: Any) -> Any:
    figure, axes = plt.subplots(rows, columns, layout="constrained", **options)
    figure.suptitle(title, fontsize=12)
    return figure, axes


def table_1(steps: list[Step], path: Path) -> None:
    """Draw who is served when, and the dominant shares after each decision; crosses are the paper's."""
    figure, axes = _new("Table 1: the order in which DRF serves A ⟨1 CPU, 4 GB⟩ and B ⟨3 CPU, 1 GB⟩", figsize=(8, 4.2))
    numbers = range(len(steps) + 1)
    for user, color in (("A", FIRST), ("B", SECOND)):
        shares = [0.0]
        for step in steps:
            shares.append(step.share if step.user == user else shares[-1])
        axes.step(numbers, shares, where="post", color=color, label=f"{user}, dominant share", linewidth=2)
    expected = [float(share) for _, share in paper.TABLE_1_STEPS]
    axes.plot(list(numbers)[1:], expected, "x", color="black", label="the paper", markersize=9)
    for number, step in enumerate(steps, 1):
        axes.annotate(f"{step.user}", (number, step.share), xytext=(0, 8), textcoords="offset points", ha="center")
    axes.set(xlabel="decision", ylabel="dominant share", ylim=(0, 0.8), xticks=list(numbers))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def theorems(path: Path) -> None:
    """Draw the dominant shares DRF gives where the paper shows what other policies do wrong."""
    figure, axes = _new(
        "Section 6: dominant shares where other policies go wrong", 1, 4, figsize=(13, 3.8), sharey=True
    )
    for axis, (title, (total, users, others)) in zip(axes, paper.THEOREMS.items(), strict=True):
        ours = experiments.dominant_shares(total, users, experiments.tasks_of(total, users))
        theirs = experiments.dominant_shares(total, users, others)  # type: ignore[arg-type]  # CEEI's are no integers
        places = range(len(users))
        axis.bar([one - 0.2 for one in places], ours.values(), 0.4, color=FIRST, label="DRF (Messor)")
        axis.bar([one + 0.2 for one in places], theirs.values(), 0.4, color=PAPER, label="the other policy (paper)")
        axis.axhline(0.5, color="black", linestyle=":", linewidth=1)
        axis.set_title(title.replace(" breaks ", " breaks\n").replace(" (", "\n("), fontsize=9)
        axis.set_xticks(list(places), list(users))
    axes[0].set_ylabel("dominant share")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def section_7_1(series: Series, path: Path) -> None:
    """Draw the shares of CPU and memory of both jobs, and their dominant shares."""
    figure, axes = _new(
        "Section 7.1: two jobs on 48 machines, whose tasks change shape twice", 3, 1, figsize=(9, 8), sharex=True
    )
    for job, color in (("job 1", FIRST), ("job 2", SECOND)):
        for axis, (resource, noun) in zip(axes, (("cpus", "CPU share"), ("mem", "memory share")), strict=False):
            axis.plot(series.times, series.shares[job][resource], color=color, label=job)
            axis.set_ylabel(noun)
        axes[2].plot(series.times, series.dominant[job], color=color, label=job)
    axes[2].set(ylabel="dominant share", xlabel="seconds")
    length = series.times[-1] / len(paper.SECTION_7_1_PHASES)
    for job, color in (("job 1", FIRST), ("job 2", SECOND)):
        value = paper.SECTION_7_1_FIRST[job]
        axes[2].hlines(value, 0, length, color=color, linestyle="--", label=f"{job}, the paper: about {value:.0%}")
    for axis in axes:
        axis.set_ylim(0, 1)
        for number in range(1, len(paper.SECTION_7_1_PHASES)):
            axis.axvline(length * number, color="black", linestyle=":", linewidth=1)
    for number, shapes in enumerate(paper.SECTION_7_1_PHASES):
        text = " and ".join(f"⟨{shape['cpus']:g} CPU, {shape['mem']:g} GB⟩" for shape in shapes)
        axes[0].text(length * (number + 0.5), 0.93, text, ha="center", fontsize=8)
    axes[2].legend(fontsize=8, loc="lower left", ncols=2)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def section_7_2(results: dict[str, Result], path: Path) -> None:
    """Draw jobs finished and response times by policy, beside the paper's."""
    figure, axes = _new("Section 7.2: small and large tasks under six policies, 10 minutes", 2, 2, figsize=(11, 7))
    places = range(len(results))
    for column, kind in enumerate(paper.SECTION_7_2_TASKS):
        numbers = [paper.POLICIES.index(policy) for policy in results]
        rows = (
            (
                "jobs finished",
                [one.jobs[kind] for one in results.values()],
                [paper.SECTION_7_2_JOBS[kind][number] for number in numbers],
            ),
            (
                "mean seconds per job",
                [one.response[kind] for one in results.values()],
                [paper.SECTION_7_2_RESPONSE[kind][number] for number in numbers],
            ),
        )
        for row, (noun, ours, theirs) in enumerate(rows):
            axis = axes[row][column]
            axis.bar([one - 0.2 for one in places], ours, 0.4, color=FIRST, label="Messor, simulated")
            axis.bar([one + 0.2 for one in places], theirs, 0.4, color=PAPER, label="the paper, measured")
            axis.set_xticks(list(places), list(results), fontsize=8)
            axis.set_title(f"{kind} tasks: {noun}", fontsize=10)
    axes[0][0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
