"""Agents that send nonsense: the master goes on, and its books balance."""

from __future__ import annotations

import random
from typing import Any

import pytest

from messor.protos import internal, v0
from support import builders


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


def _executor(framework_id: v0.FrameworkID) -> v0.ExecutorInfo:
    """Make an executor of a framework."""
    info = builders.executor_info("e", text="cpus:0.1;mem:32")
    info.framework_id.CopyFrom(framework_id)
    return info
