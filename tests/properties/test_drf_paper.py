"""The DRF paper on our allocator: its examples exactly, its theorems by looking for what would break them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "drf_paper"
MODULES = ("experiments", "fairness", "figures", "paper", "policies", "room")

PROPERTIES = (
    "sharing incentive",
    "strategy-proofness",
    "envy-freeness",
    "Pareto efficiency",
    "single resource fairness",
    "bottleneck fairness",
    "population monotonicity",
)
"""What DRF has (table 2)."""

amounts = st.integers(4, 12)
shapes = st.fixed_dictionaries({"cpus": amounts, "mem": amounts})
totals = st.fixed_dictionaries({"cpus": st.integers(60, 140), "mem": st.integers(60, 140)})
users = st.lists(shapes, min_size=2, max_size=4).map(
    lambda shapes: {f"user {number}": shape for number, shape in enumerate(shapes, 1)}
)
few = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
many = settings(few, max_examples=50)


@pytest.fixture(scope="module")
def experiments() -> Iterator[Any]:
    """Import the example as a program does: its folder first on the path."""
    sys.path.insert(0, str(FOLDER))
    import experiments  # type: ignore[import-not-found]

    yield experiments
    sys.path.remove(str(FOLDER))
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def paper(experiments: Any) -> Any:
    """Give the paper's numbers."""
    return experiments.paper


@pytest.fixture(scope="module")
def policies(experiments: Any) -> ModuleType:
    """Give the policies that are worked out."""
    return sys.modules["policies"]


@pytest.fixture(scope="module")
def room(experiments: Any) -> ModuleType:
    """Give what runs an allocator."""
    return sys.modules["room"]


@pytest.fixture(scope="module")
def table_2(experiments: Any) -> Any:
    """Work table 2 out, of fewer economies than the example does."""
    return experiments.table_2(count=3, exact=60)


# --- section 4 -------------------------------------------------------------------------------------------------------


def test_table_1_is_reproduced_exactly(experiments: Any, paper: Any) -> None:
    """B, A, A, B, A with these dominant shares; CPUs full, memory at 14/18."""
    steps = experiments.table_1()
    assert [step.user for step in steps] == [user for user, _ in paper.TABLE_1_STEPS] == ["B", "A", "A", "B", "A"]
    assert [step.share for step in steps] == pytest.approx([1 / 3, 2 / 9, 4 / 9, 2 / 3, 2 / 3])
    assert [step.cpus for step in steps] == pytest.approx([3 / 9, 4 / 9, 5 / 9, 8 / 9, 1])
    assert [step.mem for step in steps] == pytest.approx([1 / 18, 5 / 18, 9 / 18, 10 / 18, 14 / 18])


@many
@given(total=totals, users=users)
def test_each_task_goes_to_the_smallest_share_it_fits(
    room: Any, total: dict[str, float], users: dict[str, dict[str, float]]
) -> None:
    """Algorithm 1, decision by decision, until no task of anybody fits."""
    _, steps = room.fill(total, users)
    left, held = dict(total), dict.fromkeys(users, 0.0)
    for served, share in steps:
        fitting = [name for name in users if all(users[name][one] <= left[one] for one in left)]
        assert held[served] <= min(held[name] for name in fitting) + 1e-9
        left = {one: left[one] - users[served][one] for one in left}
        held[served] = share
    assert not [name for name in users if all(users[name][one] <= left[one] for one in left)]


@many
@given(total=totals, users=users)
def test_dominant_shares_differ_by_at_most_one_task(
    room: Any, total: dict[str, float], users: dict[str, dict[str, float]]
) -> None:
    """Theorem 7: what DRF with whole tasks misses of equality, until the first who is next finds no room."""
    _, steps = room.fill(total, users)
    left, held = dict(total), dict.fromkeys(users, 0.0)
    largest = max(amount / total[one] for shape in users.values() for one, amount in shape.items())
    for served, share in steps:
        poorest = min(users, key=lambda name: (round(held[name], 9), name))
        if any(users[poorest][one] > left[one] for one in left):
            break
        held[served] = share
        left = {one: left[one] - users[served][one] for one in left}
        assert max(held.values()) - min(held.values()) <= largest + 1e-9


def test_tasks_in_parts_are_shared_as_if_they_could_be_split(experiments: Any, paper: Any, policies: Any) -> None:
    """So that theorems on divisible tasks can be seen: within a few parts of the exact outcome."""
    for case in paper.THEOREMS.values():
        for situation in filter(None, (case.first, case.then)):
            exact = policies.drf(situation.total, situation.users)
            ours = experiments.tasks_of(situation.total, situation.users)
            largest = max(policies.dominant_share(situation.total, shape) for shape in situation.users.values())
            for name, shape in situation.users.items():
                part = policies.dominant_share(situation.total, shape)
                assert (ours[name] - exact[name]) * part == pytest.approx(0, abs=4 * largest / experiments.PARTS)


