"""Agents with resource providers: their disks are offered, made, destroyed; whoever dies meanwhile (V9, S98)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from messor.protos import acls, internal, v0, v0_scheduler
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from messor.simulation.invariants import allocation_problems
from messor.wire.json_codec import message_from
from support import builders
from support.operations import launch
from support.provider_agents import (
    STATUS,
    Provider,
    ProviderAgent,
    Source,
    create_disk,
    destroy_disk,
    disk,
    provider_agent,
)

CAPABILITIES = ("reservation_refinement", "partition_aware", "multi_role")
ROLE = "web"


class Storage:
    """A cluster whose only agent has a provider of raw disk, and a framework with an offer of it."""

    def __init__(self, cluster: Cluster, **options: Any) -> None:
        """Start them."""
        self.cluster = cluster
        cluster.invariants.append(self.books_agree)
        cluster.run_until(lambda: cluster.master.is_leading)
        self.agent: ProviderAgent = provider_agent(cluster, cluster.master.upid)
        options = {"failover_timeout": 1e6, "checkpoint": True, **options}
        self.framework: SimulatedScheduler = cluster.framework(
            http=True, roles=[ROLE], capabilities=CAPABILITIES, **options
        )
        self.wait_for_offer()

    def books_agree(self) -> None:
        """Check that the allocator believes of every agent what the master does."""
        master = self.cluster.master
        if not master.is_running:
            return
        assert allocation_problems(master.actor) == []
        for agent in master.state.agents.values():
            booked = master.actor.allocator.books.agents[agent.id]
            assert booked.total == agent.total
            in_use = agent.total_used()
            for operation in agent.operations.values():
                if not operation.is_orphan and not operation.is_allocated:
                    in_use -= operation.consumed
            assert booked.allocated == in_use

    @property
    def record(self) -> Any:
        """What the master knows of the agent."""
        return self.cluster.master.state.agents[self.agent.id]

    @property
    def operations(self) -> list[Any]:
        """The operations the master knows."""
        return list(self.record.operations.values())

    def wait_for_offer(self) -> None:
        """Give back what is in hand and run until the framework is offered what there is of the agent."""
        self.framework.decline(0)
        self.cluster.run_until(lambda: self.framework.offers, what="an offer", within=60)

    def offered(self) -> list[v0.Resource]:
        """Give the disks of the provider that the framework is offered."""
        return [
            one for offer in self.framework.offers.values() for one in offer.resources if one.HasField("provider_id")
        ]

    def perform(self, *operations: v0.Offer.Operation) -> None:
        """Accept all offers with these operations."""
        self.framework.perform(list(self.framework.offers), operations)
        self.cluster.advance(1)

    def make(self, feedback: str = "one", size: int = 100) -> bytes:
        """Have a disk made, of which the provider knows; gives the operation's uuid."""
        self.perform(create_disk(disk(size, role=ROLE), feedback))
        uuid: bytes = self.agent.accept_operation().uuid.value
        return uuid

    def heard(self) -> list[tuple[str, str]]:
        """Give what the framework heard, as (operation id, state)."""
        return [(one.operation_id.value, v0.OperationState.Name(one.state)[10:]) for one in self.framework.operations]

    def total(self) -> str:
        """Say what of the agent's total is the provider's."""
        return str(self.record.total.filter(lambda kind: kind.provider_id is not None))

    def acknowledged(self) -> list[tuple[str, bytes]]:
        """Give what was acknowledged to the agent, as (provider, status uuid)."""
        found = self.agent.received(internal.AcknowledgeOperationStatusMessage)
        return [(one.resource_provider_id.value, one.status_uuid.value) for one in found]


BLOCK = Source.BLOCK
RAW = "disk[RAW(org.apache.mesos.csi.test.local,,fast)]:100"
MADE = disk(100, Source.MOUNT, volume="volume-1", role=ROLE)


@pytest.fixture
def make_storage(make_cluster: Callable[..., Cluster]) -> Callable[..., Storage]:
    """Make a cluster of such an agent only."""

    def make(master_flags: dict[str, Any] | None = None, **options: Any) -> Storage:
        return Storage(make_cluster(agents=0, master_flags=master_flags), **options)

    return make


