"""A whole cluster: the same Master and Agent actors as in production, on simulated hosts.

cluster = Cluster(seed=7, agents=3)
framework = cluster.framework()
task = framework.launch("sleep 5; exit 0")
cluster.run_until(lambda: framework.states(task) == ["STARTING", "RUNNING", "FINISHED"])
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from messor.agent.agent import Agent
from messor.agent.flags import AgentFlags
from messor.coordination.interfaces import Detector
from messor.coordination.standalone import StandaloneDetector, master_info
from messor.master.flags import MasterFlags
from messor.master.master import Master
from messor.master.state.lifecycles import AgentState
from messor.protos import v0
from messor.runtime.host import Reply
from messor.runtime.process_actors import MetricsActor
from messor.simulation.containers import ContainerRuntime, SimulatedContainerizer
from messor.simulation.election import Election
from messor.simulation.frameworks import HttpScheduler, PidScheduler, SimulatedScheduler
from messor.simulation.host import SimulatedHost
from messor.simulation.invariants import Invariants
from messor.simulation.ledger import Ledger
from messor.simulation.registry import WatchedStorage
from messor.simulation.sessions import DriverScheduler, HttpDriverScheduler
from messor.simulation.world import World
from messor.wire.upid import Upid

MASTER_PORT = 5050
AGENT_PORT = 5051
AGENT_RESOURCES = "cpus:4;mem:4096;disk:10000;ports:[31000-32000]"
WORK_DIR = "/var/lib/mesos"

KINDS: dict[tuple[bool, bool], type[SimulatedScheduler]] = {
    (False, False): PidScheduler,
    (False, True): HttpScheduler,
    (True, False): DriverScheduler,
    (True, True): HttpDriverScheduler,
}
"""Schedulers by (driver, http)."""

Capability = v0.FrameworkInfo.Capability


class MasterNode:
    """The machine a master runs on; its registry outlives the process."""

    def __init__(self, cluster: Cluster, number: int, flags: Mapping[str, Any]) -> None:
        """number counts from 1."""
        self.cluster = cluster
        self.name = "master" if number == 1 else f"master-{number}"
        self.flags = flags
        self.storage = cluster.registry
        self.upid = Upid("master", f"10.0.0.{number}", MASTER_PORT)
        self.host: SimulatedHost
        self.actor: Master

    @property
    def is_running(self) -> bool:
        """Whether its process is alive."""
        host = self.cluster.hosts.get(self.name)
        return host is not None and host.is_alive

    @property
    def state(self) -> Any:
        """The master's records."""
        return self.actor.state

    @property
    def is_leading(self) -> bool:
        """Whether it leads and has read the registry."""
        return self.is_running and self.actor.leadership.is_elected and self.actor.state.is_recovered

    def start(self) -> None:
        """Start a master process on what the registry holds."""
        self.host = self.cluster.start(self.name, self.upid.ip, MASTER_PORT)
        flags = MasterFlags(**{"work_dir": WORK_DIR, "registry": "in_memory", **self.flags})
        election = self.cluster.election
        self.actor = Master(
            self.host,
            flags,
            storage=self.storage.opened_by(self.host),
            group=election.group(self.host) if election is not None else None,
        )
        self.host.spawn(self.actor)
        self.host.spawn(MetricsActor({}))
        self.host.directory.delegate = self.actor.name

    def kill(self, *, silent: bool = False) -> None:
        """Kill the process."""
        self.host.kill(silent=silent)

    def restart(self) -> None:
        """Kill it if it runs, and start it again."""
        self.kill()
        self.start()