# --- sections 5 and 6 ------------------------------------------------------------------------------------------------


def test_the_other_policies_share_table_1_as_the_paper_says(paper: Any, policies: Any) -> None:
    """Asset fairness and CEEI, worked out."""
    total, users = paper.TABLE_1_TOTAL, paper.TABLE_1_USERS
    assert policies.asset_fairness(total, users) == pytest.approx(paper.ASSET_FAIRNESS_TABLE_1)
    assert policies.ceei(total, users) == pytest.approx(paper.CEEI_TABLE_1)
    assert policies.drf(total, users) == pytest.approx({"A": 3, "B": 2})


@pytest.mark.parametrize("theorem", range(1, 6))
def test_the_other_policies_do_what_the_theorem_says(paper: Any, policies: Any, theorem: int) -> None:
    """Before and after what changes; the paper rounds."""
    case = paper.THEOREMS[theorem]
    for situation in filter(None, (case.first, case.then)):
        found = policies.POLICIES[case.policy](situation.total, situation.users)
        assert found == pytest.approx(situation.told, rel=0.015)


def outcomes(experiments: Any, paper: Any, policies: Any, theorem: int) -> Any:
    """Give our shares and the other policy's, of what there is at first, before and after the change."""
    case = paper.THEOREMS[theorem]
    total, shapes, _ = case.first

    def shares(policy: Any, situation: Any) -> dict[str, float]:
        tasks = policy(situation.total, situation.users)
        return {name: policies.dominant_share(total, shapes[name], tasks[name]) for name in tasks}

    both = (experiments.tasks_of, policies.POLICIES[case.policy])
    return [
        [shares(policy, situation) for situation in (case.first, case.then) if situation is not None] for policy in both
    ]


def test_nobody_gets_less_than_an_equal_part(experiments: Any, paper: Any, policies: Any) -> None:
    """Theorem 1: asset fairness leaves user 2 with 12 of 30 of both resources, which are less than half."""
    (ours,), (other,) = outcomes(experiments, paper, policies, 1)
    assert ours == pytest.approx({"user 1": 0.5, "user 2": 0.5})
    assert other["user 2"] == pytest.approx(0.4)


def test_the_bottleneck_is_shared_evenly(experiments: Any, paper: Any, policies: Any) -> None:
    """Theorem 2: asset fairness gives user 1 three sevenths of the CPUs both need most of."""
    (ours,), (other,) = outcomes(experiments, paper, policies, 2)
    assert ours == pytest.approx({"user 1": 0.5, "user 2": 0.5}, abs=0.01)
    assert other == pytest.approx({"user 1": 3 / 7, "user 2": 4 / 7})


def test_more_memory_takes_nothing_from_user_1(experiments: Any, paper: Any, policies: Any) -> None:
    """Theorem 3: asset fairness takes half a task of user 1 when there is twice the memory; DRF does not."""
    (before, after), (other_before, other_after) = outcomes(experiments, paper, policies, 3)
    assert after == pytest.approx(before)
    assert other_after["user 1"] < other_before["user 1"] - 0.02


def test_no_lie_of_user_1_gains_anything(experiments: Any, paper: Any, policies: Any) -> None:
    """Theorem 4: no lie of a grid helps under DRF; under CEEI that of the paper gains 29 %, and others do too."""
    total, users, _ = paper.THEOREMS[4].first
    truth = users["user 1"]

    def gains(policy: Any) -> list[float]:
        honest, found = policy(total, users)["user 1"], []
        for lie in lies:
            tasks = policy(total, {**users, "user 1": lie})["user 1"]
            held = {one: tasks * amount for one, amount in lie.items()}
            found.append(policies.useful(truth, held) - honest)
        return found

    parts = 10
    lies = [{"cpus": cpus, "mem": mem} for cpus in (8, 16, 24) for mem in (0.5, 2, 8, 16)]
    largest_part = 24 / 16 / parts  # a part of the largest task asked for, in true tasks
    assert max(gains(lambda *economy: experiments.tasks_of(*economy, parts))) <= largest_part
    by_ceei = gains(policies.ceei)
    assert by_ceei[lies.index({"cpus": 16, "mem": 8})] == pytest.approx(4.2 - 3.2, abs=0.1)
    assert sum(gain > largest_part for gain in by_ceei) > 2


def test_nobody_loses_when_somebody_leaves(experiments: Any, paper: Any, policies: Any) -> None:
    """Theorem 5: CEEI takes from user 2 when user 3 leaves; DRF gives everybody more."""
    (before, after), (other_before, other_after) = outcomes(experiments, paper, policies, 5)
    assert all(after[name] > before[name] + 0.1 for name in after)
    assert other_after["user 2"] < other_before["user 2"] - 0.05