@pytest.fixture
def storage(make_storage: Callable[..., Storage]) -> Storage:
    """Give one."""
    return make_storage()


def test_a_disk_is_made_and_used(storage: Storage) -> None:
    """Nobody is offered it while it is made; the provider says what came of it, and that is offered."""
    assert [one.disk.source.type for one in storage.offered()] == [Source.RAW]
    uuid = storage.make()
    sent = storage.agent.applied()[-1]
    assert sent.resource_version_uuid.resource_provider_id.value == "rp-1"
    assert sent.resource_version_uuid.uuid.value == storage.agent.providers["rp-1"].version
    assert sent.framework_id.value == storage.framework.framework_id
    storage.wait_for_offer()
    assert storage.offered() == []
    assert str(storage.record.used[storage.framework.framework_id].unallocated()) == storage.total() == RAW
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(1)
    storage.wait_for_offer()
    assert [one.disk.source.id for one in storage.offered()] == ["volume-1"]
    assert storage.heard() == [("one", "FINISHED")]
    assert storage.framework.operations[0].resource_provider_id.value == "rp-1"
    assert storage.acknowledged() == [("rp-1", STATUS)]
    assert storage.operations == []
    cpus, mem = builders.resources("cpus:1;mem:32")
    storage.perform(launch(storage.agent.id, ("task", [cpus, mem, MADE])))
    versions = storage.agent.last(internal.RunTaskMessage).resource_version_uuids
    assert [(one.resource_provider_id.value, one.uuid.value) for one in versions] == [
        ("", b"own resources..."),
        ("rp-1", storage.agent.providers["rp-1"].version),
    ]
    assert storage.record.task(storage.framework.framework_id, "task") is not None


def test_a_disk_is_destroyed(storage: Storage) -> None:
    """What it was made of is offered again."""
    storage.agent.providers["rp-1"].total = [disk(100, Source.MOUNT, volume="volume-1")]
    storage.agent.tell()
    storage.cluster.advance(1)
    storage.wait_for_offer()
    storage.perform(destroy_disk(MADE, "gone"))
    uuid = storage.agent.accept_operation().uuid.value
    storage.agent.report(uuid, v0.OPERATION_FINISHED, disk(100, role=ROLE))
    storage.cluster.advance(1)
    assert (storage.heard(), storage.total(), storage.operations) == ([("gone", "FINISHED")], RAW, [])


def test_a_disk_is_reserved_and_made_in_one_accept(storage: Storage) -> None:
    """Reservations of provided resources are booked before the provider has made them; what it refuses is undone."""
    reserved = disk(100, role=ROLE)
    reserved.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=ROLE)
    reservation = v0.Offer.Operation(type=v0.Offer.Operation.RESERVE)
    reservation.reserve.resources.append(reserved)
    reservation.id.value = "reserved"
    storage.perform(reservation, create_disk(reserved, "made"))
    first, second = storage.agent.applied()
    assert first.resource_version_uuid == second.resource_version_uuid
    assert "DYNAMIC" in storage.total()
    assert [one.provider_id for one in storage.operations] == ["rp-1", "rp-1"]
    storage.agent.report(first.operation_uuid.value, v0.OPERATION_FAILED)
    storage.agent.report(second.operation_uuid.value, v0.OPERATION_DROPPED, status_uuid=b"")
    storage.agent.providers["rp-1"].version = b"another version."
    storage.agent.tell()
    storage.cluster.advance(1)
    assert sorted(storage.heard()) == [("made", "DROPPED"), ("reserved", "FAILED")]
    assert (storage.total(), storage.operations) == (RAW, [])


@pytest.mark.parametrize("state", ["OPERATION_FAILED", "OPERATION_DROPPED", "OPERATION_ERROR"])
def test_what_failed_is_offered_again(storage: Storage, state: str) -> None:
    """As it was."""
    uuid = storage.make()
    storage.agent.report(uuid, v0.OperationState.Value(state))
    storage.cluster.advance(1)
    storage.wait_for_offer()
    assert [one.disk.source.type for one in storage.offered()] == [Source.RAW]
    assert storage.heard() == [("one", state[10:])]
    assert storage.operations == []


