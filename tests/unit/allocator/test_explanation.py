"""Why somebody is or is not offered an agent: every reason, and that the reasons are the round's own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import pytest

from messor.allocator.explanation import HeldOffer, Inquiry, Outcome, Surroundings, Verdict
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import v0

from .world import CAPABLE, World


def revocable(text: str) -> Resources:
    """Make resources revocable."""
    messages = parse_resources(text).messages()
    for message in messages:
        message.revocable.SetInParent()
    return Resources.of(messages)


def in_region(name: str) -> v0.DomainInfo:
    """Make a domain."""
    domain = v0.DomainInfo()
    domain.fault_domain.region.name = name
    domain.fault_domain.zone.name = "z"
    return domain


def quota(guarantees: str = "", limits: str = "") -> Quota:
    """Read a quota."""
    return Quota(Quantities.parse(guarantees), dict(Quantities.parse(limits)))


def ask(world: World, role: str = "a", **around: object) -> Verdict:
    """Ask about framework f and agent s."""
    return Inquiry(world.books, world.now, Surroundings(**around)).verdict("s", "f", role)  # type: ignore[arg-type]


def plain(**options: object) -> World:
    """One framework f in role a, one agent s."""
    world = World(**options)
    world.framework("f", "a")
    world.agent("s", "cpus:4;mem:1024")
    return world


def deactivated() -> World:
    """The framework is deactivated."""
    world = plain()
    world.books.deactivate_framework("f")
    return world


def suppressed() -> World:
    """It suppressed its role."""
    world = plain()
    world.books.suppress("f", ["a"])
    return world


def inactive_agent() -> World:
    """The agent is deactivated."""
    world = plain()
    world.books.set_agent_active("s", active=False)
    return world


def whitelisted() -> World:
    """Another host is whitelisted."""
    world = plain()
    world.books.whitelist = frozenset({"other.host"})
    return world


def reserved() -> World:
    """All is reserved for b."""
    world = World()
    world.framework("f", "a")
    world.agent("s", "cpus(b):4;mem(b):1024")
    return world


def hidden() -> World:
    """All is revocable."""
    world = World()
    world.framework("f", "a")
    world.agent("s", revocable("cpus:4;mem:1024"))
    return world


def gpus() -> World:
    """The agent has GPUs."""
    world = World()
    world.framework("f", "a")
    world.agent("s", "cpus:4;mem:1024;gpus:1")
    return world


def region() -> World:
    """The agent is far away."""
    world = World(region="here")
    world.framework("f", "a")
    world.agent("s", "cpus:4;mem:1024", domain=in_region("there"))
    return world


def old_agent() -> World:
    """The agent knows no capabilities."""
    world = World()
    world.framework("f", "a")
    world.agent("s", "cpus:4;mem:1024", able=[])
    return world


def too_small() -> World:
    """There is next to nothing."""
    world = World()
    world.framework("f", "a")
    world.agent("s", "cpus:0.005;mem:16")
    return world


def own_minimum() -> World:
    """The framework wants more."""
    world = World()
    filters = v0.OfferFilters()
    filters.min_allocatable_resources.quantities.add().quantities["cpus"].value = 8
    world.framework("f", "a", offer_filters={"a": filters})
    world.agent("s", "cpus:4;mem:1024")
    return world


def refused() -> World:
    """The framework declined 6 s ago, for 30."""
    world = plain()
    world.round()
    world.decline("f", "s", 30.0)
    world.now += 6
    return world


def at_limit() -> World:
    """All that the limit allows is held."""
    world = World()
    world.framework("f", "a")
    world.agent("other", "cpus:4;mem:1024")
    world.books.update_quota("a", quota(limits="cpus:4;mem:1024"))
    world.round()
    world.agent("s", "cpus:2;mem:512")
    return world


def headroom() -> World:
    """All that is free is promised to b."""
    world = plain()
    world.books.update_quota("b", quota(guarantees="cpus:4;mem:1024", limits="cpus:8;mem:2048"))
    return world


class Row(NamedTuple):
    """A world in which exactly one thing stands in the way, and what is said of it."""

    make: Callable[[], World]
    code: str
    text: str


ROWS = [
    Row(deactivated, "framework_inactive", "The framework is offered nothing: it is deactivated"),
    Row(suppressed, "suppressed", "The framework suppressed offers for role 'a'; REVIVE makes them come again"),
    Row(inactive_agent, "agent_inactive", "Nothing of the agent is offered: it is deactivated"),
    Row(whitelisted, "not_whitelisted", "The operator's whitelist does not name host s.host"),
    Row(reserved, "reserved", "is free, but reserved for role 'b'"),
    Row(hidden, "needs_revocable_resources", "but revocable, and the framework lacks the capability REVOCABLE_RES"),
    Row(gpus, "needs_gpu_resources", "kept for frameworks with the capability GPU_RESOURCES, which this one lacks"),
    Row(region, "needs_region_aware", "The agent is in region 'there', the master in 'here'"),
    Row(old_agent, "agent_lacks_multi_role", "The framework is MULTI_ROLE, and the agent is too old for that"),
    Row(too_small, "below_minimum", "cpus:0.005; mem:16, is below the minimum to offer: cpus:0.01 or mem:32"),
    Row(own_minimum, "below_minimum", "is below the framework's own minimum: cpus:8"),
    Row(refused, "refused", "The framework refused cpus:4; mem:1024 of this agent; 24.0 s are left of that"),
    Row(
        at_limit,
        "quota_limit",
        "Role 'a' has 4 of its limit of 4 cpus, 1024 of its limit of 1024 mem: it may be offered 0 cpus, 0 mem more",
    ),
    Row(
        headroom, "headroom", "cpus:4; mem:1024 of what is free in the cluster is held back for the guarantees of role"
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.make.__name__ for row in ROWS])
def test_each_obstacle_is_told_and_is_one(row: Row) -> None:
    """The sentence with its numbers; and the round indeed offers nothing to f."""
    world = row.make()
    verdict = ask(world)
    assert verdict.outcome is Outcome.NOT_OFFERED
    texts = {reason.code: reason.text for reason in verdict.reasons if reason.blocks}
    assert row.code in texts, verdict
    assert row.text in texts[row.code]
    assert ("f", "a", "s") not in world.round(0.0)


def test_every_obstacle_is_told_not_only_the_first() -> None:
    """Lifting one must not be a surprise."""
    world = suppressed()
    world.books.set_agent_active("s", active=False)
    codes = [reason.code for reason in ask(world).reasons if reason.blocks]
    assert codes == ["suppressed", "agent_inactive"]


def test_who_holds_the_agent_is_told_with_the_time_and_the_order() -> None:
    """Nothing stands in the way, but it is another's."""
    world = plain()
    world.framework("e", "a")
    assert world.takers() == {"s": "e"}
    held = HeldOffer("e", "a", world.books.agents["s"].out["e"], 12.5)
    verdict = ask(world, offers={"s": [held]}, names={"e": "shop"})
    assert verdict.outcome is Outcome.TAKEN
    assert [reason.text for reason in verdict.reasons] == [
        "cpus:4; mem:1024 is offered to framework 'shop' (e) for role 'a', which has held the offer for 12.5 s",
        (
            "Role 'a' has a share of 1.000 and comes at position 1 of 1 roles; in it the framework has a share of"
            " 0.000 and comes at position 1 of 2 frameworks (smallest weighted dominant share first)"
        ),
    ]
    assert verdict.reasons[0].facts["seconds"] == 12.5