class AgentNode:
    """The machine an agent runs on: its disk and containers outlive the process."""

    def __init__(self, cluster: Cluster, number: int, flags: Mapping[str, Any]) -> None:
        """number counts from 1."""
        self.cluster = cluster
        self.name = f"agent-{number}"
        self.ip = f"10.0.1.{number}"
        self.flags = flags
        self.runtime = ContainerRuntime(cluster, self.ip, cluster.ledger)
        self.runtime.executors.update(cluster.executors)
        self.boots = 1
        self.host: SimulatedHost
        self.actor: Agent

    @property
    def is_running(self) -> bool:
        """Whether its process is alive."""
        host = self.cluster.hosts.get(self.name)
        return host is not None and host.is_alive

    @property
    def id(self) -> str:
        """The agent's id, empty before it registered."""
        return str(self.actor.tables.agent_id)

    @property
    def is_registered(self) -> bool:
        """Whether the master knows it as connected."""
        record = self.cluster.master.state.agents.get(self.id)
        return self.is_running and record is not None and record.is_connected and record.state is AgentState.ACTIVE

    @property
    def has_pending_updates(self) -> bool:
        """Whether some update is not acknowledged yet."""
        manager = self.actor.updates.manager
        return any(
            manager.has_pending(framework.id, task_id)
            for framework, executor in self.actor.tables.executors()
            for task_id in (*executor.launched, *executor.terminated)
        )

    def start(self) -> None:
        """Start an agent process on what the disk holds."""
        self.host = self.cluster.start(self.name, self.ip, AGENT_PORT)
        values = {
            "master": f"{self.cluster.master.upid.ip}:{MASTER_PORT}",
            "work_dir": WORK_DIR,
            "resources": AGENT_RESOURCES,
            **self.flags,
        }
        self.actor = Agent(
            self.host,
            AgentFlags(**values),
            SimulatedContainerizer(self.host, self.runtime),
            self.cluster.detector(self.host),
            boot_id=f"boot-{self.boots}",
        )
        self.host.spawn(self.actor)
        self.host.spawn(MetricsActor({}))
        self.host.directory.delegate = self.actor.name

    def kill(self, *, silent: bool = False) -> None:
        """Kill the process with SIGKILL; the machine and its containers go on."""
        self.host.kill(silent=silent)

    def power_off(self) -> None:
        """Lose the machine: agent, containers and unsynced files; nobody is told."""
        self.host.crash(silent=True)
        self.runtime.power_off()
        self.boots += 1

    def restart(self) -> None:
        """Kill the process if it runs, and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop the process as SIGSTOP does."""
        self.host.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.host.thaw()