def test_an_operation_without_id_is_acknowledged_by_the_master(storage: Storage) -> None:
    """To the provider it belongs to."""
    uuid = storage.make("")
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(1)
    assert (storage.heard(), storage.acknowledged(), storage.operations) == ([], [("rp-1", STATUS)], [])
    assert "volume-1" in storage.total()


def test_a_repeated_status_converts_once(make_storage: Callable[..., Storage]) -> None:
    """The agent repeats it until it is acknowledged."""
    storage = make_storage(acknowledges=False)
    uuid = storage.make()
    for _ in range(3):
        storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
        storage.cluster.advance(1)
    assert [state for _, state in storage.heard()] == ["FINISHED"] * 3
    assert len(storage.operations) == 1
    assert storage.total().count("disk") == 1


def test_a_status_whose_outcome_is_nonsense_is_ignored(storage: Storage) -> None:
    """Resources of somebody else cannot come out of a provider's operation."""
    uuid = storage.make()
    storage.agent.report(uuid, v0.OPERATION_FINISHED, disk(100, Source.MOUNT, provider="another", volume="x"))
    storage.cluster.advance(1)
    assert (storage.heard(), storage.total(), len(storage.operations)) == ([], RAW, 1)


def test_who_may_not_make_disks_is_refused(make_storage: Callable[..., Storage]) -> None:
    """By the kind of disk to be made."""
    rules = {"create_mount_disks": [{"principals": {"type": "ANY"}, "roles": {"type": "NONE"}}]}
    storage = make_storage({"acls": message_from(rules, acls.ACLs)})
    storage.perform(
        create_disk(disk(100, role=ROLE), "mount"), create_disk(disk(100, role=ROLE), "block", target=BLOCK)
    )
    assert storage.heard() == [("mount", "ERROR")]
    assert "CREATE_MOUNT_DISK" in storage.framework.operations[0].message
    assert [one.feedback_id for one in storage.operations] == ["block"]


# --- providers that change ------------------------------------------------------------------------------------------


def test_a_provider_that_comes_is_offered_and_one_that_goes_is_taken_back(storage: Storage) -> None:
    """Its offers are rescinded, those without its resources are not."""
    storage.agent.providers["rp-2"] = Provider("rp-2", disk(50, provider="rp-2"))
    storage.agent.tell()
    storage.cluster.advance(1)
    assert len(storage.framework.rescinded) == 1
    storage.wait_for_offer()
    assert sorted(one.provider_id.value for one in storage.offered()) == ["rp-1", "rp-2"]
    del storage.agent.providers["rp-1"]
    storage.agent.tell()
    storage.cluster.advance(1)
    storage.wait_for_offer()
    assert [one.provider_id.value for one in storage.offered()] == ["rp-2"]
    storage.agent.providers.clear()
    storage.agent.tell()
    storage.cluster.advance(1)
    storage.wait_for_offer()
    before = len(storage.framework.rescinded)
    storage.agent.providers["rp-1"] = Provider("rp-1", disk(100))
    storage.agent.tell()
    storage.cluster.advance(1)
    assert len(storage.framework.rescinded) == before
    assert storage.total() == RAW


def test_an_update_without_news_rescinds_nothing(storage: Storage) -> None:
    """Nor does one that does not speak of providers."""
    storage.agent.tell()
    storage.agent.tell(speaks_of_providers=False)
    storage.cluster.advance(1)
    assert storage.framework.rescinded == []
    assert storage.total() == RAW


def test_a_provider_that_goes_takes_its_operations_along(storage: Storage) -> None:
    """What it kept is free in the books; when it returns it lists them again, and then they end."""
    uuid = storage.make()
    provider = storage.agent.providers.pop("rp-1")
    storage.agent.tell()
    storage.cluster.advance(1)
    assert (storage.operations, storage.total(), storage.record.used) == ([], "{}", {})
    storage.agent.providers["rp-1"] = provider
    storage.agent.tell()
    storage.cluster.advance(1)
    assert [one.uuid for one in storage.operations] == [uuid]
    assert str(storage.record.used[storage.framework.framework_id].unallocated()) == RAW
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(1)
    assert (storage.heard(), storage.operations) == ([("one", "FINISHED")], [])
    assert "volume-1" in storage.total()


