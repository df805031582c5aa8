"""Where a task stands and why it does not run, in sentences (Z1)."""

from __future__ import annotations

from typing import Any

from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.model.task_states import is_terminal, task_state_name
from messor.protos import v0

Found = tuple[FrameworkRecord, TaskRecord | None, str]
"""A framework, its task (None while its launch is being authorised), and in which of its lists that is."""


def find_tasks(state: MasterState, task_id: str, framework_id: str | None = None) -> list[Found]:
    """Find the tasks of that id, live ones first: several frameworks may use the same id."""
    found: list[Found] = []
    frameworks = [*state.frameworks.values(), *state.completed_frameworks.values()]
    for framework in frameworks:
        if framework_id is not None and framework.id != framework_id:
            continue
        if task_id in framework.tasks:
            found.append((framework, framework.tasks[task_id], "live"))
        if task_id in framework.pending_tasks:
            found.append((framework, None, "pending"))
        if task_id in framework.unreachable_tasks:
            found.append((framework, framework.unreachable_tasks[task_id], "unreachable"))
        ended = [task for task in framework.completed_tasks if task.id == task_id]
        found += [(framework, task, "completed") for task in reversed(ended)]
    order = {"live": 0, "pending": 1, "unreachable": 2, "completed": 3}
    return sorted(found, key=lambda one: order[one[2]])


def unknown_task(task_id: str) -> dict[str, Any]:
    """Describe a task that no framework has."""
    text = (
        f"No framework has or had a task '{task_id}' that this master remembers: it was never launched, it ended long"
        " ago, or a master before this one knew it and its agent is not back. A scheduler launches a task by accepting"
        " an offer"
    )
    return {"id": task_id, "state": None, "where": "unknown", "texts": [text]}


def describe_task(state: MasterState, found: Found, now: float) -> dict[str, Any]:
    """Describe where a task stands; now: seconds since the epoch."""
    framework, task, where = found
    if task is None:
        texts = ["The launch is being authorised; nothing was sent to the agent yet"]
        return {"id": "", "framework": framework.id, "state": "TASK_STAGING", "where": where, "texts": texts}
    status = task.latest_status()
    name = task_state_name(task.state)
    texts = [f"Task '{task.id}' of framework '{framework.info.name}' ({framework.id}) is {name}{_since(task, now)}"]
    if status is not None:
        texts.append(_status_text(status, now))
    agent = state.agents.get(task.agent_id)
    texts += _why_not_running(state, framework, task, agent)
    described: dict[str, Any] = {
        "id": task.id,
        "framework": framework.id,
        "agent": task.agent_id,
        "hostname": agent.hostname if agent is not None else None,
        "executor": task.executor_id,
        "state": name,
        "where": where,
        "since": task.created_at or None,
        "texts": texts,
    }
    if status is not None:
        described["status"] = {
            "state": task_state_name(status.state),
            "source": v0.TaskStatus.Source.Name(status.source) if status.HasField("source") else None,
            "reason": v0.TaskStatus.Reason.Name(status.reason) if status.HasField("reason") else None,
            "message": status.message,
            "timestamp": status.timestamp,
        }
    return described


def _since(task: TaskRecord, now: float) -> str:
    if not task.created_at:
        return "; its agent brought it along when it registered with this master"
    return f"; it was launched {max(0.0, now - task.created_at):.1f} s ago"


def _status_text(status: v0.TaskStatus, now: float) -> str:
    parts = [f"Last status: {task_state_name(status.state)}"]
    if status.HasField("timestamp"):
        parts.append(f"{max(0.0, now - status.timestamp):.1f} s ago")
    if status.HasField("source"):
        parts.append(v0.TaskStatus.Source.Name(status.source))
    if status.HasField("reason"):
        parts.append(v0.TaskStatus.Reason.Name(status.reason))
    text = ", ".join(parts)
    return f"{text}: {status.message}" if status.message else text


def _why_not_running(
    state: MasterState, framework: FrameworkRecord, task: TaskRecord, agent: AgentRecord | None
) -> list[str]:
    """Tell what is known of the cause."""
    texts = []
    if task.id in (agent.killed_tasks.get(framework.id, ()) if agent is not None else ()):
        texts.append("Its framework asked to kill it; the agent is told as soon as it is back")
    if is_terminal(task.state):
        if task.id in framework.tasks:
            texts.append("It ended, but its framework has not acknowledged the last status update yet")
        return texts
    if agent is None:
        if task.agent_id in state.unreachable_agents:
            texts.append(f"Its agent {task.agent_id} is unreachable; the task may still run there")
        else:
            texts.append(f"Its agent {task.agent_id} is not registered with this master")
        return texts
    trouble = agent_trouble(agent)
    if trouble is not None:
        texts.append(f"Its agent {agent.id} ({agent.hostname}) may know more: {trouble}")
    elif task.state == v0.TASK_STAGING:
        texts.append(
            f"Agent {agent.id} ({agent.hostname}) was told to launch it and has not reported that it started: its"
            " executor is being fetched, started or registered; see the agent's log and the task's sandbox"
        )
    elif task.state == v0.TASK_STARTING:
        texts.append(f"Its executor on agent {agent.id} ({agent.hostname}) has it and has not reported that it runs")
    return texts


def agent_trouble(agent: AgentRecord) -> str | None:
    """Say why nothing of an agent is offered, None when nothing is wrong with it."""
    if agent.state is not AgentState.ACTIVE:
        return f"it is {agent.state.value}"
    if not agent.is_connected:
        return "it is disconnected from the master"
    if agent.drain is not None:
        is_over = agent.drain.state == v0.DRAINED
        return "an operator drained it, until REACTIVATE_AGENT" if is_over else "an operator is draining it"
    if agent.is_deactivated:
        return "an operator deactivated it"
    return None
