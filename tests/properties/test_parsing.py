"""Whatever text an operator gives, parsers either read it or say what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from messor.errors import InvalidRequest
from messor.model.attributes import parse_attributes
from messor.model.durations import duration_text, parse_duration
from messor.model.ids import validate_id
from messor.model.quantities import parse_min_allocatable
from messor.model.resource import resource_text
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources, validate_resources
from messor.model.roles import validate_role
from messor.model.sizes import parse_size, size_text
from messor.model.versions import Version
from messor.protos import v0

likely = st.text(alphabet="cpus:memdisk;()[]{},-0123456789.*/ab eE+\n\"'", max_size=40)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.sampled_from(["cpus", "SCALAR", "RANGES", "r"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "type", "scalar", "value", "ranges", "range", "begin", "end", "role", "reservations"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "parse",
    [
        parse_resources,
        parse_attributes,
        parse_duration,
        parse_size,
        parse_min_allocatable,
        validate_id,
        validate_role,
        Version,
    ],
)
def test_any_text_is_read_or_refused(parse: Callable[[str], object]) -> None:
    """Nothing but InvalidRequest ever comes out."""

    @given(likely | st.text(max_size=30))
    @settings(max_examples=150, deadline=None)
    @example("ports:[18446744073709551616-1]")
    @example("cpus:1e400")
    @example("\ud800")
    def check(text: str) -> None:
        with suppress(InvalidRequest):
            parse(text)

    check()


@given(st.lists(json_like, max_size=3))
@settings(max_examples=200, deadline=None)
def test_any_json_is_read_or_refused(document: list[object]) -> None:
    """Wrong types, missing fields, odd numbers."""
    import orjson

    with suppress(InvalidRequest):
        parse_resources(orjson.dumps(document).decode())


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_resource_from_the_wire_is_valid_or_refused(data: bytes) -> None:
    """Even half a message; and what is invalid never gets into a bag."""
    from google.protobuf.message import DecodeError

    try:
        resource = v0.Resource.FromString(data)
    except DecodeError:
        return
    try:
        validate_resources([resource])
    except InvalidRequest:
        assert not Resources.of([resource])
    else:
        resource_text(resource)
        assert Resources.of(Resources.of([resource]).messages()) == Resources.of([resource])


@given(st.integers(0, 2**62))
@settings(max_examples=200, deadline=None)
def test_durations_survive_being_written_where_they_are_whole_seconds(nanoseconds: int) -> None:
    """To the nanosecond, which reading cuts off."""
    seconds = nanoseconds // 10**9
    assert parse_duration(duration_text(seconds)) == pytest.approx(seconds, rel=1e-14, abs=2e-9)


@given(st.integers(0, 2**63))
@settings(max_examples=200, deadline=None)
def test_sizes_survive_being_written(size: int) -> None:
    """Without loss."""
    assert parse_size(size_text(size)) == size
