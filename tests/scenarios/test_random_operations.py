"""Random operations while agents, masters and connections die: the books of master, allocator and agent agree."""

from __future__ import annotations

from random import Random

import pytest

from messor.protos import v0
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import SimulatedScheduler
from support import builders
from support.operations import destroy

Operation = v0.Offer.Operation

STEPS = 60
CAPABILITIES = ("reservation_refinement", "shared_resources", "partition_aware")
SCALARS = ("cpus", "mem", "disk")


class Life:
    """A cluster and what befalls it; everything is drawn from the seed."""

    def __init__(self, seed: int) -> None:
        """Two agents; a framework, and one of a role below."""
        self.random = Random(seed)
        self.cluster = Cluster(seed, agents=2)
        options = {"capabilities": CAPABILITIES, "failover_timeout": 1e6, "checkpoint": True, "http": True}
        self.frameworks = [self.cluster.framework(roles=[role], **options) for role in ("web", "web/team")]  # type: ignore[arg-type]
        self.count = 0

    def step(self) -> None:
        """Let one thing happen, and some time pass."""
        framework, chance = self.random.choice(self.frameworks), self.random.random()
        if chance < 0.65 and framework.offers and framework.is_connected:
            self.accept(framework)
        elif chance < 0.72:
            self.random.choice(self.cluster.agents).restart()
        elif chance < 0.75:
            agent = self.random.choice(self.cluster.agents)
            agent.power_off()
            self.cluster.advance(self.random.random() * 3)
            agent.start()
        elif chance < 0.80:
            self.cluster.master.restart()
        elif chance < 0.90:
            self.cluster.network.reset(self.random.choice(self.cluster.agents).host, self.cluster.master.host)
        else:
            framework.reconcile_operations()
        self.cluster.advance(self.random.choice([0, 0.01, 0.5, 2, 12]))

    def accept(self, framework: SimulatedScheduler) -> None:
        """Do something with some of the resources of an offer."""
        offer_id, offer = self.random.choice(list(framework.offers.items()))
        operations: list[v0.Offer.Operation] = []
        for resource in offer.resources:
            if resource.name in SCALARS and self.random.random() < 0.5:
                part = v0.Resource()
                part.CopyFrom(resource)
                self.count += 1
                operations += self.change(offer, part)
        framework.perform([offer_id], operations)

    def change(self, offer: v0.Offer, part: v0.Resource) -> list[v0.Offer.Operation]:
        """Do one thing that the state of a resource allows."""
        if part.disk.HasField("persistence"):
            return [destroy(part, self.feedback()) if self.random.random() < 0.5 else self.shrink(part)]
        if not part.reservations:
            part.scalar.value = min(part.scalar.value, self.random.choice([0.5, 1, 20]))
            part.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=part.allocation_info.role)
            operation = self.made(Operation.RESERVE)
            operation.reserve.resources.append(part)
            return [operation]
        if part.name == "disk" and self.random.random() < 0.6:
            return self.use_volume(offer, part)
        operation = self.made(Operation.UNRESERVE)
        operation.unreserve.resources.append(part)
        return [operation]

    def use_volume(self, offer: v0.Offer, part: v0.Resource) -> list[v0.Offer.Operation]:
        """Make a volume and a task that uses it."""
        part.scalar.value = min(10, part.scalar.value)
        part.disk.persistence.id = f"volume-{self.random.randrange(4)}"
        part.disk.volume.container_path = "data"
        part.disk.volume.mode = v0.Volume.RW
        if self.random.random() < 0.3:
            part.shared.SetInParent()
        create, launch = self.made(Operation.CREATE), Operation(type=Operation.LAUNCH)
        create.create.volumes.append(part)
        task = builders.task(f"task-{self.count}", agent_id=offer.slave_id.value, value="sleep 5; exit 0")
        del task.resources[:]
        task.resources.extend([*builders.resources("cpus:0.1;mem:32"), part])
        launch.launch.task_infos.append(task)
        return [create, launch]

    def shrink(self, part: v0.Resource) -> v0.Offer.Operation:
        """Take a megabyte from a volume."""
        operation = self.made(Operation.SHRINK_VOLUME)
        operation.shrink_volume.volume.CopyFrom(part)
        operation.shrink_volume.subtract.value = 1
        return operation

    def made(self, kind: v0.Offer.Operation.Type) -> v0.Offer.Operation:
        """Make an operation of a kind, with or without feedback."""
        operation = Operation(type=kind)
        if self.random.random() < 0.7:
            operation.id.value = self.feedback()
        return operation

    def feedback(self) -> str:
        """Give the id of the present operation."""
        return f"operation-{self.count}"

    def settle(self) -> None:
        """Let everybody come back and be left alone for a while."""
        self.cluster.run_until(self.cluster.is_complete, within=300)
        self.cluster.run_until(lambda: all(framework.is_connected for framework in self.frameworks), within=100)
        self.cluster.advance(900)


@pytest.mark.parametrize("seed", range(6))
def test_the_books_agree_whatever_happens(seed: int) -> None:
    """And no operation is left that somebody waits for."""
    life = Life(seed)
    for _ in range(STEPS):
        life.step()
    life.settle()
    for agent in life.cluster.agents:
        record = life.cluster.master.state.agents[agent.id]
        tables = agent.actor.tables
        assert record.total == tables.total
        assert life.cluster.master.actor.allocator.books.agents[agent.id].total == tables.total
        assert (record.operations, tables.operations) == ({}, {})
    assert any(framework.operations for framework in life.frameworks)
    life.cluster.check()
    life.cluster.close()
