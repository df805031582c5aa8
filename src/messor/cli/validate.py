"""``messor validate``: what a master would say of a TaskInfo, an operation or a call, before it does (Z23)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from messor.cli.asking import Master, add_master, run, say
from messor.cli.json_fields import unknown_fields
from messor.errors import InvalidRequest, NotFound
from messor.master.offers.dry_run import DryRun, Finding
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.validation.frameworks import validate_framework
from messor.master.validation.scheduler_calls import validate_call
from messor.model.resources import Resources
from messor.model.roles import roles_of, validate_role
from messor.protos import v0, v0_scheduler, v1, v1_master, v1_scheduler
from messor.wire.json_codec import from_dict, parse_json
from messor.wire.upid import Upid
from messor.wire.versions import devolve

EPILOG = """\
The file (- for standard input) holds, in the JSON of the v1 API or with v0 names such as slave_id:
  a TaskInfo, an Offer.Operation, or a list of either; a scheduler call such as ACCEPT; a FrameworkInfo.

Without --master everything that is asked for counts as offered: the rest is checked. With --master it is
also checked against what an agent has: the one --agent or the task names, else every one.

exit status: 0 valid, 1 invalid, 2 unreadable or no answer. Warnings do not make it invalid."""

ALL_ABILITIES = frozenset(number for number in v0.SlaveInfo.Capability.Type.values() if number)
NO_PID = Upid("slave(1)", "0.0.0.0", 0)  # noqa: S104  (nobody listens)


class Subject(NamedTuple):
    """What a file holds."""

    operations: list[v0.Offer.Operation]
    call: v0_scheduler.Call | None
    framework: v0.FrameworkInfo | None
    warnings: list[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Check and print; gives the exit status. argv includes the program's name."""
    options = argparse.ArgumentParser(
        prog="messor validate",
        description="Check a TaskInfo, an operation or a scheduler call with the master's own validators.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("file", help="JSON; - reads standard input")
    options.add_argument("--role", default="*", help="the role whose offers it would use (default: *)")
    options.add_argument("--capabilities", default="", metavar="A,B", help="the framework's, besides MULTI_ROLE")
    options.add_argument("--agent", help="check against this agent only, by id")
    options.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_master(options, None)
    given = options.parse_args((sys.argv if argv is None else argv)[1:])
    return run("validate", lambda: _validate(given))


def _validate(given: argparse.Namespace) -> int:
    validate_role(given.role)
    subject = read_subject(_contents(given.file))
    findings = list(check_shape(subject))
    if subject.operations:
        framework = _framework(given.role, given.capabilities)
        if given.master is None:
            findings += dry_run(subject.operations, framework, given.role)
        else:
            agents = fetch_agents(Master(given.master, given.credential))
            findings += _on_agents(subject.operations, framework, given, agents)
    is_valid = all(finding.problem is None for finding in findings)
    if given.json:
        found = [finding._asdict() for finding in findings]
        say(json.dumps({"valid": is_valid, "warnings": subject.warnings, "findings": found}, indent=2))
        return 0 if is_valid else 1
    say(*(f"warning: {warning}" for warning in subject.warnings))
    for finding in findings:
        say(f"{finding.where}: {'valid' if finding.problem is None else finding.problem}")
    return 0 if is_valid else 1


def _contents(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from None


# --- reading ---------------------------------------------------------------------------------------------------------


def read_subject(data: bytes) -> Subject:
    """Read what a file holds; raises InvalidRequest when it is nothing that can be checked."""
    value = parse_json(data)
    if isinstance(value, list):
        parts = [_read(item) for item in value]
        numbered = [f"[{number}] {text}" for number, part in enumerate(parts) for text in part.warnings]
        return Subject([one for part in parts for one in part.operations], None, None, numbered)
    return _read(value)


def _read(value: Any) -> Subject:
    if not isinstance(value, dict):
        raise InvalidRequest("Expecting a JSON object, or a list of them")
    is_old = _mentions(value, "slave_id") or _mentions(value, "slave_ids")
    if "task_id" in value:
        return _read_task(value, v0.TaskInfo if is_old else v1.TaskInfo)
    if "user" in value and "type" not in value:
        info, warnings = _message(value, v0.FrameworkInfo if is_old else v1.FrameworkInfo)
        return Subject([], None, info, warnings)
    if value.get("type") in v0.Offer.Operation.Type.keys():  # noqa: SIM118  (an enum, not a mapping)
        operation, warnings = _message(value, v0.Offer.Operation if is_old else v1.Offer.Operation)
        return Subject([operation], None, None, warnings)
    if value.get("type") in v0_scheduler.Call.Type.keys():  # noqa: SIM118
        call, warnings = _message(value, v0_scheduler.Call if is_old else v1_scheduler.Call)
        return Subject(list(call.accept.operations), call, None, warnings)
    raise InvalidRequest(
        "This is neither a TaskInfo ('task_id'), an operation or a call ('type'), nor a FrameworkInfo ('user')"
    )


def _read_task(value: dict[str, Any], kind: type[Any]) -> Subject:
    name = "slave_id" if kind is v0.TaskInfo else "agent_id"
    extra = []
    if name not in value:
        value = {name: {"value": ""}, **value}
        extra.append(f"'{name}' is missing: fine in a template, a scheduler takes it from the offer")
    task, warnings = _message(value, kind)
    operation = v0.Offer.Operation(type=v0.Offer.Operation.LAUNCH)
    operation.launch.task_infos.append(task)
    return Subject([operation], None, None, [*extra, *warnings])


def _message(value: dict[str, Any], kind: type[Any]) -> tuple[Any, list[str]]:
    """Read a message in its v0 form, and what is odd about its names."""
    warnings = list(unknown_fields(value, kind.DESCRIPTOR))
    try:
        message = from_dict(value, kind)
    except InvalidRequest as error:
        raise InvalidRequest("\n  ".join([str(error), *warnings])) from None
    is_old = kind.DESCRIPTOR.full_name.startswith("mesos.") and ".v1." not in kind.DESCRIPTOR.full_name
    return (message if is_old else devolve(message)), warnings


def _mentions(value: Any, key: str) -> bool:
    if isinstance(value, dict):
        return key in value or any(_mentions(item, key) for item in value.values())
    return isinstance(value, list) and any(_mentions(item, key) for item in value)


# --- checking --------------------------------------------------------------------------------------------------------


def check_shape(subject: Subject) -> Iterator[Finding]:
    """Check a call's shape and what a framework says of itself."""
    info = subject.framework
    if subject.call is not None:
        yield Finding(f"call {v0_scheduler.Call.Type.Name(subject.call.type)}", _problem(validate_call, subject.call))
        if subject.call.type == v0_scheduler.Call.SUBSCRIBE:
            info = subject.call.subscribe.framework_info
    if info is not None:
        problem = _problem(validate_framework, info, allowed_roles=None, root_submissions=True, completed=())
        yield Finding(f"framework '{info.name}'", problem)


def _problem(validator: Any, *arguments: Any, **named: Any) -> str | None:
    try:
        validator(*arguments, **named)
    except InvalidRequest as error:
        return str(error)
    return None


def _framework(role: str, capabilities: str) -> FrameworkRecord:
    info = v0.FrameworkInfo(user="", name="", roles=[role])
    for name in ["MULTI_ROLE", *filter(None, (part.strip().upper() for part in capabilities.split(",")))]:
        if name not in v0.FrameworkInfo.Capability.Type.keys():  # noqa: SIM118
            raise InvalidRequest(f"'{name}' is no framework capability")
        info.capabilities.add(type=name)
    framework = FrameworkRecord("", info, max_completed=0, max_unreachable=0)
    framework.roles = roles_of(info)
    framework.capabilities = frozenset(item.type for item in info.capabilities)
    return framework


def dry_run(
    operations: list[v0.Offer.Operation], framework: FrameworkRecord, role: str, agent: AgentRecord | None = None
) -> list[Finding]:
    """Try operations on an agent's resources as if they were all free, or without one on all that is asked for."""
    copies = []
    for operation in operations:
        copy = v0.Offer.Operation()
        copy.CopyFrom(operation)
        copies.append(copy)
    _adopt(copies, framework)
    if agent is not None:
        offered = agent.total.allocatable_to(role).allocated_to(role)
        for task in _tasks(copies):
            task.slave_id.value = task.slave_id.value or agent.id
        return DryRun(framework, agent, role, offered).run(copies)
    agent_id = next((task.slave_id.value for task in _tasks(copies)), "")
    info = v0.SlaveInfo(hostname="any", id=v0.SlaveID(value=agent_id))
    anything = AgentRecord(info, NO_PID, "", Resources())
    anything.capabilities = ALL_ABILITIES
    return DryRun(framework, anything, role, None).run(copies)


def _tasks(operations: list[v0.Offer.Operation]) -> Iterator[v0.TaskInfo]:
    for operation in operations:
        yield from operation.launch.task_infos
        yield from operation.launch_group.task_group.tasks


def _adopt(operations: list[v0.Offer.Operation], framework: FrameworkRecord) -> None:
    """Take the framework's id from the executors: which framework sends this is not known here."""
    executors = [task.executor for task in _tasks(operations) if task.HasField("executor")]
    executors += [one.launch_group.executor for one in operations if one.launch_group.HasField("executor")]
    framework.id = next((one.framework_id.value for one in executors if one.framework_id.value), "")
    framework.info.id.value = framework.id


def _on_agents(
    operations: list[v0.Offer.Operation],
    framework: FrameworkRecord,
    given: argparse.Namespace,
    agents: list[AgentRecord],
) -> Iterator[Finding]:
    """Try on the agent that is named, else on all: one that can do it is enough."""
    wanted = given.agent or next((task.slave_id.value for task in _tasks(operations) if task.slave_id.value), None)
    if wanted is not None:
        agents = [agent for agent in agents if agent.id == wanted]
        if not agents:
            raise NotFound(f"No agent '{wanted}' is registered")
    refusals = []
    able = []
    for agent in agents:
        findings = dry_run(operations, framework, given.role, agent)
        if all(finding.problem is None for finding in findings):
            able.append(agent.hostname)
        refusals += [Finding(f"on {agent.hostname} ({agent.id}), {one.where}", one.problem) for one in findings]
    if able:
        yield Finding(
            f"on {len(able)} of {len(agents)} agents ({', '.join(able[:5])}), if all they have were free", None
        )
    elif agents:
        yield from refusals
    else:
        raise NotFound("No agent is registered")


def fetch_agents(master: Master) -> list[AgentRecord]:
    """Ask a master for its agents; raises as ``Master.call``."""
    answer = from_dict(master.call("GET_AGENTS"), v1_master.Response)
    records = []
    for item in answer.get_agents.agents:
        info = devolve(item.agent_info)
        total = Resources.of(devolve(one) for one in item.total_resources)
        record = AgentRecord(info, NO_PID, item.version, total)
        record.capabilities = frozenset(one.type for one in item.capabilities)
        record.update_total(total)
        records.append(record)
    return records
