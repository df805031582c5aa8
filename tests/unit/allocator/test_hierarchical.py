"""Who is offered what."""

from __future__ import annotations

import random

import pytest

from messor.allocator.hierarchical import HierarchicalAllocator
from messor.allocator.interfaces import AllocatorOptions
from messor.errors import InvalidRequest
from messor.model.conversions import Conversion
from messor.model.resource_text import parse_resources
from messor.model.resources import EMPTY, Resources
from messor.protos import v0

from .world import World, framework_info


def revocable(text: str) -> Resources:
    """Make resources revocable."""
    messages = parse_resources(text).messages()
    for message in messages:
        message.revocable.SetInParent()
    return Resources.of(messages)


def volume(identity: str = "v", size: float = 8, *, shared: bool = True) -> Resources:
    """Make a persistent volume reserved for ``a``."""
    resource = v0.Resource(name="disk", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=size))
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="a")
    resource.disk.persistence.id = identity
    if shared:
        resource.shared.SetInParent()
    return Resources.of([resource])


def test_an_agent_goes_whole_to_the_framework_with_the_smallest_share() -> None:
    """One after the other."""
    world = World()
    world.framework("f1")
    world.framework("f2")
    for number in range(4):
        world.agent(f"s{number}", "cpus:2;mem:100")
    assert world.takers() == {"s0": "f1", "s1": "f2", "s2": "f1", "s3": "f2"}
    assert world.takers() == {}


def test_offers_carry_the_role_and_list_quota_resources_last() -> None:
    """As recorded from real masters: ports first."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;cpus(a):1;mem:100;ports:[1-5]")
    offers = world.books.allocate(None, 0)
    assert str(offers["f1"]["a"]["s0"]) == (
        "cpus(allocated: a)(reservations: [(STATIC,a)]):1; ports(allocated: a):[1-5]; cpus(allocated: a):2;"
        " mem(allocated: a):100"
    )


def test_reserved_resources_go_down_the_tree_only() -> None:
    """To the role and the roles below, never to its parent or a stranger."""
    world = World()
    world.agent("s0", "cpus(a/b):1;mem(a/b):32")
    world.framework("parent", "a")
    world.framework("stranger", "c")
    world.framework("namesake", "a/bc")
    assert world.round() == {}
    world.framework("child", "a/b/c")
    assert world.takers() == {"s0": "child"}
    world.decline_all(100)
    world.framework("owner", "a/b")
    assert world.takers() == {"s0": "owner"}


def test_slivers_are_not_offered() -> None:
    """Neither 0.01 cpus nor 32 MB: nothing; one of them is enough."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:0.009;mem:31;disk:1000")
    assert world.round() == {}
    world.agent("s1", "cpus:0.01")
    world.agent("s2", "mem:32")
    assert set(world.takers()) == {"s1", "s2"}


def test_a_framework_may_set_its_own_minimum_per_role() -> None:
    """Stricter, or none at all."""
    world = World()
    picky = framework_info("a")
    picky.offer_filters["a"].min_allocatable_resources.quantities.add().quantities["cpus"].value = 4
    world.books.add_framework("picky", picky, {}, frozenset(), active=True)
    world.agent("s0", "cpus:2;mem:100")
    assert world.round() == {}
    world.agent("s1", "cpus:4;mem:100")
    assert world.takers() == {"s1": "picky"}
    anything = framework_info("b")
    anything.offer_filters["b"].min_allocatable_resources.SetInParent()
    world.books.add_framework("anything", anything, {}, frozenset(), active=True)
    world.agent("s2", "disk:1")
    assert world.takers() == {"s0": "anything", "s2": "anything"}


def test_a_refusal_holds_for_its_time_and_goes_to_the_next() -> None:
    """A2: then the framework is asked again."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:2;mem:100")
    assert world.takers() == {"s0": "f1"}
    world.decline_all(5)
    assert world.round(1) == {}
    assert world.round(4) == {}
    assert world.takers(0.5) == {"s0": "f1"}


def test_a_refusal_of_no_time_or_none_is_no_refusal() -> None:
    """refuse_seconds 0, and resources that come back without filters."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:2;mem:100")
    for seconds in (0.0, None):
        assert world.takers(0.1) == {"s0": "f1"}
        world.decline_all(seconds)
    assert world.takers(0.1) == {"s0": "f1"}


