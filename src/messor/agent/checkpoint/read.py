"""Reads the agent's meta files back into plain values (G3).

What a crash left half-written is skipped, as upstream without ``--strict``; with it, an error ends the recovery, except
for what a crash legally leaves: missing last files and a torn last record.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from messor.agent.checkpoint.formats import new_form
from messor.agent.checkpoint.records import records
from messor.agent.checkpoint.update_log import read_log, read_operation_log
from messor.errors import ConfigurationError, MesosError, NotFound, RemoteProtocolError
from messor.protos import internal, v0
from messor.protos.slave.state_pb2 import ResourceState
from messor.wire.upid import Upid, parse_upid

if TYPE_CHECKING:
    from messor.agent.checkpoint.paths import Paths, Run
    from messor.agent.checkpoint.update_log import Replayed
    from messor.runtime.host import Disk

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)


@dataclass
class FoundTask:
    """A task of a run that is not over."""

    info: v0.Task
    updates: list[internal.StatusUpdate]
    replayed: list[Replayed]
    path: str
    size: int


@dataclass
class FoundExecutor:
    """An executor and its latest run."""

    info: v0.ExecutorInfo
    is_command: bool
    container_id: str
    is_completed: bool
    forked_pid: int | None
    pid: Upid | None
    is_http: bool
    tasks: list[FoundTask] = field(default_factory=list)


@dataclass
class FoundFramework:
    """A framework with its executors."""

    info: v0.FrameworkInfo
    pid: Upid | None
    executors: list[FoundExecutor] = field(default_factory=list)


class OperationStream(NamedTuple):
    """The file of one operation's statuses."""

    replayed: list[Replayed]
    path: str
    size: int


@dataclass
class Found:
    """Everything that was checkpointed."""

    boot_id: str | None
    resources: list[v0.Resource]
    """Dynamic reservations and persistent volumes as they last were for sure."""
    target: ResourceState | None = None
    """What they, and the operations, were about to be when the agent died."""
    operations: list[v0.Operation] = field(default_factory=list)
    """Operations whose status nobody acknowledged."""
    streams: dict[bytes, OperationStream] = field(default_factory=dict)
    """What is on disk of operations' statuses, by operation uuid."""
    agent: v0.SlaveInfo | None = None
    frameworks: list[FoundFramework] = field(default_factory=list)
    drain_config: v0.DrainConfig | None = None
    errors: int = 0
    """How many files made no sense; the metric slave/recovery_errors."""


