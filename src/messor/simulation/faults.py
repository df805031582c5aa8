"""Random faults and random work: a life that a cluster must survive, made of a seed.

Between two events everything may break: processes die and come back, machines freeze, networks part and lose messages.
When it is over, ``calm`` mends everything; then the cluster must find together again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from messor.protos import internal, v0, v0_scheduler

if TYPE_CHECKING:
    from messor.simulation.cluster import AgentNode, Cluster
    from messor.simulation.frameworks import SimulatedScheduler

LOSABLE = (
    internal.RegisterSlaveMessage,
    internal.SlaveRegisteredMessage,
    internal.ReregisterSlaveMessage,
    internal.SlaveReregisteredMessage,
    internal.PingSlaveMessage,
    internal.PongSlaveMessage,
    internal.StatusUpdateAcknowledgementMessage,
    internal.KillTaskMessage,
    v0_scheduler.Call,
)
"""What may be lost one by one. Launches are not: Mesos has no remedy for a lost launch but reconciliation."""

BREAKING = frozenset({internal.KillTaskMessage})
"""What is lost only with its connection: nobody says it again while that holds."""

SCRIPTS = ("sleep 1", "sleep 5; exit 1", "sleep 30", "sleep 200", "sleep 100000", "exit 0", "trap '' TERM; sleep 500")
EXECUTORS = ("", "", "v0-executor", "v1-executor", "v0-driver", "v1-driver")
LONGEST_CALM = 25
"""Minutes: the longest pause between two attempts to deliver an update is ten, and a task may have two on the way."""
PAUSES = (0.0, 0.01, 0.5, 2.0, 10.0, 40.0, 90.0)
"""Seconds between two actions."""


class Life:
    """One random life of a cluster."""

    def __init__(self, cluster: Cluster, seed: int, *, rough: bool = False, role: str = "") -> None:
        """Draw everything from a seed.

        rough: machines lose power and schedulers die too, so updates may be lost. role: what frameworks reserve for,
        when they do.
        """
        self.cluster = cluster
        self.random = Random(f"life/{seed}")  # noqa: S311  (repeatable on purpose)
        self.launched: list[tuple[SimulatedScheduler, str]] = []
        self.log: list[str] = []
        """What was done, with the time; a failing run prints it."""
        self._actions: list[tuple[int, Callable[[], None]]] = [
            (12, self.launch),
            (4, self.kill_task),
            (2, self.reconcile),
            (2, self.kill_agent),
            (4, self.start_agent),
            (1, self.freeze_agent),
            (2, self.thaw_agent),
            (1, self.restart_master),
            (2, self.partition),
            (3, self.heal),
            (2, self.reset),
            (3, self.lose_messages),
            (1, self.kill_executor),
        ]
        self.role = role
        if role:
            self._actions += [(3, self.reserve), (2, self.unreserve)]
        if rough:
            self._actions += [(2, self.power_off), (2, self.fail_over)]
        if cluster.election is not None:
            self._actions += [(2, self.lose_ensemble), (3, self.see_ensemble), (4, self.start_master)]

    def live(self, steps: int) -> None:
        """Do that many random things, with random pauses."""
        actions = [action for weight, action in self._actions for _ in range(weight)]
        for _ in range(steps):
            action = self.random.choice(actions)
            self.log.append(f"{self.cluster.time:10.3f}  {action.__name__}")
            action()
            self.cluster.loop.advance(self.random.choice(PAUSES) * self.random.random())

    def calm(self) -> None:
        """Mend everything and wait until the cluster has found together again."""
        cluster = self.cluster
        self.log.append(f"{cluster.time:10.3f}  calm")
        cluster.network.deliver_all()
        cluster.network.heal()
        self.see_ensemble()
        for master in cluster.masters:
            if not master.is_running:
                master.start()
        cluster.run_until(
            lambda: any(master.is_leading for master in cluster.masters), within=60, what="a master leads"
        )
        for agent in cluster.agents:
            if not agent.is_running:
                agent.start()
            elif agent.host.is_frozen:
                agent.thaw()
        cluster.run_until(cluster.is_complete, within=400, what="all agents register again")
        for framework in cluster.frameworks:
            # A half-open connection is noticed by the first message that goes into it, or by its silence.
            if framework.is_connected:
                framework.reconcile()
        cluster.advance(100)
        cluster.run_until(self._frameworks_connected, within=200, what="all frameworks subscribe again")
        for framework in cluster.frameworks:
            framework.refuse_seconds = 1000.0
        for _ in range(LONGEST_CALM):
            if not cluster.ledger.unheard() and not any(agent.has_pending_updates for agent in cluster.agents):
                break
            cluster.advance(60)
        cluster.advance(10)

    def _frameworks_connected(self) -> bool:
        return all(framework.is_connected for framework in self.cluster.frameworks if not framework.errors)

    # --- work ---------------------------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Launch a task."""
        framework = self.random.choice(self.cluster.frameworks)
        task = framework.launch(
            self.random.choice(SCRIPTS),
            cpus=self.random.choice((0.1, 0.5, 1, 2)),
            executor=self.random.choice(EXECUTORS),
        )
        self.launched.append((framework, task))

    def kill_task(self) -> None:
        """Kill a task."""
        if self.launched:
            framework, task = self.random.choice(self.launched)
            if framework.is_connected:
                framework.kill(task)

    def reconcile(self) -> None:
        """Ask for everything."""
        framework = self.random.choice(self.cluster.frameworks)
        if framework.is_connected:
            framework.reconcile()

    def reserve(self) -> None:
        """Reserve a part of the next offer."""
        amount = self.random.choice((0.1, 0.5, 1.0))

        def plan(offer: v0.Offer) -> list[v0.Offer.Operation]:
            for resource in offer.resources:
                if resource.name == "cpus" and not resource.reservations and resource.scalar.value >= amount:
                    operation = v0.Offer.Operation(type=v0.Offer.Operation.RESERVE)
                    part = operation.reserve.resources.add()
                    part.CopyFrom(resource)
                    part.scalar.value = amount
                    part.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=self.role)
                    return [operation]
            return []

        self.random.choice(self.cluster.frameworks).plans.append(plan)

    def unreserve(self) -> None:
        """Give up the reservations of the next offer that has some."""

        def plan(offer: v0.Offer) -> list[v0.Offer.Operation]:
            operations = []
            for resource in offer.resources:
                if resource.reservations:
                    operation = v0.Offer.Operation(type=v0.Offer.Operation.UNRESERVE)
                    operation.unreserve.resources.add().CopyFrom(resource)
                    operations.append(operation)
            return operations

        self.random.choice(self.cluster.frameworks).plans.append(plan)

    # --- faults -------------------------------------------------------------------------------------------------------

    def kill_agent(self) -> None:
        """Kill an agent's process."""
        agent = self._agent()
        if agent.is_running:
            agent.kill(silent=self.random.random() < 0.3)

    def start_agent(self) -> None:
        """Start an agent that is dead."""
        agent = self._agent()
        if not agent.is_running:
            agent.start()

    def freeze_agent(self) -> None:
        """Stop an agent's process."""
        agent = self._agent()
        if agent.is_running:
            agent.freeze()

    def thaw_agent(self) -> None:
        """Let a stopped agent go on."""
        for agent in self.cluster.agents:
            if agent.is_running and agent.host.is_frozen:
                agent.thaw()

    def restart_master(self) -> None:
        """Kill the master and start it again; with several of them, leave that to ``start_master``."""
        master = self.cluster.master
        if master.is_running:
            master.kill(silent=self.random.random() < 0.3)
        if self.cluster.election is None:
            self.cluster.loop.advance(self.random.choice(PAUSES) * self.random.random())
            master.start()

    def start_master(self) -> None:
        """Start a master that is dead."""
        master = self.random.choice(self.cluster.masters)
        if not master.is_running:
            master.start()

    def lose_ensemble(self) -> None:
        """Cut a master off from the ensemble."""
        master = self.random.choice(self.cluster.masters)
        if self.cluster.election is not None and master.is_running:
            self.cluster.election.cut_off(master.host)

    def see_ensemble(self) -> None:
        """Let all masters see the ensemble again."""
        for master in self.cluster.masters:
            if self.cluster.election is not None and master.is_running:
                self.cluster.election.restore(master.host)

    def partition(self) -> None:
        """Cut an agent off the master."""
        self.cluster.network.partition(
            [self.cluster.master.name], [self._agent().name], one_way=self.random.random() < 0.3
        )

    def heal(self) -> None:
        """End all partitions."""
        self.cluster.network.heal()

    def reset(self) -> None:
        """Break connections between an agent and the master."""
        self.cluster.network.reset(self.cluster.master.name, self._agent().name)

    def lose_messages(self) -> None:
        """Lose the next few messages of some type."""
        message, times = self.random.choice(LOSABLE), self.random.randint(1, 3)
        lose = self.cluster.network.break_at if message in BREAKING else self.cluster.network.drop
        lose(message, times=times)

    def kill_executor(self) -> None:
        """Kill some executor's process."""
        alive = [host for name, host in self.cluster.hosts.items() if name.startswith("executor-") and host.is_alive]
        if alive:
            self.random.choice(alive).exit(1, "killed by a fault")

    def power_off(self) -> None:
        """Lose a machine: its agent, containers and unsynced files."""
        agent = self._agent()
        if agent.is_running:
            agent.power_off()

    def fail_over(self) -> None:
        """Kill a scheduler and let another one take over its framework."""
        old = self.random.choice(self.cluster.frameworks)
        if not old.framework_id:
            return
        old.host.kill(silent=self.random.random() < 0.3)  # type: ignore[attr-defined]  # it is a SimulatedHost
        # What the dead one sent last must not arrive behind its successor: the newest subscription wins.
        self.cluster.loop.advance(0.1)
        position = self.cluster.frameworks.index(old)
        new = self.cluster.successor(old)
        self.cluster.frameworks[position] = new
        self.launched = [(new if framework is old else framework, task) for framework, task in self.launched]

    def _agent(self) -> AgentNode:
        return self.random.choice(self.cluster.agents)
