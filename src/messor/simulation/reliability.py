"""An hour in the life of a framework to which everything bad happens, made of a seed, and what must be true afterwards.

What a network can do to messages is done to all of them, in either direction between scheduler, master, agents and
executors: they are late, they are lost together with their connection, singly or everything for a while, and they
arrive twice. Beyond that, messages that somebody repeats are also lost while their connection holds.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from messor.agent.checkpoint.update_log import read_log
from messor.model.resource_text import parse_resources
from messor.protos import internal, v0, v0_scheduler
from messor.simulation.bookkeeping import Acknowledgements, Books, Keeper
from messor.simulation.cluster import AgentNode, Cluster, MasterNode
from messor.simulation.disk import SimulatedDisk
from messor.simulation.driver import SimulatedDriver
from messor.simulation.host import SimulatedHost
from messor.simulation.invariants import Invariants

HOUR = 3600.0
TASKS = 50
LONGEST_CALM = 3 * HOUR
"""Virtual seconds in which everything must find its end once the faults are over: updates are sent again every ten
minutes at most, one after the other."""

OUTAGES = (0.0, 0.5, 5.0, 30.0, 100.0)
"""Seconds something stays dead; the longest is beyond what the master waits for an agent's pongs."""

MASTER_FLAGS = {
    "offer_timeout": 300.0,
    "allocation_interval": 10.0,
    "agent_ping_timeout": 25.0,
    "max_agent_ping_timeouts": 3,
}
"""An offer that got lost is taken back. An agent may be silent for 75 seconds, as by default.

Pings and rounds are rarer than in production: more of them only cost time.
"""

DISCONNECTED = "Framework disconnected"
"""What a master tells a classic driver whose connection broke: it is aborted, and its program has to start again."""

TRANSPORTS = ("libprocess", "http", "libprocess", "http+json")
"""By seed."""

SCRIPTS = ("exit 0", "sleep 1; exit 1", "sleep 30", "sleep 200", "sleep 900")
EXECUTORS = ("", "v0-driver", "v1-driver")

MESSAGES = (
    internal.RegisterSlaveMessage,
    internal.SlaveRegisteredMessage,
    internal.ReregisterSlaveMessage,
    internal.SlaveReregisteredMessage,
    internal.PingSlaveMessage,
    internal.PongSlaveMessage,
    internal.UpdateSlaveMessage,
    internal.RunTaskMessage,
    internal.UpdateFrameworkMessage,
    internal.ExitedExecutorMessage,
    internal.StatusUpdateMessage,
    internal.StatusUpdateAcknowledgementMessage,
    internal.ResourceOffersMessage,
    internal.RescindResourceOfferMessage,
    internal.LostSlaveMessage,
    internal.FrameworkRegisteredMessage,
    internal.FrameworkReregisteredMessage,
    v0_scheduler.Call,
)
"""What travels between scheduler, master and agents as messages. Each may be lost with its connection."""

LOSABLE = (
    internal.RegisterSlaveMessage,
    internal.SlaveRegisteredMessage,
    internal.ReregisterSlaveMessage,
    internal.SlaveReregisteredMessage,
    internal.PingSlaveMessage,
    internal.PongSlaveMessage,
    internal.StatusUpdateMessage,
    internal.StatusUpdateAcknowledgementMessage,
    internal.ResourceOffersMessage,
    internal.FrameworkRegisteredMessage,
    internal.FrameworkReregisteredMessage,
    v0_scheduler.Call,
)
"""What may be lost alone, while its connection holds. No network does that; but these are said again, or asked about.

RunTaskMessage is not: master and agent compare what runs when a connection breaks, and not before.
"""

REPEATABLE = (*MESSAGES, internal.RegisterExecutorMessage, internal.ReregisterExecutorMessage)
"""What may arrive twice, executors' messages included. HTTP requests may, too."""

MOST_PASSED = 40
"""HTTP requests to let pass before one arrives twice."""


