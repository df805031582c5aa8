"""Offers as frameworks see them, in the form their capabilities ask for."""

from __future__ import annotations

import pytest

from messor.master.state.framework import ExecutorRecord
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import internal, v0
from support.master_desk import SCHEDULER, Desk


def test_an_offer_says_whose_where_and_what() -> None:
    """A driver gets the agent's name, address, attributes and resources, and beside them the agent's pid."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent("cpus:4;mem:4096")
    agent.info.attributes.add(name="rack", type=v0.Value.TEXT).text.value = "r1"
    agent.info.domain.fault_domain.region.name = "r"
    agent.info.domain.fault_domain.zone.name = "z"
    desk.offer(framework, agent)
    (message,) = desk.received(SCHEDULER, internal.ResourceOffersMessage)
    assert list(message.pids) == [str(agent.pid)]
    (offer,) = message.offers
    assert offer.IsInitialized()
    assert (offer.id.value, offer.framework_id.value, offer.slave_id.value) == ("M-O0", framework.id, agent.id)
    assert offer.hostname == agent.hostname
    url = offer.url
    assert (url.scheme, url.address.hostname, url.address.ip, url.address.port, url.path) == (
        "http", agent.hostname, agent.pid.ip, 5051, "/slave(1)",
    )  # fmt: skip
    assert offer.attributes[0].text.value == "r1"
    assert offer.domain.fault_domain.zone.name == "z"
    assert Resources.of(offer.resources) == agent.total


@pytest.mark.parametrize("multi_role", [False, True])
@pytest.mark.parametrize("refinement", [False, True])
def test_resources_come_in_the_form_a_framework_knows(multi_role: bool, refinement: bool) -> None:
    """Only MULTI_ROLE frameworks see allocation, only RESERVATION_REFINEMENT ones reservation stacks (trap 14)."""
    capabilities = ["MULTI_ROLE"] * multi_role + ["RESERVATION_REFINEMENT"] * refinement
    desk = Desk()
    framework = desk.subscribe_pid(capabilities)
    agent = desk.agent("cpus:4;mem(r):64")
    desk.offer(framework, agent, role="r")
    offer = desk.received(SCHEDULER, internal.ResourceOffersMessage)[0].offers[0]
    assert offer.HasField("allocation_info") == multi_role
    for resource in offer.resources:
        assert resource.HasField("allocation_info") == multi_role
        assert resource.HasField("role") != refinement
    cpus, mem = offer.resources
    if refinement:
        assert [reservation.role for reservation in mem.reservations] == ["r"]
        assert not cpus.reservations
    else:
        assert (cpus.role, mem.role) == ("*", "r")
        assert not mem.reservations
    if multi_role:
        assert (offer.allocation_info.role, cpus.allocation_info.role) == ("r", "r")


def test_executors_that_run_already_are_named() -> None:
    """A framework sees which of its executors an agent has, not those of others."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent()
    info = v0.ExecutorInfo()
    info.executor_id.value = "e"
    desk.state.add_executor(ExecutorRecord(agent.id, framework.id, info, Resources()))
    desk.offer(framework, agent)
    offer = desk.received(SCHEDULER, internal.ResourceOffersMessage)[0].offers[0]
    assert [item.value for item in offer.executor_ids] == ["e"]


def test_ephemeral_ports_are_hidden() -> None:
    """No framework ever sees ephemeral_ports, but they stay in the record."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent("cpus:1;ephemeral_ports:[1-2]")
    desk.offer(framework, agent)
    offer = desk.received(SCHEDULER, internal.ResourceOffersMessage)[0].offers[0]
    assert [resource.name for resource in offer.resources] == ["cpus"]
    assert next(iter(desk.state.offers.values())).resources == agent.total.allocated_to("*")


def test_an_unanswered_offer_is_rescinded_after_the_timeout() -> None:
    """--offer_timeout takes offers back, without a filter (M10)."""
    desk = Desk(offer_timeout=3.0)
    framework, stream = desk.subscribe()
    agent = desk.agent()
    offer = desk.offer(framework, agent)
    desk.host.clock.advance(2.9)
    assert stream.events("RESCIND") == []
    desk.host.clock.advance(0.2)
    assert stream.events("RESCIND") == [{"type": "RESCIND", "rescind": {"offer_id": {"value": offer}}}]
    assert desk.allocator.named("recover_resources") == [(framework.id, agent.id, agent.total.allocated_to("*"), None)]
    assert not desk.state.offers
    assert not agent.offered


def test_what_cannot_be_offered_goes_back() -> None:
    """Allocations for a framework or agent that is not active any more return to the allocator."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent("cpus:1")
    agent.is_connected = False
    desk.offer(framework, agent)
    desk.offer_maker.offer("nobody", {"*": {agent.id: parse_resources("cpus:2")}})
    assert desk.received(SCHEDULER, internal.ResourceOffersMessage) == []
    assert [call[:2] for call in desk.allocator.named("recover_resources")] == [
        (framework.id, agent.id), ("nobody", agent.id),
    ]  # fmt: skip


def test_declining_gives_back_with_a_filter() -> None:
    """DECLINE without filters means five seconds; an offer that is gone is ignored."""
    desk = Desk()
    framework, stream = desk.subscribe()
    agent = desk.agent()
    offer = desk.offer(framework, agent)
    offers = [{"value": offer}, {"value": "gone"}]
    desk.call(framework, stream, "DECLINE", decline={"offer_ids": offers})
    ((_, _, resources, filters),) = desk.allocator.named("recover_resources")
    assert resources == agent.total.allocated_to("*")
    assert filters.refuse_seconds == 5.0
    assert stream.events("RESCIND") == []


def test_no_roles_means_all_roles() -> None:
    """Over HTTP, SUPPRESS and REVIVE without roles mean all of the framework's (trap 8, A18)."""
    desk = Desk()
    framework, stream = desk.subscribe(["MULTI_ROLE"], roles=["a", "b"])
    desk.call(framework, stream, "SUPPRESS")
    assert framework.suppressed_roles == {"a", "b"}
    desk.call(framework, stream, "REVIVE", revive={"roles": ["a"]})
    assert framework.suppressed_roles == {"b"}
    desk.call(framework, stream, "REVIVE")
    assert framework.suppressed_roles == set()
    assert desk.allocator.named("suppress_offers") == [(framework.id, set())]
    assert desk.allocator.named("revive_offers") == [(framework.id, {"a"}), (framework.id, set())]


@pytest.mark.parametrize("role", ["/x", "other"])
def test_foreign_roles_drop_the_call(role: str) -> None:
    """SUPPRESS and REVIVE for a role that is invalid or not the framework's do nothing, with 202."""
    desk = Desk()
    framework, stream = desk.subscribe(["MULTI_ROLE"], roles=["a"])
    assert desk.call(framework, stream, "SUPPRESS", suppress={"roles": [role]}).status == 202
    assert desk.call(framework, stream, "REVIVE", revive={"roles": ["a", role]}).status == 202
    assert desk.allocator.named("suppress_offers") == desk.allocator.named("revive_offers") == []