def test_what_a_provider_did_not_get_is_asked_for(storage: Storage) -> None:
    """The operation got lost on the way to it, which the agent then says."""
    storage.perform(create_disk(disk(100, role=ROLE), "one"))
    uuid = storage.agent.applied()[-1].operation_uuid.value
    storage.agent.tell()
    storage.cluster.advance(1)
    (asked,) = storage.agent.last(internal.ReconcileOperationsMessage).operations
    assert (asked.operation_uuid.value, asked.resource_provider_id.value) == (uuid, "rp-1")
    storage.agent.report(uuid, v0.OPERATION_DROPPED, status_uuid=b"")
    storage.cluster.advance(1)
    assert (storage.heard(), storage.operations, storage.total()) == ([("one", "DROPPED")], [], RAW)


def test_an_end_that_is_told_with_the_totals_counts_once(storage: Storage) -> None:
    """The status comes later: the totals have what came out of the operation already."""
    uuid = storage.make()
    provider = storage.agent.providers["rp-1"]
    provider.total = [disk(100, Source.MOUNT, volume="volume-1")]
    provider.operations[uuid].latest_status.state = v0.OPERATION_FINISHED
    storage.agent.tell()
    storage.cluster.advance(1)
    assert storage.record.used == {}
    assert storage.total().count("disk") == 1
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(1)
    assert storage.total().count("disk") == 1
    assert (storage.heard(), storage.operations) == ([("one", "FINISHED")], [])


# --- agents, masters and frameworks that go -------------------------------------------------------------------------


def test_an_agent_that_returns_keeps_its_operations(storage: Storage) -> None:
    """Its connection broke; what the provider has stays offered as soon as it is back."""
    uuid = storage.make()
    storage.agent.return_to(storage.cluster.master.upid)
    storage.cluster.advance(1)
    assert storage.total() == RAW
    storage.agent.tell()
    storage.cluster.advance(1)
    assert len(storage.operations) == 1
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(1)
    assert storage.heard() == [("one", "FINISHED")]


def test_an_agent_that_is_lost_takes_its_operations_along(storage: Storage) -> None:
    """Their framework hears that they are unreachable, and of their end when the agent returns."""
    uuid = storage.make()
    storage.agent.pongs = False
    storage.cluster.advance(100)
    assert storage.heard() == [("one", "UNREACHABLE")]
    assert storage.framework.operations[0].resource_provider_id.value == "rp-1"
    assert storage.cluster.master.state.agents == {}
    storage.agent.pongs = True
    storage.agent.return_to(storage.cluster.master.upid)
    storage.cluster.advance(1)
    assert storage.total() == "{}"
    storage.agent.tell()
    storage.cluster.advance(1)
    assert str(storage.record.used[storage.framework.framework_id].unallocated()) == RAW
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(1)
    assert storage.heard()[1:] == [("one", "FINISHED")]
    assert (storage.operations, storage.record.used) == ([], {})


@pytest.mark.parametrize("who", ["the agent first", "the framework first"])
def test_operations_outlive_the_master(storage: Storage, who: str) -> None:
    """Whoever comes back first: as long as the framework is not known, what they keep is not offered."""
    uuid = storage.make()
    storage.framework.resubscribes = who == "the framework first"
    storage.cluster.master.restart()
    storage.cluster.advance(5)
    storage.agent.return_to(storage.cluster.master.upid)
    storage.cluster.advance(1)
    storage.agent.tell()
    storage.cluster.advance(2)
    if who == "the agent first":
        assert storage.operations[0].is_orphan
        assert storage.total() == "{}"
        storage.framework.resubscribes = True
        storage.framework.disconnected()
        storage.cluster.advance(5)
    assert storage.total() == RAW
    assert str(storage.record.used[storage.framework.framework_id].unallocated()) == RAW
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(1)
    assert storage.heard() == [("one", "FINISHED")]
    assert (storage.operations, storage.record.used) == ([], {})
    assert "volume-1" in storage.total()