class Hour:
    """One run: build, break, mend, check."""

    def __init__(self, seed: int, *, tasks: int = TASKS, checked_every: int = 1) -> None:
        """Draw everything from a seed: several masters or one, tasks and faults; the transport alternates.

        checked_every: after so many events the books of master and agents are checked. After each it takes twice the
        time.
        """
        self.seed = seed
        self.random = Random(f"reliability/{seed}")  # noqa: S311  (repeatable on purpose)
        self.transport = TRANSPORTS[seed % len(TRANSPORTS)]
        self.cluster = Cluster(
            seed,
            masters=self.random.choice((1, 3)),
            agents=3,
            master_flags=MASTER_FLAGS,
            keep_trace=False,
        )
        self.cluster.network.retransmits = True
        self.acknowledgements = Acknowledgements(self.cluster, is_json=self.transport == "http+json")
        self._invariants = Invariants(self.cluster)
        self._checked_every = checked_every
        self._unchecked = 0
        self._touched: dict[str, None] = {}
        if checked_every > 1:
            self.cluster.invariants[:] = [self._check_now_and_then]
        self.books = Books([self._task(number) for number in range(1, tasks + 1)])
        self.log: list[str] = []
        """What was done, with the time; a failing run prints it."""
        self.driver: SimulatedDriver
        self.keeper: Keeper
        self.acknowledged = 0
        """Acknowledgements in the agents' logs when it was over: a check that looked at nothing would show."""
        self._is_calm = False

    def run(self) -> None:
        """Live the hour and check; raises AssertionError with the seed and what was done."""
        try:
            self._start_scheduler()
            self._storm()
            self._calm()
            self._check()
        except AssertionError as error:
            error.add_note(f"reliability seed {self.seed}:\n" + "\n".join(self.log))
            raise
        self.cluster.close()

    def _task(self, number: int) -> v0.TaskInfo:
        info = v0.TaskInfo(name="task", task_id=v0.TaskID(value=f"task-{number}"))
        info.resources.extend(parse_resources("cpus:0.3;mem:32", "*").messages())
        script, executor = self.random.choice(SCRIPTS), self.random.choice(EXECUTORS)
        if executor:
            info.executor.executor_id.value = f"{executor}-{number}"
            info.executor.command.value = executor
            info.executor.resources.extend(parse_resources("cpus:0.1;mem:32", "*").messages())
            info.data = script.encode()
        else:
            info.command.value = script
        return info

    def _start_scheduler(self) -> None:
        framework = v0.FrameworkInfo(user="root", name="books", checkpoint=True, failover_timeout=1e6)
        framework.capabilities.add(type=v0.FrameworkInfo.Capability.PARTITION_AWARE)
        if self.books.framework_id:
            framework.id.value = self.books.framework_id
        self.keeper = Keeper(self.books, self.cluster, self.acknowledgements, self._supervise)
        self.driver = SimulatedDriver(self.keeper, framework, self.cluster, 0, transport=self.transport)
        self.driver.start()

    def _supervise(self, message: str) -> None:
        """Start another scheduler when the master saw a connection break that the driver did not."""
        assert message == DISCONNECTED, f"the scheduler was told '{message}'"
        self.log.append(f"{self.cluster.time:9.3f}  the driver was aborted: {message}")
        process = self.driver.process
        self.cluster.loop.call_later(1.0, process.kill)
        self.cluster.loop.call_later(1.1, self._replace_scheduler)

    # --- breaking -----------------------------------------------------------------------------------------------------

    def _storm(self) -> None:
        actions: list[tuple[int, Callable[[], Any]]] = [
            (4, self._change_leader),
            (4, self._restart_agent),
            (3, self._crash_scheduler),
            (4, self._lose_messages),
            (6, self._break_connections),
            (3, self._sever),
            (6, self._repeat_messages),
            (2, self._reset),
            (2, self._partition),
            (1, self._reset_executor),
        ]
        weighted = [action for weight, action in actions for _ in range(weight)]
        while self.cluster.time < HOUR:
            self.cluster.advance(self.random.expovariate(1 / 45))
            action = self.random.choice(weighted)
            self.log.append(f"{self.cluster.time:9.3f}  {action.__name__.strip('_')}")
            action()

    def _later(self, call: Callable[[], object]) -> None:
        """Mend something after an outage, unless the calm did so already."""
        self.cluster.loop.call_later(self.random.choice(OUTAGES), lambda: None if self._is_calm else call())

    def _change_leader(self) -> None:
        """Kill the leading master; it comes back after a while, and meanwhile another one may lead."""
        master = self.cluster.master
        if master.is_running:
            master.kill(silent=self.random.random() < 0.3)
            self._later(lambda: None if master.is_running else master.start())

    def _restart_agent(self) -> None:
        agent = self._agent()
        if agent.is_running:
            agent.kill(silent=self.random.random() < 0.3)
            self._later(lambda: None if agent.is_running else agent.start())

    def _crash_scheduler(self) -> None:
        if self.driver.process.is_alive and self.books.framework_id:
            self.driver.crash(silent=self.random.random() < 0.3)
            self._later(self._replace_scheduler)

    def _replace_scheduler(self) -> None:
        if not self.driver.process.is_alive:
            self._start_scheduler()

    def _lose_messages(self) -> None:
        message, times = self.random.choice(LOSABLE), self.random.randint(1, 5)
        if message is internal.StatusUpdateMessage:
            # Agents say an update again until it is acknowledged; executors only when their agent comes back.
            self.cluster.network.drop(message, times=times, sender=self.random.choice(("slave(1)", "master")))
        else:
            self.cluster.network.drop(message, times=times)

    def _break_connections(self) -> None:
        """Lose messages of some kind with their connections."""
        self.cluster.network.break_at(self.random.choice(MESSAGES), times=self.random.randint(1, 3))

    def _sever(self) -> None:
        """Lose everything between the master and somebody for a while, after which both notice."""
        one, other = self.cluster.master.host, self._peer()
        if self.random.random() < 0.5:
            one, other = other, one
        self.cluster.network.sever(one, other, one_way=self.random.random() < 0.3)
        self._later(self.cluster.network.mend)

    def _repeat_messages(self) -> None:
        for _ in range(self.random.randint(1, 5)):
            self.cluster.network.repeat_request(after=self.random.randrange(MOST_PASSED))
        self.cluster.network.duplicate(self.random.choice(REPEATABLE), times=self.random.randint(1, 5))

    def _reset(self) -> None:
        self.cluster.network.reset(self.cluster.master.name, self._peer())

    def _reset_executor(self) -> None:
        """Break the connections of an executor that speaks HTTP."""
        alive = [host for name, host in self.cluster.hosts.items() if name.startswith("executor-") and host.is_alive]
        if alive:
            self.cluster.network.reset_http(self.random.choice(alive))

    def _partition(self) -> None:
        self.cluster.network.partition([self.cluster.master.name], [self._agent().name])
        self._later(self.cluster.network.heal)

    def _peer(self) -> SimulatedHost:
        """Choose whom the master talks to."""
        return self.random.choice([self._agent().host, self.driver.process])

    def _agent(self) -> AgentNode:
        return self.random.choice(self.cluster.agents)

    # --- mending and checking -----------------------------------------------------------------------------------------

    def _calm(self) -> None:
        """Mend everything; then every task must find its end."""
        cluster = self.cluster
        self.log.append(f"{cluster.time:9.3f}  calm")
        self._is_calm = True
        cluster.network.deliver_all()
        cluster.network.heal()
        cluster.network.mend()
        nodes: list[MasterNode | AgentNode] = [*cluster.masters, *cluster.agents]
        for node in nodes:
            if not node.is_running:
                node.start()
        self._replace_scheduler()
        cluster.run_until(cluster.is_complete, within=600, what="all agents register again")
        cluster.run_until(lambda: self.books.is_balanced, within=LONGEST_CALM, what="every task ends in the books")
        cluster.run_until(self._is_quiet, within=LONGEST_CALM, what="every update is heard and acknowledged")

    def _is_quiet(self) -> bool:
        return not self.cluster.ledger.unheard() and not any(agent.has_pending_updates for agent in self.cluster.agents)

    def _check_now_and_then(self) -> None:
        """Check what changed since the last time; the ledger each time."""
        assert not self.cluster.ledger.faults, "; ".join(self.cluster.ledger.faults)
        self._touched.update(self.cluster.touched)
        self._unchecked += 1
        if self._unchecked >= self._checked_every:
            self._unchecked = 0
            touched, self.cluster.touched, self._touched = self.cluster.touched, self._touched, {}
            self._invariants.hold()
            self.cluster.touched = touched

    def _check(self) -> None:
        """Check what must be true when all is over."""
        self.cluster.touched = dict.fromkeys(self.cluster.hosts)
        self._invariants.hold()
        assert self.cluster.ledger.unheard() == [], "updates were lost"
        for agent in self.cluster.agents:
            left = [task for _, executor in agent.actor.tables.executors() for task in executor.launched]
            assert not left, f"tasks {left} run on {agent.name} although they are over in the books"
        for agent in self.cluster.agents:
            files = self.cluster.machines[agent.ip]
            disk = SimulatedDisk(files)
            for path in [path for path in files.files if path.endswith("/task.updates")]:
                acknowledged = [entry.uuid for entry in read_log(disk, path)[0] if entry.update is None]
                assert len(set(acknowledged)) == len(acknowledged), f"{path}: an update was acknowledged twice"
                self.acknowledged += len(acknowledged)
