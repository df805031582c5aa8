"""One real agent on a simulated machine, with a fake master and fake executors around it."""

from __future__ import annotations

import json
from typing import Any

from messor.agent.agent import Agent
from messor.agent.flags import AgentFlags
from messor.agent.state.invariants import violations
from messor.agent.state.lifecycles import AgentState
from messor.coordination.standalone import StandaloneDetector
from messor.protos import internal, v0
from messor.runtime.http import Request, Response
from messor.simulation.containers import ContainerRuntime, SimulatedContainerizer
from messor.simulation.ledger import Ledger
from messor.simulation.world import World
from messor.wire.upid import Upid
from support import builders
from support.fakes import FakeExecutor, FakeMaster

AGENT_IP = "10.0.0.2"
RESOURCES = "cpus:4;mem:4096;disk:10000;ports:[31000-32000]"
SILENT = "sleep 100000"
"""Command of an executor that never reports: a FakeExecutor reports for it."""


class AgentDesk:
    """Starts everything; ``run`` gives the agent a task, ``executor`` connects a fake executor for it."""

    def __init__(self, *, start: bool = True, **flags: Any) -> None:
        """flags: of the agent."""
        self.world = World(1)
        self.ledger = Ledger()
        self.runtime = ContainerRuntime(self.world, AGENT_IP, self.ledger)
        self.flags = {"master": "10.0.0.1:5050", "work_dir": "/w", "resources": RESOURCES, **flags}
        self.boot_id = "boot-1"
        self.executors = 0
        self.master_host = self.world.start("master", "10.0.0.1", 5050)
        self.master = FakeMaster()
        self.master_host.spawn(self.master)
        if start:
            self.start()
            self.world.run_until(lambda: self.agent.tables.state is AgentState.RUNNING, within=10)
            self.world.settle()

    def start(self) -> None:
        """Start an agent process on what the disk holds."""
        self.host = self.world.start("agent", AGENT_IP, 5051)
        self.detector = StandaloneDetector(self.host, self.master.info())
        self.agent = Agent(
            self.host,
            AgentFlags(**self.flags),
            SimulatedContainerizer(self.host, self.runtime),
            self.detector,
            boot_id=self.boot_id,
        )
        self.agent.after_message = self.check
        self.host.spawn(self.agent)
        self.host.directory.delegate = self.agent.name

    def restart(self) -> None:
        """Kill the agent's process and start another one."""
        self.host.kill()
        self.start()

    def close(self) -> None:
        """End the simulation."""
        self.world.close()

    def check(self) -> None:
        """Fail when an invariant does not hold."""
        assert violations(self.agent.tables) == []

    @property
    def upid(self) -> Upid:
        """Where the agent is."""
        return self.agent.upid

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.agent.tables.agent_id

    # --- tasks -------------------------------------------------------------------------------------------------------

    def run(
        self,
        task_id: str = "t",
        *,
        executor: v0.ExecutorInfo | None = None,
        checkpoint: bool = False,
        aware: bool = True,
        **task: Any,
    ) -> v0.TaskInfo:
        """Send RunTask for a task of framework ``F`` and let a container start; by default of executor ``e``."""
        framework = builders.framework_info(
            framework_id="F", checkpoint=checkpoint, capabilities=["partition_aware"] if aware else []
        )
        info = builders.task(
            task_id, agent_id=self.id, executor=executor or builders.executor_info("e", SILENT, text="cpus:0.1"), **task
        )
        self.master.run_task(self.upid, framework, info)
        self.world.advance(0.1)
        return info

    def executor(self, executor_id: str = "e", *, register: bool = True) -> FakeExecutor:
        """Connect a v0 executor."""
        self.executors += 1
        host = self.world.start(f"executor-{self.executors}", AGENT_IP)
        executor = FakeExecutor(self.upid, "F", executor_id)
        host.spawn(executor)
        if register:
            executor.register()
            self.world.advance(0.1)
        return executor

    def update(self, executor: FakeExecutor, task_id: str = "t", state: int = v0.TASK_RUNNING, **more: Any) -> bytes:
        """Report a state; gives the update's uuid."""
        uuid = self.host.chance.uuid_bytes()
        executor.update(builders.status(task_id, state, agent_id=self.id, uuid=uuid, **more))
        self.world.settle()
        return uuid

    def acknowledge(self) -> None:
        """Acknowledge the latest update the master got."""
        self.master.acknowledge(self.upid, self.master.last(internal.StatusUpdateMessage).update)
        self.world.settle()

    def updates(self) -> list[v0.TaskStatus]:
        """Give all statuses the master got."""
        return [message.update.status for message in self.master.received(internal.StatusUpdateMessage)]

    def told(self) -> tuple[str, str, str]:
        """Give the latest status as (state, reason, message)."""
        status = self.updates()[-1]
        reason = v0.TaskStatus.Reason.Name(status.reason) if status.HasField("reason") else ""
        return v0.TaskState.Name(status.state), reason, status.message

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """Serve one request at the agent's door."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = path.partition("?")
        found: list[Response] = []

        async def serve() -> None:
            found.append(await self.host.directory.serve(Request(method, path, names, body, query)))

        self.host.tasks.spawn(serve(), "request")
        self.world.settle()
        return found[0]

    def call(self, path: str, value: object) -> Response:
        """POST JSON."""
        return self.request("POST", path, json.dumps(value).encode(), content_type="application/json")

    def show(self, path: str) -> Any:
        """GET JSON."""
        response = self.request("GET", path)
        assert isinstance(response.body, bytes)
        return json.loads(response.body)
