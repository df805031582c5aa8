"""Writes the agent's meta files (G2).

Single messages go to a temporary file that is renamed, so that a reader sees the old or the new one; only what a crash
of the machine must not lose is synced, as upstream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from messor.agent.checkpoint.formats import old_form
from messor.agent.checkpoint.records import record
from messor.protos import v0
from messor.protos.slave.state_pb2 import ResourceState
from messor.wire.upid import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from messor.agent.checkpoint.paths import Paths, Run
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.tables import Tables
    from messor.agent.state.task import Task
    from messor.runtime.host import Disk


class Checkpoints:
    """Writes what must survive a restart. Every method raises DiskFailed when it cannot."""

    def __init__(self, disk: Disk, paths: Paths, tables: Tables) -> None:
        """Take the disk, where things are, and whose state it is."""
        self._disk = disk
        self._paths = paths
        self._tables = tables

    def run(self, executor: Executor) -> Run:
        """Give the meta files of an executor's run."""
        return self._paths.run(self._tables.agent_id, executor.framework_id, executor.id, executor.container_id)

    def task_updates(self, executor: Executor, task_id: str) -> str | None:
        """Give the file of a task's updates, None when its framework does not checkpoint."""
        return self.run(executor).task_updates(task_id) if executor.checkpoint else None

    def boot_id(self, boot_id: str) -> None:
        """Remember which boot the checkpoints belong to."""
        self._disk.write(self._paths.boot_id(), boot_id.encode())

    def agent(self, info: v0.SlaveInfo) -> None:
        """Remember the registered agent and make its id the latest."""
        agent_id = info.id.value
        self._disk.write(self._paths.agent_info(agent_id), record(old_form(info).SerializeToString()))
        self._disk.link(self._paths.meta_agent(agent_id), self._paths.latest_agent())

    def forget_agent(self) -> None:
        """Make the next start a new agent."""
        self._disk.remove(self._paths.latest_agent())

    def resources_target(self, resources: list[v0.Resource], operations: Iterable[v0.Operation]) -> None:
        """Announce what dynamic reservations and persistent volumes will be, synced: they hold somebody's data.

        Whoever starts after a crash finishes making and destroying volumes (V7).
        """
        state = ResourceState(resources=resources, operations=operations)
        self._disk.write(self._paths.resources_and_operations_target(), record(state.SerializeToString()))
        self._disk.write(self._paths.resources_target(), _old_records(resources), sync=False)

    def resources(self, resources: list[v0.Resource], operations: Iterable[v0.Operation] = ()) -> None:
        """Remember dynamic reservations, persistent volumes and operations whose status nobody acknowledged, synced."""
        state = ResourceState(resources=resources, operations=operations)
        self._disk.write(self._paths.resources_and_operations(), record(state.SerializeToString()))
        self._disk.write(self._paths.resources_info(), _old_records(resources))
        for target in (self._paths.resources_target(), self._paths.resources_and_operations_target()):
            if self._disk.exists(target):
                self._disk.remove(target)

    def operations(self, resources: list[v0.Resource], operations: Iterable[v0.Operation]) -> None:
        """Remember operations while the resources stay as they are."""
        state = ResourceState(resources=resources, operations=operations)
        self._disk.write(self._paths.resources_and_operations(), record(state.SerializeToString()))

    def drain(self, config: v0.DrainConfig) -> None:
        """Remember that the agent drains."""
        path = self._paths.drain_config(self._tables.agent_id)
        self._disk.write(path, record(config.SerializeToString()))

    def drained(self) -> None:
        """Forget that the agent drained."""
        path = self._paths.drain_config(self._tables.agent_id)
        if self._disk.exists(path):
            self._disk.remove(path)

    def framework(self, framework: Framework) -> None:
        """Remember a framework and its pid."""
        ids = (self._tables.agent_id, framework.id)
        data = record(old_form(framework.info).SerializeToString())
        self._disk.write(self._paths.framework_info(*ids), data, sync=False)
        pid = str(framework.pid or NOBODY).encode()
        self._disk.write(self._paths.framework_pid(*ids), pid, sync=False)

    def executor(self, executor: Executor) -> None:
        """Remember an executor and make its run the latest."""
        ids = (self._tables.agent_id, executor.framework_id, executor.id)
        data = record(old_form(executor.info).SerializeToString())
        self._disk.write(self._paths.executor_info(*ids), data, sync=False)
        flag = b"1" if executor.is_command else b"0"
        self._disk.write(self._paths.executor_generated(*ids), flag, sync=False)
        run = self.run(executor)
        self._disk.make_folder(run.folder, 0o750)
        self._disk.link(run.folder, self._paths.latest_run(*ids))

    def executor_pid(self, executor: Executor) -> None:
        """Remember how to reach a registered executor: its UPID, or that it speaks HTTP."""
        run = self.run(executor)
        if executor.pid is not None:
            self._disk.write(run.libprocess_pid, str(executor.pid).encode(), sync=False)
        else:
            self._disk.append(run.http_marker, b"", sync=False)

    def sentinel(self, executor: Executor) -> None:
        """Remember that a run is over: nothing of it is recovered any more."""
        self._disk.append(self.run(executor).sentinel, b"", sync=False)

    def task(self, executor: Executor, task: Task) -> None:
        """Remember a task before it is handed to its executor."""
        data = record(old_form(task.info).SerializeToString())
        self._disk.write(self.run(executor).task_info(task.id), data, sync=False)


def _old_records(resources: Iterable[v0.Resource]) -> bytes:
    """Frame resources one by one in the form of old agents."""
    return b"".join(record(old_form(resource).SerializeToString()) for resource in resources)
