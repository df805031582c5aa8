"""A containerizer whose programs are scripts in virtual time, or executors registered by name.

The container runtime belongs to the machine: containers outlive the agent that started them, and end with the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from messor.containers.containerizer import KnownContainer, LaunchSpec, Termination
from messor.errors import ContainerError, NotFound
from messor.protos import v0
from messor.simulation.executors import HttpExecutor, PidExecutor, SimulatedExecutor
from messor.simulation.scripts import FOREVER, parse_script
from messor.simulation.sessions import DriverExecutor, HttpDriverExecutor

if TYPE_CHECKING:
    from messor.runtime.host import Host, Promise, Timer
    from messor.simulation.host import SimulatedHost
    from messor.simulation.ledger import Ledger
    from messor.simulation.world import World

ExecutorFactory = Callable[[Mapping[str, str], "Ledger"], SimulatedExecutor]

SIGKILL = 9

BUILT_IN: dict[str, ExecutorFactory] = {
    "v0-executor": PidExecutor,
    "v1-executor": HttpExecutor,
    "v0-driver": DriverExecutor,
    "v1-driver": HttpDriverExecutor,
}
"""What CommandInfo.value of a custom executor may say without registering anything."""


class Program:
    """One container: its first process and how it ended."""

    def __init__(self, container_id: str, spec: LaunchSpec, pid: int) -> None:
        """Start alive."""
        self.container_id = container_id
        self.spec = spec
        self.pid = pid
        self.process: SimulatedHost | None = None
        self.executor: SimulatedExecutor | None = None
        self.timer: Timer | None = None
        self.termination: Termination | None = None
        self.waiters: list[Promise[Termination]] = []


class ContainerRuntime:
    """The containers of one machine."""

    def __init__(self, world: World, ip: str, ledger: Ledger) -> None:
        """Start with none."""
        self.world = world
        self.ip = ip
        self.ledger = ledger
        self.executors: dict[str, ExecutorFactory] = dict(BUILT_IN)
        """Executors by the name that CommandInfo.value gives."""
        self.launch_seconds = 0.01
        """How long starting a container takes."""
        self.programs: dict[str, Program] = {}
        self._next_pid = 1000

    def start(self, container_id: str, spec: LaunchSpec) -> Program:
        """Start a container's first process."""
        self._next_pid += 1
        program = Program(container_id, spec, self._next_pid)
        self.programs[container_id] = program
        command = spec.command.value
        factory = self.executors.get(command.split()[0]) if command.split() else None
        if spec.command_task is not None:
            executor: SimulatedExecutor = HttpExecutor(spec.environment, self.ledger, only_task=spec.command_task)
        elif factory is not None:
            executor = factory(spec.environment, self.ledger)
        else:
            script = parse_script(command)
            if script.seconds < FOREVER:
                self.world.loop.call_later(script.seconds, self.ended, program, script.exit_code << 8)
            return program
        program.process = self.world.start(f"executor-{container_id}", self.ip)
        program.process.on_exit = lambda status: self.ended(program, status << 8)
        program.executor = executor
        program.process.spawn(executor)
        return program

    def ended(self, program: Program, status: int | None, termination: Termination | None = None) -> None:
        """Note how a container ended and tell those who wait."""
        if program.termination is not None:
            return
        program.termination = termination or Termination(status)
        if program.executor is not None:
            program.executor.died()
        for waiter in program.waiters:
            if not waiter.done():
                waiter.set_result(program.termination)

    def kill(self, program: Program, termination: Termination | None) -> None:
        """Kill everything in a container."""
        if program.process is not None and program.process.is_alive:
            program.process.die(silent=False)
        if termination is not None and termination.status is None:
            termination = Termination(
                SIGKILL, termination.reason, termination.message, termination.limited_resources, termination.state
            )
        self.ended(program, SIGKILL, termination)

    def power_off(self) -> None:
        """Lose all containers without a trace, as the machine's end does."""
        for program in self.programs.values():
            if program.process is not None and program.process.is_alive:
                program.process.die(silent=True)
            if program.executor is not None:
                program.executor.died()
        self.programs.clear()


class SimulatedContainerizer:
    """The Containerizer of one agent process."""

    def __init__(self, host: Host, runtime: ContainerRuntime) -> None:
        """Work on a machine's runtime; waits end with the agent's process."""
        self._host = host
        self._runtime = runtime
        self._launching: dict[str, Termination | None] = {}
        """Containers being prepared; a destroy that came meanwhile is noted here."""
        self._doomed: dict[str, None] = {}

    async def recover(self, known: Sequence[KnownContainer]) -> None:
        """Keep known containers, destroy the others."""
        names = {container.container_id for container in known}
        for container_id, program in list(self._runtime.programs.items()):
            if container_id not in names and program.termination is None:
                self._runtime.kill(program, None)

    async def launch(self, container_id: str, spec: LaunchSpec) -> int:
        """Start after a moment; raises ContainerError when it is destroyed meanwhile, or told to fail."""
        self._launching[container_id] = None
        await self._host.tasks.sleep(self._runtime.launch_seconds)
        del self._launching[container_id]
        if container_id in self._doomed:
            del self._doomed[container_id]
            raise ContainerError("Failed to launch container: it was destroyed meanwhile")
        if spec.command.value.startswith("fail to launch"):
            raise ContainerError(f"Failed to launch container: {spec.command.value}")
        program = self._runtime.start(container_id, spec)
        if spec.forked_pid_path is not None:
            self._host.disk.write(spec.forked_pid_path, str(program.pid).encode())
        return program.pid

    async def update(
        self, container_id: str, resources: Sequence[v0.Resource], limits: Mapping[str, float] | None = None
    ) -> None:
        """Change resources; they mean nothing here."""
        del resources, limits
        if container_id not in self._runtime.programs and container_id not in self._launching:
            raise ContainerError(f"Container {container_id} not found")

    async def wait(self, container_id: str) -> Termination | None:
        """Wait for the end."""
        program = self._runtime.programs.get(container_id)
        if program is None:
            return None
        if program.termination is not None:
            return program.termination
        promise: Promise[Termination] = self._host.tasks.promise()
        program.waiters.append(promise)
        return await promise

    async def destroy(self, container_id: str, termination: Termination | None = None) -> Termination | None:
        """Kill."""
        if container_id in self._launching:
            self._doomed[container_id] = None
            return Termination(None)
        program = self._runtime.programs.get(container_id)
        if program is None:
            return None
        if program.termination is None:
            self._runtime.kill(program, termination)
        return program.termination

    async def usage(self, container_id: str) -> v0.ResourceStatistics:
        """Measure nothing but the time."""
        self._known(container_id)
        return v0.ResourceStatistics(timestamp=self._host.clock.now())

    async def status(self, container_id: str) -> v0.ContainerStatus:
        """Describe."""
        program = self._known(container_id)
        status = v0.ContainerStatus(executor_pid=program.pid)
        status.container_id.value = container_id
        status.network_infos.add().ip_addresses.add().ip_address = self._runtime.ip
        return status

    def containers(self) -> Sequence[str]:
        """Ids of all that live."""
        alive = [name for name, program in self._runtime.programs.items() if program.termination is None]
        return [*alive, *self._launching]

    async def shut_down(self) -> None:
        """Let go at the end of an agent that killed everything."""

    def detach(self) -> None:
        """Let go; containers stay."""

    def _known(self, container_id: str) -> Program:
        program = self._runtime.programs.get(container_id)
        if program is None or program.termination is not None:
            raise NotFound(f"Container {container_id} not found")
        return program
