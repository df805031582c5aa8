"""Quota: guarantees are kept free and served first, limits are never passed."""

from __future__ import annotations

import pytest

from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import v0

from .world import World


def quota(guarantees: str = "", limits: str = "") -> Quota:
    """Make a quota."""
    return Quota(Quantities.parse(guarantees), dict(Quantities.parse(limits)))


def scalars(world: World, role: str) -> dict[str, int]:
    """Tell what a role holds of what is subject to quota, in whole units."""
    return {name: milli // 1000 for name, milli in world.books.quota_consumption(role).items() if milli}


def revocable(cpus: float) -> Resources:
    """Make revocable cpus."""
    part = v0.Resource(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=cpus))
    part.revocable.SetInParent()
    return Resources.of([part])


# --- limits ------------------------------------------------------------------------------------------------------


def test_an_agent_is_chopped_to_what_a_limit_leaves() -> None:
    """What has no limit is offered in full, and the rest of the agent goes to others."""
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", quota(limits="cpus:3"))
    world.agent("s1", "cpus:8;mem:1024;ports:[1-10]")
    assert world.round() == {("f", "a", "s1"): "ports:[1-10]; cpus:3; mem:1024"}
    world.framework("g", "b")
    assert world.round() == {("g", "b", "s1"): "cpus:5"}


def test_limits_hold_over_agents_and_rounds() -> None:
    """Offers count as long as they are out."""
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", quota(limits="cpus:5;mem:512"))
    for name in ("s1", "s2", "s3"):
        world.agent(name, "cpus:2;mem:1024")
    world.round()
    world.round()
    assert scalars(world, "a") == {"cpus": 5, "mem": 512}


def test_a_limit_of_zero_is_a_limit() -> None:
    """A role may have nothing of a name at all."""
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", Quota(Quantities(), {"cpus": 0}))
    world.agent("s1", "cpus:2;mem:1024")
    assert world.round() == {("f", "a", "s1"): "mem:1024"}


def test_what_is_below_the_minimum_after_chopping_is_not_offered() -> None:
    """A role at its limits is passed by."""
    world = World()
    world.framework("f", "a")
    world.framework("g", "b")
    world.books.update_quota("a", quota(limits="cpus:0.001;mem:1"))
    world.agent("s1", "cpus:2;mem:1024")
    assert world.takers() == {"s1": "g"}


def test_a_framework_with_its_own_minimum_takes_what_limits_leave() -> None:
    """Roles that look hopeless are asked for frameworks that want less than usual."""
    world = World()
    filters = {"a": v0.OfferFilters(min_allocatable_resources=v0.OfferFilters.MinAllocatableResources())}
    world.framework("f", "a", offer_filters=filters)
    world.books.update_quota("a", quota(limits="cpus:0.001;mem:1"))
    world.agent("s1", "cpus:2;mem:1024;ports:[1-2]")
    assert world.round() == {("f", "a", "s1"): "ports:[1-2]; cpus:0.001; mem:1"}


def test_reservations_count_used_or_not_and_are_offered_beyond_the_limit() -> None:
    """A reservation of the role is charged at once; it is its own whatever the limit."""
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", quota(limits="cpus:4"))
    world.agent("s1", "cpus(a):6;cpus:2")
    world.agent("s2", "cpus:2;mem:64")
    assert world.round() == {
        ("f", "a", "s1"): "cpus(reservations: [(STATIC,a)]):6",
        ("f", "a", "s2"): "mem:64",
    }


def test_revocable_resources_are_free_of_quota() -> None:
    """They are neither charged nor chopped."""
    world = World()
    world.framework("f", "a", able=("REVOCABLE_RESOURCES",))
    world.books.update_quota("a", quota(limits="cpus:1"))
    world.agent("s1", parse_resources("cpus:2") + revocable(5))
    assert world.round() == {("f", "a", "s1"): "cpus{REV}:5; cpus:1"}
    assert scalars(world, "a") == {"cpus": 1}


def test_roles_below_share_the_limit_of_the_top_level_role() -> None:
    """A subtree is charged and held as one."""
    world = World()
    world.framework("f", "a/x")
    world.framework("g", "a/y")
    world.books.update_quota("a", quota(limits="cpus:3"))
    world.agent("s1", "cpus:2")
    world.agent("s2", "cpus:2")
    world.round()
    assert scalars(world, "a") == {"cpus": 3}


def test_room_comes_back_with_resources() -> None:
    """What is declined may be offered again."""
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", quota(limits="cpus:2"))
    world.agent("s1", "cpus:2")
    world.agent("s2", "cpus:2")
    assert len(world.round()) == 1
    assert not world.round()
    world.decline_all()
    assert len(world.round()) == 1


@pytest.mark.parametrize("sorter", ["drf", "random"])
def test_a_quota_ends_with_the_default_quota(sorter: str) -> None:
    """Then everything may be offered again."""
    world = World(sorter=sorter)
    world.framework("f", "a")
    world.agent("s1", "cpus:2")
    world.agent("s2", "cpus:2")
    world.books.update_quota("a", quota(limits="cpus:1"))
    world.round()
    assert scalars(world, "a") == {"cpus": 1}
    world.books.update_quota("a", quota())
    world.round()
    assert world.books.role_sorter.allocation("a") == {"cpus": 4000}