@pytest.mark.parametrize("title", PROPERTIES)
@few
@given(total=totals, users=users)
def test_drf_has_the_properties_of_table_2(
    experiments: Any, title: str, total: dict[str, float], users: dict[str, dict[str, float]]
) -> None:
    """Whatever users need: broken by no more than a few parts of tasks."""
    economy = sys.modules["fairness"].Economy(total, users)
    assert experiments.holds("DRF", experiments.PROPERTIES[title](experiments.tasks_of, economy))


def test_drf_is_not_resource_monotonic(experiments: Any, policies: Any) -> None:
    """As no policy is that gives everybody an equal part at least and wastes nothing: more CPUs take from user 2."""
    users = {"user 1": {"cpus": 2, "mem": 1}, "user 2": {"cpus": 1, "mem": 2}}
    before = experiments.tasks_of({"cpus": 60, "mem": 60}, users)
    after = experiments.tasks_of({"cpus": 120, "mem": 60}, users)
    assert before == pytest.approx({"user 1": 20, "user 2": 20}, abs=0.1)
    assert after == pytest.approx({"user 1": 30, "user 2": 15}, abs=0.1)
    assert policies.drf({"cpus": 120, "mem": 60}, users) == pytest.approx({"user 1": 30, "user 2": 15})


def test_table_2_is_reproduced(experiments: Any, paper: Any, table_2: Any) -> None:
    """Each tick holds in all made-up economies, each missing one is missing for a reason that was found."""
    for title, row in table_2.items():
        assert {name for name, broken in row.items() if experiments.holds(name, broken)} == paper.TABLE_2[title], title


# --- section 7 -------------------------------------------------------------------------------------------------------


def test_section_7_1_settles_where_the_paper_says(experiments: Any) -> None:
    """About 70 % of memory and 75 % of CPUs, then equal dominant shares whatever the tasks look like."""
    series = experiments.section_7_1(phase_seconds=40)
    means = [
        {job: sum(values[begin + 20 : begin + 40]) / 20 for job, values in series.dominant.items()}
        for begin in (0, 40, 80)
    ]
    assert means[0] == pytest.approx({"job 1": 0.70, "job 2": 0.75}, abs=0.02)
    for mean in means[1:]:
        assert mean["job 1"] == pytest.approx(mean["job 2"], abs=0.03)


def test_section_7_2_is_won_by_drf(experiments: Any, paper: Any) -> None:
    """More large jobs than under any other policy, and faster; more small ones than with any number of slots.

    Fairness of CPUs alone serves small jobs about as well, at the cost of the large ones.
    """
    results = {policy: experiments.section_7_2(policy, seconds=300) for policy in paper.POLICIES if policy != "4 slots"}
    drf = results.pop("DRF")
    for result in results.values():
        assert drf.jobs["large"] >= result.jobs["large"]
        assert drf.response["large"] < result.response["large"]
    by_cpus = results.pop("CPU fair")
    assert by_cpus.jobs["small"] > 0.6 * drf.jobs["small"]
    assert by_cpus.jobs["small"] > max(result.jobs["small"] for result in results.values())
    assert by_cpus.jobs["large"] < 0.8 * drf.jobs["large"]
    assert by_cpus.response["large"] > 1.3 * drf.response["large"]
    for result in results.values():
        assert drf.jobs["small"] > result.jobs["small"]
        assert drf.response["small"] < result.response["small"]
    slots = [results[f"{count} slots"] for count in (3, 5, 6)]
    assert [one.jobs["large"] for one in slots] == sorted((one.jobs["large"] for one in slots), reverse=True)
    assert [one.response["large"] for one in slots] == sorted(one.response["large"] for one in slots)
    assert slots[1].jobs["small"] == max(one.jobs["small"] for one in slots)


def test_the_figures_are_drawn(experiments: Any, table_2: Any, tmp_path: Path) -> None:
    """As PNG files with something in them."""
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'messor[plots]'")
    import figures  # type: ignore[import-not-found]

    figures.table_1(experiments.table_1(), tmp_path / "table_1.png")
    figures.theorems(tmp_path / "theorems.png")
    figures.table_2(table_2, tmp_path / "table_2.png")
    figures.section_7_1(experiments.section_7_1(phase_seconds=5), tmp_path / "section_7_1.png")
    result = experiments.Result({"small": 91, "large": 36}, {"small": 26.0, "large": 64.0})
    figures.section_7_2({"DRF": result, "3 slots": result}, tmp_path / "section_7_2.png")
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 10_000
    assert len(list(tmp_path.iterdir())) == 5
