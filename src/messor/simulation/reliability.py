"""An hour in the life of a framework to which everything bad happens, made of a seed, and what must be true afterwards.

The scheduler is written as its author would: on the classic driver, with its books kept in a store that outlives its
crashes, and nothing but the documented remedies (acknowledge after writing, reconcile, fail over).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from messor.agent.checkpoint.update_log import read_log
from messor.model.resource_text import parse_resources
from messor.model.task_states import is_terminal
from messor.protos import internal, v0, v0_scheduler
from messor.simulation.cluster import AgentNode, Cluster, MasterNode
from messor.simulation.disk import SimulatedDisk
from messor.simulation.driver import SimulatedDriver
from messor.simulation.invariants import Invariants

HOUR = 3600.0
TASKS = 50
LONGEST_CALM = 3 * HOUR
"""Virtual seconds in which everything must find its end once the faults are over: updates are sent again every ten
minutes at most, one after the other."""

DUE_SECONDS = 3000.0
"""Virtual seconds over which tasks come to be launched."""

RECONCILE_SECONDS = 120.0
OUTAGES = (0.0, 0.5, 5.0, 30.0, 100.0)
"""Seconds something stays dead; the longest is beyond what the master waits for an agent's pongs."""

DISCONNECTED = "Framework disconnected"
"""What a master tells a classic driver whose connection broke: it is aborted, and its program has to start again."""

SCRIPTS = ("exit 0", "sleep 1; exit 1", "sleep 30", "sleep 200", "sleep 900")
EXECUTORS = ("", "v0-driver", "v1-driver")

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
"""What may be lost one by one. RunTaskMessage is not: the master never asks an agent whether it has a task."""

REPEATABLE = (
    internal.ReregisterSlaveMessage,
    internal.SlaveReregisteredMessage,
    internal.PingSlaveMessage,
    internal.PongSlaveMessage,
    internal.StatusUpdateMessage,
    internal.StatusUpdateAcknowledgementMessage,
    internal.RunTaskMessage,
    internal.FrameworkReregisteredMessage,
)
"""What may arrive twice. Calls are not: a second ACCEPT is refused task by task, by design."""


class Books:
    """What a scheduler knows, in a store that outlives it."""

    def __init__(self, wanted: list[v0.TaskInfo]) -> None:
        """Begin with everything still to do."""
        self.framework_id = ""
        self._count = len(wanted)
        self.wanted = {task.task_id.value: task for task in wanted}
        self.agents: dict[str, str] = {}
        """Agent by task, written before it is launched."""
        self.states: dict[str, int] = {}

    @property
    def is_balanced(self) -> bool:
        """Whether every task has ended."""
        return not self.wanted and all(is_terminal(self.states.get(task, v0.TASK_STAGING)) for task in self.agents)

    def due(self, now: float) -> list[v0.TaskInfo]:
        """List the tasks to launch by that virtual time: they come evenly over most of the hour."""
        begun = int(now / DUE_SECONDS * self._count) + 1 - (self._count - len(self.wanted))
        return list(self.wanted.values())[: max(begun, 0)]

    def open_tasks(self) -> list[str]:
        """List the tasks that were launched and have not ended."""
        return [task for task in self.agents if not is_terminal(self.states.get(task, v0.TASK_STAGING))]


