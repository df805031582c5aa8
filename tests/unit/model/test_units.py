"""Durations and sizes."""

from __future__ import annotations

import pytest

from messor.errors import InvalidRequest
from messor.model.durations import duration_text, nanoseconds_of, parse_duration
from messor.model.sizes import parse_size, size_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10secs", 10.0),
        ("15mins", 900.0),
        ("1weeks", 604800.0),
        ("500ms", 0.5),
        ("2hrs", 7200.0),
        ("3days", 259200.0),
        ("1.5secs", 1.5),
        ("10us", 0.00001),
        ("7ns", 7e-9),
        ("0ns", 0.0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """All units."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5secs"),
        (900, "15mins"),
        (2, "2secs"),
        (604800, "1weeks"),
        (0.5, "500ms"),
        (75, "75secs"),
        (90, "90secs"),
        (3600, "1hrs"),
        (5400, "90mins"),
        (864000, "10days"),
        (0, "0ns"),
        (1.5, "1500ms"),
        (0.0000015, "1500ns"),
        (61.5, "1.025mins"),
        (-5, "-5secs"),
        (31536000, "365days"),
    ],
)
def test_durations_print_as_in_the_original(seconds: float, text: str) -> None:
    """The biggest unit that fits, one below when that is a whole number."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize("text", ["10", "", "secs", "10 secs", "10sec", "1.2.3secs", "-5secs", "99999999999weeks"])
def test_bad_durations_are_refused(text: str) -> None:
    """No unit, no number, an unknown unit, too long."""
    with pytest.raises(InvalidRequest):
        parse_duration(text)


def test_an_unknown_unit_is_named() -> None:
    """With those there are."""
    with pytest.raises(InvalidRequest, match="Unknown duration unit 'sec'; supported units are 'ns', 'us'"):
        parse_duration("10sec")


def test_nanoseconds_are_whole() -> None:
    """As DurationInfo carries them."""
    assert nanoseconds_of(0.1) == 100_000_000


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 512 << 20), ("2GB", 2 << 30), ("0B", 0), ("1kb", 1024), ("3TB", 3 << 40)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    """Units in any case."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1023, "1023B"), (1024, "1KB"), (3 << 20, "3MB"), (1 << 40, "1TB")]
)
def test_sizes_print_without_loss(size: int, text: str) -> None:
    """The biggest unit that divides them."""
    assert size_text(size) == text


@pytest.mark.parametrize("text", ["512", "MB", "1.5GB", "1PB", ""])
def test_bad_sizes_are_refused(text: str) -> None:
    """No unit, fractions, unknown units."""
    with pytest.raises(InvalidRequest):
        parse_size(text)
