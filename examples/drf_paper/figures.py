"""The experiments as pictures, ours beside the paper's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import experiments
import matplotlib as mpl
import paper
import policies
from experiments import Result, Series, Step

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

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
    """Draw what DRF gives where the paper shows what other policies do wrong, also after something changed.

    Tasks are drawn as parts of what fits at first, so that dominant shares are seen before a change, and who wins or
    loses by it after. Crosses are the paper's numbers.
    """
    figure, axes = _new("Section 6: where other policies go wrong, and DRF", 2, 3, figsize=(13, 8), sharey=True)
    for axis, (number, case) in zip(axes.flat, paper.THEOREMS.items(), strict=False):
        situations = [case.first] if case.then is None else [case.first, case.then]
        _draw_bars(axis, case, situations)
        users = case.first.users
        axis.set_xticks(range(len(users)), [f"{name}\n{_text(shape)}" for name, shape in users.items()])
        axis.axhline(1 / len(users), color="black", linestyle=":", linewidth=1)
        axis.set_title(f"{number}: {case.title}" + (f"\nwhen {case.change}" if case.change else ""), fontsize=10)
    for axis in axes[:, 0]:
        axis.set_ylabel("part of what fits at first")
    _explain(axes.flat[-1])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _text(shape: paper.Shape) -> str:
    return f"⟨{shape['cpus']:g}, {shape['mem']:g}⟩"


def _draw_bars(axis: Any, case: paper.Case, situations: list[paper.Situation]) -> None:
    """Draw the bars of all users side by side: ours, then the other policy's; those after a change are hatched."""
    given = [experiments.tasks_of(one.total, one.users) for one in situations]
    given += [policies.POLICIES[case.policy](one.total, one.users) for one in situations]
    width = 0.8 / len(given)
    for number, tasks in enumerate(given):
        after, is_other = number % len(situations), number >= len(situations)
        style = {"edgecolor": "white", "hatch": "////"} if after else {}
        for place, name in enumerate(tasks):
            x = place + (number - (len(given) - 1) / 2) * width
            part = policies.dominant_share(case.first.total, case.first.users[name])
            axis.bar(x, tasks[name] * part, width * 0.95, color=PAPER if is_other else FIRST, **style)
            if is_other:
                axis.plot(x, situations[after].told[name] * part, "x", color="black", markersize=7)


def _explain(axis: Any) -> None:
    """Use the last place for the legend."""
    axis.axis("off")
    handles = [
        Patch(color=FIRST, label="DRF, Messor's allocator"),
        Patch(color=PAPER, label="the other policy, worked out"),
        Patch(facecolor=PAPER, edgecolor="white", hatch="////", label="after the change"),
        Line2D([], [], color="black", marker="x", linestyle="", markersize=7, label="the paper's number"),
        Line2D([], [], color="black", linestyle=":", label="an equal part"),
    ]
    axis.legend(handles=handles, loc="center", fontsize=11, frameon=False)


def table_2(table: dict[str, dict[str, float]], path: Path) -> None:
    """Draw who has which property: the part by which it is broken at worst, and the paper's ticks."""
    names = list(next(iter(table.values())))
    figure, axis = _new("Table 2: by what part of a cluster a property is broken at worst", figsize=(8.5, 4.6))
    for row, (title, found) in enumerate(table.items()):
        for column, name in enumerate(names):
            holds = experiments.holds(name, found[name])
            told = "✓" if name in paper.TABLE_2[title] else "✗"
            axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color="#dbeafe" if holds else "#fee2e2"))
            text = f"{found[name]:.1%} {'✓' if holds else '✗'}   (the paper: {told})"
            axis.text(column, row, text, ha="center", va="center", fontsize=9)
    heads = ["DRF, Messor's allocator" if name == "DRF" else f"{name}, worked out" for name in names]
    axis.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(table) - 0.5, -0.5))
    axis.set_xticks(range(len(names)), heads)
    axis.set_yticks(range(len(table)), list(table))
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
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