def test_a_refusal_lasts_at_least_one_interval() -> None:
    """Else it would end before the next round sees it."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:2;mem:100")
    world.takers()
    world.decline_all(0.001)
    assert world.round(1) == {}
    assert world.takers(0.1) == {"s0": "f1"}


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_nonsensical_time_means_five_seconds(seconds: float) -> None:
    """The default."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:2;mem:100")
    world.takers()
    world.decline_all(seconds)
    assert world.round(5) == {}
    assert world.takers(0.1) == {"s0": "f1"}


def test_a_refusal_ends_after_a_year() -> None:
    """However long was asked for."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:2;mem:100")
    world.takers()
    world.decline_all(1e300)
    assert world.round(364 * 86400) == {}
    assert world.takers(86401) == {"s0": "f1"}


def test_more_resources_defeat_a_refusal_and_fewer_do_not() -> None:
    """Trap 10."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:2;mem:100")
    world.takers()
    world.decline_all(100)
    info = v0.SlaveInfo(hostname="s0.host")
    world.books.update_agent("s0", info, parse_resources("cpus:1;mem:100"), None)
    assert world.round() == {}
    world.books.update_agent("s0", info, parse_resources("cpus:2;mem:101"), None)
    assert world.takers() == {"s0": "f1"}


def test_refusals_are_per_role_and_framework() -> None:
    """Another role of the same framework is asked."""
    world = World()
    world.framework("f1", "a", "b")
    world.agent("s0", "cpus:2;mem:100")
    assert world.round() == {("f1", "a", "s0"): "cpus:2; mem:100"}
    world.decline_all(100)
    assert world.round() == {("f1", "b", "s0"): "cpus:2; mem:100"}
    world.decline_all(100)
    assert world.round() == {}
    assert world.books.refusals.count("a") == 1
    world.framework("f2", "a")
    assert world.takers() == {"s0": "f2"}


def test_refusals_end_with_revive_deactivation_changed_attributes_and_the_agent() -> None:
    """All ways out of A2."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100")

    def refuse() -> None:
        assert world.takers() == {"s0": "f1"}
        world.decline_all(1000)
        assert world.round() == {}

    refuse()
    world.books.revive("f1", ["a"])
    refuse()
    world.books.deactivate_framework("f1")
    world.books.activate_framework("f1")
    refuse()
    changed = v0.SlaveInfo(hostname="s0.host")
    changed.attributes.add(name="rack", type=v0.Value.TEXT).text.value = "r1"
    world.books.update_agent("s0", changed, None, None)
    refuse()
    world.books.update_framework("f1", framework_info("a"), frozenset(["a"]))
    world.books.update_framework("f1", framework_info("a"), frozenset())
    refuse()
    world.books.remove_agent("s0")
    assert world.books.refusals.count("a") == 0
    world.agent("s0", "cpus:2;mem:100")
    assert world.takers() == {"s0": "f1"}


def test_suppressed_roles_get_nothing_until_revived() -> None:
    """A18."""
    world = World()
    world.framework("f1", "a", "b")
    world.books.suppress("f1", ["a"])
    world.agent("s0", "cpus:2;mem:100")
    assert world.round() == {("f1", "b", "s0"): "cpus:2; mem:100"}
    world.decline_all()
    world.books.suppress("f1", ["b"])
    assert world.round() == {}
    world.books.revive("f1", ["a", "b"])
    assert world.round() != {}


def test_suppression_survives_deactivation() -> None:
    """S93."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100")
    world.books.suppress("f1", ["a"])
    world.books.deactivate_framework("f1")
    world.books.activate_framework("f1")
    assert world.round() == {}
    world.books.update_framework("f1", framework_info("a"), frozenset())
    assert world.takers() == {"s0": "f1"}


