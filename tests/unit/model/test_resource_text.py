"""``--resources`` in text and JSON."""

from __future__ import annotations

import pytest

from messor.errors import InvalidRequest
from messor.model.quantities import Quantities, parse_min_allocatable
from messor.model.ranges import Ranges
from messor.model.resource_text import parse_resources


def test_scalars_ranges_and_sets_are_read() -> None:
    """One of each."""
    resources = parse_resources("cpus:4.5;mem:1024;ports:[31000-32000, 33000-33001];zones:{a,b}")
    assert resources.cpus == 4.5
    assert resources.mem == 1024
    assert resources.ports() == Ranges([(31000, 32000), (33000, 33001)])
    assert str(resources) == "cpus:4.5; mem:1024; ports:[31000-32000, 33000-33001]; zones:{a, b}"


def test_a_role_in_parentheses_is_a_static_reservation() -> None:
    """And the default role applies to the rest."""
    resources = parse_resources("cpus(ads):8;mem:1", default_role="web")
    assert str(resources) == "cpus(reservations: [(STATIC,ads)]):8; mem(reservations: [(STATIC,web)]):1"


def test_star_as_role_is_unreserved() -> None:
    """Even when the default role is another."""
    assert str(parse_resources("cpus(*):1", default_role="web")) == "cpus:1"


def test_a_json_array_is_read() -> None:
    """With disks that text cannot express."""
    resources = parse_resources(
        """[{"name":"cpus","type":"SCALAR","scalar":{"value":2}},
            {"name":"disk","type":"SCALAR","scalar":{"value":"100"},"role":"r",
             "disk":{"source":{"type":"MOUNT","mount":{"root":"/mnt/a"}}},"unknown":1}]"""
    )
    assert str(resources) == "cpus:2; disk(reservations: [(STATIC,r)])[MOUNT:/mnt/a]:100"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpus", "Bad value for resources, missing or extra ':' in cpus"),
        ("cpus:abc;mem:1", "Bad type for resource cpus value abc type TEXT"),
        ("cpus:-1", "Bad type for resource cpus value -1 type TEXT"),
        ('[{"name":', "Bad value for resources, missing or extra ':' in [{\"name\":"),
        ("cpus(a:1", "Bad value for resources, mismatched parentheses in cpus(a:1"),
        ("ports:[1-2", "Failed to parse resource ports value [1-2 error Mismatched brackets"),
        ("ports:[1-2-3]", 'Failed to parse resource ports value [1-2-3] error Expecting one or more "ranges"'),
        ("cpus:1;cpus(r):[1-2]", "Resources with the same name ('cpus') but different types are not allowed"),
        ("cpus:0.0001", "Invalid scalar resource: value <= 0"),
        ("ports:[5-1]", "Invalid ranges resource: begin > end"),
    ],
)
def test_bad_text_is_refused_in_the_words_of_the_original(text: str, message: str) -> None:
    """As recorded from real agents."""
    with pytest.raises(InvalidRequest) as caught:
        parse_resources(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ('"revocable":{}', "Revocable resources cannot be specified at the command line"),
        ('"reservations":[{"type":"DYNAMIC","role":"r"}]', "Dynamic reservations cannot be specified"),
    ],
)
def test_what_only_exists_at_run_time_cannot_be_configured(item: str, message: str) -> None:
    """Revocable and dynamically reserved resources."""
    with pytest.raises(InvalidRequest, match=message):
        parse_resources(f'[{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}},{item}}}]')


def test_json_without_required_fields_is_refused() -> None:
    """The missing field is named."""
    with pytest.raises(InvalidRequest, match="Missing required fields: type"):
        parse_resources('[{"name":"cpus"}]')


def test_zero_amounts_vanish() -> None:
    """``gpus:0`` is legal."""
    assert str(parse_resources("cpus:1;gpus:0")) == "cpus:1"


def test_minimum_to_offer_is_an_or_of_ands() -> None:
    """As ``--min_allocatable_resources`` writes it."""
    assert parse_min_allocatable("cpus:0.01|mem:32;disk:1") == (
        Quantities({"cpus": 10}),
        Quantities({"mem": 32000, "disk": 1000}),
    )
