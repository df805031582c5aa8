"""Offer constraints: which agents frameworks want to hear of."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from messor.allocator.constraints import Constraints, Limits
from messor.errors import InvalidRequest
from messor.protos import v0, v0_scheduler
from messor.wire.json_codec import from_dict

from .world import World

HOST: dict[str, Any] = {"pseudoattribute_type": "HOSTNAME"}
ZONE: dict[str, Any] = {"pseudoattribute_type": "ZONE"}


def named(name: str) -> dict[str, Any]:
    """Select an attribute."""
    return {"attribute_name": name}


def condition(selector: dict[str, Any], **predicate: Any) -> dict[str, Any]:
    """Make a condition."""
    return {"selector": selector, "predicate": predicate}


def message(*groups: list[dict[str, Any]], role: str = "a") -> v0_scheduler.OfferConstraints:
    """Make the constraints of one role."""
    made = {"role_constraints": {role: {"groups": [{"attribute_constraints": group} for group in groups]}}}
    return from_dict(made, v0_scheduler.OfferConstraints)


def agent(zone: str = "") -> v0.SlaveInfo:
    """Make an agent with a text, a scalar and a repeated attribute."""
    info = v0.SlaveInfo(hostname="h1.example.org")
    for name, text in (("rack", "r1"), ("rack", "r2")):
        info.attributes.add(name=name, type=v0.Value.TEXT).text.value = text
    info.attributes.add(name="num", type=v0.Value.SCALAR).scalar.value = 2
    if zone:
        info.domain.fault_domain.region.name = "region"
        info.domain.fault_domain.zone.name = zone
    return info


@pytest.mark.parametrize(
    ("one", "passes"),
    [
        (condition(named("rack"), exists={}), True),
        (condition(named("none"), exists={}), False),
        (condition(named("num"), exists={}), True),
        (condition(named("rack"), not_exists={}), False),
        (condition(named("none"), not_exists={}), True),
        (condition(named("num"), not_exists={}), False),
        (condition(named("rack"), text_equals={"value": "r1"}), True),
        (condition(named("rack"), text_equals={"value": "r2"}), False),
        (condition(named("none"), text_equals={"value": "r1"}), False),
        (condition(named("num"), text_equals={"value": "2.0"}), True),
        (condition(named("rack"), text_not_equals={"value": "r1"}), False),
        (condition(named("none"), text_not_equals={"value": "r1"}), True),
        (condition(named("num"), text_not_equals={"value": "2.0"}), True),
        (condition(named("rack"), text_matches={"regex": "r[0-9]"}), True),
        (condition(named("rack"), text_matches={"regex": "r"}), False),
        (condition(named("rack"), text_not_matches={"regex": "r[0-9]"}), False),
        (condition(named("none"), text_not_matches={"regex": ".*"}), True),
        (condition(HOST, text_equals={"value": "h1.example.org"}), True),
        (condition(HOST, text_matches={"regex": "h2.*"}), False),
        (condition(ZONE, exists={}), False),
    ],
)
def test_conditions_hold_as_documented(one: dict[str, Any], passes: bool) -> None:
    """The first attribute of a name counts; what is no text passes conditions on text."""
    assert Constraints(message([one])).allow("a", agent()) is passes


def test_an_agent_passes_when_all_conditions_of_any_group_hold() -> None:
    """Roles without constraints take any agent."""
    made = message(
        [condition(named("rack"), exists={}), condition(ZONE, text_equals={"value": "z1"})],
        [condition(HOST, text_equals={"value": "other"})],
    )
    assert Constraints(made).allow("a", agent("z1"))
    assert not Constraints(made).allow("a", agent("z2"))
    assert Constraints(made).allow("b", agent("z2"))


@pytest.mark.parametrize(
    ("one", "why"),
    [
        ({"selector": {}, "predicate": {"exists": {}}}, "Exactly one of 'AttributeConstraint::Selector::name' or"),
        (condition({"pseudoattribute_type": "UNKNOWN"}, exists={}), "Unknown pseudoattribute type"),
        (condition(HOST), "Unknown predicate type"),
        (condition(HOST, text_matches={"regex": "("}), r"Failed to construct regex from pattern '\('"),
        (condition(HOST, text_matches={"regex": "(a{30}b){10}"}), "is too complex|pattern too large"),
    ],
)
def test_bad_conditions_are_refused(one: dict[str, Any], why: str) -> None:
    """With the sentence of the original."""
    with pytest.raises(InvalidRequest, match=f"A role a has an invalid 'AttributeConstraint': .*({why})"):
        Constraints(message([one]))


def test_a_large_expression_needs_a_large_limit() -> None:
    """The sizes are flags."""
    made = message([condition(HOST, text_matches={"regex": "(abcdefgh){20}"})])
    with pytest.raises(InvalidRequest, match="is larger than maximum of 100 allowed"):
        Constraints(made, Limits(max_mem=1 << 20))
    assert Constraints(made, Limits(max_mem=1 << 20, max_program_size=1000))


def test_expressions_without_the_engine_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sentence that says what to install."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'messor\[constraints\]'"):
        Constraints(message([condition(HOST, text_matches={"regex": "a"})]))


def test_agents_are_offered_to_those_who_want_to_hear_of_them() -> None:
    """Others are passed by, until they change their mind."""
    world = World()
    world.framework("f", "a")
    world.framework("g", "a")
    world.books.update_constraints("f", Constraints(message([condition(HOST, text_equals={"value": "s2.host"})])))
    world.agent("s1", "cpus:1;mem:64")
    world.agent("s2", "cpus:1;mem:64")
    assert world.takers() == {"s1": "g", "s2": "f"}
    world.decline_all()
    world.books.deactivate_framework("g")
    assert world.takers() == {"s2": "f"}
    assert not world.takers()
    world.books.update_constraints("f", Constraints(v0_scheduler.OfferConstraints()))
    assert world.takers() == {"s1": "f"}
