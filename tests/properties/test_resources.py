"""Laws of the algebra of resources."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from messor.model.ranges import Ranges
from messor.model.resources import EMPTY, Resources
from messor.model.scalars import to_milli
from messor.protos import v0

ROLES = ["a", "a/b", "c"]


@st.composite
def parts(draw: st.DrawFn) -> v0.Resource:
    """Make one valid resource of a kind that can be divided and merged."""
    kind = draw(st.sampled_from(["cpus", "mem", "disk", "ports", "zones"]))
    resource = v0.Resource(name=kind)
    if kind == "ports":
        resource.type = v0.Value.RANGES
        begin = draw(st.integers(0, 50))
        resource.ranges.range.add(begin=begin, end=begin + draw(st.integers(0, 20)))
    elif kind == "zones":
        resource.type = v0.Value.SET
        resource.set.item.extend(draw(st.sets(st.sampled_from("abcdef"), min_size=1)))
    else:
        resource.type = v0.Value.SCALAR
        resource.scalar.value = draw(st.integers(1, 10_000)) / 1000
    role = draw(st.sampled_from([None, *ROLES]))
    if role is not None:
        resource.reservations.add(type=v0.Resource.ReservationInfo.STATIC, role=role)
    if draw(st.booleans()):
        resource.revocable.SetInParent()
    return resource


scalars = parts().filter(lambda resource: resource.type == v0.Value.SCALAR)


@st.composite
def volumes(draw: st.DrawFn) -> v0.Resource:
    """Make a persistent volume, shared or not."""
    resource = v0.Resource(
        name="disk", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=draw(st.sampled_from([8, 16])))
    )
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="a")
    resource.disk.persistence.id = draw(st.sampled_from(["v1", "v2"]))
    resource.disk.volume.container_path = draw(st.sampled_from(["x", "y"]))
    resource.disk.volume.mode = v0.Volume.RW
    if draw(st.booleans()):
        resource.shared.SetInParent()
    return resource


bags = st.lists(parts(), max_size=8).map(Resources.of)
countable = st.lists(scalars | volumes(), max_size=8).map(Resources.of)


@given(bags, bags, bags)
@settings(max_examples=60, deadline=None)
def test_addition_is_commutative_and_associative(x: Resources, y: Resources, z: Resources) -> None:
    """Bags are a commutative monoid."""
    assert x + y == y + x
    assert (x + y) + z == x + (y + z)
    assert x + EMPTY == x
    assert hash(x + y) == hash(y + x)


@given(countable, countable)
@settings(max_examples=60, deadline=None)
def test_what_was_added_can_be_taken_away(x: Resources, y: Resources) -> None:
    """For everything that is counted (sets and ranges absorb duplicates)."""
    assert (x + y) - y == x
    assert (x + y).contains(y)


@given(bags, bags)
@settings(max_examples=60, deadline=None)
def test_nothing_is_contained_that_was_taken_away(x: Resources, y: Resources) -> None:
    """Subtraction leaves nothing negative and nothing empty."""
    rest = x - y
    assert x.contains(rest)
    assert not (x - x)
    assert all(rest.scalars().values())


@given(bags, bags)
@settings(max_examples=60, deadline=None)
def test_what_contains_another_can_be_split_into_it_and_the_rest(x: Resources, y: Resources) -> None:
    """Containment means that subtraction loses nothing."""
    if x.contains(y):
        assert (x - y) + y == x


@given(bags)
@settings(max_examples=60, deadline=None)
def test_messages_and_encodings_round_trip(x: Resources) -> None:
    """A bag is what it writes."""
    assert Resources.of(x.messages()) == x
    assert v0.Offer.FromString(x.encoded(5)) == v0.Offer(resources=x.messages())
    old = v0.Offer.FromString(x.encoded(5, old=True))
    assert Resources.of(old.resources) == x


@given(bags, st.sampled_from(ROLES))
@settings(max_examples=60, deadline=None)
def test_allocation_marks_lose_nothing(x: Resources, role: str) -> None:
    """Marking and unmarking is the identity, amounts stay."""
    marked = x.allocated_to(role)
    assert marked.unallocated() == x
    assert marked.scalars() == x.scalars()
    assert marked.allocations() == ({role: marked} if x else {})


@given(bags)
@settings(max_examples=60, deadline=None)
def test_views_partition_the_bag(x: Resources) -> None:
    """Reserved and unreserved, revocable and not."""
    assert x.reserved() + x.unreserved() == x
    assert x.revocable() + x.nonrevocable() == x
    assert x.nonscalars_first() == x


intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10)).map(lambda p: (p[0], p[0] + p[1])), max_size=6)


@given(intervals, intervals)
@settings(max_examples=100, deadline=None)
def test_ranges_are_sets_of_integers(x: list[tuple[int, int]], y: list[tuple[int, int]]) -> None:
    """Every operation agrees with Python's sets."""
    left, right = Ranges(x), Ranges(y)
    mine, theirs = set(left), set(right)
    assert set(left + right) == mine | theirs
    assert set(left - right) == mine - theirs
    assert set(left & right) == mine & theirs
    assert left.contains(right) == (theirs <= mine)
    assert left.size() == len(mine)
    assert (left - right).intervals == Ranges((n, n) for n in mine - theirs).intervals


@given(st.floats(0, 1e6), st.floats(0, 1e6))
@settings(max_examples=100, deadline=None)
def test_rounding_is_monotone(x: float, y: float) -> None:
    """A bigger number is never fewer thousandths."""
    if x <= y:
        assert to_milli(x) <= to_milli(y)
