"""The native containerizer: each container is a tree of this host's processes."""

from __future__ import annotations

import logging
import os
import pwd
import signal
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from messor.containers.containerizer import KnownContainer, LaunchSpec, Termination
from messor.containers.fetcher.request import fetch_request
from messor.containers.isolators.filesystem_posix import VolumeLink, bring_up_to_date, own_tree, volume_links
from messor.containers.launch_command import container_environment, first_program
from messor.containers.native import paths, usage
from messor.containers.native.launcher_posix import DEFAULT_EXECUTOR, DEFAULT_LINGER, PosixLauncher
from messor.containers.native.lifecycle import State, check_move
from messor.containers.native.recovery import Hosted, Trace, judge
from messor.errors import ContainerError, DiskFailed, NotFound
from messor.linux import processes
from messor.protos import containerizer as containerizer_protos
from messor.protos import v0
from messor.runtime.host import Host, Promise
from messor.wire.texts import bad_text

log = logging.getLogger(__name__)

_REMEMBERED_ENDS = 1000
"""How many terminations can still be asked for after the fact."""

_MAX_RESTART_DELAY = 10.0
"""Seconds at most between one zygote that failed at once and the next."""

_FETCH = "/fetch"
"""Added to a container's id to name its fetcher."""

_FETCHES_SUCCEEDED = "containerizer/fetcher/task_fetches_succeeded"
_FETCHES_FAILED = "containerizer/fetcher/task_fetches_failed"

User = tuple[int, int, list[int]]


@dataclass(slots=True)
class Container:
    """One container that lives."""

    id: str
    sandbox: str
    state: State = State.PROVISIONING
    pid: int | None = None
    resources: Sequence[v0.Resource] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    links: list[VolumeLink] = field(default_factory=list)
    verdict: Termination | None = None
    """What a destroy said the end means."""

    waiters: list[Promise[Termination]] = field(default_factory=list)
    fetched: Promise[int | None] | None = None

    def move(self, state: State) -> None:
        """Go on to a state; raises Broken where there is no way."""
        check_move(self.id, self.state, state)
        self.state = state


