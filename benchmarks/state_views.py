"""Time /state and /state-summary of a master with 1,000 agents and 10,000 tasks, after the first time and after changes.

CPU milliseconds per reply, best of ten; the reply is joined, as the HTTP server does for a socket.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from messor.master.doors.state_view import StateView
from messor.master.doors.summary_view import SummaryView
from messor.master.doors.v1_view import V1View
from messor.master.flags import MasterFlags
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState, FrameworkState
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.model.resources import Resources
from messor.protos import v0
from messor.wire.upid import Upid
from support import builders

AGENTS, TASKS, FRAMEWORKS = 1_000, 10, 5


class Leader:
    """Stands in for the election."""

    leader: v0.MasterInfo | None = None


def populated() -> MasterState:
    """Make the cluster."""
    state = MasterState(v0.MasterInfo(id="m", ip=1, port=5050, pid="master@10.0.0.1:5050", hostname="h"))
    for number in range(FRAMEWORKS):
        info = builders.framework_info(name=f"framework-{number}")
        info.id.value = f"m-{number:04d}"
        framework = FrameworkRecord(info.id.value, info, max_completed=1000, max_unreachable=1000)
        framework.become(FrameworkState.ACTIVE)
        framework.roles = frozenset({"*"})
        state.add_framework(framework)
    for number in range(AGENTS):
        info = builders.agent_info(f"10.0.{number // 250}.{number % 250}")
        info.id.value = f"m-S{number}"
        agent = AgentRecord(info, Upid("slave(1)", info.hostname, 5051), "1.11.0", Resources.of(info.resources))
        agent.become(AgentState.ACTIVE)
        state.add_agent(agent)
        for index in range(TASKS):
            state.add_task(task(agent.id, f"m-{index % FRAMEWORKS:04d}", f"task-{number}-{index}"))
    return state


def task(agent_id: str, framework_id: str, task_id: str) -> TaskRecord:
    """Make a running task with two statuses."""
    resources = Resources.of(builders.resources("cpus:0.1;mem:32")).allocated_to("*")
    base = v0.Task(name=task_id, task_id=v0.TaskID(value=task_id), framework_id=v0.FrameworkID(value=framework_id))
    base.slave_id.value = agent_id
    base.resources.extend(resources.messages())
    record = TaskRecord(task_id, framework_id, agent_id, "", resources, base.SerializePartialToString())
    for moment, reached in enumerate((v0.TASK_STARTING, v0.TASK_RUNNING)):
        status = v0.TaskStatus(task_id=base.task_id, state=reached, timestamp=1795187625.0 + moment)
        status.container_status.container_id.value = "7966d321-e00e-417c-8e06-a59b74d449dc"
        status.container_status.network_infos.add().ip_addresses.add(ip_address="127.0.0.1")
        record.add_status(reached, status.SerializeToString())
        record.state = reached
    return record


def show(name: str, call: Callable[[], bytes], repeats: int = 10) -> None:
    """Print the CPU time of one call."""
    best = 1e9
    for _ in range(repeats):
        began = time.process_time()
        data = call()
        best = min(best, time.process_time() - began)
    print(f"{name:<44} {best * 1e3:8.2f} ms  {len(data) / 1e6:6.2f} MB")


def main() -> None:
    """Run all of them."""
    state = populated()
    flags = MasterFlags(registry="in_memory")
    state_view = StateView(state=state, flags=flags, leadership=Leader())  # type: ignore[arg-type]
    summary_view = SummaryView(state=state, flags=flags, state_view=state_view)
    v1_view = V1View(state=state)
    tracemalloc.start()
    state_view.state_pieces()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(f"kept for the next time: {used / AGENTS / TASKS:.0f} bytes per task")
    show("/state", lambda: b"".join(state_view.state_pieces()))

    def changed() -> bytes:
        for record in list(state.frameworks["m-0000"].tasks.values())[:100]:
            record.fragment = None
        return b"".join(state_view.state_pieces())

    show("/state, 100 tasks changed", changed)
    show("/state-summary", lambda: b"".join(summary_view.pieces()))
    show(
        "/tasks?limit=100", lambda: b"".join(state_view.tasks_pieces(None, None, limit=100, offset=0, ascending=False))
    )

    def all_cold() -> bytes:
        for framework in state.frameworks.values():
            for record in framework.tasks.values():
                record.fragment = None
        return b"".join(state_view.state_pieces())

    show("/state, everything changed", all_cold, 3)
    show("GET_STATE, protobuf", lambda: v1_view.get_state().SerializeToString(), 3)


if __name__ == "__main__":
    main()
