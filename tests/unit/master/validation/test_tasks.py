"""What a task or task group that cannot be launched is told, as recorded from the original."""

from __future__ import annotations

from typing import Any

import pytest

from support.master_desk import Desk

CPUS = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}
MEM = {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}
DISK = {"name": "disk", "type": "SCALAR", "scalar": {"value": 32}}
FRAMEWORK = "M-0000"
OFFERED = "ports(allocated: *):[31000-31099]; cpus(allocated: *):4; mem(allocated: *):4096; disk(allocated: *):10240"


def scalar(name: str, value: float, **more: Any) -> dict[str, Any]:
    """Make a scalar resource in JSON."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def executor(**fields: Any) -> dict[str, Any]:
    """Make an executor of the framework in JSON."""
    return {"executor_id": {"value": "e1"}, "framework_id": {"value": FRAMEWORK}, **fields}


def ranges(*pairs: tuple[int, int]) -> dict[str, Any]:
    """Make a ports resource in JSON."""
    listed = [{"begin": begin, "end": end} for begin, end in pairs]
    return {"name": "ports", "type": "RANGES", "ranges": {"range": listed}}


def environment(**variable: Any) -> dict[str, Any]:
    """Make a command with one environment variable in JSON."""
    return {"value": "true", "environment": {"variables": [{"name": "X", **variable}]}}


EITHER = "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "more than offered",
        {"resources": [scalar("cpus", 400), MEM]},
        (
            "Total resources cpus(allocated: *):400; mem(allocated: *):32 required by task and its executor is"
            f" more than available {OFFERED}"
        ),
    ),
    ("no resources", {"resources": []}, "Task uses no resources"),
    ("slash in id", {"task_id": {"value": "a/b"}}, "'a/b' contains invalid characters"),
    ("control character in id", {"task_id": {"value": "a\nb"}}, "'a\nb' contains invalid characters"),
    ("id ..", {"task_id": {"value": ".."}}, "'..' is disallowed"),
    ("empty id", {"task_id": {"value": ""}}, "ID must not be empty"),
    ("long id", {"task_id": {"value": "x" * 256}}, "ID must not be greater than 255 characters"),
    (
        "wrong agent",
        {"agent_id": {"value": "bogus"}},
        "Task uses invalid agent bogus while agent M-S0 is expected",
    ),
    ("neither command nor executor", {"command": None}, EITHER),
    ("both", {"executor": executor(command={"value": "true"})}, EITHER),
    (
        "executor of another framework",
        {"command": None, "executor": executor(framework_id={"value": "bogus"}, command={"value": "true"})},
        "ExecutorInfo has an invalid FrameworkID (Actual: bogus vs Expected: M-0000)",
    ),
    (
        "default executor",
        {"command": None, "executor": executor(type="DEFAULT")},
        "'ExecutorInfo.type' must be 'CUSTOM'",
    ),
    (
        "custom executor without command",
        {"command": None, "executor": executor(type="CUSTOM")},
        "'ExecutorInfo.command' must be set for 'CUSTOM' executor",
    ),
    (
        "negative resource",
        {"resources": [scalar("cpus", -1), MEM]},
        "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0",
    ),
    (
        "tiny resource",
        {"resources": [scalar("cpus", 0.0001), MEM]},
        "Resource 'cpus:0' is invalid: Invalid scalar resource: value <= 0",
    ),
    (
        "overlapping ranges",
        {"resources": [CPUS, MEM, ranges((31000, 31002), (31001, 31003))]},
        "Resource 'ports:[31000-31002, 31001-31003]' is invalid: Invalid ranges resource: overlapping ranges",
    ),
    (
        "role nobody reserved for",
        {"resources": [scalar("cpus", 0.1, role="nope")]},
        (
            "Total resources cpus(allocated: *)(reservations: [(STATIC,nope)]):0.1 required by task and its executor is"
            f" more than available {OFFERED}"
        ),
    ),
    (
        "parts of GPUs",
        {"resources": [CPUS, MEM, scalar("gpus", 0.5)]},
        "Task uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer",
    ),
    (
        "negative grace",
        {"kill_policy": {"grace_period": {"nanoseconds": -1}}},
        "Task's 'kill_policy.grace_period' must be non-negative",
    ),
    (
        "negative completion time",
        {"max_completion_time": {"nanoseconds": -1}},
        "Task's `max_completion_time` must be non-negative",
    ),
    (
        "health check without type",
        {"health_check": {"delay_seconds": 1.0}},
        "Task uses invalid health check: HealthCheck must specify 'type'",
    ),
    (
        "health check without command",
        {"health_check": {"type": "COMMAND"}},
        "Task uses invalid health check: Expecting 'command' to be set for COMMAND health check",
    ),
    (
        "health check path",
        {"health_check": {"type": "HTTP", "http": {"port": 80, "path": "x"}}},
        "Task uses invalid health check: The path 'x' of HTTP health check must start with '/'",
    ),
    (
        "check without http",
        {"check": {"type": "HTTP"}},
        "Task uses invalid check: Expecting 'http' to be set for HTTP check",
    ),
    (
        "check with negative delay",
        {"check": {"type": "COMMAND", "command": {"command": {"value": "true"}}, "delay_seconds": -1.0}},
        "Task uses invalid check: Expecting 'delay_seconds' to be non-negative",
    ),
    (
        "variable without value",
        {"command": environment()},
        "Task's `CommandInfo` is invalid: Environment variable 'X' of type 'VALUE' must have a value set",
    ),
    (
        "variable without secret",
        {"command": environment(type="SECRET")},
        "Task's `CommandInfo` is invalid: Environment variable 'X' of type 'SECRET' must have a secret set",
    ),
    (
        "limit below request",
        {"limits": {"cpus": {"value": 0.05}}},
        "The cpu limit must be greater than or equal to the cpu request",
    ),
    (
        "limit of disk",
        {"limits": {"disk": {"value": 10}}},
        "Only cpus and mem may be included in a task's resource limits",
    ),
    (
        "mixed revocable",
        {"resources": [CPUS, scalar("cpus", 0.1, revocable={}), MEM]},
        (
            "Task mixes revocable and non-revocable resources: Cannot use both revocable and non-revocable 'cpus'"
            " at the same time"
        ),
    ),
    (
        "own cgroups outside a group",
        {"container": {"type": "MESOS", "linux_info": {"share_cgroups": False}}},
        "Only tasks in a task group may have 'share_cgroups' set to 'false'",
    ),
]

POD = {"executor_id": {"value": "pod"}, "framework_id": {"value": FRAMEWORK}, "type": "DEFAULT"}
ENOUGH = [CPUS, MEM, DISK]

REFUSED_GROUPS: list[tuple[str, dict[str, Any], list[dict[str, Any]], str]] = [
    (
        "executor without resources",
        {},
        [{}],
        "Executor 'pod' uses less CPUs (None) than the minimum required (0.01)",
    ),
    (
        "executor without memory",
        {"resources": [CPUS]},
        [{}],
        "Executor 'pod' uses less memory (None) than the minimum required (32MB)",
    ),
    ("executor without disk", {"resources": [CPUS, MEM]}, [{}], "Executor 'pod' uses no disk"),
    (
        "task with another executor",
        {"resources": ENOUGH},
        [{"command": None, "executor": {"executor_id": {"value": "e1"}, "command": {"value": "true"}}}],
        "The `ExecutorInfo` of task 'p0' is different from executor 'pod'",
    ),
    (
        "default executor with a command",
        {"resources": ENOUGH, "command": {"value": "x"}},
        [{}],
        "'ExecutorInfo.command' must not be set for 'DEFAULT' executor",
    ),
    ("executor without type", {"resources": ENOUGH, "type": None}, [{}], "'ExecutorInfo.type' must be set"),
    (
        "one bad task of two",
        {"resources": ENOUGH},
        [{}, {"task_id": {"value": "a/b"}}],
        "Task 'a/b' is invalid: 'a/b' contains invalid characters",
    ),
    (
        "limits in shared cgroups",
        {"resources": ENOUGH},
        [{"limits": {"cpus": {"value": 1.0}}}],
        (
            "Task 'p0' is invalid: Resource limits may only be set for tasks within a task group when the"
            " 'share_cgroups' field is set to 'false'."
        ),
    ),
    (
        "docker task",
        {"resources": ENOUGH},
        [{"container": {"type": "DOCKER", "docker": {"image": "x"}}}],
        "Task 'p0' is invalid: Docker ContainerInfo is not supported on the task",
    ),
    (
        "ports asked for twice",
        {"resources": ENOUGH},
        [{"resources": [CPUS, ranges((31000, 31001))]}, {"resources": [CPUS, ranges((31001, 31002))]}],
        (
            "There are overlapping resources in the task group's task resources { cpus(allocated: *):0.1;"
            " ports(allocated: *):[31000-31001], cpus(allocated: *):0.1; ports(allocated: *):[31001-31002] } and/or"
            " executor resources cpus(allocated: *):0.1; mem(allocated: *):32; disk(allocated: *):32"
        ),
    ),
]


def task(name: str = "t", **fields: Any) -> dict[str, Any]:
    """Make a command task in JSON; fields given as None are left out by the codec."""
    return {
        "name": name,
        "task_id": {"value": name},
        "agent_id": {"value": "M-S0"},
        "resources": [CPUS, MEM],
        "command": {"value": "true"},
        **fields,
    }


def accept(*operations: dict[str, Any]) -> list[dict[str, Any]]:
    """Accept a whole agent's offer with these operations; gives the statuses that come back."""
    desk = Desk()
    framework, stream = desk.subscribe(["PARTITION_AWARE"])
    agent = desk.agent("ports:[31000-31099];cpus:4;mem:4096;disk:10240")
    offer = desk.offer(framework, agent)
    response = desk.call(
        framework, stream, "ACCEPT", accept={"offer_ids": [{"value": offer}], "operations": list(operations)}
    )
    assert response.status == 202, response.body
    assert not framework.tasks
    assert desk.recovered() == agent.total.allocated_to("*")
    return stream.statuses()