def test_what_others_use_is_told_apart_from_offers() -> None:
    """No offer of it is known: tasks use it."""
    world = plain()
    world.framework("e", "a")
    world.round()
    verdict = ask(world)
    assert verdict.reasons[0].text == "cpus:4; mem:1024 is used by framework e"


def test_an_own_offer_is_told_with_its_age() -> None:
    """And not counted as held by others."""
    world = plain()
    world.round()
    held = HeldOffer("f", "a", world.books.agents["s"].out["f"], 3.0)
    verdict = ask(world, offers={"s": [held]})
    assert verdict.outcome is Outcome.OFFERED
    assert [reason.text for reason in verdict.reasons] == [
        "Offered cpus:4; mem:1024; the offer has been waiting for an answer for 3.0 s"
    ]


def test_what_is_free_and_unhindered_comes_next() -> None:
    """And comes, indeed."""
    world = plain()
    verdict = ask(world)
    assert verdict.outcome is Outcome.NEXT
    assert "cpus:4; mem:1024 is free and nothing stands in the way" in verdict.reasons[0].text
    assert world.takers() == {"s": "f"}


def test_an_old_refusal_of_less_does_not_stand_in_the_way() -> None:
    """It is told, but more than it covers is free."""
    world = refused()
    world.books.update_agent("s", v0.SlaveInfo(hostname="s.host"), parse_resources("cpus:8;mem:1024"), CAPABLE)
    verdict = ask(world)
    assert verdict.outcome is Outcome.NEXT
    assert "but by now more is free than it refused" in verdict.reasons[0].text


def test_reservations_for_others_beside_free_resources_are_told_without_blocking() -> None:
    """Part of the agent is for somebody else."""
    world = World()
    world.framework("f", "a")
    world.agent("s", "cpus:2;mem:512;cpus(b):2")
    verdict = ask(world)
    assert verdict.outcome is Outcome.NEXT
    assert [reason.code for reason in verdict.reasons] == ["reserved", "next", "order"]