class CheckpointReader:
    """Reads one work_dir."""

    def __init__(self, disk: Disk, paths: Paths, *, strict: bool) -> None:
        """strict: raise ConfigurationError for files that make no sense instead of skipping them."""
        self._disk = disk
        self._paths = paths
        self._strict = strict
        self._errors = 0

    def read(self) -> Found:
        """Read all; raises ConfigurationError when strict and something makes no sense."""
        state = self._resources()
        found = Found(self._text(self._paths.boot_id()), list(state.resources))
        found.target = self._message(self._paths.resources_and_operations_target(), ResourceState)
        latest = self._disk.read_link(self._paths.latest_agent())
        if latest is not None:
            agent_id = latest.rstrip("/").rpartition("/")[2]
            found.agent = self._message(self._paths.agent_info(agent_id), v0.SlaveInfo)
            if found.agent is not None:
                found.operations = list((found.target or state).operations)
                found.streams = self._operation_streams(agent_id)
                found.drain_config = self._message(self._paths.drain_config(agent_id), v0.DrainConfig)
                for framework_id in self._disk.list(self._paths.meta_frameworks(agent_id)):
                    framework = self._framework(agent_id, framework_id)
                    if framework is not None:
                        found.frameworks.append(framework)
        found.errors = self._errors
        return found

    def _resources(self) -> ResourceState:
        """Read what is reserved; old agents wrote another file."""
        state = self._message(self._paths.resources_and_operations(), ResourceState)
        if state is not None:
            return state
        try:
            encoded, _ = records(self._disk.read(self._paths.resources_info()))
            return ResourceState(resources=[new_form(v0.Resource.FromString(item)) for item in encoded])
        except NotFound:
            return ResourceState()
        except DecodeError as error:
            self._complain(self._paths.resources_info(), str(error))
            return ResourceState()

    def _operation_streams(self, agent_id: str) -> dict[bytes, OperationStream]:
        found: dict[bytes, OperationStream] = {}
        for name in self._disk.list(self._paths.operations(agent_id)):
            path = self._paths.operation_updates(agent_id, name)
            try:
                replayed, size = read_operation_log(self._disk, path)
                found[bytes.fromhex(name.replace("-", ""))] = OperationStream(replayed, path, size)
            except (DecodeError, MesosError, ValueError) as error:
                self._complain(path, str(error))
        return found

    def _framework(self, agent_id: str, framework_id: str) -> FoundFramework | None:
        info = self._message(self._paths.framework_info(agent_id, framework_id), v0.FrameworkInfo)
        if info is None:
            # The agent died between making the folder and writing the file: it never launched anything of it.
            return None
        pid = self._upid(self._paths.framework_pid(agent_id, framework_id))
        framework = FoundFramework(info, pid)
        folder = self._paths.meta_framework(agent_id, framework_id) + "/executors"
        for executor_id in self._disk.list(folder):
            executor = self._executor(agent_id, framework_id, executor_id)
            if executor is not None:
                framework.executors.append(executor)
        return framework

    def _executor(self, agent_id: str, framework_id: str, executor_id: str) -> FoundExecutor | None:
        ids = (agent_id, framework_id, executor_id)
        info = self._message(self._paths.executor_info(*ids), v0.ExecutorInfo)
        latest = self._disk.read_link(self._paths.latest_run(*ids))
        if info is None or latest is None:
            return None
        container_id = latest.rstrip("/").rpartition("/")[2]
        run = self._paths.run(*ids, container_id)
        forked = self._text(run.forked_pid)
        executor = FoundExecutor(
            info=info,
            is_command=self._text(self._paths.executor_generated(*ids)) == "1",
            container_id=container_id,
            is_completed=self._disk.exists(run.sentinel),
            forked_pid=int(forked) if forked and forked.isdigit() else None,
            pid=self._upid(run.libprocess_pid),
            is_http=self._disk.exists(run.http_marker),
        )
        if not executor.is_completed:
            executor.tasks = [task for task in (self._task(run, name) for name in self._disk.list(run.tasks)) if task]
        return executor

    def _task(self, run: Run, task_id: str) -> FoundTask | None:
        info = self._message(run.task_info(task_id), v0.Task)
        if info is None:
            return None
        path = run.task_updates(task_id)
        try:
            replayed, updates, size = read_log(self._disk, path)
        except (DecodeError, MesosError) as error:
            self._complain(path, str(error))
            return None
        return FoundTask(info, updates, replayed, path, size)

    def _message(self, path: str, kind: type[M]) -> M | None:
        """Read a file of one message; None when it is missing, torn or empty."""
        try:
            data = self._disk.read(path)
        except NotFound:
            return None
        encoded, _ = records(data)
        if not encoded:
            self._complain(path, "it is torn")
            return None
        try:
            return new_form(kind.FromString(encoded[0]))
        except DecodeError as error:
            self._complain(path, str(error))
            return None

    def _text(self, path: str) -> str | None:
        try:
            return self._disk.read(path).decode().strip()
        except NotFound:
            return None

    def _upid(self, path: str) -> Upid | None:
        text = self._text(path)
        if not text:
            return None
        try:
            upid = parse_upid(text)
        except RemoteProtocolError as error:
            self._complain(path, str(error))
            return None
        return upid if upid.is_reachable else None

    def _complain(self, path: str, why: str) -> None:
        message = f"Failed to read checkpoint '{path}': {why}"
        if self._strict:
            raise ConfigurationError(message)
        self._errors += 1
        log.error("%s; skipping it", message)
