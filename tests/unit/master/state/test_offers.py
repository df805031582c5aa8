"""Outstanding offers: noted by the batch, found one by one."""

from __future__ import annotations

import pytest

from messor.model.resource_text import parse_resources
from messor.model.resources import EMPTY
from messor.protos import internal
from support.master_desk import SCHEDULER, Desk

CPU = parse_resources("cpus:1").allocated_to("*")
TWO = parse_resources("cpus:2").allocated_to("*")


def test_offers_of_many_rounds_are_found_by_their_ids() -> None:
    """Whichever batch an offer is of, its id leads to it, and always to the same record."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agents = [desk.agent() for _ in range(4)]
    for size in (3, 1, 4):
        desk.offer_maker.offer(framework.id, {"*": {agent.id: CPU for agent in agents[:size]}})
    offers = desk.state.offers
    assert list(offers) == [f"M-O{number}" for number in range(8)]
    assert [offer.agent_id for offer in offers.values()] == [agents[n].id for n in (0, 1, 2, 0, 0, 1, 2, 3)]
    assert all(offers.get(offer.id) is offer is framework.offers.get(offer.id) for offer in offers.values())
    assert list(agents[0].offers) == ["M-O0", "M-O3", "M-O4"]
    assert agents[0].offered == parse_resources("cpus:3").allocated_to("*")
    assert len(offers) == len(framework.offers) == len(framework.offers.bags()) == 8


@pytest.mark.parametrize("offer_id", ["", "M-O", "M-O2", "M-O01", "M-O-1", "M-O٠", "N-O0", "0", "M-O" + "9" * 9999])
def test_ids_that_no_offer_has_lead_nowhere(offer_id: str) -> None:
    """Frameworks may send whatever they like."""
    desk = Desk()
    framework = desk.subscribe_pid()
    for agent in (desk.agent(), desk.agent()):
        desk.offer(framework, agent)
    assert desk.state.offers.get(offer_id) is None
    assert offer_id not in desk.state.offers
    assert desk.state.offers.get("M-O1") is not None


def test_an_offer_ends_once_and_leaves_the_others() -> None:
    """What is over is not found by its id, its agent or its framework."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agents = [desk.agent() for _ in range(3)]
    desk.offer_maker.offer(framework.id, {"*": {agent.id: CPU for agent in agents}})
    over = desk.state.offers["M-O1"]
    desk.state.remove_offer(over)
    with pytest.raises(KeyError):
        desk.state.remove_offer(over)
    assert list(desk.state.offers) == list(framework.offers) == ["M-O0", "M-O2"]
    assert (agents[1].offers, agents[1].offered) == ({}, EMPTY)
    for offer in list(desk.state.offers.values()):
        desk.state.remove_offer(offer)
    assert not desk.state.offers
    assert not framework.offers


def test_offers_of_several_roles_and_frameworks_are_kept_apart() -> None:
    """An agent may be in several batches of a round; ending one offer leaves those of the others."""
    desk = Desk()
    first, second = desk.subscribe_pid(), desk.subscribe()[0]
    agent = desk.agent()
    desk.offer_maker.offer(
        first.id, {"*": {agent.id: CPU}, "r": {agent.id: parse_resources("mem:1").allocated_to("r")}}
    )
    desk.offer_maker.offer(second.id, {"*": {agent.id: TWO}})
    assert [offer.role for offer in agent.offers.values()] == ["*", "r", "*"]
    desk.state.remove_offer(first.offers["M-O0"])
    assert list(agent.offers) == ["M-O1", "M-O2"]
    assert (list(first.offers), list(second.offers)) == (["M-O1"], ["M-O2"])
    assert agent.offered == parse_resources("mem:1").allocated_to("r") + TWO


def test_the_timer_of_a_batch_ends_with_its_last_offer() -> None:
    """--offer_timeout rescinds what is left, and nothing is left to do when all is answered."""
    desk = Desk(offer_timeout=3.0)
    framework, stream = desk.subscribe()
    agents = [desk.agent() for _ in range(3)]
    desk.offer_maker.offer(framework.id, {"*": {agent.id: CPU for agent in agents}})
    batch = agents[0].batches[0]
    desk.state.remove_offer(desk.state.offers["M-O0"])
    assert batch.timer is not None
    desk.host.clock.advance(3.1)
    rescinded = [event["rescind"]["offer_id"]["value"] for event in stream.events("RESCIND")]
    assert rescinded == ["M-O1", "M-O2"]
    assert (batch.timer, list(desk.state.offers)) == (None, [])


def test_numbers_may_grow_longer_within_a_message() -> None:
    """Every offer is encoded with the length of its own id."""
    desk = Desk()
    framework = desk.subscribe_pid()
    desk.state.next_offer = 98
    agents = [desk.agent() for _ in range(4)]
    desk.offer_maker.offer(framework.id, {"*": {agent.id: CPU for agent in agents}})
    (message,) = desk.received(SCHEDULER, internal.ResourceOffersMessage)
    assert [offer.id.value for offer in message.offers] == ["M-O98", "M-O99", "M-O100", "M-O101"]
    assert [offer.slave_id.value for offer in message.offers] == [agent.id for agent in agents]
    assert list(message.pids) == [str(agent.pid) for agent in agents]
