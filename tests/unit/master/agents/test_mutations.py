"""Agents that send nonsense: the master goes on, and its books balance."""

from __future__ import annotations

import random
from typing import Any

import pytest

from messor.protos import internal, v0, v0_scheduler
from messor.simulation.invariants import allocation_problems
from support import builders
from support.provider_agents import Provider, Source, create_disk, disk, provider_agent


def mutated(chance: random.Random, body: bytes) -> bytes:
    """Change, cut, repeat or insert some bytes."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        if not data:
            return bytes(data)
        place = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randint(1, 8)]
            case 2:
                data[place:place] = data[place : place + chance.randint(1, 20)]
            case _:
                data[place:place] = chance.randbytes(chance.randint(1, 4))
    return bytes(data)


@pytest.mark.parametrize("seed", range(6))
def test_mutated_messages_do_no_harm(rig: Any, seed: int) -> None:
    """Every agent message, mutated 150 times a run: no handler fails, nothing stays half done."""
    chance = random.Random(seed)
    rig.start()
    scheduler = rig.scheduler(checkpoint=True)
    agent = rig.agent()
    rig.launch(scheduler, agent)
    task = rig.state_of(agent, scheduler)
    messages = [
        internal.RegisterSlaveMessage(slave=builders.agent_info("a"), version="1.11.0"),
        internal.ReregisterSlaveMessage(
            slave=agent.info,
            version="1.11.0",
            tasks=[task],
            frameworks=[scheduler.info],
            executor_infos=[_executor(scheduler.info.id)],
        ),
        internal.UpdateSlaveMessage(slave_id=agent.info.id, oversubscribed_resources=builders.resources("cpus:1")),
        internal.UnregisterSlaveMessage(slave_id=agent.info.id),
        internal.StatusUpdateMessage(
            update=builders.update(
                builders.status("t1", v0.TASK_RUNNING), framework_id=scheduler.info.id.value, executor_id=""
            )
        ),
    ]
    for _ in range(150):
        message = chance.choice(messages)
        agent.send_bytes(
            rig.master.upid, message.DESCRIPTOR.full_name, mutated(chance, message.SerializePartialToString())
        )
        if chance.random() < 0.1:
            rig.world.advance(chance.random() * 20)
        rig.world.settle()
        rig.check()
    assert rig.master.host.metrics.handler_failures.value == 0


@pytest.mark.parametrize("seed", range(4))
def test_mutated_news_of_providers_do_no_harm(rig: Any, seed: int) -> None:
    """What agents say of resource providers and their operations, some under way, some of nobody known."""
    chance = random.Random(seed)
    rig.start()
    agent = provider_agent(rig.world, rig.master.upid)
    scheduler = rig.scheduler(roles=["web"], capabilities=["reservation_refinement", "multi_role"])
    rig.world.advance(2)
    offer = scheduler.offers()[-1]
    call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
    call.accept.offer_ids.append(offer.id)
    call.accept.operations.append(create_disk(disk(100, role="web")))
    scheduler.call(call)
    rig.world.advance(1)
    known = agent.accept_operation()
    orphan = v0.Operation()
    orphan.CopyFrom(known)
    orphan.framework_id.value = "unknown"
    orphan.uuid.value = b"o" * 16
    provider = Provider("rp-2", disk(100, provider="rp-2"))
    orphan.info.create_disk.source.provider_id.value = "rp-2"
    provider.operations[b"o" * 16] = orphan
    lists = [agent.news()]
    agent.providers["rp-2"] = provider
    lists.append(agent.news())
    known.latest_status.state = v0.OPERATION_FINISHED
    lists.append(agent.news())
    made = disk(100, Source.MOUNT, volume="v", role="web")
    reports = [
        agent.report_of(known.uuid.value, v0.OPERATION_FINISHED, made),
        agent.report_of(b"o" * 16, v0.OPERATION_FINISHED, disk(100, Source.MOUNT, provider="rp-2", volume="w")),
        agent.report_of(b"o" * 16, v0.OPERATION_FAILED),
    ]
    for _ in range(200):
        message = chance.choice([*lists, *lists, *reports])
        body = message.SerializePartialToString()
        if chance.random() < 0.7:
            body = mutated(chance, body)
        agent.send_bytes(rig.master.upid, message.DESCRIPTOR.full_name, body)
        rig.world.advance(chance.random() * 2)
        rig.check()
        assert allocation_problems(rig.master) == []
    assert rig.master.host.metrics.handler_failures.value == 0


def _executor(framework_id: v0.FrameworkID) -> v0.ExecutorInfo:
    """Make an executor of a framework."""
    info = builders.executor_info("e", text="cpus:0.1;mem:32")
    info.framework_id.CopyFrom(framework_id)
    return info