@pytest.mark.parametrize("state", ["OPERATION_FINISHED", "OPERATION_FAILED"])
def test_what_a_framework_left_behind_comes_back_when_its_operation_ends(storage: Storage, state: str) -> None:
    """Until then nobody is offered it; the master acknowledges the end in its place."""
    uuid = storage.make()
    storage.framework.teardown()
    storage.cluster.advance(1)
    assert (storage.total(), storage.record.used) == ("{}", {})
    assert storage.operations[0].is_orphan
    storage.agent.tell()
    storage.cluster.advance(1)
    assert storage.total() == "{}"
    storage.agent.report(uuid, v0.OperationState.Value(state), *([MADE] if state == "OPERATION_FINISHED" else []))
    storage.cluster.advance(1)
    assert storage.operations == []
    assert storage.acknowledged() == [("rp-1", STATUS)]
    assert ("volume-1" in storage.total()) is (state == "OPERATION_FINISHED")


@pytest.mark.parametrize("state", ["OPERATION_FINISHED", "OPERATION_FAILED"])
def test_an_orphan_whose_end_is_told_with_the_totals_counts_once(storage: Storage, state: str) -> None:
    """As with any other operation."""
    uuid = storage.make()
    storage.framework.teardown()
    storage.cluster.advance(1)
    provider = storage.agent.providers["rp-1"]
    provider.operations[uuid].latest_status.state = v0.OperationState.Value(state)
    storage.agent.tell()
    storage.cluster.advance(1)
    assert storage.total() == RAW
    storage.agent.report(uuid, v0.OperationState.Value(state), *([disk(100)] if state == "OPERATION_FINISHED" else []))
    storage.cluster.advance(1)
    assert (storage.total(), storage.operations) == (RAW, [])


def test_a_provider_that_grows_does_not_free_what_orphans_keep(storage: Storage) -> None:
    """Its total includes that, the agent's does not."""
    storage.make()
    storage.framework.teardown()
    storage.cluster.advance(1)
    storage.agent.providers["rp-1"].total.append(disk(50, profile="slow"))
    storage.agent.tell()
    storage.cluster.advance(1)
    assert storage.total() == "disk[RAW(org.apache.mesos.csi.test.local,,slow)]:50"
    assert str(storage.record.of_provider("rp-1")).count("disk") == 2


def test_an_orphan_leaves_with_its_provider_or_agent(storage: Storage) -> None:
    """Nothing of it stays in the books."""
    storage.make()
    storage.framework.teardown()
    storage.cluster.advance(1)
    provider = storage.agent.providers.pop("rp-1")
    storage.agent.tell()
    storage.cluster.advance(1)
    assert (storage.operations, storage.total()) == ([], "{}")
    storage.agent.providers["rp-1"] = provider
    storage.agent.tell()
    storage.cluster.advance(1)
    assert len(storage.operations) == 1
    storage.agent.unregister()
    storage.cluster.advance(1)
    assert storage.cluster.master.state.agents == {}


def test_an_agent_has_not_drained_before_its_operations_have_ended(storage: Storage) -> None:
    """A master that has just taken over hears of them after the agent returned: it waits for that."""

    def drained() -> bool:
        return bool(storage.cluster.master.state.draining_agents[storage.agent.id].state == v0.DRAINED)

    uuid = storage.make()
    body = {"type": "DRAIN_AGENT", "drain_agent": {"agent_id": {"value": storage.agent.id}}}
    assert storage.cluster.ask("POST", "/api/v1", json.dumps(body).encode()).status == 200
    storage.cluster.advance(5)
    assert not drained()
    storage.cluster.master.restart()
    storage.cluster.advance(5)
    storage.agent.return_to(storage.cluster.master.upid)
    storage.cluster.advance(5)
    assert not drained()
    storage.agent.tell()
    storage.cluster.advance(5)
    assert not drained()
    storage.agent.report(uuid, v0.OPERATION_FINISHED, MADE)
    storage.cluster.advance(5)
    assert drained()


# --- questions ------------------------------------------------------------------------------------------------------


