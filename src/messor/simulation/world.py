"""Hosts, time and a network, without any notion of masters and agents.

``settle`` delivers what is in flight, ``advance`` lets time pass, ``run_until`` waits for something. After every event
the invariants are checked; whatever fails says the seed and the trace's hash: all that is needed to see it again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from messor.simulation.disk import Files
from messor.simulation.host import SimulatedHost, SimulatedTimer
from messor.simulation.loop import SimulatedLoop
from messor.simulation.network import Network
from messor.simulation.trace import Trace

EPOCH = 1_700_000_000.0
"""Wall-clock time at which every simulation begins."""


class SimulationFailed(AssertionError):
    """A simulated run went wrong: an invariant broke, a handler raised, or something awaited did not happen."""


class World:
    """A simulation: its loop, network, trace, machines and processes."""

    def __init__(self, seed: int = 0, *, keep_trace: bool = True) -> None:
        """Make everything from a seed; keep_trace: hold entries so that ``story`` can tell them."""
        self.seed = seed
        self.epoch = EPOCH
        self.random = Random(f"world/{seed}")  # noqa: S311  (repeatable on purpose)
        self.loop = SimulatedLoop()  # type: ignore[abstract]  # it has no sockets, signals or programs
        self.trace = Trace(keep=keep_trace)
        self.network = Network(self.loop, Random(f"network/{seed}"), self.trace)  # noqa: S311  (repeatable on purpose)
        self.hosts: dict[str, SimulatedHost] = {}
        """The latest process of each name, dead ones included."""
        self.machines: dict[str, Files] = {}
        """Files by ip."""
        self.invariants: list[Callable[[], None]] = []
        """Called after every event; each raises AssertionError with a sentence."""
        self.touched: dict[str, None] = {}
        """Names of processes in which something may have changed since the last check."""
        self._incarnations: dict[str, int] = {}
        self._next_port: dict[str, int] = {}
        self.loop.after_step = self._after_step
        self.loop.on_timer = self._timer

    @property
    def time(self) -> float:
        """Virtual seconds since the start."""
        return self.loop.time()

    def start(self, name: str, ip: str, port: int | None = None, hostname: str | None = None) -> SimulatedHost:
        """Start a process; port: None for one that nobody used yet on that machine."""
        if port is None:
            port = self._next_port.get(ip, 32768)
            self._next_port[ip] = port + 1
        files = self.machines.setdefault(ip, Files(self._now))
        host = SimulatedHost(self, name, hostname or name, (ip, port), files)
        self.hosts[name] = host
        return host

    def incarnation(self, name: str) -> int:
        """Count the processes started under a name, so that each has randomness of its own."""
        self._incarnations[name] = self._incarnations.get(name, 0) + 1
        return self._incarnations[name]

    # --- time ---------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Deliver what is in flight and run what is ready, without passing any later timer."""
        self.loop.settle()

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, then settle."""
        self.loop.advance(seconds)
        self.loop.settle()

    def run_until(self, predicate: Callable[[], object], within: float = 60.0, what: str = "") -> None:
        """Run until the predicate holds; raises SimulationFailed when it does not within so many virtual seconds."""
        if not self.loop.run_until(predicate, within):
            raise self.failed(f"{what or _source(predicate)} did not happen within {within} simulated seconds")

    def run(self, awaitable: Any) -> Any:
        """Run a coroutine to its end and give its result."""
        return self.loop.run_until_complete(awaitable)

    def close(self) -> None:
        """End every process and the loop; raises SimulationFailed when something had gone wrong unnoticed."""
        for host in list(self.hosts.values()):
            if host.is_alive:
                host.die(silent=True)
        while self.loop.run_ready():
            pass
        self.loop.close()

    # --- telling ------------------------------------------------------------------------------------------------------

    def story(self, subject: str) -> str:
        """Tell what happened to a task, framework, executor or agent, by its id."""
        return self.trace.story(subject)

    def failed(self, why: str) -> SimulationFailed:
        """Make the error that says how to see this run again."""
        return SimulationFailed(
            f"{why}\nseed {self.seed}, trace {self.trace.hash}, after {self.time:.3f} simulated seconds; "
            f"what happened last:\n{self.trace.tail()}"
        )

    def check(self) -> None:
        """Check all invariants of all processes now."""
        self.touched = dict.fromkeys(self.hosts)
        self._check()

    def _check(self) -> None:
        for holds in self.invariants:
            try:
                holds()
            except AssertionError as error:
                raise self.failed(str(error)) from error

    def _after_step(self) -> None:
        if self.loop.failures:
            failures = "; ".join(self.loop.failures)
            self.loop.failures.clear()
            raise self.failed(f"a handler or a task raised: {failures}")
        if self.touched:
            self._check()
            self.touched.clear()

    def _timer(self, when: float, callback: Callable[..., object]) -> None:
        label = callback.label if isinstance(callback, SimulatedTimer) else getattr(callback, "__qualname__", "")
        self.trace.record(when, "timer", label, "", "")

    def _now(self) -> float:
        return self.epoch + self.time


def _source(predicate: Callable[[], object]) -> str:
    """Name a predicate: its function, or where its lambda stands."""
    code = getattr(predicate, "__code__", None)
    where = f" ({code.co_filename.rpartition('/')[2]}:{code.co_firstlineno})" if code is not None else ""
    return f"{getattr(predicate, '__qualname__', predicate)}{where}"