class Cluster(World):
    """One master and some agents, and the frameworks a test starts."""

    def __init__(
        self,
        seed: int = 0,
        *,
        masters: int = 1,
        agents: int = 1,
        master_flags: Mapping[str, Any] | None = None,
        agent_flags: Mapping[str, Any] | None = None,
        executors: Mapping[str, Callable[..., Any]] | None = None,
        start: bool = True,
        keep_trace: bool = True,
    ) -> None:
        """Build from a seed and, unless start is False, run until all agents are registered.

        masters: with more than one they stand for election, and only driver schedulers can follow the leader.
        executors: programs that CommandInfo.value of a custom executor may name, beside ``v0-executor``,
        ``v1-executor``, ``v0-driver`` and ``v1-driver``.
        """
        super().__init__(seed, keep_trace=keep_trace)
        self.ledger = Ledger()
        self.executors = dict(executors or {})
        self.network.observers.append(self.ledger.watch)
        self.network.senders.append(self.ledger.watch_sent)
        self.registry = WatchedStorage()
        self.election = Election(self) if masters > 1 else None
        self.masters = [MasterNode(self, number, master_flags or {}) for number in range(1, masters + 1)]
        self.agents = [AgentNode(self, number, agent_flags or {}) for number in range(1, agents + 1)]
        self.frameworks: list[SimulatedScheduler] = []
        self._schedulers = 0
        self.invariants.append(Invariants(self).hold)
        if start:
            self.start_all()

    @property
    def master(self) -> MasterNode:
        """The leading master, or the first one while nobody leads."""
        for node in self.masters:
            if len(self.masters) > 1 and node.is_leading:
                return node
        return self.masters[0]

    def detector(self, host: SimulatedHost) -> Detector:
        """Make what finds the leading master from a process."""
        if self.election is not None:
            return self.election.detector(host)
        return StandaloneDetector(host, master_info(host, self.master.upid))

    def start_all(self) -> None:
        """Start the masters, then the agents, and run until they are registered."""
        for master in self.masters:
            master.start()
        for agent in self.agents:
            agent.start()
        self.run_until(self.is_complete, what="all agents register")

    def is_complete(self) -> bool:
        """Whether every agent is registered."""
        return all(agent.is_registered for agent in self.agents)

    def framework(
        self,
        name: str = "",
        *,
        http: bool = False,
        driver: bool = False,
        checkpoint: bool = False,
        failover_timeout: float = 0.0,
        capabilities: Collection[str] = (),
        roles: Iterable[str] = (),
        framework_id: str = "",
        acknowledges: bool = True,
        declines: bool = False,
        subscribe: bool = True,
    ) -> SimulatedScheduler:
        """Start a scheduler in a process of its own and run until it is subscribed.

        http: whether it speaks the v1 API. driver: whether it leaves the protocol to the real driver's session.
        capabilities: lower-case names, e.g. ``partition_aware``. framework_id: set for a scheduler that takes over.
        subscribe: whether to wait for the answer.
        """
        info = v0.FrameworkInfo(
            name=name or f"framework-{self._schedulers + 1}",
            user="root",
            checkpoint=checkpoint,
            failover_timeout=failover_timeout,
        )
        listed = list(roles)
        named = [*capabilities, *(["multi_role"] if len(listed) > 1 and "multi_role" not in capabilities else [])]
        for capability in named:
            info.capabilities.add(type=capability.upper())
        if len(listed) == 1 and "multi_role" not in named:
            info.role = listed[0]
        else:
            info.roles.extend(listed)
        if framework_id:
            info.id.value = framework_id
        scheduler = self._scheduler(KINDS[driver, http], info)
        scheduler.acknowledges = acknowledges
        scheduler.declines = declines
        self.frameworks.append(scheduler)
        if subscribe:
            self.run_until(lambda: scheduler.is_connected or scheduler.errors, what=f"{scheduler.name} subscribes")
        return scheduler

    def ask(self, method: str, path: str, body: bytes = b"", *, node: MasterNode | AgentNode | None = None) -> Reply:
        """Make an HTTP request from an operator's machine to a node, the master by default; bodies are JSON."""
        if "operator" not in self.hosts:
            self.start("operator", "10.0.3.1")
        address = (node or self.master).host.address
        headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {})}
        connection = self.hosts["operator"].network.http(*address)
        reply: Reply = self.run(connection.request(method, path, headers, body))
        return reply

    def successor(self, old: SimulatedScheduler) -> SimulatedScheduler:
        """Start another scheduler for a framework, which takes over; the old one is not stopped here."""
        scheduler = self._scheduler(type(old), old.info)
        for habit in ("acknowledges", "declines", "refuse_seconds", "_launched"):
            setattr(scheduler, habit, getattr(old, habit))
        return scheduler

    def framework_process(self) -> SimulatedHost:
        """Start an empty process on a machine of its own, for a scheduler."""
        self._schedulers += 1
        return self.start(f"framework-{self._schedulers}", f"10.0.2.{self._schedulers}")

    def _scheduler(self, kind: type[SimulatedScheduler], info: v0.FrameworkInfo) -> SimulatedScheduler:
        """Start a scheduler in a process and on a machine of its own."""
        host = self.framework_process()
        scheduler = kind(f"scheduler-{self._schedulers}", info, self.master.upid, self.ledger)
        if isinstance(scheduler, DriverScheduler):
            scheduler.find_master = lambda: self.detector(host)
        host.spawn(scheduler)
        return scheduler