def test_planned_maintenance_is_told_and_keeps_nothing_from_being_offered() -> None:
    """Offers carry the window; frameworks decide."""
    world = plain()
    world.books.windows.plan("s", v0.Unavailability())
    verdict = ask(world)
    assert verdict.outcome is Outcome.NEXT
    assert "Maintenance of the agent is planned" in verdict.reasons[0].text


def test_quota_is_told_in_numbers() -> None:
    """What is consumed of what."""
    world = plain()
    world.books.update_quota("a", quota(guarantees="cpus:2", limits="cpus:8"))
    world.round()
    (reason,) = Inquiry(world.books, world.now).quota_reasons("a")
    assert reason.text == "Role 'a' holds 4 of at most 8 cpus, 4 of 2 cpus guaranteed"
    assert reason.facts == {
        "role": "a",
        "consumed": {"cpus": 4.0, "mem": 1024.0},
        "limits": {"cpus": 8.0},
        "guarantees": {"cpus": 2.0},
    }


def test_asking_draws_no_chance_and_changes_no_order() -> None:
    """A random sorter goes on as if nobody had asked."""
    outcomes = []
    for asks in (False, True):
        world = World(sorter="random")
        world.books.chance = world.books.role_sorter._chance = random.Random(3)  # type: ignore[attr-defined]
        for name in ("f", "g", "h"):
            world.framework(name, "a")
        world.agent("s", "cpus:4;mem:1024")
        if asks:
            assert "drawn at random" in ask(world).reasons[-1].text
        outcomes.append(world.books.chance.random())
    assert outcomes[0] == outcomes[1]


def random_world(chance: random.Random, *, has_quotas: bool) -> World:
    """Fill books at random and let a few rounds pass with declines and suppression."""
    world = World(region="here")
    roles = ["a", "a/x", "b", "c"]
    for number in range(5):
        able = tuple(name for name in ("REVOCABLE_RESOURCES", "GPU_RESOURCES", "REGION_AWARE") if chance.random() < 0.4)
        world.framework(f"f{number}", *chance.sample(roles, chance.randint(1, 2)), able=able)
    for number in range(6):
        text = chance.choice(["cpus:4;mem:512", "cpus(a):2;mem:64", "cpus(b):1;mem(b):16", "gpus:1;cpus:1", "mem:8"])
        fields = {"domain": in_region("there")} if chance.random() < 0.3 else {}
        bag = parse_resources(text) + (revocable("cpus:1") if chance.random() < 0.3 else Resources())
        world.agent(f"s{number}", bag, able=chance.choice([CAPABLE, CAPABLE, []]), **fields)
    if has_quotas:
        world.books.update_quota("a", quota(limits=f"cpus:{chance.randint(1, 6)}"))
        world.books.update_quota("b", quota(guarantees=f"cpus:{chance.randint(1, 6)}"))
    for _ in range(6):
        name = f"f{chance.randrange(5)}"
        world.round()
        for agent in list(world.books.agents):
            if chance.random() < 0.5:
                world.decline(name, agent, chance.choice([None, 0.0, 20.0]))
        if chance.random() < 0.3:
            world.books.suppress(name, [min(world.books.frameworks[name].roles)])
    return world


def verdicts(world: World) -> dict[tuple[str, str, str], Verdict]:
    """Ask about everybody and everything."""
    inquiry = Inquiry(world.books, world.now)
    return {
        (name, role, agent): inquiry.verdict(agent, name, role)
        for name, framework in world.books.frameworks.items()
        for role in framework.roles
        for agent in world.books.agents
    }


@pytest.mark.parametrize("seed", range(40))
def test_after_a_round_nobody_is_left_whom_nothing_hindered(seed: int) -> None:
    """Whatever is explained as free and unhindered, a round offers: the checks are not fewer than its own."""
    chance = random.Random(seed)
    world = random_world(chance, has_quotas=chance.random() < 0.7)
    world.round(0.0)
    for who, verdict in verdicts(world).items():
        assert verdict.outcome is not Outcome.NEXT, verdict
        assert verdict.reasons, who


@pytest.mark.parametrize("seed", range(40))
def test_what_a_round_offers_was_not_explained_as_hindered(seed: int) -> None:
    """The checks are not more than the round's own. Without quotas: what meets a guarantee frees others of headroom."""
    world = random_world(random.Random(seed), has_quotas=False)
    world.decline_all(0.0)
    before = verdicts(world)
    offered = world.round(0.0)
    assert offered or not any(verdict.outcome is Outcome.NEXT for verdict in before.values())
    for who in offered:
        assert before[who].outcome is Outcome.NEXT, before[who]