def test_a_quota_set_later_counts_what_is_out() -> None:
    """Books are made up for what was handed out before."""
    world = World()
    world.framework("f", "a")
    world.agent("s1", "cpus:2")
    world.round()
    world.books.update_quota("a", quota(limits="cpus:3"))
    world.agent("s2", "cpus:2")
    world.round()
    assert scalars(world, "a") == {"cpus": 3}
    world.books.remove_agent("s1")
    assert scalars(world, "a") == {"cpus": 1}
    world.books.remove_framework("f")
    assert not scalars(world, "a")


def test_whole_disks_are_left_out_rather_than_cut() -> None:
    """A disk of its own is all or nothing."""
    disk = v0.Resource(name="disk", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=100))
    disk.disk.source.type = v0.Resource.DiskInfo.Source.MOUNT
    disk.disk.source.mount.root = "/mnt"
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", quota(limits="disk:50"))
    world.agent("s1", parse_resources("cpus:1") + Resources.of([disk]))
    assert world.round() == {("f", "a", "s1"): "cpus:1"}


# --- guarantees --------------------------------------------------------------------------------------------------


def test_guarantees_come_before_fair_shares() -> None:
    """Who is promised resources is served although somebody else has the smaller share."""
    world = World()
    world.framework("f", "promised")
    world.framework("g", "other")
    world.agent("s0", "cpus:1;mem:64")
    world.books.deactivate_framework("g")
    world.round()
    world.books.activate_framework("g")
    world.books.update_quota("promised", quota("cpus:2"))
    world.agent("s1", "cpus:1;mem:64")
    assert world.takers() == {"s1": "f"}
    world.agent("s2", "cpus:1;mem:64")
    assert world.takers() == {"s2": "g"}


def test_headroom_is_held_back_for_guarantees_of_roles_without_frameworks() -> None:
    """Free resources must suffice for all that is promised; more may be offered."""
    world = World()
    world.framework("g", "other")
    world.books.update_quota("promised", quota("cpus:3"))
    world.agent("s1", "cpus:2;mem:64")
    world.agent("s2", "cpus:2;mem:64")
    world.round()
    assert world.books.role_sorter.allocation("other")["cpus"] == 1000
    world.framework("f", "promised")
    world.round()
    assert scalars(world, "promised")["cpus"] == 3


def test_nothing_is_offered_when_all_must_be_held_back() -> None:
    """Not even crumbs below the minimum."""
    world = World()
    world.framework("g", "other")
    world.books.update_quota("promised", quota("cpus:4;mem:128"))
    world.agent("s1", "cpus:2;mem:64;ports:[1-3]")
    world.agent("s2", "cpus:2;mem:64;ports:[1-3]")
    assert not world.round()


def test_guarantees_are_served_up_to_the_limit() -> None:
    """In the first stage a role also gets more than it is promised, as limits and headroom allow."""
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", quota("cpus:1", "cpus:3"))
    world.agent("s1", "cpus:8;mem:64")
    assert world.round() == {("f", "a", "s1"): "cpus:3; mem:64"}


def test_bursting_leaves_the_headroom_of_others() -> None:
    """More than the guarantee only as far as others' guarantees stay free."""
    world = World()
    world.framework("f", "a")
    world.books.update_quota("a", quota("cpus:1"))
    world.books.update_quota("b", quota("cpus:5"))
    world.agent("s1", "cpus:8;mem:64")
    assert world.round() == {("f", "a", "s1"): "cpus:3; mem:64"}


def test_overcommitted_guarantees_are_served_as_far_as_it_goes() -> None:
    """Guarantees are handed out even where there is too little for all of them."""
    world = World()
    world.framework("f", "a")
    world.framework("g", "b")
    world.books.update_quota("a", quota("cpus:4"))
    world.books.update_quota("b", quota("cpus:4"))
    world.agent("s1", "cpus:3;mem:64")
    world.round()
    assert scalars(world, "a") == {"cpus": 3, "mem": 64}


def test_guarantees_are_met_through_roles_below() -> None:
    """A promise to a role is kept to the frameworks of its subtree."""
    world = World()
    world.framework("f", "a/x")
    world.framework("g", "other")
    world.books.update_quota("a", quota("cpus:2"))
    world.agent("s1", "cpus:2;mem:64")
    assert world.takers() == {"s1": "f"}


def test_agents_that_do_not_help_are_left_to_the_others() -> None:
    """The first stage offers only what brings a role nearer to its guarantee."""
    world = World()
    world.framework("f", "a")
    world.framework("g", "b")
    world.books.update_quota("a", quota("gpus:1"))
    world.agent("s0", "cpus:1;mem:64")
    assert world.takers() == {"s0": "f"}  # as f comes first by name in the second stage
    world.agent("s1", "cpus:1;mem:64")
    assert world.takers() == {"s1": "g"}


def test_a_refused_guarantee_stays_held_back() -> None:
    """A picky framework does not lose what its role is promised."""
    world = World()
    world.framework("f", "a")
    world.framework("g", "b")
    world.books.update_quota("a", quota("cpus:2;mem:64"))
    world.agent("s1", "cpus:2;mem:64")
    world.round()
    world.decline("f", "s1", 100.0)
    assert not world.round()
    assert world.takers(200.0) == {"s1": "f"}
