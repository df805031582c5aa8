"""A fake master and a fake agent on real sockets, and schedulers and executors that record what they hear."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messor.runtime.actor import Actor
from messor.runtime.node_thread import NodeThread
from support.fakes import FakeMaster, Recorder

SECONDS = 120.0


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Poll until something is true and give it."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {SECONDS:g} s for {what}"
        time.sleep(0.002)
    return value


class Stage:
    """Actors on a node of their own, beside the driver under test."""

    def __init__(self) -> None:
        self.thread = NodeThread("stage", environ={"LIBPROCESS_IP": "127.0.0.1"})
        self.node = self.thread.start()

    def spawn(self, actor: Actor) -> None:
        """Make an actor reachable."""
        self.do(lambda: self.node.spawn(actor))

    def do(self, call: Callable[[], Any]) -> Any:
        """Run something in the stage's loop and give its result."""
        done = threading.Event()
        result: list[Any] = []

        def run() -> None:
            try:
                result.append(call())
            finally:
                done.set()

        self.thread.post(run)
        assert done.wait(SECONDS)
        return result[0]

    def close(self) -> None:
        """Stop."""
        self.thread.stop()
        self.thread.join(SECONDS)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A node for fake peers."""
    one = Stage()
    yield one
    one.close()


@pytest.fixture
def master(stage: Stage) -> FakeMaster:
    """A master that answers nothing by itself."""
    fake = FakeMaster()
    fake.registers = False
    stage.spawn(fake)
    return fake


@pytest.fixture
def agent(stage: Stage) -> Recorder:
    """An agent that answers nothing by itself."""
    fake = Recorder("slave(1)")
    stage.spawn(fake)
    return fake


@pytest.fixture
def ending() -> Iterator[list[Any]]:
    """Drivers that have to end, whatever becomes of the test."""
    drivers: list[Any] = []
    yield drivers
    for driver in drivers:
        driver.stop()
        if driver._thread is not None:
            driver._thread.join(SECONDS)


class Heard:
    """Answers to every callback name and records (name, arguments) without the driver."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.during: dict[str, Callable[..., Any]] = {}
        """What to do inside a callback, by name; gets the driver and the arguments."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def callback(driver: Any, *arguments: Any) -> None:
            self.calls.append((name, arguments))
            if name in self.during:
                self.during[name](driver, *arguments)

        return callback

    def names(self) -> list[str]:
        """Names of the callbacks so far."""
        return [name for name, _ in self.calls]

    def wait_count(self, count: int, what: str) -> None:
        """Wait for so many callbacks in all."""
        wait_for(lambda: len(self.calls) >= count, f"{what}, heard {self.names()}")

    def wait(self, name: str, count: int = 1) -> tuple[Any, ...]:
        """Wait for a callback and give the arguments of the latest."""
        wait_for(lambda: self.names().count(name) >= count, f"{count} × {name}, heard {self.names()}")
        return [arguments for heard, arguments in self.calls if heard == name][-1]
