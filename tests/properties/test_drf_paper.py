"""The DRF paper's examples on our allocator: exact where the paper is exact, in order where it measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "drf_paper"
MODULES = ("experiments", "figures", "paper", "room")


@pytest.fixture(scope="module")
def experiments() -> Iterator[ModuleType]:
    """Import the example as a program does: its folder first on the path."""
    sys.path.insert(0, str(FOLDER))
    import experiments  # type: ignore[import-not-found]

    yield experiments
    sys.path.remove(str(FOLDER))
    for name in MODULES:
        sys.modules.pop(name, None)


def test_table_1_is_reproduced_exactly(experiments: ModuleType) -> None:
    """B, A, A, B, A with these dominant shares; CPUs full, memory at 14/18."""
    steps = experiments.table_1()
    assert [step.user for step in steps] == ["B", "A", "A", "B", "A"]
    assert [step.share for step in steps] == pytest.approx([1 / 3, 2 / 9, 4 / 9, 2 / 3, 2 / 3])
    assert [step.cpus for step in steps] == pytest.approx([3 / 9, 4 / 9, 5 / 9, 8 / 9, 1])
    assert [step.mem for step in steps] == pytest.approx([1 / 18, 5 / 18, 9 / 18, 10 / 18, 14 / 18])


def test_drf_gives_everybody_half_where_asset_fairness_does_not(experiments: ModuleType) -> None:
    """Theorem 1: asset fairness leaves user 2 with 12 of 30 of both resources."""
    total, users, other = experiments.paper.THEOREMS["asset fairness breaks the sharing incentive (theorem 1)"]
    tasks = experiments.tasks_of(total, users)
    assert tasks == {"user 1": 5, "user 2": 15}
    assert set(experiments.dominant_shares(total, users, tasks).values()) == {0.5}
    assert experiments.dominant_shares(total, users, other)["user 2"] == 0.4


@pytest.mark.parametrize("number", range(1, 5))
def test_dominant_shares_differ_by_at_most_one_task(experiments: ModuleType, number: int) -> None:
    """Theorem 7: what DRF with whole tasks misses of equality."""
    title = next(title for title in experiments.paper.THEOREMS if f"theorem {number})" in title)
    total, users, _ = experiments.paper.THEOREMS[title]
    shares = experiments.dominant_shares(total, users, experiments.tasks_of(total, users))
    largest = max(experiments.dominant_shares(total, users, dict.fromkeys(users, 1)).values())
    assert max(shares.values()) - min(shares.values()) <= largest + 1e-9


def test_whoever_lies_gains_nothing(experiments: ModuleType) -> None:
    """Theorem 4: under CEEI user 1 would run 4.2 tasks instead of 3.2."""
    total, users, _ = experiments.paper.THEOREMS["CEEI can be lied to (theorem 4)"]
    honest = experiments.tasks_of(total, users)["user 1"]
    lying = experiments.tasks_of(total, {**users, "user 1": experiments.paper.THEOREM_4_LIE})["user 1"]
    assert lying <= honest


def test_section_7_1_settles_where_the_paper_says(experiments: ModuleType) -> None:
    """About 70 % of memory and 75 % of CPUs, then equal dominant shares whatever the tasks look like."""
    series = experiments.section_7_1(phase_seconds=40)
    means = [
        {job: sum(values[begin + 20 : begin + 40]) / 20 for job, values in series.dominant.items()}
        for begin in (0, 40, 80)
    ]
    assert means[0] == pytest.approx({"job 1": 0.70, "job 2": 0.75}, abs=0.02)
    for mean in means[1:]:
        assert mean["job 1"] == pytest.approx(mean["job 2"], abs=0.03)


def test_section_7_2_is_won_by_drf(experiments: ModuleType) -> None:
    """More large jobs than under any other policy, and faster; more small ones than with any number of slots."""
    results = {policy: experiments.section_7_2(policy, seconds=260) for policy in ("DRF", "3 slots", "6 slots")}
    drf = results.pop("DRF")
    for result in results.values():
        assert drf.jobs["large"] >= result.jobs["large"]
        assert drf.jobs["small"] > result.jobs["small"]
        assert drf.response["large"] < result.response["large"]
        assert drf.response["small"] < result.response["small"]
    assert results["6 slots"].response["large"] > 2 * results["3 slots"].response["large"]


def test_the_figures_are_drawn(experiments: ModuleType, tmp_path: Path) -> None:
    """As PNG files with something in them."""
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'messor[plots]'")
    import figures  # type: ignore[import-not-found]

    figures.table_1(experiments.table_1(), tmp_path / "table_1.png")
    figures.theorems(tmp_path / "theorems.png")
    figures.section_7_1(experiments.section_7_1(phase_seconds=5), tmp_path / "section_7_1.png")
    results = {
        "DRF": experiments.section_7_2("DRF", seconds=80),
        "3 slots": experiments.section_7_2("3 slots", seconds=90),
    }
    figures.section_7_2(results, tmp_path / "section_7_2.png")
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 10_000
    assert len(list(tmp_path.iterdir())) == 4
