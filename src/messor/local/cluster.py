"""``LocalCluster``: a master and agents on loopback, for laptops, examples and tests.

with LocalCluster(agents=3) as cluster:
    driver = MesosSchedulerDriver(scheduler, framework, cluster.master)
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from messor.containers.native.zygote_client import destroy_everything
from messor.errors import ConfigurationError, ConnectionLost
from messor.local.daemons import STOP_SECONDS, Daemon, signals_wait
from messor.local.leftovers import kill_leftovers
from messor.local.probe import free_port, get_json, require_free

START_SECONDS = 60.0
POLL_SECONDS = 0.01

PORT_ATTEMPTS = 3
PORT_TAKEN = "Address already in use"

Progress = Callable[[str, float], object]


class LocalAgent(Daemon):
    """One agent of a local cluster."""

    def __init__(
        self, number: int, flags: Mapping[str, object], folder: Path, port: int, settings: Mapping[str, str]
    ) -> None:
        """Number them from 0."""
        super().__init__("messor.agent.main", f"agent {number}", flags, folder, port, settings)
        self.number = number
        self.runtime_dir = Path(str(flags["runtime_dir"]))
        self.work_dir = Path(str(flags["work_dir"]))

    def restart(self) -> None:
        """Start it again on the same work_dir, after kill(); returns when it answers."""
        self.kill()
        self.start()
        wait_until(self.is_up, [self], f"{self.name} to answer")


class LocalCluster:
    """One master and some agents as processes of their own; everything is gone after stop()."""

    def __init__(
        self,
        agents: int = 2,
        *,
        port: int = 0,
        work_dir: str | Path | None = None,
        master_flags: Mapping[str, object] | None = None,
        agent_flags: Mapping[str, object] | None = None,
        resources: str | Sequence[str] | None = None,
        attributes: str | Sequence[str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the cluster; nothing is started yet.

        port: the master's, 0 for any free one. work_dir: kept afterwards when given, else a temporary folder that is
        removed. resources, attributes: one text for all agents or one per agent, in the syntax of the agent's flags.
        settings: MESOS_* variables for master and agents; those of this process are not passed on.
        Raises ConfigurationError when agents is negative or a list's length is not the number of agents.
        """
        if agents < 0:
            raise ConfigurationError(f"A cluster cannot have {agents} agents")
        self._is_temporary = work_dir is None
        self._port = port
        self._count = agents
        self._master_flags = dict(master_flags or {})
        self._agent_flags = dict(agent_flags or {})
        self._resources = _each("resources", resources, agents)
        self._attributes = _each("attributes", attributes, agents)
        self._given_dir = Path(work_dir).absolute() if work_dir is not None else None
        self.work_dir = self._given_dir or Path()
        self.agents: list[LocalAgent] = []
        self.master_process: Daemon
        self._settings = dict(settings or {})
        self._running = False

    # --- where it is -------------------------------------------------------------------------------------------------

    @property
    def master(self) -> str:
        """The master's address as drivers want it, ``host:port``."""
        return f"{self.master_process.host}:{self.master_process.port}"

    @property
    def url(self) -> str:
        """The master's HTTP address."""
        return self.master_process.url

    # --- starting and stopping ---------------------------------------------------------------------------------------

    def start(self, progress: Progress | None = None) -> Self:
        """Start everything and wait until all agents are registered.

        progress(what, seconds) hears of each part as it comes up. Raises ConfigurationError with the reason when a part
        does not; nothing is left running then.
        """
        told = progress or (lambda what, seconds: None)  # noqa: ARG005  (nobody listens)
        for _ in range(PORT_ATTEMPTS - 1):
            try:
                self._start_once(told)
            except ConfigurationError as error:
                # A port that was free when we looked may be taken when the daemon binds it.
                if self._port or PORT_TAKEN not in str(error):
                    raise
            else:
                return self
        self._start_once(told)
        return self

    def _start_once(self, told: Progress) -> None:
        begun = time.monotonic()
        try:
            with signals_wait():
                self.work_dir = self._given_dir or Path(tempfile.mkdtemp(prefix="messor-"))
                self._running = True
            self.work_dir.mkdir(parents=True, exist_ok=True)
            self._describe()
            self.master_process.start()
            # Agents start beside the master and find it as soon as it listens: loading Python is most of the time.
            for agent in self.agents:
                agent.start()
            parts: list[Daemon] = [self.master_process, *self.agents]
            for part in parts:
                wait_until(part.is_up, [self.master_process, part], f"{part.name} to answer")
                told(f"{part.name} at {part.url}", time.monotonic() - begun)
            self.wait_for_agents(len(self.agents))
            told("all agents are registered", time.monotonic() - begun)
        except BaseException:
            self.stop()
            raise

    def _describe(self) -> None:
        if self._port:
            require_free(self._port)
        port = self._port or free_port()
        flags: dict[str, object] = {
            "ip": "127.0.0.1",
            "hostname": "127.0.0.1",
            "port": port,
            "work_dir": self.work_dir / "master",
            # Clients that read lines see an event only when the next one comes; a heartbeat a second makes them lively.
            "heartbeat_interval": "1secs",
            # What a task gives back is offered again in the next round; a second would be most of a small job's time.
            "allocation_interval": "100ms",
        }
        folder = self.work_dir / "master"
        flags |= self._master_flags
        self.master_process = Daemon("messor.master.main", "master", flags, folder, port, self._settings)
        self.agents = [self._describe_agent(number, port) for number in range(self._count)]

    def _describe_agent(self, number: int, master_port: int) -> LocalAgent:
        folder = self.work_dir / f"agent-{number}"
        port = free_port()
        flags: dict[str, object] = {
            "master": f"127.0.0.1:{master_port}",
            "ip": "127.0.0.1",
            "hostname": "127.0.0.1",
            "port": port,
            "work_dir": folder,
            "runtime_dir": folder / "runtime",
            "launcher": "posix",
            # The delay that spreads thousands of agents over time would only slow a laptop down.
            "registration_backoff_factor": "20ms",
        }
        if os.geteuid() != 0 and "MESOS_SWITCH_USER" not in self._settings:
            # Only root can become the user that a framework names: on somebody's laptop tasks are that somebody's.
            flags["switch_user"] = False
        if self._resources[number] is not None:
            flags["resources"] = self._resources[number]
        if self._attributes[number] is not None:
            flags["attributes"] = self._attributes[number]
        return LocalAgent(number, flags | self._agent_flags, folder, port, self._settings)

    def stop(self) -> None:
        """Stop everything, tasks included; harmless when nothing runs."""
        if not self._running:
            return
        self._running = False
        deadline = time.monotonic() + STOP_SECONDS
        for agent in self.agents:
            # SIGUSR1 makes an agent unregister and shut its executors down; SIGTERM would leave them running (G15).
            agent.ask_to_stop(signal.SIGUSR1)
        for agent in self.agents:
            agent.finish(deadline)
        if hasattr(self, "master_process"):
            self.master_process.ask_to_stop(signal.SIGTERM)
            self.master_process.finish(time.monotonic() + STOP_SECONDS)
        for agent in self.agents:
            # An agent that was killed, or whose executors took too long, leaves its zygote and containers behind.
            with suppress(TimeoutError):  # a zygote that hangs is killed with the rest
                destroy_everything(str(agent.runtime_dir))
            kill_leftovers(agent.runtime_dir)
        if self._is_temporary:
            shutil.rmtree(self.work_dir, ignore_errors=True)

    def restart_master(self, *, kill: bool = True) -> None:
        """Start the master again on the same work_dir; returns when it answers."""
        if kill:
            self.master_process.kill()
        else:
            self.master_process.ask_to_stop(signal.SIGTERM)
            self.master_process.finish(time.monotonic() + STOP_SECONDS)
        self.master_process.start()
        wait_until(self.master_process.is_up, [self.master_process], "the master to answer")

    def wait_for_agents(self, count: int, seconds: float = START_SECONDS) -> None:
        """Wait until that many agents are registered and active; raises ConnectionLost when they do not come."""

        def are_there() -> bool:
            try:
                slaves = get_json(self.master_process.host, self.master_process.port, "/slaves")["slaves"]
            except ConnectionLost:
                return False
            return sum(1 for slave in slaves if slave["active"]) >= count

        live = [self.master_process, *(agent for agent in self.agents if agent.pid is not None)]
        wait_until(are_there, live, f"{count} agents to register", seconds)

    def __enter__(self) -> Self:
        if not self._running:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def wait_until(
    condition: Callable[[], bool], live: Sequence[Daemon], what: str, seconds: float = START_SECONDS
) -> None:
    """Poll until it holds; raises ConfigurationError when one of live ends, ConnectionLost when time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        for daemon in live:
            daemon.check()
        if time.monotonic() > deadline:
            raise ConnectionLost(f"waited {seconds:g} seconds for {what}; see {live[-1].log}")
        time.sleep(POLL_SECONDS)


def _each(name: str, value: str | Sequence[str] | None, count: int) -> list[str | None]:
    if value is None or isinstance(value, str):
        return [value] * count
    if len(value) != count:
        raise ConfigurationError(f"{name} lists {len(value)} values for {count} agents: {json.dumps(list(value))}")
    return list(value)