def test_reviving_an_inactive_framework_does_not_make_it_active() -> None:
    """It hears nothing until it is connected again."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100")
    world.books.deactivate_framework("f1")
    world.books.revive("f1", ["a"])
    assert world.round() == {}


def test_a_deactivated_framework_keeps_what_it_holds() -> None:
    """Until the master gives it back."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100")
    world.takers()
    world.books.deactivate_framework("f1")
    assert world.books.agents["s0"].available == EMPTY
    assert world.books.dominant_shares() == {"a": 1.0}


def test_removing_a_framework_frees_all_it_held() -> None:
    """And forgets the role nobody else has."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100")
    world.takers()
    world.books.remove_framework("f1")
    assert world.books.dominant_shares() == {}
    world.framework("f2", "b")
    assert world.takers() == {"s0": "f2"}


def test_inactive_agents_and_those_not_on_the_whitelist_are_not_offered() -> None:
    """S99, S100."""
    world = World()
    world.framework("f1")
    world.agent("s0", "cpus:2;mem:100")
    world.books.set_agent_active("s0", active=False)
    assert world.round() == {}
    world.books.set_agent_active("s0", active=True)
    world.books.whitelist = frozenset()
    assert world.round() == {}
    world.books.whitelist = frozenset(["s0.host"])
    assert world.takers() == {"s0": "f1"}


def test_gpus_are_kept_for_those_who_know_them() -> None:
    """The whole agent is; unless the master does not filter."""
    world = World()
    world.framework("plain")
    world.agent("s0", "cpus:2;mem:100;gpus:1")
    assert world.round() == {}
    world.framework("gpu", able=("GPU_RESOURCES",))
    assert world.takers() == {"s0": "gpu"}
    lenient = World(filter_gpu_resources=False)
    lenient.framework("plain")
    lenient.agent("s0", "cpus:2;mem:100;gpus:1")
    assert lenient.takers() == {"s0": "plain"}


def test_revocable_resources_are_kept_for_those_who_know_them() -> None:
    """The rest of the agent is offered to all."""
    world = World()
    world.framework("plain", "a")
    world.agent("s0", parse_resources("cpus:2;mem:100") + revocable("cpus:3"))
    assert world.round() == {("plain", "a", "s0"): "cpus:2; mem:100"}
    world.framework("aware", "a", able=("REVOCABLE_RESOURCES",))
    assert world.round() == {("aware", "a", "s0"): "cpus{REV}:3"}


def test_refined_reservations_are_kept_for_those_who_know_them() -> None:
    """They cannot be written in the old form."""
    total = parse_resources("cpus(a):1;mem(a):64").push_reservation(
        v0.Resource.ReservationInfo(type=v0.Resource.ReservationInfo.DYNAMIC, role="a/b")
    )
    world = World()
    world.framework("old", "a/b")
    world.agent("s0", total)
    assert world.round() == {}
    world.framework("new", "a/b", able=("RESERVATION_REFINEMENT",))
    assert world.takers() == {"s0": "new"}


def test_shared_volumes_are_offered_again_while_in_use_but_once_per_round() -> None:
    """V10."""
    world = World()
    world.framework("f1", "a", able=("SHARED_RESOURCES",))
    world.framework("f2", "a", able=("SHARED_RESOURCES",))
    world.framework("unaware", "a")
    world.agent("s0", parse_resources("cpus:2;mem:100") + volume())
    first = world.round()
    assert list(first) == [("f1", "a", "s0")]
    assert "<SHARED>" in first["f1", "a", "s0"]
    # Only the volume is left, and a volume alone is a sliver.
    assert world.round() == {}
    agent = world.books.agents["s0"]
    held = agent.out["f1"].nonshared()
    world.books.recover_resources("f1", "s0", held, None, world.now, is_allocated=False)
    second = world.round()
    assert list(second) == [("f2", "a", "s0")]
    assert "<SHARED>" in second["f2", "a", "s0"]


def test_remote_regions_are_kept_for_those_who_know_them() -> None:
    """Compared with the master's region; agents without one are local."""
    domain = v0.DomainInfo()
    domain.fault_domain.region.name = "far"
    domain.fault_domain.zone.name = "z"
    world = World(region="near")
    world.framework("plain")
    world.agent("s0", "cpus:2;mem:100", domain=domain)
    assert world.round() == {}
    world.framework("aware", able=("REGION_AWARE",))
    assert world.takers() == {"s0": "aware"}
    world.agent("s1", "cpus:2;mem:100")
    assert world.takers() == {"s1": "plain"}