class Keeper:
    """A scheduler that keeps books."""

    def __init__(self, books: Books, cluster: Cluster, on_error: Callable[[str], None]) -> None:
        """Go on where the books stand; on_error: whoever supervises the scheduler."""
        self.books = books
        self.ledger = cluster.ledger
        self.on_error = on_error

    def registered(self, driver: SimulatedDriver, framework_id: v0.FrameworkID, master: v0.MasterInfo) -> None:
        """Write the id down; ask about everything; keep asking."""
        del master
        self.books.framework_id = framework_id.value
        self._reconcile(driver)
        driver.after(RECONCILE_SECONDS, self._keep_reconciling, driver)

    def reregistered(self, driver: SimulatedDriver, master: v0.MasterInfo) -> None:
        """Ask about everything."""
        del master
        self._reconcile(driver)

    def resourceOffers(self, driver: SimulatedDriver, offers: list[v0.Offer]) -> None:  # noqa: N802  (mesos.interface's)
        """Launch what fits, writing it down first."""
        for offer in offers:
            cpus = sum(resource.scalar.value for resource in offer.resources if resource.name == "cpus")
            chosen = []
            for task in self.books.due(driver.process.clock.monotonic())[: int(cpus / 0.5)]:
                task.slave_id.CopyFrom(offer.slave_id)
                del self.books.wanted[task.task_id.value]
                self.books.agents[task.task_id.value] = offer.slave_id.value
                chosen.append(task)
            filters = v0.Filters(refuse_seconds=10)
            if chosen:
                driver.launchTasks(offer.id, chosen, filters)
            else:
                driver.declineOffer(offer.id, filters)

    def statusUpdate(self, driver: SimulatedDriver, status: v0.TaskStatus) -> None:  # noqa: N802
        """Write it down, then acknowledge."""
        self.ledger.heard_by_scheduler(self.books.framework_id, status)
        task = status.task_id.value
        if not is_terminal(self.books.states.get(task, v0.TASK_STAGING)):
            self.books.states[task] = status.state
        if status.uuid:
            driver.acknowledgeStatusUpdate(status)

    def error(self, driver: SimulatedDriver, message: str) -> None:
        """Tell the supervisor: the driver is aborted."""
        del driver
        self.on_error(message)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Do nothing in all other callbacks."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None

    def _keep_reconciling(self, driver: SimulatedDriver) -> None:
        self._reconcile(driver)
        driver.after(RECONCILE_SECONDS, self._keep_reconciling, driver)

    def _reconcile(self, driver: SimulatedDriver) -> None:
        statuses = [
            v0.TaskStatus(
                task_id=v0.TaskID(value=task), slave_id=v0.SlaveID(value=self.books.agents[task]), state=v0.TASK_STAGING
            )
            for task in self.books.open_tasks()
        ]
        if statuses:
            driver.reconcileTasks(statuses)


class Hour:
    """One run: build, break, mend, check."""

    def __init__(self, seed: int, *, tasks: int = TASKS, thorough: bool = True) -> None:
        """Draw everything from a seed: transport, several masters or one, tasks and faults.

        thorough: check the books of master and agents after every event, not only when it is over: twice the time.
        """
        self.seed = seed
        self.random = Random(f"reliability/{seed}")  # noqa: S311  (repeatable on purpose)
        self.transport = self.random.choice(("libprocess", "http", "http+json"))
        self.cluster = Cluster(seed, masters=self.random.choice((1, 3)), agents=3, keep_trace=False)
        # A short partition delays what is on its way, as TCP does. A launch that is lost without a broken connection is
        # beyond Mesos' remedies: master and agent never compare notes until the agent registers again.
        self.cluster.network.retransmits = True
        if not thorough:
            self.cluster.invariants.clear()
            self.cluster.invariants.append(self._ledger_holds)
        self._invariants = Invariants(self.cluster)
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
        self.keeper = Keeper(self.books, self.cluster, self._supervise)
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
            (6, self._lose_messages),
            (6, self._repeat_messages),
            (2, self._reset),
            (2, self._partition),
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

    def _repeat_messages(self) -> None:
        self.cluster.network.duplicate(self.random.choice(REPEATABLE), times=self.random.randint(1, 5))

    def _reset(self) -> None:
        one = self.random.choice([self._agent().name, self.driver.process.name])
        self.cluster.network.reset(self.cluster.master.name, one)

    def _partition(self) -> None:
        self.cluster.network.partition([self.cluster.master.name], [self._agent().name])
        self._later(self.cluster.network.heal)

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

    def _ledger_holds(self) -> None:
        assert not self.cluster.ledger.faults, "; ".join(self.cluster.ledger.faults)

    def _check(self) -> None:
        self.cluster.touched = dict.fromkeys(self.cluster.hosts)
        self._invariants.hold()
        assert self.cluster.ledger.unheard() == [], "updates were lost"
        for agent in self.cluster.agents:
            files = self.cluster.machines[agent.ip]
            disk = SimulatedDisk(files)
            for path in [path for path in files.files if path.endswith("/task.updates")]:
                acknowledged = [entry.uuid for entry in read_log(disk, path)[0] if entry.update is None]
                assert len(set(acknowledged)) == len(acknowledged), f"{path}: an update was acknowledged twice"
                self.acknowledged += len(acknowledged)
