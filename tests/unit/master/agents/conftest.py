"""A real master on a simulated host, with fake agents and schedulers around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from messor.master.flags import MasterFlags
from messor.master.master import Master
from messor.master.state import invariants
from messor.protos import internal, v0, v0_scheduler
from messor.simulation.host import SimulatedHost
from messor.simulation.world import World
from messor.storage.in_memory import InMemoryStorage
from support import builders
from support.fakes import FakeAgent, FakeScheduler


class Rig:
    """One master and whatever a test puts around it; the books are checked after every message."""

    def __init__(self) -> None:
        """Have nothing yet; ``start`` starts the master."""
        self.world = World(0)
        self.storage = InMemoryStorage()
        self.flags: dict[str, Any] = {"registry": "in_memory"}
        self.master: Master
        self.host: SimulatedHost
        self.agent_hosts: dict[str, SimulatedHost] = {}
        self._machines = 1

    def start(self, **flags: Any) -> Master:
        """Start the master, or start it again over the same registry."""
        self.flags.update(flags)
        self.host = self.world.start("master", "10.0.0.1", 5050)
        self.master = Master(self.host, MasterFlags(**self.flags), self.storage)
        self.master.after_message = self.check
        self.host.spawn(self.master)
        self.world.settle()
        return self.master

    def restart(self) -> Master:
        """Kill the master and start a new one."""
        self.host.kill()
        return self.start()

    def check(self) -> None:
        """Fail if the books do not balance."""
        assert invariants.check(self.master.state) == []

    def agent(self, hostname: str = "", *, register: bool = True, **info: Any) -> FakeAgent:
        """Start an agent on a machine of its own."""
        self._machines += 1
        ip = f"10.0.0.{self._machines}"
        host = self.world.start(f"agent-{self._machines}", ip, 5051)
        agent = FakeAgent(self.master.upid, builders.agent_info(hostname or ip, **info))
        host.spawn(agent)
        self.agent_hosts[ip] = host
        if register:
            agent.register()
            self.world.settle()
            assert agent.id
        return agent

    def machine(self, agent: FakeAgent) -> SimulatedHost:
        """Give the host an agent runs on."""
        return self.agent_hosts[agent.upid.ip]

    def scheduler(self, **info: Any) -> FakeScheduler:
        """Start a framework and subscribe it."""
        self._machines += 1
        info.setdefault("failover_timeout", 1e6)
        host = self.world.start(f"scheduler-{self._machines}", f"10.0.0.{self._machines}", 9000)
        scheduler = FakeScheduler(self.master.upid, builders.framework_info(**info))
        host.spawn(scheduler)
        scheduler.subscribe()
        self.world.settle()
        assert scheduler.info.id.value
        return scheduler

    def launch(self, scheduler: FakeScheduler, agent: FakeAgent, task_id: str = "t1", **task: Any) -> v0.TaskInfo:
        """Launch a task on an agent out of the scheduler's latest offer of it."""
        offer = next(offer for offer in reversed(scheduler.offers()) if offer.slave_id == agent.info.id)
        info = builders.task(task_id, agent_id=agent.id, **task)
        call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
        call.accept.offer_ids.add().CopyFrom(offer.id)
        call.accept.filters.refuse_seconds = 0
        operation = call.accept.operations.add(type=v0.Offer.Operation.LAUNCH)
        operation.launch.task_infos.append(info)
        scheduler.call(call)
        self.world.settle()
        assert agent.last(internal.RunTaskMessage).task.task_id.value == task_id
        return info

    def state_of(self, agent: FakeAgent, scheduler: FakeScheduler, task_id: str = "t1") -> v0.Task:
        """Give a task as the agent would report it when it re-registers."""
        record = self.master.state.find_task(scheduler.info.id.value, task_id)
        assert record is not None
        task = record.message()
        task.state = v0.TASK_RUNNING
        assert task.slave_id == agent.info.id
        return task


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Give a rig whose run is checked and closed at the end."""
    rig = Rig()
    yield rig
    rig.world.check()
    rig.world.close()
