"""Random lives of an agent with a resource provider: at the end the master believes of it what it has (V9)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from messor.model.resources import Resources
from messor.protos import internal, v0
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from messor.simulation.invariants import allocation_problems
from support.provider_agents import Provider, ProviderAgent, Source, create_disk, destroy_disk, disk, provider_agent

ROLE = "web"
ENDED = (v0.OPERATION_FINISHED, v0.OPERATION_FINISHED, v0.OPERATION_FAILED)


class Life:
    """An agent that applies operations some time after it got them, a framework that asks for them, and bad luck."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        """Start with three disks."""
        self.cluster = cluster
        self.chance = random.Random(seed)
        cluster.invariants.append(self.books_agree)
        cluster.run_until(lambda: cluster.master.is_leading)
        self.agent: ProviderAgent = provider_agent(cluster, cluster.master.upid)
        self.provider: Provider = self.agent.providers["rp-1"]
        self.provider.total = [disk(size, profile=f"p{size}") for size in (10, 20, 30)]
        self.agent.tell()
        self.seen = 0
        self.acknowledged = 0
        self.made = 0
        self.asked = 0
        self.framework = self.new_framework()

    def new_framework(self) -> SimulatedScheduler:
        """Start a framework."""
        capabilities = ("reservation_refinement", "partition_aware", "multi_role")
        return self.cluster.framework(
            http=True, roles=[ROLE], capabilities=capabilities, checkpoint=True, failover_timeout=1e6
        )

    def books_agree(self) -> None:
        """Check that the allocator believes of every agent what the master does."""
        master = self.cluster.master
        if master.is_running:
            assert allocation_problems(master.actor) == []
            for agent in master.state.agents.values():
                assert master.actor.allocator.books.agents[agent.id].total == agent.total

    # --- the agent's side ---------------------------------------------------------------------------------------------

    def take(self) -> None:
        """Read what came: operations, acknowledgements, questions; each is heeded unless it is lost."""
        applied = self.agent.applied()
        for apply in applied[self.seen :]:
            if self.chance.random() < 0.8 and self.agent.providers:
                operation = v0.Operation(info=apply.operation_info, uuid=apply.operation_uuid)
                operation.slave_id.CopyFrom(self.agent.info.id)
                operation.framework_id.CopyFrom(apply.framework_id)
                operation.latest_status.state = v0.OPERATION_PENDING
                self.provider.operations[apply.operation_uuid.value] = operation
        self.seen = len(applied)
        acknowledged = self.agent.received(internal.AcknowledgeOperationStatusMessage)
        for one in acknowledged[self.acknowledged :]:
            self.provider.operations.pop(one.operation_uuid.value, None)
        self.acknowledged = len(acknowledged)
        questions = self.agent.received(internal.ReconcileOperationsMessage)
        for question in questions[self.asked :]:
            for asked in question.operations:
                if asked.operation_uuid.value not in self.provider.operations:
                    self.agent.report(asked.operation_uuid.value, v0.OPERATION_DROPPED, status_uuid=b"")
        self.asked = len(questions)

    def finish(self) -> None:
        """Apply an operation that is pending: the provider's resources are others from now on."""
        pending = [
            each for each in self.provider.operations.values() if each.latest_status.state == v0.OPERATION_PENDING
        ]
        if not pending:
            return
        operation = self.chance.choice(pending)
        status = operation.latest_status
        status.state = self.chance.choice(ENDED)
        if status.state != v0.OPERATION_FINISHED:
            return
        info = operation.info
        is_made = info.type == v0.Offer.Operation.CREATE_DISK
        source = info.create_disk.source if is_made else info.destroy_disk.source
        converted = v0.Resource()
        converted.CopyFrom(source)
        converted.disk.source.ClearField("id")
        converted.disk.source.type = Source.RAW
        if is_made:
            self.made += 1
            converted.disk.source.type = info.create_disk.target_type
            converted.disk.source.id = f"volume-{self.made}"
        status.converted_resources.append(converted)
        before, after = Resources.of([source]).unallocated(), Resources.of([converted]).unallocated()
        total = Resources.of(self.provider.total)
        assert total.contains(before)
        self.provider.total = (total - before + after).messages()

    def report(self) -> None:
        """Report every operation that ended and was not acknowledged."""
        for uuid, operation in self.provider.operations.items():
            status = operation.latest_status
            if status.state != v0.OPERATION_PENDING and self.agent.providers:
                self.agent.report(uuid, status.state, *status.converted_resources)

    # --- everybody's --------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        """Ask for an operation on each disk that is offered, or on some."""
        operations = []
        for offer in self.framework.offers.values():
            for resource in offer.resources:
                if resource.HasField("provider_id") and self.chance.random() < 0.7:
                    feedback = f"op-{self.chance.random()}" if self.chance.random() < 0.7 else ""
                    if resource.disk.source.type == Source.RAW:
                        target = self.chance.choice([Source.MOUNT, Source.BLOCK])
                        operations.append(create_disk(resource, feedback, target=target))
                    else:
                        operations.append(destroy_disk(resource, feedback))
        if self.framework.is_connected and self.framework.offers:
            self.framework.perform(list(self.framework.offers), operations)

    def vanish(self) -> None:
        """Let the provider go, or come back."""
        if self.agent.providers:
            self.agent.providers.clear()
        else:
            self.agent.providers["rp-1"] = self.provider
        self.agent.tell()

    def come_back(self) -> None:
        """Register again, as after a broken connection or with a new master, and tell what there is."""
        self.agent.return_to(self.cluster.master.upid)
        self.cluster.advance(1)
        self.agent.tell()

    def lose(self) -> None:
        """Be unreachable until the master gives up."""
        self.agent.pongs = False
        self.cluster.advance(100)
        self.agent.pongs = True
        self.come_back()

    def change_master(self) -> None:
        """Kill the master and start another one."""
        self.cluster.master.restart()
        self.cluster.advance(self.chance.choice([1, 5]))
        self.come_back()

    def leave(self) -> None:
        """End the framework; another one begins."""
        if self.framework.is_connected:
            self.framework.teardown()
            self.framework = self.new_framework()

    def live(self) -> None:
        """Let some of all that happen, then let everything come to its end."""
        often: list[Callable[[], Any]] = [self.perform, self.finish, self.report, self.agent.tell]
        seldom: list[Callable[[], Any]] = [self.vanish, self.come_back, self.lose, self.change_master, self.leave]
        for _ in range(60):
            self.chance.choice(often if self.chance.random() < 0.9 else seldom)()
            self.cluster.advance(self.chance.random() * 2)
            self.take()
        if not self.agent.providers:
            self.vanish()
        self.cluster.advance(5)
        for _ in range(12):
            self.finish()
            self.report()
            self.agent.tell()
            self.cluster.advance(2)
            self.take()
        self.cluster.advance(700)  # what frameworks of an earlier master asked for may wait for them
        self.report()
        self.cluster.advance(2)
        self.take()


@pytest.mark.parametrize("seed", range(8))
def test_master_and_agent_agree_in_the_end(make_cluster: Callable[..., Cluster], seed: int) -> None:
    """Whatever got lost, nothing is booked twice and nothing is forgotten."""
    life = Life(make_cluster(agents=0, seed=seed), seed)
    life.live()
    record = life.cluster.master.state.agents[life.agent.id]
    provided = record.total.filter(lambda kind: kind.provider_id is not None)
    assert provided == Resources.of(life.provider.total)
    assert life.provider.operations == {}
    assert record.operations == {}
    assert record.used == {}