def test_old_agents_are_kept_from_what_they_do_not_know() -> None:
    """MULTI_ROLE frameworks and hierarchical roles."""
    world = World()
    world.framework("multi", "a")
    world.agent("s0", "cpus:2;mem:100", able=[])
    assert world.round() == {}
    single = v0.FrameworkInfo(user="u", name="n", role="a/b")
    world.books.add_framework("single", single, {}, frozenset(), active=True)
    assert world.round() == {}
    flat = v0.FrameworkInfo(user="u", name="n", role="a")
    world.books.add_framework("flat", flat, {}, frozenset(), active=True)
    assert world.takers() == {"s0": "flat"}


def test_an_agent_everybody_refused_is_looked_at_again_when_something_changes() -> None:
    """A new framework, an ended refusal, changed capabilities."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100;gpus:1")
    assert world.round() == {}
    assert world.round() == {}
    world.books.update_framework("f1", framework_info("a", able=("GPU_RESOURCES",)), frozenset())
    assert world.takers() == {"s0": "f1"}


def test_uses_of_frameworks_that_come_later_count_once() -> None:
    """An agent re-registers before its framework does (S91)."""
    world = World()
    used = parse_resources("cpus:1;mem:50").allocated_to("a")
    info = v0.SlaveInfo(hostname="s0.host")
    world.books.add_agent("s0", info, [1, 2, 3], parse_resources("cpus:4;mem:200"), {"f1": used})
    world.books.add_framework("f1", framework_info("a"), {"s0": used}, frozenset(), active=True)
    assert world.books.dominant_shares() == {"a": 0.25}
    assert world.books.roles.consumed["a"] == {"cpus": 1000, "mem": 50000}
    assert world.round() == {("f1", "a", "s0"): "cpus:3; mem:150"}
    world.books.recover_resources("f1", "s0", used, None, 0, is_allocated=True)
    assert world.books.roles.consumed.get("a", {}) == {}


def test_a_role_left_while_it_holds_something_is_forgotten_with_the_last_of_it() -> None:
    """Shares must not lose what is still out."""
    world = World()
    world.framework("f1", "a", "b")
    world.agent("s0", "cpus:2;mem:100")
    world.agent("s1", "cpus:2;mem:100")
    assert set(world.round()) == {("f1", "a", "s0"), ("f1", "b", "s1")}
    world.books.update_framework("f1", framework_info("b"), frozenset())
    assert world.books.dominant_shares() == {"a": 0.5, "b": 0.5}
    world.decline("f1", "s0")
    assert world.books.dominant_shares() == {"b": 0.5}
    assert world.round() == {("f1", "b", "s0"): "cpus:2; mem:100"}


def test_reserving_what_was_offered_changes_the_agents_total() -> None:
    """S102: quantities stay, the reservation stays when it comes back."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100")
    world.round()
    offered = world.books.agents["s0"].out["f1"]
    taken = parse_resources("cpus:1").allocated_to("a")
    reserved = taken.push_reservation(v0.Resource.ReservationInfo(type=v0.Resource.ReservationInfo.DYNAMIC, role="a"))
    world.books.update_allocation("f1", "s0", offered, [Conversion(taken, reserved)])
    agent = world.books.agents["s0"]
    assert str(agent.total) == "cpus(reservations: [(DYNAMIC,a)]):1; cpus:1; mem:100"
    assert agent.out["f1"] == offered - taken + reserved
    assert world.books.dominant_shares() == {"a": 1.0}
    assert world.books.roles.consumed["a"] == {"cpus": 1000}
    world.decline("f1", "s0")
    world.framework("f2", "b")
    world.books.deactivate_framework("f1")
    assert world.round() == {("f2", "b", "s0"): "cpus:1; mem:100"}


