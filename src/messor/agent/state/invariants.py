"""What must hold between any two messages.

Tests run this after every message; production asks after a handler raised, to decide whether the agent may go on.
"""

from __future__ import annotations

from messor.agent.state.framework import Framework
from messor.agent.state.lifecycles import ExecutorState
from messor.agent.state.tables import Tables


def violations(tables: Tables) -> list[str]:
    """List what does not hold, empty when all is well."""
    found: list[str] = []
    for framework in tables.frameworks.values():
        if framework.id in tables.completed_frameworks:
            found.append(f"framework {framework.id} is both active and completed")
        found.extend(_framework_violations(framework))
    return found


def _framework_violations(framework: Framework) -> list[str]:
    found: list[str] = []
    owned: set[str] = set()
    for executor_id, executor in framework.executors.items():
        where = f"executor {executor_id} of framework {framework.id}"
        if executor.id != executor_id or executor.framework_id != framework.id:
            found.append(f"{where} is filed under the wrong name")
        groups = (set(executor.queued), set(executor.launched), set(executor.terminated))
        if sum(map(len, groups)) != len(set().union(*groups)):
            found.append(f"{where} has a task in two places")
        owned.update(*groups)
        found.extend(
            f"task {task_id} of {where} does not point back to it"
            for task_id in set().union(*groups)
            if framework.owners.get(task_id) is not executor
        )
        found.extend(
            f"task {task.id} of {where} is live but ended" for task in executor.live_tasks() if task.is_terminal
        )
        found.extend(
            f"task {task.id} of {where} is ended but live"
            for task in executor.terminated.values()
            if not task.is_terminal
        )
        if executor.state is ExecutorState.TERMINATED and executor.launched:
            found.append(f"{where} is terminated with live tasks")
    found.extend(
        f"task {task_id} of framework {framework.id} points to an executor that does not have it"
        for task_id in framework.owners
        if task_id not in owned
    )
    return found
