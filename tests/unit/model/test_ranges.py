"""Interval sets behave as sets of integers."""

from __future__ import annotations

from messor.model.ranges import Items, Ranges


def test_touching_and_overlapping_intervals_merge() -> None:
    """Order does not matter."""
    assert Ranges([(5, 9), (1, 3), (4, 4), (20, 30), (25, 40)]).intervals == ((1, 9), (20, 40))


def test_subtraction_cuts_holes() -> None:
    """At both ends, in the middle, across several intervals."""
    ports = Ranges([(1, 10), (20, 30)])
    assert (ports - Ranges([(3, 4), (8, 22), (30, 50)])).intervals == ((1, 2), (5, 7), (23, 29))


def test_subtracting_several_holes_of_one_interval_keeps_what_is_between() -> None:
    """The hole that reaches beyond one interval also cuts the next."""
    assert (Ranges([(0, 100)]) - Ranges([(0, 0), (50, 60), (100, 100)])).intervals == ((1, 49), (61, 99))


def test_contains_asks_for_every_member() -> None:
    """An interval that spans a hole is not contained."""
    ports = Ranges([(1, 3), (5, 9)])
    assert ports.contains(Ranges([(1, 2), (6, 9)]))
    assert not ports.contains(Ranges([(3, 5)]))
    assert 5 in ports
    assert 4 not in ports


def test_shrinking_keeps_the_lowest_members() -> None:
    """Across intervals."""
    assert Ranges([(1, 3), (10, 20)]).shrunk(5).intervals == ((1, 3), (10, 11))


def test_ranges_print_as_in_errors() -> None:
    """With a comma and a space."""
    assert str(Ranges([(31000, 31099), (31200, 31300)])) == "[31000-31099, 31200-31300]"


def test_messages_round_trip() -> None:
    """Through the wire's form."""
    ports = Ranges([(1, 3), (10, 20)])
    assert Ranges.of(ports.message()) == ports
    assert ports.encoded() == ports.message().SerializeToString()


def test_items_are_sets_that_keep_their_order() -> None:
    """Equality ignores order, text does not."""
    assert Items(["a", "b"]) == Items(["b", "a"])
    assert str(Items(["b", "a"]) + Items(["c", "a"])) == "{b, a, c}"
    assert (Items(["a", "b"]) - Items(["a", "z"])).items == ("b",)
    assert Items(["a", "b"]).contains(Items(["b"]))