def test_what_is_handed_out_whole_comes_back_in_parts() -> None:
    """Books of an agent that is all one framework's are kept short until they need to be longer."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:4;mem:100")
    world.round()
    agent = world.books.agents["s0"]
    offered = agent.out["f1"]
    part = parse_resources("cpus:1;mem:10").allocated_to("a")
    assert (agent.held_by("f1"), agent.held_by("f2"), agent.available) == (offered, EMPTY, EMPTY)
    world.books.recover_resources("f1", "s0", part, None, 1.0, is_allocated=False)
    assert (agent.out, str(agent.available)) == ({"f1": offered - part}, "cpus:1; mem:10")
    world.books.update_agent("s0", agent.info, parse_resources("cpus:6;mem:100"), None)
    assert world.round() == {("f1", "a", "s0"): "cpus:3; mem:10"}
    world.decline("f1", "s0")
    assert (agent.out, agent.held_by("f1"), agent.out_total, agent.available) == ({}, EMPTY, EMPTY, agent.total)
    assert world.round() == {("f1", "a", "s0"): "cpus:6; mem:100"}


def test_an_operator_converts_only_what_nobody_holds() -> None:
    """S103."""
    world = World()
    world.agent("s0", "cpus:2;mem:100")
    reserved = parse_resources("cpus(a):1")
    world.books.update_available("s0", [Conversion(parse_resources("cpus:1"), reserved)])
    assert str(world.books.agents["s0"].available) == "cpus(reservations: [(STATIC,a)]):1; cpus:1; mem:100"
    world.framework("f1", "b")
    world.round()
    with pytest.raises(InvalidRequest):
        world.books.update_available("s0", [Conversion(parse_resources("cpus:1"), reserved)])


def test_resources_of_unknown_agents_and_frameworks_come_back_without_a_word() -> None:
    """They just left."""
    world = World()
    world.framework("f1", "a")
    world.agent("s0", "cpus:2;mem:100")
    resources = parse_resources("cpus:1").allocated_to("a")
    world.books.recover_resources("f1", "gone", resources, None, 0, is_allocated=True)
    world.books.recover_resources("gone", "s0", resources, None, 0, is_allocated=False)
    assert world.books.agents["s0"].available == parse_resources("cpus:2;mem:100")


def test_equal_seeds_give_equal_rounds() -> None:
    """However the set of candidates happens to be ordered."""

    def story(seed: int) -> dict[str, str]:
        books = HierarchicalAllocator(AllocatorOptions(), random.Random(seed))
        for name in ("f1", "f2", "f3"):
            books.add_framework(name, framework_info("a"), {}, frozenset(), active=True)
        for number in range(9):
            resources = parse_resources(f"cpus:{number + 1};mem:100")
            books.add_agent(f"s{number}", v0.SlaveInfo(hostname="h"), [1, 2, 3], resources, {})
        offers = books.allocate({f"s{number}" for number in range(9)}, 0)
        return {agent: name for name, roles in offers.items() for agents in roles.values() for agent in agents}

    assert story(3) == story(3)
    assert len({tuple(sorted(story(seed).items())) for seed in range(5)}) > 1


def test_agents_that_most_have_refused_go_to_the_next_who_has_not() -> None:
    """In order of shares, though the allocator no longer asks one by one."""
    world = World()
    names = [f"f{number:02}" for number in range(40)]
    for name in names:
        world.framework(name, "a")
    world.agent("s0", "cpus:2;mem:100")
    for name in names:
        assert world.takers() == {"s0": name}
        world.decline_all(1000)
    assert world.round() == {}
    world.books.revive("f17", ["a"])
    assert world.takers() == {"s0": "f17"}


def test_a_refusal_that_ends_is_noticed_among_many() -> None:
    """What is remembered of who refused must not outlive the refusals."""
    world = World()
    names = [f"f{number:02}" for number in range(40)]
    for name in names:
        world.framework(name, "a")
    world.agent("s0", "cpus:2;mem:100")
    for name in names:
        assert world.takers(0.01) == {"s0": name}
        world.decline_all(5 if name == "f30" else 1000)
    assert world.round(1) == {}
    assert world.round(1) == {}
    assert world.takers(5) == {"s0": "f30"}
