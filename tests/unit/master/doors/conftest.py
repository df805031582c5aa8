"""A real master on a simulated host, asked over HTTP, with a fake agent and a fake scheduler."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from messor.master.flags import MasterFlags
from messor.master.master import Master
from messor.protos import internal, v0, v0_scheduler
from messor.runtime.http import Request, Response
from messor.simulation.host import SimulatedHost
from messor.simulation.world import World
from messor.storage.in_memory import InMemoryStorage
from support import builders
from support.fakes import FakeAgent, FakeScheduler


class Cluster:
    """One master; agents, frameworks and tasks as a test wants them."""

    def __init__(self, **flags: Any) -> None:
        """Start the master."""
        self.world = World(0)
        self.host = self.world.start("master", "10.0.0.1", 5050)
        self.master = Master(self.host, MasterFlags(registry="in_memory", **flags), InMemoryStorage())
        self.host.spawn(self.master)
        self.host.directory.delegate = "master"
        self._machines = 1
        self.machines: dict[str, SimulatedHost] = {}
        self.first_agent: FakeAgent
        self.first_scheduler: FakeScheduler

    def fill(self) -> None:
        """Start an agent and a framework with a running, a waiting and a finished task."""
        self.first_agent = agent = self.agent()
        self.first_scheduler = scheduler = self.scheduler(name="busy")
        for task_id, states in (
            ("run", (v0.TASK_STARTING, v0.TASK_RUNNING)),
            ("wait", ()),
            ("fin", (v0.TASK_RUNNING, v0.TASK_FINISHED)),
        ):
            self.world.advance(2)
            self.launch(scheduler, agent, task_id)
            for state in states:
                self.report(scheduler, agent, task_id, state)
        self.world.advance(2)

    def agent(self, **info: Any) -> FakeAgent:
        """Start an agent on a machine of its own and let it register."""
        self.world.settle()
        self._machines += 1
        ip = f"10.0.0.{self._machines}"
        agent = FakeAgent(self.master.upid, builders.agent_info(ip, **info))
        self.machines[ip] = self.world.start(f"agent-{self._machines}", ip, 5051)
        self.machines[ip].spawn(agent)
        agent.register()
        self.world.settle()
        return agent

    def scheduler(self, **info: Any) -> FakeScheduler:
        """Start a framework and subscribe it."""
        self.world.settle()
        self._machines += 1
        info.setdefault("failover_timeout", 1e6)
        scheduler = FakeScheduler(self.master.upid, builders.framework_info(**info))
        self.world.start(f"scheduler-{self._machines}", f"10.0.0.{self._machines}", 9000).spawn(scheduler)
        scheduler.subscribe()
        self.world.settle()
        return scheduler

    def launch(self, scheduler: FakeScheduler, agent: FakeAgent, task_id: str = "t1", **task: Any) -> v0.TaskInfo:
        """Launch a task on an agent out of the scheduler's latest offer."""
        offer = next(offer for offer in reversed(scheduler.offers()) if offer.slave_id == agent.info.id)
        info = builders.task(task_id, agent_id=agent.id, **task)
        call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
        call.accept.offer_ids.add().CopyFrom(offer.id)
        call.accept.filters.refuse_seconds = 0
        operation = call.accept.operations.add(type=v0.Offer.Operation.LAUNCH)
        operation.launch.task_infos.append(info)
        scheduler.call(call)
        self.world.settle()
        return info

    def report(self, scheduler: FakeScheduler, agent: FakeAgent, task_id: str, state: int, **fields: Any) -> None:
        """Let the agent report a state of a task."""
        now = self.host.clock.now()
        status = v0.TaskStatus(task_id=v0.TaskID(value=task_id), state=state, timestamp=now, **fields)
        status.slave_id.CopyFrom(agent.info.id)
        status.uuid = bytes([state]) * 16
        update = internal.StatusUpdate(
            framework_id=scheduler.info.id, slave_id=agent.info.id, timestamp=now, uuid=status.uuid, status=status
        )
        update.latest_state = state
        agent.update(update)
        self.world.settle()

    def ask(
        self, path: str, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send the master a request."""
        path, _, query = path.partition("?")
        answer = self.host.directory.answer(Request(method, path, headers or {}, body, query))
        assert isinstance(answer, Response)
        return answer

    def get(self, path: str) -> Any:
        """Get a path and parse its JSON."""
        answer = self.ask(path)
        assert answer.status == 200, text_of(answer)
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(text_of(answer))

    def operate(self, call: Any, **headers: str) -> Response:
        """Make an operator call in JSON."""
        body = call if isinstance(call, bytes) else json.dumps(call).encode()
        return self.ask("/api/v1", "POST", body, {"content-type": "application/json", **headers})


def text_of(answer: Response) -> str:
    """Give the complete body of an answer."""
    body = answer.body
    assert isinstance(body, (bytes, list))
    return (body if isinstance(body, bytes) else b"".join(body)).decode()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Give a cluster whose run is checked and closed at the end."""
    cluster = Cluster()
    yield cluster
    cluster.world.check()
    cluster.world.close()


@pytest.fixture
def busy(cluster: Cluster) -> Cluster:
    """Give a cluster with an agent and a framework that has a running, a waiting and a finished task."""
    cluster.fill()
    return cluster