class NativeContainerizer:
    """See ``containers.containerizer.Containerizer``. Call ``recover`` once before anything else."""

    def __init__(
        self,
        host: Host,
        *,
        runtime_dir: str,
        work_dir: str,
        frameworks_home: str = "",
        fetcher_cache_dir: str = "/tmp/mesos/fetch",  # noqa: S108  (the flag's default)
        fetcher_stall_timeout: float = 60.0,
        hadoop_home: str | None = None,
        executor: str = DEFAULT_EXECUTOR,
        zygote_linger: float = DEFAULT_LINGER,
    ) -> None:
        """Prepare. executor is ``module:function`` for forked command executors.

        zygote_linger: seconds the zygote stays without containers and agent.
        """
        self._host = host
        runtime_dir, work_dir = os.path.abspath(runtime_dir), os.path.abspath(work_dir)
        self._runtime_dir = runtime_dir
        self._work_dir = work_dir
        self._frameworks_home = frameworks_home
        self._fetcher_cache_dir = fetcher_cache_dir
        self._fetcher_stall_timeout = fetcher_stall_timeout
        self._hadoop = {"HADOOP_HOME": hadoop_home} if hadoop_home else {}
        self._containers: dict[str, Container] = {}
        self._ends: OrderedDict[str, Termination] = OrderedDict()
        self._fetches: dict[str, Container] = {}
        self._leaving = False
        self._zygote_began = 0.0
        self._zygote_losses = 0
        self._zygote_is_lost = False
        self._waiting_for_zygote: list[Promise[None]] = []
        self._launcher = PosixLauncher(
            host, runtime_dir, work_dir, self._exited, self._zygote_lost, executor=executor, linger=zygote_linger
        )

    # --- recovery and leaving ----------------------------------------------------------------------------------------

    async def recover(self, known: Sequence[KnownContainer]) -> None:
        """Find or start the zygote, take over what the agent knows, destroy the rest.

        Raises ConfigurationError when another agent uses the runtime folder, ConnectionLost when no zygote can be had.
        """
        hosted = await self._launcher.open()
        self._zygote_began = self._host.clock.monotonic()
        sandboxes = {container.container_id: container.sandbox for container in known}
        findings = judge(known, hosted, self._traces(known, hosted))
        for container_id, status in findings.ended.items():
            if container_id not in hosted:
                # No zygote saw its end, so none killed what it left behind.
                _kill_by_sandbox(sandboxes[container_id])
            self._remember(container_id, Termination(status))
            self._clean_up(container_id)
        for container_id in findings.left_over:
            self._clean_up(container_id)
        for container_id, pid in {**findings.running, **findings.adopted}.items():
            container = Container(container_id, sandboxes[container_id], State.RUNNING, pid)
            self._containers[container_id] = container
        for container_id in findings.adopted:
            self._adopt(self._containers[container_id])
        for container_id, pid in findings.orphans.items():
            log.info("Destroying container %s, which this agent does not know", container_id)
            folder = paths.container_folder(self._runtime_dir, container_id)
            container = Container(container_id, self._sandbox_of(folder), State.RUNNING, pid)
            self._containers[container_id] = container
            if container_id not in hosted:
                self._adopt(container)
            self._host.tasks.spawn(self.destroy(container_id), f"destroy orphan {container_id}")

    def _adopt(self, container: Container) -> None:
        """Hand a container that an earlier zygote started to this one."""
        if container.pid is not None:
            folder = paths.container_folder(self._runtime_dir, container.id)
            self._launcher.adopt(container.id, container.pid, folder, container.sandbox)

    def _traces(self, known: Sequence[KnownContainer], hosted: Mapping[str, Hosted]) -> dict[str, Trace]:
        """Read what earlier containers left on disk; not needed for those the zygote tells about."""
        disk = self._host.disk
        sandboxes = {container.container_id: container.sandbox for container in known}
        pids = {container.container_id: container.pid for container in known}
        found = set(disk.list(paths.containers_folder(self._runtime_dir))) | set(sandboxes)
        traces: dict[str, Trace] = {}
        for container_id in found - set(hosted):
            folder = paths.container_folder(self._runtime_dir, container_id)
            pid = self._read_number(paths.pid_file(folder)) or pids.get(container_id)
            sandbox = sandboxes.get(container_id) or self._sandbox_of(folder)
            alive = pid is not None and _runs_in(pid, sandbox)
            traces[container_id] = Trace(pid, self._read_number(paths.status_file(folder)), alive)
        return traces

    def _read_number(self, path: str) -> int | None:
        try:
            return paths.parse_decimal(self._host.disk.read(path))
        except (NotFound, DiskFailed):
            return None

    def _sandbox_of(self, folder: str) -> str:
        try:
            data = self._host.disk.read(paths.config_file(folder))
            return str(containerizer_protos.ContainerConfig.FromString(data[4:]).directory)
        except (NotFound, DiskFailed):
            return ""

    def detach(self) -> None:
        """Leave the containers alone: the agent ends, they go on and the next agent takes them over."""
        self._leaving = True
        self._launcher.close()

    async def shut_down(self) -> None:
        """Kill all containers and end the zygote; nothing of this agent runs afterwards."""
        self._leaving = True
        await self._launcher.stop()

    def _zygote_lost(self) -> None:
        """Bring up another zygote and hand it what still runs; only the exit statuses are lost with the old one."""
        if self._leaving:
            return
        self._zygote_is_lost = True
        log.error(
            "The container host ended unexpectedly; starting another (see %s)", paths.zygote_log(self._runtime_dir)
        )
        self._host.tasks.spawn(self._replace_zygote(), "replace zygote")

    async def _replace_zygote(self) -> None:
        now = self._host.clock.monotonic()
        lived_long = now - self._zygote_began > _MAX_RESTART_DELAY
        self._zygote_losses = 1 if lived_long else self._zygote_losses + 1
        if self._zygote_losses > 1:
            # One that cannot even start must not keep the processor busy.
            await self._host.tasks.sleep(min(0.1 * 2**self._zygote_losses, _MAX_RESTART_DELAY))
        await self._launcher.open()
        self._zygote_began = self._host.clock.monotonic()
        for container in list(self._containers.values()):
            if container.fetched is not None:
                self._exited(container.id + _FETCH, None)
            elif container.pid is not None:
                self._adopt(container)
                if container.state is State.DESTROYING:
                    self._launcher.destroy(container.id)
        self._zygote_is_lost = False
        waiting, self._waiting_for_zygote = self._waiting_for_zygote, []
        for promise in waiting:
            if not promise.done():
                promise.set_result(None)

    async def _start(self, container_id: str, birth: Mapping[str, Any]) -> int:
        """Start a process below the zygote, a new one if it just got lost. Raises ContainerError."""
        if self._zygote_is_lost:
            waited: Promise[None] = self._host.tasks.promise()
            self._waiting_for_zygote.append(waited)
            await waited
        return await self._launcher.start(container_id, birth)

    # --- launching ---------------------------------------------------------------------------------------------------

    async def launch(self, container_id: str, spec: LaunchSpec) -> int:
        """Fetch, prepare and start; gives the pid. Raises ContainerError."""
        if container_id in self._containers:
            raise ContainerError(f"Failed to launch container: Container '{container_id}' already exists")
        container = Container(container_id, spec.sandbox, resources=spec.resources, limits=dict(spec.limits))
        self._containers[container_id] = container
        try:
            return await self._launch(container, spec)
        except ContainerError as error:
            if self._containers.get(container_id) is container and container.pid is None:
                if self._zygote_is_lost:
                    # It may have got as far as forking before it was lost.
                    self._kill_by_pid_file(container)
                self._finish(container, Termination(None, error.reason, str(error)))
            raise

    async def _launch(self, container: Container, spec: LaunchSpec) -> int:
        container.move(State.PREPARING)
        user = self._prepare(container, spec)
        environment = container_environment(spec)
        birth: dict[str, Any] = {
            "environment": environment.variables,
            "folder": spec.sandbox,
            "stdout": paths.stdout_file(spec.sandbox),
            "stderr": paths.stderr_file(spec.sandbox),
            "user": user,
        }
        if user is not None:
            for link in container.links:
                await self._host.tasks.blocking(own_tree, link.target, user[0], user[1])
        self._still_wanted(container)
        container.move(State.FETCHING)
        if spec.command.uris:
            await self._fetch(container, spec, birth)
        self._still_wanted(container)
        container.move(State.ISOLATING)
        # Written by the child: what was fetched may have put a link where stderr goes.
        birth["preamble"] = "".join(f"Overwriting environment variable '{name}'\n" for name in environment.overwritten)
        folder = paths.container_folder(self._runtime_dir, container.id)
        self._write_config(folder, spec)
        if spec.command_task is None:
            birth["path"], birth["arguments"] = first_program(spec.command, environment.variables)
        else:
            # The executor adds the task's own variables itself; they must not change what the executor reads.
            birth["environment"] = {**environment.variables, **spec.environment, "MESOS_SANDBOX": spec.sandbox}
        birth["container_folder"] = folder
        birth["pid_files"] = [paths.pid_file(folder), *([spec.forked_pid_path] if spec.forked_pid_path else [])]
        container.pid = await self._start(container.id, birth)
        if container.state is State.DESTROYING:
            self._launcher.destroy(container.id)
            raise ContainerError("Container destroyed during launch")
        container.move(State.RUNNING)
        return container.pid

    def _prepare(self, container: Container, spec: LaunchSpec) -> User | None:
        """Refuse what cannot be run natively, link volumes, and look the user up."""
        if spec.container is not None:
            _check_container_info(spec.container)
        if not spec.command.HasField("value") and spec.command_task is None:
            raise ContainerError("Failed to launch container: The command has no value")
        bad = bad_text(spec.command)
        if bad is not None:
            raise ContainerError(f"Failed to launch container: The command's '{bad}' is not valid UTF-8")
        container.links = volume_links(spec.resources, spec.sandbox, self._work_dir)
        bring_up_to_date(self._host.disk, spec.sandbox, container.links, [])
        return look_up_user(spec.user)

    async def _fetch(self, container: Container, spec: LaunchSpec, birth: Mapping[str, Any]) -> None:
        """Run the fetcher as the container's user; raises ContainerError with the words of the original."""
        request = fetch_request(
            spec.command.uris,
            spec.sandbox,
            user=spec.user or "",
            frameworks_home=self._frameworks_home,
            cache_folder=self._fetcher_cache_dir,
            stall_timeout=self._fetcher_stall_timeout,
        )
        container.fetched = self._host.tasks.promise()
        name = container.id + _FETCH
        self._fetches[name] = container
        environment = {"MESOS_FETCHER_INFO": request, "PATH": birth["environment"]["PATH"], **self._hadoop}
        try:
            await self._launcher.start(name, {**birth, "environment": environment, "entry": "fetch", "pid_files": []})
            if container.state is State.DESTROYING:
                self._launcher.destroy(name)
            status = await container.fetched
        finally:
            self._fetches.pop(name, None)
            container.fetched = None
        self._still_wanted(container)
        self._host.metrics.counter(_FETCHES_SUCCEEDED if status == 0 else _FETCHES_FAILED).increment()
        if status != 0:
            how = "was lost" if status is None else _exit_words(status)
            raise ContainerError(
                f"Failed to launch container: Failed to fetch all URIs for container '{container.id}': {how}"
            )

    def _kill_by_pid_file(self, container: Container) -> None:
        pid = self._read_number(paths.pid_file(paths.container_folder(self._runtime_dir, container.id)))
        if pid is not None and _runs_in(pid, container.sandbox):
            processes.kill_tree(pid)
        _kill_by_sandbox(container.sandbox)

    def _still_wanted(self, container: Container) -> None:
        if container.state is State.DESTROYING:
            raise ContainerError("Container destroyed during launch")

    def _write_config(self, folder: str, spec: LaunchSpec) -> None:
        """Checkpoint the ContainerConfig: with it a later agent knows whose process this is."""
        config = containerizer_protos.ContainerConfig(directory=spec.sandbox)
        config.command_info.CopyFrom(spec.command)
        config.resources.extend(spec.resources)
        if spec.user is not None:
            config.user = spec.user
        if spec.command_task is not None:
            config.task_info.CopyFrom(spec.command_task)
        if spec.container is not None:
            config.container_info.CopyFrom(spec.container)
        for name, value in spec.limits.items():
            config.limits[name].value = value
        data = config.SerializePartialToString()
        self._host.disk.write(paths.config_file(folder), len(data).to_bytes(4, "little") + data, sync=False)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def wait(self, container_id: str) -> Termination | None:
        """Wait for the end; None when the container is unknown."""
        container = self._containers.get(container_id)
        if container is None:
            return self._ends.get(container_id)
        promise: Promise[Termination] = self._host.tasks.promise()
        container.waiters.append(promise)
        return await promise

    async def destroy(self, container_id: str, termination: Termination | None = None) -> Termination | None:
        """Kill everything in it and wait; works at any state."""
        container = self._containers.get(container_id)
        if container is None:
            return self._ends.get(container_id)
        if container.state is not State.DESTROYING:
            container.verdict = termination
            container.move(State.DESTROYING)
            if container.fetched is not None:
                self._launcher.destroy(container_id + _FETCH)
            elif container.pid is not None:
                self._launcher.destroy(container_id)
            # Else launch() sees the state after its next await and gives up.
        return await self.wait(container_id)

    def _exited(self, container_id: str, status: int | None) -> None:
        """Hear from the zygote that something ended."""
        if not self._leaving:
            self._launcher.forget(container_id)
        fetching = self._fetches.get(container_id)
        if fetching is not None:
            if fetching.fetched is not None and not fetching.fetched.done():
                fetching.fetched.set_result(status)
            return
        container = self._containers.get(container_id)
        if container is not None:
            self._finish(container, Termination(status))

    def _finish(self, container: Container, seen: Termination) -> None:
        verdict = container.verdict
        termination = seen if verdict is None else replace(verdict, status=seen.status)
        self._containers.pop(container.id, None)
        self._remember(container.id, termination)
        self._clean_up(container.id)
        for waiter in container.waiters:
            if not waiter.done():
                waiter.set_result(termination)

    def _remember(self, container_id: str, termination: Termination) -> None:
        self._ends[container_id] = termination
        while len(self._ends) > _REMEMBERED_ENDS:
            self._ends.popitem(last=False)

    def _clean_up(self, container_id: str) -> None:
        """Remove what the runtime folder holds of a container; the sandbox stays."""
        try:
            self._host.disk.remove(paths.container_folder(self._runtime_dir, container_id))
        except DiskFailed as error:
            log.warning("Failed to clean up after container %s: %s", container_id, error)

    # --- the rest ----------------------------------------------------------------------------------------------------

    async def update(
        self, container_id: str, resources: Sequence[v0.Resource], limits: Mapping[str, float] | None = None
    ) -> None:
        """Change the resources: posix isolators only report them, volumes appear and vanish. Raises ContainerError."""
        container = self._containers.get(container_id)
        if container is None or container.state is State.DESTROYING:
            log.warning("Ignoring update for unknown or ending container %s", container_id)
            return
        if container.sandbox:
            links = volume_links(resources, container.sandbox, self._work_dir)
            bring_up_to_date(self._host.disk, container.sandbox, links, container.links)
            container.links = links
        container.resources = resources
        container.limits = dict(limits or {})

    async def usage(self, container_id: str) -> v0.ResourceStatistics:
        """Measure; raises NotFound when unknown or not started yet."""
        container = self._containers.get(container_id)
        if container is None or container.pid is None:
            raise NotFound(f"Unknown container {container_id}")
        return usage.statistics(container.pid, self._host.clock.now(), container.resources, container.limits)

    async def status(self, container_id: str) -> v0.ContainerStatus:
        """Describe; raises NotFound when unknown."""
        container = self._containers.get(container_id)
        if container is None:
            raise NotFound(f"Unknown container {container_id}")
        result = v0.ContainerStatus()
        result.container_id.value = container_id
        if container.pid is not None:
            result.executor_pid = container.pid
        return result

    def containers(self) -> Sequence[str]:
        """Ids of all that live."""
        return list(self._containers)