@pytest.mark.parametrize(("fields", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_bad_task_is_told_why(fields: dict[str, Any], message: str) -> None:
    """An invalid task gets TASK_ERROR with the original's sentence, and all of the offer goes back."""
    (status,) = accept({"type": "LAUNCH", "launch": {"task_infos": [task(**fields)]}})
    assert status["message"] == message
    assert (status["state"], status["source"], status["reason"]) == (
        "TASK_ERROR",
        "SOURCE_MASTER",
        "REASON_TASK_INVALID",
    )
    assert "uuid" not in status


@pytest.mark.parametrize(
    ("pod", "tasks", "message"), [row[1:] for row in REFUSED_GROUPS], ids=[row[0] for row in REFUSED_GROUPS]
)
def test_a_bad_group_is_told_why(pod: dict[str, Any], tasks: list[dict[str, Any]], message: str) -> None:
    """Every task of an invalid group gets the same TASK_ERROR."""
    group = [task(f"p{number}", **fields) for number, fields in enumerate(tasks)]
    statuses = accept({
        "type": "LAUNCH_GROUP", "launch_group": {"executor": {**POD, **pod}, "task_group": {"tasks": group}}
    })  # fmt: skip
    assert [status["message"] for status in statuses] == [message] * len(tasks)
    assert {status["reason"] for status in statuses} == {"REASON_TASK_GROUP_INVALID"}


def test_an_id_on_a_launch_is_refused() -> None:
    """Launches give no operation feedback, so they carry no id."""
    (status,) = accept({"type": "LAUNCH", "id": {"value": "o"}, "launch": {"task_infos": [task()]}})
    assert status["message"] == "The `id` field cannot be set on LAUNCH operations"


def test_no_tasks_is_an_implicit_decline() -> None:
    """A LAUNCH without tasks gives the offer back and says nothing."""
    assert accept({"type": "LAUNCH", "launch": {"task_infos": []}}) == []
