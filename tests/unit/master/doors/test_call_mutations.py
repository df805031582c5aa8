"""Calls that went wrong on the way: whatever arrives, the books balance and the next call is served."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from messor.master.state import invariants
from messor.protos import v1_scheduler
from messor.wire.json_codec import from_dict
from support.master_desk import Desk

ODD: list[Any] = [
    None, "", "x", "a/b", "\u0000", "é", 0, -1, 1e308, -0.5, True, [], {}, [[]],
    {"value": None}, "Infinity", "NaN", "AAAA",
]  # fmt: skip

CPUS = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}
PORTS = {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31001}]}}
TASK = {
    "name": "t", "task_id": {"value": "t"}, "agent_id": {"value": "M-S0"}, "resources": [CPUS, PORTS],
    "command": {"value": "true", "environment": {"variables": [{"name": "A", "value": "b"}]}},
    "container": {"type": "MESOS", "volumes": [{"mode": "RW", "container_path": "p", "host_path": "h"}]},
    "check": {"type": "TCP", "tcp": {"port": 1}}, "health_check": {"type": "HTTP", "http": {"port": 1}},
    "kill_policy": {"grace_period": {"nanoseconds": 1}}, "limits": {"cpus": {"value": 1}},
    "labels": {"labels": [{"key": "k"}]},
}  # fmt: skip
EXECUTOR = {"type": "DEFAULT", "executor_id": {"value": "e"}, "framework_id": {"value": "M-0000"}, "resources": [CPUS]}
CUSTOM = {**TASK, "command": None, "executor": {**EXECUTOR, "type": "CUSTOM", "command": {"value": "x"}}}
GROUP = {"executor": EXECUTOR, "task_group": {"tasks": [TASK]}}
INFO = {"user": "root", "name": "n", "id": {"value": "M-0000"}, "role": "*", "failover_timeout": 1.0}

PARTS: dict[str, dict[str, Any]] = {
    "ACCEPT": {
        "offer_ids": [{"value": "OFFER"}],
        "operations": [
            {"type": "LAUNCH", "launch": {"task_infos": [TASK, CUSTOM]}},
            {"type": "LAUNCH_GROUP", "launch_group": GROUP},
            {"type": "RESERVE", "id": {"value": "o"}, "reserve": {"resources": [CPUS]}},
        ],
        "filters": {"refuse_seconds": 1.0},
    },
    "DECLINE": {"offer_ids": [{"value": "OFFER"}], "filters": {"refuse_seconds": 1.0}},
    "KILL": {"task_id": {"value": "t"}, "agent_id": {"value": "M-S0"}},
    "SHUTDOWN": {"executor_id": {"value": "e"}, "agent_id": {"value": "M-S0"}},
    "ACKNOWLEDGE": {
        "agent_id": {"value": "M-S0"}, "task_id": {"value": "t"}, "uuid": "NTU1NTU1NTU1NTU1NTU1NQ==",
    },
    "RECONCILE": {"tasks": [{"task_id": {"value": "t"}, "agent_id": {"value": "M-S0"}}]},
    "MESSAGE": {"agent_id": {"value": "M-S0"}, "executor_id": {"value": "e"}, "data": "AAAA"},
    "REVIVE": {"roles": ["*"]},
    "SUPPRESS": {"roles": ["*"]},
    "UPDATE_FRAMEWORK": {"framework_info": INFO, "suppressed_roles": ["*"]},
    "RECONCILE_OPERATIONS": {"operations": [{"operation_id": {"value": "o"}, "agent_id": {"value": "M-S0"}}]},
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of everything inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def mutate(value: Any, chance: random.Random) -> None:
    """Change, drop or repeat something somewhere inside."""
    *path, last = chance.choice(places(value)[1:])
    for step in path:
        value = value[step]
    match chance.randrange(4):
        case 0:
            del value[last]
        case 1 if isinstance(value, list):
            value.append(value[last])
        case _:
            value[last] = chance.choice(ODD)


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    """Change, drop or insert a byte or two."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(changed))
        match chance.randrange(3):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at]
            case _:
                changed.insert(at, chance.randrange(256))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(60))
def test_mutated_calls_do_no_harm(seed: int) -> None:
    """Ten wrong calls in a row, JSON or protobuf, each with a proper status; then a proper one."""
    chance = random.Random(seed)
    desk = Desk()
    framework, stream = desk.subscribe(failover_timeout=60.0)
    agent = desk.agent("cpus:100;mem:4096;ports:[31000-32000]")
    for turn in range(10):
        first = 31000 + 10 * turn
        offer = desk.offer(framework, agent, f"cpus:2;mem:64;ports:[{first}-{first + 9}]")
        kind = chance.choice(list(PARTS))
        body = json.loads(json.dumps(PARTS[kind]).replace("OFFER", offer))
        call = {"type": kind, "framework_id": {"value": framework.id}, kind.lower(): body}
        if chance.random() < 0.5:
            mutate(call, chance)
            response = desk.post(call, stream.id)
        else:
            data = from_dict(call, v1_scheduler.Call).SerializeToString()
            response = desk.post(mutate_bytes(data, chance), stream.id, content_type="application/x-protobuf")
        assert response.status in {200, 202, 400, 501}, response.body
        assert invariants.check(desk.state) == []
    assert framework.id in desk.state.frameworks
    offer = desk.offer(framework, agent, "cpus:2;mem:64")
    good = {**TASK, "task_id": {"value": "last"}, "resources": [CPUS]}
    launch = {"type": "LAUNCH", "launch": {"task_infos": [good]}}
    desk.call(framework, stream, "ACCEPT", accept={"offer_ids": [{"value": offer}], "operations": [launch]})
    assert "last" in framework.tasks
    desk.removal.remove(framework)
    assert invariants.check(desk.state) == []