def test_questions_about_a_provider_that_is_away_go_to_the_agent(storage: Storage) -> None:
    """It knows whether the provider may come back; its answer goes to the framework."""
    storage.agent.providers.clear()
    storage.agent.tell()
    storage.cluster.advance(1)
    call = v0_scheduler.Call(type=v0_scheduler.Call.RECONCILE_OPERATIONS)
    call.framework_id.value = storage.framework.framework_id
    for name, provider in (("one", "rp-1"), ("two", "")):
        asked = call.reconcile_operations.operations.add()
        asked.operation_id.value = name
        asked.slave_id.value = storage.agent.id
        if provider:
            asked.resource_provider_id.value = provider
    storage.framework.call(call)
    storage.cluster.advance(1)
    assert storage.heard() == [("two", "UNKNOWN")]
    question = storage.agent.last(internal.ReconcileOperationsMessage)
    assert question.framework_id.value == storage.framework.framework_id
    (asked_of_agent,) = question.operations
    assert (asked_of_agent.operation_id.value, asked_of_agent.resource_provider_id.value) == ("one", "rp-1")
    answer = internal.UpdateOperationStatusMessage(framework_id=question.framework_id, slave_id=storage.agent.info.id)
    answer.status.state = v0.OPERATION_RECOVERING
    answer.status.operation_id.value = "one"
    answer.status.resource_provider_id.value = "rp-1"
    storage.agent.send(storage.agent.master, answer)
    storage.cluster.advance(1)
    assert storage.heard()[1:] == [("one", "RECOVERING")]


def test_our_own_agents_say_that_they_know_nothing_of_providers(make_cluster: Callable[..., Cluster]) -> None:
    """A framework asks for an operation of a provider that was there before."""
    cluster = make_cluster()
    framework = cluster.framework(http=True, roles=[ROLE], capabilities=CAPABILITIES)
    call = v0_scheduler.Call(type=v0_scheduler.Call.RECONCILE_OPERATIONS)
    call.framework_id.value = framework.framework_id
    asked = call.reconcile_operations.operations.add()
    asked.operation_id.value = "one"
    asked.slave_id.value = cluster.agents[0].id
    asked.resource_provider_id.value = "rp-1"
    framework.call(call)
    cluster.run_until(lambda: framework.operations)
    (status,) = framework.operations
    assert (status.operation_id.value, status.state) == ("one", v0.OPERATION_UNKNOWN)
    assert status.resource_provider_id.value == "rp-1"


def test_operators_see_providers_and_their_operations(storage: Storage) -> None:
    """GET_AGENTS lists providers with what they have, GET_OPERATIONS what is under way; /slaves the agent's total."""
    storage.make()
    answer = json.loads(storage.cluster.ask("POST", "/api/v1", b'{"type": "GET_AGENTS"}').body)
    (agent,) = answer["get_agents"]["agents"]
    (provider,) = agent["resource_providers"]
    assert provider["resource_provider_info"] == {
        "id": {"value": "rp-1"}, "type": "org.apache.mesos.rp.local.storage", "name": "name of rp-1"
    }  # fmt: skip
    assert [one["scalar"]["value"] for one in provider["total_resources"]] == [100]
    assert [one["provider_id"]["value"] for one in agent["total_resources"] if "provider_id" in one] == ["rp-1"]
    assert [one["provider_id"]["value"] for one in agent["allocated_resources"]] == ["rp-1"]
    answer = json.loads(storage.cluster.ask("POST", "/api/v1", b'{"type": "GET_OPERATIONS"}').body)
    (operation,) = answer["get_operations"]["operations"]
    assert operation["info"]["type"] == "CREATE_DISK"
    assert operation["latest_status"] == {
        "operation_id": {"value": "one"}, "state": "OPERATION_PENDING", "agent_id": {"value": storage.agent.id},
        "resource_provider_id": {"value": "rp-1"},
    }  # fmt: skip
    (shown,) = json.loads(storage.cluster.ask("GET", "/slaves").body)["slaves"]
    assert (shown["resources"]["disk"], shown["used_resources"]["disk"]) == (10100, 100)
    (shown,) = json.loads(storage.cluster.ask("GET", "/state").body)["slaves"]
    assert shown["resources"]["disk"] == 10100
    storage.framework.teardown()
    storage.cluster.advance(1)
    answer = json.loads(storage.cluster.ask("POST", "/api/v1", b'{"type": "GET_AGENTS"}').body)
    (agent,) = answer["get_agents"]["agents"]
    assert [one["scalar"]["value"] for one in agent["resource_providers"][0]["total_resources"]] == [100]
    assert not any("provider_id" in one for one in agent["total_resources"])
