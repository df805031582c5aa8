"""A master as a process, an agent with a resource provider and a framework at its sockets (V9, S98)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from messor import LocalCluster, aio
from messor.operator import BlockingMasterClient, master_calls
from messor.protos import internal, v0
from messor.runtime.address import Address
from messor.runtime.node import Node
from messor.wire.upid import Upid
from support import builders
from support.provider_agents import STATUS, ProviderAgent, Source, create_disk, destroy_disk, disk

ROLE = "web"
FLAGS = {"allocation_interval": "50ms"}


async def until(condition: Callable[[], Any], again: Callable[[], object] | None = None) -> Any:
    """Wait until something is true and give it; again: what to do every quarter of a second meanwhile."""
    async with asyncio.timeout(60):
        count = 0
        while not (value := condition()):
            if again is not None and count % 25 == 0:
                again()
            count += 1
            await asyncio.sleep(0.01)
        return value


async def started_agent(node: Node, cluster: LocalCluster) -> ProviderAgent:
    """Register an agent and tell of its provider."""
    await node.start()
    ip, port = cluster.master.split(":")
    agent = ProviderAgent(Upid("master", ip, int(port)), builders.agent_info("storage"))
    node.spawn(agent)
    await until(lambda: agent.id, agent.register)
    agent.tell()
    return agent


async def disk_offer(scheduler: aio.Scheduler) -> tuple[v0.Offer, v0.Resource]:
    """Wait for an offer with a provider's disk; gives both. Others are given back."""
    async for event in scheduler:
        if isinstance(event, aio.Offers):
            for offer in event.offers:
                for resource in offer.resources:
                    if resource.HasField("provider_id"):
                        return offer, resource
                scheduler.decline([offer], refuse_seconds=0)
    raise AssertionError("iteration ended before an offer came")


async def next_operation(scheduler: aio.Scheduler) -> tuple[str, str]:
    """Wait for the next status of an operation; gives (operation id, state)."""
    async for event in scheduler:
        if isinstance(event, aio.OperationUpdate):
            return event.operation_id, event.state
        if isinstance(event, aio.Offers):  # a disk is offered with the rest of its agent only
            scheduler.decline(event.offers, refuse_seconds=0)
    raise AssertionError("iteration ended before a status came")


def framework() -> v0.FrameworkInfo:
    """Describe a framework."""
    return builders.framework_info(
        roles=[ROLE], capabilities=["multi_role", "reservation_refinement"], failover_timeout=1e6
    )


def total_of_provider(cluster: LocalCluster) -> list[v0.Resource]:
    """Ask what the provider of the only agent has."""
    with BlockingMasterClient(cluster.master) as master:
        (agent,) = master.ask(master_calls.get_agents()).agents
    return [resource for provider in agent.resource_providers for resource in provider.total_resources]


def test_a_disk_is_made_and_destroyed(tmp_path: Path) -> None:
    """Everything over sockets, in the formats of the wire."""

    async def main(cluster: LocalCluster, node: Node) -> None:
        agent = await started_agent(node, cluster)
        async with aio.Scheduler(framework=framework(), master=cluster.master) as scheduler:
            offer, raw = await disk_offer(scheduler)
            assert raw.disk.source.type == Source.RAW
            assert await scheduler.accept([offer], [create_disk(raw, "make")], refuse_seconds=0)
            apply = (await until(agent.applied))[0]
            assert apply.resource_version_uuid.resource_provider_id.value == "rp-1"
            assert apply.operation_info.create_disk.source.allocation_info.role == ROLE
            made = disk(100, Source.MOUNT, volume="volume-1", role=ROLE)
            agent.report(apply.operation_uuid.value, v0.OPERATION_FINISHED, made)
            assert await next_operation(scheduler) == ("make", "OPERATION_FINISHED")
            offer, mount = await disk_offer(scheduler)
            assert mount.disk.source.id == "volume-1"
            (acknowledged,) = await until(lambda: agent.received(internal.AcknowledgeOperationStatusMessage))
            assert (acknowledged.status_uuid.value, acknowledged.resource_provider_id.value) == (STATUS, "rp-1")
            assert [one.disk.source.id for one in await asyncio.to_thread(total_of_provider, cluster)] == ["volume-1"]
            assert await scheduler.accept([offer], [destroy_disk(mount, "destroy")], refuse_seconds=0)
            apply = (await until(lambda: agent.applied()[1:]))[0]
            agent.report(apply.operation_uuid.value, v0.OPERATION_FINISHED, disk(100, role=ROLE))
            assert await next_operation(scheduler) == ("destroy", "OPERATION_FINISHED")
            _, raw = await disk_offer(scheduler)
            assert raw.disk.source.type == Source.RAW

    with LocalCluster(0, work_dir=tmp_path, master_flags=FLAGS) as cluster:
        asyncio.run(on_a_node(lambda node: main(cluster, node)))


def test_an_operation_outlives_the_master(tmp_path: Path) -> None:
    """Its agent lists it when it returns; its framework hears the end from the next master."""

    async def main(cluster: LocalCluster, node: Node) -> None:
        agent = await started_agent(node, cluster)
        async with aio.Scheduler(framework=framework(), master=cluster.master) as scheduler:
            offer, raw = await disk_offer(scheduler)
            assert await scheduler.accept([offer], [create_disk(raw, "make")], refuse_seconds=0)
            await until(agent.applied)
            uuid = agent.accept_operation().uuid.value
            await asyncio.to_thread(cluster.restart_master)
            await until(
                lambda: agent.received(internal.SlaveReregisteredMessage), lambda: agent.return_to(agent.master)
            )
            agent.tell()
            async for event in scheduler:
                if isinstance(event, aio.Reregistered):
                    break
            made = disk(100, Source.BLOCK, volume="volume-1", role=ROLE)
            agent.report(uuid, v0.OPERATION_FINISHED, made)
            assert await next_operation(scheduler) == ("make", "OPERATION_FINISHED")
            _, block = await disk_offer(scheduler)
            assert (block.disk.source.type, block.disk.source.id) == (Source.BLOCK, "volume-1")

    with LocalCluster(0, work_dir=tmp_path, master_flags=FLAGS) as cluster:
        asyncio.run(on_a_node(lambda node: main(cluster, node)))


async def on_a_node(play: Callable[[Node], Any]) -> None:
    """Give a play a node of its own, and stop that afterwards."""
    node = Node(Address("127.0.0.1", 0))
    try:
        async with asyncio.timeout(120):
            await play(node)
    finally:
        await node.stop()
