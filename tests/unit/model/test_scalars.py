"""Scalars are fixed-point numbers with three decimals."""

from __future__ import annotations

import pytest

from messor.model.scalars import scalar_text, to_float, to_milli


def test_a_tenth_and_two_tenths_are_three_tenths() -> None:
    """The sum that floats get wrong."""
    assert to_float(to_milli(0.1) + to_milli(0.2)) == 0.3


@pytest.mark.parametrize(
    ("value", "milli"),
    [(1.0, 1000), (0.0005, 1), (0.0004, 0), (-0.0005, -1), (1.0015, 1002), (0.9999, 1000), (4096, 4096000)],
)
def test_values_are_rounded_to_thousandths_halves_away_from_zero(value: float, milli: int) -> None:
    """As the original's conversion does."""
    assert to_milli(value) == milli


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_what_is_no_number_of_64_bits_becomes_negative(value: float) -> None:
    """So validators refuse it."""
    assert to_milli(value) < 0


@pytest.mark.parametrize(
    ("milli", "text"), [(1000, "1"), (500, "0.5"), (4096000, "4096"), (-1000, "-1"), (0, "0"), (10142001, "10142.001")]
)
def test_scalars_print_without_trailing_zeros(milli: int, text: str) -> None:
    """As errors show them."""
    assert scalar_text(milli) == text


def test_negative_numbers_round_trip() -> None:
    """Whole part and rest have the same sign."""
    assert to_float(to_milli(-1.25)) == -1.25
