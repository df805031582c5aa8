"""Inverse offers: what frameworks are sent, and what becomes of their answers."""

from __future__ import annotations

import pytest

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.protos import internal, v0, v0_allocator
from support.master_desk import SCHEDULER, Desk, Stream

START = 1900000000000000000
WINDOW = v0.Unavailability(start=v0.TimeInfo(nanoseconds=START), duration=v0.DurationInfo(nanoseconds=60000000000))


def asked(desk: Desk) -> tuple[AgentRecord, FrameworkRecord, Stream]:
    """Ask an HTTP framework to leave an agent."""
    agent = desk.agent()
    framework, stream = desk.subscribe()
    desk.inverse_offers.ask(framework.id, {agent.id: WINDOW})
    return agent, framework, stream


def test_an_inverse_offer_is_sent_as_recorded() -> None:
    """Id from the offers' counter, url, framework, agent, window; no resources."""
    desk = Desk()
    agent, framework, stream = asked(desk)
    (event,) = stream.events("INVERSE_OFFERS")
    assert event["inverse_offers"] == {
        "inverse_offers": [
            {
                "id": {"value": "M-O0"},
                "url": {
                    "scheme": "http",
                    "address": {"hostname": agent.hostname, "ip": agent.pid.ip, "port": 5051},
                    "path": "/slave(1)",
                },
                "framework_id": {"value": framework.id},
                "agent_id": {"value": agent.id},
                "unavailability": {"start": {"nanoseconds": START}, "duration": {"nanoseconds": 60000000000}},
            }
        ]
    }


def test_libprocess_schedulers_are_asked_too() -> None:
    """With the agent's pid, as with offers; the classic driver drops it."""
    desk = Desk()
    agent = desk.agent()
    framework = desk.subscribe_pid()
    desk.inverse_offers.ask(framework.id, {agent.id: WINDOW})
    (message,) = desk.received(SCHEDULER, internal.InverseOffersMessage)
    assert list(message.pids) == [str(agent.pid)]
    assert message.inverse_offers[0].slave_id.value == agent.id


@pytest.mark.parametrize("kind", ["ACCEPT", "DECLINE"])
def test_an_answer_reaches_the_allocator_once(kind: str) -> None:
    """With its filters; a second answer is too late."""
    desk = Desk()
    agent, framework, stream = asked(desk)
    part = {"inverse_offer_ids": [{"value": "M-O0"}], "filters": {"refuse_seconds": 7.0}}
    name = f"{kind}_INVERSE_OFFERS"
    for _ in range(2):
        assert desk.call(framework, stream, name, **{name.lower(): part}).status == 202
    ((agent_id, framework_id, status, filters),) = desk.allocator.named("update_inverse_offer")
    assert (agent_id, framework_id) == (agent.id, framework.id)
    assert status.status == v0_allocator.InverseOfferStatus.Status.Value(kind)
    assert status.timestamp.nanoseconds == int(desk.host.clock.now()) * 10**9
    assert filters.refuse_seconds == 7.0
    assert desk.state.inverse_offers == {}


def test_nobody_answers_for_another_framework() -> None:
    """It stays open."""
    desk = Desk()
    asked(desk)
    other, stream = desk.subscribe()
    part = {"inverse_offer_ids": [{"value": "M-O0"}]}
    desk.call(other, stream, "ACCEPT_INVERSE_OFFERS", accept_inverse_offers=part)
    assert list(desk.state.inverse_offers) == ["M-O0"]
    assert desk.allocator.named("update_inverse_offer") == []


def test_whom_it_cannot_reach_may_be_asked_again() -> None:
    """The allocator hears so: the agent left, is disconnected, or the framework did."""
    desk = Desk()
    agent = desk.agent()
    framework, stream = desk.subscribe()
    agent.is_connected = False
    desk.inverse_offers.ask(framework.id, {agent.id: WINDOW, "S9": WINDOW})
    desk.inverse_offers.ask("nobody", {agent.id: WINDOW})
    assert desk.allocator.named("update_inverse_offer") == [
        (agent.id, framework.id, None, None),
        ("S9", framework.id, None, None),
        (agent.id, "nobody", None, None),
    ]
    assert stream.events("INVERSE_OFFERS") == []


def test_a_withdrawn_inverse_offer_is_told() -> None:
    """RESCIND_INVERSE_OFFER, and the allocator may ask again."""
    desk = Desk()
    agent, framework, stream = asked(desk)
    desk.rescinder.withdraw_agent(agent)
    (event,) = stream.events("RESCIND_INVERSE_OFFER")
    assert event["rescind_inverse_offer"] == {"inverse_offer_id": {"value": "M-O0"}}
    assert desk.allocator.named("update_inverse_offer") == [(agent.id, framework.id, None, None)]


def test_an_inverse_offer_times_out() -> None:
    """With --offer_timeout, as offers do; an answer in time stops the clock."""
    desk = Desk(offer_timeout=5.0)
    _, _, stream = asked(desk)
    desk.host.clock.advance(4)
    assert desk.state.inverse_offers
    desk.host.clock.advance(2)
    assert desk.state.inverse_offers == {}
    assert len(stream.events("RESCIND_INVERSE_OFFER")) == 1