def look_up_user(name: str | None) -> User | None:
    """Give uid, gid and groups to switch to; None when there is nothing to switch.

    Raises ContainerError for an unknown user, or when this process may not become somebody else.
    """
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ContainerError(f"Failed to launch container: No such user '{name}'") from None
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise ContainerError(
            f"Failed to launch container: Only root can switch to user '{name}': "
            "start the agent as root or with --no-switch_user"
        )
    return entry.pw_uid, entry.pw_gid, os.getgrouplist(name, entry.pw_gid)


def _check_container_info(info: v0.ContainerInfo) -> None:
    if info.type != v0.ContainerInfo.MESOS:
        raise ContainerError("Abnormal executor termination: unknown container", "REASON_EXECUTOR_TERMINATED")
    if info.mesos.HasField("image"):
        kind = v0.Image.Type.Name(info.mesos.image.type)
        raise ContainerError(f"Failed to launch container: Unsupported container image type: {kind}")
    if info.volumes:
        raise ContainerError("Failed to launch container: Volumes in ContainerInfo are not supported yet")


def _exit_words(status: int) -> str:
    if os.WIFEXITED(status):
        return f"exited with status {os.WEXITSTATUS(status)}"
    return f"terminated with signal {os.WTERMSIG(status)}"


def _kill_by_sandbox(sandbox: str) -> None:
    """Kill what was started for a sandbox, whoever adopted it since."""
    if sandbox:
        processes.signal_all(processes.started_with("MESOS_SANDBOX", sandbox), signal.SIGKILL)


def _runs_in(pid: int, sandbox: str) -> bool:
    """Tell whether a pid read from disk still belongs to the container of that sandbox, not to somebody new."""
    fact = processes.facts(pid)
    if fact is None or fact.state == "Z" or not sandbox:
        return False
    try:
        if os.readlink(f"/proc/{pid}/cwd") == sandbox:
            return True
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"MESOS_SANDBOX={sandbox}".encode() in file.read().split(b"\0")
    except OSError:
        return False
