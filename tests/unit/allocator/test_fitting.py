"""Whether tasks of a size fit: now, ever, and what quotas say."""

from __future__ import annotations

import pytest

from messor.allocator.fitting import UNLIMITED, Fit, fit
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources

from .world import World


def ask(world: World, text: str, role: str = "a") -> Fit:
    """Ask for one size."""
    return fit(world.books, role, parse_resources(text))


def quota(guarantees: str = "", limits: str = "") -> Quota:
    """Read a quota."""
    return Quota(Quantities.parse(guarantees), dict(Quantities.parse(limits)))


def two_agents() -> World:
    """Two agents of different sizes."""
    world = World()
    world.agent("small", "cpus:2;mem:1000;ports:[80-90]")
    world.agent("large", "cpus:8;mem:4000")
    return world


def test_copies_are_counted_by_agent_and_never_span_them() -> None:
    """Whatever is scarcest counts."""
    answer = ask(two_agents(), "cpus:2;mem:1000")
    assert [(one.now, one.ever) for one in answer.agents] == [(1, 1), (4, 4)]
    assert answer.allows(5, now=True)
    assert not answer.allows(6, now=False)


def test_what_others_hold_is_free_only_if_they_end() -> None:
    """The difference between not now and never."""
    world = two_agents()
    world.framework("f", "b")
    world.round()
    answer = ask(world, "cpus:1")
    assert (answer.now, answer.ever) == (0, 10)


def test_what_is_lacking_is_told_with_numbers() -> None:
    """And that there would be more if it were not reserved."""
    world = World()
    world.agent("s", "cpus:2;cpus(b):6;mem:1000")
    (one,) = ask(world, "cpus:4;mem:2000").agents
    assert one.lacks == (
        "has 2 cpus for the role, not 4 (of 8; the rest is reserved, revocable or a volume),"
        " has 1000 mem for the role, not 2000"
    )
    assert ask(world, "cpus:8;mem:1", role="b").ever == 1


def test_named_ports_fit_once_per_agent_that_has_them() -> None:
    """A second copy cannot have the same ports."""
    answer = ask(two_agents(), "cpus:1;ports:[80-81]")
    assert [one.ever for one in answer.agents] == [1, 0]
    assert answer.agents[1].lacks == "has not ports:[80-81]"


def test_agents_that_take_no_part_have_no_room_now() -> None:
    """But would."""
    world = two_agents()
    world.books.set_agent_active("large", active=False)
    answer = ask(world, "cpus:2")
    assert (answer.now, answer.ever) == (1, 5)


def test_limits_bound_what_fits_now_and_ever() -> None:
    """Of the role, or of the one above it."""
    world = two_agents()
    world.books.update_quota("a", quota(limits="cpus:6"))
    world.framework("f", "a")
    world.books.set_agent_active("large", active=False)
    world.round()
    world.books.set_agent_active("large", active=True)
    answer = ask(world, "cpus:2", role="a/x")
    assert (answer.now_by_quota, answer.ever_by_quota) == (2, 3)
    assert answer.limit == "role 'a' may have 6 cpus and may still be offered 4"
    assert answer.allows(2, now=True)
    assert not answer.allows(3, now=True)


def test_headroom_for_others_bounds_what_fits_now_only() -> None:
    """What is promised to b and not yet given is not for a."""
    world = two_agents()
    world.books.update_quota("b", quota(guarantees="cpus:8"))
    answer = ask(world, "cpus:1")
    assert (answer.now_by_quota, answer.ever_by_quota) == (2, UNLIMITED)
    assert answer.limit == "all but 2 of the free cpus is held back for guarantees of role 'b'"
    assert ask(world, "cpus:1", role="b").now_by_quota == 10


@pytest.mark.parametrize("text", ["cpus:0.1", "mem:1", "gpus:1"])
def test_what_is_said_to_fit_is_offered(text: str) -> None:
    """An ordinary framework of the role is offered as much as is said to fit now, and nothing where nothing fits."""
    world = two_agents()
    answer = ask(world, text)
    world.framework("f", "a")
    wanted = parse_resources(text).scalars()
    offers = world.books.allocate(None, 1.0)["f"]["a"]
    for one in answer.agents:
        offered = offers[one.agent_id].scalars()
        assert one.now == min(offered.get(name, 0) // milli for name, milli in wanted.items())
